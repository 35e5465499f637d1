package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/tocsin/tocsin/cmd/internal/config"
)

// addCheck adds check: all problems of a configuration at once.
func addCheck(app *kingpin.Application, commands map[string]func(context.Context) error, stdout io.Writer) {
	cmd := app.Command("check", "Checks a configuration and prints all of its problems, each with its line and its remedy.")
	flagged := cmd.Flag("config.file", "The configuration file.").String()
	own := cmd.Flag("tocsin.config.file", "A file with the section tocsin, if it is not in the configuration file.").String()
	routes := cmd.Flag("route", `Print where an alert would go, such as 'alertname="X",cluster="y" @ 2027-01-01T03:00Z'. Can be repeated.`).Strings()
	arg := cmd.Arg("file", "The configuration file. Defaults to alertmanager.yml.").String()
	commands[cmd.FullCommand()] = func(context.Context) error {
		path := "alertmanager.yml"
		switch {
		case *arg != "" && *flagged != "":
			return &usageError{"give the file once: as an argument or by --config.file"}
		case *arg != "":
			path = *arg
		case *flagged != "":
			path = *flagged
		}
		var questions []routeQuestion
		for _, text := range *routes {
			q, err := parseRouteQuestion(text, time.Now())
			if err != nil {
				return &usageError{err.Error()}
			}
			questions = append(questions, q)
		}
		var a *assembly
		c, err := config.Load(path, *own)
		if err == nil {
			a, err = assemble(c, &url.URL{Scheme: "http", Host: "localhost"}, buildOptions{log: slog.New(slog.DiscardHandler), unread: true})
		}
		if err != nil {
			if err := config.Print(stdout, err); err != nil {
				return err
			}
			return errReported
		}
		for _, w := range slices.Concat(c.Warnings, c.Past(time.Now())) {
			fmt.Fprintf(stdout, "warning: %s\n", w)
		}
		for _, q := range questions {
			if err := printRoute(stdout, a, q); err != nil {
				return err
			}
		}
		if len(questions) > 0 {
			return nil
		}
		_, err = fmt.Fprintf(stdout, "%s: good: %d receivers, %d inhibit rules, %d time intervals\n", path,
			len(c.Alertmanager.Receivers), len(c.Alertmanager.InhibitRules), len(c.Alertmanager.TimeIntervals)+len(c.Alertmanager.MuteTimeIntervals))
		return err
	}
}
