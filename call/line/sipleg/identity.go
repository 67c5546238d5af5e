package sipleg

import (
	"context"
	"errors"
	"strings"

	"callbox/call"
	"callbox/sip"
)

// Identify implements call.Identifier: by UPDATE, where the line shows parties and
// the far end takes that.
func (l *Leg) Identify(ctx context.Context, p call.Party) error {
	d := l.line.Load()
	if d == nil || l.cfg.Show == nil {
		return nil
	}
	hs := l.cfg.Show(p, d.Info().Local.String())
	if len(hs) == 0 {
		return nil
	}
	err := d.Identify(ctx, hs)
	if errors.Is(err, sip.ErrState) {
		return nil // it cannot be told
	}
	return ended(err)
}

// identified takes headers in which the far end says who is there now.
func (l *Leg) identified(m *sip.Message) {
	if l.cfg.Believe == nil {
		return
	}
	if p, ok := l.cfg.Believe(m.Headers); ok {
		l.events.party(p)
	}
}

// Asserted is the P-Asserted-Identity header of a party (RFC 3325 §9.1).
func Asserted(p call.Party, host string) sip.Header {
	value := "<sip:" + EscapeUser(p.Number) + "@" + host + ">"
	if p.Name != "" {
		value = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(clean(p.Name)) + `" ` + value
	}
	return sip.Header{Name: "P-Asserted-Identity", Value: value}
}
