package sipleg

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"callbox/call"
	"callbox/sip"
	"callbox/sip/sdp"
)

// Inviter places dialogs; *sip.Stack is one.
type Inviter interface {
	Invite(ctx context.Context, inv sip.Invite) (*sip.Dialog, error)
}

// Outgoing is what a leg to be dialled needs.
type Outgoing struct {
	// Invites has one entry per phone or gateway to ring together; the SDP is
	// filled in here.
	Invites []Invite
	// Codecs is the caller's preference, before the line's; Pass as in call.Dial.
	Codecs []string
	Pass   bool
	// To, From and FromName go into the leg's Info.
	To, From, FromName string
}

// Invite is one INVITE of an outgoing leg.
type Invite struct {
	sip.Invite
	// Local is the address for its session description, which its sound comes from:
	// the one that this far end knows us by, or that the kernel uses towards it.
	Local netip.Addr
	// Remote is the far end's address, as well as it is known.
	Remote netip.Addr
}

// Dial starts an outgoing leg. It returns when at least one INVITE is on its
// way; if none is, the error is a call.Cause. ctx bounds only that.
func (g *Group) Dial(ctx context.Context, stack Inviter, o Outgoing) (*Leg, error) {
	if err := g.reserve(false); err != nil {
		return nil, err
	}
	l, err := newLeg(g, call.LegInfo{
		Line: g.cfg.Line, Kind: g.cfg.Kind, From: o.From, FromName: o.FromName, To: o.To, Started: time.Now(),
	})
	if err != nil {
		g.released(false)
		return nil, err
	}
	branches, err := l.invite(ctx, stack, o)
	if err == nil && len(branches) > 0 {
		di := branches[0].d.Info()
		l.info.CallID, l.info.Remote = di.CallID, di.Remote.String()
		l.log = l.log.With("leg", di.CallID)
		l.log.Info("leg dialled", "to", masked(o.To), "remote", l.info.Remote, "branches", len(branches))
		if err = g.joined(l); err == nil {
			l.start(branches...)
			return l, nil
		}
		for _, b := range branches {
			b.d.Hangup(sip.Reason{Q850: call.Q850OutOfOrder})
		}
	} else {
		err = notPlaced(g.cfg, err)
	}
	l.audio.close()
	g.released(false)
	return nil, err
}

// invite sends the INVITEs. The error is that of the first that failed, nil
// when any was sent.
func (l *Leg) invite(ctx context.Context, stack Inviter, o Outgoing) ([]*branch, error) {
	var branches []*branch
	var first error
	for _, inv := range o.Invites {
		b := l.newBranch(inv.Local, inv.Remote, o.Codecs, o.Pass)
		if l.cfg.Identity != nil && inv.Route == "" && inv.Binding != nil && inv.Binding.Web() {
			l.browse(b)
		}
		offer, err := b.session.Offer(b.local)
		if err == nil {
			inv.SDP, inv.Terms = offer, l.cfg.Terms
			inv.Offer = func(local, remote netip.Addr) []byte { return sdp.Readdress(offer, l.cfg.shown(local, remote)) }
			b.d, err = stack.Invite(ctx, inv.Invite)
		}
		if err == nil {
			b.d.Bind(l)
			branches = append(branches, b)
		} else if first == nil {
			first = err
		}
	}
	if len(branches) > 0 {
		first = nil
	}
	return branches, first
}

// notPlaced is the cause of a leg whose INVITE could not be sent.
func notPlaced(cfg Config, err error) call.Cause {
	c := call.Cause{Q850: call.Q850NetworkOutOfOrder, SIP: 503, Who: call.Network}
	switch {
	case err == nil:
		c = call.Cause{Q850: call.Q850Absent, SIP: 480, Who: call.Box, Text: cfg.Title + " has nobody to ring"}
	case errors.Is(err, sip.ErrLimit):
		c = call.Cause{Q850: call.Q850Congestion, SIP: 503, Who: call.Box, Text: "the box has too many SIP calls at once"}
	case errors.Is(err, sip.ErrClosed):
		c = call.Cause{Q850: call.Q850OutOfOrder, SIP: 503, Who: call.Box, Text: "the SIP stack is not running"}
	case errors.Is(err, sip.ErrTransport): // as when that comes to light a moment later
		c.Text = cfg.Title + " cannot be reached (" + strings.TrimPrefix(err.Error(), sip.ErrTransport.Error()+": ") + ")"
	default:
		c.Text = cfg.Title + " cannot be called: " + strings.TrimPrefix(err.Error(), "sip: ")
	}
	return c
}

// masked hides the middle of a number in logs.
func masked(s string) string {
	if len(s) <= 6 {
		return s
	}
	return s[:3] + "…" + s[len(s)-2:]
}

// early is a session description before the answer: sound from the first
// branch that has any.
func (l *Leg) early(b *branch, body []byte) {
	if l.talk.answered || len(body) == 0 {
		return
	}
	m, err := b.session.Accept(b.local, body)
	if err != nil {
		l.log.Info("early media refused", "err", err)
		return
	}
	b.early = true
	for _, other := range l.talk.branches {
		if other != b && other.early && !other.ended {
			return // somebody else is being listened to
		}
	}
	if err := l.agree(b, m); err != nil {
		l.log.Info("early media refused", "err", err)
		return
	}
	l.events.once(call.LegEarly)
}

// farAnswered is the 200 of a branch. The others are told that the call was
// answered elsewhere (RFC 3326 §2), so that they do not show it as missed.
func (l *Leg) farAnswered(b *branch, body []byte) {
	t := &l.talk
	if t.answered {
		return
	}
	t.chosen = b
	for _, other := range t.branches {
		if other != b && !other.ended {
			other.d.Hangup(sip.Reason{SIP: 200, Q850: 26, Text: "Call completed elsewhere"})
		}
	}
	m, err := b.session.Accept(b.local, body)
	if err == nil {
		err = l.agree(b, m)
	}
	if err != nil {
		l.fail(l.party()+" answered, but the sound cannot be agreed on", err)
		return
	}
	l.connect()
}
