package trunk

import (
	"context"
	"fmt"
	"strings"

	"callbox/call"
	"callbox/call/line/sipleg"
	"callbox/sip"
)

// isDown notes why the far end cannot be called; "" that it can.
func (l *Line) isDown(why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = why
}

// usable is the cause of a call on a trunk whose far end is known to be away: it
// fails at once, and the route goes on.
func (l *Line) usable() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down == "" {
		return nil
	}
	return call.Cause{Q850: call.Q850OutOfOrder, SIP: 503, Who: call.Network, Text: fmt.Sprintf("trunk %s is down: %s", l.cfg.ID, l.down)}
}

// keepAlive asks the far end whether it is there, until ctx ends.
func (l *Line) keepAlive(ctx context.Context) {
	err := l.stack.KeepAlive(ctx, sip.KeepAliveConfig{
		Target: "sip:" + l.cfg.Host + l.cfg.transportParam(), Route: l.cfg.Proxy, Transport: l.cfg.Transport, Every: l.cfg.KeepAlive, Host: l.cfg.ContactHost,
		OnState: func(st sip.PeerState) {
			switch {
			case !st.Up:
				l.isDown(st.Text)
				l.setStatus(false, "down: "+st.Text)
			case !l.cfg.Register:
				l.isDown("")
				l.setStatus(true, fmt.Sprintf("ready to call %s: %s", l.cfg.Host, st.Text))
			default: // the registration tells the rest
				l.isDown("")
			}
		},
	})
	if err != nil { // Validate has seen the addresses
		l.log.Error("the far end cannot be asked whether it is there", "err", err)
	}
}

// expect is Serve of a trunk whose far end registers with the box.
func (l *Line) expect(ctx context.Context, in call.Receiver) error {
	const waiting = "waiting for the far end to register"
	l.setStatus(false, waiting)
	p := l.peer(nil, in)
	p.Register, p.Exchange = true, true
	p.Bindings = func(list []sip.Binding) {
		if len(list) == 0 {
			l.setStatus(false, waiting)
			return
		}
		l.setStatus(true, fmt.Sprintf("the far end is registered from %s", list[0].Source))
	}
	remove, err := l.stack.AddPeer(p)
	if err != nil {
		return fmt.Errorf("trunk %s: %w", l.cfg.ID, err)
	}
	<-ctx.Done()
	remove()
	return nil
}

// dialRegistered calls a number at the contact that the far end has registered
// last.
func (l *Line) dialRegistered(ctx context.Context, inv sip.Invite, d call.Dial) (call.Leg, error) {
	list := l.stack.Bindings(l.cfg.InUsername)
	if len(list) == 0 {
		return nil, call.Cause{
			Q850: call.Q850OutOfOrder, SIP: 503, Who: call.Network,
			Text: fmt.Sprintf("trunk %s is down: the far end is not registered", l.cfg.ID),
		}
	}
	b := list[0]
	for _, o := range list[1:] {
		if o.Expires.After(b.Expires) {
			b = o
		}
	}
	inv.Binding = &b
	if inv.Route == "" && !isURI(d.To) {
		inv.Target = "sip:" + sipleg.EscapeUser(d.To) + "@" + sipleg.HostOf(b.Contact)
		if _, params, ok := strings.Cut(b.Contact, ";"); ok {
			inv.Target += ";" + strings.TrimSuffix(params, ">")
		}
	}
	return place(ctx, l.stack, l.legs, sipleg.Invite{Invite: inv, Local: b.Local, Remote: b.Source.Addr()}, d)
}
