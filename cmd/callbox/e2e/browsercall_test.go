//go:build e2e

package e2e

import (
	"net/url"
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
	question := append(make([]int16, rate), speak(t, "Good morning. Please say your name and press one two three four.")...)
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
	heard := carol.heard()
	hears(t, "the page", heard, question)
	rec, channels := g.recording(sid)
	if channels != 2 {
		t.Fatalf("the recording has %d channels, want 2", channels)
	}
	hears(t, "the recording's channel of the page", channel(rec, 0, 2), answer)
	hears(t, "the recording's channel of the box", channel(rec, 1, 2), question)
}
