//go:build e2e

package e2e

import (
	"net/http"
	"net/url"
	"testing"
	"time"
)

// TestRestcommMute: a change mutes the called phone for its partner, and lets it
// speak again; what the partner says is heard all the time.
func TestRestcommMute(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newApp(t)
	sentence := func(text string) []int16 { return speak(t, text, "-v", "en-us") }
	bobs := map[int][]int16{1: sentence("The first of my sentences is heard."), 3: sentence("Nobody hears me at all now."), 5: sentence("The last one can be heard again.")}
	alices := map[int][]int16{3: speak(t, "Alice is never silenced here.")}
	alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "auto", says: timeline(t, alices)})
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: timeline(t, bobs)})
	voice := a.doc("/voice", `<Response><Dial><Client>alice</Client></Dial></Response>`)
	sid := text(g.plainForm("POST", "/Calls.json", url.Values{"From": {"+14155550100"}, "To": {"client:bob"}, "Url": {voice}}).json(t)["sid"])
	bob.wait("CALL_ESTABLISHED")
	alice.wait("CALL_ESTABLISHED")
	began := time.Now()
	change := func(mute string) {
		t.Helper()
		if c := g.plainForm("POST", "/Calls/"+sid+".json", url.Values{"Mute": {mute}}); c.status != http.StatusOK || c.json(t)["sid"] != sid {
			t.Errorf("Mute=%s: %d %s", mute, c.status, c.body)
		}
	}
	slots(began, 2.2)
	change("true")
	slots(began, 4.2)
	change("false")
	slots(began, 6.2)
	if c := g.plainForm("POST", "/Calls/"+sid+".json", url.Values{"Status": {"completed"}}); c.status != http.StatusOK {
		t.Errorf("complete: %d %s", c.status, c.body)
	}
	alice.wait("CALL_CLOSED")
	heard := alice.heard()
	hearsOnce(t, "alice, before", heard, bobs[1])
	deaf(t, "alice, of the muted phone", heard, bobs[3])
	hearsOnce(t, "alice, afterwards", heard, bobs[5])
	hearsOnce(t, "bob", bob.heard(), alices[3])
}

// TestRestcommMoveConnectedCallLeg: a change with another document moves the called
// phone's partner to it as well; without the flag the partner is let go.
func TestRestcommMoveConnectedCallLeg(t *testing.T) {
	t.Parallel()
	for _, moves := range []string{"true", "false"} {
		t.Run(moves, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, twoUsers)
			a := newApp(t)
			notice := speak(t, "Both of you have been moved to this announcement.")
			a.wav("/notice.wav", notice)
			voice := a.doc("/voice", `<Response><Dial><Client>alice</Client></Dial></Response>`)
			other := a.doc("/other", `<Response><Play>/notice.wav</Play></Response>`)
			alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "auto"})
			bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto"})
			sid := text(g.plainForm("POST", "/Calls.json", url.Values{"From": {"+14155550100"}, "To": {"client:bob"}, "Url": {voice}}).json(t)["sid"])
			alice.wait("CALL_ESTABLISHED")
			poll(t, "the two are connected", func() bool {
				list, _ := g.plainForm("GET", "/Calls.json?Status=in-progress", nil).json(t)["calls"].([]any)
				return len(list) == 2
			})
			if c := g.plainForm("POST", "/Calls/"+sid+".json", url.Values{"Url": {other}, "MoveConnectedCallLeg": {moves}}); c.status != http.StatusOK {
				t.Fatalf("move: %d %s", c.status, c.body)
			}
			bob.wait("CALL_CLOSED")
			alice.wait("CALL_CLOSED")
			hears(t, "bob", bob.heard(), notice)
			if moves == "true" {
				hears(t, "alice", alice.heard(), notice)
			}
			if n := len(a.requests("/other")); n != map[string]int{"true": 2, "false": 1}[moves] {
				t.Errorf("the document was asked for %d times", n)
			}
		})
	}
}
