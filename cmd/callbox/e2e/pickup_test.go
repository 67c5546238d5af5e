//go:build e2e

package e2e

import (
	"encoding/xml"
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"
)

// pickable is what a document says of how a call may be picked up.
type pickable struct {
	CallID    string `xml:"call-id,attr"`
	LocalTag  string `xml:"local-tag,attr"`
	RemoteTag string `xml:"remote-tag,attr"`
	State     string `xml:"state"`
	Target    struct {
		URI string `xml:"uri,attr"`
	} `xml:"remote>target"`
}

// picks gives it for the latest document of a subscription.
func (p *panel) picks(callID string) pickable {
	p.t.Helper()
	n := p.told(callID)
	var d struct {
		Dialogs []pickable `xml:"dialog"`
	}
	if err := xml.Unmarshal([]byte(n[len(n)-1].body), &d); err != nil || len(d.Dialogs) != 1 {
		p.t.Fatalf("%v\n%s", err, n[len(n)-1].body)
	}
	return d.Dialogs[0]
}

// pickUp calls with a Replaces header and waits for the 200, whose offer it answers
// with sound at an address.
func (p *panel) pickUp(whom, callID, replaces string, sound net.Addr) {
	t := p.t
	t.Helper()
	p.ask("INVITE", whom, callID, "", "Replaces: "+replaces)
	cseq := fmt.Sprintf("%d INVITE", p.seq)
	var res string
	poll(t, "the answer to who picks up", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		res = p.answers[callID+" "+cseq]
		return strings.HasPrefix(res, "SIP/2.0 ") && !strings.HasPrefix(res, "SIP/2.0 1")
	})
	if !strings.HasPrefix(res, "SIP/2.0 200 ") {
		t.Fatalf("not picked up:\n%s", res)
	}
	target := regexp.MustCompile(`<(.*)>`).FindStringSubmatch(headerOf(res, "Contact"))[1]
	_, port, _ := net.SplitHostPort(sound.String())
	body := fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %s RTP/AVP 0\r\n", port)
	_, err := fmt.Fprintf(p.conn, "ACK %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKack%s;rport\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s\r\n"+
		"Max-Forwards: 70\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", target, p.conn.LocalAddr(), callID,
		headerOf(res, "From"), headerOf(res, "To"), callID, strings.Replace(cseq, "INVITE", "ACK", 1), len(body), body)
	if err != nil {
		t.Fatal(err)
	}
}

// TestPickUpByLamp: a telephone whose lamp for a colleague blinks picks the call up
// by what the document says, whichever tag it takes for whose, of a SIP phone as of an
// analogue one; once answered, and of
// calls that a colleague places, it is told nothing that it could use.
func TestPickUpByLamp(t *testing.T) {
	t.Parallel()
	g := startGateway(t, `
users:
- {name: alice, password: a1l2i3c4e5, number: "201"}
- {name: bob, password: b1o2b3b4o5, number: "202"}
- {name: carol, password: c1a2r3o4l5, number: "203"}
phones:
- {port: fxs1, number: "210"}
`)
	said := speak(t, "Is anybody there who could pick this up for me?")
	alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "auto", says: again(said)})
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "manual"})
	p := newPanel(t, g, "carol", "c1a2r3o4l5")
	p.register()
	p.watch("bob", "dialog")
	p.watch("alice", "dialog")
	for i, header := range []string{"%s;to-tag=%[3]s;from-tag=%[2]s;early-only", "%s;to-tag=%[2]s;from-tag=%[3]s"} {
		alice.do("dial", "sip:bob@"+g.sip)
		bob.wait("CALL_INCOMING")
		p.shows("dialog-bob", "recipient early")
		call := p.picks("dialog-bob")
		if call.CallID == "" || call.LocalTag == "" || call.RemoteTag == "" || call.Target.URI != "sip:bob@127.0.0.1" {
			t.Fatalf("%+v", call)
		}
		p.shows("dialog-alice", "initiator early")
		if own := p.picks("dialog-alice"); own.CallID != "" || own.LocalTag != "" {
			t.Errorf("a call that alice places may be taken: %+v", own)
		}
		ear := newEar(t)
		p.pickUp("bob", fmt.Sprint("pick-", i), fmt.Sprintf(header, call.CallID, call.LocalTag, call.RemoteTag), ear.rtp.LocalAddr())
		alice.wait("CALL_ESTABLISHED")
		bob.wait("CALL_CLOSED")
		p.shows("dialog-bob", "idle")
		pauseFor(time.Duration(len(said))*time.Second/rate*2 + time.Second)
		alice.do("hangup", "")
		hearsOnce(t, "who picked up", ear.sound(), said)
	}
	// What rings at an analogue phone is picked up in the same way.
	p.watch("fxs1", "dialog")
	alice.do("dial", "sip:210@"+g.sip)
	g.phone("fxs1").do("wait-ring", "1")
	p.shows("dialog-fxs1", "recipient early")
	call := p.picks("dialog-fxs1")
	if call.CallID == "" || call.Target.URI != "sip:fxs1@127.0.0.1" {
		t.Fatalf("%+v", call)
	}
	ear := newEar(t)
	p.pickUp("fxs1", "pick-port", fmt.Sprintf("%s;to-tag=%s;from-tag=%s", call.CallID, call.LocalTag, call.RemoteTag), ear.rtp.LocalAddr())
	alice.wait("CALL_ESTABLISHED")
	p.shows("dialog-fxs1", "idle")
	g.phone("fxs1").shows("bell", "silent")
	pauseFor(time.Duration(len(said))*time.Second/rate*2 + time.Second)
	alice.do("hangup", "")
	hearsOnce(t, "who picked up from the analogue phone", ear.sound(), said)
	p.ask("INVITE", "fxs1", "pick-late", "", "Replaces: "+call.CallID+";to-tag="+call.LocalTag+";from-tag="+call.RemoteTag)
	poll(t, "the answer to who comes late", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return strings.HasPrefix(p.answers[fmt.Sprintf("pick-late %d INVITE", p.seq)], "SIP/2.0 481 ")
	})

	alice.do("dial", "sip:bob@"+g.sip)
	bob.wait("CALL_INCOMING")
	bob.do("accept", "")
	p.shows("dialog-bob", "recipient confirmed")
	if talks := p.picks("dialog-bob"); talks.CallID != "" || talks.LocalTag != "" || talks.Target.URI != "" {
		t.Errorf("an answered call may be taken: %+v", talks)
	}
	alice.do("hangup", "")
	g.idle()
}
