//go:build e2e

package e2e

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// again is a sentence said over and over, as somebody does who asks whether the
// other is still there: whenever a party comes to hear it, it hears it whole soon.
func again(said []int16) []int16 {
	var s []int16
	for len(s) < 60*rate {
		s = append(append(s, said...), make([]int16, rate/2)...)
	}
	return s
}

// three are three phones that each say a sentence of their own.
func three(t *testing.T, g *gateway) (phones map[string]*baresip, said map[string][]int16) {
	t.Helper()
	phones, said = map[string]*baresip{}, map[string][]int16{
		"alice": speak(t, "Alice here, the piano was tuned on Thursday."),
		"bob":   speak(t, "Bob speaking, we need eleven chairs.", "-v", "en-us"),
		"carol": speak(t, "This is Carol from the workshop upstairs.", "-v", "en+f3"),
	}
	for name, password := range map[string]string{"alice": "a1l2i3c4e5", "bob": "b1o2b3b4o5", "carol": "c1a2r3o4l5"} {
		phones[name] = startBaresip(t, phone{name: name, password: password, registrar: g.sip, answer: "auto", says: again(said[name]), trace: name == "bob"})
	}
	return phones, said
}

// calls lists the calls of the account, newest first.
func (g *gateway) calls() []map[string]any {
	g.t.Helper()
	_, body := g.get("/Calls.json")
	var out []map[string]any
	list, _ := body["calls"].([]any)
	for _, c := range list {
		out = append(out, c.(map[string]any))
	}
	return out
}

// idle waits until no call is up.
func (g *gateway) idle() {
	g.t.Helper()
	poll(g.t, "all calls end", func() bool {
		for _, c := range g.calls() {
			if c["status"] == "in-progress" || c["status"] == "ringing" || c["status"] == "queued" {
				return false
			}
		}
		return true
	})
}

// TestBlindTransfer: a phone sends the other party of its call to a third phone,
// whoever had called whom. The two who are left hear each other.
func TestBlindTransfer(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"callee", "caller"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, threeUsers)
			phones, said := three(t, g)
			caller, callee := phones["alice"], phones["bob"]
			if by == "caller" {
				caller, callee = callee, caller
			}
			caller.do("dial", "sip:"+callee.name+"@"+g.sip)
			callee.wait("CALL_ESTABLISHED")
			caller.wait("CALL_ESTABLISHED")
			pauseFor(6 * time.Second)
			phones["bob"].do("transfer", "sip:carol@"+g.sip)
			phones["carol"].wait("CALL_ESTABLISHED")
			if ev := phones["bob"].wait("CALL_CLOSED"); ev.Param != "Call transfered" {
				t.Errorf("bob's phone says %q", ev.Param)
			}
			pauseFor(8 * time.Second)
			phones["alice"].do("hangup", "")
			phones["carol"].wait("CALL_CLOSED")
			g.idle()
			heard := map[string][]int16{"alice": phones["alice"].heard(), "bob": phones["bob"].heard(), "carol": phones["carol"].heard()}
			hearsOnce(t, "bob, before", heard["bob"], said["alice"])
			hearsOnce(t, "alice, before", heard["alice"], said["bob"])
			hearsOnce(t, "alice, after", heard["alice"], said["carol"])
			hearsOnce(t, "carol", heard["carol"], said["alice"])
			if c := similarity(heard["carol"], said["bob"]); c > 0.7 {
				t.Errorf("carol heard bob: %.2f", c)
			}
		})
	}
}

// attended is where a phone's Refer-To points for an attended transfer: to the box,
// with a Replaces for the phone's call that has established last. The phone's own
// messages say which that is.
func (b *baresip) attended(g *gateway) string {
	b.t.Helper()
	var m []string
	poll(b.t, "the answer of the second call in the phone's trace", func() bool {
		all := regexp.MustCompile(`(?s)SIP/2.0 200 OK.*?From: [^\n]*;tag=(\S+)\s*\nTo: [^\n]*;tag=(\S+)\s*\nCall-ID: (\S+)\s*\nCSeq: \d+ INVITE`).FindAllStringSubmatch(strings.ReplaceAll(b.log.String(), "\r", ""), -1)
		if len(all) > 0 {
			m = all[len(all)-1]
		}
		return len(all) > 0
	})
	return "sip:box@" + g.sip + "?Replaces=" + url.QueryEscape(m[3]+";to-tag="+m[2]+";from-tag="+m[1])
}

// TestAttendedTransfer: bob holds alice, asks carol, and connects the two.
func TestAttendedTransfer(t *testing.T) {
	t.Parallel()
	g := startGateway(t, threeUsers)
	phones, said := three(t, g)
	alice, bob, carol := phones["alice"], phones["bob"], phones["carol"]
	alice.do("dial", "sip:bob@"+g.sip)
	bob.wait("CALL_ESTABLISHED")
	bob.do("hold", "")
	pauseFor(2 * time.Second)
	bob.do("dial", "sip:carol@"+g.sip)
	carol.wait("CALL_ESTABLISHED")
	bob.wait("CALL_ESTABLISHED")
	pauseFor(6 * time.Second)
	to := bob.attended(g)
	bob.do("line", "1") // the call with alice
	pauseFor(time.Second)
	bob.do("transfer", to)
	bob.wait("CALL_CLOSED")
	bob.wait("CALL_CLOSED")
	pauseFor(8 * time.Second)
	alice.do("hangup", "")
	carol.wait("CALL_CLOSED")
	g.idle()
	toAlice, toCarol := alice.heard(), carol.heard()
	hearsOnce(t, "carol, asked", toCarol, said["bob"])
	hearsOnce(t, "carol, after", toCarol, said["alice"])
	hearsOnce(t, "alice, after", toAlice, said["carol"])
	if n := len(g.calls()); n != 4 {
		t.Errorf("%d calls are remembered, want 4", n)
	}
}

// TestAttendedTransferToApplication: bob holds alice, calls the automatic attendant,
// and leaves her to it where it stands.
func TestAttendedTransferToApplication(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	greeting, menu := speak(t, "Good morning and welcome."), speak(t, "For the opening hours of the museum, press the one key now.")
	a.wav("/greeting.wav", greeting)
	a.wav("/menu.wav", menu)
	a.doc("/in", `<Response><Play>/greeting.wav</Play><Play loop="0">/menu.wav</Play></Response>`)
	g := startGateway(t, "")
	const app = "AP11111111111111111111111111111111"
	g.configure(fmt.Sprintf("applications:\n- {id: %s, account: %s, name: attendant, script: {main: {url: \"%s/in\"}, fallback: {}}}\n"+
		"numbers:\n- {number: \"700\", application: %s}\n", app, g.account, a.URL, app) + threeUsers)
	phones, _ := three(t, g)
	alice, bob := phones["alice"], phones["bob"]
	alice.do("dial", "sip:bob@"+g.sip)
	bob.wait("CALL_ESTABLISHED")
	bob.do("hold", "")
	pauseFor(2 * time.Second)
	bob.do("dial", "sip:700@"+g.sip)
	bob.wait("CALL_ESTABLISHED")
	pauseFor(time.Duration(len(greeting)+len(menu))*time.Second/rate + time.Second)
	to := bob.attended(g)
	bob.do("line", "1") // the call with alice
	pauseFor(time.Second)
	bob.do("transfer", to)
	bob.wait("CALL_CLOSED")
	bob.wait("CALL_CLOSED")
	pauseFor(2*time.Duration(len(menu))*time.Second/rate + time.Second)
	alice.do("hangup", "")
	g.idle()
	toAlice := alice.heard()
	hearsOnce(t, "bob, before", bob.heard(), menu)
	hearsOnce(t, "alice, after", toAlice, menu)
	if c := similarity(toAlice, greeting); c > 0.7 {
		t.Errorf("alice heard the greeting: %.2f", c)
	}
}

// TestLinphoneTransfersAttended: a phone that knows attended transfers itself asks
// carol while alice waits, and connects the two.
func TestLinphoneTransfersAttended(t *testing.T) {
	t.Parallel()
	if !ownNetwork(t) {
		return
	}
	atAlice, atBob, atCarol := place{"alice", "10.72.1.10"}, place{"bob", "10.72.1.11"}, place{"carol", "10.72.1.12"}
	newNetwork(t, "office", []string{"10.72.1.1/24"}, atAlice, atBob, atCarol)
	command(t, "ip", "-n", atBob.netns, "route", "add", "default", "via", "10.72.1.1")
	g := &gateway{t: t, dir: t.TempDir(), listen: "0.0.0.0:5060"}
	g.start()
	g.configure(threeUsers)
	fromAlice := speak(t, "Alice here, the piano was tuned on Thursday.")
	fromBob := speak(t, "Bob speaking, we need eleven chairs.", "-v", "en-us")
	fromCarol := speak(t, "This is Carol from the workshop upstairs.", "-v", "en+f3")
	const registrar = "10.72.1.1:5060"
	alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: registrar, answer: "auto", says: again(fromAlice), place: atAlice})
	carol := startBaresip(t, phone{name: "carol", password: "c1a2r3o4l5", registrar: registrar, answer: "auto", says: again(fromCarol), place: atCarol})
	bob := startLinphone(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: registrar, answer: "auto", says: again(fromBob), place: atBob})
	alice.do("dial", "sip:bob@10.72.1.1")
	alice.wait("CALL_ESTABLISHED")
	pauseFor(5 * time.Second)
	bob.do("pause")
	bob.wait("is now paused")
	bob.do("call sip:carol@10.72.1.1")
	carol.wait("CALL_ESTABLISHED")
	pauseFor(5 * time.Second)
	bob.do("transfer 1 --to-call 2")
	poll(t, "bob's two calls end", func() bool { return strings.Count(bob.out.String(), " ended (") == 2 })
	pauseFor(8 * time.Second)
	carol.do("hangup", "")
	alice.wait("CALL_CLOSED")
	g.idle()
	toAlice, toCarol := alice.heard(), carol.heard()
	hearsOnce(t, "alice, before", toAlice, fromBob)
	hearsOnce(t, "alice, after", toAlice, fromCarol)
	hearsOnce(t, "carol, after", toCarol, fromAlice)
	if log := bob.log(); !strings.Contains(log, "Replaces=") || !strings.Contains(log, "message/sipfrag") {
		t.Error("the phone sent no Replaces, or was told nothing")
	}
}
