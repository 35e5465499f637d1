package heartbeat_test

import (
	"context"
	"fmt"
	"time"

	"github.com/tocsin/tocsin/notify/heartbeat"
)

// What proves that we live is sent only while we work.
func Example() {
	target, err := heartbeat.NewURL("https://hc.example/ping/abc", heartbeat.URLOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	vitals := func() heartbeat.Vitals { return heartbeat.Vitals{Sources: 2} } // of your engine
	good := func() error { return vitals().Judge(time.Now(), heartbeat.Limits{}) }
	loop, err := heartbeat.New(target, good, heartbeat.Options{Interval: time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	fmt.Println(good())
	fmt.Println(loop.Run(ctx))
	// Output:
	// no cycle was completed yet
	// none of 2 sources is fresh
	// <nil>
}
