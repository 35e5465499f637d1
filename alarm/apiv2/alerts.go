package apiv2

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/tocsin/tocsin/alarm"
)

// The states of an alert.
const (
	stateActive      = "active"
	stateSuppressed  = "suppressed"
	stateUnprocessed = "unprocessed"
)

// lasting is how far in the future the end of an alert is printed that has none.
const lasting = 5 * time.Minute

// status is what the API says of how an alert is treated.
type status struct {
	state                            string
	inhibitedBy, mutedBy, silencedBy []string
}

// statusOfReading translates a reading. Several silences are sorted.
func statusOfReading(r *alarm.Reading, mutedBy []string) status {
	s := status{state: stateActive, mutedBy: mutedBy}
	if r.Alert.State == alarm.Pending {
		s.state = stateUnprocessed
	}
	if len(mutedBy) > 0 || r.Verdict.Withheld() {
		s.state = stateSuppressed
	}
	if r.Verdict == nil {
		return s
	}
	for i := range r.Verdict.Suppressions {
		switch by := &r.Verdict.Suppressions[i]; by.Reason {
		case alarm.ReasonSilence, alarm.ReasonWindow, alarm.ReasonActivity: // all three are silences there
			s.silencedBy = append(s.silencedBy, by.By)
		case alarm.ReasonInhibition:
			s.inhibitedBy = append(s.inhibitedBy, by.By)
		}
	}
	slices.Sort(s.silencedBy)
	return s
}

func (a *API) getAlerts(w http.ResponseWriter, r *http.Request) error {
	q, err := parseQuery(r.URL.Query(), a.engine.Receivers())
	if err != nil {
		return err
	}
	readings, err := a.engine.Matching(r.Context(), q.narrow())
	if err != nil {
		return fmt.Errorf("read alerts: %w", err)
	}
	out := newStream(w)
	defer out.close()
	until := time.Now().Add(lasting)
	out.list(func(next func()) bool {
		for i := range readings {
			if i%ahead == 0 {
				out.warmed += warm(readings[i:min(i+ahead, len(readings))])
			}
			reading := &readings[i]
			s := statusOfReading(reading, nil)
			if !q.wants(reading.Alert, &s) || !q.reaches(reading.Receivers) {
				continue
			}
			next()
			out.b = out.encoder.appendAlert(out.b, reading.Alert, &s, reading.Receivers, until)
			if !out.flushed() {
				return false
			}
		}
		return true
	})
	return nil
}

// bodies are buffers for the bodies of pushes. Large ones are not kept.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const maxKept = 1 << 20

func (a *API) postAlerts(w http.ResponseWriter, r *http.Request) error {
	buf := bodies.Get().(*bytes.Buffer)
	defer func() {
		if buf.Cap() <= maxKept {
			buf.Reset()
			bodies.Put(buf)
		}
	}()
	if err := a.readBody(buf, w, r); err != nil {
		return err
	}
	if buf.Len() == 0 {
		return required("alerts in body")
	}
	return a.push.Receive(r.Context(), time.Now(), buf.Bytes()) // 200 without a body
}

// readBody reads the whole body, up to the limit.
func (a *API) readBody(buf *bytes.Buffer, w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength > 0 && r.ContentLength <= maxKept {
		buf.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	_, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, a.options.MaxBodyBytes))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return &refusal{
			code:    http.StatusRequestEntityTooLarge,
			message: fmt.Sprintf("the body is larger than the limit of %d bytes", large.Limit),
		}
	case err != nil:
		return badRequest("read body: %w", err)
	}
	return nil
}
