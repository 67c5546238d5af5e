//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"
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
