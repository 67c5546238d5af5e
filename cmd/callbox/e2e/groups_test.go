//go:build e2e

package e2e

import (
	"net/url"
	"strings"
	"testing"
)

const deskConfig = `
phones:
- port: fxs1
- port: fxs2
- port: fxs3
groups:
- name: desk
  number: "200"
  lines: [fxs1, fxs2]
  ring: 5s
- name: hall
  lines: [fxs1, fxs2]
  hunt: all
- name: shift
  lines: [fxs1, fxs2]
  hunt: cyclic
`

// TestHuntGroups: the phones of a group ring one after another, in turns, or at once,
// and whoever picks up hears the caller.
func TestHuntGroups(t *testing.T) {
	t.Parallel()
	g := startGateway(t, deskConfig)
	one, two, caller := g.phone("fxs1"), g.phone("fxs2"), g.phone("fxs3")
	greeting := speak(t, "This is the front desk. Good morning.")

	if out := g.run("route", "200"); !strings.Contains(out, "First line fxs1") || !strings.Contains(out, "Then line fxs2") {
		t.Errorf("the route:\n%s", out)
	}
	g.create(url.Values{"To": {"200"}, "From": {"+15550100"}, "Twiml": {"<Response><Pause length=\"60\"/></Response>"}})
	one.shows("bell", "ring")
	two.shows("bell", "ring")
	one.shows("bell", "silent")
	two.do("pick-up")
	two.line("in a call")
	two.do("hang-up")
	two.line("on-hook")

	g.create(url.Values{"To": {"client:fxs3"}, "From": {"+15550100"}, "Twiml": {"<Response><Dial><Client>hall</Client></Dial></Response>"}})
	caller.shows("bell", "ring")
	caller.do("pick-up")
	one.shows("bell", "ring")
	two.shows("bell", "ring")
	one.do("pick-up")
	two.shows("bell", "silent")
	one.line("in a call")
	poll(t, "the caller hears the desk", func() bool {
		caller.do("forget")
		one.say(greeting)
		return similarity(caller.heard(), greeting) > 0.8
	})
	caller.do("hang-up")
	one.do("hang-up")
	caller.line("on-hook")
	one.line("on-hook")

	// fxs1 had the last call of the two that count, so fxs2 is first now, then fxs1.
	for _, p := range []*hand{two, one} {
		sid := g.create(url.Values{"To": {"client:shift"}, "From": {"+15550100"}, "Twiml": {"<Response/>"}})
		p.shows("bell", "ring")
		g.post("/Calls/"+sid+".json", url.Values{"Status": {"completed"}})
		p.shows("bell", "silent")
	}
}
