//go:build e2e

package e2e

import (
	"encoding/binary"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"callbox/media/srtp"
)

// protectedUsers are phones that must protect their sound, one that may, and one
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
- name: dave
  password: d1a2v3e4d5
  srtp: mandatory
- name: erin
  password: e1r2i3n4e5
  srtp: mandatory
`

// TestProtectedSound connects phones whose sound must be protected, over TLS, UDP and
// TCP, with each other, with one that offers keys beside the clear and with one that
// knows no keys: each side hears the other, and each has what its line says.
func TestProtectedSound(t *testing.T) {
	t.Parallel()
	g := startGateway(t, protectedUsers)
	fromAlice := speak(t, "This is Alice. What I say stays between the two of us.")
	fromBob := speak(t, "Bob speaking. I have brought my own key for the front door.", "-v", "en-us")
	says := map[*baresip][]int16{}
	start := func(name, password, transport, protection string, words []int16) *baresip {
		p := phone{name: name, password: password, registrar: g.sip, transport: transport, answer: "auto", says: words, protection: protection}
		if transport == "tls" {
			p.registrar, p.ca = g.tls, filepath.Join(g.dir, "ca.pem")
		}
		b := startBaresip(t, p)
		says[b] = words
		return b
	}
	alice := start("alice", "a1l2i3c4e5", "tls", "srtp-mand", fromAlice)
	bob := start("bob", "b1o2b3b4o5", "udp", "srtp", fromBob)
	carol := start("carol", "c1a2r3o4l5", "udp", "", fromBob)
	dave := start("dave", "d1a2v3e4d5", "udp", "srtp-mand", fromAlice)
	erin := start("erin", "e1r2i3n4e5", "tcp", "srtp-mand", fromBob)
	// Several talk at the same time: caller, callee, caller, callee …
	talk := func(phones ...*baresip) {
		t.Helper()
		for i := 0; i < len(phones); i += 2 {
			at := g.sip
			if phones[i] == alice {
				at = g.tls
			}
			phones[i].do("dial", "sip:"+phones[i+1].name+"@"+at+";transport="+phones[i].transport)
		}
		for _, b := range phones {
			b.wait("CALL_ESTABLISHED")
		}
		pauseFor(time.Duration(max(len(fromAlice), len(fromBob)))*time.Second/rate + time.Second)
		for i := 0; i < len(phones); i += 2 {
			caller, callee := phones[i], phones[i+1]
			caller.do("hangup", "")
			callee.wait("CALL_CLOSED")
			hears(t, callee.name, callee.heard(), says[caller])
			hears(t, caller.name, caller.heard(), says[callee])
		}
	}
	talk(alice, bob, dave, erin)
	talk(bob, alice, erin, dave)
	talk(carol, alice)
	for b, want := range map[*baresip]bool{alice: true, bob: true, carol: false, dave: true, erin: true} {
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

// TestOtherKeys: a provider that protects its sound with another key than it has named
// is not heard, and the record and the metrics say so, in numbers and in words.
func TestOtherKeys(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	g, _ := trunked(t, a, "  srtp: mandatory")
	a.doc("/in", `<Response><Play>/nothing.wav</Play><Pause length="60"/></Response>`)
	named, used := must(srtp.NewKeys(srtp.AES128Tag80)), must(srtp.NewKeys(srtp.AES128Tag80))
	conn := must(net.ListenPacket("udp", "127.0.0.1:0"))
	defer conn.Close()
	_, port, _ := net.SplitHostPort(conn.LocalAddr().String())
	r := newRawCaller(t, g, "keys", 0)
	r.body = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio " + port + " RTP/SAVP 0\r\n" +
		"a=crypto:1 " + string(named.Suite) + " " + named.Param() + "\r\n"
	r.send(r.request("INVITE", "a", 1), 1)
	answer := r.must("1 INVITE", 200)
	r.send(r.request("ACK 200", "b", 1), 1)
	cipher := must(srtp.NewCipher(used))
	to := boxSound(t, answer)
	packet := make([]byte, 172)
	packet[0] = 0x80
	for i := range 100 {
		binary.BigEndian.PutUint16(packet[2:], uint16(i))
		binary.BigEndian.PutUint32(packet[4:], uint32(160*i))
		if _, err := conn.WriteTo(must(cipher.Seal(nil, packet)), to); err != nil {
			t.Fatal(err)
		}
		pauseFor(5 * time.Millisecond)
	}
	poll(t, "the metrics count the packets", func() bool { return g.metrics()["callbox_media_refused_total"] >= 90 })
	r.send(r.request("BYE", "c", 2), 1)
	r.must("2 BYE", 200)
	poll(t, "the record says why nothing was heard", func() bool {
		got := g.run("calls", "-o", "json")
		n, err := strconv.Atoi(find(t, got, `"Refused": (\d+)`))
		return err == nil && n >= 90 && strings.Contains(got, `"PacketsIn": 0,`) && strings.Contains(got, "other keys than it has named")
	})
}
