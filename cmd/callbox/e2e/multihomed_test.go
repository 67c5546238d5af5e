//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The box has a foot in three networks, and two addresses in the first.
var (
	officeAlice    = place{"alice", "10.71.1.10"}
	officeCarol    = place{"carol", "10.71.1.11"}
	shopBob        = place{"bob", "10.72.2.10"}
	carrierUDP     = place{"west", "192.0.2.10"}
	carrierTCP     = place{"east", "192.0.2.11"}
	carrierSIPp    = place{"sipp-udp", "192.0.2.12"}
	carrierSIPpTCP = place{"sipp-tcp", "192.0.2.13"}
)

func threeNetworks(t *testing.T) {
	t.Helper()
	newNetwork(t, "office", []string{"10.71.1.1/24", "10.71.1.2/24"}, officeAlice, officeCarol)
	newNetwork(t, "shop", []string{"10.72.2.1/24"}, shopBob)
	newNetwork(t, "carrier", []string{"192.0.2.1/24"}, carrierUDP, carrierTCP, carrierSIPp, carrierSIPpTCP)
}

const everybody = `
users:
- {name: alice, password: a1l2i3c4e5, number: "201"}
- {name: bob, password: b1o2b3b4o5, number: "202"}
- {name: carol, password: c1a2r3o4l5, number: "203"}
`

// talk lets one phone call another and checks what both heard.
func talk(t *testing.T, caller, callee *baresip, to string, fromCaller, fromCallee []int16) {
	t.Helper()
	caller.do("dial", to)
	caller.wait("CALL_ESTABLISHED")
	callee.wait("CALL_ESTABLISHED")
	pauseFor(time.Duration(max(len(fromCaller), len(fromCallee)))*time.Second/rate + time.Second)
	caller.do("hangup", "")
	callee.wait("CALL_CLOSED")
	hears(t, callee.name, callee.heard(), fromCaller)
	hears(t, caller.name, caller.heard(), fromCallee)
}

// TestMultihomed runs a gateway as a user would, on every address of a host with
// several: each peer is shown, in Via, Contact and session descriptions, the
// address that it reached the box at or that lies in its network, every packet
// comes from there, and calls from one network to another have their sound.
func TestMultihomed(t *testing.T) {
	t.Parallel()
	if !ownNetwork(t) {
		return
	}
	threeNetworks(t)
	wire := newTap(t)
	a := newApp(t)
	prompt := speak(t, "You have reached the branch office by way of the carrier.")
	a.wav("/prompt.wav", prompt)
	a.doc("/voice", `<Response><Play>/prompt.wav</Play><Pause length="1"/></Response>`)
	a.doc("/in", `<Response><Pause length="0"/><Play>/prompt.wav</Play></Response>`)
	g := &gateway{t: t, dir: t.TempDir(), listen: "0.0.0.0:5060"}
	g.start()

	fromAlice := speak(t, "This is Alice from the office on the first floor.")
	fromBob := speak(t, "Bob speaking. The shop is open until seven tonight.", "-v", "en-us")
	fromCarol := speak(t, "Carol here. Nobody has seen the yellow van today.", "-v", "en-gb")
	fromFar := speak(t, "A call from far away about the harvest and the weather.")
	overUDP := runBaresip(t, phone{name: "+14155550123", answer: "auto", says: fromFar, place: carrierUDP})
	overTCP := runBaresip(t, phone{name: "+12125550123", answer: "auto", says: fromFar, transport: "tcp", place: carrierTCP})
	sippPort := freePorts(t, 1)
	g.configure(everybody + carriers(g, a, overUDP.addr, overTCP.addr, sippPort))
	alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: "10.71.1.1:5060", answer: "auto", says: fromAlice, place: officeAlice})
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: "10.72.2.1:5060", transport: "tcp", answer: "auto", says: fromBob, place: shopBob})
	carol := startBaresip(t, phone{name: "carol", password: "c1a2r3o4l5", registrar: "10.71.1.2:5060", answer: "auto", says: fromCarol, place: officeCarol})

	t.Run("calls", func(t *testing.T) {
		t.Run("phones", func(t *testing.T) {
			t.Parallel()
			talk(t, alice, bob, "sip:bob@10.71.1.1", fromAlice, fromBob)
			talk(t, bob, carol, "sip:carol@10.72.2.1;transport=tcp", fromBob, fromCarol)
			talk(t, carol, alice, "sip:alice@10.71.1.2", fromCarol, fromAlice)
			talk(t, overUDP, bob, "sip:202@192.0.2.1", fromFar, fromBob)
			talk(t, bob, overTCP, "sip:+12125550123@10.72.2.1;transport=tcp", fromBob, fromFar)
			talk(t, overTCP, carol, "sip:203@192.0.2.1;transport=tcp", fromFar, fromCarol)
			talk(t, carol, overUDP, "sip:+14155550123@10.71.1.2", fromCarol, fromFar)
		})
		for name, transport := range map[string]string{"udp": "u1", "tcp": "t1"} {
			t.Run("application, "+name, func(t *testing.T) {
				t.Parallel()
				throughSIPp(t, g, a, name, transport, sippPort, prompt)
			})
		}
	})
	wire.settle()
	got := wire.check(t, map[string]shown{
		officeAlice.addr: {"10.71.1.1", "10.71.1.1"}, officeCarol.addr: {"10.71.1.2", "10.71.1.2"}, shopBob.addr: {"10.72.2.1", "10.72.2.1"},
		carrierUDP.addr: {"192.0.2.1", "192.0.2.1"}, carrierTCP.addr: {"192.0.2.1", "192.0.2.1"},
		carrierSIPp.addr: {"192.0.2.1", "192.0.2.1"}, carrierSIPpTCP.addr: {"192.0.2.1", "192.0.2.1"},
	})
	for host, n := range got {
		t.Logf("%s: %+v", host, n)
	}
	for _, host := range []place{officeAlice, officeCarol, shopBob, carrierUDP, carrierTCP, carrierSIPp, carrierSIPpTCP} {
		if n := got[host.addr]; n.requests < 2 || n.responses < 2 || n.sdps < 2 || n.rtp < 200 {
			t.Errorf("%s was sent %+v: not all of it was seen", host.addr, n)
		}
	}
}

// carriers is the configuration of four trunks of one carrier.
func carriers(g *gateway, a *app, udp, tcp string, sippPort int) string {
	app := "AP" + strings.Repeat("0", 31) + "1"
	trunk := func(name, addr, transport string) string {
		host, port, _ := net.SplitHostPort(addr)
		return fmt.Sprintf("- {name: %s, host: %s, port: %s, transport: %s}\n", name, host, port, transport)
	}
	at := func(p place) string { return net.JoinHostPort(p.addr, strconv.Itoa(sippPort)) }
	return "trunks:\n" + trunk("west", udp, "udp") + trunk("east", tcp, "tcp") + trunk("sipp-udp", at(carrierSIPp), "udp") +
		trunk("sipp-tcp", at(carrierSIPpTCP), "tcp") + fmt.Sprintf(`
routes:
- {name: west, prefix: "+1415", lines: [west]}
- {name: east, prefix: "+1212", lines: [east]}
- {name: sipp-udp, prefix: "+1312", lines: [sipp-udp]}
- {name: sipp-tcp, prefix: "+1313", lines: [sipp-tcp]}
applications:
- {id: %s, account: %s, name: front door, script: {main: {url: "%s/in"}, fallback: {}}, status: {url: "%s/in-status"}}
numbers:
- {number: "+14155550100", application: %s}
- {number: "202", target: bob}
- {number: "203", target: carol}
`, app, g.account, a.URL, a.URL, app)
}

// throughSIPp calls SIPp and is called by it; SIPp sends back what it hears.
func throughSIPp(t *testing.T, g *gateway, a *app, name, transport string, port int, prompt []int16) {
	t.Helper()
	at, prefix := carrierSIPp, "+1312"
	if name == "tcp" {
		at, prefix = carrierSIPpTCP, "+1313"
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out := at.startSIPp(t, port, 1, recv("INVITE")+reply("100 Trying", "", "")+established+hungUp, "-t", transport, "-rtp_echo")
	if name == "tcp" {
		at.listens(t, port)
	}
	sid := g.create(url.Values{"To": {prefix + "5550123"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}, "Record": {"true"},
		"RecordingChannels": {"dual"}, "Trim": {"do-not-trim"}})
	g.until(sid, "completed")
	out.succeeds(ctx)
	rec, _ := g.recording(sid)
	hears(t, "the box, of its own words in the echo,", channel(rec, 0, 2), prompt)
	in := at.startSIPp(t, port, 1, invite+optional(100)+optional(180)+optional(183)+expect(200)+callerRequest("ACK", 1, "[branch]")+
		recv("BYE")+replyInDialog("200 OK", ""), "-t", transport, "192.0.2.1:5060", "-rtp_echo")
	in.succeeds(ctx)
}
