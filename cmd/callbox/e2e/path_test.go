//go:build e2e

package e2e

import (
	"bufio"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"callbox/call/line/sipleg/siptest"
	"callbox/sip"
	"callbox/sip/sdp"
)

// udpPorts are the ports of a process's UDP sockets.
func udpPorts(t *testing.T, pid int) map[uint16]bool {
	t.Helper()
	own := map[string]bool{}
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if link, err := os.Readlink(fd); err == nil && strings.HasPrefix(link, "socket:[") {
			own[strings.Trim(link, "socket:[]")] = true
		}
	}
	ports := map[uint16]bool{}
	for _, name := range []string{"udp", "udp6"} {
		f, err := os.Open(fmt.Sprintf("/proc/%d/net/%s", pid, name))
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			w := strings.Fields(lines.Text())
			if len(w) < 10 || !own[w[9]] {
				continue
			}
			_, hex, _ := strings.Cut(w[1], ":")
			if n, err := strconv.ParseUint(hex, 16, 16); err == nil {
				ports[uint16(n)] = true
			}
		}
		f.Close()
	}
	return ports
}

// sound counts the packets that went from or to the ports of a process at the address
// of sip, signalling apart.
func (p *tap) sound(ports map[uint16]bool, sip string) (n int) {
	own := netip.MustParseAddrPort(sip)
	is := func(a netip.AddrPort) bool { return a.Addr() == own.Addr() && ports[a.Port()] }
	p.mu.Lock()
	defer p.mu.Unlock()
	for r, packets := range p.packets {
		if r.from != own && r.to != own && (is(r.from) || is(r.to)) {
			n += packets
		}
	}
	return n
}

// within counts the packets of the box's sound for d.
func (g *gateway) within(wire *tap, d time.Duration) int {
	g.t.Helper()
	ports := udpPorts(g.t, g.cmd.Process.Pid)
	before := wire.sound(ports, g.sip)
	pauseFor(d)
	return wire.sound(ports, g.sip) - before
}

// softphone registers a phone of our own stack, which says what it is told to and
// can be listened to at any time.
func softphone(t *testing.T, g *gateway, host, user, password string, codecs ...string) *siptest.Endpoint {
	t.Helper()
	p := siptest.NewEndpoint(t, siptest.Config{Host: host, Box: netip.MustParseAddrPort(g.sip), User: user, Password: password, Codecs: codecs})
	p.Register()
	return p
}

// converse has two phones hear each other say something now.
func converse(t *testing.T, a, b *siptest.Endpoint, fromA, fromB []int16) {
	t.Helper()
	for _, way := range []struct {
		mouth, ear *siptest.Endpoint
		said       []int16
	}{{a, b, fromA}, {b, a, fromB}} {
		from, next := len(way.ear.Heard()), time.Now()
		poll(t, "one phone hears the other", func() bool {
			if time.Now().After(next) { // what is said on a busy machine may be lost
				way.mouth.Say(way.said)
				next = time.Now().Add(time.Duration(len(way.said))*time.Second/rate + 2*time.Second)
			}
			heard := way.ear.Heard()[from:]
			return len(heard) > len(way.said) && similarity(heard, way.said) > 0.8
		})
	}
}

// lift has a phone answer when it rings.
func lift(t *testing.T, p *siptest.Endpoint) {
	t.Helper()
	if err := p.WaitRing(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.Answer(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestExitMediaPath: two phones that an application has connected with
// exitMediaPath hear each other without a packet through the box; what needs the
// sound brings it back, and it leaves again.
func TestExitMediaPath(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newApp(t)
	fromAlice := speak(t, "This is Alice. The parcel was left with the neighbours.")
	fromBob := speak(t, "Bob speaking. Which of the neighbours was it?", "-v", "en-us")
	h := serveJSON(t, a, map[string]string{
		"/first": `[{"verb":"dial","target":[{"type":"user","name":"alice"}],"exitMediaPath":true,"actionHook":"/done"}]`,
		"/done":  `[{"verb":"hangup"}]`,
	})
	wire := openTap(t, true)
	alice := softphone(t, g, "127.0.0.2", "alice", "a1l2i3c4e5")
	bob := softphone(t, g, "127.0.0.3", "bob", "b1o2b3b4o5")
	talk := func() { t.Helper(); converse(t, alice, bob, fromAlice, fromBob) }
	var sid string
	away := func(what string) {
		t.Helper()
		defer func() {
			if t.Failed() {
				out, _ := g.tryRun("trace", sid)
				t.Log(out)
			}
		}()
		poll(t, what+": no packet goes through the box", func() bool { return g.within(wire, 2*time.Second) == 0 })
	}
	code, body := g.askJSON(http.MethodPost, "/Calls", fmt.Sprintf(`{"from":"1","to":{"type":"user","name":"bob"},"call_hook":%q}`, h.base+"/first"))
	if code != http.StatusCreated {
		t.Fatalf("create: %d %v", code, body)
	}
	sid = body["sid"].(string)
	lift(t, bob)
	lift(t, alice)
	away("connected")
	talk()

	// A recording hears both, in the box.
	g.wants(202, http.MethodPut, "/Calls/"+sid, `{"record":{"action":"startCallRecording","type":"cloud","recordingID":"r1"}}`)
	if n := g.within(wire, 2*time.Second); n < 200 {
		t.Errorf("%d packets in 2 s while the box records", n)
	}
	talk()
	g.wants(202, http.MethodPut, "/Calls/"+sid, `{"record":{"action":"stopCallRecording","recordingID":"r1"}}`)
	away("no longer recorded")
	talk()

	// A whisper is heard whole by the one it is for, and the sound leaves again.
	prompt := speak(t, "One minute of your call is left.")
	g.wants(202, http.MethodPost, "/Calls/"+sid, fmt.Sprintf(`{"whisper":{"verb":"play","url":%q}}`, a.wav("/left.wav", prompt)))
	poll(t, "the whisper", func() bool { return len(a.requests("/left.wav")) > 0 })
	poll(t, "Bob hears the whisper", func() bool { return similarity(bob.Heard(), prompt) > 0.8 })
	away("after the whisper")

	// Keys of the application go by INFO meanwhile; a hold comes to the box and goes.
	g.wants(202, http.MethodPut, "/Calls/"+sid, `{"dtmf":{"digit":"5"}}`)
	poll(t, "the key arrives", func() bool { return bob.Digits() == "5" })
	if res, err := alice.Tell(t.Context(), sip.Message{Method: "INFO", ContentType: "application/dtmf-relay", Body: []byte("Signal=9\r\nDuration=160\r\n")}); err != nil || res.Status != 200 {
		t.Errorf("a key by INFO: %+v, %v", res, err)
	}
	poll(t, "a key of the other phone arrives", func() bool { return bob.Digits() == "59" })
	for _, d := range []sdp.Direction{sdp.SendOnly, sdp.SendRecv} {
		if err := alice.Reoffer(t.Context(), d, false); err != nil {
			t.Fatal(err)
		}
		pauseFor(time.Second)
	}
	away("after a hold")
	talk()

	// full-media keeps it in the box until no-media is asked for.
	g.wants(202, http.MethodPut, "/Calls/"+sid, `{"media_path":"full-media"}`)
	poll(t, "the sound is back", func() bool { return g.within(wire, time.Second) > 100 })
	talk()
	g.wants(202, http.MethodPut, "/Calls/"+sid, `{"media_path":"no-media"}`)
	away("no-media")

	if err := alice.Hangup(t.Context()); err != nil {
		t.Fatal(err)
	}
	if m := h.await("/done"); m["dial_call_status"] != "completed" {
		t.Errorf("dial told %v", m)
	}
	if _, err := bob.WaitEnd(t.Context()); err != nil {
		t.Fatal(err)
	}
	rec, channels := g.recording(sid)
	if channels != 2 {
		t.Fatalf("a recording of %d channels", channels)
	}
	hears(t, "the recording of Bob", channel(rec, 0, 2), fromBob)
	hears(t, "the recording of Alice", channel(rec, 1, 2), fromAlice)
}

// TestExitMediaPathRefused: a phone that does not want to talk to the other one goes on
// talking to the box, and so does the other, whichever hangs up.
func TestExitMediaPathRefused(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newApp(t)
	fromAlice := speak(t, "This is Alice. The window in the hall is broken.")
	fromBob := speak(t, "Bob speaking. I shall send somebody over.", "-v", "en-us")
	h := serveJSON(t, a, map[string]string{
		"/first": `[{"verb":"dial","target":[{"type":"user","name":"alice"}],"exitMediaPath":true,"actionHook":"/done"}]`,
		"/done":  `[{"verb":"hangup"}]`,
	})
	alice := softphone(t, g, "127.0.0.8", "alice", "a1l2i3c4e5")
	bob := softphone(t, g, "127.0.0.9", "bob", "b1o2b3b4o5")
	for i, refuser := range []*siptest.Endpoint{alice, bob} {
		refuser.RefuseOffers(488)
		code, body := g.askJSON(http.MethodPost, "/Calls", fmt.Sprintf(`{"from":"1","to":{"type":"user","name":"bob"},"call_hook":%q}`, h.base+"/first"))
		if code != http.StatusCreated {
			t.Fatalf("create: %d %v", code, body)
		}
		lift(t, bob)
		lift(t, alice)
		poll(t, "the refusal is told", func() bool {
			out, err := g.tryRun("trace", body["sid"].(string))
			return err == nil && strings.Count(out, "488") > 0
		})
		refuser.RefuseOffers(0)
		converse(t, alice, bob, fromAlice, fromBob)
		if err := []*siptest.Endpoint{alice, bob}[1-i].Hangup(t.Context()); err != nil {
			t.Fatal(err)
		}
		if m := h.await("/done"); i == 0 && m["dial_call_status"] != "completed" {
			t.Errorf("dial told %v", m)
		}
		for _, p := range []*siptest.Endpoint{alice, bob} {
			if _, err := p.WaitEnd(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}
