// Package server is the reference server as a function, so that a source of one's own runs in the
// full system:
//
//	func main() { os.Exit(server.Main(os.Args, server.WithSource("certs", certs{hosts}))) }
//
// It ties the packages together and decides nothing itself. The command line is Alertmanager's,
// with more subcommands beside serve, which is what runs without one. Exit codes are 0 for good, 1
// for problems found or failure, 2 for wrong usage. Results go to standard output, logs to standard
// error. [Main] may be called once in a process, for it reads the mode of the matcher language from
// the command line, which holds for the whole process.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/version"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/cmd/internal/config"
)

// An Option adds something of the caller's to the server.
type Option func(*options)

type options struct {
	sources []namedSource
}

type namedSource struct {
	name    string
	source  alarm.Source
	collect alarm.CollectOptions
	made    madeOf // if it is of the configuration
}

// madeOf is what a source of the configuration was made of.
type madeOf struct {
	config   config.Source
	replicas []model.LabelName
}

// WithSource has the server collect a source under a name that is unique among all sources. It is
// asked every 30 s unless collect says otherwise, and whenever it says that it changed if it is an
// [alarm.Changer].
func WithSource(name string, source alarm.Source, collect ...alarm.CollectOptions) Option {
	return func(o *options) {
		s := namedSource{name: name, source: source}
		if len(collect) > 0 {
			s.collect = collect[0]
		}
		o.sources = append(o.sources, s)
	}
}

// The exit codes.
const (
	exitGood    = 0
	exitProblem = 1
	exitUsage   = 2
)

// Main runs the command line args, of which the first is the program's name, until it is done or
// the process is told to end, and returns the exit code.
func Main(args []string, opts ...Option) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return Run(ctx, args[1:], os.Stdout, os.Stderr, opts...)
}

// Run is Main for callers that bring their own context and outputs; args are without the program's
// name.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer, opts ...Option) int {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	app := kingpin.New("tocsin", "tocsin turns a flood of alerts into the few that are worth waking up for. It is a drop-in for Prometheus Alertmanager.")
	app.UsageWriter(stdout).ErrorWriter(stderr)
	app.Version(version.Print("tocsin"))
	app.HelpFlag.Short('h')
	ended := -1 // by --help or --version
	app.Terminate(func(code int) { ended = code })
	app.VersionFlag.NoEnvar()

	commands := map[string]func(context.Context) error{}
	addServe(app, commands, stderr, &o)
	addCheck(app, commands, stdout)
	addSilence(app, commands, stdout)
	addExplain(app, commands, stdout)
	addWindow(app, commands, stdout)
	addAgent(app, commands, stderr)
	addWorker(app, commands, stderr)
	addBackup(app, commands, stdout)
	addExport(app, commands, stdout)

	name, err := app.Parse(args)
	switch {
	case ended >= 0:
		return exitGood
	case err != nil:
		fmt.Fprintf(stderr, "tocsin: error: %v, try --help\n", err)
		return exitUsage
	}
	err = commands[name](ctx)
	var usage *usageError
	switch {
	case err == nil:
		return exitGood
	case errors.Is(err, errReported):
		return exitProblem
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "tocsin: error: %v, try --help\n", err)
		return exitUsage
	default:
		fmt.Fprintf(stderr, "tocsin: error: %v\n", err)
		return exitProblem
	}
}

// usageError is a command line that parses and makes no sense.
type usageError struct{ problem string }

func (e *usageError) Error() string { return e.problem }

// errReported means that the problem was printed already.
var errReported = errors.New("reported")
