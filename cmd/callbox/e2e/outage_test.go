//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestNetworkGone takes the way to the provider away while its trunk is
// registered and a call is up, and gives it back a good minute later. The call
// ends by itself and says why, new ones fail with a sentence, the trunk is shown
// as down, and comes back by itself.
func TestNetworkGone(t *testing.T) {
	t.Parallel()
	if !ownNetwork(t) {
		return
	}
	far := place{"provider", "203.0.113.10"}
	link := newBadLink(t, "wan", "203.0.113.1", far, trouble{delay: 5 * time.Millisecond})
	g := &gateway{t: t, dir: t.TempDir(), listen: "0.0.0.0:5060"}
	g.start()
	story := speak(t, "This call goes on until somebody cuts the line to the town.")
	far.newRawPhone(t, 5060, 20000, muLawOf(t, story))
	g.configure(`
trunks:
- {name: provider, host: 203.0.113.10, port: 5060, register: true, username: box, password: sesame-sesame, expires: 1m}
routes:
- {name: all, prefix: "+", lines: [provider]}
`)
	a := newApp(t)
	a.doc("/voice", `<Response><Pause length="600"/></Response>`)
	place := func() string {
		return g.create(url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}, "StatusCallback": {a.URL + "/status"}})
	}
	up := func() bool {
		ready, text := g.status("provider")
		return ready && strings.Contains(text, "registered at 203.0.113.10")
	}
	poll(t, "the trunk has registered", up)
	sid := place()
	g.until(sid, "in-progress")
	pauseFor(2 * time.Second)

	link.darken(true)
	began := time.Now()
	during := place()
	g.until(during, "no-answer")
	g.ends(during, "trunk provider cannot be reached (no answer from 203.0.113.10:5060")
	g.until(sid, "completed")
	t.Logf("the call ended %s after its network", time.Since(began).Round(time.Second))
	g.ends(sid, "the connection to +14155550123 on trunk provider was lost (no answer from 203.0.113.10:5060")
	poll(t, "the trunk is shown as down", func() bool {
		ready, text := g.status("provider")
		return !ready && strings.Contains(text, "no answer from 203.0.113.10")
	})
	refused := place()
	g.until(refused, "failed")
	g.ends(refused, "trunk provider")

	link.darken(false)
	began = time.Now()
	poll(t, "the trunk has come back", up)
	t.Logf("the trunk came back %s after its network", time.Since(began).Round(time.Second))
	after := place()
	g.until(after, "in-progress")
	g.post("/Calls/"+after+".json", url.Values{"Status": {"completed"}})
	g.until(after, "completed")
	if n := g.metrics()["callbox_calls"]; n != 0 {
		t.Errorf("%v calls are left", n)
	}
}

// ends checks the sentence that a call ended with.
func (g *gateway) ends(sid, sentence string) {
	g.t.Helper()
	ladder := strings.TrimRight(g.run("trace", sid), "\n")
	last := ladder[strings.LastIndexByte(ladder, '\n')+1:]
	if !strings.Contains(last, sentence) {
		g.t.Errorf("the call ended with %q, want %q:\n%s", last, sentence, ladder)
	}
}

// TestNameServerGone lets the only name server fall silent: trunks whose address
// is known go on being called, others fail at once with a sentence, and are called
// as soon as it speaks again.
func TestNameServerGone(t *testing.T) {
	t.Parallel()
	if !ownNetwork(t) {
		return
	}
	resolvConf(t)
	known, unknown := startAnswering(t), startAnswering(t)
	known.up.Store(true)
	unknown.up.Store(true)
	server := nameServer(t, "known.example. 1 A 127.0.0.1", "unknown.example. 1 A 127.0.0.1",
		fmt.Sprintf("_sip._udp.known.example. 1 SRV 1 1 %s known.example.", portOf(known.pc)), fmt.Sprintf("_sip._udp.unknown.example. 1 SRV 1 1 %s unknown.example.", portOf(unknown.pc)))
	g := startGateway(t, "")
	server.mute.Store("unknown.example.") // the box looks for it also when nobody calls
	g.configure(`
trunks:
- {name: known, host: known.example}
- {name: unknown, host: unknown.example}
routes:
- {name: known, prefix: "+1415", lines: [known]}
- {name: unknown, prefix: "+1212", lines: [unknown]}
`)
	call := func(number, status string) (string, time.Duration) {
		began := time.Now()
		sid := g.create(url.Values{"To": {number}, "From": {"+14155550100"}, "Twiml": {"<Response/>"}})
		g.until(sid, status)
		return sid, time.Since(began)
	}
	call("+14155550123", "busy")
	server.dead.Store(true)
	pauseFor(7 * time.Second) // an answer is good for 5 s at least
	for range 3 {
		sid, took := call("+14155550123", "busy")
		g.ends(sid, "is busy (SIP 486 Busy Here)")
		t.Logf("the known trunk was called after %s", took.Round(time.Millisecond))
	}
	if n := known.asks.Load(); n != 4 {
		t.Errorf("the known trunk got %d calls, want 4", n)
	}
	sid, took := call("+12125550123", "failed")
	g.ends(sid, "trunk unknown cannot be called: look unknown.example up: no name server answers")
	if took > 20*time.Second {
		t.Errorf("the call to a name that nobody knows took %s", took)
	}
	t.Logf("the unknown trunk was given up after %s", took.Round(time.Millisecond))
	server.dead.Store(false)
	server.mute.Store("")
	call("+12125550123", "busy")
	if n := unknown.asks.Load(); n != 1 {
		t.Errorf("the unknown trunk got %d calls, want 1", n)
	}
}

// TestBoxMoves gives the box another address while its trunk is registered, two
// calls are up, over UDP and over TCP, and one rings, which is placed anew. The trunk registers from the new address
// within seconds; the far ends are told of it by a re-INVITE, and they and the box
// hear each other again; they can be hung up from there, and new calls go out from
// there.
func TestBoxMoves(t *testing.T) {
	t.Parallel()
	if !ownNetwork(t) {
		return
	}
	far := place{"provider", "203.0.113.10"}
	newBadLink(t, "wan", "203.0.113.1", far, trouble{delay: 5 * time.Millisecond})
	g := &gateway{t: t, dir: t.TempDir(), listen: "0.0.0.0:5060"}
	g.start()
	p := far.newRawPhone(t, 5060, 20000, nil)
	fromTown := speak(t, "The town hall writes your new address into its great book.", "-v", "en-gb")
	town := runBaresip(t, phone{name: "+14155550177", answer: "auto", says: append(make([]int16, 14*rate), fromTown...), place: far})
	_, port, _ := net.SplitHostPort(town.addr)
	slow := runBaresip(t, phone{name: "+14155550188", answer: "manual", place: far})
	_, slowPort, _ := net.SplitHostPort(slow.addr)
	g.configure(fmt.Sprintf(`
trunks:
- {name: provider, host: 203.0.113.10, port: 5060, register: true, username: box, password: sesame-sesame, expires: 1h}
- {name: town, host: 203.0.113.10, port: %s, transport: tcp}
- {name: slow, host: 203.0.113.10, port: %s}
routes:
- {name: town, prefix: "+14155550177", lines: [town]}
- {name: slow, prefix: "+14155550188", lines: [slow]}
- {name: all, prefix: "+", lines: [provider]}
`, port, slowPort))
	a := newApp(t)
	prompt := speak(t, "We have moved into the house across the street, and everybody can hear us there.")
	story := speak(t, "I can see your new house from my kitchen window.", "-v", "en-us")
	a.wav("/prompt.wav", prompt)
	a.doc("/voice", `<Response><Pause length="600"/></Response>`)
	a.doc("/moved", `<Response><Play>/prompt.wav</Play><Pause length="600"/></Response>`)
	call := func(to string) string {
		return g.create(url.Values{"To": {to}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}, "Record": {"true"}, "Timeout": {"300"},
			"RecordingChannels": {"dual"}, "Trim": {"do-not-trim"}})
	}
	contact := func() string { p.mu.Lock(); defer p.mu.Unlock(); return p.registered }
	poll(t, "the trunk has registered", func() bool { return strings.Contains(contact(), "@203.0.113.1:") })
	sid, other := call("+14155550123"), call("+14155550177")
	g.until(sid, "in-progress")
	g.until(other, "in-progress")
	rings := call("+14155550188")
	slow.wait("CALL_INCOMING")
	g.until(rings, "ringing")
	pauseFor(2 * time.Second)
	command(t, "ip", "addr", "add", "203.0.113.2", "dev", "wan")
	command(t, "ip", "addr", "del", "203.0.113.1/32", "dev", "wan")
	command(t, "ip", "route", "replace", "default", "dev", "wan")
	began := time.Now()
	poll(t, "the far end is told", func() bool { return p.media().IP.String() == "203.0.113.2" })
	t.Logf("the call moved after %s", time.Since(began))
	poll(t, "the trunk has registered from the new address", func() bool { return strings.Contains(contact(), "@203.0.113.2:") })
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the trunk moved after %s", took)
	} else {
		t.Logf("the trunk moved after %s", took)
	}
	for _, sid := range []string{sid, other} {
		if code, body := g.post("/Calls/"+sid+".json", url.Values{"Url": {a.URL + "/moved"}}); code != 200 {
			t.Fatalf("redirect: %d %v", code, body)
		}
	}
	pauseFor(5 * time.Second) // the jitter buffer gets over the gap
	p.says <- muLawOf(t, story)
	pauseFor(time.Until(began.Add(14*time.Second + time.Duration(len(fromTown))*time.Second/rate)))
	for _, sid := range []string{sid, other} {
		g.post("/Calls/"+sid+".json", url.Values{"Status": {"completed"}})
		g.until(sid, "completed")
	}
	town.wait("CALL_CLOSED")
	poll(t, "BYE", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.ended })
	hears(t, "the far end", p.sound(), prompt)
	rec, _ := g.recording(sid)
	hears(t, "the box", channel(rec, 0, 2), story)
	hears(t, "the town", town.heard(), prompt)
	rec, _ = g.recording(other)
	hears(t, "the box, of the town,", channel(rec, 0, 2), fromTown)

	slow.wait("CALL_CLOSED") // its answer would go where nobody is
	slow.wait("CALL_INCOMING")
	slow.do("accept", "")
	g.until(rings, "in-progress")
	g.post("/Calls/"+rings+".json", url.Values{"Status": {"completed"}})
	slow.wait("CALL_CLOSED")

	after := call("+14155550123")
	g.until(after, "in-progress")
	g.post("/Calls/"+after+".json", url.Values{"Status": {"completed"}})
	g.until(after, "completed")
}
