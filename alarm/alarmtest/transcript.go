package alarmtest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

var update = flag.Bool("update", false, "write what happened into the transcripts instead of comparing")

// RunTranscripts runs every file that glob names: a scenario of commands, and what the engine did,
// to be read by people who know no Go. A file is a list of blocks: commands, a line ----, what
// happened, a blank line. Time is a bubble's: it starts at 00:00:00 and moves only by tick.
//
//	config NAME                     use builds[NAME] from now on; the first command of a file
//	fire SOURCE ALERT [for DUR]     a push; DUR until EndsAt (default 5m)
//	resolve SOURCE ALERT            a push with EndsAt now
//	read SOURCE [ALERT ...]         a whole snapshot; what it omits has ended
//	unknown SOURCE {MATCHERS}       a whole snapshot that knows nothing of these
//	fail SOURCE                     the source failed
//	silence ID {MATCHERS} DUR       a silence from now on
//	expire ID                       ends it
//	closed RECEIVER INTEGRATION ALERT       somebody closed it there by hand (also: acknowledged)
//	retry RECEIVER INTEGRATION ALERT        a dead letter is attempted again
//	refuse N                        the next N deliveries end with an error
//	lose DUR                        the next delivery arrives, and its answer is missed for so long
//	late DUR                        the next delivery arrives, and its answer takes so long
//	store fails | store works       commits
//	restart | reload NAME           as it says
//	rebuild                         a reload of the configuration in force, for what else it looks at
//	tick DUR                        lets time pass
//	explain ALERT [at DUR]          says how it stands, or stood so long after the beginning
//	show                            prints what is active, and why it is withheld
//
// An ALERT is Name or Name{label="value",...}. Run the tests with -update to write the files anew.
func RunTranscripts(t *testing.T, glob string, builds map[string]alarm.Build) {
	files, err := filepath.Glob(glob)
	require.NoError(t, err)
	require.NotEmpty(t, files, "no transcripts at %s", glob)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			var got string
			synctest.Test(t, func(t *testing.T) { got = play(t, string(text), builds) })
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
				return
			}
			require.Equal(t, string(text), got, "%s (run with -update to accept)", file)
		})
	}
}

// play runs the commands of a transcript and returns it with what happened.
func play(t *testing.T, text string, builds map[string]alarm.Build) string {
	st := &stage{t: t, builds: builds, store: NewStore(), zero: time.Now()}
	defer st.stop()
	var out strings.Builder
	for _, block := range strings.Split(strings.TrimSpace(text), "\n\n") {
		commands, _, _ := strings.Cut(block+"\n", "----\n")
		for _, line := range strings.Split(strings.TrimSpace(commands), "\n") {
			if line != "" && !strings.HasPrefix(line, "#") {
				st.do(line)
			}
		}
		synctest.Wait()
		fmt.Fprintf(&out, "%s\n----\n%s\n", strings.TrimSpace(commands), strings.Join(st.take(), ""))
	}
	return strings.TrimRight(out.String(), "\n") + "\n"
}

// stage is where a transcript plays: an engine, its store, and a remote that writes down what it is
// told.
type stage struct {
	t      *testing.T
	builds map[string]alarm.Build
	build  alarm.Build
	store  *Store
	zero   time.Time
	engine *alarm.Engine
	end    func()

	mu     sync.Mutex // guards the fields below
	lines  []string
	refuse int
	lose   time.Duration
	late   time.Duration
}

func (st *stage) do(line string) {
	verb, rest, _ := strings.Cut(line, " ")
	args := strings.Fields(rest)
	switch verb {
	case "config":
		st.build = st.named(rest)
		st.start()
	case "restart":
		st.stop()
		st.start()
	case "reload":
		st.check(st.engine.Reload(context.Background(), st.named(rest), rest))
	case "rebuild":
		st.check(st.engine.Submit(context.Background(), alarm.Input{Reload: &alarm.Reload{Note: rest}}))
	case "tick":
		time.Sleep(st.duration(rest))
	case "refuse":
		n, err := strconv.Atoi(rest)
		require.NoError(st.t, err, line)
		st.mu.Lock()
		st.refuse = n
		st.mu.Unlock()
	case "lose", "late":
		st.mu.Lock()
		if verb == "lose" {
			st.lose = st.duration(rest)
		} else {
			st.late = st.duration(rest)
		}
		st.mu.Unlock()
	case "store":
		var failure error
		if rest == "fails" {
			failure = errors.New("disk full")
		}
		st.store.Inject(func(op Op) error {
			if op == OpCommit {
				return failure
			}
			return nil
		})
	case "show":
		st.show()
	case "explain":
		st.explain(args)
	default:
		st.submit(verb, args, line)
	}
	synctest.Wait()
}

func (st *stage) submit(verb string, args []string, line string) {
	require.NotEmpty(st.t, args, line)
	now := time.Now()
	var in alarm.Input
	switch verb {
	case "fire", "resolve":
		a := alarm.Alert{Labels: st.alert(args[1]), StartsAt: now, EndsAt: now.Add(5 * time.Minute), UpdatedAt: now}
		if len(args) == 4 {
			a.EndsAt = now.Add(st.duration(args[3]))
		}
		if verb == "resolve" {
			a.EndsAt = now
		}
		in.Snapshots = []alarm.Snapshot{{Source: args[0], At: now, Partial: true, Alerts: []alarm.Alert{a}}}
	case "read", "unknown", "fail":
		s := alarm.Snapshot{Source: args[0], At: now}
		for _, arg := range args[1:] {
			if verb == "unknown" {
				s.Unknowns = append(s.Unknowns, matcher.MustParse(arg))
			} else {
				s.Firing(st.alert(arg))
			}
		}
		if verb == "fail" {
			s.Err = errors.New("connection refused")
		}
		in.Snapshots = []alarm.Snapshot{s}
	case "silence":
		in.Silences = []*alarm.Silence{{ID: args[0], Matchers: matcher.MustParse(args[1]), StartsAt: now, EndsAt: now.Add(st.duration(args[2])), UpdatedAt: now}}
	case "closed", "acknowledged", "retry":
		require.Len(st.t, args, 3, line)
		key := alarm.IntentionKey{Receiver: args[0], Integration: args[1], Group: st.alert(args[2]).Fingerprint().String()}
		if verb == "retry" {
			in.Dead = []alarm.DeadOrder{{Key: key}}
		} else {
			in.Remotes = []alarm.RemoteChange{{Key: key, Kind: alarm.RemoteKind(verb), At: now, By: "somebody"}}
		}
	case "expire":
		silences, err := st.engine.Silences(context.Background())
		require.NoError(st.t, err)
		n := slices.IndexFunc(silences, func(s *alarm.Silence) bool { return s.ID == args[0] })
		require.GreaterOrEqual(st.t, n, 0, line)
		s := *silences[n]
		s.EndsAt = now
		in.Silences = []*alarm.Silence{&s}
	default:
		require.FailNow(st.t, "unknown command", line)
	}
	st.check(st.engine.Submit(context.Background(), in))
}

// check writes down an error, so that a transcript can expect it.
func (st *stage) check(err error) {
	if err != nil {
		st.say("error    %v", err)
	}
}

func (st *stage) named(name string) alarm.Build {
	b := st.builds[strings.TrimSpace(name)]
	require.NotNil(st.t, b, "no configuration %q", name)
	return b
}

func (st *stage) duration(s string) time.Duration {
	d, err := model.ParseDuration(strings.TrimSpace(s))
	require.NoError(st.t, err)
	return time.Duration(d)
}

var alertForm = regexp.MustCompile(`^([A-Za-z_]\w*)(\{.*\})?$`)

// alert reads Name{label="value"}.
func (st *stage) alert(s string) model.LabelSet {
	m := alertForm.FindStringSubmatch(s)
	require.NotNil(st.t, m, "alert %q", s)
	ls := model.LabelSet{model.AlertNameLabel: model.LabelValue(m[1])}
	for _, mt := range matcher.MustParse(m[2]) {
		ls[model.LabelName(mt.Name)] = model.LabelValue(mt.Value)
	}
	return ls
}

func (st *stage) start() {
	offers := make(chan []alarm.Intention, 1000)
	var err error
	st.engine, err = alarm.NewEngine(alarm.EngineOptions{
		Store: st.store, History: st.store, Build: st.build, Offer: func(in []alarm.Intention) { offers <- in },
	})
	require.NoError(st.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 2)
	go func() { ran <- st.engine.Run(ctx) }()
	go func() { ran <- st.deliver(ctx, st.engine, offers) }()
	st.end = func() {
		cancel()
		st.check(<-ran)
		st.check(<-ran)
	}
	synctest.Wait()
}

func (st *stage) stop() {
	if st.end != nil {
		st.end()
		st.end = nil
	}
}

func names(d *alarm.Delivery) string {
	parts := make([]string, 0, len(d.Alerts))
	for i := range d.Alerts {
		sign := "+"
		if !d.Alerts[i].EndsAt.IsZero() {
			sign = "-"
		}
		parts = append(parts, sign+label(d.Alerts[i].Labels))
	}
	return strings.Join(parts, " ")
}

func label(ls model.LabelSet) string {
	rest := ls.Clone()
	delete(rest, model.AlertNameLabel)
	if len(rest) == 0 {
		return string(ls[model.AlertNameLabel])
	}
	return string(ls[model.AlertNameLabel]) + strings.ReplaceAll(rest.String(), `", `, `",`)
}

func (st *stage) show() {
	readings, err := st.engine.Alerts(context.Background())
	require.NoError(st.t, err)
	lines := make([]string, 0, len(readings))
	for _, r := range readings {
		line := fmt.Sprintf("%-8s %s", r.Alert.State, label(r.Alert.Labels))
		if r.Verdict != nil {
			for _, s := range r.Verdict.Suppressions {
				line += fmt.Sprintf(" (%s %s)", s.Reason, s.By)
			}
		}
		lines = append(lines, line)
	}
	slices.Sort(lines) // by name, for people
	for _, line := range lines {
		st.say("%s", line)
	}
}

func (st *stage) explain(args []string) {
	ctx, at := context.Background(), time.Now()
	fp := st.alert(args[0]).Fingerprint()
	var x *alarm.Explanation
	var err error
	if len(args) == 3 {
		at = st.zero.Add(st.duration(args[2]))
		x, err = st.engine.ExplainAt(ctx, fp, st.zero, at)
	} else {
		x, err = st.engine.Explain(ctx, fp, st.zero)
	}
	require.NoError(st.t, err)
	when := at.Sub(st.zero).Round(time.Second)
	if x == nil || x.Reading.Alert == nil {
		st.say("explain  %s at %s: unknown", args[0], when)
		return
	}
	line := fmt.Sprintf("explain  %s at %s: %s", args[0], when, x.Reading.Alert.State)
	if v := x.Reading.Verdict; v != nil {
		for _, s := range v.Suppressions {
			line += fmt.Sprintf(" (%s %s)", s.Reason, s.By)
		}
	}
	for _, g := range x.Groups {
		line += fmt.Sprintf(" %s told %v", g.Group.Receiver, g.ToldAlert)
	}
	st.say("%s, %d records", line, len(x.History))
}

func (st *stage) say(format string, args ...any) {
	at := time.Since(st.zero).Round(time.Second)
	line := fmt.Sprintf("%02d:%02d:%02d %s\n", int(at.Hours()), int(at.Minutes())%60, int(at.Seconds())%60, fmt.Sprintf(format, args...))
	st.mu.Lock()
	defer st.mu.Unlock()
	st.lines = append(st.lines, line)
}

func (st *stage) take() []string {
	st.mu.Lock()
	defer st.mu.Unlock()
	lines := st.lines
	st.lines = nil
	return lines
}
