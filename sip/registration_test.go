package sip

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

// registering runs Register against r and gives its states.
func registering(t testing.TB, s *Stack, cfg RegistrationConfig) (states chan RegState, leave func()) {
	t.Helper()
	states = make(chan RegState, 64)
	cfg.OnState = func(st RegState) { states <- st }
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Register(ctx, cfg) }()
	return states, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func (r *raw) aor() RegistrationConfig {
	return RegistrationConfig{AOR: "sip:alice@" + r.addr(), Auth: Credentials{"alice", "secret"}}
}

func TestRegistrationOfOurs(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	r := newRaw(t, s)
	cfg := r.aor()
	cfg.ContactUser, cfg.Expires = "line1", 300*time.Second
	states, leave := registering(t, s, cfg)
	first := r.request("REGISTER")
	if first.Recipient.String() != "sip:"+r.addr() || !strings.HasPrefix(first.To().String(), "To: <sip:alice@"+r.addr()+">") ||
		headerValue(first, "Expires") != "300" || headerValue(first, "Contact") != "<sip:line1@"+s.Addr("udp").String()+">" {
		t.Errorf("REGISTER:\n%s", first)
	}
	r.answer(first, 401, "t", "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\n", "")
	second := r.request("REGISTER")
	if headerValue(second, "Authorization") == "" || second.CSeq().SeqNo <= first.CSeq().SeqNo || second.CallID().Value() != first.CallID().Value() {
		t.Errorf("REGISTER:\n%s", second)
	}
	r.answer(second, 423, "t", "Min-Expires: 900\n", "")
	third := r.request("REGISTER")
	if headerValue(third, "Expires") != "900" {
		t.Errorf("after 423:\n%s", third)
	}
	// 1 s is granted to our contact, more to another: refreshed after 0.8 s.
	r.answer(third, 200, "t", "Contact: <sip:line1@"+s.Addr("udp").String()+">;expires=1\nExpires: 700\n", "")
	st := <-states
	if !st.Registered || st.Status != 200 || st.Remote.String() != r.addr() || !strings.Contains(st.Text, "for 1 s") {
		t.Errorf("state %+v", st)
	}
	r.answer(r.request("REGISTER"), 200, "t", "Expires: 700\n", "")
	if st := <-states; !strings.Contains(st.Text, "for 700 s") {
		t.Errorf("state %+v", st)
	}
	gone := make(chan struct{})
	go func() { defer close(gone); leave() }()
	last := r.request("REGISTER")
	if headerValue(last, "Expires") != "0" {
		t.Errorf("unregister:\n%s", last)
	}
	r.answer(last, 200, "t", "", "")
	<-gone
	if st := <-states; st.Registered {
		t.Errorf("state %+v", st)
	}
}

func TestRegistrationBacksOff(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	r := newRaw(t, s)
	states, leave := registering(t, s, r.aor())
	var pauses []time.Duration
	for i := range 4 {
		status := []int{503, 403, 500, 401}[i]
		r.answer(r.request("REGISTER"), status, "t", "", "")
		st := <-states
		if st.Registered || st.Status != status || !strings.Contains(st.Text, fmt.Sprint("refused with ", status)) {
			t.Errorf("state %+v", st)
		}
		pauses = append(pauses, time.Until(st.Retry))
	}
	for i := 1; i < len(pauses); i++ {
		base := 4 * testT1 << i
		if pauses[i] > base*5/4 || pauses[i] < base/2 {
			t.Errorf("pause %d is %v, about %v expected", i, pauses[i], base)
		}
	}
	r.answer(r.request("REGISTER"), 200, "t", "", "")
	if st := <-states; !st.Registered {
		t.Errorf("state %+v", st)
	}
	started := time.Now()
	leave() // nobody answers the last one
	if took := time.Since(started); took > 4*testT1+2*time.Second {
		t.Errorf("leaving took %v", took)
	}
}

// TestRegistrationSurvivesRestart loses its TCP connection and comes back.
func TestRegistrationSurvivesRestart(t *testing.T) {
	t.Parallel()
	box := startStack(t)
	_, changes := userPeer(t, box)
	phone := startStack(t)
	states, leave := registering(t, phone, RegistrationConfig{AOR: "sip:201@" + box.Addr("tcp").String(), Auth: Credentials{"201", userPass}, Transport: "tcp"})
	b := (<-changes)[0]
	if st := <-states; !st.Registered {
		t.Errorf("state %+v", st)
	}
	b.flow.Close()
	if st := <-states; !st.Registered {
		t.Errorf("state %+v", st)
	}
	eventually(t, "a second connection", func() bool { return box.Counters().Connections == 2 })
	leave()
	eventually(t, "unregistered", func() bool { return len(box.Bindings("201")) == 0 })
}

func TestWrongRegistrations(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	for _, cfg := range []RegistrationConfig{{}, {AOR: "sip:127.0.0.1"}, {AOR: "sip:a@b", Registrar: "sip:"}, {AOR: "sip:a@b", Proxy: "sip:x y"}} {
		if err := s.Register(t.Context(), cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
	states, leave := registering(t, s, RegistrationConfig{AOR: "sip:a@does-not-exist.invalid"})
	if st := <-states; st.Registered || st.Status != 0 || st.Text == "" {
		t.Errorf("state %+v", st)
	}
	leave()
}

// TestRegistrarIsPinged every 25 s, so that a NAT keeps the way back open.
func TestRegistrarIsPinged(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, n *memNet) {
		s := n.stack(t)
		r := n.raw(t, s)
		states, leave := registering(t, s, r.aor())
		defer leave()
		if b, err := r.read(time.Minute); err != nil || !strings.HasPrefix(string(b), "REGISTER ") {
			t.Fatalf("came %q, %v", b, err)
		} else if m, err := gosip.ParseMessage(b); err != nil {
			t.Fatal(err)
		} else {
			r.answer(m.(*gosip.Request), 200, "t", "Expires: 300\n", "")
		}
		<-states
		began := time.Now()
		for i := range 3 {
			b, err := r.read(time.Minute)
			if took, want := time.Since(began), time.Duration(i+1)*25*time.Second; err != nil || string(b) != ping || took != want {
				t.Errorf("came %q, %v after %v, want a ping after %v", b, err, took, want)
			}
		}
	})
}

// TestOneConnection: what goes to one place over TCP shares a connection, which the box
// keeps open by pings.
func TestOneConnection(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	states, leave := registering(t, s, RegistrationConfig{AOR: "sip:alice@" + ln.Addr().String(), Transport: "tcp"})
	nc, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	r := &raw{t: t, pc: &streamConn{Conn: nc, rd: bufio.NewReader(nc)}, to: s, seen: map[string]bool{}}
	r.answer(r.request("REGISTER"), 200, "t", "Expires: 300\n", "")
	if st := <-states; !st.Registered {
		t.Errorf("state %+v", st)
	}
	d, err := s.Invite(t.Context(), Invite{Target: "sip:bob@" + ln.Addr().String() + ";transport=tcp", From: "alice", SDP: []byte(sdpA)})
	if err != nil {
		t.Fatal(err)
	}
	r.answer(r.request("INVITE"), 486, "t", "", "")
	r.request("ACK")
	expectEnd(t, d)
	if b, err := r.read(patience); err != nil || string(b) != ping {
		t.Errorf("came %q, %v, want a ping", b, err)
	}
	if c := s.Counters(); c.Connections != 1 {
		t.Errorf("%d connections were made", c.Connections)
	}
	leaving := make(chan struct{})
	go func() { defer close(leaving); leave() }()
	r.answer(r.request("REGISTER"), 200, "t", "", "")
	<-leaving
}

// streamConn is the connection of a raw over TCP: each read gives one message or ping.
type streamConn struct {
	net.Conn
	rd *bufio.Reader
}

func (c *streamConn) WriteToUDPAddrPort(b []byte, _ netip.AddrPort) (int, error) { return c.Write(b) }

func (c *streamConn) Read(b []byte) (int, error) {
	n, length := 0, 0
	for {
		line, err := c.rd.ReadString('\n')
		n += copy(b[n:], line)
		if err != nil {
			return n, err
		}
		if v, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			if length, err = strconv.Atoi(strings.TrimSpace(v)); err != nil {
				return n, err
			}
		}
		if line == "\r\n" && n > len(line) {
			break
		}
	}
	m, err := io.ReadFull(c.rd, b[n:n+length])
	return n + m, err
}
