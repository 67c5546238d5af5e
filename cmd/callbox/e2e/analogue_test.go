//go:build e2e

package e2e

import (
	"net/url"
	"strings"
	"testing"
)

// TestAnaloguePhone rings phones of the sim board that nobody lifts. What happens
// when somebody does is tested in cmd/callbox, where a test has hands.
func TestAnaloguePhone(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	g := startGateway(t, "")
	place := func(to, timeout string) string {
		return g.create(url.Values{"To": {"client:" + to}, "From": {"+14155550100"}, "Twiml": {"<Response><Pause/></Response>"}, "Timeout": {timeout},
			"StatusCallback": {a.URL + "/" + to}, "StatusCallbackEvent": {"initiated", "ringing", "answered", "completed"}})
	}
	quiet := func(to string) func() bool {
		return func() bool { _, text := g.status(to); return text == "on-hook" }
	}
	unlifted := place("fxs1", "2")
	canceled := place("fxs2", "60")
	a.until("/fxs1", 2)
	a.until("/fxs2", 2)
	if _, text := g.status("fxs1"); text != "ringing" {
		t.Errorf("fxs1 is %s", text)
	}
	second := place("fxs2", "60") // while it rings for another
	g.until(second, "busy")
	if code, body := g.post("/Calls/"+canceled+".json", url.Values{"Status": {"canceled"}}); code != 200 || body["status"] != "canceled" && body["status"] != "ringing" {
		t.Errorf("cancel: %d %v", code, body)
	}
	rec := g.until(canceled, "canceled")
	if rec["answered_by"] != nil || rec["duration"] != nil && rec["duration"] != "0" {
		t.Errorf("a call that was never answered: %v", rec)
	}
	poll(t, "fxs2 is quiet", quiet("fxs2"))
	g.until(unlifted, "no-answer")
	poll(t, "fxs1 is quiet", quiet("fxs1"))
	a.until("/fxs1", 3)
	if s := strings.Join(a.statuses("/fxs1"), " "); s != "initiated ringing no-answer" {
		t.Errorf("callbacks of the phone that nobody lifted: %s", s)
	}
	poll(t, "the callbacks of fxs2", func() bool { return len(a.requests("/fxs2")) >= 5 })
	counted := map[string]int{}
	for _, s := range a.statuses("/fxs2") {
		counted[s]++
	}
	if counted["initiated"] != 2 || counted["ringing"] != 1 || counted["busy"] != 1 || counted["canceled"] != 1 {
		t.Errorf("callbacks of fxs2: %v", counted)
	}
	// A phone that the board does not have.
	nobody := place("fxs99", "5")
	g.until(nobody, "failed")
	if out := g.run("calls"); !strings.Contains(out, "fxs99") {
		t.Errorf("the record does not name who is missing:\n%s", out)
	}
}
