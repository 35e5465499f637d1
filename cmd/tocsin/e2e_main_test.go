package main_test

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// The tests of this package start real processes and listen on the loopback interface only. What
// they wait for is polled, with deadlines that a slow machine meets as well.
func TestMain(m *testing.M) {
	// They wait far more than they work, so that more of them run at a time than there are processors.
	// -parallel on the command line counts for more than this.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if dir, err := buildFolder(); err == nil {
			_ = os.RemoveAll(dir)
		}
		os.Exit(code)
	}))
}
