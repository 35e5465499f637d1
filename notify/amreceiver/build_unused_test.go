package amreceiver_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/prometheus/alertmanager/config"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	tocsin "github.com/tocsin/tocsin/notify/amreceiver"
)

// Alertmanager does not mind a receiver that cannot be made and that no route uses; neither do we.
func TestUnusedReceiverThatCannotBeMade(t *testing.T) {
	text := `
route: {receiver: ROUTE}
receivers:
- name: good
- name: bad
  webhook_configs: [{url: 'http://127.0.0.1/', http_config: {tls_config: {ca_file: /nowhere/ca.pem}}}]
`
	unused, err := config.Load(strings.Replace(text, "ROUTE", "good", 1))
	require.NoError(t, err)
	specs, _, err := tocsin.Build(unused, &url.URL{}, quiet)
	require.NoError(t, err)
	assert.Empty(t, specs[1].Integrations)

	used, err := config.Load(strings.Replace(text, "ROUTE", "bad", 1))
	require.NoError(t, err)
	_, _, err = tocsin.Build(used, &url.URL{}, quiet)
	assert.ErrorContains(t, err, `receiver "bad"`)
}
