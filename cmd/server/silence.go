package server

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/user"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm/matcher"
)

// wireSilence is a silence as API v2 speaks of it.
type wireSilence struct {
	ID        string        `json:"id,omitempty"`
	Matchers  []wireMatcher `json:"matchers"`
	StartsAt  time.Time     `json:"startsAt"`
	EndsAt    time.Time     `json:"endsAt"`
	CreatedBy string        `json:"createdBy"`
	Comment   string        `json:"comment"`
	Status    *struct {
		State string `json:"state"`
	} `json:"status,omitempty"`
}

type wireMatcher struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	IsRegex bool   `json:"isRegex"`
	IsEqual bool   `json:"isEqual"`
}

func (w wireMatcher) String() string {
	op := map[[2]bool]string{{true, false}: "=", {false, false}: "!=", {true, true}: "=~", {false, true}: "!~"}[[2]bool{w.IsEqual, w.IsRegex}]
	return fmt.Sprintf("%s%s%q", w.Name, op, w.Value)
}

// addSilence adds silence add, query and expire.
func addSilence(app *kingpin.Application, commands map[string]func(context.Context) error, stdout io.Writer) {
	cmd := app.Command("silence", "Adds, lists and expires silences.")
	addSilenceAdd(cmd, commands, stdout)
	addSilenceQuery(cmd, commands, stdout)
	addSilenceExpire(cmd, commands, stdout)
}

func addSilenceAdd(parent *kingpin.CmdClause, commands map[string]func(context.Context) error, stdout io.Writer) {
	cmd := parent.Command("add", "Mutes the alerts that all matchers match, and prints the silence's ID.")
	c := &client{stdout: stdout}
	addClientFlags(cmd, c)
	duration := cmd.Flag("duration", "How long it lasts.").Short('d').Default("1h").String()
	start := cmd.Flag("start", "When it starts, as RFC 3339. Defaults to now.").String()
	author := cmd.Flag("author", "Who says so.").Short('a').Default(userName()).String()
	comment := cmd.Flag("comment", "Why.").Short('c').Required().String()
	yes := cmd.Flag("yes", "Mute however many alerts that are, and however severe.").Short('y').Bool()
	args := cmd.Arg("matcher", `A matcher such as severity=~"warning|info", or a comma list; a bare first word is an alert name.`).Required().Strings()
	commands[cmd.FullCommand()] = func(ctx context.Context) error {
		s := wireSilence{CreatedBy: *author, Comment: *comment, StartsAt: time.Now().UTC()}
		d, err := model.ParseDuration(*duration)
		if err != nil || d == 0 {
			return &usageError{fmt.Sprintf("--duration %q: give one such as 90m or 2d", *duration)}
		}
		if *start != "" {
			if s.StartsAt, err = time.Parse(time.RFC3339, *start); err != nil {
				return &usageError{fmt.Sprintf("--start %q: give a time such as 2027-01-31T22:00:00Z", *start)}
			}
		}
		s.EndsAt = s.StartsAt.Add(time.Duration(d))
		ms, err := matchersOf(*args)
		if err != nil {
			return err
		}
		for _, m := range ms {
			s.Matchers = append(s.Matchers, wireMatcher{
				Name: m.Name, Value: m.Value,
				IsRegex: m.Type == matcher.Regexp || m.Type == matcher.NotRegexp,
				IsEqual: m.Type == matcher.Equal || m.Type == matcher.Regexp,
			})
		}
		if err := c.find(); err != nil {
			return err
		}
		if !*yes {
			if err := c.guarded(ctx, ms); err != nil {
				return err
			}
		}
		var answer struct {
			SilenceID string `json:"silenceID"`
		}
		if err := c.do(ctx, http.MethodPost, "/api/v2/silences", nil, s, &answer); err != nil {
			return err
		}
		if c.output == "json" {
			return c.print(answer)
		}
		_, err = fmt.Fprintln(stdout, answer.SilenceID)
		return err
	}
}

func userName() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}

func addSilenceQuery(parent *kingpin.CmdClause, commands map[string]func(context.Context) error, stdout io.Writer) {
	cmd := parent.Command("query", "Lists silences that are active or pending.")
	c := &client{stdout: stdout}
	addClientFlags(cmd, c)
	expired := cmd.Flag("expired", "List expired silences, and only those.").Bool()
	args := cmd.Arg("matcher", "List only silences that hold these matchers.").Strings()
	commands[cmd.FullCommand()] = func(ctx context.Context) error {
		ms, err := matchersOf(*args)
		if err != nil {
			return err
		}
		if err := c.find(); err != nil {
			return err
		}
		query := url.Values{}
		for _, m := range ms {
			query.Add("filter", m.String())
		}
		if *expired {
			query.Set("active", "false")
			query.Set("pending", "false")
		} else {
			query.Set("expired", "false")
		}
		var silences []wireSilence
		if err := c.do(ctx, http.MethodGet, "/api/v2/silences", query, nil, &silences); err != nil {
			return err
		}
		if c.output == "json" {
			return c.print(silences)
		}
		return printSilences(stdout, silences)
	}
}

func printSilences(w io.Writer, silences []wireSilence) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tState\tMatchers\tEnds At\tCreated By\tComment")
	for _, s := range silences {
		var ms []string
		for _, m := range s.Matchers {
			ms = append(ms, m.String())
		}
		state := ""
		if s.Status != nil {
			state = s.Status.State
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", s.ID, state, strings.Join(ms, " "), s.EndsAt.UTC().Format(time.RFC3339), plain(s.CreatedBy), plain(s.Comment))
	}
	return table.Flush()
}

// plain keeps text that somebody else wrote from steering a terminal or breaking a table.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

func addSilenceExpire(parent *kingpin.CmdClause, commands map[string]func(context.Context) error, stdout io.Writer) {
	cmd := parent.Command("expire", "Ends silences.")
	c := &client{stdout: stdout}
	addClientFlags(cmd, c)
	ids := cmd.Arg("id", "The silence's ID.").Required().Strings()
	commands[cmd.FullCommand()] = func(ctx context.Context) error {
		if err := c.find(); err != nil {
			return err
		}
		for _, id := range *ids {
			if err := c.do(ctx, http.MethodDelete, "/api/v2/silence/"+url.PathEscape(id), nil, nil, nil); err != nil {
				return err
			}
		}
		return nil
	}
}
