package sip

import (
	"context"

	gosip "github.com/emiago/sipgo/sip"
)

// Identify tells the far end of an answered dialog by headers, P-Asserted-Identity
// above all, whom it speaks to now: in an UPDATE that changes nothing else (RFC 3311,
// RFC 3325 §9). It waits for the answer; a far end that does not take UPDATE is told
// nothing, and the error is ErrState.
func (d *Dialog) Identify(ctx context.Context, hs []Header) error {
	if err := checkHeaders(hs); err != nil {
		return err
	}
	done := make(chan *reanswer, 2)
	if err := d.identify(ours{method: gosip.UPDATE, headers: hs, done: done, spare: true}); err != nil {
		return err
	}
	select {
	case r := <-done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *Dialog) identify(o ours) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.session.update {
		return ErrState
	}
	return d.ask(o)
}

// identified tells who the far end says is there now. It is called with mu held.
func (d *Dialog) identified(req *gosip.Request) {
	value := ""
	for _, name := range []string{"P-Asserted-Identity", "Remote-Party-ID"} {
		for _, h := range req.GetHeaders(name) {
			value += h.Value() + "\n"
		}
	}
	if value == "" || value == d.session.party {
		return
	}
	d.session.party = value
	d.emit(DialogEvent{Type: Identified, Message: &Message{Method: string(req.Method), Headers: headersOf(req)}})
}
