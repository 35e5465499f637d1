package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/sqlstore"
	"github.com/tocsin/tocsin/alarm/sqlstore/sqlite"
)

// childPath makes this test binary a process that commits numbered plans to the database of that
// name, one after the other, and prints each number after its commit.
const childPath = "TOCSIN_TEST_CHILD"

// child does not return in such a process.
func child() {
	path := os.Getenv(childPath)
	if path == "" {
		return
	}
	if err := commitForEver(path); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func commitForEver(path string) error {
	ctx := context.Background()
	db, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		return err
	}
	generation, err := db.Acquire(ctx)
	if err != nil {
		return err
	}
	s, err := db.Load(ctx)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for n := lastNumber(s) + 1; ; n++ {
		if err := db.Commit(ctx, generation, numberedPlan(n)); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

// planSize varies, so that a kill finds small and large commits.
func planSize(n int) int { return 1 + n*37%200 }

func numberedPlan(n int) *alarm.Plan {
	p := &alarm.Plan{At: start.Add(time.Duration(n) * time.Second)}
	for i := range planSize(n) {
		a := alarm.Alert{
			Labels: model.LabelSet{"plan": model.LabelValue(strconv.Itoa(n)), "alert": model.LabelValue(strconv.Itoa(i))}, Fired: n,
		}.WithFingerprint()
		p.Inputs = append(p.Inputs, alarm.Change{Alert: &a, Source: "push"})
	}
	p.Silences = []*alarm.Silence{{ID: strconv.Itoa(n)}}
	p.Rows = []alarm.Row{{Part: "last", Key: "number", Value: []byte(strconv.Itoa(n))}}
	return p
}

// lastNumber is that of the last plan that was committed, or 0.
func lastNumber(s *alarm.Stored) int {
	if len(s.Rows) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(string(s.Rows[0].Value))
	return n
}

// A process is a child that commits.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

func startProcess(t *testing.T, path string) *process {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childPath+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	p := &process{t: t, cmd: cmd, lines: bufio.NewScanner(out)}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	require.True(t, p.lines.Scan())
	require.Equal(t, "ready", p.lines.Text())
	return p
}

// kill kills the process after it printed so many numbers, and returns the last number that it
// printed, or 0.
func (p *process) kill(after int) (last int) {
	for n := 0; p.lines.Scan(); n++ {
		var err error
		last, err = strconv.Atoi(p.lines.Text())
		require.NoError(p.t, err, p.lines.Text())
		if n == after {
			require.NoError(p.t, p.cmd.Process.Kill())
		}
	}
	require.Error(p.t, p.cmd.Wait(), "it was killed")
	return last
}

func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.db")
	for range 12 {
		printed := startProcess(t, path).kill(rand.IntN(12))

		db := open(t, path, sqlite.Options{})
		_, err := db.Acquire(t.Context())
		require.NoError(t, err, "the lock died with the process")
		s, err := db.Load(t.Context())
		require.NoError(t, err)
		last := lastNumber(s)
		require.Contains(t, []int{printed, printed + 1}, last, "what was printed is there; the next one may be")
		assertWhole(t, db, s, last)
		require.NoError(t, db.Close())
	}
}

// assertWhole says that the database holds all of the plans up to last, and nothing else.
func assertWhole(t *testing.T, db *sqlstore.DB, s *alarm.Stored, last int) {
	alerts, silences := map[int]int{}, map[int]int{}
	for _, a := range s.Alerts {
		alerts[a.Fired]++
	}
	for _, sil := range s.Silences {
		n, err := strconv.Atoi(sil.ID)
		require.NoError(t, err)
		silences[n]++
	}
	want := map[int]int{}
	for n := range last {
		want[n+1] = planSize(n + 1)
	}
	assert.Equal(t, want, alerts)
	assert.Len(t, silences, last)
	records, err := db.Records(t.Context(), 0, 0)
	require.NoError(t, err)
	assert.Len(t, records, len(s.Alerts)+last)
}

func TestLeaseIsHeldByOneProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.db")
	p := startProcess(t, path)
	db := open(t, path, sqlite.Options{})
	defer db.Close()
	_, err := db.Acquire(t.Context())
	var held *sqlstore.HeldError
	require.ErrorAs(t, err, &held)
	assert.Equal(t, path+".lock", held.Where)
	assert.Equal(t, fmt.Sprintf("process %d", p.cmd.Process.Pid), held.By)
	assert.Equal(t, fmt.Sprintf("acquire the lease: another server (process %d) holds %s.lock: "+
		"stop it first, or give this one storage of its own", p.cmd.Process.Pid, path), err.Error())
	require.ErrorIs(t, db.Commit(t.Context(), 1, &alarm.Plan{}), alarm.ErrLeaseLost, "the generation is not ours")

	p.kill(0)
	generation, err := db.Acquire(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2, generation)
}

func TestLeaseIsHeldByOneDB(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.db")
	first, second := open(t, path, sqlite.Options{}), open(t, path, sqlite.Options{})
	defer first.Close()
	defer second.Close()
	generation, err := first.Acquire(t.Context())
	require.NoError(t, err)
	var held *sqlstore.HeldError
	_, err = second.Acquire(t.Context())
	require.ErrorAs(t, err, &held)
	require.NoError(t, first.Release(t.Context(), generation))
	next, err := second.Acquire(t.Context())
	require.NoError(t, err)
	assert.Greater(t, next, generation)
	require.ErrorIs(t, first.Commit(t.Context(), generation, &alarm.Plan{}), alarm.ErrLeaseLost)
}
