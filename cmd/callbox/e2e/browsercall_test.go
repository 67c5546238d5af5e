//go:build e2e

package e2e

import (
	"math"
	"net/url"
	"strings"
	"testing"
	"time"
)

const browserUsers = twoUsers + `- name: carol
  password: c1a2r3o4l5
`

// TestBrowserIsCalled: the API calls a page, both sides hear each other, digits go
// both ways, and the box hangs up.
func TestBrowserIsCalled(t *testing.T) {
	t.Parallel()
	g := startGateway(t, browserUsers)
	a := newApp(t)
	// A browser stretches the first words while it learns how even the packets come.
	question := append(make([]int16, 2*rate), speak(t, "Good morning. Please say your name and press one two three four.")...)
	answer := speak(t, "Hello, my name is Carol, and I speak out of a page in a browser.", "-v", "en-us")
	carol := startBrowser(t, g, "carol", "c1a2r3o4l5", answer, true)
	a.wav("/question.wav", question)
	a.doc("/voice", `<Response><Gather numDigits="4" timeout="20" action="/digits"><Play>/question.wav</Play></Gather><Hangup/></Response>`)
	a.doc("/digits", `<Response><Play digits="59#"/><Pause length="1"/></Response>`)
	sid := g.create(url.Values{"To": {"client:carol"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"},
		"Record": {"true"}, "RecordingChannels": {"dual"}, "Trim": {"do-not-trim"}})
	carol.until("confirmed")
	a.until("/question.wav", 1)
	pauseFor(time.Duration(len(question))*time.Second/rate + 4*time.Second)
	carol.run("press('1234')")
	if d := a.until("/digits", 1).form.Get("Digits"); d != "1234" {
		t.Errorf("digits from the page: %q", d)
	}
	carol.until("ended remote Terminated")
	g.until(sid, "completed")
	carol.hears(question)
	rec, channels := g.recording(sid)
	if channels != 2 {
		t.Fatalf("the recording has %d channels, want 2", channels)
	}
	hears(t, "the recording's channel of the page", channel(rec, 0, 2), answer)
	hears(t, "the recording's channel of the box", channel(rec, 1, 2), question)
}

// TestBrowserAndPhone: a page and a telephone call each other, hear each other,
// send digits both ways, hold, and hang up.
func TestBrowserAndPhone(t *testing.T) {
	t.Parallel()
	g := startGateway(t, browserUsers)
	fromBob := append(make([]int16, 2*rate), speak(t, "Bob speaking. The lift is out of order again, please use the stairs.")...)
	fromCarol := speak(t, "This is Carol. I will be at the station at half past seven this evening.", "-v", "en-us")
	carol := startBrowser(t, g, "carol", "c1a2r3o4l5", fromCarol, true)
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: fromBob})
	wait := func() {
		t.Helper()
		carol.until("confirmed")
		bob.wait("CALL_ESTABLISHED")
		pauseFor(time.Duration(max(len(fromBob), len(fromCarol)))*time.Second/rate + 4*time.Second)
	}
	both := func() {
		t.Helper()
		carol.hears(fromBob)
		hears(t, "the telephone", bob.heard(), fromCarol)
	}
	carol.run("call('bob')")
	wait()
	carol.run("press('42')")
	for _, want := range "42" {
		if ev := bob.wait("CALL_DTMF_START"); ev.Param != string(want) {
			t.Errorf("digit to the telephone: %q, want %q", ev.Param, want)
		}
	}
	carol.eval("hold()")
	carol.eval("unhold()")
	carol.run("press('7')")
	if ev := bob.wait("CALL_DTMF_START"); ev.Param != "7" {
		t.Errorf("digit after a hold: %q", ev.Param)
	}
	carol.run("hangup()")
	bob.wait("CALL_CLOSED")
	both()

	bob.do("dial", "sip:carol@"+g.sip)
	carol.until("ringing bob")
	wait()
	bob.press("59")
	pauseFor(time.Second)
	bob.do("hangup", "")
	carol.until("ended remote Terminated")
	both()
	if got := tones(carol.heard(0)); got != "59" {
		t.Errorf("the page heard the digits %q, want 59", got)
	}
}

// TestBrowserBesideTelephone: a user's page and telephone ring together, each with
// an offer of its own kind; the telephone answers, and the page stops ringing.
func TestBrowserBesideTelephone(t *testing.T) {
	t.Parallel()
	g := startGateway(t, browserUsers)
	a := newApp(t)
	message := speak(t, "This message reaches Carol on whichever telephone she answers first.")
	page := startBrowser(t, g, "carol", "c1a2r3o4l5", nil, false)
	desk := startBaresip(t, phone{name: "carol", password: "c1a2r3o4l5", registrar: g.sip, answer: "manual"})
	a.wav("/message.wav", message)
	sid := g.create(url.Values{"To": {"client:carol"}, "From": {"+14155550100"}, "Url": {a.doc("/voice", `<Response><Play>/message.wav</Play></Response>`)}})
	page.until("ringing +14155550100")
	desk.wait("CALL_INCOMING")
	desk.do("accept", "")
	page.until("failed remote Canceled")
	g.until(sid, "completed")
	hears(t, "the telephone", desk.heard(), message)
}

// TestBrowserComesBack: a page whose connection is lost in a call comes back with
// another one, and the call goes on by that.
func TestBrowserComesBack(t *testing.T) {
	t.Parallel()
	g := startGateway(t, browserUsers)
	a := newApp(t)
	message := speak(t, "The line went away for a moment, and here we are again as if nothing had happened.")
	a.wav("/message.wav", message)
	carol := startBrowser(t, g, "carol", "c1a2r3o4l5", nil, true)
	sid := g.create(url.Values{"To": {"client:carol"}, "From": {"+14155550100"},
		"Url": {a.doc("/voice", `<Response><Gather numDigits="1" timeout="100" action="/more"/></Response>`)}})
	a.doc("/more", `<Response><Pause length="2"/><Play>/message.wav</Play><Pause length="1"/></Response>`)
	carol.until("confirmed")
	g.until(sid, "in-progress")
	carol.run("drop()")
	carol.until("disconnected")
	carol.until("registered")
	carol.run("press('1')")
	a.until("/more", 1)
	carol.until("ended remote Terminated")
	g.until(sid, "completed")
	carol.hears(message)
}

// TestBrowserIsLost: a page that is gone in a call ends it, and nobody rings it
// any more.
func TestBrowserIsLost(t *testing.T) {
	t.Parallel()
	g := startGateway(t, browserUsers)
	a := newApp(t)
	carol := startBrowser(t, g, "carol", "c1a2r3o4l5", nil, true)
	sid := g.create(url.Values{"To": {"client:carol"}, "From": {"+14155550100"}, "Url": {a.doc("/voice", `<Response><Pause length="100"/></Response>`)}})
	carol.until("confirmed")
	g.until(sid, "in-progress")
	carol.die()
	g.until(sid, "completed")
	if got := g.run("calls", "-o", "json"); !strings.Contains(got, "the connection to the browser of user carol was lost") {
		t.Errorf("the record does not say why:\n%s", got)
	}
	if got := g.run("lines"); !strings.Contains(got, "no phone registered") {
		t.Errorf("the lines:\n%s", got)
	}
	again := g.create(url.Values{"To": {"client:carol"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
	g.until(again, "no-answer")
}

// tones are the digits whose tones are in s (ITU-T Q.23).
func tones(s []int16) string {
	low, high := []float64{697, 770, 852, 941}, []float64{1209, 1336, 1477, 1633}
	keys := []string{"123A", "456B", "789C", "*0#D"}
	const window = rate / 40
	var out strings.Builder
	var before byte
	gap := 0 // windows without a tone; a browser may stumble within one
	for p := 0; p+window <= len(s); p += window {
		w := s[p : p+window]
		strongest := func(list []float64) (at int, share float64) {
			for i, f := range list {
				var re, im float64
				for n, v := range w {
					a := 2 * math.Pi * f * float64(n) / rate
					re += float64(v) * math.Cos(a)
					im += float64(v) * math.Sin(a)
				}
				if e := 2 * (re*re + im*im) / window / (energy(w) + 1); e > share {
					at, share = i, e
				}
			}
			return at, share
		}
		l, a := strongest(low)
		h, b := strongest(high)
		var key byte
		if a > 0.2 && b > 0.2 && a+b > 0.8 && energy(w) > window*300*300 {
			key = keys[l][h]
		}
		if gap++; key == 0 {
			continue
		}
		if key != before || gap > 5 {
			out.WriteByte(key)
		}
		before, gap = key, 0
	}
	return out.String()
}
