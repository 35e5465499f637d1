package web

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/tocsin/tocsin/alarm"
)

// A historyLine is one record in words.
type historyLine struct {
	ID      int64
	At      when
	Then    string // the address of the alert as it stood then
	Words   string
	Reasons []reasonView
	Facts   []pair // what the record holds
}

// maxFacts bounds how much of a record's body is shown.
const maxFacts = 40

// A recordBody is what the words need of the bodies of all kinds of records.
type recordBody struct {
	State        string              `json:"state"`
	Suppressions []alarm.Suppression `json:"suppressions"`
	Reason       string              `json:"reason"`
	Error        string              `json:"error"`
	Attempts     int                 `json:"attempts"`
	CreatedBy    string              `json:"createdBy"`
	Comment      string              `json:"comment"`
	Name         string              `json:"name"`
	Note         string              `json:"note"`
}

// historyWords says what a record says. Of a body that is not as expected, which a newer server may
// have written, only what can be read is said; the facts show all of it.
func (m rower) historyWords(r alarm.Record) historyLine {
	line := historyLine{ID: r.ID, At: makeWhen(m.now, r.At), Facts: facts(r.Body)}
	var body recordBody
	err := json.Unmarshal(r.Body, &body)
	where := clip(r.Receiver, shortText) + also(" through ", r.Integration)
	switch r.Kind {
	case "appeared":
		line.Words = "began to fire" + also(", says ", r.Source)
		if body.State == alarm.Pending.String() {
			line.Words = "is pending" + also(", says ", r.Source)
		}
	case "changed":
		line.Words = "changed" + also(", says ", r.Source)
	case "reworded":
		line.Words = "its annotations changed" + also(", says ", r.Source)
	case "ended":
		line.Words = "ended" + also(", says ", r.Source)
	case "verdict":
		for _, s := range body.Suppressions {
			line.Reasons = append(line.Reasons, suppressionView(m.now, m.r, s, m.root))
		}
		line.Reasons = rower{at: r.At}.then(line.Reasons)
		switch {
		case err != nil:
			line.Words = "the verdict changed"
		case len(line.Reasons) > 0:
			line.Words = "is withheld"
		default:
			line.Words = "is not withheld any more"
		}
	case "add", "update", "close":
		line.Words = "a notification of " + where + " was planned" + also(": ", body.Reason)
	case "delivered":
		line.Words = where + " was told" + attempts(body.Attempts)
	case "told":
		line.Words = where + " was told that it fires"
	case "told-resolved":
		line.Words = where + " was told that it ended"
	case "failed":
		line.Words = where + " could not be told" + also(": ", body.Error) + attempts(body.Attempts)
	case "unsent":
		line.Words = "nothing was left to tell " + where
	case "silence":
		line.Words = "a silence was set" + also(" by ", body.CreatedBy) + also(": ", body.Comment)
	case "silence-removed":
		line.Words = "an expired silence was forgotten"
	case "reload":
		line.Words = "the configuration was loaded anew"
	default:
		line.Words = clip(r.Kind, shortText) + also(" ", body.Name) + also(": ", body.Note)
	}
	return line
}

func attempts(n int) string {
	if n < 2 {
		return ""
	}
	return " (after " + strconv.Itoa(n) + " attempts)"
}

// also returns the word and what follows it, or nothing if nothing does.
func also(word, what string) string {
	if what == "" {
		return ""
	}
	return word + clip(what, longText)
}

// facts lists the values in a record's body by their paths. A body that is no JSON is one fact
// without a name.
func facts(raw []byte) []pair {
	if len(raw) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var body any
	if err := d.Decode(&body); err != nil {
		return []pair{{Value: clip(string(raw), longText)}}
	}
	var all []pair
	walk("", body, &all)
	slices.SortFunc(all, func(a, b pair) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Value, b.Value)) })
	if len(all) > maxFacts {
		all = append(all[:maxFacts], pair{Value: "… and " + strconv.Itoa(len(all)-maxFacts) + " more"})
	}
	return all
}

func walk(path string, v any, all *[]pair) {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v { // sorted afterwards
			walk(join(path, key), inner, all)
		}
	case []any:
		for i, inner := range v {
			walk(join(path, strconv.Itoa(i+1)), inner, all)
		}
	case nil, string, bool, json.Number:
		if s := fmt.Sprint(v); v != nil && s != "" {
			*all = append(*all, pair{Name: clip(path, shortText), Value: clip(s, longText)})
		}
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
