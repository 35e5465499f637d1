package apiv2

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/go-openapi/strfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// FuzzAppendString holds our strings against encoding/json's.
func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", "<a&b>\"\\/", "\x00\x1f\x7f\b\f\n\r\t", "é ü \u2028\u2029 \U0001f600", "\xff\xfe half \xc3", "\ufffd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, e := range []escaping{forHTML, asIs} {
			var want bytes.Buffer
			enc := json.NewEncoder(&want)
			enc.SetEscapeHTML(bool(e))
			require.NoError(t, enc.Encode(s))
			assert.Equal(t, want.String(), string(appendString(nil, s, e))+"\n")
		}
	})
}

func TestAppendTime(t *testing.T) {
	for _, tt := range []time.Time{
		{},
		time.Unix(0, 0), time.Date(2026, 1, 2, 3, 4, 5, 6_999_999, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
		time.Date(12026, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(-5, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 7200)),
	} {
		assert.Equal(t, strfmt.DateTime(tt.UTC()).String(), string(appendTime(nil, tt)))
	}
}

func TestAppendLabelsSorts(t *testing.T) {
	few, many := model.LabelSet{}, model.LabelSet{}
	for i := range 40 {
		name := model.LabelName([]byte{byte('a' + (i*7)%26), byte('a' + i%26)})
		if many[name] = "v"; i < 12 {
			few[name] = "v"
		}
	}
	for _, ls := range []model.LabelSet{nil, few, many} {
		want, err := json.Marshal(map[model.LabelName]model.LabelValue(ls))
		require.NoError(t, err)
		if ls == nil {
			want = []byte("{}")
		}
		assert.Equal(t, string(want), string(appendLabels(nil, ls, forHTML)))
	}
}
