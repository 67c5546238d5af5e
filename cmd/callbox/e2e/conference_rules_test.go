//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"callbox/call/line/sipleg/siptest"
)

// The two notes of the sound with which a conference tells that somebody comes, or, the
// other way round, goes.
const lowNote, highNote = 587.33, 880

// chimes finds them in what a phone has heard: "rises" and "falls", in order.
func chimes(s []int16) string {
	const window, enough = rate / 50, 4 // 20 ms; 80 ms of 120
	var out []string
	var note, last byte
	run, since := 0, 0
	for at := 0; at+window <= len(s); at += window {
		var now byte
		switch w := s[at : at+window]; {
		case share(w, lowNote) > 0.8:
			now = 'l'
		case share(w, highNote) > 0.8:
			now = 'h'
		}
		if now != note {
			note, run = now, 0
		}
		run++
		since++
		if note == 0 || run != enough {
			continue
		}
		if last != 0 && last != note && since < 12 {
			out = append(out, map[byte]string{'h': "rises", 'l': "falls"}[note])
			note, last = 0, 0
			continue
		}
		last, since = note, 0
	}
	return strings.Join(out, " ")
}

// last is the end of what a phone has heard.
func last(s []int16, n int) []int16 { return s[max(0, len(s)-n):] }

// TestConferenceRules: parties hear by a sound that somebody comes and by another that
// somebody goes, unless the document wants none; one that is too many is not let in, is
// told so, hears nothing of it and is not heard, and its document goes on.
func TestConferenceRules(t *testing.T) {
	t.Parallel()
	g := startGateway(t, threeUsers)
	a := newApp(t)
	fromAlice := speak(t, "This is Alice. Only two have a chair here.")
	fromBob := speak(t, "Bob speaking. Then I take the other one.", "-v", "en-us")
	sorry := speak(t, "There is no room left in this conference.", "-p", "30")
	a.wav("/sorry.wav", sorry)
	room := func(path, beep string) {
		a.doc(path, fmt.Sprintf(`<Response><Dial action="/left"><Conference maxParticipants="2" waitUrl="" beep="%s">den</Conference></Dial></Response>`, beep))
	}
	room("/loud", "true")
	room("/quiet", "false")
	a.doc("/left", `<Response><Play loop="0">/sorry.wav</Play></Response>`)
	join := func(name, host, password, path string) (*siptest.Endpoint, string) {
		p := softphone(t, g, host, name, password)
		sid := g.create(url.Values{"To": {"client:" + name}, "From": {"+14155550100"}, "Url": {a.URL + path}})
		lift(t, p)
		return p, sid
	}
	alice, first := join("alice", "127.0.0.2", "a1l2i3c4e5", "/quiet")
	a.until("/quiet", 1)
	bob, second := join("bob", "127.0.0.3", "b1o2b3b4o5", "/loud")
	converse(t, alice, bob, fromAlice, fromBob)
	carol, third := join("carol", "127.0.0.4", "c1a2r3o4l5", "/loud")
	left := a.until("/left", 1).form
	if left.Get("CallSid") != third || left.Get("DialCallStatus") != "failed" {
		t.Errorf("who is too many is told %v", left)
	}
	poll(t, "its document goes on", func() bool { return similarity(last(carol.Heard(), 2*len(sorry)), sorry) > 0.8 })
	converse(t, alice, bob, fromAlice, fromBob)
	for _, said := range [][]int16{fromAlice, fromBob} {
		deaf(t, "who is too many", last(carol.Heard(), 8*rate), said)
	}
	if err := bob.Hangup(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.until(second, "completed")
	poll(t, "the one that stays hears that the other one goes", func() bool { return strings.HasSuffix(chimes(alice.Heard()), "falls") })
	// There is room again, and this one comes without a sound.
	if code, body := g.post("/Calls/"+third+".json", url.Values{"Url": {a.URL + "/quiet"}}); code != http.StatusOK {
		t.Fatalf("redirect: %d %v", code, body)
	}
	converse(t, alice, carol, fromAlice, fromBob)
	if got := chimes(alice.Heard()); got != "rises falls" {
		t.Errorf("alice hears %q, want one that comes and goes with a sound", got)
	}
	if got := chimes(carol.Heard()); got != "" {
		t.Errorf("carol hears %q, want nothing", got)
	}
	for _, p := range []*siptest.Endpoint{alice, carol} {
		if err := p.Hangup(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	g.until(first, "completed")
	g.until(third, "completed")
}
