package main_test

import (
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/model"
)

// A cluster is several servers on one database.
type cluster struct {
	t       *testing.T
	servers []*server
	down    []atomic.Bool // which of them nobody is to speak to
}

// newCluster starts servers of a program, of which one leads. More is put below tocsin:.
func newCluster(t *testing.T, program, database string, members int, config, more string) *cluster {
	t.Helper()
	url := newDatabase(t, database)
	c := &cluster{t: t, down: make([]atomic.Bool, members)}
	for range members {
		s := newServer(t, config+"tocsin:\n  storage: {dsn: "+strconv.Quote(url)+"}\n"+more)
		s.client.Timeout = 15 * time.Second
		s.program = program
		s.Start()
		c.servers = append(c.servers, s)
	}
	return c
}

func (s *server) url() string { return "http://" + s.address }

// metric returns the value of a metric without labels.
func (s *server) metric(name string) float64 {
	var value float64
	for v := range 2 { // it is one or the other
		if s.metricIs(name, float64(v))() == nil {
			return float64(v)
		}
		value = -1
	}
	return value
}

// Leader returns which server says that it leads.
func (c *cluster) Leader() int {
	c.t.Helper()
	leader := -1
	eventually(c.t, func() error {
		for i, s := range c.servers {
			if !c.down[i].Load() && s.leads() {
				leader = i
				return nil
			}
		}
		return errors.New("nobody leads")
	})
	return leader
}

func (s *server) leads() bool {
	code, body, err := s.get("/-/ready")
	return err == nil && code == 200 && body == "OK: leads\n"
}

// AwaitLeader returns the server that leads in place of another one.
func (c *cluster) AwaitLeader(old *server) *server {
	c.t.Helper()
	var fresh *server
	eventually(c.t, func() error {
		for i, s := range c.servers {
			if s != old && !c.down[i].Load() && s.leads() {
				fresh = s
				return nil
			}
		}
		return errors.New("nobody leads in its place")
	})
	return fresh
}

// FailOver brings down the leader in one of three ways, waits until another one leads, and has the first
// take part again. It returns how long there was no leader.
func (c *cluster) FailOver(way int) time.Duration {
	c.t.Helper()
	i := c.Leader()
	old := c.servers[i]
	c.down[i].Store(true)
	defer c.down[i].Store(false)
	began := time.Now()
	switch way {
	case 0:
		old.Stop()
	case 1:
		old.Kill()
	default:
		old.Signal(syscall.SIGSTOP)
	}
	c.AwaitLeader(old)
	took := time.Since(began)
	if way < 2 {
		old.Start()
		return took
	}
	old.Signal(syscall.SIGCONT)
	eventually(c.t, func() error {
		if code, body, err := old.get("/-/ready"); err != nil || code != 200 || body == "OK: leads\n" {
			return fmt.Errorf("%d %s %w", code, body, err)
		}
		return nil
	})
	return took
}

// ofGroup is an alert of a group of which there are many.
func ofGroup(name string, n int) model.LabelSet {
	return model.LabelSet{model.AlertNameLabel: "Load", "group": model.LabelValue(name + strconv.Itoa(n%50)), "n": model.LabelValue(strconv.Itoa(n))}
}
