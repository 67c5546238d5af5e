//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"callbox/call/line/sipleg/siptest"
)

// station is a party on a line of some kind, whom the box calls.
type station struct {
	kind, to   string
	await      func() // until it rings
	lift, hang func()
	say        func([]int16)
	heard      func() []int16
}

// kinds are the kinds of line.
func kinds() []string { return []string{"user", "trunk", "fxs", "fxo", "gsm"} }

// office is a gateway with two stations of each kind.
type office struct {
	*gateway
	stations map[string][2]*station
}

// startOffice starts a gateway whose SIP phones are at 127.0.0.host and further.
func startOffice(t *testing.T, host int) *office {
	t.Helper()
	x := &office{gateway: startGateway(t, ""), stations: map[string][2]*station{}}
	addr := func(n int) string { return fmt.Sprintf("127.0.0.%d", host+n) }
	var peers [2]*siptest.Endpoint
	for i := range peers {
		peers[i] = siptest.NewEndpoint(t, siptest.Config{Host: addr(i), Box: netip.MustParseAddrPort(x.sip)})
	}
	x.configure(fmt.Sprintf(`
users:
- {name: alice, password: a1l2i3c4e5}
- {name: bob, password: b1o2b3b4o5}
trunks:
- {name: one, host: %s, port: %d}
- {name: two, host: %s, port: %d}
phones:
- {port: fxs1}
- {port: fxs2}
exchange_lines:
- {port: fxo1}
- {port: fxo2}
modems:
- {port: gsm1}
- {port: gsm2}
routes:
- {name: trunk1, prefix: "+1415555011", lines: [one]}
- {name: trunk2, prefix: "+1415555012", lines: [two]}
- {name: fxo1, prefix: "+1415555013", lines: [fxo1]}
- {name: fxo2, prefix: "+1415555014", lines: [fxo2]}
- {name: gsm1, prefix: "+1415555015", lines: [gsm1]}
- {name: gsm2, prefix: "+1415555016", lines: [gsm2]}
`, addr(0), peers[0].Addr().Port(), addr(1), peers[1].Addr().Port()))
	var add [5][2]*station
	for i := range 2 {
		name := []string{"alice", "bob"}[i]
		phone := softphone(t, x.gateway, addr(2+i), name, []string{"a1l2i3c4e5", "b1o2b3b4o5"}[i])
		add[0][i] = sipStation(t, "user", "client:"+name, phone)
		add[1][i] = sipStation(t, "trunk", "+1415555011"+fmt.Sprint(i), peers[i])
		add[2][i] = x.handStation("fxs", i+1, fmt.Sprintf("client:fxs%d", i+1), "wait-ring")
		add[3][i] = x.handStation("fxo", i+1, fmt.Sprintf("+1415555013%d", i), "wait-call")
		add[4][i] = x.handStation("gsm", i+1, fmt.Sprintf("+1415555015%d", i), "wait-ring")
	}
	add[1][1].to, add[3][1].to, add[4][1].to = "+14155550120", "+14155550140", "+14155550160"
	for i, k := range kinds() {
		x.stations[k] = add[i]
	}
	for _, m := range []string{"gsm1", "gsm2"} {
		x.phone(m).line("registered")
	}
	for _, l := range []string{"fxo1", "fxo2"} {
		x.phone(l).fault("no-host", "on")
		x.phone(l).line("on-hook")
	}
	return x
}

// sipStation is a phone or provider on SIP.
func sipStation(t *testing.T, kind, to string, p *siptest.Endpoint) *station {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	return &station{kind: kind, to: to, say: p.Say, heard: p.Heard,
		await: func() { t.Helper(); must(p.WaitRing(t.Context())) },
		lift:  func() { t.Helper(); must(p.Answer(t.Context())) },
		hang:  func() { t.Helper(); must(p.Hangup(t.Context())) },
	}
}

// handStation is a simulated one.
func (x *office) handStation(kind string, n int, to, wait string) *station {
	h := x.phone(fmt.Sprint(kind, n))
	return &station{kind: kind, to: to, say: h.say, heard: h.heard,
		await: func() { x.t.Helper(); h.do(wait) },
		lift:  func() { x.t.Helper(); h.do("pick-up") },
		hang:  func() { x.t.Helper(); h.do("hang-up") },
	}
}

// TestEveryLineToEveryLine connects a party on each kind of line with one on each kind:
// what either says is heard by the other.
func TestEveryLineToEveryLine(t *testing.T) {
	t.Parallel()
	for i, first := range kinds() {
		t.Run(first, func(t *testing.T) {
			t.Parallel()
			x := startOffice(t, 20+4*i)
			question := speak(t, "Good morning. Is this the right number for the harbour?")
			answer := speak(t, "Yes, it is. Which ship are you looking for?", "-v", "en-us")
			for _, second := range kinds() {
				a, b := x.stations[first][0], x.stations[second][1]
				sid := x.create(url.Values{"To": {a.to}, "From": {"+14155550100"}, "Timeout": {"120"},
					"Twiml": {"<Response><Dial timeout=\"120\">" + noun(b.to) + "</Dial></Response>"}})
				a.await()
				a.lift()
				b.await()
				b.lift()
				x.until(sid, "in-progress")
				between(t, a, b, question)
				between(t, b, a, answer)
				a.hang()
				x.until(sid, "completed")
				x.idle()
			}
		})
	}
}

// noun is how a Dial names somebody.
func noun(to string) string {
	if u, ok := cutClient(to); ok {
		return "<Client>" + u + "</Client>"
	}
	return to
}

func cutClient(to string) (string, bool) {
	const prefix = "client:"
	if len(to) > len(prefix) && to[:len(prefix)] == prefix {
		return to[len(prefix):], true
	}
	return "", false
}

// between has one say something until the other has heard it: the connection may have
// been made a moment after the answer, and a busy machine may lose some.
func between(t *testing.T, mouth, ear *station, said []int16) {
	t.Helper()
	next := time.Now()
	from := len(ear.heard())
	poll(t, ear.kind+" hears "+mouth.kind, func() bool {
		if time.Now().After(next) {
			mouth.say(said)
			next = time.Now().Add(time.Duration(len(said))*time.Second/rate + 3*time.Second)
		}
		heard := ear.heard()
		heard = heard[min(from, len(heard)):]
		return len(heard) > len(said) && similarity(heard, said) > 0.7
	})
}

// idle hangs up whatever is still off the hook and waits until no line is busy.
func (x *office) idle() {
	x.t.Helper()
	for k, pair := range x.stations {
		for i, s := range pair {
			if k == "fxs" {
				s.hang()
			}
			x.free(k, i+1)
		}
	}
}

// free waits until the n-th line of a kind is not busy.
func (x *office) free(kind string, n int) {
	x.t.Helper()
	switch h := x.phone(fmt.Sprint(kind, n)); kind {
	case "fxs", "fxo":
		h.line("on-hook")
	case "gsm":
		h.shows("call", "none")
	}
}

// TestDialectsOverEveryLine creates a call by each call API over each kind of line.
func TestDialectsOverEveryLine(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	greeting := speak(t, "This is the operator. Please hold the line.")
	a.wav("/greeting.wav", greeting)
	a.doc("/voice", `<Response><Play loop="0">/greeting.wav</Play></Response>`)
	x := startOffice(t, 44)
	h := serveJSON(t, a, map[string]string{
		"/json": fmt.Sprintf(`[{"verb":"answer"},{"verb":"play","url":%q,"loop":"forever"}]`, a.URL+"/greeting.wav"),
	})
	for _, k := range kinds() {
		s := x.stations[k][0]
		for _, dialect := range []string{"twilio", "signalwire", "restcomm", "jambonz"} {
			var end func()
			if dialect == "jambonz" {
				to := fmt.Sprintf(`{"type":"phone","number":%q}`, s.to)
				if u, ok := cutClient(s.to); ok {
					to = fmt.Sprintf(`{"type":"user","name":%q}`, u)
				}
				_, body := x.askJSON(http.MethodPost, "/Calls", fmt.Sprintf(`{"from":"+14155550100","to":%s,"call_hook":%q}`, to, h.base+"/json"))
				sid, _ := body["sid"].(string)
				if sid == "" {
					t.Fatalf("jambonz over %s: %v", k, body)
				}
				end = func() { x.untilJSON(sid, "completed") }
			} else {
				sid := x.createForm(dialect, s.to, a.URL+"/voice", a.URL+"/status/"+dialect)
				end = func() { x.until(sid, "completed") }
				if dialect != "twilio" {
					end = func() {}
				}
			}
			s.await()
			from := len(s.heard())
			s.lift()
			poll(t, k+" hears the application of "+dialect, func() bool {
				heard := s.heard()
				if k == "user" || k == "trunk" { // what it hears begins with the call
					from = 0
				}
				return similarity(heard[min(from, len(heard)):], greeting) > 0.7
			})
			s.hang()
			end()
			x.idle()
		}
	}
}

// TestDetectionOnEveryLine calls a person and a machine on each kind of line, all at
// once, and has the application be told what answered; the person's exchange line gives
// no sign of the answer but the voice, whose first words count. The people are called
// again and hang up before anything can be told, and no verdict comes.
func TestDetectionOnEveryLine(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.doc("/wait", `<Response><Pause length="60"/></Response>`)
	a.doc("/beside", `<Response><Pause length="60"/></Response>`)
	x := startOffice(t, 48)
	x.phone("fxo1").fault("no-reversal", "on")
	quiet := make([]int16, rate/2)
	hello := append(quiet, speak(t, "Hello?")...)
	greeting := append(quiet, speak(t, "You have reached the mailbox of extension two zero one. Please leave a message after the tone.")...)
	place := func(s *station, form url.Values) string {
		form.Set("To", s.to)
		form.Set("From", "+14155550100")
		form.Set("StatusCallback", a.URL+"/status")
		sid := x.create(form)
		s.await()
		s.lift()
		return sid
	}
	about := func(t *testing.T, path, sid string) asked {
		var got asked
		poll(t, path+" is asked for", func() bool {
			for _, r := range a.requests(path) {
				if r.form.Get("CallSid") == sid {
					got = r
					return true
				}
			}
			return false
		})
		return got
	}
	told := func(t *testing.T, s *station, says []int16, want string) {
		sid := place(s, url.Values{"Url": {a.URL + "/wait"}, "MachineDetection": {"Enable"}})
		s.say(says)
		if r := about(t, "/wait", sid); r.form.Get("AnsweredBy") != want {
			t.Errorf("AnsweredBy=%q after %s ms, want %q", r.form.Get("AnsweredBy"), r.form.Get("MachineDetectionDuration"), want)
		}
		s.hang()
		x.until(sid, "completed")
	}
	t.Run("kinds", func(t *testing.T) {
		for _, k := range kinds() {
			t.Run(k+" machine", func(t *testing.T) {
				t.Parallel()
				told(t, x.stations[k][1], greeting, "machine_start")
			})
			t.Run(k+" person", func(t *testing.T) {
				t.Parallel()
				s := x.stations[k][0]
				told(t, s, hello, "human")
				if x.free(k, 1); k == "fxo" {
					x.phone("fxo1").fault("no-reversal", "off")
				}
				sid := place(s, url.Values{"Url": {a.URL + "/beside"}, "MachineDetection": {"Enable"}, "AsyncAmd": {"true"}, "AsyncAmdStatusCallback": {a.URL + "/amd"}})
				about(t, "/beside", sid)
				s.hang()
				if r := about(t, "/status", sid); r.form.Has("AnsweredBy") {
					t.Errorf("the last status callback has a verdict: %v", r.form)
				}
			})
		}
	})
	if list := a.requests("/amd"); len(list) > 0 {
		t.Errorf("a verdict after the end of the call: %v", list[0].form)
	}
}
