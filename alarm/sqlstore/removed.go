package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// On a server the table removed says which rows of the state the last commits deleted, so that those
// who follow can delete them too. What was written they see by its version.

// keptVersions is for how many commits that is remembered; who is further behind loads everything.
const keptVersions = 4096

// Removed are the keys of rows of the state that are gone.
type Removed struct {
	Alerts, Verdicts []model.Fingerprint
	Silences, Groups []string
	Told             []alarm.IntentionKey
	Intentions       []int64
	Rows             []alarm.Row // without values
}

// The nouns of the table removed.
const (
	nounAlert     = "alert"
	nounVerdict   = "verdict"
	nounSilence   = "silence"
	nounGroup     = "group"
	nounTold      = "told"
	nounIntention = "intention"
	nounRow       = "row"
)

// A removal is one row of the table.
type removal struct {
	noun string
	body []byte // the key as JSON
}

// applyRemoved remembers what the plan removed, and now and then forgets what was remembered.
func (d *DB) applyRemoved(ctx context.Context, tx *sql.Tx, p *alarm.Plan) error {
	if d.dialect.Server == nil {
		return nil
	}
	gone := d.removals(p)
	version := d.lease.writing
	err := d.bulks.removed.exec(ctx, tx, len(gone), func(args []any, i int) []any {
		return append(args, version, int64(i), gone[i].noun, gone[i].body)
	})
	if err != nil || version%256 != 0 {
		return err
	}
	_, err = tx.ExecContext(ctx, d.dialect.bind("DELETE FROM removed WHERE version <= ?"), version-keptVersions)
	return err
}

// removals lists what the plan removes. What it sets again afterwards is there all the same.
func (d *DB) removals(p *alarm.Plan) (gone []removal) {
	add := func(noun string, key func(b []byte) []byte) {
		body := d.encode(func(b []byte) []byte { return append(key(append(b, '{')), '}') })
		gone = append(gone, removal{noun: noun, body: body})
	}
	addID := func(noun, id string) {
		add(noun, func(b []byte) []byte { return appendString(appendKey(b, "id"), id) })
	}
	for _, a := range p.Forgotten {
		addID(nounAlert, a.Fingerprint().String())
		addID(nounVerdict, a.Fingerprint().String())
	}
	for i := range p.Exclude {
		if !p.Exclude[i].Withheld() {
			addID(nounVerdict, p.Exclude[i].Fingerprint.String())
		}
	}
	for _, id := range p.RemovedSilences {
		addID(nounSilence, id)
	}
	for _, id := range p.EndedGroups {
		addID(nounGroup, id)
	}
	for _, k := range p.DroppedTold {
		add(nounTold, func(b []byte) []byte {
			return appendText(appendText(appendText(b, "receiver", k.Receiver), "integration", k.Integration), "group", k.Group)
		})
	}
	for i := range p.Outcomes {
		add(nounIntention, func(b []byte) []byte { return appendInt(b, "id", p.Outcomes[i].ID) })
	}
	for i := range p.Rows {
		if r := &p.Rows[i]; r.Value == nil {
			add(nounRow, func(b []byte) []byte { return appendText(appendText(b, "part", r.Part), "key", r.Key) })
		}
	}
	return gone
}

// removed reads what was removed after the version since.
func (l *loader) removed(ctx context.Context, out *Removed) error {
	var noun string
	return l.each(ctx, "removed", "noun, body", func(body []byte) error {
		var id string
		var key alarm.IntentionKey
		var number int64
		var row alarm.Row
		err := decode(&l.reader, body, func(r *reader) {
			r.fields(func(name []byte) {
				switch string(name) {
				case "id":
					if noun == nounIntention {
						number = r.int()
					} else {
						id = r.text()
					}
				case "receiver":
					key.Receiver = r.shared()
				case "integration":
					key.Integration = r.shared()
				case "group":
					key.Group = r.shared()
				case "part":
					row.Part = r.shared()
				case "key":
					row.Key = r.text()
				default:
					r.skip()
				}
			})
		})
		if err != nil {
			return err
		}
		return out.add(noun, id, key, number, row)
	}, &noun)
}

func (o *Removed) add(noun, id string, key alarm.IntentionKey, number int64, row alarm.Row) error {
	switch noun {
	case nounAlert, nounVerdict:
		fp, err := model.FingerprintFromString(id)
		if err != nil {
			return err
		}
		if noun == nounAlert {
			o.Alerts = append(o.Alerts, fp)
		} else {
			o.Verdicts = append(o.Verdicts, fp)
		}
	case nounSilence:
		o.Silences = append(o.Silences, id)
	case nounGroup:
		o.Groups = append(o.Groups, id)
	case nounTold:
		o.Told = append(o.Told, key)
	case nounIntention:
		o.Intentions = append(o.Intentions, number)
	case nounRow:
		o.Rows = append(o.Rows, row)
	default:
		return fmt.Errorf("unknown noun %q", noun)
	}
	return nil
}
