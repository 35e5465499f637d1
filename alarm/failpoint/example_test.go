package failpoint_test

import "github.com/tocsin/tocsin/alarm/failpoint"

// A place is named where a crash would be worst. In production this is nothing.
func Example() {
	failpoint.Here("commit-durable")
	// Output:
}
