//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestFaultCodes: what the box finds wrong while verbs run, and why it could call
// nobody, is told with the API's numbers where the vendor's programs look for it.
func TestFaultCodes(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	g := startGateway(t, threeUsers)
	startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "auto"})
	startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto"})
	dead := freePorts(t, 1)
	a.doc("/voice", `<Response><Dial timeLimit="1" action="/second"><Client url="/screen">alice</Client></Dial></Response>`)
	a.doc("/screen", `<Response><Dial><Client>bob</Client></Dial></Response>`)
	a.doc("/second", `<Response><Dial action="/third"><Client>carol</Client></Dial></Response>`)
	a.doc("/third", fmt.Sprintf(`<Response><Dial action="/fourth" ifMachine="perhaps"><Sip>sip:dave@127.0.0.1:%d</Sip></Dial></Response>`, dead))
	a.doc("/fourth", `<Response><Dial action="/fifth"><Sip>sip:erin@nosuch.invalid</Sip></Dial></Response>`)
	a.doc("/fifth", `<Response><Enqueue action="/last" maxQueueSize="1">support</Enqueue></Response>`)
	a.doc("/wait", `<Response><Enqueue>support</Enqueue></Response>`)
	a.doc("/last", `<Response><Pause length="60"/></Response>`)
	if code, body := g.post("/Queues.json", url.Values{"FriendlyName": {"support"}, "MaxSize": {"1"}}); code != http.StatusCreated {
		t.Fatalf("the queue: %d %v", code, body)
	}
	waits := g.create(url.Values{"To": {"client:alice"}, "From": {"+14155550100"}, "Url": {a.URL + "/wait"}, "ClientNotificationUrl": {a.URL + "/none"}})
	poll(t, "somebody waits in the queue", func() bool {
		_, body := g.get("/Queues.json")
		return object(body["queues"].([]any)[0])["current_size"] == 1.0
	})
	sid := g.create(url.Values{"To": {"client:bob"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
	first := a.until("/second", 1).form.Get("DialCallSid")
	second := a.until("/third", 1).form.Get("DialCallSid")
	third := a.until("/fourth", 1).form.Get("DialCallSid")
	fourth := a.until("/fifth", 1).form.Get("DialCallSid")
	if f := a.until("/last", 1).form; f.Get("QueueResult") != "queue-full" {
		t.Errorf("the Enqueue told %v", f)
	}
	for call, want := range map[string]string{first: "13201", second: "32009", third: "32011", fourth: "13254", sid: "13211 14207"} {
		_, body := g.get("/Calls/" + call + "/Notifications.json")
		got := ""
		for _, n := range body["notifications"].([]any) {
			got += text(object(n)["error_code"]) + " "
		}
		if got != want+" " {
			t.Errorf("call %s: codes %s, want %s: %v", call, got, want, body["notifications"])
		}
	}
	if out := g.run("calls"); !strings.Contains(out, "\nWarnings of "+first+":\n  ") || !strings.Contains(out, "the queue support is full (14207)\n") ||
		!strings.Contains(out, "\nWarnings of "+waits+":\n  ClientNotificationUrl has no effect on this box\n") {
		t.Errorf("the list shows no warnings:\n%s", out)
	}
	for _, c := range []string{sid, waits} {
		g.post("/Calls/"+c+".json", url.Values{"Status": {"completed"}})
		g.until(c, "completed")
	}
}
