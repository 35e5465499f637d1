package main_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/cmd/internal/peer"
)

// crashesVariable is how many rounds of the crash matrix are run, and crashDatabaseVariable on which database:
// sqlite, postgres or mysql: make torture-crash sets them.
const (
	crashesVariable       = "TOCSIN_CRASHES"
	crashDatabaseVariable = "TOCSIN_CRASH_DATABASE"
)

// crashProgram is the server with failpoints.
var crashProgram = sync.OnceValues(func() (string, error) {
	dir, err := buildFolder()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "tocsin-failpoints")
	_, err = peer.Go("build", "-tags", "failpoints", "-o", path, serverPackage)
	return path, err
})

var namedPlace = regexp.MustCompile(`failpoint\.Here\("([a-z-]+)"\)`)

// failpoints returns the places that the source names.
func failpoints(t *testing.T) []string {
	t.Helper()
	var places []string
	for _, dir := range []string{"../../alarm", "../../notify", "../server"} {
		require.NoError(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range namedPlace.FindAllStringSubmatch(string(text), -1) {
				places = append(places, m[1])
			}
			return err
		}))
	}
	slices.Sort(places)
	return places
}

// TestProductionHasNoFailpoints looks for what only the tag brings in.
func TestProductionHasNoFailpoints(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{must(builtQuickServer())(t): false, must(crashProgram())(t): true} {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, want, strings.Contains(string(text), "TOCSIN_FAILPOINT"), path)
	}
}

func must(path string, err error) func(*testing.T) string {
	return func(t *testing.T) string {
		t.Helper()
		require.NoError(t, err)
		return path
	}
}

// TestCrashMatrix ends the server at each failpoint, at a random one of the first times that it comes by, has
// it start again, and looks for everything that was acknowledged.
func TestCrashMatrix(t *testing.T) {
	t.Parallel()
	places := failpoints(t)
	require.GreaterOrEqual(t, len(places), 40)
	require.Len(t, slices.Compact(slices.Clone(places)), len(places), "a place is named once")
	rounds, database := 1, "sqlite"
	if n, err := strconv.Atoi(os.Getenv(crashesVariable)); err == nil {
		rounds = n
	}
	if name := os.Getenv(crashDatabaseVariable); name != "" {
		database = name
	}
	program := must(crashProgram())(t)
	fresh, workers := func(*testing.T) string { return "" }, 2
	if database != "sqlite" {
		fresh, workers = newDatabases(t, database), 4 // they wait for leases of the dead
	}
	var reached sync.Map
	rnd := seeded(t)
	for round := range rounds {
		work := make(chan crash, len(places))
		for i, place := range places {
			work <- crash{place: place, after: rnd.IntN(3), url: fresh, n: round*len(places) + i, rnd: rand.New(rand.NewPCG(rnd.Uint64(), 0))}
		}
		close(work)
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for c := range work {
					t.Run(c.place, func(t *testing.T) { // what it leaves behind ends with it
						if c.run(t, program) {
							reached.Store(c.place, true)
						}
					})
				}
			})
		}
		wg.Wait()
	}
	var missed []string
	for _, place := range places {
		if _, ok := reached.Load(place); !ok && !slices.Contains(unreached(database), place) {
			missed = append(missed, place)
		}
	}
	t.Logf("%d places, %d rounds on %s", len(places), rounds, database)
	assert.Empty(t, missed, "the server never came by")
}

// unreached are places that a database has no use for.
func unreached(database string) []string {
	if database == "sqlite" {
		return nil
	}
	return []string{"lease-locked", "lease-raised", "migrate-locked", "migrate-done"}
}

// A crash is one cell of the matrix.
type crash struct {
	place string
	after int
	url   func(*testing.T) string // of an empty database; empty: SQLite
	n     int
	rnd   *rand.Rand
}

// run returns whether the server came to the place.
func (c crash) run(t *testing.T, program string) bool {
	sink := newSink(t)
	config := strings.ReplaceAll(groupConfig(sink.URL, "1h"), "group_interval: 1s", "group_interval: 300ms")
	if url := c.url(t); url != "" {
		config += "tocsin: {storage: {dsn: " + strconv.Quote(url) + "}}\n"
	}
	s := newServer(t, config)
	s.program = program
	require.NoError(t, os.MkdirAll(s.storage, 0o755))
	s.environment = []string{"TOCSIN_FAILPOINT=" + c.place, "TOCSIN_FAILPOINT_AFTER=" + strconv.Itoa(c.after)}
	if atStart(c.place) {
		s.environment[1] = "TOCSIN_FAILPOINT_AFTER=0"
	}
	s.process = startProcessWith(t, s.environment, s.program, s.arguments()...)
	for s.findAddress() != nil && !s.Exited() {
		<-time.After(5 * time.Millisecond)
	}
	acked, silenced := c.drive(s)
	if !s.Exited() { // some places are on the way out
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
	}
	select {
	case <-s.ended:
	case <-time.After(patience):
		t.Errorf("%s: the server does not end", c.place)
	}
	came := strings.Contains(s.stderr.String(), "failpoint "+c.place)

	s.environment = nil
	s.Start()
	there := s.Alerts(`cell="` + strconv.Itoa(c.n) + `"`)
	for fp := range acked {
		if _, ok := there[fp]; !ok {
			t.Errorf("%s: an alert was acknowledged and is not there", c.place)
		}
	}
	if silenced != "" && s.Silences()[silenced].Status.State == "" {
		t.Errorf("%s: a silence was acknowledged and is not there", c.place)
	}
	eventually(t, func() error {
		open := sink.Open()
		for fp := range acked {
			if !open[fp] {
				return fmt.Errorf("%s: an alert was acknowledged and nobody is told", c.place)
			}
		}
		return nil
	})
	s.Stop()
	return came
}

// atStart says that the server comes by once, before it listens.
func atStart(place string) bool {
	for _, prefix := range []string{"lease-", "migrate-", "load-", "import-", "term-", "engine-", "reload-", "deliverer-stopping", "silence-"} {
		if strings.HasPrefix(place, prefix) {
			return true
		}
	}
	return false
}

// drive does a little of everything, and returns what was acknowledged.
func (c crash) drive(s *server) (acked map[string]bool, silenced string) {
	acked = map[string]bool{}
	for i := range 4 {
		var sets []model.LabelSet
		for j := range 1 + c.rnd.IntN(4) {
			labels := ofGroup("g", i*10+j)
			labels["cell"] = model.LabelValue(strconv.Itoa(c.n))
			sets = append(sets, labels)
		}
		if s.Exited() || s.push(each(sets, firing)) != nil {
			break
		}
		for fp := range fingerprints(sets) {
			acked[fp] = true
		}
		if id, err := s.silence(silencing("cell", "nobody", time.Hour)); err == nil {
			silenced = id
		}
		<-time.After(time.Duration(c.rnd.IntN(150)) * time.Millisecond)
	}
	if silenced != "" && !s.Exited() {
		_, _, _ = s.do("DELETE", "/api/v2/silence/"+silenced, "")
		_, _, _ = s.do("POST", "/-/reload", "")
		<-time.After(500 * time.Millisecond) // for what is told
	}
	return acked, silenced
}
