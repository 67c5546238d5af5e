//go:build e2e

package e2e

import (
	"fmt"
	"math"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestBeforeTheAnswer is the table of what a caller from a trunk is told and hears
// while a Dial rings others, in TwiML and in JSON verbs: early sound of a callee,
// ringing without any, one after the other; an answer before, or with the callee's;
// the ringing of a country; several phones of a user, several users, lines of
// different kinds, all at once and in sequence. The box itself tells every caller
// that it rings, as the cloud does while the application is asked.
func TestBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	voice := speak(t, "The number you have called has changed. Please hold the line.")
	other := speak(t, "This announcement comes from the second line.", "-v", "en-us")
	says, says2 := muLawOf(t, voice), muLawOf(t, other)
	const ring = 4 * time.Second // each country's ringing has begun again by then
	answer := act{"200 OK", true, nil, time.Second}
	rings, announces := act{"180 Ringing", false, nil, ring}, act{"183 Session Progress", true, says, 0}
	busy := act{"486 Busy Here", false, nil, 0}
	us, fr, gb := []float64{440, 480}, []float64{440}, []float64{400, 450}
	for _, tc := range []struct {
		name     string
		twiml    string // of the Dial, its attributes and targets
		json     string // of the dial; empty: only the other has this
		first    []act  // of the trunk +1415555 01xx
		second   []act  // of the trunk +1212555 01xx
		alice    []act
		bob      []act // at his first phone
		bob2     []act
		statuses string
		sound    []int16   // heard before the callee's answer; nil: see tone
		tone     []float64 // Hz; nil: silence
		unheard  []int16
		canceled string // whose phones stop ringing
	}{
		{name: "early sound, the answer with the callee's", twiml: ` answerOnBridge="true"><Number>+14155550123</Number>`, json: `"answerOnBridge":true,"target":[{"type":"phone","number":"+14155550123"}]`,
			first: []act{announces, answer}, statuses: "180 183 200", sound: voice},
		{name: "early sound, answered at once", twiml: `><Number>+14155550123</Number>`, json: `"target":[{"type":"phone","number":"+14155550123"}]`,
			first: []act{announces, answer}, statuses: "180 200", sound: voice},
		{name: "ringing, the answer with the callee's", twiml: ` answerOnBridge="true"><Number>+14155550123</Number>`, json: `"answerOnBridge":true,"target":[{"type":"phone","number":"+14155550123"}]`,
			first: []act{rings, answer}, statuses: "180 200"},
		{name: "ringing, answered at once", twiml: `><Number>+14155550123</Number>`, json: `"target":[{"type":"phone","number":"+14155550123"}]`,
			first: []act{rings, answer}, statuses: "180 200", tone: us},
		{name: "ringing as in France", twiml: ` ringTone="fr"><Number>+14155550123</Number>`, first: []act{rings, answer}, statuses: "180 200", tone: fr},
		{name: "ringing as in Britain", twiml: ` ringTone="uk"><Number>+14155550123</Number>`, first: []act{rings, answer}, statuses: "180 200", tone: gb},
		{name: "ringing, then early sound", twiml: ` answerOnBridge="true"><Number>+14155550123</Number>`, json: `"answerOnBridge":true,"target":[{"type":"phone","number":"+14155550123"}]`,
			first: []act{{"180 Ringing", false, nil, time.Second}, announces, answer}, statuses: "180 183 200", sound: voice},
		{name: "ringing, then early sound, answered at once", twiml: `><Number>+14155550123</Number>`, json: `"target":[{"type":"phone","number":"+14155550123"}]`,
			first: []act{rings, announces, answer}, statuses: "180 200", sound: voice, tone: us},
		{name: "two phones of a user", twiml: ` answerOnBridge="true"><Client>bob</Client>`, json: `"answerOnBridge":true,"target":[{"type":"user","name":"bob"}]`,
			bob: []act{rings, answer}, bob2: []act{{"180 Ringing", false, nil, time.Minute}, answer}, statuses: "180 200", canceled: "bob2"},
		{name: "two phones of a user, one is busy", twiml: ` answerOnBridge="true"><Client>bob</Client>`, json: `"answerOnBridge":true,"target":[{"type":"user","name":"bob"}]`,
			bob: []act{busy}, bob2: []act{rings, answer}, statuses: "180 200"},
		{name: "trunk, user and analogue phone together", twiml: ` answerOnBridge="true"><Number>+14155550123</Number><Client>alice</Client><Client>fxs1</Client>`,
			json:  `"answerOnBridge":true,"target":[{"type":"phone","number":"+14155550123"},{"type":"user","name":"alice"},{"type":"user","name":"fxs1"}]`,
			first: []act{{"183 Session Progress", true, says, time.Minute}, answer}, alice: []act{rings, answer}, statuses: "180 200", unheard: voice, canceled: "first"},
		{name: "trunk and user together, answered at once", twiml: `><Number>+14155550123</Number><Client>alice</Client>`,
			json:  `"target":[{"type":"phone","number":"+14155550123"},{"type":"user","name":"alice"}]`,
			first: []act{{"180 Ringing", false, nil, time.Minute}, answer}, alice: []act{rings, answer}, statuses: "180 200", tone: us, canceled: "first"},
		{name: "together, and only the one with early sound is left", twiml: ` answerOnBridge="true"><Number>+14155550123</Number><Client>alice</Client>`,
			json:  `"answerOnBridge":true,"target":[{"type":"phone","number":"+14155550123"},{"type":"user","name":"alice"}]`,
			first: []act{{"183 Session Progress", true, nil, 1500 * time.Millisecond}, {"183 Session Progress", true, says, 0}, answer},
			alice: []act{{"180 Ringing", false, nil, 500 * time.Millisecond}, busy}, statuses: "180 183 200", sound: voice},
		{name: "one trunk after the other", twiml: ` answerOnBridge="true" sequential="true"><Number>+14155550123</Number><Number>+12125550123</Number>`,
			first: []act{announces, busy}, second: []act{{"183 Session Progress", true, says2, 0}, answer}, statuses: "180 183 200", sound: other},
		{name: "analogue phone, then trunk", twiml: ` answerOnBridge="true" timeout="4"><Client>fxs1</Client></Dial><Dial answerOnBridge="true"><Number>+12125550123</Number>`,
			second: []act{{"183 Session Progress", true, says2, 0}, answer}, statuses: "180 183 200", sound: other},
		{name: "analogue phone, answered at once", twiml: ` timeout="6"><Client>fxs1</Client></Dial><Dial><Number>+12125550123</Number>`,
			second: []act{answer}, statuses: "180 200", tone: us},
	} {
		for _, dialect := range []string{"twilio", "jambonz"} {
			if dialect == "jambonz" && tc.json == "" {
				continue
			}
			t.Run(tc.name+", "+dialect, func(t *testing.T) {
				t.Parallel()
				a := newApp(t)
				g, trunk, trunk2 := earlyBox(t, a, dialect)
				if dialect == "jambonz" {
					serveJSON(t, a, map[string]string{"/in": `[{"verb":"dial",` + tc.json + `},{"verb":"pause","length":5}]`})
				} else {
					a.doc("/in", `<Response><Dial`+tc.twiml+`</Dial><Pause length="5"/></Response>`)
				}
				cast := map[string]*actor{}
				for name, play := range map[string][]act{"first": tc.first, "second": tc.second, "alice": tc.alice, "bob": tc.bob, "bob2": tc.bob2} {
					switch {
					case play == nil:
					case name == "first":
						cast[name] = trunkActor(t, g, trunk, play...)
					case name == "second":
						cast[name] = trunkActor(t, g, trunk2, play...)
					case name == "alice":
						cast[name] = userActor(t, g, "alice", "a1l2i3c4e5", play...)
					default:
						cast[name] = userActor(t, g, "bob", "b1o2b3b4o5", play...)
					}
				}
				ear := newEar(t)
				r := newRawCaller(t, g, "early", ear.rtp.LocalAddr().(*net.UDPAddr).Port)
				r.send(r.request("INVITE", "a", 1), 1)
				statuses := r.statuses()
				r.send(r.request("ACK 200", "b", 1), 1)
				// Someone who is answered at once hears the callee before it has answered.
				if !strings.Contains(tc.twiml, "answerOnBridge") {
					poll(t, "the callee has answered", func() bool {
						list := g.run("calls", "-o", "json")
						return strings.Count(list, `"state": "in-progress"`) >= 2
					})
				}
				heard := ear.sound()
				if got := strings.Join(statuses, " "); got != tc.statuses {
					t.Errorf("the caller was told %s, want %s", got, tc.statuses)
				}
				if tc.sound != nil {
					hears(t, "the caller", heard, tc.sound)
				}
				if tc.unheard != nil && similarity(heard, tc.unheard) > 0.5 {
					t.Errorf("the caller hears one of several callees (%.2f)", similarity(heard, tc.unheard))
				}
				if tc.tone != nil && !tonal(heard, tc.tone...) {
					t.Errorf("the caller does not hear the ringing of %v Hz in %.1f s of sound", tc.tone, float64(len(heard))/rate)
				}
				if tc.tone == nil && tc.sound == nil && energy(heard) > float64(len(heard))*100*100 {
					t.Error("the caller hears something")
				}
				r.send(r.request("BYE", "c", 2), 1)
				r.must("2 BYE", 200)
				if tc.canceled != "" {
					poll(t, tc.canceled+" stops ringing", func() bool {
						x := cast[tc.canceled]
						x.mu.Lock()
						defer x.mu.Unlock()
						return x.canceled
					})
				}
				for name, x := range cast {
					x.mu.Lock()
					if x.invites != 1 || x.canceled != (name == tc.canceled) {
						t.Errorf("%s was called %d times, cancelled: %v", name, x.invites, x.canceled)
					}
					x.mu.Unlock()
				}
				poll(t, "nothing is left", func() bool { return g.metrics()["callbox_calls"] == 0 })
			})
		}
	}
}

// earlyBox is a gateway with a trunk that calls come from, two that they may go to,
// alice and bob, and an application at /in.
func earlyBox(t *testing.T, a *app, dialect string) (g *gateway, first, second int) {
	t.Helper()
	g = startGateway(t, "")
	first, second = freePorts(t, 1), freePorts(t, 1)
	id := "AP" + strings.Repeat("0", 31) + "1"
	if dialect == "jambonz" {
		id = "00000000-0000-4000-8000-000000000001"
	}
	g.configure(fmt.Sprintf(`
trunks:
- {name: front, host: 127.0.0.1, port: %d, inbound: [127.0.0.1]}
- {name: first, host: 127.0.0.1, port: %d}
- {name: second, host: 127.0.0.1, port: %d}
routes:
- {name: first, prefix: "+1415", lines: [first]}
- {name: second, prefix: "+1212", lines: [second]}
users:
- {name: alice, password: a1l2i3c4e5}
- {name: bob, password: b1o2b3b4o5}
applications:
- id: %s
  account: %s
  api: %s
  name: front door
  script: {main: {url: "%s/in"}, fallback: {}}
numbers:
- {number: "*", application: %s}
`, freePorts(t, 1), first, second, id, g.account, dialect, a.URL, id))
	return g, first, second
}

// newEar keeps what arrives at a socket.
func newEar(t *testing.T) *rawPhone {
	t.Helper()
	p := &rawPhone{t: t, heard: map[uint16][]byte{}}
	var err error
	if p.rtp, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		t.Fatal(err)
	}
	p.running.Add(1)
	go p.listen()
	t.Cleanup(func() { p.rtp.Close(); p.running.Wait() })
	return p
}

// statuses are those of the responses to the INVITE, each once, up to the 2xx.
func (r *rawCaller) statuses() (list []string) {
	r.t.Helper()
	r.conn.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 65536)
	for {
		n, err := r.conn.Read(buf)
		if err != nil {
			if os.IsTimeout(err) {
				r.t.Fatalf("no answer after %v", list)
			}
			r.t.Fatal(err)
		}
		text := string(buf[:n])
		if !strings.HasPrefix(text, "SIP/2.0 ") || strings.HasPrefix(text, "SIP/2.0 100") || !strings.Contains(text, "\r\nCSeq: 1 INVITE\r\n") {
			continue
		}
		status := text[8:11]
		if len(list) == 0 || list[len(list)-1] != status {
			list = append(list, status)
		}
		if n, _ := strconv.Atoi(status); n >= 200 {
			if n >= 300 {
				r.t.Fatalf("refused after %v:\n%s", list, text)
			}
			r.toTag = headerParam(text, "To", "tag")
			return list
		}
	}
}

// tonal reports whether some 200 ms of the sound are these tones and little else.
func tonal(s []int16, hz ...float64) bool {
	const window = rate / 5
	for p := 0; p+window <= len(s); p += window / 4 {
		w := s[p : p+window]
		all := energy(w)
		if all < window*300*300 {
			continue
		}
		var part float64
		for _, f := range hz {
			var re, im float64
			for i, v := range w {
				a := 2 * math.Pi * f * float64(i) / rate
				re += float64(v) * math.Cos(a)
				im += float64(v) * math.Sin(a)
			}
			e := 2 * (re*re + im*im) / window
			if len(hz) > 1 && e < all/6 {
				part = -1e18
			}
			part += e
		}
		if part > 0.85*all {
			return true
		}
	}
	return false
}
