//go:build e2e

package e2e

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// protectedUsers are a phone that must protect its sound, one that may, and one
// that cannot.
const protectedUsers = `users:
- name: alice
  password: a1l2i3c4e5
  srtp: mandatory
- name: bob
  password: b1o2b3b4o5
  srtp: optional
- name: carol
  password: c1a2r3o4l5
  srtp: optional
`

// TestProtectedSound connects a phone whose sound must be protected with one
// that offers keys beside the clear and with one that knows no keys: each side
// hears the other, and each has what its line says.
func TestProtectedSound(t *testing.T) {
	t.Parallel()
	g := startGateway(t, protectedUsers)
	fromAlice := speak(t, "This is Alice. What I say stays between the two of us.")
	fromBob := speak(t, "Bob speaking. I have brought my own key for the front door.", "-v", "en-us")
	alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.tls, transport: "tls",
		ca: filepath.Join(g.dir, "ca.pem"), answer: "auto", says: fromAlice, protection: "srtp-mand"})
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: fromBob, protection: "srtp"})
	carol := startBaresip(t, phone{name: "carol", password: "c1a2r3o4l5", registrar: g.sip, answer: "auto", says: fromBob})
	talk := func(caller, callee *baresip, to string, says, hearsBack []int16) {
		t.Helper()
		caller.do("dial", to)
		caller.wait("CALL_ESTABLISHED")
		callee.wait("CALL_ESTABLISHED")
		pauseFor(time.Duration(max(len(says), len(hearsBack)))*time.Second/rate + time.Second)
		caller.do("hangup", "")
		callee.wait("CALL_CLOSED")
		hears(t, callee.name, callee.heard(), says)
		hears(t, caller.name, caller.heard(), hearsBack)
	}
	talk(alice, bob, "sip:bob@"+g.tls+";transport=tls", fromAlice, fromBob)
	talk(bob, alice, "sip:alice@"+g.sip, fromBob, fromAlice)
	talk(carol, alice, "sip:alice@"+g.sip, fromBob, fromAlice)
	for b, want := range map[*baresip]bool{alice: true, bob: true, carol: false} {
		if got := strings.Contains(b.log.String(), "SRTP is Enabled"); got != want {
			t.Errorf("%s says that its sound is protected: %v, want %v", b.name, got, want)
		}
	}
}

// TestSoundInTheClearIsRefused calls a phone that takes no keys on a line that
// insists on them: the call fails, and the record says why.
func TestSoundInTheClearIsRefused(t *testing.T) {
	t.Parallel()
	g := startGateway(t, protectedUsers)
	a := newApp(t)
	startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "auto"})
	sid := g.create(url.Values{"To": {"client:alice"}, "From": {"+14155550100"}, "Url": {a.doc("/voice", "<Response/>")}})
	g.until(sid, "failed")
	if got := g.run("calls", "-o", "json"); !strings.Contains(got, "encrypt") && !strings.Contains(got, "488") {
		t.Errorf("the record does not say why:\n%s", got)
	}
}
