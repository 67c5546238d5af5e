//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"callbox/call/line/sipleg/siptest"
	"callbox/media"
	"callbox/media/tone"
	"callbox/sip"
	"callbox/sip/sdp"
)

// What a fax machine says of itself (ITU-T T.38 annex D): the one that sends, and the
// one that receives.
const (
	faxSender   = "a=T38MaxBitRate:14400\r\na=T38FaxRateManagement:transferredTCF\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n"
	faxReceiver = "a=T38MaxBitRate:9600\r\na=T38FaxRateManagement:transferredTCF\r\na=T38FaxMaxDatagram:320\r\n"
)

// exchangeFax sends UDPTL packets, numbered and filled with noise, both ways and wants
// each to arrive as it was sent.
func exchangeFax(t *testing.T, a, b *siptest.Fax, n int) {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 8))
	for i := range n {
		for _, way := range [][2]*siptest.Fax{{a, b}, {b, a}} {
			p := []byte{byte(i >> 8), byte(i), 1, 6}
			for range r.IntN(320) {
				p = append(p, byte(r.Uint32()))
			}
			if err := way[0].Send(p); err != nil {
				t.Fatal(err)
			}
			got, err := way[1].Receive()
			if err != nil || !bytes.Equal(got, p) {
				t.Fatalf("packet %d: %x arrived, %x was sent (%v)", i, got, p, err)
			}
		}
	}
}

// refusesFax has a phone ask for a fax in vain.
func refusesFax(t *testing.T, p *siptest.Endpoint) {
	t.Helper()
	_, err := p.AskFax(t.Context(), faxSender)
	var st *sip.StatusError
	if !errors.As(err, &st) || st.Status != 488 {
		t.Fatalf("a fax was answered with %v, want 488", err)
	}
}

// TestFaxAsData: a phone that asks, by re-INVITE, to go on with a fax as data (T.38)
// gets the answer of the one that it is connected with; the packets of the two pass
// unchanged through the box, which shows each of them its own ports; and they speak
// again. Where the other one wants no fax, or is on no SIP line, it is 488 and the
// sound goes on.
func TestFaxAsData(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, dial string }{
		{"through the box", `"target":[{"type":"user","name":"alice"}]`},
		{"past the box", `"target":[{"type":"user","name":"alice"}],"exitMediaPath":true`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, twoUsers)
			a := newApp(t)
			fromAlice := speak(t, "This is Alice. The drawing comes by fax now.")
			fromBob := speak(t, "Bob speaking. My machine is ready.", "-v", "en-us")
			h := serveJSON(t, a, map[string]string{
				"/first": `[{"verb":"dial",` + tt.dial + `,"actionHook":"/done"}]`,
				"/done":  `[{"verb":"hangup"}]`,
			})
			alice := softphone(t, g, "127.0.0.2", "alice", "a1l2i3c4e5")
			bob := softphone(t, g, "127.0.0.3", "bob", "b1o2b3b4o5")
			code, body := g.askJSON(http.MethodPost, "/Calls", fmt.Sprintf(`{"from":"1","to":{"type":"user","name":"bob"},"call_hook":%q}`, h.base+"/first"))
			if code != http.StatusCreated {
				t.Fatalf("create: %d %v", code, body)
			}
			sid, _ := body["sid"].(string)
			defer func() {
				if t.Failed() {
					out, _ := g.tryRun("trace", sid)
					t.Log(out)
				}
			}()
			lift(t, bob)
			refusesFax(t, bob) // nobody is connected yet
			lift(t, alice)
			converse(t, alice, bob, fromAlice, fromBob)

			alice.RefuseOffers(488)
			refusesFax(t, bob)
			alice.RefuseOffers(0)
			converse(t, alice, bob, fromAlice, fromBob)

			receiver, err := alice.TakeFax(faxReceiver)
			if err != nil {
				t.Fatal(err)
			}
			sender, err := bob.AskFax(t.Context(), faxSender)
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range []struct {
				at   *siptest.Fax
				want string
			}{{receiver, faxSender}, {sender, faxReceiver}} {
				if !strings.Contains(string(line.at.Body()), line.want) {
					t.Errorf("the one says\n%s\nand the other is told\n%s", line.want, line.at.Body())
				}
			}
			exchangeFax(t, sender, receiver, 200)
			ports := udpPorts(t, g.cmd.Process.Pid)
			for _, f := range []*siptest.Fax{sender, receiver} {
				d, err := sdp.Parse(f.Body())
				if err != nil {
					t.Fatal(err)
				}
				if s, err := d.Fax(); err != nil || !ports[s.Addr.Port()] {
					t.Errorf("the packets are wanted at %v, which is no port of the box (%v)", s.Addr, err)
				}
			}
			if err := alice.Reoffer(t.Context(), sdp.SendRecv, false); err != nil {
				t.Fatal(err)
			}
			converse(t, alice, bob, fromAlice, fromBob)
			if err := alice.Hangup(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := bob.WaitEnd(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestFaxBesideAnAnaloguePhone: who asks to go on with a fax as data while the other side
// is an analogue phone, which has only sound, is refused with 488, and both still hear
// each other.
func TestFaxBesideAnAnaloguePhone(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	alice, phone := softphone(t, g, "127.0.0.2", "alice", "a1l2i3c4e5"), g.phone("fxs1")
	sid := g.create(url.Values{"To": {"client:alice"}, "From": {"+14155550100"}, "Twiml": {`<Response><Dial><Client>fxs1</Client></Dial></Response>`}})
	lift(t, alice)
	phone.do("wait-ring")
	phone.do("pick-up")
	phone.line("in a call")
	fromAlice := speak(t, "This is Alice. The drawing comes by fax now.")
	fromPhone := speak(t, "My machine has a dial, and no data.", "-v", "en-us")
	talk := func() {
		t.Helper()
		poll(t, "the phone hears", func() bool {
			phone.do("forget")
			alice.Say(fromAlice)
			pauseFor(time.Duration(len(fromAlice))*time.Second/rate + time.Second)
			return similarity(phone.heard(), fromAlice) > 0.8
		})
		poll(t, "the phone is heard", func() bool {
			from := len(alice.Heard())
			phone.say(fromPhone)
			pauseFor(time.Second)
			return similarity(alice.Heard()[from:], fromPhone) > 0.8
		})
	}
	talk()
	refusesFax(t, alice)
	talk()
	refusesFax(t, alice) // and a second time
	phone.do("hang-up")
	g.until(sid, "completed")
}

// TestFaxAsSound: a fax that answers is noticed, which its call's record says, and what
// it says then passes as it is, through a path that decodes it too.
func TestFaxAsSound(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	alice := softphone(t, g, "127.0.0.2", "alice", "a1l2i3c4e5")
	bob := softphone(t, g, "127.0.0.3", "bob", "b1o2b3b4o5")
	sid := g.create(url.Values{"To": {"client:bob"}, "From": {"+14155550100"},
		"Twiml": {`<Response><Dial record="record-from-answer-dual"><Client>alice</Client></Dial></Response>`}})
	lift(t, bob)
	lift(t, alice)
	g.until(sid, "in-progress")
	var f media.Frame
	var ced []int16
	for src := tone.New(tone.AnswerTone, -15); len(ced) < 3*rate; {
		src.ReadFrame(&f)
		ced = append(ced, f[:]...)
	}
	alice.Say(ced)
	poll(t, "the record tells of a fax", func() bool { return strings.Contains(g.run("calls", "-o", "json"), `"fax": true`) })
	// A signal like a modem's: noise in its band, which no concealment could guess.
	page := make([]int16, 2*rate)
	r := rand.New(rand.NewPCG(7, 7))
	for i := range page {
		page[i] = int16(r.IntN(8000) - 4000)
	}
	from := len(bob.Heard())
	poll(t, "the page arrives", func() bool {
		if len(bob.Heard()) > from+3*len(page) { // on a busy machine it is said again
			from = len(bob.Heard())
		}
		alice.Say(page)
		pauseFor(3 * time.Second)
		return similarity(bob.Heard()[from:], page) > 0.95
	})
}
