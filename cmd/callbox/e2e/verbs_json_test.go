//go:build e2e

package e2e

import (
	"fmt"
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
