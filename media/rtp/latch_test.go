package rtp

import (
	"net/netip"
	"testing"
	"time"
)

func TestLatchOnce(t *testing.T) {
	t.Parallel()
	var l latch
	l.negotiate(alice)
	if l.target() != alice {
		t.Errorf("sends to %v before the first packet", l.target())
	}
	if !l.admit(bob, at(0)) || l.target() != bob {
		t.Fatal("did not latch to the real source")
	}
	for i := range 100 {
		if l.admit(mallory, at(i*20)) {
			t.Fatal("believed a stranger")
		}
		if !l.admit(bob, at(i*20)) {
			t.Fatal("refused the latched source")
		}
	}
	if l.bad != 100 || l.target() != bob {
		t.Errorf("%d strangers, target %v", l.bad, l.target())
	}
}

func TestLatchNegotiatedSourceWins(t *testing.T) {
	t.Parallel()
	var l latch
	l.negotiate(alice)
	l.admit(mallory, at(0))
	if !l.admit(alice, at(10)) || l.target() != alice {
		t.Fatal("the address in the SDP was not believed")
	}
	if l.admit(mallory, at(20)) {
		t.Error("a stranger was believed again")
	}
}

func TestLatchNewAddress(t *testing.T) {
	t.Parallel()
	var l latch
	l.negotiate(alice)
	l.admit(bob, at(0))
	l.negotiate(alice)
	if l.target() != bob {
		t.Error("the same SDP cleared the latch")
	}
	l.negotiate(mallory)
	if l.target() != mallory {
		t.Error("a new SDP did not clear the latch")
	}
	if !l.admit(alice, at(10)) || l.target() != alice {
		t.Error("did not latch again")
	}
}

// TestLatchLeavesTheOldWay: what a server still passes on while it takes itself out of
// the path does not draw the sound back to it, unless nothing else ever comes.
func TestLatchLeavesTheOldWay(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		heard bool // the server had been heard, else it was only in the SDP
		new   int  // ms until the other party is heard; 0: never
		ms    int  // the server goes on for
		to    netip.AddrPort
	}{
		"the other party comes soon":  {true, 30, 60, alice},
		"late":                        {true, 900, 980, alice},
		"never, and the server stops": {true, 0, 980, alice},
		"never, and the server stays": {true, 0, 1020, bob},
		"the server was never heard":  {false, 30, 60, alice},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var l latch
			l.negotiate(bob)
			if tt.heard {
				l.admit(bob, at(0))
			}
			l.negotiate(alice)
			for ms := 10; ms <= 10+tt.ms; ms += 10 {
				from := bob
				if ms == tt.new {
					from = alice
				}
				if tt.new > 0 && ms > tt.new && from == bob {
					continue // it is a stranger now
				}
				if !l.admit(from, at(ms)) {
					t.Fatalf("%v at %d ms was not believed", from, ms)
				}
			}
			if l.target() != tt.to {
				t.Errorf("the sound goes to %v, want %v", l.target(), tt.to)
			}
		})
	}
}

func TestLatchAfterSilence(t *testing.T) {
	t.Parallel()
	var l latch
	l.negotiate(alice)
	l.admit(alice, at(0))
	// While alice is silent for less than 2 s, bob's packets prove nothing.
	for ms := 20; ms < 1990; ms += 20 {
		if l.admit(bob, at(ms)) {
			t.Fatalf("changed after %d ms", ms)
		}
	}
	for i := 1; i <= relatchPackets; i++ {
		if i == 3 { // one from elsewhere starts the count anew
			l.admit(mallory, at(2000+i*20))
			for range relatchPackets - 1 {
				if l.admit(bob, at(2000+i*20)) {
					t.Fatal("changed although another sent in between")
				}
			}
			break
		}
		if l.admit(bob, at(2000+i*20)) {
			t.Fatalf("changed after %d packets", i)
		}
	}
	if !l.admit(bob, at(2100)) || l.target() != bob {
		t.Error("did not change to the only source that sends")
	}
	if !l.admit(alice, at(2120)) || l.target() != alice {
		t.Error("the negotiated source did not come back")
	}
}

func TestLatchUnspecified(t *testing.T) {
	t.Parallel()
	var l latch
	l.negotiate(netip.MustParseAddrPort("0.0.0.0:0"))
	if !l.admit(bob, time.Time{}) || l.target() != bob {
		t.Error("a hold address refused the real source")
	}
}
