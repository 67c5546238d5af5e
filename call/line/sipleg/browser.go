package sipleg

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"callbox/call"
	"callbox/media/ice"
	"callbox/media/rtp"
	"callbox/media/webrtc"
	"callbox/sip/sdp"
)

// How long a browser may take, or be silent.
const (
	// webSetup is for the way and the keys, from the answer on.
	webSetup = 20 * time.Second
	// webAnswer is how long an answer is kept back for that.
	webAnswer = 3 * time.Second
	// webConsent is how long a browser may show no sign of life (RFC 7675 §5.1);
	// it gives one each 5 s at most.
	webConsent = 30 * time.Second
	// webOrphan is the same when its SIP connection is gone too.
	webOrphan = 8 * time.Second
)

// look is what an offer is looked at with, before there are keys.
func (c Config) look() sdp.Local {
	l := sdp.Local{Codecs: c.codecs(), Security: c.Security, Keys: suites()}
	if c.Identity != nil {
		l.Web = &sdp.Web{}
	}
	return l
}

// browse makes a branch one with a browser.
func (l *Leg) browse(b *branch) {
	tell := func(err error) {
		select {
		case l.keyed <- err:
		default: // what came first counts
		}
	}
	b.web = webrtc.New(webrtc.Config{Identity: l.cfg.Identity, Port: l.audio.stream, Keyed: func() { tell(nil) }, Failed: tell})
	b.local.Web = &sdp.Web{Offer: true, Fingerprint: b.web.Fingerprint()}
	// The lite side of ICE has its own address (RFC 8445 §5.2), and the one outside
	// of a translator where we have that. They are those of the m= line.
	own := netip.AddrPortFrom(b.addr, b.local.Addr.Port())
	for i, a := range []netip.AddrPort{b.local.Addr, own} {
		if i == 0 || a != b.local.Addr {
			b.local.Web.Candidates = append(b.local.Web.Candidates, ice.Text(i, a))
		}
	}
	b.credentials()
}

// credentials brings those of ICE into our session descriptions.
func (b *branch) credentials() {
	c := b.web.Credentials()
	b.local.Web.Ufrag, b.local.Web.Password = c.Ufrag, c.Password
}

// answer answers an offer of the branch's far end.
func (b *branch) answer(offer *sdp.Description) ([]byte, sdp.Media, error) {
	if b.web != nil {
		if m, _, err := offer.Choose(b.local); err == nil {
			b.web.Restart(m.Web.Ufrag)
			b.credentials()
		}
	}
	return b.session.Answer(b.local, offer)
}

// secure gives what protects a stream that was agreed on with a branch, and who finds
// its way, when that is not for us to say.
func (l *Leg) secure(b *branch, m sdp.Media) (rtp.Security, *webrtc.Peer, error) {
	if m.Web.IsZero() {
		s, err := l.keyring.security(m.Crypto)
		return s, nil, err
	}
	if b.web == nil {
		return rtp.Security{}, nil, sdp.ErrSecure
	}
	w := b.local.Web
	w.Active = w.Active || m.Web.Passive
	err := b.web.Start(webrtc.Far{Ufrag: m.Web.Ufrag, Fingerprint: m.Web.Fingerprint, Passive: w.Active})
	return rtp.Security{In: b.web, Out: b.web}, b.web, err
}

// browsing reports whether any branch is one with a browser.
func (l *Leg) browsing() bool {
	for _, b := range l.talk.branches {
		if b.web != nil {
			return true
		}
	}
	return false
}

// waits reports whether the answer is told only when there are keys: what is said
// before would not be heard.
func (l *Leg) waits() bool {
	t := &l.talk
	t.waiting = !t.media.Web.IsZero() && !t.chosen.web.Keyed() && time.Since(t.up) < webAnswer
	return t.waiting
}

// gotKeys is told that there are keys, or why there will be none.
func (l *Leg) gotKeys(err error) {
	if err == nil {
		if l.talk.waiting && !l.talk.ended {
			l.connect()
		}
		return
	}
	if errors.Is(err, webrtc.ErrIdentity) {
		l.fail("the sound of "+l.party()+" cannot be trusted", err)
		return
	}
	l.fail("there is no sound with "+l.party(), err)
}

// superviseBrowser ends an answered leg with a browser that is not there, or whose
// sound does not get through.
func (l *Leg) superviseBrowser(now time.Time) {
	t := &l.talk
	if t.waiting && !t.ended {
		l.connect()
	}
	if !t.answered || t.ended || t.media.Web.IsZero() {
		return
	}
	c := call.Cause{Q850: call.Q850NetworkOutOfOrder, SIP: 408, Who: call.Network}
	heard := t.chosen.web.Heard()
	silent := now.Sub(heard)
	switch {
	case heard.IsZero() && now.Sub(t.up) > webSetup:
		c.Text = fmt.Sprintf("the sound of %s does not reach the box: nothing has arrived on UDP port %d in %v; a firewall may be in the way",
			l.party(), l.audio.port(), webSetup)
	case heard.IsZero():
		return
	case !t.chosen.web.Keyed() && now.Sub(t.up) > webSetup:
		c.Text = fmt.Sprintf("the keys for the sound of %s were not agreed on in %v", l.party(), webSetup)
	case silent > webConsent:
		c.Text = fmt.Sprintf("the browser of %s has shown no sign of life for %v", l.party(), webConsent)
	case silent > webOrphan && !t.chosen.d.Connected():
		c.Text = "the connection to the browser of " + l.party() + " was lost"
	default:
		return
	}
	l.hangup(c)
}
