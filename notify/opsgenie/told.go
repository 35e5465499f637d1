package opsgenie

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
)

// told is what the service knows of an incident: alarm.Delivery.Data, as JSON.
type told struct {
	Version int `json:"v"`

	// Alias is by which the service knows it: ours, or what an integration made of it.
	Alias string `json:"alias"`

	// ID is the service's, if it was ever said.
	ID string `json:"id,omitempty"`

	// At is when the content was last sent.
	At time.Time `json:"at"`

	// Noted is how old it was when a note last said that it goes on.
	Noted time.Duration `json:"noted,omitempty"`

	Priority    string   `json:"priority"`
	Message     mark     `json:"message"`
	Description mark     `json:"description"`
	Details     mark     `json:"details"`
	DetailKeys  []string `json:"detailKeys,omitempty"`
	Tags        []string `json:"tags,omitempty"`
}

const toldVersion = 1

// A mark stands for a text: its hash, and its hash with every number replaced.
type mark struct {
	Exact string `json:"x"`
	Words string `json:"w"`
}

func markOf(text string) mark {
	return mark{hash(text), hash(wordsOf(text))}
}

func hash(s string) string { return strconv.FormatUint(xxhash.Sum64String(s), 36) }

// wordsOf replaces every run of digits, with the points and commas inside, by one 0.
func wordsOf(text string) string {
	var b strings.Builder
	number := false
	for _, r := range text {
		digit := r >= '0' && r <= '9'
		switch {
		case digit && !number:
			b.WriteByte('0')
			number = true
		case digit, number && (r == '.' || r == ','):
		default:
			number = false
			b.WriteRune(r)
		}
	}
	return b.String()
}

// detailsText is a picture of details that is equal if and only if they are.
func detailsText(details map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(details)) {
		fmt.Fprintf(&b, "%q=%q\n", k, details[k])
	}
	return b.String()
}

// newTold returns what the service knows once an incident was sent.
func newTold(in *incident, now time.Time) told {
	return told{
		Version: toldVersion, Alias: in.Alias, At: now, Priority: in.Priority, Tags: in.Tags,
		Message: markOf(in.Message), Description: markOf(in.Description),
		Details: markOf(detailsText(in.Details)), DetailKeys: slices.Sorted(maps.Keys(in.Details)),
	}
}

// decodeTold reads what encode wrote. No data is no error: nothing was told.
func decodeTold(data []byte) (told, error) {
	var t told
	if len(data) == 0 {
		return t, nil
	}
	if err := json.Unmarshal(data, &t); err != nil {
		return told{}, fmt.Errorf("data of the incident: %w", err)
	}
	if t.Version != toldVersion || t.Alias == "" {
		return told{}, fmt.Errorf("data of the incident: version %d with alias %q is not known", t.Version, t.Alias)
	}
	return t, nil
}

func (t *told) encode() []byte {
	b, err := json.Marshal(t)
	if err != nil {
		panic(err) // strings and times
	}
	return b
}

// known says whether anything was told.
func (t *told) known() bool { return t.Version != 0 }

// A change says which fields of an incident are to be sent again.
type change struct{ message, description, details, priority, tags bool }

func (c change) any() bool { return c.message || c.description || c.details || c.priority || c.tags }

// changed compares what the service knows with what is to be. It is sent again if words, priority or
// tags differ; if only numbers in texts do, then at most once each settle, or never if that is negative.
func changed(before, after *told, settle time.Duration) change {
	c := change{
		message:     before.Message.Exact != after.Message.Exact,
		description: before.Description.Exact != after.Description.Exact,
		details:     before.Details.Exact != after.Details.Exact,
		priority:    before.Priority != after.Priority,
		tags:        !slices.Equal(before.Tags, after.Tags),
	}
	material := c.priority || c.tags || before.Message.Words != after.Message.Words ||
		before.Description.Words != after.Description.Words || before.Details.Words != after.Details.Words
	if !material && (settle < 0 || after.At.Sub(before.At) < settle) {
		return change{}
	}
	return c
}
