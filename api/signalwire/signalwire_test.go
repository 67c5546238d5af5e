package signalwire_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"callbox/api"
	"callbox/api/apitest"
	"callbox/api/laml"
	"callbox/api/signalwire"
	"callbox/api/twilio"
	"callbox/call"
)

const (
	account = "AC0123456789abcdef0123456789abcdef"
	project = "b3877c40-da60-4998-90ad-b792e98472af"
	token   = "0123456789abcdef0123456789abcdef"
	appID   = "6b1f2a34-0000-4000-8000-000000000001"
	docs    = "/api/laml/2010-04-01/Accounts/" + project // as documented
	client  = "/2010-04-01/Accounts/" + project          // as the vendor's client asks
	unknown = "00000000-0000-4000-8000-000000000000"
)

// noon is when the boxes of these tests start.
var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func box() *apitest.Box {
	b := apitest.New(noon, api.Account{ID: account, Project: project, Name: "branch", Token: token})
	b.AddApplication(account, api.Application{
		ID: appID, Name: "reception",
		Script: call.ScriptSource{Main: call.Hook{URL: "http://pbx.lan/reception", Method: "GET"}},
	})
	b.SetPrice("+15550100199", 80)
	return b
}

func dialect(b *apitest.Box) *laml.Dialect {
	return signalwire.New(laml.Config{Accounts: b, BaseURL: func() string { return "http://box.lan:8080" }})
}

// serve is the dialect beside the one it shares a path with.
func serve(t *testing.T) *apitest.Server {
	t.Helper()
	b := box()
	s := apitest.Serve(t, b, func(h *api.Handlers) []api.Mount {
		return append(twilio.New(laml.Config{}).Mounts(h), dialect(b).Mounts(h)...)
	})
	s.User, s.Password = project, token
	return s
}

var uuid = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[48][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)

// stable replaces the random ids of a text.
func stable(s string) string {
	return uuid.ReplaceAllStringFunc(s, func(id string) string {
		if id == project || id == appID || strings.HasPrefix(id, "00000000") {
			return id
		}
		return "3fa85f64-5717-4562-b3fc-2c963f66afa6"
	})
}

// good is a create that is accepted, with more parameters.
func good(pairs ...string) string {
	return apitest.FormWith([]string{"To", "+15550100198", "From", "+15550100100", "Url", "http://pbx.lan/voice"}, pairs...)
}

func create(t *testing.T, s *apitest.Server, pairs ...string) (id, body string) {
	t.Helper()
	resp, body := s.Do(t, "POST", docs+"/Calls", good(pairs...))
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("create: %s %s", resp.Status, body)
	}
	var c struct{ Sid string }
	if err := json.Unmarshal([]byte(body), &c); err != nil || !laml.IsUUID(c.Sid) {
		t.Fatalf("sid %q, %v", c.Sid, err)
	}
	return c.Sid, body
}

// wantProblem checks both shapes of an error.
func wantProblem(t *testing.T, what string, resp *http.Response, body string, status, code int) {
	t.Helper()
	var e struct {
		Code, Status int
		Message      string
		MoreInfo     string `json:"more_info"`
		Errors       []struct {
			Code, Message string
			MoreInfo      string `json:"more_info"`
		}
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		t.Errorf("%s: %v in %s", what, err, body)
		return
	}
	if resp.StatusCode != status || e.Status != status || e.Code != code || len(e.Message) < 10 || e.MoreInfo == "" || len(e.Errors) != 1 ||
		e.Errors[0].Code != fmt.Sprint(code) || e.Errors[0].Message != e.Message || e.Errors[0].MoreInfo != e.MoreInfo {
		t.Errorf("%s: got %s %s, want %d with code %d twice", what, resp.Status, body, status, code)
	}
}

func TestCreateEverything(t *testing.T) {
	s := serve(t)
	create(t, s, "To", "sip:alice@biloxi.example;transport=tcp?X-Order=42", "From", "+15550100100", "CallerId", "+15550100123",
		"Method", "GET", "FallbackUrl", "http://pbx.lan/fallback", "FallbackMethod", "GET",
		"StatusCallback", "http://pbx.lan/status", "StatusCallbackMethod", "GET", "StatusCallbackEvent", "initiated,answered completed ringing_queued",
		"SendDigits", "", "Timeout", "25", "Record", "true", "RecordingChannels", "dual", "RecordingTrack", "outbound", "Trim", "do-not-trim",
		"RecordingStatusCallback", "http://pbx.lan/recording", "RecordingStatusCallbackMethod", "GET", "RecordingStatusCallbackEvent", "absent",
		"SipAuthUsername", "alice", "SipAuthPassword", "p w", "MachineDetection", "DetectMessageEnd", "MachineDetectionTimeout", "120",
		"MachineDetectionSpeechThreshold", "2000", "MachineDetectionSpeechEndThreshold", "1000", "MachineDetectionSilenceTimeout", "4000",
		"MachineWordsThreshold", "8", "AsyncAmd", "true", "AsyncAmdPartialResults", "true",
		"AsyncAmdStatusCallback", "http://pbx.lan/amd", "AsyncAmdStatusCallbackMethod", "GET", "MaxPricePerMinute", "0.0075")
	apitest.Golden(t, "create-all.request.json", stable(apitest.Fields(t, s.Box.Requests()[0])))
}

func TestCreateMeaning(t *testing.T) {
	s := serve(t)
	last := func(pairs ...string) call.Request {
		t.Helper()
		create(t, s, pairs...)
		list := s.Box.Requests()
		return list[len(list)-1]
	}
	if r := last("MachineDetection", "Enable"); r.AMD.Words != 0 || r.AMD.Timeout != 30*time.Second || r.AMD.Async || r.AMD.Partial {
		t.Errorf("AMD defaults: %+v", r.AMD)
	}
	if r := last("MachineDetection", "none", "MachineWordsThreshold", "3"); r.AMD != nil {
		t.Errorf("no AMD: %+v", r.AMD)
	}
	if r := last("MachineDetection", "Enable", "AsyncAmdPartialResults", "true"); r.AMD.Partial {
		t.Error("partial results without AsyncAmd")
	}
	if r := last("ApplicationSid", appID, "Url", "http://pbx.lan/ignored"); r.Script.Main.URL != "http://pbx.lan/reception" || r.Account != account {
		t.Errorf("application: %+v", r)
	}
	if r := last("Url", "", "Laml", "<Response/>"); r.Script.Inline != "<Response/>" {
		t.Errorf("Laml: %+v", r.Script)
	}
	if r := last("StatusCallback", "http://pbx.lan/", "StatusCallbackEvent", "ringing_forwarded"); r.Status.Wants(call.EventEnded) {
		t.Error("an event that never happens became the default one")
	}
	for text, want := range map[string]int64{"0": 0, "1": 10000, "0.0075": 75, ".5": 5000, "12.3": 123000} {
		if r := last("MaxPricePerMinute", text); r.MaxPrice == nil || *r.MaxPrice != want {
			t.Errorf("MaxPricePerMinute %s: %v, want %d", text, r.MaxPrice, want)
		}
	}
	if r := last("To", "+15550100199", "MaxPricePerMinute", "0.008"); *r.MaxPrice != 80 {
		t.Errorf("a price at the limit: %v", r.MaxPrice)
	}
}

func TestCreateRefuses(t *testing.T) {
	for _, tc := range []struct {
		code int
		body string
	}{
		{21201, good("To", "")}, {21211, good("To", "nobody!")}, {21213, good("From", "")}, {21212, good("From", "<x>")},
		{21205, good("Url", "")}, {21205, good("Url", "voice.xml")}, {21402, good("FallbackUrl", "x")}, {21402, good("StatusCallback", "x")},
		{21402, good("RecordingStatusCallback", "x")}, {21402, good("AsyncAmdStatusCallback", "x")},
		{21209, good("Method", "PUT")}, {21209, good("StatusCallbackMethod", "x")}, {10000, good("StatusCallbackEvent", "rang")},
		{10000, good("SendDigits", "12x")}, {21208, good("Timeout", "0")}, {21208, good("Timeout", "601")}, {10000, good("Record", "yes")},
		{10000, good("RecordingChannels", "stereo")}, {10000, good("RecordingTrack", "none")}, {10000, good("Trim", "cut")},
		{10000, good("SipAuthUsername", strings.Repeat("x", 256))}, {21234, good("MachineDetection", "yes")},
		{21234, good("MachineDetectionTimeout", "121")}, {21234, good("MachineDetectionTimeout", "0")},
		{21234, good("MachineDetectionSpeechThreshold", "999")}, {21234, good("MachineDetectionSpeechEndThreshold", "5001")},
		{21234, good("MachineDetectionSilenceTimeout", "1999")}, {21234, good("MachineWordsThreshold", "0")},
		{21234, good("MachineWordsThreshold", "101")}, {21234, good("AsyncAmd", "1")}, {21234, good("AsyncAmdPartialResults", "1")},
		{21262, good("MachineDetection", "Enable", "AsyncAmd", "true")}, {21218, good("ApplicationSid", "x")}, {21218, good("ApplicationSid", unknown)},
		{10000, good("MaxPricePerMinute", "0.00751")}, {10000, good("MaxPricePerMinute", "-1")}, {10000, good("MaxPricePerMinute", "1e3")},
		{10000, good("MaxPricePerMinute", ".")}, {10000, good("MaxPricePerMinute", "99999999999999999999")},
		{30010, good("To", "+15550100199", "MaxPricePerMinute", "0.0079")}, {12100, good("Url", "", "Twiml", "<Response>")},
	} {
		s := serve(t)
		resp, body := s.Do(t, "POST", docs+"/Calls", tc.body)
		wantProblem(t, tc.body[:min(len(tc.body), 150)], resp, body, 400, tc.code)
		if n := len(s.Box.Requests()); n != 0 {
			t.Errorf("%s: a call was made", tc.body)
		}
	}
	s := serve(t)
	_, body := s.Do(t, "POST", docs+"/Calls", good("To", "+15550100199", "MaxPricePerMinute", "0.0075"))
	apitest.Golden(t, "price.json", apitest.Indent(body))
}

func TestAnswers(t *testing.T) {
	s := serve(t)
	check := func(name, path string) {
		t.Helper()
		resp, body := s.Do(t, "GET", path, "")
		if resp.StatusCode != 200 {
			t.Errorf("%s: %s %s", path, resp.Status, body)
		}
		apitest.Golden(t, name, stable(apitest.Indent(body)))
	}
	id, body := create(t, s)
	apitest.Golden(t, "created.json", stable(apitest.Indent(body)))
	at := func(sec int) *time.Time { x := noon.Add(time.Duration(sec) * time.Second); return &x }
	s.Box.Edit(id, func(r *call.Record) {
		r.State, r.Started, r.Rang, r.Answered, r.Ended = call.Completed, at(2), at(3), at(5), at(65)
		r.Updated, r.AnsweredBy, r.Parent, r.SIPCallID = *at(65), "machine_start", "00000000-0000-4000-8000-000000000009", "a@b"
		r.CallerName, r.Forwarded = "Alice", "+15550100111"
	})
	check("ended.json", docs+"/Calls/"+id+".json")
	check("list.json", docs+"/Calls?PageSize=1&Status=completed")
	s.Box.AddRecording(call.Recording{
		ID: "00000000-0000-4000-8000-00000000000a", Call: id, Account: account, API: signalwire.Name, Status: "completed",
		Source: "OutboundAPI", Track: call.TrackBoth, Channels: 2, Created: noon, Started: noon, Updated: noon, Duration: 6900 * time.Millisecond,
	}, []byte("RIFF"))
	check("recording.json", docs+"/Recordings/00000000-0000-4000-8000-00000000000a.json")
	check("recordings.json", client+"/Calls/"+id+"/Recordings.json")
	s.Box.Edit(id, func(r *call.Record) {
		r.Warnings = []string{"line 3: <Sing> is not known and was skipped (12200)", "the far end put the call on hold"}
	})
	check("notifications.json", docs+"/Calls/"+id+"/Notifications?PageSize=1")
	check("account.json", client+".json")
	resp, body := s.Do(t, "GET", docs+"/Calls/"+unknown, "")
	wantProblem(t, "unknown call", resp, body, 404, 20404)
	apitest.Golden(t, "notfound.json", apitest.Indent(body))
	resp, body = s.Do(t, "GET", docs+"/Recordings/00000000-0000-4000-8000-00000000000a.wav", "")
	if resp.StatusCode != 200 || body != "RIFF" {
		t.Errorf("sound: %s %q", resp.Status, body)
	}
}

// TestPaths finds the same call below both roots, and the neighbour's below his.
func TestPaths(t *testing.T) {
	s := serve(t)
	id, _ := create(t, s)
	for _, path := range []string{docs, client} {
		for _, suffix := range []string{"", ".json"} {
			resp, body := s.Do(t, "GET", path+"/Calls/"+id+suffix, "")
			if resp.StatusCode != 200 || !strings.Contains(body, `"direction":"outbound"`) {
				t.Errorf("%s%s: %s %s", path, suffix, resp.Status, body)
			}
			resp, body = s.Do(t, "GET", path+"/Calls"+suffix+"?PageSize=5", "")
			if resp.StatusCode != 200 || !strings.Contains(body, id) {
				t.Errorf("%s%s: %s %s", path, suffix, resp.Status, body)
			}
		}
		resp, body := s.Do(t, "POST", path+"/Calls.json", good())
		if resp.StatusCode != 200 || !strings.Contains(body, `"uri":"/api/laml/2010-04-01/`) {
			t.Errorf("%s: %s %s", path, resp.Status, body)
		}
	}
	req, err := http.NewRequest("POST", s.URL+"/2010-04-01/Accounts/"+account+"/Calls.json", strings.NewReader(good()))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(account, token)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if resp, body := s.Send(t, req); resp.StatusCode != 201 || !strings.Contains(body, `"direction":"outbound-api"`) {
		t.Errorf("the other dialect: %s %s", resp.Status, body)
	}
	s.Password = "x"
	resp, body := s.Do(t, "GET", client+"/Calls.json", "")
	wantProblem(t, "a wrong token", resp, body, 401, 20003)
	s.Password = token
	for _, path := range []string{docs + "/Calls.xml", docs + "/Nothing", "/api/laml/2010-04-01/"} {
		if resp, body := s.Do(t, "GET", path, ""); resp.StatusCode != 404 {
			t.Errorf("%s: %s %s", path, resp.Status, body)
		}
	}
}

func TestPaging(t *testing.T) {
	s := serve(t)
	for range 3 {
		create(t, s)
	}
	var page struct {
		Next     *string `json:"next_page_uri"`
		Previous *string `json:"previous_page_uri"`
		Calls    []any
	}
	_, body := s.Do(t, "GET", client+"/Calls.json?PageSize=2", "")
	if err := json.Unmarshal([]byte(body), &page); err != nil || len(page.Calls) != 2 || page.Next == nil || page.Previous != nil {
		t.Fatalf("first page: %s", body)
	}
	_, body = s.Do(t, "GET", *page.Next, "")
	if err := json.Unmarshal([]byte(body), &page); err != nil || len(page.Calls) != 1 || page.Next != nil || page.Previous == nil {
		t.Fatalf("second page: %s", body)
	}
	resp, body := s.Do(t, "GET", docs+"/Calls?Page=1", "")
	wantProblem(t, "a page without its token", resp, body, 400, 54453)
	resp, body = s.Do(t, "GET", docs+"/Calls?Page=1&PageToken=x", "")
	wantProblem(t, "a token that is none", resp, body, 400, 54454)
}

func TestChange(t *testing.T) {
	s := serve(t)
	id, _ := create(t, s)
	for body, code := range map[string]int{
		"Status=done": 10000, "Url=x": 21205, "FallbackUrl=x": 21402, "Method=PUT": 21209, "": 10000, "Twiml=<Response/>": 10000,
	} {
		resp, answer := s.Do(t, "POST", docs+"/Calls/"+id, body)
		wantProblem(t, body, resp, answer, 400, code)
	}
	resp, body := s.Do(t, "POST", client+"/Calls/"+id+".json", "Url=http://pbx.lan/next&Method=GET")
	if c := s.Box.Changes(); resp.StatusCode != 200 || len(c) != 1 || c[0].Script.Main != (call.Hook{URL: "http://pbx.lan/next", Method: "GET"}) {
		t.Errorf("redirect: %s %s", resp.Status, body)
	}
	resp, body = s.Do(t, "POST", client+"/Calls/"+id+".json", "Status=completed")
	if resp.StatusCode != 200 || !strings.Contains(body, `"status":"canceled"`) {
		t.Errorf("end: %s %s", resp.Status, body)
	}
	resp, body = s.Do(t, "POST", client+"/Calls/"+id+".json", "Status=completed")
	wantProblem(t, "a call that has ended", resp, body, 400, 21220)
	if resp, _ := s.Do(t, "DELETE", docs+"/Calls/"+id, ""); resp.StatusCode != 204 {
		t.Errorf("delete: %s", resp.Status)
	}
}

// TestSettings keeps applications and numbers under ids of this API.
func TestSettings(t *testing.T) {
	s := serve(t)
	resp, body := s.Do(t, "POST", docs+"/Applications", "FriendlyName=sales&VoiceUrl=http://pbx.lan/sales")
	id := uuid.FindString(strings.ReplaceAll(body, project, ""))
	if resp.StatusCode != 200 || id == "" || !strings.Contains(body, `"account_sid":"`+project+`"`) {
		t.Fatalf("application: %s %s", resp.Status, body)
	}
	apitest.Golden(t, "application.json", stable(apitest.Indent(body)))
	if a, ok := s.Box.Application(account, id); !ok || a.API != signalwire.Name {
		t.Errorf("kept: %+v", a)
	}
	resp, body = s.Do(t, "POST", client+"/IncomingPhoneNumbers.json", "PhoneNumber=%2B15550100101&VoiceApplicationSid="+id)
	if resp.StatusCode != 200 || !strings.Contains(body, `"voice_application_sid":"`+id+`"`) {
		t.Errorf("number: %s %s", resp.Status, body)
	}
	create(t, s, "ApplicationSid", id, "Url", "")
	if r := s.Box.Requests(); r[len(r)-1].Script.Main.URL != "http://pbx.lan/sales" {
		t.Errorf("a call that runs it: %+v", r)
	}
	resp, body = s.Do(t, "POST", docs+"/Applications/"+id, "VoiceUrl=x")
	wantProblem(t, "a bad address", resp, body, 400, 21402)
	if resp, _ = s.Do(t, "DELETE", docs+"/Applications/"+id+".json", ""); resp.StatusCode != 204 {
		t.Errorf("delete: %s", resp.Status)
	}
	resp, body = s.Do(t, "GET", docs+"/Addresses", "")
	wantProblem(t, "a resource that is not there", resp, body, 404, 20404)
	if resp, body = s.Do(t, "GET", docs+"/Keys", ""); resp.StatusCode != 404 {
		t.Errorf("keys: %s %s", resp.Status, body)
	}
}

// TestCreatePairs holds, for every parameter of Create Call, what is made of it.
func TestCreatePairs(t *testing.T) {
	s := serve(t)
	s.Create(t, docs+"/Calls", good(), call.Request{}, stable)
	plain := s.Box.Requests()[0]
	seen := apitest.Pairs(t, "create.pairs", func(t *testing.T, in []string) []string {
		return s.Create(t, docs+"/Calls", good(in...), plain, stable)
	})
	for _, p := range signalwire.CreateParams {
		if !seen[p.Name] {
			t.Errorf("%s has no pair", p.Name)
		}
	}
}
