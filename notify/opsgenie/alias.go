package opsgenie

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"github.com/tocsin/tocsin/alarm"
)

// Alias returns our name for an incident: instance / receiver / fingerprint or group key. It depends
// on nothing that a restart or a change of routes changes, and is a hash after the instance if it
// would be too long.
func (c *Client) Alias(k alarm.IntentionKey) string {
	receiver := c.opts.AliasKey
	if receiver == "" {
		receiver = k.Receiver
	}
	return alias(c.opts.Instance, receiver, k.Group)
}

func alias(instance, receiver, group string) string {
	parts := []string{instance}
	for _, part := range []string{receiver, group} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	joined := strings.Join(parts, "/")
	if utf8.ValidString(joined) && utf8.RuneCountInString(joined) <= limitAlias {
		return joined
	}
	return instance + "/sha256:" + hexHash(joined)
}

// ours says whether an incident carries our tags and our instance in its alias, or in what an
// integration made of the alias.
func (c *Client) ours(alias string, tags []string) bool {
	tag, instance := false, false
	for _, t := range tags {
		tag = tag || t == c.opts.Tag
		instance = instance || t == c.instanceTag()
	}
	return tag && instance && strings.Contains(alias, c.opts.Instance+"/")
}

// ourAlias drops what an integration puts before an alias of ours.
func (c *Client) ourAlias(alias string) string {
	if i := strings.Index(alias, c.opts.Instance+"/"); i > 0 {
		return alias[i:]
	}
	return alias
}

// instanceTag marks what is of this installation.
func (c *Client) instanceTag() string { return "instance_" + c.opts.Instance }

// AlertmanagerAlias returns the alias that Alertmanager's own integration gives the incident of a
// group: the hash of the group's key.
func AlertmanagerAlias(groupKey string) string { return hexHash(groupKey) }

// isAlertmanagerAlias says whether an alias has the form of Alertmanager's.
func isAlertmanagerAlias(alias string) bool {
	b, err := hex.DecodeString(alias)
	return err == nil && len(b) == sha256.Size && strings.ToLower(alias) == alias
}

func hexHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
