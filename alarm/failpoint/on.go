//go:build failpoints

package failpoint

import (
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
)

var passed atomic.Int64

// Here ends the process if it is the place that the environment names.
func Here(place string) {
	if place != os.Getenv("TOCSIN_FAILPOINT") {
		return
	}
	after, _ := strconv.ParseInt(os.Getenv("TOCSIN_FAILPOINT_AFTER"), 10, 64) // else at once
	if passed.Add(1) <= after {
		return
	}
	fmt.Fprintln(os.Stderr, "failpoint", place)
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // until it is dead
}
