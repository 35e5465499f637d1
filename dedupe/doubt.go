package dedupe

import (
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// doubt notes that a source said before our restart that an alert fires, and has not said anything
// since. If it now calls the alert pending, that is no end: its rule server restarted with us and
// waits out the rule's `for` again, while the condition has held all the time. (A rule server that
// restarts alone is seen through by its source.)
func (s *source) doubt(fp model.Fingerprint) {
	if s.doubted == nil {
		s.doubted = map[model.Fingerprint]time.Time{}
	}
	s.doubted[fp] = time.Time{}
}

// doubts says whether a pending alert is to be taken for one that fires. That lasts until it fires, is
// gone, or began anew: so no longer than the rule's `for`, and never longer than the condition is true.
func (s *source) doubts(fp model.Fingerprint, in *alarm.Alert) bool {
	since, ok := s.doubted[fp]
	switch {
	case !ok:
		return false
	case in.State == alarm.Pending && since.IsZero():
		s.doubted[fp] = in.StartsAt
		return true
	case in.State == alarm.Pending && since.Equal(in.StartsAt):
		return true
	default:
		delete(s.doubted, fp)
		return false
	}
}
