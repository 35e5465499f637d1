package server

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
)

var fingerprintForm = regexp.MustCompile(`^[0-9a-f]{16}$`)

// addExplain adds explain: why was I (not) paged?
func addExplain(app *kingpin.Application, commands map[string]func(context.Context) error, stdout io.Writer) {
	cmd := app.Command("explain", "Says why an alert was told, or not: its sources, what withholds it, its route, its timers and each delivery.")
	c := &client{stdout: stdout}
	addClientFlags(cmd, c)
	since := cmd.Flag("since", "How far back the history goes.").Default("24h").String()
	at := cmd.Flag("at", "An instant of the past to explain, such as 2027-01-01T03:00Z, as far as history goes back. Defaults to now.").String()
	args := cmd.Arg("matcher", `A matcher such as alertname="X", a comma list, a bare alert name, or a fingerprint.`).Required().Strings()
	commands[cmd.FullCommand()] = func(ctx context.Context) error {
		query := url.Values{"since": {*since}}
		if *at != "" {
			if _, err := parseInstant(*at); err != nil {
				return &usageError{"--at: " + err.Error()}
			}
			query.Set("at", *at)
		}
		if len(*args) == 1 && fingerprintForm.MatchString((*args)[0]) {
			query.Set("fingerprint", (*args)[0])
		} else {
			ms, err := matchersOf(*args)
			if err != nil {
				return err
			}
			query.Set("filter", ms.String())
		}
		if err := c.find(); err != nil {
			return err
		}
		var answer []explanation
		if err := c.do(ctx, http.MethodGet, "/api/v1/explain", query, nil, &answer); err != nil {
			return err
		}
		if c.output == "json" {
			return c.print(answer)
		}
		if len(answer) == 0 {
			fmt.Fprintln(stdout, unknownWords(*at, *since, c.header.Get(searchedBack)))
			return errReported
		}
		for _, x := range answer {
			printExplanation(stdout, x)
		}
		return nil
	}
}

// unknownWords says where an alert was looked for in vain. Back is how far history was searched, if it was
// not searched as far as was asked.
func unknownWords(at, since, back string) string {
	switch {
	case at != "" && back != "":
		return fmt.Sprintf("no such alert fired between %s and %s; further back history was not searched: name the alert by its fingerprint", back, at)
	case at != "":
		return "no such alert fired at " + at + ", as far as history goes back"
	case back != "":
		return "no such alert is known now, nor has one fired since " + back + ": give a longer --since, or --at"
	default:
		return "no such alert is known now, nor has one fired in the last " + since + ": give a longer --since, or --at"
	}
}

func printExplanation(w io.Writer, x explanation) {
	fmt.Fprintf(w, "%s %s", x.Fingerprint, plain(x.Labels.String()))
	if x.State != "" {
		fmt.Fprintf(w, " %s since %s", x.State, clock(x.StartsAt))
	}
	if !x.At.IsZero() {
		fmt.Fprintf(w, ", as it stood at %s", clock(x.At))
	}
	fmt.Fprintln(w)
	for _, r := range x.Sources {
		fmt.Fprintf(w, "  source    %s says %s since %s, last at %s\n", plain(r.Source), r.State, clock(r.StartsAt), clock(r.UpdatedAt))
	}
	if x.RaisedBy != "" {
		fmt.Fprintf(w, "  source    none: it was raised by %s\n", plain(x.RaisedBy))
	}
	if o := x.Occurrences; o != nil && o.Fired > 0 {
		fmt.Fprintf(w, "  counts    %s\n", countsInWords(o))
	}
	for _, s := range x.Withheld {
		fmt.Fprintf(w, "  withheld  %s by %s", s.Reason, plain(s.By))
		if s.Rule != "" {
			fmt.Fprintf(w, ", rule %s", plain(s.Rule))
		}
		fmt.Fprint(w, alsoNote(s.Note))
		if !s.Until.IsZero() {
			fmt.Fprintf(w, " until %s", clock(s.Until))
		}
		fmt.Fprintln(w)
	}
	for _, c := range x.Causes {
		fmt.Fprintf(w, "  cause     %s %s %s since %s\n", c.Fingerprint, plain(c.Labels.String()), c.State, clock(c.StartsAt))
		for _, s := range c.Withheld {
			fmt.Fprintf(w, "            is itself withheld: %s by %s%s\n", s.Reason, plain(s.By), alsoNote(s.Note))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(x.Explains)) {
		fmt.Fprintf(w, "  explains  %d %s\n", x.Explains[name], plain(name))
	}
	for _, g := range x.Groups {
		if g.Silent && slices.ContainsFunc(x.Groups, func(other explainedGroup) bool { return other.Receiver == g.Receiver && !other.Silent }) {
			continue // the other says who is told
		}
		printGroup(w, g)
	}
	for _, h := range x.History {
		who := strings.Trim(h.Source+" "+h.Receiver+" "+h.Integration, " ")
		fmt.Fprintf(w, "  history   %s %s %s %s\n", clock(h.At), h.Kind, plain(who), detail(h.Detail))
	}
}

// countsInWords says how often an alert fired, for how long, and what else is unusual.
func countsInWords(o *explainedOccurrences) string {
	var words []string
	for _, c := range []struct {
		count int
		what  string
	}{{o.Fired, "fired"}, {o.Reopens, "came back while kept up"}, {o.Flaps, "began to flap"}, {o.Transients, "too brief to tell"}} {
		if c.count > 0 {
			words = append(words, fmt.Sprintf("%s %d×", c.what, c.count))
		}
	}
	words = append(words, fmt.Sprintf("firing %s in all", time.Duration(o.FiringSeconds)*time.Second))
	if o.Flapping != nil {
		words = append(words, "flapping since "+clock(o.Flapping.Since))
	}
	return strings.Join(words, ", ")
}

func alsoNote(note string) string {
	if note == "" {
		return ""
	}
	return " (" + plain(note) + ")"
}

func printGroup(w io.Writer, g explainedGroup) {
	path := plain(strings.Join(g.Path, " / ")) + " -> " + plain(g.Receiver)
	if g.Team != "" {
		path += " (team " + plain(g.Team) + ")"
	}
	switch {
	case g.Level:
		fmt.Fprintf(w, "  route     %s (told of this alert alone, at once)\n", path)
	case g.FirstFlush.IsZero():
		fmt.Fprintf(w, "  route     %s, by the configuration of now\n", path)
	case g.Silent:
		fmt.Fprintf(w, "  route     %s (has nothing that would be told of groups)\n", path)
	default:
		fmt.Fprintf(w, "  route     %s (group_wait %s, group_interval %s, repeat_interval %s)\n", path, g.Wait, g.Interval, g.Repeat)
		fmt.Fprintf(w, "  group     %s, first flush at %s\n", plain(g.Key), clock(g.FirstFlush))
	}
	if len(g.MutedBy) > 0 {
		fmt.Fprintf(w, "  muted     by time interval %s\n", plain(strings.Join(g.MutedBy, ", ")))
	}
	for _, t := range g.Told {
		fmt.Fprintf(w, "  told      %s at %s: %d firing, %d resolved\n", t.Integration, clock(t.At), t.Firing, t.Resolved)
		if !t.AcknowledgedAt.IsZero() {
			fmt.Fprintf(w, "  there     acknowledged by %s at %s\n", plain(cmp.Or(t.AcknowledgedBy, "somebody")), clock(t.AcknowledgedAt))
		}
		if !t.ClosedAt.IsZero() {
			fmt.Fprintf(w, "  there     closed by %s at %s although it fires\n", plain(cmp.Or(t.ClosedBy, "somebody")), clock(t.ClosedAt))
		}
	}
	for _, f := range g.Failed {
		fmt.Fprintf(w, "  failed    %s at %s after %d attempts, and is tried again: %s\n", f.Integration, clock(f.At), f.Attempts, plain(f.Err))
	}
	for _, in := range g.Intentions {
		fmt.Fprintf(w, "  on its way to %s since %s: %s (%s), retried until %s\n", in.Integration, clock(in.At), in.Action, in.Reason, clock(in.Deadline))
	}
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// detail shortens a record's body to a line.
func detail(body json.RawMessage) string {
	const most = 160
	s := []rune(plain(string(body)))
	if len(s) > most {
		return string(s[:most]) + "…"
	}
	return string(s)
}
