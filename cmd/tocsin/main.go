// Command tocsin turns a flood of alerts into the few that are worth waking up for. Without a
// subcommand it is the server, with Alertmanager's command line.
package main

import (
	"os"
	_ "time/tzdata" // time zones, on machines that have none

	"github.com/tocsin/tocsin/cmd/server"
)

func main() { os.Exit(server.Main(os.Args)) }
