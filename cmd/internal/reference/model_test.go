package reference

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	node   = Alert{Cause, "h1"}
	target = Alert{Impact, "h1"}
	disk   = Alert{Plain, "h2"}
	team   = Alert{Plain, teamInstance}
	queue  = Alert{Pulled, "h2"}

	diskByName     = ByName.place(disk)
	diskByInstance = ByInstance.place(disk)
	diskTicket     = Ticket{Ops, disk}
)

func fire(a Alert) Step { return Step{Kind: Fire, Alert: a} }

func end(a Alert) Step { return Step{Kind: End, Alert: a} }

func mute(label, value string) Step {
	return Step{Kind: MuteOn, Mute: Mute{Label: label, Value: value}}
}

func unmute(label, value string) Step {
	return Step{Kind: MuteOff, Mute: Mute{Label: label, Value: value}}
}

// after is a model after these steps. At each Settle all is as it must be, and what may be either way is not
// open.
func after(t *testing.T, steps ...Step) *Model {
	t.Helper()
	m := NewModel()
	for _, s := range steps {
		if s.Kind != Settle {
			m.Do(s)
			continue
		}
		o := m.must()
		require.Empty(t, m.Check(o))
		m.Settle(o)
	}
	return m
}

// must is what is open if nothing is that need not be.
func (m *Model) must() Observation {
	o := Observation{Open: map[Place]bool{}, Tickets: map[Ticket]Opened{}}
	for _, p := range places() {
		if m.place(p) == open {
			o.Open[p] = true
		}
	}
	for _, ticket := range tickets() {
		if m.ticket(ticket) == open {
			o.Tickets[ticket] = Opened{ID: "1", AckedBy: m.incidents[ticket].acked}
		}
	}
	return o
}

func TestWhatIsToBeOpen(t *testing.T) {
	settle := Step{Kind: Settle}
	for name, tt := range map[string]struct {
		steps   []Step
		place   Place
		webhook wanted
		service wanted
	}{
		"nothing happened": {nil, diskByName, closed, closed},
		"it fires":         {[]Step{fire(disk)}, diskByName, open, open},
		"in another group than that of the route": {[]Step{fire(disk)}, diskByInstance, closed, open},
		"it fired and ended at once":              {[]Step{fire(disk), end(disk)}, diskByName, closed, closed},
		"it was told and ended":                   {[]Step{fire(disk), settle, end(disk)}, diskByName, closed, closed},
		"muted before":                            {[]Step{mute("alertname", Plain), fire(disk)}, diskByName, closed, closed},
		"muted afterwards":                        {[]Step{fire(disk), settle, mute("alertname", Plain)}, diskByName, open, open},
		"muted at once":                           {[]Step{fire(disk), mute("alertname", Plain)}, diskByName, either, either},
		"muted for a while":                       {[]Step{mute("alertname", Plain), fire(disk), settle, unmute("alertname", Plain)}, diskByName, open, open},
		"muted, and ended":                        {[]Step{fire(disk), settle, mute("alertname", Plain), settle, end(disk)}, diskByName, closed, closed},
		"muted, and fires again":                  {[]Step{fire(disk), settle, mute("alertname", Plain), end(disk), fire(disk)}, diskByName, either, either},
		"explained before":                        {[]Step{fire(node), fire(target)}, ByName.place(target), closed, closed},
		"explained afterwards":                    {[]Step{fire(target), settle, fire(node)}, ByName.place(target), open, closed},
		"explained for a while":                   {[]Step{fire(node), fire(target), settle, end(node)}, ByName.place(target), open, open},
		"its cause is muted":                      {[]Step{mute("alertname", Cause), fire(node), fire(target)}, ByName.place(target), closed, closed},
		"the old group after a reload":            {[]Step{fire(disk), settle, {Kind: Reload, Variant: ByInstance}}, diskByName, open, open},
		"the new group after a reload":            {[]Step{fire(disk), settle, {Kind: Reload, Variant: ByInstance}}, diskByInstance, open, open},
		"the old receiver after a reload":         {[]Step{fire(team), settle, {Kind: Reload, Variant: TeamApart}}, ByName.place(team), open, open},
		"the new receiver after a reload":         {[]Step{fire(team), settle, {Kind: Reload, Variant: TeamApart}}, TeamApart.place(team), open, open},
		"the old receiver, when it has ended":     {[]Step{fire(team), settle, {Kind: Reload, Variant: TeamApart}, end(team)}, ByName.place(team), closed, closed},
		"a crash, and the route is gone":          {[]Step{fire(team), {Kind: Kill}, {Kind: Reload, Variant: TeamApart}, end(team)}, ByName.place(team), either, closed},
	} {
		t.Run(name, func(t *testing.T) {
			m := after(t, tt.steps...)
			assert.Equal(t, tt.webhook, m.place(tt.place), "webhook")
			assert.Equal(t, tt.service, m.ticket(Ticket{tt.place.Receiver, tt.place.Alert}), "service")
		})
	}
}

func TestCheckFinds(t *testing.T) {
	settle := Step{Kind: Settle}
	for name, tt := range map[string]struct {
		steps []Step
		spoil func(*Observation)
		wrong string
	}{
		"what is lost at the webhook": {
			[]Step{fire(disk)},
			func(o *Observation) { delete(o.Open, diskByName) },
			`Disk/h2 at ops {}:{alertname="Disk"} is not open, and should be`,
		},
		"what is lost at the service": {
			[]Step{fire(disk)}, func(o *Observation) { delete(o.Tickets, diskTicket) }, "incident of Disk/h2 for ops is not open, and should be",
		},
		"what is not closed": {
			[]Step{fire(disk), settle, end(disk)},
			func(o *Observation) { o.Open[diskByName] = true },
			`Disk/h2 at ops {}:{alertname="Disk"} is open, and should not be`,
		},
		"an incident that is not closed": {
			[]Step{fire(disk), settle, end(disk)},
			func(o *Observation) { o.Tickets[diskTicket] = Opened{} },
			"incident of Disk/h2 for ops is open, and should not be",
		},
		"an incident that was opened anew": {
			[]Step{fire(disk), settle},
			func(o *Observation) { o.Tickets[diskTicket] = Opened{ID: "2"} },
			"incident of Disk/h2 for ops was opened anew, and nothing was to close it",
		},
		"an acknowledgement that nobody gave": {
			[]Step{fire(disk), settle},
			func(o *Observation) { o.Tickets[diskTicket] = Opened{ID: "1", AckedBy: "x"} },
			`incident of Disk/h2 for ops is acknowledged by "x", and should be by ""`,
		},
		"a server that knows nothing": {
			[]Step{fire(disk)},
			func(o *Observation) { o.Listed = []map[Alert]string{{}} },
			`server 0 says that Disk/h2 is "", and it should be "active"`,
		},
		"a server that does not know of a silence": {
			[]Step{fire(disk), mute("alertname", Plain)},
			func(o *Observation) { o.Listed = []map[Alert]string{{disk: "active"}} },
			`server 0 says that Disk/h2 is "active", and it should be "suppressed"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := after(t, tt.steps...)
			o := m.must()
			require.Empty(t, m.Check(o))
			tt.spoil(&o)
			assert.Equal(t, []string{tt.wrong}, m.Check(o))
		})
	}
}

// An acknowledgement stays as long as its incident does, and is asked of none that may be another.
func TestAcknowledgements(t *testing.T) {
	m := after(t, fire(disk), Step{Kind: Settle})
	m.DoByHand(Acknowledge, diskTicket, "anna", true)
	o := m.must()
	o.Tickets[diskTicket] = Opened{ID: "1"}
	assert.Equal(t, []string{`incident of Disk/h2 for ops is acknowledged by "", and should be by "anna"`}, m.Check(o), "it was lost")
	m.DoByHand(Unacknowledge, diskTicket, "anna", true)
	assert.Empty(t, m.Check(o))
	m.DoByHand(CloseByHand, diskTicket, "anna", true)
	o.Tickets[diskTicket] = Opened{ID: "2"}
	assert.Empty(t, m.Check(o), "it is opened again")
	delete(o.Tickets, diskTicket)
	assert.NotEmpty(t, m.Check(o), "it has to be")
}

func TestWhatMayBeTold(t *testing.T) {
	firing := func(p Place) Message {
		return Message{Receiver: p.Receiver, Group: p.Group, Firing: []Alert{p.Alert}, Sets: "firing"}
	}
	resolved := func(p Place) Message {
		return Message{Receiver: p.Receiver, Group: p.Group, Resolved: []Alert{p.Alert}, Sets: "resolved"}
	}
	settle := Step{Kind: Settle}
	neverFired := `Disk/h2 at ops {}:{alertname="Disk"} was told to fire, and did not, or was withheld all the time`
	neverEnded := `Disk/h2 at ops {}:{alertname="Disk"} was told to have ended, and fired all the time`
	for name, tt := range map[string]struct {
		steps    []Step
		messages []Message
		repeated int
		wrong    []string
	}{
		"it fires":                    {[]Step{fire(disk)}, []Message{firing(diskByName)}, 0, nil},
		"it does not":                 {nil, []Message{firing(diskByName)}, 0, []string{neverFired}},
		"it was muted all the time":   {[]Step{mute("alertname", Plain), settle, fire(disk)}, []Message{firing(diskByName)}, 0, []string{neverFired}},
		"it was muted at the end":     {[]Step{fire(disk), mute("alertname", Plain)}, []Message{firing(diskByName)}, 0, nil},
		"it was explained":            {[]Step{fire(node), fire(target)}, []Message{firing(ByName.place(target))}, 0, []string{`TargetDown/h1 at ops {}:{alertname="TargetDown"} was told to fire, and did not, or was withheld all the time`}},
		"the group of no route":       {[]Step{fire(disk)}, []Message{firing(diskByInstance)}, 0, []string{`Disk/h2 at ops {}:{instance="h2"} was told to fire, and did not, or was withheld all the time`}},
		"either group at a reload":    {[]Step{fire(disk), {Kind: Reload, Variant: ByInstance}}, []Message{firing(diskByInstance), firing(diskByName)}, 0, nil},
		"it ended":                    {[]Step{fire(disk), settle, end(disk)}, []Message{resolved(diskByName)}, 0, nil},
		"it ended, and fires again":   {[]Step{fire(disk), settle, end(disk), fire(disk)}, []Message{resolved(diskByName), firing(diskByName)}, 0, nil},
		"it went on":                  {[]Step{fire(disk), settle}, []Message{resolved(diskByName)}, 0, []string{neverEnded}},
		"its source was not asked":    {[]Step{fire(queue), settle, {Kind: SourceDown}}, []Message{resolved(ByName.place(queue))}, 0, []string{`Queue/h2 at ops {}:{alertname="Queue"} was told to have ended, and fired all the time`}},
		"the source saw the end late": {[]Step{fire(queue), settle, mute("instance", "h2"), end(queue), unmute("instance", "h2")}, []Message{firing(ByName.place(queue))}, 0, nil},
		"the same twice":              {[]Step{fire(disk)}, []Message{firing(diskByName), firing(diskByName)}, 1, []string{`ops {}:{alertname="Disk"} was told the same 1 times more, by 0 faults: firing`}},
		"the same twice, by a crash":  {[]Step{fire(disk), {Kind: Kill}}, []Message{firing(diskByName), firing(diskByName)}, 1, nil},
		"the same twice, by SIGTERM":  {[]Step{fire(disk), {Kind: Term}}, []Message{firing(diskByName), firing(diskByName)}, 1, []string{`ops {}:{alertname="Disk"} was told the same 1 times more, by 0 faults: firing`}},
	} {
		t.Run(name, func(t *testing.T) {
			repeated, wrong := after(t, tt.steps...).CheckTold(tt.messages)
			assert.Equal(t, tt.repeated, repeated)
			assert.Equal(t, tt.wrong, wrong)
		})
	}
}

// A trace depends on its seed alone, and ends settled.
func TestRandom(t *testing.T) {
	o := Options{Segments: 5, Steps: 20, Faults: []Kind{Kill, Pause, Freeze, Term, Cut}}
	for seed := range uint64(20) {
		trace := Random(seed, o)
		require.Equal(t, Script(trace), Script(Random(seed, o)))
		require.Equal(t, Settle, trace[len(trace)-1].Kind)
		faults := map[Kind]int{}
		for _, s := range trace {
			if s.Kind.Fault() {
				faults[s.Kind]++
			}
		}
		require.Equal(t, map[Kind]int{Kill: 1, Pause: 1, Freeze: 1, Term: 1, Cut: 1}, faults)
		after(t, trace...)
	}
	assert.NotEqual(t, Script(Random(1, o)), Script(Random(2, o)))
}
