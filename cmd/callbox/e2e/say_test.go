//go:build e2e

package e2e

import (
	"fmt"
	"math"
	"net/url"
	gopath "path"
	"slices"
	"testing"
	"time"

	"callbox/call/line/sipleg/siptest"
)

// saying has the box say something to a phone, and gives what is heard from the first
// word to the last.
func saying(t *testing.T, g *gateway, p *siptest.Endpoint, name, say string) []int16 {
	t.Helper()
	before := len(p.Invites())
	g.create(url.Values{"To": {"client:" + name}, "From": {"+14155550100"}, "Twiml": {"<Response>" + say + `<Pause length="1"/></Response>`}})
	poll(t, "it rings", func() bool { return len(p.Invites()) > before })
	lift(t, p)
	if _, err := p.WaitEnd(t.Context()); err != nil {
		t.Fatal(err)
	}
	heard := trim(p.Heard())
	if len(heard) < rate/4 {
		t.Fatalf("%s: %d samples are heard", say, len(heard))
	}
	return heard
}

// pitch is the middle fundamental frequency of a voice, in Hz: where the sound of 40 ms
// is most like itself a little later.
func pitch(s []int16) float64 {
	const window, low, high = rate / 25, rate / 400, rate / 60
	var all []float64
	for at := 0; at+window+high < len(s); at += window {
		w := s[at : at+window]
		if energy(w) < window*500*500 {
			continue
		}
		best, lag := 0.5, 0
		for l := low; l < high; l++ {
			if c := correlation(s, w, at+l); c > best+0.05 { // not a multiple of it
				best, lag = c, l
			}
		}
		if lag > 0 {
			all = append(all, rate/float64(lag))
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// TestSay: a text with marks in it is said as they ask, in time and pitch, and one in
// another language by another voice.
func TestSay(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	alice := softphone(t, g, "127.0.0.2", "alice", "a1l2i3c4e5")
	say := func(text string) []int16 { t.Helper(); return saying(t, g, alice, "alice", text) }
	length := func(s []int16) time.Duration { return time.Duration(len(s)) * time.Second / rate }
	const sentence = "the meeting begins at nine o'clock in the morning"
	plain := say("<Say>" + sentence + "</Say>")
	for _, tt := range []struct {
		what, text string
		min, max   float64 // of its length beside the plain one's
	}{
		{"half the rate", `<Say><prosody rate="50%">` + sentence + `</prosody></Say>`, 1.5, 2.6},
		{"a fast voice", `<Say><prosody rate="160%">` + sentence + `</prosody></Say>`, 0.4, 0.85},
	} {
		got := say(tt.text)
		if r := float64(len(got)) / float64(len(plain)); r < tt.min || r > tt.max {
			t.Errorf("%s: %v, plain %v", tt.what, length(got), length(plain))
		}
	}
	paused := say(`<Say>the meeting begins<break time="2s"/>at nine o'clock in the morning</Say>`)
	if d := length(paused) - length(plain); d < 1500*time.Millisecond || d > 2800*time.Millisecond {
		t.Errorf("a break of 2 s makes it %v longer", d)
	}
	number, digits := say(`<Say>7777</Say>`), say(`<Say><say-as interpret-as="digits">7777</say-as></Say>`)
	// "Seven seven seven seven", and "seven thousand seven hundred and seventy seven".
	if length(digits) > length(number)-300*time.Millisecond {
		t.Errorf("7777 takes %v as digits and %v as a number", length(digits), length(number))
	}
	high := say(`<Say><prosody pitch="+80%">` + sentence + `</prosody></Say>`)
	if a, b := pitch(plain), pitch(high); a < 50 || math.IsNaN(b) || b < 1.15*a {
		t.Errorf("the pitch is %.0f Hz, and raised %.0f Hz", a, b)
	}
	german := `<Say language="de-DE">Die Besprechung beginnt um neun Uhr.</Say>`
	if c := similarity(say(german), say(`<Say language="en-US">Die Besprechung beginnt um neun Uhr.</Say>`)); c > 0.8 {
		t.Errorf("German and English are alike: %.2f", c)
	}
	if c := similarity(say("<Say>"+sentence+"</Say>"), plain); c < 0.8 {
		t.Errorf("the same text again is another: %.2f", c)
	}
}

// TestRecordLimits: a recording ends by itself after its longest time, and after the
// silence that was asked for, which it then does not hold; both are told.
func TestRecordLimits(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	g := startGateway(t, twoUsers)
	said := speak(t, "I only wanted to say that the window is open.")
	alice := softphone(t, g, "127.0.0.2", "alice", "a1l2i3c4e5")
	record := func(path, attributes string, sound []int16) float64 {
		t.Helper()
		a.doc(path, "<Response><Hangup/></Response>")
		before := len(alice.Invites())
		g.create(url.Values{"To": {"client:alice"}, "From": {"+14155550100"},
			"Twiml": {fmt.Sprintf(`<Response><Record playBeep="false" action="%s%s" %s/></Response>`, a.URL, path, attributes)}})
		poll(t, "it rings", func() bool { return len(alice.Invites()) > before })
		lift(t, alice)
		alice.Say(sound)
		if _, err := alice.WaitEnd(t.Context()); err != nil {
			t.Fatal(err)
		}
		poll(t, path+" is asked", func() bool { return len(a.requests(path)) > 0 })
		form := a.requests(path)[0].form
		_, _, body := g.download("/2010-04-01/Accounts/"+g.account+"/Recordings/"+gopath.Base(form.Get("RecordingUrl"))+".wav", true)
		got, _, ok := parseWAV(body)
		if !ok {
			t.Fatalf("%s: no recording in %v", path, form)
		}
		hears(t, path, got, sound[:min(len(sound), len(got)-rate/2)])
		return float64(len(got)) / rate
	}
	long := slices.Concat(said, said, said, said)
	if d := record("/longest", `maxLength="3" timeout="0" trim="do-not-trim"`, long); d < 2.9 || d > 3.2 {
		t.Errorf("with a maxLength of 3 s it lasts %.2f s", d)
	}
	spoken := float64(len(said)) / rate
	if d := record("/silence", `maxLength="60" timeout="2"`, said); d < spoken-0.7 || d > spoken+0.7 {
		t.Errorf("what was said lasts %.2f s, the recording %.2f s", spoken, d)
	}
}
