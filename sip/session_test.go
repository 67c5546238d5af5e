package sip

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

// TestGrant: who refreshes how often (RFC 4028 §9, table 2).
func TestGrant(t *testing.T) {
	t.Parallel()
	const half = 30 * time.Minute
	running := session{expires: half, ours: true}
	for _, tt := range []struct {
		name    string
		terms   Terms
		asked   interval
		running session
		expires time.Duration
		ours    bool
	}{
		{"a caller without timers", Terms{}, interval{least: leastSession}, session{}, 0, false},
		{"the same, but we insist", Terms{Timer: Always}, interval{least: leastSession}, session{}, half, true},
		{"switched off", Terms{Timer: Off}, interval{known: true, expires: half, least: leastSession}, session{}, 0, false},
		{"a proxy on the way asks", Terms{}, interval{expires: half, least: leastSession}, session{}, half, true},
		{"a caller who knows them", Terms{}, interval{known: true, least: leastSession}, session{}, half, true},
		{"the caller will refresh", Terms{}, interval{known: true, expires: half, least: leastSession, refresher: "uac"}, session{}, half, false},
		{"the caller wants us to", Terms{}, interval{known: true, expires: half, least: leastSession, refresher: "uas"}, session{}, half, true},
		{"shorter than ours", Terms{}, interval{known: true, expires: 2 * time.Minute, least: leastSession}, session{}, 2 * time.Minute, true},
		{"longer than ours", Terms{Expires: 5 * time.Minute}, interval{known: true, expires: half, least: leastSession}, session{}, 5 * time.Minute, true},
		{"longer, but no less than", Terms{Expires: 2 * time.Minute}, interval{known: true, expires: half, least: 10 * time.Minute}, session{}, 10 * time.Minute, true},
		{"a proxy asks for too little", Terms{}, interval{expires: 10 * time.Second, least: leastSession}, session{}, leastSession, true},
		{"a refresh that does not say who", Terms{}, interval{known: true, expires: half, least: leastSession}, running, half, true},
	} {
		if expires, ours := tt.terms.grant(tt.asked, tt.running); expires != tt.expires || ours != tt.ours {
			t.Errorf("%s: %v, ours %v; want %v, ours %v", tt.name, expires, ours, tt.expires, tt.ours)
		}
	}
}

// timerTrunk is a stack that takes calls on these terms, and a bare peer of it.
func timerTrunk(t *testing.T, n *memNet, terms Terms) (*Stack, *raw, *inbox) {
	t.Helper()
	s, in := n.stack(t), newInbox()
	remove, err := s.AddPeer(Peer{Name: "trunk", Addrs: loopback(), Terms: terms, Invite: func(d *Dialog) { in.ch <- d }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(remove)
	return s, n.raw(t, s), in
}

// waits takes the next message, which must be a request, come after d and no
// later than a second more.
func (r *raw) waits(method string, d time.Duration) *gosip.Request {
	r.t.Helper()
	began := time.Now()
	for {
		m := r.message(d + time.Second - time.Since(began))
		if m == nil {
			r.t.Fatalf("no %s within %v", method, d+time.Second)
		}
		req, ok := m.(*gosip.Request)
		if !ok {
			continue
		}
		if took := time.Since(began); string(req.Method) != method || took < d {
			r.t.Fatalf("%s after %v, want %s after %v", req.Method, took, method, d)
		}
		return req
	}
}

// quit hangs d up and takes whatever is still on its way.
func (r *raw) quit(d *Dialog) {
	r.t.Helper()
	d.Hangup(Reason{})
	for m := r.message(time.Minute); m != nil; m = r.message(time.Minute) {
		if req, ok := m.(*gosip.Request); ok && req.Method == gosip.BYE {
			r.answer(req, 200, "", "", "")
		}
	}
	expectEnd(r.t, d)
}

// callWith makes an answered call from r with these headers and gives the 200.
func (r *raw) callWith(in *inbox, callID string, headers ...string) (*Dialog, *gosip.Response) {
	r.t.Helper()
	r.send(r.invite("bob", callID, headers...))
	d := in.take(r.t)
	if err := d.Answer([]byte(sdpB)); err != nil {
		r.t.Fatal(err)
	}
	res := r.response(200)
	r.send(r.numbered("ACK", "bob", callID, r.seq, toTagOf(r.t, res)))
	expect(r.t, d, Confirmed)
	return d, res
}

// TestRefreshesOfArrival: the box refreshes at half time, by UPDATE where the far
// end takes it, else by a re-INVITE that changes nothing, and with what the far
// end makes of the interval.
func TestRefreshesOfArrival(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, n *memNet) {
		_, r, in := timerTrunk(t, n, Terms{})
		d, res := r.callWith(in, "update", "Supported: timer", "Session-Expires: 1200;refresher=uas", "Allow: INVITE, ACK, BYE, UPDATE")
		if v := headerValue(res, "Session-Expires"); v != "1200;refresher=uas" || headerValue(res, "Require") != "timer" {
			t.Fatalf("the 200 says %q, Require %q", v, headerValue(res, "Require"))
		}
		up := r.waits("UPDATE", 600*time.Second)
		if v := headerValue(up, "Session-Expires"); v != "1200;refresher=uac" || len(up.Body()) != 0 || headerValue(up, "Supported") != "replaces, norefersub, timer, 100rel" {
			t.Errorf("the refresh says %q:\n%s", v, up)
		}
		r.answer(up, 200, "", "Supported: timer\nRequire: timer\nSession-Expires: 600;refresher=uac\n", "")
		r.answer(r.waits("UPDATE", 300*time.Second), 405, "", "", "") // not any more
		inv := r.waits("INVITE", 0)
		if string(inv.Body()) != sdpB {
			t.Errorf("the re-INVITE changes the session:\n%s", inv)
		}
		r.answer(inv, 200, "", "Session-Expires: 600;refresher=uac\nAllow: INVITE, ACK, BYE\n", sdpA)
		r.waits("ACK", 0)
		if ev := expect(t, d, Reanswered); string(ev.SDP) != sdpA || ev.Err != nil {
			t.Errorf("told %+v", ev)
		}
		// The far end ends the timer: no more refreshes.
		r.answer(r.waits("INVITE", 300*time.Second), 200, "", "", sdpA)
		r.waits("ACK", 0)
		if m := r.message(24 * time.Hour); m != nil {
			t.Errorf("a message without a session timer:\n%s", m)
		}
		d.Hangup(Reason{})
		r.answer(r.waits("BYE", 0), 200, "", "", "")
		expectEnd(t, d)
	})
}

// TestRefreshThatFails: trouble is tried again, glare backs off, and a far end
// that has lost the call or does not answer ends it.
func TestRefreshThatFails(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]func(t *testing.T, r *raw) (status int, text string){
		"481": func(_ *testing.T, r *raw) (int, string) {
			r.answer(r.waits("UPDATE", 900*time.Second), 481, "", "", "")
			return 481, "lost"
		},
		"408": func(_ *testing.T, r *raw) (int, string) {
			r.answer(r.waits("UPDATE", 900*time.Second), 408, "", "", "")
			return 408, "lost"
		},
		"silence": func(_ *testing.T, r *raw) (int, string) {
			r.waits("UPDATE", 900*time.Second)
			began := time.Now()
			for time.Since(began) < 31*time.Second {
				if m := r.message(31*time.Second - time.Since(began)); m != nil && m.(*gosip.Request).Method != gosip.UPDATE {
					break
				}
			}
			return 408, "no answer from"
		},
		"500 until the end": func(_ *testing.T, r *raw) (int, string) {
			r.answer(r.waits("UPDATE", 900*time.Second), 500, "", "Retry-After: 100\n", "")
			for range 8 {
				r.answer(r.waits("UPDATE", 100*time.Second), 500, "", "Retry-After: 100\n", "")
			}
			return 408, "did not take the refresh"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, n *memNet) {
				_, r, in := timerTrunk(t, n, Terms{})
				d, _ := r.callWith(in, "fails", "Supported: timer", "Allow: UPDATE", "Session-Expires: 1800")
				// Both at once: the box asks again after at most two seconds.
				up := r.waits("UPDATE", 900*time.Second)
				r.answer(up, 491, "", "", "")
				again := r.message(2 * time.Second)
				if again == nil {
					t.Fatal("no refresh after the glare")
				}
				r.answer(again.(*gosip.Request), 200, "", "Session-Expires: 1800;refresher=uac\n", "")
				status, text := last(t, r)
				bye := r.message(101 * time.Second)
				for bye != nil && bye.(*gosip.Request).Method == gosip.UPDATE {
					bye = r.message(101 * time.Second)
				}
				if bye == nil || bye.(*gosip.Request).Method != gosip.BYE {
					t.Fatalf("no BYE, but %v", bye)
				}
				r.answer(bye.(*gosip.Request), 200, "", "", "")
				if ev := expectEnd(t, d); ev.Status != status || ev.By != ByNetwork || !strings.Contains(ev.Text, text) {
					t.Errorf("end %+v", ev)
				}
			})
		})
	}
}

// TestFarEndRefreshes: a far end that refreshes keeps the call, one that does not
// loses it 32 s before the end, or a third of a short session.
func TestFarEndRefreshes(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, n *memNet) {
		_, r, in := timerTrunk(t, n, Terms{})
		d, res := r.callWith(in, "far", "Supported: timer", "Session-Expires: 90;refresher=uac")
		tag := toTagOf(t, res)
		if v := headerValue(res, "Session-Expires"); v != "90;refresher=uac" {
			t.Fatalf("granted %q", v)
		}
		for i := range 3 {
			if m := r.message(45 * time.Second); m != nil {
				t.Fatalf("while the far end refreshes:\n%s", m)
			}
			r.send(r.numbered("UPDATE", "bob", "far", 10+i, tag, "Supported: timer", "Session-Expires: 90;refresher=uac"))
			if v := headerValue(r.responseTo(200, 10+i), "Session-Expires"); v != "90;refresher=uac" {
				t.Errorf("refresh %d is granted %q", i, v)
			}
		}
		// Too short an interval is refused, and is no refresh.
		r.send(r.numbered("UPDATE", "bob", "far", 20, tag, "Supported: timer", "Session-Expires: 60;refresher=uac"))
		if v := headerValue(r.responseTo(422, 20), "Min-SE"); v != "90" {
			t.Errorf("Min-SE %q", v)
		}
		bye := r.waits("BYE", 60*time.Second)
		if v := headerValue(bye, "Reason"); !strings.Contains(v, "cause=102") || !strings.Contains(v, "session timer expired") {
			t.Errorf("reason %q", v)
		}
		r.answer(bye, 200, "", "", "")
		if ev := expectEnd(t, d); ev.By != ByNetwork || ev.Status != 408 || ev.Text != "the far end did not refresh the session in time" {
			t.Errorf("end %+v", ev)
		}
		r.callWith(in, "long", "Supported: timer", "Session-Expires: 1800;refresher=uac")
		r.waits("BYE", (1800-32)*time.Second)
	})
}

// TestShortSession: an INVITE with less than 90 s is refused, if its sender can
// know what that means.
func TestShortSession(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, n *memNet) {
		_, r, in := timerTrunk(t, n, Terms{})
		r.send(r.invite("bob", "short", "k: timer", "x: 30"))
		if v := headerValue(r.response(422), "Min-SE"); v != "90" {
			t.Errorf("Min-SE %q", v)
		}
		_, res := r.callWith(in, "proxy", "Session-Expires: 30")
		if v := headerValue(res, "Session-Expires"); v != "90;refresher=uas" || headerValue(res, "Require") != "" {
			t.Errorf("a caller who knows no timers is granted %q, Require %q", v, headerValue(res, "Require"))
		}
	})
}

// TestTimerTerms: off and required, for arriving calls.
func TestTimerTerms(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, n *memNet) {
		_, r, in := timerTrunk(t, n, Terms{Timer: Off})
		_, res := r.callWith(in, "off", "Supported: timer", "Session-Expires: 30;refresher=uas")
		if v := headerValue(res, "Session-Expires"); v != "" || headerValue(res, "Supported") != "replaces, norefersub, 100rel" {
			t.Errorf("switched off, but granted %q, Supported %q", v, headerValue(res, "Supported"))
		}
		r.send(r.invite("bob", "off2", "Require: timer"))
		if v := headerValue(r.response(420), "Unsupported"); v != "timer" {
			t.Errorf("Unsupported %q", v)
		}
		_, r2, in2 := timerTrunk(t, n, Terms{Timer: Always, Expires: 200 * time.Second})
		_, res = r2.callWith(in2, "always")
		if v := headerValue(res, "Session-Expires"); v != "200;refresher=uas" {
			t.Errorf("insisting, but granted %q", v)
		}
		r2.waits("INVITE", 100*time.Second)
	})
}

// TestSessionOfOutgoing: the same for calls out, with 422 and what the callee grants.
func TestSessionOfOutgoing(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, n *memNet) {
		s := n.stack(t)
		r := n.raw(t, s)
		place := func(terms Terms) (*Dialog, *gosip.Request) {
			d, err := s.Invite(t.Context(), Invite{Target: "sip:bob@" + r.addr(), From: "alice", SDP: []byte(sdpA), Terms: terms})
			if err != nil {
				t.Fatal(err)
			}
			return d, r.waits("INVITE", 0)
		}
		d, inv := place(Terms{Expires: 100 * time.Second})
		if se, min := headerValue(inv, "Session-Expires"), headerValue(inv, "Min-SE"); se != "100" || min != "90" || headerValue(inv, "Require") != "" {
			t.Fatalf("asked for %q, Min-SE %q", se, min)
		}
		r.answer(inv, 422, "x", "Min-SE: 400\n", "")
		r.waits("ACK", 0)
		again := r.waits("INVITE", 0)
		if se, min := headerValue(again, "Session-Expires"), headerValue(again, "Min-SE"); se != "400" || min != "400" || again.CSeq().SeqNo != inv.CSeq().SeqNo+1 || again.CallID().Value() != inv.CallID().Value() {
			t.Fatalf("asked for %q, Min-SE %q after the 422", se, min)
		}
		r.answer(again, 200, "bob", "Allow: UPDATE\nRequire: timer\nSession-Expires: 400;refresher=uac\n", sdpB)
		expect(t, d, Answered)
		r.waits("ACK", 0)
		up := r.waits("UPDATE", 200*time.Second)
		// The callee wants more by now.
		r.answer(up, 422, "", "Min-SE: 1000\n", "")
		up = r.waits("UPDATE", 0)
		if se := headerValue(up, "Session-Expires"); se != "1000;refresher=uac" {
			t.Errorf("asked for %q", se)
		}
		r.answer(up, 200, "", "Session-Expires: 1000;refresher=uac\n", "")
		r.waits("UPDATE", 500*time.Second)
		r.quit(d)

		// The callee refreshes, and stops to.
		d, inv = place(Terms{})
		if se := headerValue(inv, "Session-Expires"); se != "1800" {
			t.Errorf("asked for %q", se)
		}
		r.answer(inv, 200, "carol", "Require: timer\nSession-Expires: 300;refresher=uas\n", sdpB)
		expect(t, d, Answered)
		r.waits("ACK", 0)
		r.waits("BYE", (300-32)*time.Second)
		r.quit(d)

		// A callee without timers: none, unless we insist.
		for terms, want := range map[Terms]string{{}: "", {Timer: Off}: "", {Timer: Always}: "INVITE"} {
			d, inv = place(terms)
			if got := headerValue(inv, "Require"); (got == "timer") != (terms.Timer == Always) {
				t.Errorf("%+v: Require %q", terms, got)
			}
			r.answer(inv, 200, fmt.Sprint("dave", terms.Timer), "", sdpB)
			expect(t, d, Answered)
			r.waits("ACK", 0)
			if want != "" {
				r.waits(want, 900*time.Second)
			} else if m := r.message(24 * time.Hour); m != nil {
				t.Errorf("%+v:\n%s", terms, m)
			}
			r.quit(d)
		}
	})
}

// TestChangesWithTimer: a change of the session by us is a refresh as well, and 422
// to it is heeded.
func TestChangesWithTimer(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, n *memNet) {
		_, r, in := timerTrunk(t, n, Terms{})
		d, _ := r.callWith(in, "change", "Supported: timer", "Allow: UPDATE", "Session-Expires: 600;refresher=uac")
		asked := make(chan error, 1)
		go func() {
			_, err := d.Reinvite(t.Context(), []byte(sdpA))
			asked <- err
		}()
		inv := r.waits("INVITE", 0)
		if v := headerValue(inv, "Session-Expires"); v != "600;refresher=uas" {
			t.Errorf("the change says %q", v)
		}
		r.answer(inv, 422, "", "Min-SE: 700\n", "")
		r.waits("ACK", 0)
		inv = r.waits("INVITE", 0)
		if v := headerValue(inv, "Session-Expires"); v != "700;refresher=uas" {
			t.Errorf("the change says %q after the 422", v)
		}
		r.answer(inv, 200, "", "Session-Expires: 700;refresher=uas\n", sdpB)
		r.waits("ACK", 0)
		if err := <-asked; err != nil {
			t.Fatal(err)
		}
		// By UPDATE, with the answer in its 200.
		go func() {
			answer, err := d.Update(t.Context(), []byte(sdpB))
			if err == nil && string(answer) != sdpA {
				err = errors.New("answer " + string(answer))
			}
			asked <- err
		}()
		r.answer(r.waits("UPDATE", 0), 200, "", "Session-Expires: 700;refresher=uas\n", sdpA)
		if err := <-asked; err != nil {
			t.Fatal(err)
		}
		r.waits("BYE", (700-32)*time.Second)
	})
}
