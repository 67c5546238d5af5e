package sip

import (
	"net/netip"
	"testing"
	"time"
)

// TestMovedInCall: when the address under which the box is seen changes, each call
// with somebody out there hears of it, once, in either direction, and the far end
// learns where requests of its own go from now on.
func TestMovedInCall(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, n *memNet) {
		n.at = netip.MustParseAddr("203.0.113.9")
		b := n.stack(t)
		n.at = netip.MustParseAddr("203.0.113.1")
		a := n.stack(t)
		arrivals := func(s *Stack) *inbox {
			in := newInbox()
			remove, err := s.AddPeer(Peer{Name: "trunk", Addrs: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}, Invite: func(d *Dialog) { in.ch <- d }})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(remove)
			return in
		}
		atA, atB := arrivals(a), arrivals(b)
		out, farOut := answered(t, a, b, atB, "udp")
		farIn, in := answered(t, b, a, atA, "udp")
		ringing, _ := callPair(t, a, b, atB, "udp")
		quiet := func() {
			t.Helper()
			<-time.After(10 * time.Second) // of the bubble's clock
			for _, d := range []*Dialog{out, in, farOut, farIn, ringing} {
				if len(d.Events()) > 0 {
					t.Fatalf("event %+v", <-d.Events())
				}
			}
		}
		quiet()
		outside := netip.MustParseAddr("198.51.100.7")
		a.SetExternal(outside, 5070)
		for _, d := range []*Dialog{out, in} {
			if ev := expect(t, d, Moved); ev.Local != netip.MustParseAddr("203.0.113.1") || ev.Remote != netip.MustParseAddr("203.0.113.9") {
				t.Errorf("%+v", ev)
			}
			d.Renew()
		}
		quiet()
		for _, far := range []*Dialog{farOut, farIn} {
			far.mu.Lock()
			if to := far.path.target; to.Host != outside.String() || to.Port != 5070 {
				t.Errorf("requests to us go to %s", to.String())
			}
			far.mu.Unlock()
		}
		ringing.Hangup(Reason{})
	})
}

// TestMovedWhileRinging: a call that rings when our address changes is placed anew,
// once, and the one before is cancelled: its answer would not find us.
func TestMovedWhileRinging(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, n *memNet) {
		a, b := n.stack(t), n.stack(t)
		in := trunkPeer(t, b)
		out, first := callPair(t, a, b, in, "udp")
		if err := first.Ring(180, nil); err != nil {
			t.Fatal(err)
		}
		expect(t, out, Ringing)
		<-time.After(10 * time.Second) // of the bubble's clock
		if len(in.ch) > 0 {
			t.Fatal("it was placed anew although nothing has changed")
		}
		out.call.mu.Lock()
		out.call.local = netip.MustParseAddr("198.51.100.7") // as if it had been sent from there
		out.call.mu.Unlock()
		second := in.take(t)
		expectEnd(t, first)
		<-time.After(10 * time.Second)
		if len(in.ch) > 0 {
			t.Fatal("it was placed more than once")
		}
		if err := second.Ring(180, nil); err != nil {
			t.Fatal(err)
		}
		if err := second.Answer([]byte(sdpB)); err != nil {
			t.Fatal(err)
		}
		expect(t, out, Answered)
		expect(t, second, Confirmed)
		out.Hangup(Reason{})
		expectEnd(t, second)
	})
}
