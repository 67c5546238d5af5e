package wire

import (
	"fmt"
	"net/netip"

	"callbox/sip/stun"
)

// maxBinds bounds the questions that wait for STUN servers.
const maxBinds = 16

// How often a STUN server is asked, each time after twice as long, and for how many
// times T1 the last answer is waited for (RFC 8489 §6.2.1).
const (
	bindTries = 7
	bindLast  = 16
)

// external is what peers outside of a NAT see of us.
type external struct {
	host string
	udp  uint16 // port of SIP over UDP there; 0: our own
}

// SetExternal changes what is shown to peers with public addresses: a host, and the
// port of SIP over UDP, or 0 for our own. An empty host: our own address.
func (l *Layer) SetExternal(host string, udp uint16) {
	if host == "" {
		l.external.Store(nil)
		return
	}
	l.external.Store(&external{host: host, udp: udp})
}

// External is the host of SetExternal, or empty.
func (l *Layer) External() string {
	if e := l.external.Load(); e != nil {
		return e.host
	}
	return ""
}

// bind is a question to a STUN server.
type bind struct {
	id     stun.ID
	server netip.AddrPort
	flow   Flow
	raw    []byte
	on     func(mapped netip.AddrPort, err error)
	tries  int
	timer  *Timer
}

// Bind asks a STUN server which address it sees the SIP socket under. on is told
// once, never during Bind, and must not block; the error is ErrTimeout, or says
// what the server has against the question.
func (l *Layer) Bind(server netip.AddrPort, on func(mapped netip.AddrPort, err error)) error {
	s, local := l.socketFor(server.Addr(), netip.Addr{})
	if s == nil {
		return fmt.Errorf("%w: no UDP socket for %s", ErrTransport, server)
	}
	b := &bind{id: stun.NewID(), server: server, on: on}
	b.flow = Flow{Transport: UDP, Local: netip.AddrPortFrom(local, s.bound.Port()), Remote: server, sock: s}
	b.raw = stun.Message{Kind: stun.Request, ID: b.id}.Encode()
	l.mu.Lock()
	switch {
	case l.closed:
		l.mu.Unlock()
		return ErrClosed
	case len(l.binds) >= maxBinds:
		l.mu.Unlock()
		return fmt.Errorf("%w: too many questions to STUN servers", ErrState)
	}
	l.binds[b.id] = b
	l.mu.Unlock()
	l.ask(b)
	return nil
}

// ask sends the question, again and again. A send that fails counts as lost: the
// network may come back.
func (l *Layer) ask(b *bind) {
	_ = b.flow.sock.write(b.raw, b.server, b.flow.Local.Addr())
	wait := l.cfg.T1 << b.tries
	b.tries++
	if b.tries == bindTries {
		wait = bindLast * l.cfg.T1
	}
	timer := l.After(wait, func() {
		switch {
		case b.tries < bindTries:
			if l.waits(b) {
				l.ask(b)
			}
		case l.unbind(b.id, b.server) != nil:
			b.on(netip.AddrPort{}, ErrTimeout)
		}
	})
	l.mu.Lock()
	b.timer = timer
	gone := l.binds[b.id] != b
	l.mu.Unlock()
	if gone {
		timer.Stop()
	}
}

func (l *Layer) waits(b *bind) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.binds[b.id] == b
}

// unbind takes a question out of the table; nil when there is none to that server.
func (l *Layer) unbind(id stun.ID, server netip.AddrPort) *bind {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.binds[id]
	if b == nil || b.server != server {
		return nil
	}
	delete(l.binds, id)
	b.timer.Stop()
	return b
}

// stun takes a STUN message: the answer to a question of ours, or a telephone's,
// which keeps the way through its NAT open (RFC 5626 §4.4.2). Strangers get no answer.
func (l *Layer) stun(raw []byte, flow Flow) {
	l.count.received.Add(1)
	m, err := stun.Parse(raw)
	switch {
	case err != nil:
		l.count.malformed.Add(1)
	case m.Kind == stun.Request && l.handler.Known(flow):
		_ = flow.sock.write(stun.Answer(m, flow.Remote).Encode(), flow.Remote, flow.Local.Addr())
	case m.Kind == stun.Success || m.Kind == stun.Error:
		b := l.unbind(m.ID, flow.Remote)
		switch {
		case b == nil:
		case m.Kind == stun.Error || !m.Mapped.IsValid():
			b.on(netip.AddrPort{}, fmt.Errorf("the STUN server %s answers %d", flow.Remote, m.Status))
		default:
			b.on(m.Mapped, nil)
		}
	}
}
