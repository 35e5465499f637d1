package server

import (
	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/cmd/internal/web"
	"github.com/tocsin/tocsin/notify"
)

var _ web.Receivers = receivers{}

// receivers is how the page of that name speaks of them: the engine knows who there is and what was given
// up, the deliverer what waits and how the last attempts ended, and the keepers how the remotes compare.
type receivers struct {
	*alarm.Engine
	*keepers
	deliverer *notify.Deliverer
}

// Depths returns what waits.
func (r receivers) Depths() []notify.Depth { return r.deliverer.Depths() }

// Attempts returns how the last attempts ended.
func (r receivers) Attempts() []notify.LastAttempts { return r.deliverer.Attempts() }
