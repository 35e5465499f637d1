package apiv2_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/apiv2"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// tiny is an engine with one alert and no silences.
type tiny struct{}

func (tiny) Matching(context.Context, matcher.Matchers) ([]alarm.Reading, error) {
	at := time.Date(2026, 11, 21, 7, 0, 0, 0, time.UTC)
	down := alarm.Alert{Labels: model.LabelSet{"alertname": "NodeDown"}, StartsAt: at, UpdatedAt: at, EndsAt: at.Add(time.Hour)}
	return []alarm.Reading{{Alert: &down, Receivers: []string{"team"}}}, nil
}

func (tiny) GroupsMatching(context.Context, matcher.Matchers) ([]alarm.GroupReading, error) {
	return nil, nil
}

func (tiny) Receivers() []alarm.ReceiverSpec                     { return []alarm.ReceiverSpec{{Name: "team"}} }
func (tiny) Receive(context.Context, time.Time, []byte) error    { return nil }
func (tiny) Set(context.Context, alarm.Silence) (string, error)  { return "", alarm.ErrStopped }
func (tiny) Expire(context.Context, string) error                { return alarm.ErrStopped }
func (tiny) Get(context.Context, string) (*alarm.Silence, error) { return nil, alarm.ErrStopped }
func (tiny) List(context.Context) ([]*alarm.Silence, error)      { return nil, nil }

func ExampleAPI() {
	api, err := apiv2.New(tiny{}, tiny{}, tiny{}, apiv2.Options{Prefix: "/alertmanager"})
	if err != nil {
		fmt.Println(err)
		return
	}
	w := httptest.NewRecorder()
	api.ServeHTTP(w, httptest.NewRequest("GET", "/alertmanager/api/v2/alerts?filter=alertname%3DNodeDown", nil))
	fmt.Println(w.Code, strings.ReplaceAll(w.Body.String(), `,"`, ",\n  \""))
	// Output:
	// 200 [{"annotations":{},
	//   "endsAt":"2026-11-21T08:00:00.000Z",
	//   "fingerprint":"3ec635fd03b309b4",
	//   "receivers":[{"name":"team"}],
	//   "startsAt":"2026-11-21T07:00:00.000Z",
	//   "status":{"inhibitedBy":[],
	//   "mutedBy":[],
	//   "silencedBy":[],
	//   "state":"active"},
	//   "updatedAt":"2026-11-21T07:00:00.000Z",
	//   "labels":{"alertname":"NodeDown"}}]
}
