package main_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"
)

// The alerts of a soak: soakSteady fire all the time and are sent again once a minute. Beside them a window of
// soakComing moves over a ring, by soakMoves a second, and soakFlappers end and fire again. A lap of the window
// takes soakLap: by then alerts have begun to be forgotten, 15 minutes after their end. From the second lap on
// more is known of each, for it has come before; from the third on it stays as much as it is.
const (
	soakSteady   = 2400
	soakComing   = 600
	soakMoves    = 5
	soakLap      = 17*time.Minute + 24*time.Second // 0.58 of a run that is shorter than half an hour
	soakTick     = 200 * time.Millisecond
	soakResent   = 8 // in a tick
	soakFlappers = 60
	soakHosts    = 1000
	soakPulled   = 100
)

// soakAlert is one alert of those that are steady, or after them of the ring: services, and now and then the
// host itself.
func soakAlert(i int) model.LabelSet {
	host := i / 4 % soakHosts
	labels := model.LabelSet{
		"alertname": "ServiceDown", "severity": "warning", "host": model.LabelValue(fmt.Sprintf("h%03d", host)),
		"cluster": model.LabelValue("c" + strconv.Itoa(host%20)), "service": model.LabelValue("s" + strconv.Itoa(i)),
		"instance": model.LabelValue(fmt.Sprintf("10.0.%d.%d:9100", host/250, host%250)), "job": "kubernetes-pods", "region": "eu-central-1",
	}
	if i%40 == 0 {
		labels["alertname"], labels["severity"] = "HostDown", "critical"
	}
	return labels
}

func soakFlapper(i int) model.LabelSet {
	return model.LabelSet{
		"alertname": "Flapper", "severity": "critical", "cluster": model.LabelValue("c" + strconv.Itoa(i%20)), "n": model.LabelValue(strconv.Itoa(i)),
	}
}

// soakPaths are read in turn.
var soakPaths = []string{
	"/", "/api/v2/alerts", "/api/v2/alerts/groups", "/api/v2/alerts?" + url.Values{"filter": {`host="h001"`}}.Encode(), "/api/v2/silences",
	"/api/v2/status", "/?q=" + url.QueryEscape(`cluster="c1"`), "/alert/" + soakFlapper(0).Fingerprint().String(), "/receivers", "/windows",
	"/dependencies", "/api/v1/windows", "/api/v1/explain?" + url.Values{"filter": {`alertname="Flapper"`}}.Encode(), "/api/v1/leader", "/api/v1/dead-letters",
}

// A soakLoad is what is done to the servers, and what came of it.
type soakLoad struct {
	soak     *soak
	silences []string // that are active, as far as we know; of silence alone

	mu     sync.Mutex // guards the fields below
	first  int        // of the window
	sent   int        // how many were sent again
	ends   int        // how many times a flapper ended
	acked  int
	pushes int
	reads  int
	wrong  []string
}

func newSoakLoad(s *soak) *soakLoad { return &soakLoad{soak: s} }

// begin fills the window, and starts everything.
func (l *soakLoad) begin(ctx context.Context, work *sync.WaitGroup) {
	var all []alert
	for i := range soakSteady + soakComing {
		all = append(all, firing(soakAlert(i)))
	}
	for i := range soakFlappers {
		all = append(all, firing(soakFlapper(i)))
	}
	l.soak.servers[0].Push(all...)
	for _, part := range []struct {
		every time.Duration
		do    func(n int) error
	}{
		{soakTick, l.push},
		{time.Second, l.silence},
		{500 * time.Millisecond, l.look},
		{5 * time.Second, l.pull},
		{max(l.soak.length/30, 2*time.Second), l.reload},
	} {
		work.Go(func() {
			every(ctx, part.every, func(n int) {
				if err := part.do(n); err != nil {
					l.failed("", err)
				}
			})
		})
	}
}

func (l *soakLoad) failed(what string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong = append(l.wrong, strings.TrimSpace(fmt.Sprintf("%s %.300s", what, err)))
}

func (l *soakLoad) failures() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wrong
}

// server takes turns, so that whoever follows has to pass on what it is told.
func (l *soakLoad) server(n int) *server { return l.soak.servers[n%len(l.soak.servers)] }

// ring is how many alerts the window moves over.
func (l *soakLoad) ring() int {
	lap := min(soakLap, l.soak.length*58/100)
	return max(int(lap.Seconds()*soakMoves), 2*soakComing)
}

// coming is the i-th alert that the window comes to.
func (l *soakLoad) coming(i int) model.LabelSet { return soakAlert(soakSteady + i%l.ring()) }

// push moves the window to where it should be by now, sends some alerts again, and has flappers end and fire.
func (l *soakLoad) push(n int) error {
	l.mu.Lock()
	first, sent, ends := l.first, l.sent, l.ends
	l.mu.Unlock()
	var batch []alert
	moves := min(int(time.Since(l.soak.began).Seconds()*soakMoves)-first, 100)
	for i := first; i < first+moves; i++ {
		batch = append(batch, ended(l.coming(i)), firing(l.coming(i+soakComing)))
	}
	for i := range soakResent {
		batch = append(batch, firing(soakAlert((sent+i)%soakSteady)))
	}
	// One flapper ends, and the one before it fires again.
	batch = append(batch, ended(soakFlapper(ends%soakFlappers)))
	if ends > 0 {
		batch = append(batch, firing(soakFlapper((ends-1)%soakFlappers)))
	}
	if err := l.server(n).push(batch); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.first, l.sent, l.ends = first+moves, sent+soakResent, ends+1
	l.pushes, l.acked = l.pushes+1, l.acked+len(batch)
	return nil
}

// firing returns the fingerprints of what fires, as it was acknowledged last.
func (l *soakLoad) firing() map[string]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	var sets []model.LabelSet
	for i := range soakSteady {
		sets = append(sets, soakAlert(i))
	}
	for i := range soakComing {
		sets = append(sets, l.coming(l.first+i))
	}
	for i := range soakFlappers {
		if l.ends == 0 || i != (l.ends-1)%soakFlappers {
			sets = append(sets, soakFlapper(i))
		}
	}
	return fingerprints(sets)
}

// silence makes one in turn with ending one.
func (l *soakLoad) silence(n int) error {
	s := l.server(n)
	if n%2 == 0 {
		id, err := s.silence(silencing("host", fmt.Sprintf("h%03d", n%soakHosts), time.Minute))
		if err == nil {
			l.silences = append(l.silences, id)
		}
		return err
	}
	if len(l.silences) < 10 {
		return nil
	}
	id := l.silences[0]
	l.silences = l.silences[1:]
	code, body, err := s.do(http.MethodDelete, "/api/v2/silence/"+id, "")
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("DELETE a silence: %d %s", code, body)
	}
	return err
}

// look reads one page or answer.
func (l *soakLoad) look(n int) error {
	path := soakPaths[n%len(soakPaths)]
	code, body, err := l.server(n / len(soakPaths)).get(path)
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("GET %s: %d %s", path, code, body)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads++
	return err
}

// pull has the source list other alerts from now on.
func (l *soakLoad) pull(n int) error {
	l.soak.pulled(n)
	return nil
}

// pulled has the vmalert list alerts of which some are new each time, out of a bounded set.
func (s *soak) pulled(n int) {
	var alerts []string
	for i := range soakPulled {
		alerts = append(alerts, fmt.Sprintf(
			`{"state":"firing","name":"Pulled","value":"1","labels":{"alertname":"Pulled","severity":"warning","cluster":"c1","n":"%d"},"annotations":{},"activeAt":"2026-01-01T00:00:00Z"}`,
			(n*5+i)%(4*soakPulled)))
	}
	s.vmalert.Says("Pulled", strings.Join(alerts, ","))
}

// reload puts another configuration in force.
func (l *soakLoad) reload(n int) error {
	var problems []error
	for _, s := range l.soak.servers {
		if err := s.configure(l.soak.config(l.soak.store.url, n+1)); err != nil {
			problems = append(problems, err)
			continue
		}
		code, body, err := s.do(http.MethodPost, "/-/reload", "")
		if err == nil && code != http.StatusOK {
			err = fmt.Errorf("POST /-/reload: %d %s", code, body)
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}
