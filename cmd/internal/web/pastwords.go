package web

import (
	"fmt"
	"strings"
	"time"

	"github.com/tocsin/tocsin/alarm"
)

// pastVerdictWords is verdictWords for an instant of the past.
func pastVerdictWords(x *alarm.Explanation) string {
	a := x.Reading.Alert
	switch {
	case a == nil:
		return "Nothing that is recorded says how this alert stood. What is left of it is its history."
	case a.State == alarm.Pending:
		return "It was pending: its condition was true, but not yet for long enough. Nobody is told of a pending alert."
	case a.ResolvedAt(x.At):
		return "It had ended."
	case x.Reading.Verdict.Withheld():
		return "It fired, and was withheld: nobody was told while one of these reasons lasted."
	case len(x.Groups) == 0:
		return "It fired, and by the routes of now none led to a receiver."
	default:
		return "It fired, and nothing withheld it."
	}
}

// pastGroupWords is groupWords for an instant of the past, of which no timers are known.
func pastGroupWords(at time.Time, r alarm.Reading, g *alarm.GroupExplanation) string {
	who := clip(g.Group.Receiver, shortText)
	told := clip(strings.Join(g.ToldAlert, ", "), shortText)
	switch ended := r.Alert == nil || r.Alert.ResolvedAt(at); {
	case told != "" && ended:
		return fmt.Sprintf("%s had been told of it through %s, and its end was still to be told.", who, told)
	case told != "":
		return fmt.Sprintf("%s had been told of it through %s.", who, told)
	case len(g.MutedBy) > 0 && !ended && !r.Verdict.Withheld():
		return fmt.Sprintf("%s had not been told: by the configuration of now, the time interval %s lasted.", who, clip(strings.Join(g.MutedBy, ", "), shortText))
	default:
		return fmt.Sprintf("%s had not been told of it.", who)
	}
}
