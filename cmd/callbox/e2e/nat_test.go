//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
)

// TestPhonesBehindNAT puts phones behind a router that changes addresses and
// ports, and to whose private addresses the box has no way. They register,
// call and are called, with sound both ways, over UDP and TCP.
func TestPhonesBehindNAT(t *testing.T) {
	t.Parallel()
	if !ownNetwork(t) {
		return
	}
	router, near := place{"router", "203.0.113.2"}, place{"alice", "203.0.113.10"}
	dave, erin := place{"dave", "192.168.7.10"}, place{"erin", "192.168.8.10"}
	newNetwork(t, "street", []string{"203.0.113.1/24"}, router, near)
	newRouter(t, router, dave, erin)
	g := &gateway{t: t, dir: t.TempDir(), listen: "0.0.0.0:5060"}
	g.start()
	g.configure(`
users:
- {name: alice, password: a1l2i3c4e5}
- {name: dave, password: d1a2v3e4d5}
- {name: erin, password: e1r2i3n4e5}
`)
	fromAlice := speak(t, "This is Alice. The street has been swept this morning.")
	fromDave := speak(t, "Dave speaking, from behind the old brick wall.", "-v", "en-us")
	fromErin := speak(t, "Erin here. My garden gate opens to the other side.", "-v", "en-gb")
	a := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: "203.0.113.1:5060", answer: "auto", says: fromAlice, place: near})
	d := startBaresip(t, phone{name: "dave", password: "d1a2v3e4d5", registrar: "203.0.113.1:5060", answer: "auto", says: fromDave, place: dave})
	e := startBaresip(t, phone{name: "erin", password: "e1r2i3n4e5", registrar: "203.0.113.1:5060", transport: "tcp", answer: "auto", says: fromErin, place: erin})
	for name, ip := range map[string]string{"dave": router.addr, "erin": router.addr, "alice": near.addr} {
		if ready, text := g.status(name); !ready || !strings.Contains(text, ip) {
			t.Errorf("%s: %v %s", name, ready, text)
		}
	}
	talk(t, a, d, "sip:dave@203.0.113.1", fromAlice, fromDave)
	talk(t, d, e, "sip:erin@203.0.113.1", fromDave, fromErin)
	talk(t, e, a, "sip:alice@203.0.113.1;transport=tcp", fromErin, fromAlice)

	// A phone that knows nothing of rport still gets its answer: the private
	// address in its Via shows that there is a NAT.
	for _, rport := range []string{"", ";rport"} {
		c, err := dave.dial("udp", "203.0.113.1:5060")
		if err != nil {
			t.Fatal(err)
		}
		res := exchange(t, c, c, register("dave", c.LocalAddr().String()+rport))
		if !strings.HasPrefix(res, "SIP/2.0 401 ") || headerParam(res, "Via", "received") != router.addr {
			t.Errorf("with %q the answer is\n%s", rport, res)
		}
		if got := headerParam(res, "Via", "rport"); (got == "") != (rport == "") {
			t.Errorf("with %q the answer says rport %q", rport, got)
		}
		c.Close()
	}
}

// TestBoxBehindNAT puts the box behind a router with a fixed public address and
// forwarded ports. It shows that address to the carrier outside and its own to
// the phone in its network.
func TestBoxBehindNAT(t *testing.T) {
	t.Parallel()
	if !ownNetwork(t) {
		return
	}
	const public = "198.51.100.1" // what newRouter gives the router on the carrier's side
	router, near := place{"router", "192.168.1.1"}, place{"alice", "192.168.1.10"}
	outside := place{"carrier", "198.51.100.20"}
	newNetwork(t, "home", []string{"192.168.1.2/24"}, router, near)
	newRouter(t, router, outside)
	command(t, "ip", "route", "add", "default", "via", router.addr)
	nat := func(args ...string) {
		t.Helper()
		command(t, "ip", append([]string{"netns", "exec", router.netns, "iptables", "-t", "nat", "-A"}, args...)...)
	}
	// Seen from here the carrier's side is the outside.
	command(t, "ip", "netns", "exec", router.netns, "iptables", "-t", "nat", "-F")
	command(t, "ip", "netns", "exec", outside.netns, "ip", "route", "del", "default")
	nat("POSTROUTING", "-o", outside.netns, "-j", "MASQUERADE")
	for _, ports := range []string{"5060", "16384:17383"} {
		nat("PREROUTING", "-i", outside.netns, "-p", "udp", "-d", public, "--dport", ports, "-j", "DNAT", "--to-destination", "192.168.1.2")
	}
	wire := newTap(t)
	g := &gateway{t: t, dir: t.TempDir(), listen: "0.0.0.0:5060"}
	g.start()
	fromAlice := speak(t, "This is Alice at home, and nobody sees my address.")
	fromFar := speak(t, "A call from far away about the harvest and the weather.", "-v", "en-us")
	far := runBaresip(t, phone{name: "+14155550123", answer: "auto", says: fromFar, place: outside})
	_, port, _ := net.SplitHostPort(far.addr)
	g.configure(fmt.Sprintf(`
users:
- {name: alice, password: a1l2i3c4e5, number: "201"}
trunks:
- {name: provider, host: %s, port: %s}
routes:
- {name: all, prefix: "+", lines: [provider]}
numbers:
- {number: "201", target: alice}
`, outside.addr, port))
	g.change("media:\n", "media:\n  external: "+public+"\n")
	if err := g.stop(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	g.start() // media.external is for the next start
	a := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: "192.168.1.2:5060", answer: "auto", says: fromAlice, place: near})
	talk(t, a, far, "sip:+14155550123@192.168.1.2", fromAlice, fromFar)
	talk(t, far, a, "sip:201@"+public, fromFar, fromAlice)
	wire.settle()
	got := wire.check(t, map[string]shown{near.addr: {"192.168.1.2", "192.168.1.2"}, outside.addr: {"192.168.1.2", public}})
	for _, p := range []place{near, outside} {
		if n := got[p.addr]; n.requests < 2 || n.responses < 2 || n.sdps < 2 || n.rtp < 200 {
			t.Errorf("%s was sent %+v: not all of it was seen", p.addr, n)
		}
	}
}
