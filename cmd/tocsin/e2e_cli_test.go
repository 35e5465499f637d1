package main_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

const badConfig = `route:
  receiver: nowhere
receivers:
- name: ops
  webhook_configs: [{url: 'http://localhost/', colour: red}]
tocsin:
  retension: 90d
`

func TestCheck(t *testing.T) {
	t.Parallel()
	s := newServer(t, amtoolConfig)
	good := run(t, s.program, "check", s.config)
	assert.Equal(t, result{0, s.config + ": good: 2 receivers, 1 inhibit rules, 0 time intervals\n", ""}, good)

	s.Configure(badConfig)
	bad := run(t, s.program, "check", "--config.file="+s.config)
	assert.Equal(t, 1, bad.Code)
	assert.Empty(t, bad.Stderr)
	for _, problem := range []string{":2: route.receiver: ", ":5: receivers[0].webhook_configs[0]: ", ":7: tocsin: "} {
		assert.Contains(t, bad.Stdout, s.config+problem, "all problems at once, each with its line")
	}
	assert.Contains(t, bad.Stdout, `did you mean "retention"?`, "the remedy")

	missing := run(t, s.program, "check", s.config+".missing")
	assert.Equal(t, 1, missing.Code)
	assert.Contains(t, missing.Stdout, s.config+".missing")
}

func TestServeRefuses(t *testing.T) {
	t.Parallel()
	s := newServer(t, badConfig)
	serveFails(t, exec.Command(s.program, s.arguments()...), s.config+":7: tocsin: ")

	s.Configure(amtoolConfig)
	for name, c := range map[string]struct {
		flag, says string
	}{
		"an unknown flag":    {"--cluster.pears=1", "cluster.pears"},
		"peers":              {"--cluster.peer=127.0.0.1:9094", "--tocsin.allow-duplicates"},
		"an unknown feature": {"--enable-feature=teleport", "teleport"},
	} {
		r := run(t, s.program, append(s.arguments(), c.flag)...)
		assert.Equal(t, 2, r.Code, name)
		assert.Contains(t, r.Stderr, c.says, name)
		assert.Empty(t, r.Stdout, name)
	}
	taken := startServer(t, amtoolConfig)
	other := newServer(t, amtoolConfig)
	args := other.arguments()
	for i := range args {
		if strings.HasPrefix(args[i], "--web.listen-address=") {
			args[i] = "--web.listen-address=" + taken.address
		}
	}
	serveFails(t, exec.Command(other.program, args...), taken.address, "address already in use")
}
