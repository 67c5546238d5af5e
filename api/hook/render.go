package hook

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"callbox/api"
	"callbox/call"
)

// MaxPayload is the largest stored notice, in bytes. A larger one is dropped,
// counted and logged; what makes callbacks large is bounded where it comes in.
const MaxPayload = 32 << 10

// Render gives the notices that ev owes to its receivers, in order, ready for
// the outbox. It does no I/O.
func (d *Deliverer) Render(ev call.Event) []call.Notice {
	name, account, key := ev.Record.API, ev.Record.Account, ev.Record.ID
	if ev.Recording != nil && name == "" {
		name, account, key = ev.Recording.API, ev.Recording.Account, ev.Recording.Call
	}
	dialect, ok := d.client.dialects[name]
	if !ok {
		return nil
	}
	var out []call.Notice
	for _, o := range dialect.Callback(ev) {
		payload, err := json.Marshal(fill(o, account, name))
		if err == nil && len(payload) > MaxPayload {
			err = fmt.Errorf("it takes %d bytes, the limit is %d", len(payload), MaxPayload)
		}
		if err != nil {
			d.counters.oversize.Add(1)
			d.client.log.Error("status callback cannot be stored", "call", key, "url", publicURL(o.URL), "err", err)
			continue
		}
		out = append(out, call.Notice{Key: key, Created: ev.At, Payload: payload})
	}
	return out
}

// unpack reads a payload that Render made.
func unpack(payload []byte) (api.Outgoing, error) {
	var o api.Outgoing
	if err := json.Unmarshal(payload, &o); err != nil {
		return o, fmt.Errorf("stored notice: %w", err)
	}
	return o, nil
}

// newToken makes a random value in the form of a UUID, version 4 (RFC 9562 §5.4).
func newToken() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand since Go 1.24)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
