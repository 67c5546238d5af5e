//go:build e2e

package e2e

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestPhoneMoves changes the ports of a phone's NAT while it is in a call. The
// rules: its sound is believed from the new port once the old has been silent for
// 2 s, and goes there from then on; what it signals in the call is taken from
// wherever it comes; what the box signals goes to where the phone has registered
// or signalled last.
func TestPhoneMoves(t *testing.T) {
	t.Parallel()
	if !ownNetwork(t) {
		return
	}
	const box = "203.0.113.1"
	far := place{"bob", "192.168.7.10"}
	link := newBadLink(t, "wan", box, far, trouble{})
	router := link.hide(far, "203.0.113.9")
	g := &gateway{t: t, dir: t.TempDir(), listen: "0.0.0.0:5060"}
	g.start()
	g.configure(twoUsers)
	a := newApp(t)
	before := speak(t, "The first half of this message comes while everything is as it was.")
	after := speak(t, "And this is the second half, which is sent when the router has changed all its ports.", "-v", "en-us")
	const pause = 4 * time.Second
	says := append(append(append([]int16{}, before...), make([]int16, 4*rate)...), after...)
	a.wav("/before.wav", before)
	a.wav("/after.wav", after)
	a.doc("/voice", `<Response><Play>/before.wav</Play><Pause length="4"/><Play>/after.wav</Play><Gather numDigits="1" timeout="100" action="/digit"/></Response>`)
	a.doc("/digit", `<Response><Pause length="600"/></Response>`)
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: box + ":5060", answer: "auto", says: says, expires: 60, place: far})
	if _, text := g.status("bob"); !strings.Contains(text, "203.0.113.9:") {
		t.Fatalf("bob is %s", text)
	}
	call := func() string {
		t.Helper()
		sid := g.create(url.Values{"To": {"client:bob"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}, "Record": {"true"},
			"RecordingChannels": {"dual"}, "Trim": {"do-not-trim"}})
		bob.wait("CALL_ESTABLISHED")
		return sid
	}

	// The box hangs up, when the phone has registered from its new port: it does
	// that after nine tenths of the minute.
	sid, old := call(), g.where("bob")
	pauseFor(time.Duration(len(before))*time.Second/rate + 500*time.Millisecond)
	router.rebind(1000)
	pauseFor(pause + time.Duration(len(after))*time.Second/rate)
	bob.press("5")
	if got := a.until("/digit", 1).form.Get("Digits"); got != "5" {
		t.Errorf("digit from the new port: %q", got)
	}
	poll(t, "bob has registered again", func() bool { return g.where("bob") != old })
	g.post("/Calls/"+sid+".json", url.Values{"Status": {"completed"}})
	bob.wait("CALL_CLOSED")
	g.until(sid, "completed")
	heard := bob.heard()
	hears(t, "the phone, before the change,", heard, before)
	hears(t, "the phone, after the change,", heard, after)
	tape, _ := g.recording(sid)
	hears(t, "the recording of the phone, before the change,", channel(tape, 0, 2), before)
	hears(t, "the recording of the phone, after the change,", channel(tape, 0, 2), after)

	// The phone hangs up from another port that the box has not seen before.
	sid = call()
	pauseFor(time.Second)
	router.rebind(2000)
	bob.do("hangup", "")
	bob.wait("CALL_CLOSED")
	g.until(sid, "completed")
}

// where is the address that a user is registered from.
func (g *gateway) where(user string) string {
	g.t.Helper()
	_, text := g.status(user)
	_, addr, _ := strings.Cut(text, "registered from ")
	addr, _, _ = strings.Cut(addr, " ")
	return addr
}
