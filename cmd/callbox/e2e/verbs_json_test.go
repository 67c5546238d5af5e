//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestHeadersBeforeTheAnswer: a document rings with an Alert-Info, plays a sound
// before the answer, and refuses the call with headers of its own.
func TestHeadersBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	g := startGateway(t, "")
	app := "AP" + strings.Repeat("0", 31) + "1"
	g.configure(fmt.Sprintf(`
trunks:
- name: provider
  host: 127.0.0.1
  port: %d
  inbound: [127.0.0.1]
applications:
- id: %s
  account: %s
  api: jambonz
  name: front door
  script: {main: {url: "%s/in"}, fallback: {}}
numbers:
- number: "*"
  line: provider
  application: %s
`, freePorts(t, 1), app, g.account, a.URL, app))
	serveJSON(t, a, map[string]string{"/in": `[{"verb":"alert","message":"info=alert-internal"},{"verb":"pause","length":1},
		{"verb":"play","url":"/nothing.wav","earlyMedia":true},{"verb":"sip:decline","status":480,"reason":"gone","headers":{"X-Why":"max tries"}}]`})
	r := newRawCaller(t, g, "headers", freePorts(t, 2))
	r.send(r.request("INVITE", "a", 1), 1)
	for r.next("SIP/2.0 180"); !strings.Contains(r.next("SIP/2.0 180"), "\r\nAlert-Info: info=alert-internal\r\n"); {
	}
	if early := r.next("SIP/2.0 183"); !strings.Contains(early, "m=audio ") {
		t.Errorf("the 183 opens no sound:\n%s", early)
	}
	if end := r.next("SIP/2.0 480"); !strings.Contains(end, "\r\nX-Why: max tries\r\n") {
		t.Errorf("the 480 has no header:\n%s", end)
	}
}

// TestInterruptedPlay: keys interrupt a sound, and the document of the hook takes
// its place.
func TestInterruptedPlay(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newApp(t)
	words := speak(t, "This is a long text that the caller interrupts by pressing a key. Nobody should ever hear how it goes on after that.")
	sound := a.wav("/long.wav", words)
	h := serveJSON(t, a, map[string]string{
		"/first":  fmt.Sprintf(`[{"verb":"config","bargeIn":{"enable":true,"input":["digits"],"numDigits":2,"actionHook":"/barged"}},{"verb":"play","url":%q,"loop":"forever"}]`, sound),
		"/barged": `[{"verb":"hangup","headers":{"X-Why":"interrupted"}}]`,
	})
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto"})
	if code, body := g.askJSON(http.MethodPost, "/Calls", fmt.Sprintf(`{"from":"1","to":{"type":"user","name":"bob"},"call_hook":%q}`, h.base+"/first")); code != http.StatusCreated {
		t.Fatalf("create: %d %v", code, body)
	}
	bob.wait("CALL_ESTABLISHED")
	pauseFor(2 * time.Second)
	bob.press("42")
	if m := h.await("/barged"); m["digits"] != "42" || m["reason"] != "dtmfDetected" {
		t.Errorf("the hook was told %v", m)
	}
	bob.wait("CALL_CLOSED")
}

// TestListenBeforeTheAnswer: with earlyMedia an application over a websocket hears a
// caller who was not answered, speaks to it, and the call is refused afterwards.
func TestListenBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	question := speak(t, "Nobody has answered you, and yet you hear me.")
	says := speak(t, "I say this before anybody has lifted the receiver.", "-v", "en-us")
	l, heard := startListener(t)
	a := newApp(t)
	g, _, _ := earlyBox(t, a, "jambonz")
	serveJSON(t, a, map[string]string{"/in": fmt.Sprintf(`[{"verb":"listen","url":%q,"earlyMedia":true,"sampleRate":8000,"bidirectionalAudio":{"enabled":true,"streaming":true,"sampleRate":8000}},
		{"verb":"sip:decline","status":480,"reason":"heard"}]`, l.url)})
	ear, r := callEarly(t, g, says)
	l.told("connection", 1, nil)
	l.order("stream " + rawFile(t, question, rate))
	l.order("mark asked")
	l.told("mark", 1, nil)
	pauseFor(time.Duration(len(says))*time.Second/rate + time.Second)
	l.order("disconnect")
	r.next("SIP/2.0 480")
	l.told("close", 1, nil)
	hears(t, "the application", readRaw(t, heard, rate, 1)[0], says)
	hears(t, "the caller", ear.sound(), question)
}

// TestTranscribeBeforeTheAnswer: with earlyMedia the hook is told what a caller says
// who was not answered.
func TestTranscribeBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	says := speak(t, "The weather is fine today, not a cloud can be seen anywhere.")
	v := newSpeechVendor(t, nil)
	a := newApp(t)
	g, _, _ := earlyBox(t, a, "jambonz")
	g.configure(v.config())
	h := serveJSON(t, a, map[string]string{"/heard": "", "/in": `[{"verb":"transcribe","transcriptionHook":"/heard","earlyMedia":true,"recognizer":{"vendor":"parrot"}},
		{"verb":"pause","length":10},{"verb":"sip:decline","status":480}]`})
	_, r := callEarly(t, g, says)
	m := h.await("/heard")
	if s := object(m["speech"]); s["is_final"] != true || m["call_status"] == "in-progress" || !strings.Contains(fmt.Sprint(s["alternatives"]), "the weather is fine today") {
		t.Errorf("the hook was told %v", m)
	}
	r.next("SIP/2.0 480")
	// Both ways are transcribed, in no order; nothing is said to the caller.
	poll(t, "the vendor has heard all of it", func() bool { return v.hears(says) })
}

// callEarly calls from the trunk and speaks as soon as the way is open, before the
// answer.
func callEarly(t *testing.T, g *gateway, says []int16) (*rawPhone, *rawCaller) {
	t.Helper()
	ear := newEar(t)
	r := newRawCaller(t, g, "early", ear.rtp.LocalAddr().(*net.UDPAddr).Port)
	r.send(r.request("INVITE", "a", 1), 1)
	ear.taken(r.next("SIP/2.0 183"))
	if ear.media() == nil {
		t.Fatal("the 183 opens no sound")
	}
	stop := make(chan struct{})
	ear.running.Add(1)
	go ear.speak(muLawOf(t, append(make([]int16, rate/2), says...)), stop)
	t.Cleanup(func() { close(stop) })
	return ear, r
}

// TestMannersStay: what a config says of interruptions, of noise and of actions
// while a hook takes its time holds for the documents that follow by a redirect and
// by request.
func TestMannersStay(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newApp(t)
	noise := speak(t, "Clatter, clatter, clatter, this is the noise of an office.", "-p", "30")
	action := speak(t, "One more moment please, we are looking for it.", "-v", "en-us")
	long := a.wav("/long.wav", speak(t, "This text is interrupted every time by a key, so that nobody has ever heard its end at all."))
	const slow = 9 * time.Second
	h := serveJSON(t, a, map[string]string{
		"/first": fmt.Sprintf(`[{"verb":"config","bargeIn":{"enable":true,"sticky":true,"input":["digits"],"numDigits":1,"actionHook":"/barged"},
			"fillerNoise":{"enable":true,"url":%q,"startDelaySecs":0},
			"actionHookDelayAction":{"enabled":true,"noResponseTimeout":4,"retries":0,"actions":[{"verb":"play","url":%q}]}},
			{"verb":"redirect","actionHook":"/second"}]`, a.wav("/noise.wav", noise), a.wav("/action.wav", action)),
		"/second": `[{"verb":"gather","input":["digits"],"numDigits":2,"timeout":30,"actionHook":"/slow"}]`,
		"/barged": `[{"verb":"pause","length":60}]`,
		"/third":  fmt.Sprintf(`[{"verb":"play","url":%q,"loop":"forever"}]`, long),
	})
	asked := make(chan time.Time, 1)
	a.handle("/slow", func(w http.ResponseWriter, _ *http.Request) {
		asked <- time.Now()
		pauseFor(slow)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `[{"verb":"play","url":%q,"loop":"forever"}]`, long)
	})
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto"})
	sid := g.callJSON(201, `{"from":"1","to":{"type":"user","name":"bob"},"call_hook":%q}`, h.base+"/first")["sid"].(string)
	bob.wait("CALL_ESTABLISHED")
	h.await("/second")
	pauseFor(time.Second)
	bob.press("17")
	select {
	case <-asked:
	case <-time.After(patience):
		t.Fatal("the slow hook was not asked")
	}
	pauseFor(slow + 2*time.Second)
	bob.press("4")
	if m := h.await("/barged"); m["digits"] != "4" || m["reason"] != "dtmfDetected" {
		t.Errorf("the first interruption told %v", m)
	}
	g.wants(http.StatusAccepted, http.MethodPut, "/Calls/"+sid, fmt.Sprintf(`{"call_hook":%q}`, h.base+"/third"))
	h.await("/third")
	pauseFor(2 * time.Second)
	bob.press("5")
	if m := h.await("/barged"); m["digits"] != "5" || m["reason"] != "dtmfDetected" {
		t.Errorf("the second interruption, after a request, told %v", m)
	}
	g.wants(http.StatusAccepted, http.MethodPut, "/Calls/"+sid, `{"call_status":"completed"}`)
	bob.wait("CALL_CLOSED")
	hears(t, "the phone, while the hook took its time,", bob.heard(), noise)
	hears(t, "the phone, when it took too long,", bob.heard(), action)
}
