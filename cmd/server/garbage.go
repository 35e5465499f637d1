package server

import (
	"os"
	"runtime/debug"
)

// garbagePercent is how much garbage may lie about before it is collected, as a part of what is in use.
// Go's own default is 100: then a server that knows 100,000 alerts, which it keeps for hours, holds as
// much memory again for nothing. To collect more often costs a few hundredths of the CPU time of a push.
const garbagePercent = 50

// limitGarbage sets the garbage collector's pace, unless the environment variable GOGC does.
func limitGarbage() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
}
