package sip

import (
	"strings"
	"testing"
)

// TestProbe asks a far end whether it still has the call: as long as it says
// anything but that it has lost it, the call stays.
func TestProbe(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	_, changes := userPeer(t, s)
	r := newRaw(t, s)
	register(t, r, "reg", 200)
	b := (<-changes)[0]
	d, err := s.Invite(t.Context(), Invite{Binding: &b, From: "00", SDP: []byte(sdpA)})
	if err != nil {
		t.Fatal(err)
	}
	d.Probe() // too early: nothing happens
	r.answer(r.request("INVITE"), 200, "tag", "", sdpB)
	r.request("ACK")
	expect(t, d, Answered)
	for _, status := range []int{200, 405, 500} {
		d.Probe()
		d.Probe() // while one is under way: nothing happens
		r.answer(r.request("OPTIONS"), status, "", "", "")
		eventually(t, "the probe is over", func() bool { d.mu.Lock(); defer d.mu.Unlock(); return !d.probing })
	}
	d.Probe()
	r.answer(r.request("OPTIONS"), 481, "", "", "")
	r.answer(r.request("BYE"), 481, "", "", "")
	if ev := expectEnd(t, d); ev.Status != 481 || ev.By != ByNetwork || !strings.Contains(ev.Text, "lost the call") {
		t.Errorf("end %+v", ev)
	}
	drained(t, s)
}
