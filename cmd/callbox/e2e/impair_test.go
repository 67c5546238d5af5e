//go:build e2e

package e2e

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// blurred is how alike sound must be that went through a link which loses 5 % and
// bends its time by up to 80 ms: another sentence stays below 0.4 and one that
// changes halfway below 0.75 (TestSimilarity), but each lost packet is a hole.
const blurred = 0.8

func recognises(t *testing.T, who string, got, want []int16) {
	t.Helper()
	c := similarity(got, want)
	t.Logf("%s: similarity %.3f over %.1f s", who, c, float64(len(want))/rate)
	if c < blurred {
		t.Errorf("%s does not recognise what was said: similarity %.3f, want at least %.2f", who, c, blurred)
	}
}

// TestBadNetwork calls a phone over a link that loses 5 % of all packets each
// way, holds them up by up to 80 ms, repeats some and lets some overtake: every
// call is set up and ends as it should, both sides understand each other, each
// digit arrives once, and the recording is as long as the call.
func TestBadNetwork(t *testing.T) {
	t.Parallel()
	if !ownNetwork(t) {
		return
	}
	far := place{"bob", "203.0.113.10"}
	newBadLink(t, "wan", "203.0.113.1", far, trouble{loss: 0.05, duplicate: 0.01, overtake: 0.02, delay: 20 * time.Millisecond, jitter: 80 * time.Millisecond, seed: 1})
	g := &gateway{t: t, dir: t.TempDir(), listen: "0.0.0.0:5060"}
	g.start()
	g.configure(twoUsers)
	a := newApp(t)
	prompt := speak(t, "The road is bad today, and the coach was late at every station, but the letters have arrived.")
	story := speak(t, "Out here the rain has washed the bridge away, and nobody knows when it will be mended again.", "-v", "en-us")
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: "203.0.113.1:5060", answer: "auto", says: story, place: far})
	a.wav("/prompt.wav", prompt)
	a.doc("/short", `<Response><Pause length="1"/></Response>`)
	call := func(script string, more url.Values) string {
		form := url.Values{"To": {"client:bob"}, "From": {"+14155550100"}, "Url": {a.URL + script}}
		for k, v := range more {
			form[k] = v
		}
		return g.create(form)
	}
	for i := range 10 {
		sid := call("/short", nil)
		if rec := g.until(sid, "completed"); rec["status"] != "completed" {
			t.Errorf("call %d: %v", i, rec)
		}
		bob.wait("CALL_CLOSED")
	}
	// One call for what is said, one for the keys.
	a.doc("/talk", `<Response><Play>/prompt.wav</Play><Pause length="2"/></Response>`)
	sid := call("/talk", url.Values{"Record": {"true"}, "RecordingChannels": {"dual"}, "Trim": {"do-not-trim"}})
	bob.wait("CALL_ESTABLISHED")
	rec := g.until(sid, "completed")
	bob.wait("CALL_CLOSED")
	recognises(t, "the phone", bob.heard(), prompt)
	tape, channels := g.recording(sid)
	if channels != 2 {
		t.Fatalf("%d channels", channels)
	}
	recognises(t, "the recording's channel of the phone", channel(tape, 0, 2), story)
	hears(t, "the recording's channel of the box", channel(tape, 1, 2), prompt)
	lasted, _ := strconv.ParseFloat(fmt.Sprint(rec["duration"]), 64)
	if length := float64(len(tape)) / 2 / rate; length < lasted-2 || length > lasted+1 {
		t.Errorf("the recording has %.2f s of a call of %.0f s", length, lasted)
	}

	const keys = "1234567890*#147"
	a.doc("/keys", `<Response><Gather numDigits="`+strconv.Itoa(len(keys))+`" timeout="60" finishOnKey="" action="/pressed"/></Response>`)
	a.doc("/pressed", `<Response><Play digits="`+keys+`"/><Pause length="1"/></Response>`)
	sid = call("/keys", nil)
	bob.wait("CALL_ESTABLISHED")
	for _, k := range keys {
		bob.do("sndcode", string(k))
		pauseFor(300 * time.Millisecond) // a person's pace, and time for the last packets of a key
	}
	if got := a.until("/pressed", 1).form.Get("Digits"); got != keys {
		t.Errorf("keys of the phone: %q, want %q", got, keys)
	}
	g.until(sid, "completed")
	bob.wait("CALL_CLOSED")
	var heard strings.Builder
	bob.mu.Lock()
	for _, ev := range bob.all {
		if ev.Type == "CALL_DTMF_START" {
			heard.WriteString(ev.Param)
		}
	}
	bob.mu.Unlock()
	if heard.String() != keys {
		t.Errorf("keys of the box: %q, want %q", &heard, keys)
	}
}
