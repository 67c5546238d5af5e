//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/url"
	"testing"
)

// TestDialCallerID: a Dial that shows a number which is not the account's calls
// nobody, and says so by the API's code; numbers of the account, and those of the
// call itself, are shown to the callee.
func TestDialCallerID(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	port := freePorts(t, 1)
	g := startGateway(t, twoUsers+fmt.Sprintf("trunks:\n- {name: provider, host: 127.0.0.1, port: %d}\nroutes:\n- {name: long distance, prefix: \"+1\", lines: [provider]}\n", port))
	if code, body := g.post("/IncomingPhoneNumbers.json", url.Values{"PhoneNumber": {"+14155550177"}}); code != 201 {
		t.Fatalf("the number: %d %v", code, body)
	}
	startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto"})
	a.doc("/voice", `<Response><Dial callerId="+14155550199" action="/foreign"><Number>+14155550123</Number></Dial></Response>`)
	a.doc("/foreign", `<Response><Dial callerId="+14155550177" timeLimit="1" action="/own"><Number>+14155550123</Number></Dial></Response>`)
	a.doc("/own", `<Response><Pause length="60"/></Response>`)
	far := startSIPp(t, port, 1, carried("From", "14155550177@")+established+hungUp)
	sid := g.create(url.Values{"To": {"client:bob"}, "From": {"+14155550177"}, "Url": {a.URL + "/voice"}})
	if f := a.until("/foreign", 1).form; f.Get("DialCallStatus") != "failed" || f.Get("DialCallSid") != "" {
		t.Errorf("the Dial with somebody else's number told %v", f)
	}
	if f := a.until("/own", 1).form; f.Get("DialCallStatus") != "completed" {
		t.Errorf("the Dial with a number of the account told %v", f)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	far.succeeds(ctx)
	_, body := g.get("/Calls/" + sid + "/Notifications.json")
	if list := body["notifications"].([]any); len(list) != 1 || object(list[0])["error_code"] != "13214" {
		t.Errorf("notifications %v", list)
	}
	g.post("/Calls/"+sid+".json", url.Values{"Status": {"completed"}})
	g.until(sid, "completed")
}
