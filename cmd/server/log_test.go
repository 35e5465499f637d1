package server

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/prometheus/common/promslog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A source is printed as what it is, beside the place in the code.
func TestLoggerPrintsSources(t *testing.T) {
	var out bytes.Buffer
	c := &promslog.Config{Level: promslog.NewLevel(), Format: promslog.NewFormat(), Writer: &out}
	newLogger(c).With("component", "source").Warn("it fails", "source", "gen2", "after", 90*time.Second)
	assert.Regexp(t, `^time=\S+ level=WARN caller=log_test.go:\d+ msg="it fails" component=source source=gen2 after=1m30s\n$`, out.String())

	out.Reset()
	require.NoError(t, c.Format.Set("json"))
	require.NoError(t, c.Level.Set("error"))
	log := newLogger(c)
	log.Warn("quiet")
	log.Error("loud", "source", "gen2")
	line := map[string]any{}
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	delete(line, "time")
	assert.Regexp(t, `^log_test.go:\d+$`, line["caller"])
	delete(line, "caller")
	assert.Equal(t, map[string]any{"level": "ERROR", "msg": "loud", "source": "gen2"}, line)
}
