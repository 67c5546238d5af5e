package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// TestBigInvitePrefersTCP, and takes UDP where there is no TCP.
func TestBigInvitePrefersTCP(t *testing.T) {
	t.Parallel()
	big := sdpA + strings.Repeat("a=x-filler:0123456789\r\n", 80)
	s, b := startStack(t), startStack(t, func(c *Config) { c.TCP = []string{"127.0.0.1:0"} })
	in := trunkPeer(t, b)
	// b has TCP at another port than UDP, so the same port refuses.
	for range 2 {
		out, err := s.Invite(t.Context(), Invite{Target: uriOf(b, "bob", "udp"), From: "alice", SDP: []byte(big)})
		if err != nil {
			t.Fatal(err)
		}
		arrived := in.take(t)
		if got := arrived.Info(); got.Transport != "udp" || string(got.Offer) != big {
			t.Errorf("arrived by %s, %d bytes", got.Transport, len(got.Offer))
		}
		arrived.Reject(486, Reason{})
		expectEnd(t, out)
	}
	both := startStack(t, func(c *Config) { c.UDP, c.TCP = samePort(t) })
	in = trunkPeer(t, both)
	c := startStack(t)
	out, err := c.Invite(t.Context(), Invite{Target: uriOf(both, "bob", "udp"), From: "alice", SDP: []byte(big)})
	if err != nil {
		t.Fatal(err)
	}
	arrived := in.take(t)
	if got := arrived.Info().Transport; got != "tcp" {
		t.Errorf("arrived by %s", got)
	}
	if err := arrived.Answer([]byte(sdpB)); err != nil {
		t.Fatal(err)
	}
	expect(t, out, Answered)
	out.Hangup(Reason{})
	expectEnd(t, arrived)
}

// samePort finds a port that is free for UDP and TCP.
func samePort(t testing.TB) (udp, tcp []string) {
	t.Helper()
	for range 50 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := ln.Addr().String()
		pc, err := net.ListenPacket("udp", addr)
		_ = ln.Close()
		if err == nil {
			_ = pc.Close()
			return []string{addr}, []string{addr}
		}
	}
	t.Fatal("no port is free for both")
	return nil, nil
}

// TestLostConnections: nobody listens; the far end dies while ringing; and
// while a BYE is due.
func TestLostConnections(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	d, err := s.Invite(t.Context(), Invite{Target: "sip:bob@" + addr + ";transport=tcp", SDP: []byte(sdpA)})
	if err != nil {
		t.Fatal(err)
	}
	if ev := expectEnd(t, d); ev.By != ByNetwork || ev.Status != 503 {
		t.Errorf("nobody listens: %+v", ev)
	}
	for _, up := range []bool{false, true} {
		b, err := New(Config{TCP: []string{"127.0.0.1:0"}, T1: testT1})
		if err != nil {
			t.Fatal(err)
		}
		ctx, kill := context.WithCancel(t.Context())
		dead := make(chan struct{})
		go func() { _ = b.Serve(ctx); close(dead) }()
		in := trunkPeer(t, b)
		out, arrived := callPair(t, s, b, in, "tcp")
		_ = arrived.Ring(180, nil)
		expect(t, out, Ringing)
		if up {
			_ = arrived.Answer([]byte(sdpB))
			expect(t, out, Answered)
			expect(t, arrived, Confirmed)
		}
		forgetDialogs(b) // as if killed: it says nothing
		kill()
		<-dead
		if up {
			out.Hangup(Reason{})
		}
		want := ByNetwork
		if up {
			want = ByLocal
		}
		if ev := expectEnd(t, out); ev.By != want {
			t.Errorf("answered %v: %+v", up, ev)
		}
	}
	drained(t, s)
}

// forgetDialogs makes a stack die without a word to anybody.
func forgetDialogs(s *Stack) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.dialogs)
}

// TestStalledConnection is a TCP peer that takes bytes and never speaks: the
// request times out and the connection is given up.
func TestStalledConnection(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	d, err := s.Invite(t.Context(), Invite{Target: "sip:bob@" + ln.Addr().String() + ";transport=tcp", SDP: []byte(sdpA)})
	if err != nil {
		t.Fatal(err)
	}
	if ev := expectEnd(t, d); ev.Status != 408 || ev.By != ByNetwork {
		t.Errorf("end %+v", ev)
	}
	eventually(t, "the connection is closed", func() bool { return s.Counters().Conns == 0 })
}

// TestUntrustedCertificate is refused on the way out.
func TestUntrustedCertificate(t *testing.T) {
	t.Parallel()
	b := startStack(t, withTLS(t))
	trunkPeer(t, b)
	// It trusts the system's authorities only; reading those takes its time.
	s := startStack(t, func(c *Config) { c.T1 = 500 * time.Millisecond })
	d, err := s.Invite(t.Context(), Invite{Target: uriOf(b, "bob", "tls"), SDP: []byte(sdpA)})
	if err != nil {
		t.Fatal(err)
	}
	if ev := expectEnd(t, d); ev.Status != 503 || !strings.Contains(ev.Text, "certificate") {
		t.Errorf("end %+v", ev)
	}
}

func TestUndrainedEventsNeverBlock(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	r := newRaw(t, s)
	d, inv := r.ring()
	for i := range 2 * maxEvents {
		r.answer(inv, 183, "t", "", strings.Replace(sdpB, "bob 1 1", fmt.Sprint("bob 1 ", i), 1))
	}
	r.answer(inv, 200, "t", "", sdpB)
	r.request("ACK")
	d.Hangup(Reason{})
	r.answer(r.request("BYE"), 200, "", "", "")
	eventually(t, "the dialog is gone", func() bool { return s.Counters().Dialogs == 0 })
	seen := map[EventType]int{}
	for ev := range d.Events() {
		seen[ev.Type]++
	}
	if seen[Answered] != 1 || seen[Ended] != 1 || s.Counters().EventsDropped == 0 {
		t.Errorf("seen %v, dropped %d", seen, s.Counters().EventsDropped)
	}
}

func TestReinviteEndsWithContextAndDialog(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	r := newRaw(t, s)
	d, inv := r.ring()
	if _, err := d.Reinvite(t.Context(), []byte(sdpA)); !errors.Is(err, ErrState) {
		t.Errorf("before the answer: %v", err)
	}
	r.answer(inv, 200, "t", "", sdpB)
	expect(t, d, Answered)
	ctx, cancel := context.WithTimeout(t.Context(), testT1)
	defer cancel()
	if _, err := d.Reinvite(ctx, []byte(sdpA)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a deadline: %v", err)
	}
	if _, err := d.Reinvite(t.Context(), []byte(sdpA)); !errors.Is(err, ErrState) {
		t.Errorf("a second one: %v", err)
	}
	re := r.request("INVITE")
	for re.CSeq().SeqNo == inv.CSeq().SeqNo {
		re = r.request("INVITE")
	}
	r.answer(re, 200, "", "", sdpB)
	for r.request("ACK").CSeq().SeqNo != re.CSeq().SeqNo {
	}
	got := make(chan error, 1)
	go func() {
		_, err := d.Reinvite(t.Context(), []byte(sdpA))
		got <- err
	}()
	r.request("INVITE")
	d.Hangup(Reason{})
	r.answer(r.request("BYE"), 200, "", "", "")
	if err := <-got; !errors.Is(err, ErrEnded) {
		t.Errorf("after the end: %v", err)
	}
	expectEnd(t, d)
}
