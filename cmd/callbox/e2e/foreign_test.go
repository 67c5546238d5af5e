//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"callbox/call/line/sipleg/siptest"
)

// opusUsers may speak a codec that the box does not know.
const opusUsers = `users:
- name: alice
  password: a1l2i3c4e5
  codecs: [opus, PCMU]
- name: bob
  password: b1o2b3b4o5
  codecs: [opus, PCMU]
`

// TestOpus: two phones speak Opus with each other through the box, which does not
// know it.
func TestOpus(t *testing.T) {
	t.Parallel()
	g := startGateway(t, opusUsers)
	fromAlice := speak(t, "This is Alice. The key lies under the mat at the back door.")
	fromBob := speak(t, "Bob speaking. I will be there before six o'clock.", "-v", "en-us")
	alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "auto", says: again(fromAlice), codecs: "opus/48000/2,PCMU"})
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: again(fromBob), codecs: "opus/48000/2,PCMU"})
	alice.do("dial", "sip:bob@"+g.sip)
	alice.wait("CALL_ESTABLISHED")
	bob.wait("CALL_ESTABLISHED")
	pauseFor(time.Duration(max(len(fromAlice), len(fromBob)))*2*time.Second/rate + time.Second)
	for _, p := range []*baresip{alice, bob} {
		if log := p.log.String(); !strings.Contains(log, "Set audio decoder: opus 48000Hz") || strings.Contains(log, "Set audio decoder: PCMU") {
			t.Errorf("%s does not speak Opus", p.name)
		}
	}
	alice.do("hangup", "")
	bob.wait("CALL_CLOSED")
	hears(t, "bob", bob.heard(), fromAlice)
	hears(t, "alice", alice.heard(), fromBob)
}

// TestForeignRecorded: when a call in a codec that the box does not know is recorded,
// both phones change to one that it knows.
func TestForeignRecorded(t *testing.T) {
	t.Parallel()
	g := startGateway(t, opusUsers)
	fromAlice := speak(t, "This is Alice. The key lies under the mat at the back door.")
	fromBob := speak(t, "Bob speaking. I will be there before six o'clock.", "-v", "en-us")
	alice := softphone(t, g, "127.0.0.6", "alice", "a1l2i3c4e5", "opus", "PCMU")
	bob := softphone(t, g, "127.0.0.7", "bob", "b1o2b3b4o5", "opus", "PCMU")
	if err := alice.Call(t.Context(), "bob"); err != nil {
		t.Fatal(err)
	}
	lift(t, bob)
	if err := alice.WaitUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	poll(t, "both speak Opus", func() bool { return strings.Count(g.log.String(), `"codec":"opus"`) == 2 })
	var sid string
	poll(t, "the call is listed", func() bool {
		_, list := g.get("/Calls.json?Status=in-progress")
		for _, c := range list["calls"].([]any) {
			if m := c.(map[string]any); m["direction"] == "inbound" {
				sid = m["sid"].(string)
			}
		}
		return sid != ""
	})
	if code, body := g.post("/Calls/"+sid+"/Recordings.json", url.Values{"RecordingChannels": {"dual"}}); code != http.StatusCreated {
		t.Fatalf("record: %d %v", code, body)
	}
	converse(t, alice, bob, fromAlice, fromBob)
	if err := alice.Hangup(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.WaitEnd(t.Context()); err != nil {
		t.Fatal(err)
	}
	rec, channels := g.recording(sid)
	if channels != 2 {
		t.Fatalf("a recording of %d channels", channels)
	}
	hears(t, "the recording of Alice", channel(rec, 0, 2), fromAlice)
	hears(t, "the recording of Bob", channel(rec, 1, 2), fromBob)
}

// soundSocket is a socket for sound, named in a session description that is sent as it is.
type soundSocket struct {
	net.PacketConn
	sdp []byte
}

// newSound opens one; attrs are the lines of its m= section behind the port.
func newSound(t *testing.T, host, attrs string) soundSocket {
	t.Helper()
	conn, err := net.ListenPacket("udp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	at := netip.MustParseAddrPort(conn.LocalAddr().String())
	return soundSocket{conn, fmt.Appendf(nil, "v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d %s", host, host, at.Port(), attrs)}
}

// boxSound is where a session description of the box wants its sound.
func boxSound(t *testing.T, sdp string) net.Addr {
	t.Helper()
	a, err := net.ResolveUDPAddr("udp", net.JoinHostPort(find(t, sdp, `c=IN IP4 (\S+)`), find(t, sdp, `m=audio (\d+) `)))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// pass sends packets of the type in, which must come to the other ear as they are,
// with the type out. It gives where they come from.
func pass(t *testing.T, from, to soundSocket, box net.Addr, in, out byte) (source net.Addr) {
	t.Helper()
	var want [][]byte
	for i := range 50 {
		payload := make([]byte, []int{20, 20, 10, 40}[i%4])
		for k := range payload {
			payload[k] = byte(rand.Uint32())
		}
		want = append(want, payload)
		head := []byte{0x80, in, 0, byte(i), 0, 0, byte(i * 160 >> 8), byte(i * 160), 1, 2, 3, 4}
		if _, err := from.WriteTo(append(head, payload...), box); err != nil {
			t.Fatal(err)
		}
		pauseFor(5 * time.Millisecond)
	}
	buf := make([]byte, 2000)
	to.SetReadDeadline(time.Now().Add(patience))
	for i := 0; i < len(want); i++ {
		n, a, err := to.ReadFrom(buf)
		if err != nil {
			t.Fatalf("packet %d: %v", i, err)
		}
		if n < 12 || buf[1]&0x7F != out || !bytes.Equal(buf[12:n], want[i]) {
			t.Fatalf("packet %d came as type %d with % x, sent % x", i, buf[1]&0x7F, buf[12:n], want[i])
		}
		source = a
	}
	return source
}

// TestG729: packets that nobody in the box understands go through it as they are,
// under the number that each side has given them.
func TestG729(t *testing.T) {
	t.Parallel()
	g := startGateway(t, `users:
- name: alice
  password: a1l2i3c4e5
  codecs: [G729, PCMU]
- name: bob
  password: b1o2b3b4o5
  codecs: [PCMU, G729]
`)
	phones := map[string]*siptest.Endpoint{}
	for host, user := range map[string][2]string{"127.0.0.4": {"alice", "a1l2i3c4e5"}, "127.0.0.5": {"bob", "b1o2b3b4o5"}} {
		p := siptest.NewEndpoint(t, siptest.Config{Host: host, Box: netip.MustParseAddrPort(g.sip), User: user[0], Password: user[1], Codecs: []string{"G729"}})
		p.Register()
		phones[user[0]] = p
	}
	alice, bob := phones["alice"], phones["bob"]
	mine := newSound(t, "127.0.0.4", "RTP/AVP 18 101\r\na=fmtp:18 annexb=no\r\na=rtpmap:101 telephone-event/8000\r\n")
	theirs := newSound(t, "127.0.0.5", "RTP/AVP 97 96\r\na=rtpmap:97 G729/8000\r\na=rtpmap:96 telephone-event/8000\r\n")
	bob.AnswerWith(theirs.sdp)
	if err := alice.CallWith(t.Context(), "bob", mine.sdp); err != nil {
		t.Fatal(err)
	}
	lift(t, bob)
	if err := alice.WaitUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	offer := string(bob.Invites()[0].Offer)
	if !strings.Contains(offer, " RTP/AVP 18 0 101\r\n") || !strings.Contains(offer, "a=fmtp:18 annexb=no\r\n") {
		t.Errorf("bob was offered\n%s", offer)
	}
	pauseFor(time.Second)
	// What Bob sends shows where Alice's sound goes to.
	box := pass(t, theirs, mine, boxSound(t, offer), 18, 18)
	pass(t, mine, theirs, box, 18, 97)
	if err := alice.Hangup(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.WaitEnd(t.Context()); err != nil {
		t.Fatal(err)
	}
}
