package alarm

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// IdempotencyKey names what a delivery says, and the decision to say it. Every attempt at one intention
// that says the same has the same key: one made again because an answer was late, after a kill, or by
// another server. Any other delivery has another, also one that reminds of the same. A remote that is given
// the key can drop what it has already. The key is 32 hexadecimal digits.
func (d *Delivery) IdempotencyKey() string {
	h := sha256.New()
	fmt.Fprintf(h, "%d %q %q\n", d.ID, []string{d.Key.Receiver, d.Key.Integration, d.Key.Group, d.Told.Note}, d.Notes)
	for i := range d.Alerts {
		a := &d.Alerts[i]
		ends := int64(0)
		if !a.EndsAt.IsZero() {
			ends = a.EndsAt.UnixMilli()
		}
		fmt.Fprintf(h, "%x %x %d %d %q\n", Hash(a.Labels), Hash(a.Annotations), a.StartsAt.UnixMilli(), ends, a.GeneratorURL)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
