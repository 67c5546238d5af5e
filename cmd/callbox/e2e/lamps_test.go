//go:build e2e

package e2e

import (
	"encoding/xml"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// panel is a telephone with lamps, made of a bare socket: it registers, subscribes,
// and takes what it is told.
type panel struct {
	t              *testing.T
	name, password string
	box            string // host:port
	conn           net.Conn
	seq            int
	away           string // a URI to which it sends its calls on (302); empty: it rings

	mu      sync.Mutex
	answers map[string]string // by CSeq
	notices []notice          // what it was told, in order
	stun    []string          // what came that begins like an answer of STUN
}

// notice is one NOTIFY.
type notice struct{ callID, event, state, kind, body, text string }

// newPanel makes one that has not registered.
func newPanel(t *testing.T, g *gateway, name, password string, away ...string) *panel {
	t.Helper()
	c, err := net.Dial("udp", g.sip)
	if err != nil {
		t.Fatal(err)
	}
	p := &panel{t: t, name: name, password: password, box: g.sip, conn: c, answers: map[string]string{}, away: strings.Join(away, "")}
	ended := make(chan struct{})
	t.Cleanup(func() { c.Close(); <-ended })
	go func() {
		defer close(ended)
		p.read()
	}()
	return p
}

// read sorts what comes until the socket is closed. Requests are answered.
func (p *panel) read() {
	buf, invite := make([]byte, 65536), ""
	for {
		n, err := p.conn.Read(buf)
		if err != nil {
			return
		}
		text := string(buf[:n])
		p.mu.Lock()
		if strings.HasPrefix(text, "\x01\x01") {
			p.stun = append(p.stun, text)
			p.mu.Unlock()
			continue
		}
		if strings.HasPrefix(text, "SIP/2.0 ") {
			p.answers[headerOf(text, "Call-ID")+" "+headerOf(text, "CSeq")] = text
			p.mu.Unlock()
			continue
		}
		_, body, _ := strings.Cut(text, "\r\n\r\n")
		p.notices = append(p.notices, notice{callID: headerOf(text, "Call-ID"), event: headerOf(text, "Event"), state: headerOf(text, "Subscription-State"),
			kind: headerOf(text, "Content-Type"), body: body, text: text})
		p.mu.Unlock()
		switch method, _, _ := strings.Cut(text, " "); method {
		case "ACK":
		case "INVITE": // it rings until it is cancelled
			invite = text
			if p.away != "" {
				p.answer(text, "302 Moved Temporarily", "Contact: <"+p.away+">")
				continue
			}
			p.answer(text, "180 Ringing")
		case "CANCEL":
			p.answer(text, "200 OK")
			p.answer(invite, "487 Request Terminated")
		default:
			p.answer(text, "200 OK")
		}
	}
}

// answer answers a request.
func (p *panel) answer(req, status string, headers ...string) {
	answer := "SIP/2.0 " + status + "\r\n"
	for _, h := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
		value := headerOf(req, h)
		if h == "To" && !strings.Contains(value, ";tag=") {
			value += ";tag=panel"
		}
		answer += h + ": " + value + "\r\n"
	}
	for _, h := range headers {
		answer += h + "\r\n"
	}
	_, _ = p.conn.Write([]byte(answer + "Content-Length: 0\r\n\r\n")) // fails at the end of the test only
}

// headerOf is the value of a message's header, empty without.
func headerOf(message, name string) string {
	head, _, _ := strings.Cut(message, "\r\n\r\n")
	for _, l := range strings.Split(head, "\r\n") {
		if v, ok := strings.CutPrefix(l, name+": "); ok {
			return v
		}
	}
	return ""
}

// ask sends a request to somebody of the box, answers its challenge, and gives the
// final answer. toTag is that of a dialog.
func (p *panel) ask(method, whom, callID, toTag string, headers ...string) string {
	p.t.Helper()
	uri, us := "sip:"+whom+"@"+p.box, fmt.Sprintf("<sip:%s@%s>", p.name, p.box)
	if method == "REGISTER" {
		uri = "sip:" + p.box
	}
	to := fmt.Sprintf("<sip:%s@%s>", whom, p.box)
	if toTag != "" {
		to += ";tag=" + toTag
	}
	proofs := ""
	for range 2 {
		p.seq++
		cseq := fmt.Sprintf("%d %s", p.seq, method)
		text := fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%d;rport\r\nFrom: %s;tag=panel\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s\r\n"+
			"Max-Forwards: 70\r\nContact: <sip:%s@%s>\r\n%s%sContent-Length: 0\r\n\r\n", method, uri, p.conn.LocalAddr(), callID, p.seq, us, to, callID, cseq,
			p.name, p.conn.LocalAddr(), strings.Join(append(headers, ""), "\r\n"), proofs)
		var res string
		poll(p.t, "the answer to "+cseq, p.repeated(text, func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			res = p.answers[callID+" "+cseq]
			return res != ""
		}))
		if !strings.HasPrefix(res, "SIP/2.0 401 ") || proofs != "" {
			return res
		}
		_, nonce, _ := challenges(p.t, res)
		proofs = proof{user: p.name, password: p.password, nonce: nonce, algorithm: "SHA-256", count: 1, uri: uri, method: method}.String()
	}
	return ""
}

// repeated sends a request now and, as long as done is false, every half second.
func (p *panel) repeated(text string, done func() bool) func() bool {
	var last time.Time
	return func() bool {
		if time.Since(last) > 500*time.Millisecond {
			last = time.Now()
			if _, err := p.conn.Write([]byte(text)); err != nil {
				p.t.Fatal(err)
			}
		}
		return done()
	}
}

// register makes the box know the panel.
func (p *panel) register() {
	p.t.Helper()
	if res := p.ask("REGISTER", p.name, "reg-"+p.name, "", "Expires: 600"); !strings.HasPrefix(res, "SIP/2.0 200 ") {
		p.t.Fatalf("not registered:\n%s", res)
	}
}

// watch subscribes to somebody, by name or number, and gives the tag of the
// subscription, whose Call-ID is the event and the name.
func (p *panel) watch(whom, event string) (tag string) {
	p.t.Helper()
	res := p.ask("SUBSCRIBE", whom, event+"-"+whom, "", "Event: "+event, "Expires: 600")
	if !strings.HasPrefix(res, "SIP/2.0 200 ") {
		p.t.Fatalf("no subscription to %s of %s:\n%s", event, whom, res)
	}
	return headerParam(res, "To", "tag")
}

// told lists what was said in one subscription so far.
func (p *panel) told(callID string) []notice {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []notice
	for _, n := range p.notices {
		if n.callID == callID {
			out = append(out, n)
		}
	}
	return out
}

// dialogInfo is the document of RFC 4235 §4, read by this test alone.
type dialogInfo struct {
	XMLName xml.Name `xml:"urn:ietf:params:xml:ns:dialog-info dialog-info"`
	Version *uint32  `xml:"version,attr"`
	State   string   `xml:"state,attr"`
	Entity  string   `xml:"entity,attr"`
	Dialogs []struct {
		ID        string `xml:"id,attr"`
		Direction string `xml:"direction,attr"`
		State     string `xml:"state"`
		Remote    string `xml:"remote>identity"`
	} `xml:"dialog"`
}

// lamp follows the documents of a subscription as a telephone does (RFC 4235 §4.1,
// §4.3): the states of the dialogs, after each document.
func (p *panel) lamp(callID string) (history []string, remotes map[string]bool) {
	p.t.Helper()
	dialogs := map[string]string{}
	remotes = map[string]bool{}
	for i, n := range p.told(callID) {
		var d dialogInfo
		if err := xml.Unmarshal([]byte(n.body), &d); err != nil {
			p.t.Fatalf("%v\n%s", err, n.text)
		}
		if d.Version == nil || *d.Version != uint32(i) || d.Entity == "" || n.kind != "application/dialog-info+xml" || n.event != "dialog" {
			p.t.Fatalf("document %d of %s is\n%s", i, callID, n.text)
		}
		if d.State == "full" {
			clear(dialogs)
		} else if d.State != "partial" || i == 0 {
			p.t.Fatalf("document %d of %s is %s", i, callID, d.State)
		}
		for _, x := range d.Dialogs {
			if x.ID == "" || x.Direction != "initiator" && x.Direction != "recipient" {
				p.t.Fatalf("dialog %+v in\n%s", x, n.text)
			}
			dialogs[x.ID] = x.Direction + " " + x.State
			if x.State == "terminated" {
				delete(dialogs, x.ID)
			}
			remotes[x.Remote] = true
		}
		now := "idle"
		for _, s := range dialogs {
			now = s
		}
		if len(history) == 0 || history[len(history)-1] != now {
			history = append(history, now)
		}
	}
	return history, remotes
}

// shows waits until the lamp of a subscription is in a state.
func (p *panel) shows(callID, want string) {
	p.t.Helper()
	last := "nothing"
	defer func() {
		if p.t.Failed() {
			p.t.Logf("the lamp of %s shows %s, not %s", callID, last, want)
		}
	}()
	poll(p.t, callID+" shows "+want, func() bool {
		h, _ := p.lamp(callID)
		if len(h) > 0 {
			last = h[len(h)-1]
		}
		return last == want
	})
}

// keepsOpen keeps the panel's way to the box open by STUN (RFC 5626 §4.4.2): it is
// told how the box sees it, and who has not registered is told nothing.
func (p *panel) keepsOpen(g *gateway) {
	t := p.t
	t.Helper()
	const question = "\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl"
	elsewhere := net.Dialer{LocalAddr: &net.UDPAddr{IP: net.IPv4(127, 0, 0, 9)}} // not where the provider is
	stranger, err := elsewhere.Dial("udp", g.sip)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	for _, c := range []net.Conn{stranger, p.conn} {
		if _, err := c.Write([]byte(question)); err != nil {
			t.Fatal(err)
		}
	}
	port16 := uint16(p.conn.LocalAddr().(*net.UDPAddr).Port) ^ 0x2112
	seen := "\x00\x20\x00\x08\x00\x01" + string([]byte{byte(port16 >> 8), byte(port16), 127 ^ 0x21, 0x12, 0xa4, 1 ^ 0x42})
	poll(t, "the answer by STUN", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.stun) == 1 && strings.Contains(p.stun[0], "\x21\x12\xa4\x42abcdefghijkl"+seen)
	})
	stranger.SetReadDeadline(time.Now().Add(100 * time.Millisecond)) // it was asked before the panel
	if n, err := stranger.Read(make([]byte, 2048)); err == nil {
		t.Errorf("a stranger is answered by %d bytes", n)
	}
}

// refused subscribes to what is not there to be watched.
func (p *panel) refused() {
	t := p.t
	t.Helper()
	for whom, want := range map[string]string{"nobody": "404", "sip": "404"} {
		if res := p.ask("SUBSCRIBE", whom, "bad-"+whom, "", "Event: dialog"); !strings.HasPrefix(res, "SIP/2.0 "+want) {
			t.Errorf("%s:\n%s", whom, res)
		}
	}
	for _, event := range []string{"presence", "reg"} {
		res := p.ask("SUBSCRIBE", "bob", "bad-"+event, "", "Event: "+event)
		if !strings.HasPrefix(res, "SIP/2.0 489 ") || headerOf(res, "Allow-Events") != "dialog, message-summary" {
			t.Errorf("%s:\n%s", event, res)
		}
	}
}

// neighboursTalk lets Alice call Bob, and somebody outside, and watches the lamps.
func (p *panel) neighboursTalk(g *gateway, a, b, far *baresip) {
	p.t.Helper()
	// Bob is rung by Alice, answers, and she hangs up.
	a.do("dial", "sip:bob@"+g.sip)
	b.wait("CALL_INCOMING")
	p.shows("dialog-bob", "recipient early")
	p.shows("dialog-202", "recipient early")
	p.shows("dialog-alice", "initiator early")
	b.do("accept", "")
	a.wait("CALL_ESTABLISHED")
	p.shows("dialog-bob", "recipient confirmed")
	p.shows("dialog-alice", "initiator confirmed")
	a.do("hangup", "")
	p.shows("dialog-bob", "idle")
	p.shows("dialog-202", "idle")
	p.shows("dialog-alice", "idle")

	// Alice calls outside; the trunk is busy too.
	a.do("dial", "sip:+14155550123@"+g.sip)
	far.wait("CALL_ESTABLISHED")
	p.shows("dialog-alice", "initiator confirmed")
	p.shows("dialog-provider", "recipient confirmed")
	a.do("hangup", "")
	p.shows("dialog-provider", "idle")
	p.shows("dialog-alice", "idle")
}

// TestLamps: a telephone watches its neighbours, a port and a trunk, and sees them
// ring, talk and hang up; each document is read after RFC 4235.
func TestLamps(t *testing.T) {
	t.Parallel()
	far := runBaresip(t, phone{name: "+14155550123", answer: "auto"})
	_, port, _ := net.SplitHostPort(far.addr)
	g := startGateway(t, fmt.Sprintf(`
users:
- {name: alice, password: a1l2i3c4e5, number: "201"}
- {name: bob, password: b1o2b3b4o5, number: "202"}
- {name: carol, password: c1a2r3o4l5, number: "203"}
trunks:
- {name: provider, host: 127.0.0.1, port: %s}
routes:
- {name: all, prefix: "+", lines: [provider]}
`, port))
	a := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "auto"})
	b := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "manual"})
	p := newPanel(t, g, "carol", "c1a2r3o4l5")
	p.register()
	watched := []string{"alice", "bob", "202", "provider", "fxs1", "carol"}
	tags := map[string]string{}
	for _, w := range watched {
		tags[w] = p.watch(w, "dialog")
		p.shows("dialog-"+w, "idle")
	}
	poll(t, "the subscriptions are counted", func() bool { return g.metrics()["callbox_sip_subscriptions"] == float64(len(watched)) })

	p.keepsOpen(g)

	p.neighboursTalk(g, a, b, far)

	// An analogue phone rings, and stops.
	sid := g.create(map[string][]string{"To": {"client:fxs1"}, "From": {"+14155550100"}, "Twiml": {"<Response><Pause/></Response>"}})
	p.shows("dialog-fxs1", "recipient early")
	g.post("/Calls/"+sid+".json", map[string][]string{"Status": {"canceled"}})
	p.shows("dialog-fxs1", "idle")

	// The panel itself is called: it has its own lamp, and sees by whom.
	sid = g.create(map[string][]string{"To": {"client:carol"}, "From": {"+14155550100"}, "Twiml": {"<Response><Pause/></Response>"}})
	p.shows("dialog-carol", "recipient early")
	g.post("/Calls/"+sid+".json", map[string][]string{"Status": {"canceled"}})
	p.shows("dialog-carol", "idle")
	if _, remotes := p.lamp("dialog-carol"); !remotes["sip:+14155550100@127.0.0.1"] {
		t.Errorf("a phone's own lamp does not say who calls: %v", remotes)
	}

	for _, w := range watched {
		h, remotes := p.lamp("dialog-" + w)
		t.Logf("%s: %s", w, strings.Join(h, ", "))
		for r := range remotes {
			if w != "carol" && r != "" {
				t.Errorf("a neighbour is told that %s speaks with %s", w, r)
			}
		}
	}

	// It watches no more; and what is not there to be watched is refused.
	res := p.ask("SUBSCRIBE", "bob", "dialog-bob", tags["bob"], "Event: dialog", "Expires: 0")
	if !strings.HasPrefix(res, "SIP/2.0 200 ") {
		t.Errorf("the end of a subscription:\n%s", res)
	}
	poll(t, "the last word", func() bool {
		n := p.told("dialog-bob")
		return strings.HasPrefix(n[len(n)-1].state, "terminated;reason=timeout")
	})
	p.refused()

	// The box stops, and says so. Phones that cannot take their leave wait for long.
	a.stop()
	b.stop()
	if err := g.stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	poll(t, "every subscription is over", func() bool {
		for _, w := range watched {
			n := p.told("dialog-" + w)
			if !strings.HasPrefix(n[len(n)-1].state, "terminated") {
				return false
			}
		}
		return true
	})
}
