package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"

	"github.com/alecthomas/kingpin/v2"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/alarm/silence"
)

// addWindow adds window add, list, extend, end and preview.
func addWindow(app *kingpin.Application, commands map[string]func(context.Context) error, stdout io.Writer) {
	cmd := app.Command("window", "Plans, lists, extends and ends maintenance windows.")
	addWindowAdd(cmd, commands, stdout)
	addWindowPreview(cmd, commands, stdout)
	addWindowList(cmd, commands, stdout)
	addWindowExtend(cmd, commands, stdout)
	addWindowEnd(cmd, commands, stdout)
}

// addWindowFlags gives a command the flags that say what a window is.
func addWindowFlags(cmd *kingpin.CmdClause, a *silence.Asked) *[]string {
	cmd.Flag("cluster", "The cluster that is maintained.").StringVar(&a.Cluster)
	cmd.Flag("instance", "The instance: host:port, or a host with whatever port.").StringVar(&a.Instance)
	cmd.Flag("environment", "The environment.").StringVar(&a.Environment)
	cmd.Flag("team", "The team of the configuration whose alerts are muted.").StringVar(&a.Team)
	cmd.Flag("start", "When it starts: 2027-01-31T22:00 on the clock of the zone, or RFC 3339. Defaults to now.").StringVar(&a.Start)
	cmd.Flag("end", "When it ends, in the same forms.").StringVar(&a.End)
	cmd.Flag("duration", "How long it lasts, or each occurrence.").Short('d').StringVar(&a.Duration)
	cmd.Flag("lease", "Leave the end open: it ends when it was not extended for so long.").StringVar(&a.Lease)
	cmd.Flag("rrule", "Have it recur, by RFC 5545, such as FREQ=WEEKLY;BYDAY=TU.").StringVar(&a.RRule)
	cmd.Flag("zone", "The IANA name of the zone. Defaults to UTC.").StringVar(&a.Zone)
	cmd.Flag("grace", "How long what still fires at the end stays withheld.").StringVar(&a.Grace)
	cmd.Flag("close-open", "Close what is open in receivers that have incidents.").BoolVar(&a.CloseOpen)
	cmd.Flag("author", "Who says so.").Short('a').Default(userName()).StringVar(&a.CreatedBy)
	cmd.Flag("comment", "Why.").Short('c').StringVar(&a.Comment)
	return cmd.Arg("matcher", `A matcher such as env="staging", or a comma list; a bare first word is an alert name.`).Strings()
}

// withMatchers reads the matchers of the command line, as the other commands do.
func withMatchers(a *silence.Asked, args []string) error {
	ms, err := matchersOf(args)
	if err != nil {
		return err
	}
	for _, m := range ms {
		a.Matchers = append(a.Matchers, m.String())
	}
	return nil
}

func addWindowAdd(parent *kingpin.CmdClause, commands map[string]func(context.Context) error, stdout io.Writer) {
	cmd := parent.Command("add", "Plans a window that mutes what matches all that is said, and prints its ID.")
	c := &client{stdout: stdout}
	addClientFlags(cmd, c)
	var asked silence.Asked
	cmd.Flag("name", "What it is called, to extend and end it by.").Short('n').Required().StringVar(&asked.Name)
	yes := cmd.Flag("yes", "Mute however many alerts that are, and however severe.").Short('y').Bool()
	args := addWindowFlags(cmd, &asked)
	commands[cmd.FullCommand()] = func(ctx context.Context) error {
		if err := withMatchers(&asked, *args); err != nil {
			return err
		}
		query := url.Values{}
		if *yes {
			query.Set("confirm", "true")
		}
		var w wireWindow
		err := c.ask(ctx, http.MethodPost, "/api/v1/windows", query, asked, &w)
		var refused *windowRefusal
		if errors.As(err, &refused) && refused.failure.Preview != nil {
			return c.unconfirmed(refused.failure)
		}
		if err != nil {
			return err
		}
		if c.output == "json" {
			return c.print(w)
		}
		_, err = fmt.Fprintln(stdout, w.ID)
		return err
	}
}

func addWindowPreview(parent *kingpin.CmdClause, commands map[string]func(context.Context) error, stdout io.Writer) {
	cmd := parent.Command("preview", "Says what a window would hit, now and in the past week, and plans nothing.")
	c := &client{stdout: stdout}
	addClientFlags(cmd, c)
	asked := silence.Asked{Name: "preview"}
	of := cmd.Flag("name", "Preview the window that is there under this name or ID.").Short('n').String()
	args := addWindowFlags(cmd, &asked)
	commands[cmd.FullCommand()] = func(ctx context.Context) error {
		if err := withMatchers(&asked, *args); err != nil {
			return err
		}
		if asked.Duration == "" && asked.End == "" && asked.Lease == "" {
			asked.Duration = "1h" // it does not matter here
		}
		path, body := "/api/v1/windows/preview", any(asked)
		if *of != "" {
			path, body = "/api/v1/windows/"+url.PathEscape(*of)+"/preview", nil
		}
		var p silence.Preview
		if err := c.ask(ctx, http.MethodPost, path, nil, body, &p); err != nil {
			return err
		}
		if c.output == "json" {
			return c.print(p)
		}
		printPreview(stdout, p)
		return nil
	}
}

// guarded returns an error, and has said why, if a silence with these matchers needs a word of
// confirmation. A server that knows no previews, such as Alertmanager, guards nothing.
func (c *client) guarded(ctx context.Context, ms matcher.Matchers) error {
	asked := silence.Asked{Kind: string(alarm.ReasonSilence), Duration: "1h"}
	for _, m := range ms {
		asked.Matchers = append(asked.Matchers, m.String())
	}
	var p silence.Preview
	if err := c.ask(ctx, http.MethodPost, "/api/v1/windows/preview", nil, asked, &p); err != nil || len(p.Confirm) == 0 {
		return ctx.Err()
	}
	return c.unconfirmed(windowFailure{Error: strings.Join(p.Confirm, ", and "), Preview: &p})
}

// unconfirmed shows what would be muted, and why that needs a word of confirmation.
func (c *client) unconfirmed(f windowFailure) error {
	if c.output == "json" {
		return errors.Join(c.print(f), errReported)
	}
	printPreview(c.stdout, *f.Preview)
	fmt.Fprintln(c.stdout, "Nothing was muted. Add --yes if that is meant.")
	return errReported
}

func printPreview(w io.Writer, p silence.Preview) {
	fmt.Fprintf(w, "It would mute %d alerts that fire now; %d fired since %s.\n", p.Now, p.Past, clock(p.Since))
	for _, hit := range p.Hits {
		mark := "  "
		if hit.Guarded {
			mark = "! "
		}
		fmt.Fprintf(w, "%s%s since %s\n", mark, plain(hit.Labels.String()), clock(hit.StartsAt))
	}
	if more := p.Now - len(p.Hits); more > 0 {
		fmt.Fprintf(w, "  and %d more\n", more)
	}
	for _, n := range p.PastTop {
		fmt.Fprintf(w, "  past week: %s, %d alerts\n", plain(n.Name), n.Alerts)
	}
	for _, why := range p.Confirm {
		fmt.Fprintf(w, "To be confirmed: %s.\n", why)
	}
}

func addWindowList(parent *kingpin.CmdClause, commands map[string]func(context.Context) error, stdout io.Writer) {
	cmd := parent.Command("list", "Lists windows that are under way or to come.")
	c := &client{stdout: stdout}
	addClientFlags(cmd, c)
	expired := cmd.Flag("expired", "List windows that have ended, and only those.").Bool()
	commands[cmd.FullCommand()] = func(ctx context.Context) error {
		query := url.Values{"state": {"active", "pending"}}
		if *expired {
			query.Set("state", "expired")
		}
		var list []wireWindow
		if err := c.ask(ctx, http.MethodGet, "/api/v1/windows", query, nil, &list); err != nil {
			return err
		}
		if c.output == "json" {
			return c.print(list)
		}
		table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "Name\tState\tStarts At\tEnds At\tMatchers\tRecurs\tCreated By\tID")
		for _, w := range list {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", plain(w.Name), w.State, clock(w.StartsAt), clock(w.EndsAt),
				plain(strings.Join(w.Matchers, " ")), plain(strings.TrimSpace(w.RRule+" "+w.Zone)), plain(w.CreatedBy), w.ID)
		}
		return table.Flush()
	}
}

func addWindowExtend(parent *kingpin.CmdClause, commands map[string]func(context.Context) error, stdout io.Writer) {
	cmd := parent.Command("extend", "Has a window end later, or renews its lease, and prints when it ends.")
	c := &client{stdout: stdout}
	addClientFlags(cmd, c)
	longer := cmd.Flag("for", "How much later it is to end, such as 30m.").String()
	until := cmd.Flag("until", "When it is to end, as RFC 3339.").String()
	id := cmd.Arg("window", "Its name or ID.").Required().String()
	commands[cmd.FullCommand()] = func(ctx context.Context) error {
		body := map[string]string{"for": *longer, "until": *until}
		var w wireWindow
		if err := c.ask(ctx, http.MethodPost, "/api/v1/windows/"+url.PathEscape(*id)+"/extend", nil, body, &w); err != nil {
			return err
		}
		if c.output == "json" {
			return c.print(w)
		}
		_, err := fmt.Fprintln(stdout, clock(w.EndsAt))
		return err
	}
}

func addWindowEnd(parent *kingpin.CmdClause, commands map[string]func(context.Context) error, stdout io.Writer) {
	cmd := parent.Command("end", "Ends windows now. Of one that recurs, the occurrence that is under way or else the next.")
	c := &client{stdout: stdout}
	addClientFlags(cmd, c)
	series := cmd.Flag("series", "End it for good, with all that is to come.").Bool()
	ids := cmd.Arg("window", "Their names or IDs.").Required().Strings()
	commands[cmd.FullCommand()] = func(ctx context.Context) error {
		query := url.Values{}
		if *series {
			query.Set("series", "true")
		}
		ended := []wireWindow{}
		for _, id := range *ids {
			var w wireWindow
			if err := c.ask(ctx, http.MethodDelete, "/api/v1/windows/"+url.PathEscape(id), query, nil, &w); err != nil {
				return err
			}
			ended = append(ended, w)
		}
		if c.output == "json" {
			return c.print(ended)
		}
		return nil
	}
}

// A windowRefusal is what the server answered in place of what was asked for.
type windowRefusal struct {
	status  string
	failure windowFailure
}

func (e *windowRefusal) Error() string {
	if len(e.failure.Problems) == 0 {
		return fmt.Sprintf("%s: %s", e.status, plain(e.failure.Error))
	}
	lines := []string{e.status}
	for _, p := range e.failure.Problems {
		lines = append(lines, "  "+plain(p.String()))
	}
	return strings.Join(lines, "\n")
}

// ask is client.do for a server that explains its refusals in JSON.
func (c *client) ask(ctx context.Context, method, path string, query url.Values, body, out any) error {
	if err := c.find(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	payload := &bytes.Buffer{}
	if body != nil {
		if err := json.NewEncoder(payload).Encode(body); err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path+"?"+query.Encode(), payload)
	if err != nil {
		return &usageError{"--alertmanager.url: " + err.Error()}
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask server: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 == 2 {
		if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
			return fmt.Errorf("decode the answer of %s: %w", path, err)
		}
		return nil
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20)) // what there is of it is shown
	refusal := &windowRefusal{status: resp.Status}
	if err := json.Unmarshal(text, &refusal.failure); err != nil || refusal.failure.Error == "" {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, plain(strings.TrimSpace(string(text))))
	}
	return refusal
}
