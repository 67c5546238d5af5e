package sip

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestCallOverEachTransport(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp", "tls"} {
		for _, hangup := range []string{"caller", "callee"} {
			t.Run(transport+" "+hangup+" hangs up", func(t *testing.T) {
				t.Parallel()
				a, b := startStack(t, withTLS(t)), startStack(t, withTLS(t))
				in := trunkPeer(t, b)
				out, arrived := callPair(t, a, b, in, transport)
				info := arrived.Info()
				if info.From != "alice" || info.FromName != `Alice "A" Example` || info.To != "bob" || !info.Inbound ||
					info.Peer != "trunk" || info.Transport != transport || string(info.Offer) != sdpA || info.CallID != out.Info().CallID {
					t.Errorf("info %+v", info)
				}
				if got := out.Info(); got.Local.String() != "127.0.0.1" || got.Remote != b.Addr(transport) || got.Transport != transport {
					t.Errorf("outgoing info %+v", got)
				}
				if err := arrived.Ring(180, nil); err != nil {
					t.Fatal(err)
				}
				if ev := expect(t, out, Ringing); ev.Status != 180 {
					t.Errorf("ringing with %d", ev.Status)
				}
				if err := arrived.Ring(183, []byte(sdpB)); err != nil {
					t.Fatal(err)
				}
				if ev := expect(t, out, Progress); ev.Status != 183 || string(ev.SDP) != sdpB {
					t.Errorf("progress %+v", ev)
				}
				if err := arrived.Answer([]byte(sdpB)); err != nil {
					t.Fatal(err)
				}
				if ev := expect(t, out, Answered); string(ev.SDP) != sdpB || ev.Status != 200 {
					t.Errorf("answered %+v", ev)
				}
				expect(t, arrived, Confirmed)
				if err := arrived.Answer(nil); !errors.Is(err, ErrState) {
					t.Errorf("second answer: %v", err)
				}
				first, second := out, arrived
				if hangup == "callee" {
					first, second = arrived, out
				}
				first.Hangup(Reason{Q850: 16, Text: `bye "now"`})
				if ev := expectEnd(t, second); ev.By != ByRemote || ev.Reason.Q850 != 16 || ev.Reason.Text != `bye "now"` {
					t.Errorf("remote end %+v", ev)
				}
				if ev := expectEnd(t, first); ev.By != ByLocal || ev.Reason.Q850 != 16 {
					t.Errorf("local end %+v", ev)
				}
				if err := out.Answer(nil); !errors.Is(err, ErrEnded) {
					t.Errorf("answer after the end: %v", err)
				}
				drained(t, a)
				drained(t, b)
			})
		}
	}
}

func TestRejectWithReason(t *testing.T) {
	t.Parallel()
	a, b := startStack(t), startStack(t)
	in := trunkPeer(t, b)
	for _, tc := range []struct {
		status int
		reason Reason
	}{
		{486, Reason{Q850: 17, Text: "user busy"}}, {603, Reason{Q850: 21}}, {404, Reason{}}, {480, Reason{Q850: 19, SIP: 480}}, {503, Reason{Q850: 34}},
	} {
		out, arrived := callPair(t, a, b, in, "udp")
		arrived.Reject(tc.status, tc.reason)
		if ev := expectEnd(t, arrived); ev.By != ByLocal || ev.Status != tc.status {
			t.Errorf("%d: local %+v", tc.status, ev)
		}
		if ev := expectEnd(t, out); ev.By != ByRemote || ev.Status != tc.status || ev.Reason != tc.reason {
			t.Errorf("%d: remote %+v", tc.status, ev)
		}
	}
	drained(t, a)
	drained(t, b)
}

func TestHangupOfUnansweredArrivalPicksStatus(t *testing.T) {
	t.Parallel()
	a, b := startStack(t), startStack(t)
	in := trunkPeer(t, b)
	for _, tc := range []struct {
		reason Reason
		want   int
	}{{Reason{Q850: 17}, 486}, {Reason{SIP: 604}, 604}, {Reason{}, 480}, {Reason{Q850: 1}, 404}} {
		out, arrived := callPair(t, a, b, in, "udp")
		arrived.Hangup(tc.reason)
		if ev := expectEnd(t, out); ev.Status != tc.want {
			t.Errorf("%+v became %d, want %d", tc.reason, ev.Status, tc.want)
		}
		expectEnd(t, arrived)
	}
}

func TestCancelBeforeAndAfterRinging(t *testing.T) {
	t.Parallel()
	for _, ring := range []bool{false, true} {
		a, b := startStack(t), startStack(t)
		in := trunkPeer(t, b)
		out, arrived := callPair(t, a, b, in, "udp")
		if ring {
			if err := arrived.Ring(180, nil); err != nil {
				t.Fatal(err)
			}
			expect(t, out, Ringing)
		}
		out.Hangup(Reason{Q850: 16, SIP: 487})
		out.Hangup(Reason{Q850: 17}) // does nothing
		if ev := expectEnd(t, arrived); ev.By != ByRemote || ev.Status != 487 || ev.Reason.Q850 != 16 {
			t.Errorf("callee %+v", ev)
		}
		if ev := expectEnd(t, out); ev.By != ByLocal || ev.Status != 487 {
			t.Errorf("caller %+v", ev)
		}
		drained(t, a)
		drained(t, b)
	}
}

// TestHangupRaces ends calls from both sides at every moment.
func TestHangupRaces(t *testing.T) {
	t.Parallel()
	a, b := startStack(t), startStack(t)
	in := trunkPeer(t, b)
	for i := range 40 {
		out, arrived := callPair(t, a, b, in, "udp")
		go func() {
			for range i % 4 {
				_ = arrived.Ring(180, nil)
			}
			_ = arrived.Answer([]byte(sdpB))
			if i%2 == 0 {
				arrived.Hangup(Reason{})
			}
		}()
		if i%3 == 0 { // otherwise somewhere before or in the answer
			for ev := range out.Events() {
				if ev.Type != Ringing {
					break
				}
			}
			out.Hangup(Reason{})
			for range out.Events() {
			}
			expectEnd(t, arrived)
			continue
		}
		out.Hangup(Reason{})
		expectEnd(t, out)
		expectEnd(t, arrived)
	}
	drained(t, a)
	drained(t, b)
}

func TestReinviteBothWays(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp"} {
		a, b := startStack(t), startStack(t)
		in := trunkPeer(t, b)
		out, arrived := answered(t, a, b, in, transport)
		for _, pair := range [][2]*Dialog{{out, arrived}, {arrived, out}, {out, arrived}} {
			asker, other := pair[0], pair[1]
			got := make(chan error, 1)
			go func() {
				answer, err := asker.Reinvite(t.Context(), []byte(sdpA))
				if err == nil && string(answer) != sdpB {
					err = errors.New("wrong answer " + string(answer))
				}
				got <- err
			}()
			if ev := expect(t, other, Offer); string(ev.SDP) != sdpA {
				t.Errorf("offer %q", ev.SDP)
			}
			if err := other.AcceptOffer([]byte(sdpB)); err != nil {
				t.Fatal(err)
			}
			if err := <-got; err != nil {
				t.Fatal(err)
			}
		}
		// A refusal leaves the dialog as it was.
		got := make(chan error, 1)
		go func() {
			_, err := out.Reinvite(t.Context(), []byte(sdpA))
			got <- err
		}()
		expect(t, arrived, Offer)
		if err := arrived.RefuseOffer(488); err != nil {
			t.Fatal(err)
		}
		var se *StatusError
		if err := <-got; !errors.As(err, &se) || se.Status != 488 {
			t.Errorf("refused with %v", err)
		}
		out.Hangup(Reason{})
		expectEnd(t, arrived)
		expectEnd(t, out)
		drained(t, a)
		drained(t, b)
	}
}

// TestReinviteGlare lets both sides ask at once: at least one is told of the
// glare or refused, nothing hangs, and the call goes on.
func TestReinviteGlare(t *testing.T) {
	t.Parallel()
	a, b := startStack(t), startStack(t)
	in := trunkPeer(t, b)
	out, arrived := answered(t, a, b, in, "udp")
	errs := make(chan error, 2)
	start := make(chan struct{})
	for _, d := range []*Dialog{out, arrived} {
		go func() {
			<-start
			_, err := d.Reinvite(t.Context(), []byte(sdpA))
			errs <- err
		}()
	}
	close(start)
	glares := 0
	for range 2 {
		select {
		case err := <-errs:
			if errors.Is(err, ErrGlare) {
				glares++
			} else if err != nil {
				t.Errorf("re-INVITE: %v", err)
			}
		case ev := <-out.Events(): // one was faster: its offer is answered
			if ev.Type == Offer {
				_ = out.AcceptOffer([]byte(sdpB))
			}
			if err := <-errs; err != nil && !errors.Is(err, ErrGlare) {
				t.Errorf("re-INVITE: %v", err)
			}
		case ev := <-arrived.Events():
			if ev.Type == Offer {
				_ = arrived.AcceptOffer([]byte(sdpB))
			}
			if err := <-errs; err != nil && !errors.Is(err, ErrGlare) {
				t.Errorf("re-INVITE: %v", err)
			}
		case <-time.After(patience):
			t.Fatal("a re-INVITE hangs")
		}
	}
	out.Hangup(Reason{})
	expectEnd(t, arrived)
	expectEnd(t, out)
	drained(t, a)
}

func TestDelayedOffer(t *testing.T) {
	t.Parallel()
	a, b := startStack(t), startStack(t)
	in := trunkPeer(t, b)
	out, err := a.Invite(t.Context(), Invite{Target: uriOf(b, "bob", "udp"), From: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	arrived := in.take(t)
	if arrived.Info().Offer != nil {
		t.Error("an offer out of nothing")
	}
	if err := arrived.Answer([]byte(sdpB)); err != nil {
		t.Fatal(err)
	}
	if ev := expect(t, out, Answered); string(ev.SDP) != sdpB {
		t.Errorf("answered %+v", ev)
	}
	if err := out.AcceptOffer([]byte(sdpA)); err != nil {
		t.Fatal(err)
	}
	if ev := expect(t, arrived, Confirmed); string(ev.SDP) != sdpA {
		t.Errorf("confirmed %+v", ev)
	}
	arrived.Hangup(Reason{})
	expectEnd(t, out)
	expectEnd(t, arrived)
}

func TestServeEndsCallsAndGoroutines(t *testing.T) {
	t.Parallel()
	b := startStack(t)
	in := trunkPeer(t, b)
	a, err := New(Config{UDP: []string{"127.0.0.1:0"}, TCP: []string{"127.0.0.1:0"}, T1: testT1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Serve(ctx) }()
	up, upArrived := answered(t, a, b, in, "tcp")
	ringing, ringingArrived := callPair(t, a, b, in, "udp")
	cancel()
	for _, d := range []*Dialog{up, upArrived, ringing, ringingArrived} {
		expectEnd(t, d)
	}
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("Serve did not return")
	}
	if _, err := a.Invite(t.Context(), Invite{Target: uriOf(b, "bob", "udp")}); !errors.Is(err, ErrClosed) {
		t.Errorf("invite after the end: %v", err)
	}
	if err := a.Register(t.Context(), RegistrationConfig{AOR: "sip:a@127.0.0.1"}); err != nil {
		t.Errorf("register after the end: %v", err)
	}
}

func TestLimitOfDialogs(t *testing.T) {
	t.Parallel()
	a, b := startStack(t), startStack(t, func(c *Config) { c.MaxDialogs = 1 })
	in := trunkPeer(t, b)
	out, arrived := callPair(t, a, b, in, "udp")
	second, err := a.Invite(t.Context(), Invite{Target: uriOf(b, "bob", "udp"), SDP: []byte(sdpA)})
	if err != nil {
		t.Fatal(err)
	}
	if ev := expectEnd(t, second); ev.Status != 503 {
		t.Errorf("beyond the limit: %d", ev.Status)
	}
	if _, err := b.Invite(t.Context(), Invite{Target: uriOf(a, "alice", "udp")}); !errors.Is(err, ErrLimit) {
		t.Errorf("own call beyond the limit: %v", err)
	}
	out.Hangup(Reason{})
	expectEnd(t, arrived)
	expectEnd(t, out)
}
