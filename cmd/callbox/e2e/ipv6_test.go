//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

// TestIPv6 runs the box in a network with addresses of both families (RFC 4193 for
// IPv6): a telephone of each, and a provider of each, call across the families, over
// UDP and TCP, with sound both ways. What is said to a peer names the address of its
// own family, in brackets where it is part of a URI.
func TestIPv6(t *testing.T) {
	t.Parallel()
	if !ownNetwork(t) {
		return
	}
	const six = "fd00:7:1::1"
	alice, bob := place{"alice", "fd00:7:1::10"}, place{"bob", "10.71.1.10"}
	carol, west := place{"carol", "fd00:7:1::11"}, place{"west", "fd00:7:1::20"}
	newNetwork(t, "office", []string{six + "/64", "10.71.1.1/24"}, alice, bob, carol, west)
	g := &gateway{t: t, dir: t.TempDir(), listen: ":5060"}
	g.start()
	fromAlice := speak(t, "This is Alice from the office on the first floor.")
	fromBob := speak(t, "Bob speaking. The shop is open until seven tonight.", "-v", "en-us")
	fromCarol := speak(t, "Carol here. Nobody has seen the yellow van today.", "-v", "en-gb")
	fromFar := speak(t, "A call from far away about the harvest and the weather.")
	far := runBaresip(t, phone{name: "+14155550123", answer: "auto", says: fromFar, place: west})
	_, port, _ := net.SplitHostPort(far.addr)
	g.configure(fmt.Sprintf(`
users:
- {name: alice, password: a1l2i3c4e5, number: "201"}
- {name: bob, password: b1o2b3b4o5, number: "202"}
- {name: carol, password: c1a2r3o4l5, number: "203"}
trunks:
- {name: west, host: "%s", port: %s}
routes:
- {name: all, prefix: "+", lines: [west]}
numbers:
- {number: "201", target: alice}
- {number: "202", target: bob}
`, west.addr, port))
	a := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: "[" + six + "]:5060", answer: "auto", says: fromAlice, place: alice})
	b := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: "10.71.1.1:5060", answer: "auto", says: fromBob, place: bob})
	c := startBaresip(t, phone{name: "carol", password: "c1a2r3o4l5", registrar: "[" + six + "]:5060", transport: "tcp", answer: "auto", says: fromCarol, place: carol})
	for name, from := range map[string]string{"alice": "[" + alice.addr + "]:", "bob": bob.addr + ":", "carol": "[" + carol.addr + "]:"} {
		if ready, text := g.status(name); !ready || !strings.Contains(text, from) {
			t.Errorf("%s: %v %s", name, ready, text)
		}
	}
	talk(t, a, b, "sip:bob@["+six+"]", fromAlice, fromBob)
	talk(t, b, c, "sip:carol@10.71.1.1", fromBob, fromCarol)
	talk(t, c, a, "sip:alice@["+six+"];transport=tcp", fromCarol, fromAlice)
	talk(t, a, far, "sip:+14155550123@["+six+"]", fromAlice, fromFar)
	talk(t, b, far, "sip:+14155550123@10.71.1.1", fromBob, fromFar)
	talk(t, far, b, "sip:202@["+six+"]", fromFar, fromBob)

	// The ladder of the last calls shows what was said to whom.
	_, list := g.get("/Calls.json?PageSize=50")
	families := map[string]int{}
	for _, x := range list["calls"].([]any) {
		for _, m := range strings.Split(g.run("trace", x.(map[string]any)["sid"].(string), "--full"), "\n") {
			for _, want := range []string{"c=IN IP6 " + six, "c=IN IP4 10.71.1.1", "@[" + six + "]:5060", "@10.71.1.1:5060"} {
				if strings.Contains(m, want) {
					families[want]++
				}
			}
		}
	}
	t.Logf("shown: %v", families)
	if len(families) != 4 {
		t.Error("not every address was shown")
	}
}
