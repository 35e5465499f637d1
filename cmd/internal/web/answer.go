package web

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// verdictWords says in one sentence how an alert stands.
func verdictWords(now time.Time, x *alarm.Explanation) string {
	if !x.At.IsZero() {
		return pastVerdictWords(x)
	}
	a := x.Reading.Alert
	switch {
	case a == nil:
		return "This alert is no longer known. What is left of it is its history."
	case a.State == alarm.Pending:
		return "It is pending: its condition is true, but not yet for long enough. Nobody is told of a pending alert."
	case a.ResolvedAt(now):
		return "It has ended."
	case x.Reading.Verdict.Withheld():
		return "It fires, and is withheld: nobody is told while one of these reasons lasts."
	case len(x.Groups) == 0:
		return "It fires, and no route leads to a receiver."
	default:
		return "It fires, and nothing withholds it."
	}
}

// groupWords says how one group's receiver stands towards the alert. The cases are tried from above:
//
//	told of it, fires still          was told
//	told of it, withheld or ended    was told, and what follows from that
//	given up the last time           why, and that it is tried again
//	on its way                       is being told
//	withheld, ended                  is not told
//	nobody to tell                   says so
//	muted by a time interval         is not told until the interval ends
//	no flush yet                     waits for group_wait
//	else                             waits for the next flush
func groupWords(now time.Time, r alarm.Reading, g *alarm.GroupExplanation) string {
	who := clip(g.Group.Receiver, shortText)
	told := clip(strings.Join(g.ToldAlert, ", "), shortText)
	ended := r.Alert == nil || r.Alert.ResolvedAt(now)
	withheld := r.Verdict.Withheld()
	switch {
	case told != "" && ended:
		return fmt.Sprintf("%s was told of it through %s, and its end is still to be told.", who, told)
	case told != "" && withheld:
		return fmt.Sprintf("%s was told of it through %s before it was withheld. When it ends, that is told too.", who, told)
	case told != "":
		return fmt.Sprintf("%s was told of it through %s%s.", who, told, doneThere(g))
	case len(g.Failed) > 0 && !withheld && !ended:
		f := g.Failed[0]
		if g.Level {
			return fmt.Sprintf("%s could not be told through %s at %s, and it was given up: %s.", who, clip(f.Integration, shortText), clock(f.At), clip(f.Err, longText))
		}
		return fmt.Sprintf("%s could not be told through %s at %s, and is tried again: %s.", who, clip(f.Integration, shortText), clock(f.At), clip(f.Err, longText))
	case len(g.Open) > 0 && !withheld && !ended:
		return fmt.Sprintf("%s is being told: a notification is on its way.", who)
	case withheld || ended:
		return fmt.Sprintf("%s is not told.", who)
	case g.Silent:
		return fmt.Sprintf("%s has nothing that would be told of groups.", who)
	case len(g.MutedBy) > 0:
		return fmt.Sprintf("%s is not told while the time interval %s lasts.", who, clip(strings.Join(g.MutedBy, ", "), shortText))
	case now.Before(g.State.Anchor):
		return fmt.Sprintf("%s will be told at %s, when group_wait (%s) is over.", who, clock(g.State.Anchor), model.Duration(g.Group.Wait))
	case g.Level:
		return fmt.Sprintf("%s will be told at once.", who)
	default:
		return fmt.Sprintf("%s will be told at %s, when the group is flushed next.", who, clock(nextFlush(now, g)))
	}
}

// doneThere says what somebody did at the remote, beginning with a comma, or nothing.
func doneThere(g *alarm.GroupExplanation) string {
	for i := range g.Told {
		switch t := &g.Told[i]; {
		case !t.ClosedThere.IsZero():
			return ", and there " + somebody(t.ClosedBy) + " closed it by hand"
		case !t.Acked.At.IsZero():
			return ", and there " + somebody(t.Acked.By) + " acknowledged it"
		}
	}
	return ""
}

func somebody(name string) string {
	if name == "" {
		return "somebody"
	}
	return clip(name, shortText)
}

// nextFlush is the first of Anchor + k × group_interval that is not past.
func nextFlush(now time.Time, g *alarm.GroupExplanation) time.Time {
	anchor, interval := g.State.Anchor, g.Group.Interval
	if !now.After(anchor) || interval <= 0 {
		return anchor
	}
	k := (now.Sub(anchor) + interval - 1) / interval
	return anchor.Add(k * interval)
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }

// A channelView is what one integration knows of a group.
type channelView struct {
	Integration string
	Words       string
	At          when
	Repeat      when // when it is told again although nothing changed
	There       []thereView
}

// A thereView is what somebody did at the remote.
type thereView struct {
	Words string
	At    when
}

func thereViews(now time.Time, t *alarm.Told) []thereView {
	var views []thereView
	if !t.Acked.At.IsZero() {
		views = append(views, thereView{Words: "acknowledged there by " + somebody(t.Acked.By), At: makeWhen(now, t.Acked.At)})
	}
	if !t.ClosedThere.IsZero() {
		views = append(views, thereView{Words: "closed there by hand by " + somebody(t.ClosedBy), At: makeWhen(now, t.ClosedThere)})
	}
	return views
}

// channelViews says what was told to which integration, and what is on its way.
func channelViews(now time.Time, g *alarm.GroupExplanation) (told, open []channelView) {
	for i := range g.Told {
		t := &g.Told[i]
		words := fmt.Sprintf("last told of %d firing and %d resolved", len(t.Sets.Firing), len(t.Sets.Resolved))
		if slices.Contains(g.ToldAlert, t.Key.Integration) {
			words += ", knows that this alert fires"
		} else {
			words += ", does not know that this alert fires"
		}
		v := channelView{Integration: clip(t.Key.Integration, shortText), Words: words, At: makeWhen(now, t.At), There: thereViews(now, t)}
		if len(t.Sets.Firing) > 0 && g.Group.Repeat > 0 && !g.Level {
			v.Repeat = makeWhen(now, t.At.Add(g.Group.Repeat))
		}
		told = append(told, v)
	}
	for _, in := range g.Open {
		words := fmt.Sprintf("%s because %s", in.Action, clip(string(in.Reason), shortText))
		open = append(open, channelView{
			Integration: clip(in.Key.Integration, shortText), Words: words,
			At: makeWhen(now, in.At), Repeat: makeWhen(now, in.Deadline),
		})
	}
	return told, open
}
