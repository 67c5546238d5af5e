package sip

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"callbox/sip/stun"
	"callbox/sip/wire"
)

// stunFake is a STUN server of the test's own. It says what it is told to say.
type stunFake struct {
	pc     *net.UDPConn
	says   atomic.Pointer[netip.AddrPort] // nil: the truth
	silent atomic.Bool
}

func newStunFake(t *testing.T) *stunFake {
	t.Helper()
	pc, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	f := &stunFake{pc: pc}
	done := make(chan struct{})
	t.Cleanup(func() { _ = pc.Close(); <-done })
	go func() {
		defer close(done)
		buf := make([]byte, 2048)
		for {
			n, from, err := pc.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			m, err := stun.Parse(buf[:n])
			if err != nil || f.silent.Load() {
				continue
			}
			a := stun.Answer(m, netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
			if s := f.says.Load(); s != nil {
				a.Mapped = *s
			}
			_, _ = pc.WriteToUDPAddrPort(a.Encode(), from)
		}
	}()
	return f
}

// TestDiscover: the address outside is taken into use, followed when it changes,
// kept when the server is away, and forgotten when there is no NAT.
func TestDiscover(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	f := newStunFake(t)
	one, two := netip.MustParseAddrPort("198.51.100.7:41000"), netip.MustParseAddrPort("198.51.100.8:5060")
	f.says.Store(&one)
	ctx, cancel := context.WithCancel(context.Background())
	told, done := make(chan Discovery, 8), make(chan error, 1)
	go func() {
		at := f.pc.LocalAddr().(*net.UDPAddr).AddrPort()
		done <- s.Discover(ctx, DiscoverConfig{Host: at.Addr().String(), Port: at.Port(), Every: 2 * testT1, OnChange: func(d Discovery) { told <- d }})
	}()
	next := func() Discovery {
		t.Helper()
		select {
		case d := <-told:
			return d
		case <-time.After(patience):
			t.Fatal("nothing was told")
			return Discovery{}
		}
	}
	shown := func() string {
		host, port := s.wire.SentBy("udp", netip.MustParseAddr("203.0.113.9"), wire.Flow{})
		return netip.AddrPortFrom(netip.MustParseAddr(host), port).String()
	}
	if d := next(); d.External != one || shown() != one.String() || s.External() != one.Addr() {
		t.Errorf("%+v, shown %s", d, shown())
	}
	f.says.Store(&two)
	if d := next(); d.External != two || shown() != two.String() {
		t.Errorf("%+v, shown %s", d, shown())
	}
	// Peers in private networks go on seeing our own address.
	if host, _ := s.wire.SentBy("udp", netip.MustParseAddr("192.168.1.9"), wire.Flow{}); host == two.Addr().String() {
		t.Error("a neighbour is shown the address outside")
	}
	f.silent.Store(true)
	if d := next(); d.Err == nil || shown() != two.String() || !strings.Contains(d.Err.Error(), "no answer from the STUN server") {
		t.Errorf("%+v, shown %s", d, shown())
	}
	f.says.Store(nil)
	f.silent.Store(false)
	if d := next(); d.Err != nil || d.External.IsValid() || s.External().IsValid() {
		t.Errorf("%+v, shown %s", d, shown())
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestStunKeepAlive answers a registered phone, and nobody else.
func TestStunKeepAlive(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	userPeer(t, s)
	ask := func(r *raw) (stun.Message, error) {
		t.Helper()
		m := stun.Message{Kind: stun.Request, ID: stun.NewID()}
		r.bytes(m.Encode())
		buf := make([]byte, 2048)
		_ = r.pc.SetReadDeadline(time.Now().Add(4 * testT1))
		n, err := r.pc.Read(buf)
		if err != nil {
			return stun.Message{}, err
		}
		got, err := stun.Parse(buf[:n])
		if got.ID != m.ID {
			t.Errorf("another transaction is answered: %+v", got)
		}
		return got, err
	}
	r := newRaw(t, s)
	if m, err := ask(r); err == nil {
		t.Errorf("a stranger is answered %+v", m)
	}
	r.send(strings.Replace(r.text("REGISTER", "201", "keep"), ";rport", ";rport;keep", 1))
	if v := headerValue(r.response(401), "Via"); !strings.Contains(v, ";keep=25") {
		t.Errorf("a phone that would keep its way open is told %s", v)
	}
	register(t, r, "reg", 200)
	if m, err := ask(r); err != nil || m.Kind != stun.Success || m.Mapped.String() != r.addr() {
		t.Errorf("%+v, %v", m, err)
	}
	// Keep-alives by empty lines, and nonsense, do no harm.
	for _, b := range []string{"\r\n\r\n", "\r\n", "\x00", "\x00\x01\x00\x04\x21\x12\xa4\x42aaaaaaaaaaaa"} {
		r.bytes([]byte(b))
	}
	if m, err := ask(r); err != nil || m.Mapped.String() != r.addr() {
		t.Errorf("%+v, %v", m, err)
	}
}

// TestRegistrationMoves: whoever registers from somewhere else takes the old contact
// away (RFC 3261 §10.2.2).
func TestRegistrationMoves(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	registrar := newRaw(t, s)
	r, err := s.newRegistration(RegistrationConfig{AOR: "sip:box@" + registrar.addr()})
	if err != nil {
		t.Fatal(err)
	}
	once := func() *gosip.Request {
		t.Helper()
		done := make(chan error, 1)
		go func() {
			_, err := r.once(t.Context(), time.Minute)
			done <- err
		}()
		req := registrar.request(gosip.REGISTER)
		registrar.answer(req, 200, "x", "Expires: 60\n", "")
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		return req
	}
	if got := once().GetHeaders("Contact"); len(got) != 1 || strings.Contains(got[0].Value(), "expires=0") {
		t.Errorf("the first contact is %v", got)
	}
	if got := once().GetHeaders("Contact"); len(got) != 1 {
		t.Errorf("the same contact again is %v", got)
	}
	r.bound.Address.Host = "198.51.100.7"
	got := once().GetHeaders("Contact")
	if len(got) != 2 || strings.Contains(got[0].Value(), "198.51.100.7") || !strings.Contains(got[1].Value(), "198.51.100.7") || !strings.Contains(got[1].Value(), ";expires=0") {
		t.Errorf("after the move: %v", got)
	}
	if got := once().GetHeaders("Contact"); len(got) != 1 {
		t.Errorf("it was not forgotten: %v", got)
	}
}

// TestPatience: the only server says nothing; the call ends in the time that was
// given, and what the server says late is dealt with.
func TestPatience(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	server := newRaw(t, s)
	d, err := s.Invite(t.Context(), Invite{Target: "sip:bob@" + server.addr(), From: "alice", SDP: []byte(sdpA), Patience: 4 * testT1})
	if err != nil {
		t.Fatal(err)
	}
	inv := server.request(gosip.INVITE)
	ev := expectEnd(t, d)
	if ev.Status != 408 || ev.By != ByNetwork || ev.Text != "no answer from "+server.addr()+" within "+(4*testT1).String() {
		t.Errorf("%+v", ev)
	}
	server.answer(inv, 200, "late", "", sdpB)
	server.request(gosip.ACK)
	server.answer(server.request(gosip.BYE), 200, "late", "", "")
	drained(t, s)

	// Any word is enough.
	d, err = s.Invite(t.Context(), Invite{Target: "sip:bob@" + server.addr(), From: "alice", SDP: []byte(sdpA), Patience: 4 * testT1})
	if err != nil {
		t.Fatal(err)
	}
	inv = server.request(gosip.INVITE)
	server.answer(inv, 100, "", "", "")
	server.quiet(8 * testT1)
	server.answer(inv, 486, "busy", "", "")
	if ev := expectEnd(t, d); ev.Status != 486 {
		t.Errorf("%+v", ev)
	}
}

// quiet lets time pass in which nothing may come but repetitions.
func (r *raw) quiet(d time.Duration) {
	r.t.Helper()
	for limit := time.Now().Add(d); time.Now().Before(limit); {
		if m, ok := r.message(time.Until(limit)).(*gosip.Request); ok && m.Method != gosip.INVITE {
			r.t.Fatalf("unexpected\n%s", m)
		}
	}
}
