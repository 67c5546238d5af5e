//go:build e2e

package e2e

import (
	"math"
	"strings"
	"testing"
	"time"

	"callbox/call/line/sipleg/siptest"
)

// TestWideband connects phones that speak G.722, of which one also speaks G.711,
// with each other and with one that speaks G.711 only: the first two without the
// box in between decoding, the others through it. Everybody hears everybody.
func TestWideband(t *testing.T) {
	t.Parallel()
	g := startGateway(t, `users:
- name: alice
  password: a1l2i3c4e5
  codecs: [G722]
- name: bob
  password: b1o2b3b4o5
  codecs: [G722, PCMA]
- name: carol
  password: c1a2r3o4l5
`)
	fromAlice := speak(t, "This is Alice. On this line one hears the birds in the garden.")
	fromBob := speak(t, "Bob speaking. The plumber comes on Wednesday at eleven.", "-v", "en-us")
	phones := map[string]*baresip{}
	for name, p := range map[string]phone{
		"alice": {password: "a1l2i3c4e5", says: fromAlice, codecs: "G722/16000/1"},
		"bob":   {password: "b1o2b3b4o5", says: fromBob, codecs: "G722/16000/1,PCMA"},
		"carol": {password: "c1a2r3o4l5", says: fromBob, codecs: "PCMU"},
	} {
		p.name, p.registrar, p.answer = name, g.sip, "auto"
		phones[name] = startBaresip(t, p)
	}
	talk := func(caller, callee string, says, hearsBack []int16) {
		t.Helper()
		a, b := phones[caller], phones[callee]
		a.do("dial", "sip:"+callee+"@"+g.sip)
		a.wait("CALL_ESTABLISHED")
		b.wait("CALL_ESTABLISHED")
		pauseFor(time.Duration(max(len(says), len(hearsBack)))*time.Second/rate + time.Second)
		a.do("hangup", "")
		b.wait("CALL_CLOSED")
		// The phones turn their 8 kHz files into 16 kHz by doubling samples.
		for p, said := range map[*baresip][]int16{b: says, a: hearsBack} {
			if c := similarity(p.heard(), said); c < 0.8 {
				t.Errorf("%s does not hear what was said from %s to %s: similarity %.3f", p.name, caller, callee, c)
			}
		}
	}
	talk("alice", "bob", fromAlice, fromBob)
	talk("alice", "carol", fromAlice, fromBob)
	talk("carol", "alice", fromBob, fromAlice)
	if log := phones["carol"].log.String(); strings.Contains(log, "decoder: G722") {
		t.Error("a line without G722 spoke it")
	}
	if log := phones["bob"].log.String(); !strings.Contains(log, "decoder: G722") {
		t.Error("two phones with G722 did not speak it")
	}
}

// loudest is the level of the loudest second of a sound, in dB of full scale.
func loudest(s []int16) float64 {
	best := 0.0
	for at := 0; at+rate <= len(s); at += rate / 50 {
		sum := 0.0
		for _, v := range s[at : at+rate] {
			sum += float64(v) * float64(v)
		}
		best = max(best, sum/rate)
	}
	return 10 * math.Log10(best/(32768*32768))
}

// TestTranscodingKeepsLevel: between any two of the codecs that the box decodes, tones
// of all parts of the telephone band arrive as loud as they were said, and sentences
// word for word.
func TestTranscodingKeepsLevel(t *testing.T) {
	t.Parallel()
	g := startGateway(t, `
users:
- {name: alice, password: a1l2i3c4e5, codecs: [G722]}
- {name: bob, password: b1o2b3b4o5, codecs: [PCMU]}
- {name: carol, password: c1a2r3o4l5, codecs: [PCMA]}
`)
	phones := map[string]*siptest.Endpoint{
		"alice": softphone(t, g, "127.0.0.61", "alice", "a1l2i3c4e5", "G722"),
		"bob":   softphone(t, g, "127.0.0.62", "bob", "b1o2b3b4o5", "PCMU"),
		"carol": softphone(t, g, "127.0.0.63", "carol", "c1a2r3o4l5", "PCMA"),
	}
	said := speak(t, "Every second counts when the ferry leaves at noon.")
	for _, pair := range [][2]string{{"alice", "bob"}, {"alice", "carol"}, {"bob", "carol"}} {
		a, b := phones[pair[0]], phones[pair[1]]
		if err := a.Call(t.Context(), pair[1]); err != nil {
			t.Fatal(err)
		}
		lift(t, b)
		if err := a.WaitUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		converse(t, a, b, said, said)
		for _, way := range []struct{ mouth, ear *siptest.Endpoint }{{a, b}, {b, a}} {
			for _, hz := range []float64{400, 1004, 2000, 3000} {
				tone := make([]int16, 2*rate)
				for i := range tone {
					tone[i] = int16(9200 * math.Sin(2*math.Pi*hz*float64(i)/rate)) // −14 dB of full scale, about −11 dBm0
				}
				want, got := loudest(tone), 0.0
				for range 3 { // a busy machine loses some
					from := len(way.ear.Heard())
					way.mouth.Say(tone)
					pauseFor(2500 * time.Millisecond)
					if got = loudest(way.ear.Heard()[from:]); math.Abs(got-want) < 0.5 {
						break
					}
				}
				t.Logf("%v: %.0f Hz said with %.2f dB, heard with %.2f dB", pair, hz, want, got)
				if math.Abs(got-want) >= 0.5 {
					t.Errorf("%v: %.0f Hz said with %.2f dB are heard with %.2f dB", pair, hz, want, got)
				}
			}
		}
		if err := a.Hangup(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := b.WaitEnd(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
