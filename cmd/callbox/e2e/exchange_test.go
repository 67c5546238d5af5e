//go:build e2e

package e2e

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestExchangeLineOut places a call over an exchange line of the sim board by the
// vendor's REST shape: the subscriber of the simulated exchange answers and speaks, and
// hears what the application says, through the real driver, a pseudo terminal and a
// modem that is simulated byte by byte.
func TestExchangeLineOut(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	g := startGateway(t, "exchange_lines:\n- {port: fxo1, number: \"+14155550161\", numbers: true}\n")
	far := g.phone("fxo1")
	far.fault("no-host", "on")
	far.line("on-hook")
	question := speak(t, "Good morning. Please say your name and press one two three four.")
	answer := speak(t, "Hello, my name is Bob, and I live near the river in the old mill house.", "-v", "en-us")
	a.wav("/question.wav", question)
	a.doc("/voice", `<Response><Gather numDigits="4" timeout="60" action="/digits"><Play>/question.wav</Play></Gather><Hangup/></Response>`)
	a.doc("/digits", `<Response><Pause length="2"/></Response>`) // the last key is still held when it is known
	sid := g.create(url.Values{"To": {"+14155550123"}, "From": {"+14155550161"}, "Url": {a.URL + "/voice"}, "Record": {"true"}, "RecordingChannels": {"dual"},
		"StatusCallback": {a.URL + "/status"}, "StatusCallbackEvent": {"initiated", "ringing", "answered", "completed"}})
	far.do("wait-call")
	if d := far.state()["dialled"]; !strings.HasPrefix(d, "14155550123") {
		t.Errorf("the exchange was dialled %s", d)
	}
	far.do("pick-up")
	a.until("/question.wav", 1)
	pauseFor(time.Duration(len(question))*time.Second/rate + time.Second)
	far.say(answer)
	far.do("press", "1234")
	if d := a.until("/digits", 1).form.Get("Digits"); d != "1234" {
		t.Errorf("digits from the subscriber: %q", d)
	}
	g.until(sid, "completed")
	far.line("on-hook")
	hears(t, "the subscriber", far.heard(), question)
	rec, channels := g.recording(sid)
	if channels != 2 {
		t.Fatalf("the recording has %d channels, want 2", channels)
	}
	hears(t, "the recording's channel of the subscriber", channel(rec, 0, 2), answer)
	a.until("/status", 4)
	if s := strings.Join(a.statuses("/status"), " "); s != "initiated ringing in-progress completed" {
		t.Errorf("callbacks: %s", s)
	}
	trace := g.run("trace", sid)
	for _, want := range []string{"fxo1/at", "ATDTW14155550123;", "CONNECT", "the battery of the line has turned", "answered"} {
		if !strings.Contains(trace, want) {
			t.Errorf("the trace lacks %q:\n%s", want, trace)
		}
	}

	// What an exchange says with tones becomes the outcome that a provider would give.
	for number, want := range map[string]string{"+14155550186": "busy", "+14155550104": "failed"} {
		sid := g.create(url.Values{"To": {number}, "From": {"+14155550161"}, "Url": {a.URL + "/voice"}})
		g.until(sid, want)
		far.line("on-hook")
	}
}

// TestExchangeLineIn lets a subscriber of the simulated exchange call the box: the
// number's application is told who calls, and both are heard.
func TestExchangeLineIn(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	greeting, request := speak(t, "Welcome to the office of the harbour master."), speak(t, "I would like to speak to the pilot station, please.", "-v", "en-us")
	a.wav("/greeting.wav", greeting)
	a.doc("/voice", `<Response><Play>/greeting.wav</Play><Record maxLength="20" timeout="5" playBeep="false" action="/recorded"/></Response>`)
	a.doc("/recorded", `<Response><Hangup/></Response>`)
	g := startGateway(t, "")
	const app = "AP0123456789abcdef0123456789abcdef"
	g.configure(fmt.Sprintf(`
applications:
- {id: %s, account: %s, name: desk, script: {main: {url: "%s/voice"}, fallback: {}}}
exchange_lines:
- {port: fxo1, number: "+14155550161", application: %s}
`, app, g.account, a.URL, app))
	far := g.phone("fxo1")
	far.fault("no-host", "on")
	far.line("on-hook")
	far.do("call-as", "4155550123 ALICE")
	far.do("wait-talk")
	req := a.until("/voice", 1)
	if from, to, name := req.form.Get("From"), req.form.Get("To"), req.form.Get("CallerName"); !strings.Contains(from, "4155550123") || to != "+14155550161" {
		t.Errorf("from %q %q to %q", from, name, to)
	}
	a.until("/greeting.wav", 1)
	pauseFor(time.Duration(len(greeting))*time.Second/rate + time.Second)
	far.say(request)
	hears(t, "the caller", far.heard(), greeting)
	far.do("hang-up") // the exchange plays busy tone
	far.line("on-hook")
	a.until("/recorded", 1)
}

// TestExchangeLineUnplugged pulls the modem out of its socket in a call, and puts it
// back behind another tty.
func TestExchangeLineUnplugged(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	g := startGateway(t, "exchange_lines:\n- {port: fxo1, number: \"+14155550161\", numbers: true}\n")
	far := g.phone("fxo1")
	far.line("on-hook")
	a.doc("/voice", `<Response><Pause length="100"/></Response>`)
	sid := g.create(url.Values{"To": {"+14155550123"}, "From": {"+14155550161"}, "Url": {a.URL + "/voice"}})
	g.until(sid, "in-progress")
	tty := far.state()["tty"]
	far.fault("unplugged", "on")
	g.until(sid, "completed")
	far.line("no modem is plugged in")
	if out := g.run("calls"); !strings.Contains(out, "was lost in the call") {
		t.Errorf("the record does not say why:\n%s", out)
	}
	failed := g.create(url.Values{"To": {"+14155550123"}, "From": {"+14155550161"}, "Url": {a.URL + "/voice"}})
	g.until(failed, "failed")
	if out := g.run("calls"); !strings.Contains(out, "no modem is plugged in") {
		t.Errorf("the record does not say why:\n%s", out)
	}
	far.fault("unplugged", "off")
	far.line("on-hook")
	if now := far.state()["tty"]; now == "unplugged\n" || now == "" {
		t.Errorf("tty %s, it was %s", now, tty)
	}
	again := g.create(url.Values{"To": {"+14155550123"}, "From": {"+14155550161"}, "Twiml": {`<Response><Pause length="1"/></Response>`}})
	g.until(again, "completed")
}

// TestExchangeLinesCallEachOther calls from one exchange line of the box over two
// simulated exchanges to the other, in Germany, and hears one application in the other.
func TestExchangeLinesCallEachOther(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	g := startGateway(t, "")
	g.change("country: US", "country: DE")
	sentence := speak(t, "The two exchanges of the town are connected by a single cable.")
	a.wav("/sentence.wav", sentence)
	a.doc("/out", `<Response><Pause length="1"/><Play>/sentence.wav</Play><Pause length="2"/></Response>`)
	a.doc("/in", `<Response><Record maxLength="30" timeout="10" playBeep="false" trim="do-not-trim" action="/done"/></Response>`)
	a.doc("/done", `<Response><Hangup/></Response>`)
	const app = "AP0123456789abcdef0123456789abcdef"
	g.configure(fmt.Sprintf(`
applications:
- {id: %s, account: %s, name: desk, script: {main: {url: "%s/in"}, fallback: {}}}
exchange_lines:
- {port: fxo1, numbers: true}
- {port: fxo2, number: "555162", application: %s, answer: polarity}
routes:
- {name: town, pattern: "555162", lines: [fxo1]}
`, app, g.account, a.URL, app))
	g.phone("fxo1").line("on-hook")
	g.phone("fxo2").line("on-hook")
	sid := g.create(url.Values{"To": {"555162"}, "From": {"+493055550161"}, "Url": {a.URL + "/out"}})
	in := a.until("/in", 1)
	if from := in.form.Get("From"); !strings.Contains(from, "555161") {
		t.Errorf("the called line was told that %s calls", from)
	}
	g.until(sid, "completed")
	done := a.until("/done", 1)
	rec, _ := g.recording(done.form.Get("CallSid"))
	hears(t, "the called application", rec, sentence)
	g.phone("fxo1").line("on-hook")
	g.phone("fxo2").line("on-hook")
}

// TestExchangeLineMisbehaves has the modem report what is not there, and the far end
// hang up in every way.
func TestExchangeLineMisbehaves(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	g := startGateway(t, "exchange_lines:\n- {port: fxo1, number: \"+14155550161\", numbers: true, hangup_silence: 10s, refuse: answer}\n")
	far := g.phone("fxo1")
	far.fault("no-host", "on")
	far.line("on-hook")
	a.doc("/voice", `<Response><Pause length="100"/></Response>`)
	speech := speak(t, "Good morning. I am going to say something rather long, so that there is a voice on the line all the time, whatever the modem may believe to hear.")
	for _, kind := range []string{"busy", "congestion", "dial-tone", "silence", "loop-break", "polarity"} {
		far.fault("hang-up", kind)
		sid := g.create(url.Values{"To": {"+14155550123"}, "From": {"+14155550161"}, "Url": {a.URL + "/voice"}})
		far.do("wait-call")
		far.do("pick-up")
		far.line("in a call")
		if kind == "busy" {
			far.fault("false-busy", "on")
			far.say(speech)
			far.fault("false-busy", "off")
			far.line("in a call")
		}
		g.until(sid, "in-progress")
		far.do("hang-up")
		g.until(sid, "completed")
		far.line("on-hook")
	}

	// A flash asks the exchange for dial tone, and only in a call. Keys count once also
	// when the modem takes their tones out of the sound.
	if out, err := g.tryRun("flash", "fxo1"); err == nil || !strings.Contains(out, "on-hook") {
		t.Errorf("flash on an idle line: %v\n%s", err, out)
	}
	a.doc("/keys", `<Response><Gather numDigits="6" timeout="60" finishOnKey="" action="/typed"><Play>/greeting.wav</Play></Gather></Response>`)
	a.wav("/greeting.wav", speech)
	a.doc("/typed", `<Response><Pause length="100"/></Response>`)
	sid := g.create(url.Values{"To": {"+14155550123"}, "From": {"+14155550161"}, "Url": {a.URL + "/keys"}})
	far.do("wait-call")
	far.do("pick-up")
	a.until("/greeting.wav", 1)
	poll(t, "the greeting is heard", func() bool { return energy(far.heard()) > 0 })
	far.fault("take-keys", "on")
	far.do("press", "447")
	far.fault("take-keys", "off")
	far.do("press", "711")
	if typed := a.until("/typed", 1).form.Get("Digits"); typed != "447711" {
		t.Errorf("the application was told the keys %q", typed)
	}
	g.run("flash", "fxo1")
	far.shows("exchange", "dial tone")
	far.do("retrieve")
	far.shows("exchange", "talking")
	far.shows("modem", "sound")
	far.fault("hang-up", "busy")
	ladder := g.run("trace", sid)
	for _, want := range []string{"the far end presses a key", "the hook is pressed shortly"} {
		if !strings.Contains(ladder, want) {
			t.Errorf("the trace has no %q:\n%s", want, ladder)
		}
	}
	far.do("hang-up")
	far.line("on-hook")

	// A call that nobody takes rings on, or hears busy tone.
	other := g.phone("fxo2")
	other.do("call", "4155550123")
	other.line("rings on for a call that the box has refused")
	other.do("hang-up")
	far.do("call", "4155550123")
	far.line("a caller who was refused hears busy tone")
	far.do("wait-idle")
	far.line("on-hook")
}
