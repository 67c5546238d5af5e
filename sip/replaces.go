package sip

import (
	"maps"
	"slices"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

// replacing reads the Replaces header of an arriving INVITE (RFC 3891 §3): the
// dialog that the new one is to replace, or the status that refuses it.
func (s *Stack) replacing(req *gosip.Request) (d *Dialog, status int) {
	hs := req.GetHeaders("Replaces")
	switch {
	case len(hs) == 0:
		return nil, 0
	case len(hs) > 1 || len(req.GetHeaders("Join")) > 0:
		return nil, 400
	}
	return s.replaced(hs[0].Value())
}

// replaced finds the dialog that a Replaces header names, or the status that
// refuses the INVITE with it. No dialog's lock may be held.
func (s *Stack) replaced(value string) (*Dialog, int) {
	parts := strings.Split(value, ";")
	callID := strings.TrimSpace(parts[0])
	var ours, theirs string
	early := false
	for _, p := range parts[1:] {
		name, v, _ := strings.Cut(strings.TrimSpace(p), "=")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "to-tag":
			ours = strings.TrimSpace(v)
		case "from-tag":
			theirs = strings.TrimSpace(v)
		case "early-only":
			early = true
		}
	}
	if callID == "" || ours == "" || theirs == "" {
		return nil, 400
	}
	s.mu.Lock()
	d := s.dialogs[ours]
	if d == nil && s.dialogs[theirs] != nil { // who read of the dialog may have taken the one tag for the other
		ours, theirs = theirs, ours
		d = s.dialogs[ours]
	}
	until, gone := s.gone[ours]
	s.mu.Unlock()
	if d == nil && s.cfg.Elsewhere != nil {
		if v := s.cfg.Elsewhere(callID); v != nil {
			d = &Dialog{s: s, info: DialogInfo{CallID: callID}} // it stands for the other call and is in no table
			d.Bind(v)
			return d, 0
		}
	}
	if d == nil || d.info.CallID != callID {
		if gone && d == nil && time.Now().Before(until) {
			return nil, 603
		}
		return nil, 481
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.replaceable(theirs, early)
}

// replaceable says whether the dialog with the far end's tag can be replaced. It
// is called with mu held.
func (d *Dialog) replaceable(tag string, earlyOnly bool) (*Dialog, int) {
	calling := d.state == dsCalling
	switch {
	case calling && d.early[tag] == nil, !calling && d.path.remoteTag != tag:
		return nil, 481
	case d.state == dsEnding || d.state == dsOver || d.told:
		return nil, 603
	case d.state == dsInvited: // early, and not begun by us
		return nil, 481
	case !calling && earlyOnly:
		return nil, 486
	}
	return d, 0
}

// EarlyDialog names a call of ours that rings, for whoever may take its place.
type EarlyDialog struct{ CallID, LocalTag, RemoteTag string }

// Ringing finds the early dialog of an outgoing call by its Call-ID, or another one of
// the same leg (Bind), which rings at several places.
func (s *Stack) Ringing(callID string) (e EarlyDialog, ok bool) {
	s.mu.Lock()
	ds := s.live()
	s.mu.Unlock()
	slices.SortFunc(ds, func(a, b *Dialog) int { return strings.Compare(a.localTag, b.localTag) }) // always the same one
	var leg any
	for _, d := range ds {
		if d.info.CallID == callID && !d.info.Inbound {
			if e, ok = d.earlyDialog(); ok {
				return e, true
			}
			leg = d.Bound()
		}
	}
	if leg == nil {
		return EarlyDialog{}, false
	}
	for _, d := range ds {
		if d.info.CallID != callID && d.Bound() == leg {
			if e, ok = d.earlyDialog(); ok {
				return e, true
			}
		}
	}
	return EarlyDialog{}, false
}

func (d *Dialog) earlyDialog() (EarlyDialog, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state != dsCalling || d.told || len(d.early) == 0 {
		return EarlyDialog{}, false
	}
	return EarlyDialog{d.info.CallID, d.localTag, slices.Min(slices.Collect(maps.Keys(d.early)))}, true
}

// Bind leaves v with the dialog: what its user made of it, for whoever is told of
// the dialog by another one. It is called once.
func (d *Dialog) Bind(v any) { d.bound.Store(&v) }

// Bound is what Bind left, nil when nothing was.
func (d *Dialog) Bound() any {
	if v := d.bound.Load(); v != nil {
		return *v
	}
	return nil
}
