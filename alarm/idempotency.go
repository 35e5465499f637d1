package alarm

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// IdempotencyKey names what a delivery says, and the decision to say it. Every attempt at one intention
// that says the same has the same key: one made again because an answer was late, after a kill, or by
// another server. A reminder of the same has another. A remote that is given the key can drop a delivery
// whose key is that of the last one that it accepted for the same IntentionKey; not one that it saw before
// that, for what ended in between may fire again. The key is 32 hexadecimal digits.
func (d *Delivery) IdempotencyKey() string {
	b := fmt.Appendf(nil, "%d %q %q\n", d.ID, []string{d.Key.Receiver, d.Key.Integration, d.Key.Group, d.Told.Note}, d.Notes)
	for i := range d.Alerts {
		a := &d.Alerts[i]
		ends := int64(0)
		if !a.EndsAt.IsZero() {
			ends = a.EndsAt.UnixMilli()
		}
		for _, n := range [...]uint64{
			uint64(a.Fingerprint()), Hash(a.Annotations), uint64(a.StartsAt.UnixMilli()), uint64(ends), uint64(len(a.GeneratorURL)),
		} {
			b = binary.LittleEndian.AppendUint64(b, n)
		}
		b = append(b, a.GeneratorURL...)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}
