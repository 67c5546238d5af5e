package twilio_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"callbox/api/apitest"
	"callbox/call"
)

// wantProblem checks the whole of an error's answer.
func wantProblem(t *testing.T, what string, resp *http.Response, body string, status, code int) {
	t.Helper()
	var raw map[string]any
	if err := json.Unmarshal([]byte(body), &raw); err != nil {
		t.Errorf("%s: answer is no JSON: %s %q", what, resp.Status, body)
		return
	}
	message, _ := raw["message"].(string)
	if resp.StatusCode != status || raw["status"] != float64(status) || raw["code"] != float64(code) || len(message) < 10 {
		t.Errorf("%s: got %s %s, want %d with code %d", what, resp.Status, body, status, code)
	}
	if raw["more_info"] != fmt.Sprintf("https://www.twilio.com/docs/errors/%d", code) {
		t.Errorf("%s: more_info is %v", what, raw["more_info"])
	}
}

// good is a create that is accepted; the tests add to it and take from it.
func good(pairs ...string) string {
	return apitest.FormWith([]string{"To", "+15550100199", "From", "+15550100100", "Url", "http://pbx.lan/voice"}, pairs...)
}

func TestCreateRefuses(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, tc := range []struct {
		code int
		body string
	}{
		{21201, good("To", "")},
		{21211, good("To", "nobody!")},
		{21211, good("To", "tel:+15550100199")},
		{21211, good("To", "+1")},
		{21211, good("To", "+12345678901234567")},
		{21211, good("To", "sip:")},
		{21211, good("To", "sip:alice@")},
		{21211, good("To", "sip:alice@host:99999")},
		{21211, good("To", "sip:alice@bilo xi.example")},
		{21211, good("To", "client:")},
		{21211, good("To", "alice")},
		{21227, good("To", "sip:a@b.example?X-A="+strings.Repeat("1", 1100))},
		{21228, good("To", "sip:a@b.example?Via=x")},
		{21229, good("To", "sip:a@b.example?X-A=%0d%0aVia:x")},
		{21213, good("From", "")},
		{21212, good("From", "<script>")},
		{21212, good("From", "alice")},
		{21212, good("From", "client:alice")},
		{21212, good("CallerId", "sip:@")},
		{21205, good("Url", "")},
		{21205, good("Url", "voice.xml")},
		{21205, good("Url", "ftp://pbx.lan/voice")},
		{21205, good("Url", "http://")},
		{21205, good("Url", "http://a_b.lan/voice")},
		{21205, good("Url", "http://pbx.lan:0/")},
		{21205, good("Url", "http://pbx.lan/"+strings.Repeat("x", 3000))},
		{20001, good("FallbackUrl", "x")},
		{20001, good("StatusCallback", "http://my_host/")},
		{20001, good("RecordingStatusCallback", "x")},
		{20001, good("AsyncAmdStatusCallback", "x")},
		{21209, good("Method", "PUT")},
		{21209, good("FallbackMethod", "HEAD")},
		{21209, good("StatusCallbackMethod", "x")},
		{21209, good("RecordingStatusCallbackMethod", "DELETE")},
		{21209, good("AsyncAmdStatusCallbackMethod", "PATCH")},
		{20001, good("StatusCallbackEvent", "answer")},
		{20001, good("RecordingStatusCallbackEvent", "done")},
		{21206, good("SendDigits", "12x")},
		{21206, good("SendDigits", strings.Repeat("1", 33))},
		{21208, good("Timeout", "0")},
		{21208, good("Timeout", "601")},
		{21208, good("Timeout", "ten")},
		{21208, good("Timeout", "1.5")},
		{20001, good("TimeLimit", "-1")},
		{20001, good("TimeLimit", "14401")},
		{20001, good("TimeLimit", "99999999999999999999")},
		{20001, good("CallReason", strings.Repeat("é", 51))},
		{20001, good("CallToken", strings.Repeat("x", 5000))},
		{20001, good("Byoc", "BY1")},
		{20001, good("Byoc", "BYffffffffffffffffffffffffffffffff")},
		{20001, good("Record", "yes")},
		{20001, good("RecordingChannels", "stereo")},
		{20001, good("RecordingTrack", "none")},
		{20001, good("Trim", "cut")},
		{21221, good("SipAuthUsername", long, "SipAuthPassword", "x")},
		{21222, good("SipAuthUsername", "a b", "SipAuthPassword", "x")},
		{21223, good("SipAuthUsername", "a", "SipAuthPassword", long)},
		{21224, good("SipAuthUsername", "a", "SipAuthPassword", "x\ny")},
		{21225, good("SipAuthUsername", "a")},
		{20001, good("SipAuthPassword", "x")},
		{21234, good("MachineDetection", "yes")},
		{21234, good("MachineDetection", "Enable", "MachineDetectionTimeout", "2")},
		{21234, good("MachineDetection", "Enable", "MachineDetectionTimeout", "60")},
		{21234, good("MachineDetectionSpeechThreshold", "999")},
		{21234, good("MachineDetectionSpeechEndThreshold", "5001")},
		{21234, good("MachineDetectionSilenceTimeout", "1999")},
		{21234, good("AsyncAmd", "maybe")},
		{21262, good("MachineDetection", "Enable", "AsyncAmd", "true")},
		{21263, good("AsyncAmd", "true", "AsyncAmdStatusCallback", "http://pbx.lan/")},
		{21218, good("ApplicationSid", "AP1")},
		{21218, good("ApplicationSid", "APffffffffffffffffffffffffffffffff")},
		{32018, good("Url", "", "Twiml", "<Response><!--"+strings.Repeat("x", 4000)+"--></Response>")},
		{12100, good("Url", "", "Twiml", "<Response><Say>a & b</Say></Response>")},
		{12102, good("Url", "", "Twiml", "<Reply/>")},
		{11100, good("Url", "", "Twiml", `<Response><Gather action="digits"/></Response>`)},
		{21211, good() + "&To=%2B15550100198"},
		{20001, good() + "&CallReason=a&CallReason=b"},
		{20001, good() + "&CallReason=%ff"},
		{20001, good() + "&CallReason=%00"},
		{20001, good() + "&%ff=1"},
		{20001, good() + "&x=%zz"},
		{20001, good() + "&a;b"},
		{20001, good() + strings.Repeat("&x=1", 300)},
	} {
		g := newGateway(t)
		resp, body := g.do(t, "POST", calls+".json", tc.body)
		wantProblem(t, tc.body[:min(len(tc.body), 150)], resp, body, 400, tc.code)
		if n := len(g.box.Requests()); n != 0 {
			t.Errorf("%s: a call was made", tc.body)
		}
	}
}

func TestCreateAccepts(t *testing.T) {
	g := newGateway(t)
	for _, body := range []string{
		good("To", "201"), good("To", "*21#"), good("To", "(555) 010-0199"),
		good("To", "sips:alice@[2001:db8::1]:5061;transport=tls"), good("To", "sip:biloxi.example"),
		good("To", "client:alice", "From", "bob@biloxi.example"), good("To", "client:alice", "From", "bob"),
		good("Timeout", ""), good("StatusCallback", ""), good("Url", "HTTP://192.168.1.5:8000/x?y=%20z#rc=3"),
		good("CallerId", "name@company.example"), good("Byoc", trunkID), good("method", "x"),
		good("Url", "", "Twiml", "<Response><Say>hello</Say></Response>"),
		good("MachineDetection", "enable"), good("Record", "TRUE"), good("Record", "false", "Trim", "do-not-trim"),
		good("SendDigits", "ww1234#WA", "MachineDetection", "Enable", "AsyncAmd", "true"),
	} {
		resp, answer := g.do(t, "POST", calls+".json", body)
		if resp.StatusCode != 201 {
			t.Errorf("%s: %s %s", body, resp.Status, answer)
		}
	}
}

func TestCreateMeaning(t *testing.T) {
	g := newGateway(t)
	last := func(body string) call.Request {
		t.Helper()
		if resp, answer := g.do(t, "POST", calls, body); resp.StatusCode != 201 { // also without .json
			t.Fatalf("%s: %s %s", body, resp.Status, answer)
		}
		list := g.box.Requests()
		return list[len(list)-1]
	}
	if r := last(good("Byoc", trunkID)); r.Line != "provider" {
		t.Errorf("Byoc: line %q", r.Line)
	}
	if r := last(good("Byoc", trunkID, "To", "client:alice")); r.Line != "" {
		t.Errorf("Byoc with a client: line %q", r.Line)
	}
	if r := last("To=+15550100199&From=+15550100100&Url=http://pbx.lan/"); r.To != "+15550100199" || r.From != "+15550100100" {
		t.Errorf("a plus that was not encoded: %q, %q", r.To, r.From)
	}
	if r := last(good("ApplicationSid", appID, "StatusCallback", "http://pbx.lan/ignored")); r.Script.Main.URL != "http://pbx.lan/reception" ||
		r.Status.URL != "http://pbx.lan/status" || r.Application != appID {
		t.Errorf("application: %+v", r)
	}
	if r := last(good("Twiml", "<Response/>")); r.Script.Inline != "" || r.Script.Main.URL == "" {
		t.Errorf("Url and Twiml: %+v", r.Script)
	}
	if r := last(good("SendDigits", "1", "MachineDetection", "Enable")); r.AMD != nil || r.SendDigits != "1" {
		t.Errorf("SendDigits and AMD: %+v", r)
	}
	r := last(good("MachineDetection", "Enable", "Record", "true"))
	if r.AMD.Timeout.Seconds() != 30 || r.AMD.SpeechThreshold != 0 ||
		r.AMD.SpeechEndThreshold != 0 || r.AMD.SilenceTimeout.Milliseconds() != 5000 || r.AMD.MessageEnd {
		t.Errorf("AMD defaults: %+v", r.AMD)
	}
	if r.Record.Channels != 1 || r.Record.Track != call.TrackBoth || !r.Record.Trim || r.Record.Source != "OutboundAPI" {
		t.Errorf("recording defaults: %+v", r.Record)
	}
	if r := last(good("To", "client:alice?room=7")); !slices.Equal(r.Headers, []call.Header{{Name: "X-room", Value: "7"}}) || r.To != "client:alice" {
		t.Errorf("client parameters: %+v", r)
	}
}

func TestWarnings(t *testing.T) {
	g := newGateway(t)
	resp, _ := g.do(t, "POST", calls+".json", good("StatusCallBack", "http://pbx.lan/", "ClientNotificationUrl", "http://pbx.lan/", "Trim", "trim-silence"))
	got := strings.Join(resp.Header.Values("Callbox-Warning"), "\n")
	for _, want := range []string{`"StatusCallBack" is not a parameter`, "ClientNotificationUrl has no effect", "Trim has no effect without Record"} {
		if !strings.Contains(got, want) {
			t.Errorf("no warning %q in %q", want, got)
		}
	}
	if resp.StatusCode != 201 {
		t.Errorf("status %s", resp.Status)
	}
}

func TestCreateFailsInTheBox(t *testing.T) {
	g := newGateway(t)
	for _, tc := range []struct {
		err          error
		status, code int
	}{
		{call.ErrLimit, 429, 20429},
		{call.ErrStopping, 503, 20503},
		{fmt.Errorf("place: %w", call.Cause{Q850: call.Q850NoRoute, Text: "no route leads to this number"}), 400, 21214},
		{call.Cause{Q850: call.Q850InvalidNumber, Text: "the number is too short"}, 400, 21217},
		{call.Cause{Q850: call.Q850NoCircuit, Text: "all channels of trunk provider are in use"}, 503, 20503},
		{context.DeadlineExceeded, 503, 20503},
		{errors.New("disk full"), 500, 20500},
	} {
		g.box.FailNext(tc.err)
		resp, body := g.do(t, "POST", calls+".json", good())
		wantProblem(t, tc.err.Error(), resp, body, tc.status, tc.code)
	}
}

func TestIdempotency(t *testing.T) {
	g := newGateway(t)
	for _, name := range []string{"Idempotency-Key", "I-Twilio-Idempotency-Token"} {
		first, one := g.do(t, "POST", calls+".json", good(), name, "order-"+name)
		again, two := g.do(t, "POST", calls+".json", good(), name, "order-"+name)
		if first.StatusCode != 201 || again.StatusCode != 201 || one != two {
			t.Errorf("%s: %s then %s", name, one, two)
		}
		if first.Header.Get("Idempotent-Replayed") != "" || again.Header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("%s: replay marks %q, %q", name, first.Header.Get("Idempotent-Replayed"), again.Header.Get("Idempotent-Replayed"))
		}
	}
	if n := len(g.box.Requests()); n != 2 {
		t.Errorf("%d calls were made, want 2", n)
	}
	resp, body := g.do(t, "POST", calls+".json", good(), "Idempotency-Key", strings.Repeat("x", 256))
	wantProblem(t, "long key", resp, body, 400, 20001)
	resp, body = g.do(t, "POST", calls+".json", good(), "Idempotency-Key", "a b")
	wantProblem(t, "key with a space", resp, body, 400, 20001)
}

func TestUpdateRefuses(t *testing.T) {
	g := newGateway(t)
	id := createCall(t, g, "To", "+15550100199", "From", "+15550100100", "Url", "http://pbx.lan/voice")
	for _, tc := range []struct {
		body string
		code int
	}{
		{"", 20001}, {"Foo=1", 20001}, {"Status=done", 20001}, {"Url=x", 21205}, {"Url=http://pbx.lan/&Method=PUT", 21209},
		{"Twiml=%3CResponse", 12100}, {"TimeLimit=0", 20001}, {"StatusCallback=x", 20001}, {"FallbackUrl=http://pbx.lan/", 20001},
	} {
		resp, body := g.do(t, "POST", calls+"/"+id+".json", tc.body)
		wantProblem(t, tc.body, resp, body, 400, tc.code)
	}
	resp, body := g.do(t, "POST", calls+"/CA00000000000000000000000000000000.json", "Status=x")
	wantProblem(t, "unknown call", resp, body, 404, 20404)
	g.box.Edit(id, func(r *call.Record) { r.State = call.InProgress })
	resp, body = g.do(t, "POST", calls+"/"+id+".json", "Status=canceled")
	wantProblem(t, "cancel an answered call", resp, body, 400, 21220)
	resp, body = g.do(t, "DELETE", calls+"/"+id+".json", "")
	wantProblem(t, "delete a live call", resp, body, 409, 20009)
	if n := len(g.box.Changes()); n != 0 {
		t.Errorf("%d changes were made", n)
	}
	resp, _ = g.do(t, "POST", calls+"/"+id+".json", "Status=completed&Url=http://pbx.lan/late")
	if c := g.box.Changes(); resp.StatusCode != 200 || len(c) != 1 || !c[0].Complete || c[0].Script != nil {
		t.Errorf("complete with Url: %s, %+v", resp.Status, c)
	}
	resp, _ = g.do(t, "DELETE", calls+"/"+id+".json", "")
	if resp.StatusCode != 204 || resp.ContentLength > 0 {
		t.Errorf("delete: %s", resp.Status)
	}
}

func TestLists(t *testing.T) {
	g := newGateway(t)
	for range 3 {
		createCall(t, g, "To", "+15550100199", "From", "+15550100100", "Url", "http://pbx.lan/voice")
	}
	type page struct {
		First, Previous, Next, URI string
		Page, Start, End           int
		Calls                      []struct{ Sid string }
	}
	get := func(path string) (p page) {
		t.Helper()
		resp, body := g.do(t, "GET", path, "")
		var raw struct {
			First    string  `json:"first_page_uri"`
			Previous *string `json:"previous_page_uri"`
			Next     *string `json:"next_page_uri"`
		}
		if err := errors.Join(json.Unmarshal([]byte(body), &raw), json.Unmarshal([]byte(body), &p)); err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s: %s %s", path, resp.Status, body)
		}
		p.First = raw.First
		if raw.Previous != nil {
			p.Previous = *raw.Previous
		}
		if raw.Next != nil {
			p.Next = *raw.Next
		}
		return p
	}
	one := get(calls + ".json?PageSize=2&Status=queued")
	if one.Page != 0 || one.Start != 0 || one.End != 1 || len(one.Calls) != 2 || one.Previous != "" || !strings.Contains(one.Next, "Status=queued") {
		t.Fatalf("first page: %+v", one)
	}
	two := get(one.Next)
	if two.Page != 1 || two.Start != 2 || two.End != 2 || len(two.Calls) != 1 || two.Next != "" || two.First != one.First {
		t.Fatalf("second page: %+v", two)
	}
	if back := get(two.Previous); back.Page != 0 || len(back.Calls) != 2 || back.Calls[0] != one.Calls[0] {
		t.Fatalf("back: %+v", back)
	}
	if none := get(calls + ".json?Status=busy"); len(none.Calls) != 0 || none.End != 0 {
		t.Fatalf("none: %+v", none)
	}
	if all := get(calls + ".json?PageSize=5000"); len(all.Calls) != 3 {
		t.Fatalf("a large page: %+v", all)
	}
	for _, query := range []string{
		"Status=ended", "PageSize=0", "PageSize=x", "Page=-1", "Page=1", "Page=1&PageToken=PA", "PageToken=PAzz", "PageToken=x",
		"PageToken=PA7a7a", "StartTime=yesterday", "StartTime%3E=2026-13-01", "EndTime%3C=1", "x=%zz", "To=%ff",
	} {
		resp, body := g.do(t, "GET", calls+".json?"+query, "")
		wantProblem(t, query, resp, body, 400, 20001)
	}
}

func TestFilterTimes(t *testing.T) {
	g := newGateway(t)
	id := createCall(t, g, "To", "+15550100199", "From", "+15550100100", "Url", "http://pbx.lan/voice")
	g.box.Edit(id, func(r *call.Record) { r.Started, r.Ended = &noon, &noon })
	for query, want := range map[string]bool{
		"StartTime=2026-01-02":                                true,
		"StartTime=2026-01-03":                                false,
		"StartTime>=2026-01-02":                               true,
		"StartTime%3E=2026-01-02":                             true,
		"StartTime>=2026-01-03":                               false,
		"StartTime<=2026-01-02":                               true,
		"StartTime<=2026-01-01":                               false,
		"StartTime=2026-01-02T12:00:00Z":                      true,
		"StartTime=2026-01-02T12:00:01Z":                      false,
		"StartTime%3C=2026-01-02T12:00:00Z":                   true,
		"StartTime%3C=2026-01-02T11:59:59Z":                   false,
		"StartTime%3E=2026-01-02T12:00:00.000Z":               true,
		"StartTime%3E=2026-01-02T14:00:00%2B02:00":            true,
		"StartTime%3E=2026-01-02T14:00:01+02:00":              false,
		"StartTime%3E=2026-01-02T12:00:00":                    true,
		"EndTime=2026-01-02":                                  true,
		"EndTime%3E=2026-01-02&EndTime%3C=2026-01-02":         true,
		"EndTime%3E=2026-01-03&EndTime=2026-01-02":            false,
		"EndTime%3C=2026-01-01":                               false,
		"To=(555)%20010-0199":                                 false,
		"To=%2B1%20(555)%20010-0199&StartTime=2026-01-02":     true,
		"From=%2B15550100100&ParentCallSid=CA0&Status=queued": false,
		"From= 15550100100&Status=queued":                     true,
	} {
		resp, body := g.do(t, "GET", calls+".json?"+strings.ReplaceAll(query, " ", "%20"), "")
		if got := strings.Contains(body, id); got != want || resp.StatusCode != 200 {
			t.Errorf("%s: found %t, want %t: %s", query, got, want, body[:min(len(body), 200)])
		}
	}
}
