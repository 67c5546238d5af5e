//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
)

// TestOtherServerOtherNetwork: the provider's first server is away, and the second
// is reached from another address of ours. The INVITE that goes there names that
// address, in Contact and session description, and both sides hear each other.
func TestOtherServerOtherNetwork(t *testing.T) {
	t.Parallel()
	if !ownNetwork(t) {
		return
	}
	resolvConf(t)
	alice, west, east := place{"alice", "10.71.1.10"}, place{"west", "192.0.2.10"}, place{"east", "198.18.5.10"}
	newNetwork(t, "office", []string{"10.71.1.1/24"}, alice)
	newNetwork(t, "first", []string{"192.0.2.1/24"}, west)
	newNetwork(t, "second", []string{"198.18.5.1/24"}, east)
	fromAlice := speak(t, "This is Alice from the office on the first floor.")
	fromFar := speak(t, "A call from far away about the harvest and the weather.", "-v", "en-us")
	far := runBaresip(t, phone{name: "+14155550123", answer: "auto", says: fromFar, place: east})
	_, port, _ := net.SplitHostPort(far.addr)
	nameServer(t,
		"_sip._udp.provider.example. SRV 10 0 5060 a.provider.example.", "_sip._udp.provider.example. SRV 20 0 "+port+" b.provider.example.",
		"a.provider.example. A "+west.addr, "b.provider.example. A "+east.addr)
	wire := newTap(t)
	g := &gateway{t: t, dir: t.TempDir(), listen: "0.0.0.0:5060"}
	g.start()
	g.configure(`
users:
- {name: alice, password: a1l2i3c4e5}
trunks:
- {name: provider, host: provider.example}
routes:
- {name: all, prefix: "+", lines: [provider]}
`)
	// The first server takes everything and says nothing: not even that nobody is there.
	command(t, "ip", "netns", "exec", west.netns, "iptables", "-A", "INPUT", "-p", "udp", "-j", "DROP")
	a := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: "10.71.1.1:5060", answer: "auto", says: fromAlice, place: alice})
	talk(t, a, far, "sip:+14155550123@10.71.1.1", fromAlice, fromFar)
	wire.settle()
	shown := map[string]int{}
	for _, m := range wire.messages() {
		if !strings.HasPrefix(m.text, "INVITE ") {
			continue
		}
		for _, ours := range []string{"192.0.2.1", "198.18.5.1"} {
			if strings.Contains(m.text, "c=IN IP4 "+ours+"\r\n") && strings.Contains(m.text, "@"+ours+":5060>") && strings.Contains(m.text, "o=- ") {
				shown[fmt.Sprintf("%s sees %s", m.to.Addr(), ours)]++
			}
		}
	}
	if shown["192.0.2.10 sees 192.0.2.1"] == 0 || shown["198.18.5.10 sees 198.18.5.1"] == 0 || len(shown) != 2 {
		t.Errorf("shown: %v", shown)
	}
}

// TestPatience: a provider with one address that says nothing is given up after its
// patience, and the route goes on; the reason is plain.
func TestPatience(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.doc("/voice", `<Response><Hangup/></Response>`)
	g := startGateway(t, "")
	silent, next := listenUDP(t, "127.0.0.1:0"), listenUDP(t, "127.0.0.1:0")
	_, port, _ := net.SplitHostPort(silent.LocalAddr().String())
	_, nextPort, _ := net.SplitHostPort(next.LocalAddr().String())
	g.configure(fmt.Sprintf(`
trunks:
- {name: gone, host: 127.0.0.1, port: %s, patience: 2s}
- {name: other, host: 127.0.0.1, port: %s}
routes:
- {name: alone, prefix: "+1415", lines: [gone]}
- {name: with another, prefix: "+1212", lines: [gone, other]}
`, port, nextPort))
	sid := g.create(url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
	g.until(sid, "no-answer")
	out := g.run("trace", sid)
	want := "no answer from 127.0.0.1:" + port + " within 2s"
	if calls := g.run("calls"); !strings.Contains(out+calls, want) {
		t.Errorf("no %q in\n%s\n%s", want, out, calls)
	}
	sid = g.create(url.Values{"To": {"+12125550123"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
	invite, from := nextRequest(t, next, "INVITE")
	refuse(next, from, invite, "486 Busy Here")
	g.until(sid, "busy")
}
