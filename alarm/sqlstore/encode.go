package sqlstore

import "github.com/tocsin/tocsin/alarm"

// Each noun has a function that appends it as a JSON object. What is zero is left out.

func appendAlert(b []byte, a *alarm.Alert) []byte {
	b = append(b, '{')
	b = appendLabels(b, "labels", a.Labels)
	b = appendLabels(b, "annotations", a.Annotations)
	b = appendText(b, "generatorURL", a.GeneratorURL)
	b = appendState(b, a.State)
	b = appendTime(b, "startsAt", a.StartsAt)
	b = appendTime(b, "endsAt", a.EndsAt)
	b = appendTime(b, "updatedAt", a.UpdatedAt)
	b = appendTrue(b, "timeout", a.Timeout)
	if len(a.Reports) > 0 {
		b = append(appendKey(b, "reports"), '[')
		for i := range a.Reports {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendReport(b, &a.Reports[i])
		}
		b = append(b, ']')
	}
	b = appendTime(b, "firstSeen", a.FirstSeen)
	b = appendInt(b, "fired", int64(a.Fired))
	b = appendText(b, "raisedBy", a.RaisedBy)
	if a.Counts != nil {
		b = appendCounts(appendKey(b, "counts"), a.Counts)
	}
	return append(b, '}')
}

func appendCounts(b []byte, c *alarm.Counts) []byte {
	b = append(b, '{')
	b = appendTime(b, "since", c.Since)
	b = appendTime(b, "ended", c.Ended)
	b = appendInt(b, "firing", int64(c.Firing))
	b = appendInt(b, "reopens", int64(c.Reopens))
	b = appendInt(b, "flaps", int64(c.Flaps))
	b = appendInt(b, "transients", int64(c.Transients))
	if f := c.Flapping; f != nil {
		b = append(appendKey(b, "flapping"), '{')
		b = appendTime(b, "since", f.Since)
		b = appendInt(b, "changes", int64(f.Changes))
		b = appendTime(b, "noted", f.Noted)
		b = appendInt(b, "notedChanges", int64(f.NotedChanges))
		b = append(b, '}')
	}
	return append(b, '}')
}

func appendReport(b []byte, r *alarm.Report) []byte {
	b = append(b, '{')
	b = appendText(b, "source", r.Source)
	b = appendState(b, r.State)
	b = appendTime(b, "startsAt", r.StartsAt)
	b = appendTime(b, "endsAt", r.EndsAt)
	b = appendTime(b, "updatedAt", r.UpdatedAt)
	b = appendTrue(b, "timeout", r.Timeout)
	b = appendTrue(b, "partial", r.Partial)
	return append(b, '}')
}

func appendState(b []byte, s alarm.State) []byte {
	if s == alarm.Firing {
		return b
	}
	return appendString(appendKey(b, "state"), s.String())
}

func appendVerdict(b []byte, v *alarm.Verdict) []byte {
	b = append(b, '{')
	b = appendTime(b, "at", v.At)
	if len(v.Suppressions) > 0 {
		b = append(appendKey(b, "suppressions"), '[')
		for i := range v.Suppressions {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendSuppression(b, &v.Suppressions[i])
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

// appendSuppression leaves the fingerprint out: it is the verdict's, which stands in the row.
func appendSuppression(b []byte, s *alarm.Suppression) []byte {
	b = append(b, '{')
	b = appendString(appendKey(b, "reason"), string(s.Reason))
	b = appendString(appendKey(b, "by"), s.By)
	b = appendText(b, "root", s.Root)
	b = appendTrue(b, "close", s.Close)
	b = appendText(b, "rule", s.Rule)
	b = appendText(b, "note", s.Note)
	b = appendTime(b, "since", s.Since)
	b = appendTime(b, "until", s.Until)
	return append(b, '}')
}

func appendSilence(b []byte, s *alarm.Silence) []byte {
	b = append(b, '{')
	b = appendText(b, "id", s.ID)
	if len(s.Matchers) > 0 {
		b = append(appendKey(b, "matchers"), '[')
		for i, m := range s.Matchers {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, '{')
			b = appendText(b, "name", m.Name)
			b = appendText(b, "type", m.Type.String())
			b = appendText(b, "value", m.Value)
			b = append(b, '}')
		}
		b = append(b, ']')
	}
	b = appendTime(b, "startsAt", s.StartsAt)
	b = appendTime(b, "endsAt", s.EndsAt)
	b = appendTime(b, "updatedAt", s.UpdatedAt)
	b = appendText(b, "createdBy", s.CreatedBy)
	b = appendText(b, "comment", s.Comment)
	b = appendLabels(b, "annotations", s.Annotations)
	b = appendWindow(b, s)
	return append(b, '}')
}

func appendGroup(b []byte, g *alarm.Group) []byte {
	b = append(b, '{')
	b = appendText(b, "routeID", g.RouteID)
	b = appendText(b, "key", g.Key)
	b = appendText(b, "receiver", g.Receiver)
	b = appendLabels(b, "labels", g.Labels)
	b = appendText(b, "team", g.Team)
	b = appendStrings(b, "path", g.Path)
	b = appendLabels(b, "routeLabels", g.RouteLabels)
	b = appendInt(b, "wait", int64(g.Wait))
	b = appendInt(b, "interval", int64(g.Interval))
	b = appendInt(b, "repeat", int64(g.Repeat))
	return append(b, '}')
}

func appendGroupState(b []byte, g *alarm.GroupState) []byte {
	b = append(b, '{')
	b = appendGroup(appendKey(b, "group"), g.Group)
	b = appendTime(b, "created", g.Created)
	b = appendTime(b, "anchor", g.Anchor)
	return append(b, '}')
}

func appendTold(b []byte, t *alarm.Told) []byte {
	b = append(b, '{')
	b = appendTime(b, "at", t.At)
	b = appendHashes(b, "firing", t.Sets.Firing)
	b = appendHashes(b, "resolved", t.Sets.Resolved)
	b = appendText(b, "note", t.Sets.Note)
	b = appendHashes(b, "open", t.Open)
	b = appendBytes(b, "data", t.Data)
	b = appendTime(b, "ackedAt", t.Acked.At)
	b = appendText(b, "ackedBy", t.Acked.By)
	b = appendTime(b, "closedThere", t.ClosedThere)
	b = appendText(b, "closedBy", t.ClosedBy)
	return append(b, '}')
}

func appendIntention(b []byte, in *alarm.Intention) []byte {
	b = append(b, '{')
	b = appendInt(b, "id", in.ID)
	b = appendText(b, "receiver", in.Key.Receiver)
	b = appendText(b, "integration", in.Key.Integration)
	b = appendText(b, "group", in.Key.Group)
	b = appendText(b, "groupID", in.GroupID)
	b = appendText(b, "action", in.Action.String())
	b = appendText(b, "reason", string(in.Reason))
	b = appendTime(b, "at", in.At)
	b = appendTime(b, "deadline", in.Deadline)
	return append(b, '}')
}

// appendOutcome is for history alone: what an integration was told becomes state as a Told.
func appendOutcome(b []byte, o *alarm.Outcome) []byte {
	b = append(b, '{')
	b = appendInt(b, "id", o.ID)
	b = appendTime(b, "at", o.At)
	b = appendInt(b, "attempts", int64(o.Attempts))
	if o.Err != nil {
		b = appendText(b, "error", o.Err.Error())
	}
	b = appendTrue(b, "uncertain", o.Uncertain)
	b = appendHashes(b, "firing", o.Told.Firing)
	b = appendHashes(b, "resolved", o.Told.Resolved)
	b = appendBytes(b, "data", o.Data)
	b = appendTime(b, "oldest", o.Oldest)
	return append(b, '}')
}

func appendTelling(b []byte, t *alarm.Telling) []byte {
	b = append(b, '{')
	b = appendTime(b, "at", t.At)
	return append(b, '}')
}

func appendEvent(b []byte, e *alarm.Event) []byte {
	b = append(b, '{')
	b = appendString(appendKey(b, "kind"), e.Kind)
	b = appendText(b, "name", e.Name)
	b = appendText(b, "note", e.Note)
	return append(b, '}')
}
