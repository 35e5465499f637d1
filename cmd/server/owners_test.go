package server

import (
	"testing"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/cmd/internal/config"
)

func TestOwnersFollowTheConfiguration(t *testing.T) {
	parse := func(text string) *config.Config {
		c, err := config.Parse(config.File{Name: "am.yml", Text: []byte(text)}, nil)
		require.NoError(t, err)
		return c
	}
	const routes = "route: {receiver: r, routes: [{receiver: r, matchers: ['a=\"routed\"']}]}\nreceivers: [{name: r}]\n"
	current := parse(routes + "tocsin: {teams: [{name: db, matchers: ['team=\"db\"'], receiver: r}, {name: web, matchers: ['team=~\"web|db\"'], receiver: r}]}\n")
	o := &owners{config: func() *config.Config { return current }}
	assert.Equal(t, []string{"db", "web"}, o.Names())

	of := func(ls model.LabelSet) (string, bool) {
		teams, owned := o.Of(ls)
		names := ""
		for _, name := range teams {
			names += name + " "
		}
		return names, owned
	}
	names, owned := of(model.LabelSet{"team": "db"})
	assert.Equal(t, "db web ", names)
	assert.True(t, owned)
	names, owned = of(model.LabelSet{"a": "routed"})
	assert.Empty(t, names)
	assert.True(t, owned, "a route takes it")
	_, owned = of(model.LabelSet{"a": "b"})
	assert.False(t, owned)

	current = parse(routes)
	assert.Empty(t, o.Names())
	_, owned = of(model.LabelSet{"team": "db"})
	assert.False(t, owned, "after a reload there is no such team")
}
