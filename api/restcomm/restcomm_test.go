package restcomm_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"callbox/api"
	"callbox/api/apitest"
	"callbox/api/laml"
	"callbox/api/restcomm"
	"callbox/call"
)

const (
	account = "AC0123456789abcdef0123456789abcdef"
	token   = "0123456789abcdef0123456789abcdef"
	base    = "/call/2012-04-24/Accounts/" + account
	other   = "/restcomm/2012-04-24/Accounts/" + account
	none    = "CA00000000000000000000000000000000"
)

// noon is when the boxes of these tests start.
var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func at(s int) *time.Time { x := noon.Add(time.Duration(s) * time.Second); return &x }

func dialect() *laml.Dialect {
	return restcomm.New(laml.Config{BaseURL: func() string { return "http://box.lan:8080" }})
}

func serve(t *testing.T) *apitest.Server {
	t.Helper()
	s := apitest.Serve(t, apitest.New(noon, api.Account{ID: account, Name: "branch", Token: token}), dialect().Mounts)
	s.User, s.Password = account, token
	return s
}

var (
	randomCall         = regexp.MustCompile(`CA[0-9a-f]{32}`)
	randomNotification = regexp.MustCompile(`NO[0-9a-f]{32}`) // follows from the call's
)

// stable replaces the random ids of a text.
func stable(s string) string {
	s = randomNotification.ReplaceAllString(s, "NO00112233445566778899aabbccddeeff")
	return randomCall.ReplaceAllString(s, "CA00112233445566778899aabbccddeeff")
}

// good is a call that is accepted, with more parameters.
func good(pairs ...string) string {
	return apitest.FormWith([]string{"From", "+15550100100", "To", "+15550100199", "Url", "http://pbx.lan/rcml"}, pairs...)
}

func create(t *testing.T, s *apitest.Server, pairs ...string) (id, body string) {
	t.Helper()
	resp, body := s.Do(t, "POST", base+"/Calls.json", good(pairs...))
	if resp.StatusCode != 200 {
		t.Fatalf("create: %s %s", resp.Status, body)
	}
	return randomCall.FindString(body), body
}

func TestCreateEverything(t *testing.T) {
	s := serve(t)
	create(t, s, "From", "+1 (555) 010-0100", "To", "+15550100199?X-A=1&X-B=2", "Method", "GET", "FallbackUrl", "http://pbx.lan/fallback",
		"FallbackMethod", "GET", "StatusCallback", "http://pbx.lan/status?tenant=7", "StatusCallbackMethod", "GET",
		"StatusCallbackEvent", "initiated,ringing,completed", "Timeout", "25", "DetectVoicemail", "true", "Username", "alice", "Password", "p w")
	apitest.Golden(t, "create-all.request.json", stable(apitest.Fields(t, s.Box.Requests()[0])))
}

// TestEvents takes the events however they are separated.
func TestEvents(t *testing.T) {
	for _, query := range []string{
		"StatusCallbackEvent=ringing%2Canswered", "StatusCallbackEvent=ringing+answered", "StatusCallbackEvent=ringing%2C+answered",
		"StatusCallbackEvent=ringing&StatusCallbackEvent=answered",
	} {
		s := serve(t)
		if resp, body := s.Do(t, "POST", base+"/Calls.json", good("StatusCallback", "http://pbx.lan/")+"&"+query); resp.StatusCode != 200 {
			t.Errorf("%s: %s %s", query, resp.Status, body)
			continue
		}
		st := s.Box.Requests()[0].Status
		if !st.Wants(call.EventRinging) || !st.Wants(call.EventAnswered) || st.Wants(call.EventEnded) {
			t.Errorf("%s: %+v", query, st)
		}
	}
	s := serve(t)
	create(t, s, "StatusCallback", "http://pbx.lan/")
	if st := s.Box.Requests()[0].Status; st.Wants(call.EventAnswered) || !st.Wants(call.EventEnded) {
		t.Errorf("without events: %+v", st)
	}
}

func TestCreateRefuses(t *testing.T) {
	for _, tc := range []struct{ body, want string }{
		{good("From", ""), "From is missing"}, {good("To", ""), "To is missing"}, {good("Url", ""), "Url is missing"},
		{good("From", "<x>"), "From"}, {good("To", "nobody!"), "To"}, {good("To", "+1?X-A=1"), "To"}, {good("To", "201?Via=1"), "Via"},
		{good("Url", "rcml.xml"), "Url"}, {good("Method", "PUT"), "Method"}, {good("FallbackUrl", "x"), "FallbackUrl"},
		{good("StatusCallback", "x"), "StatusCallback"}, {good("StatusCallbackEvent", "rang"), "rang"}, {good("Timeout", "0"), "Timeout"},
		{good("Timeout", "x"), "Timeout"}, {good("DetectVoicemail", "1"), "DetectVoicemail"}, {good("Username", "alice"), "without its password"},
		{good("Username", strings.Repeat("x", 256)), "Username"}, {"%zz", "well encoded"},
	} {
		for _, suffix := range []string{"", ".json", ".xml"} {
			s := serve(t)
			resp, body := s.Do(t, "POST", base+"/Calls"+suffix, tc.body)
			if resp.StatusCode != 400 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") || !strings.Contains(body, tc.want) {
				t.Errorf("%s: %s %q, want 400 with %q", tc.body, resp.Status, body, tc.want)
			}
			if n := len(s.Box.Requests()); n != 0 {
				t.Errorf("%s: a call was made", tc.body)
			}
		}
	}
}

// TestFormats asks for the same call in every way.
func TestFormats(t *testing.T) {
	s := serve(t)
	id, _ := create(t, s)
	for _, tc := range []struct {
		path, accept string
		json         bool
	}{
		{base + "/Calls/" + id + ".json", "", true}, {base + "/Calls.json/" + id, "", true}, {other + "/Calls/" + id + ".json", "text/xml", true},
		{base + "/Calls/" + id, "application/json", true}, {base + "/Calls/" + id, "", false}, {other + "/Calls/" + id + ".xml", "application/json", false},
		{base + "/Calls/" + id, "application/xml, application/json", false}, {base + "/Calls/" + id, "application/json, application/xml", true},
		{other + "/Calls", "", false}, {base + "/Calls.json", "", true}, {base + ".json", "", true}, {base, "", false},
		{base + "/Calls/" + id + "/Recordings", "", false}, {base + "/Calls/" + id + "/Recordings.json", "", true},
	} {
		resp, body := s.Do(t, "GET", tc.path, "", "Accept", tc.accept)
		kind := resp.Header.Get("Content-Type")
		if resp.StatusCode != 200 || json.Valid([]byte(body)) != tc.json || (kind == "application/json") != tc.json {
			t.Errorf("%s, Accept %q: %s %s %s", tc.path, tc.accept, resp.Status, kind, body)
		}
		if !tc.json {
			if err := wellFormed(body); err != nil || kind != "application/xml" {
				t.Errorf("%s: %v in %s %s", tc.path, err, kind, body)
			}
		}
	}
}

// wellFormed reads XML to its end.
func wellFormed(s string) error {
	dec := xml.NewDecoder(strings.NewReader(s))
	for {
		if _, err := dec.Token(); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
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
	check("created.xml", base+"/Calls/"+id)
	s.Box.Edit(id, func(r *call.Record) {
		r.State, r.Started, r.Rang, r.Answered, r.Ended = call.Completed, at(2), at(3), at(5), at(65)
		r.Updated, r.AnsweredBy, r.Parent = *at(65), "human", "CA00112233445566778899aabbccddeeff"
		r.CallerName, r.Forwarded = "Alice & Bob", "+15550100111"
	})
	check("ended.json", base+"/Calls.json/"+id)
	check("ended.xml", base+"/Calls/"+id+".xml")
	check("list.json", base+"/Calls.json?PageSize=5&Status=completed")
	check("list.xml", base+"/Calls?PageSize=5&Status=completed")
	s.Box.AddRecording(call.Recording{
		ID: "RE00112233445566778899aabbccddeeff", Call: id, Account: account, API: restcomm.Name, Status: "completed", Source: "RecordVerb",
		Track: call.TrackInbound, Channels: 1, Created: noon, Started: noon, Updated: noon, Duration: 6904 * time.Millisecond,
	}, []byte("RIFF"))
	check("recording.json", base+"/Recordings/RE00112233445566778899aabbccddeeff.json")
	check("recording.xml", base+"/Recordings/RE00112233445566778899aabbccddeeff")
	check("recordings-of-call.json", base+"/Calls/"+id+"/Recordings.json")
	check("recordings-of-call.xml", base+"/Calls/"+id+"/Recordings")
	check("recordings.json", base+"/Recordings.json")
	s.Box.Edit(id, func(r *call.Record) {
		r.Warnings = []string{"line 3: <Sing> is not known and was skipped (12200)", "the far end put the call on hold"}
	})
	check("notifications.json", base+"/Calls/"+id+"/Notifications.json?PageSize=1")
	check("notifications.xml", base+"/Calls/"+id+"/Notifications?PageSize=1")
	check("account.json", base+".json")
}

// TestOpenSound fetches sound without credentials, as the clients do, but
// nothing else, and nothing of another dialect.
func TestOpenSound(t *testing.T) {
	s := serve(t)
	id, _ := create(t, s)
	for i, apiName := range []string{restcomm.Name, "twilio"} {
		s.Box.AddRecording(call.Recording{ID: fmt.Sprintf("RE%032d", i), Call: id, Account: account, API: apiName, Status: "completed"}, []byte("RIFF"))
	}
	s.User = ""
	for path, want := range map[string]int{
		"/Recordings/RE" + fmt.Sprintf("%032d", 0) + ".wav":                    200,
		"/Calls/" + id + "/Recordings/RE" + fmt.Sprintf("%032d", 0) + ".wav":   200,
		"/Recordings/RE" + fmt.Sprintf("%032d", 1) + ".wav":                    401,
		"/Recordings/RE" + fmt.Sprintf("%032d", 2) + ".wav":                    401,
		"/Recordings/RE" + fmt.Sprintf("%032d", 0) + ".json":                   401,
		"/Calls/" + none + "/Recordings/RE" + fmt.Sprintf("%032d", 0) + ".wav": 404,
		"/Calls.json": 401,
	} {
		resp, body := s.Do(t, "GET", base+path, "")
		if resp.StatusCode != want || want == 200 && body != "RIFF" {
			t.Errorf("%s: %s %q, want %d", path, resp.Status, body, want)
		}
		if want == 401 && resp.Header.Get("WWW-Authenticate") != `Basic realm="Restcomm realm"` {
			t.Errorf("%s: %v", path, resp.Header)
		}
	}
	if resp, _ := s.Do(t, "DELETE", base+"/Recordings/RE"+fmt.Sprintf("%032d", 0)+".wav", ""); resp.StatusCode != 401 {
		t.Errorf("delete without credentials: %s", resp.Status)
	}
}

func TestPages(t *testing.T) {
	s := serve(t)
	var ids []string
	for range 5 {
		id, _ := create(t, s)
		ids = append(ids, id)
	}
	type page struct {
		Page, Total int
		NumPages    int `json:"num_pages"`
		Start, End  string
		First       string `json:"first_page_uri"`
		Previous    string `json:"previous_page_uri"`
		Next        string `json:"next_page_uri"`
		Last        string `json:"last_page_uri"`
		Calls       []struct{ Sid string }
	}
	get := func(path string) (p page) {
		t.Helper()
		resp, body := s.Do(t, "GET", path, "")
		if err := json.Unmarshal([]byte(body), &p); err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s: %s %s", path, resp.Status, body)
		}
		return p
	}
	one := get(base + "/Calls.json?PageSize=2&From=%2B15550100100")
	if one.Total != 5 || one.NumPages != 3 || one.Start != "0" || one.End != "1" || one.Previous != "null" || len(one.Calls) != 2 || one.Calls[0].Sid != ids[4] {
		t.Fatalf("first page: %+v", one)
	}
	two := get(one.Next)
	if two.Page != 1 || two.Start != "2" || two.End != "3" || len(two.Calls) != 2 || two.Calls[0].Sid != ids[2] || !strings.Contains(two.Next, "From=%2B15550100100") {
		t.Fatalf("second page: %+v", two)
	}
	last := get(two.Last)
	if last.Page != 2 || last.Start != "4" || last.End != "4" || len(last.Calls) != 1 || last.Next != "null" || get(last.Previous).Page != 1 {
		t.Fatalf("last page: %+v", last)
	}
	if empty := get(base + "/Calls.json?Status=busy"); empty.Total != 0 || empty.NumPages != 1 || empty.End != "0" || empty.Calls == nil {
		t.Fatalf("no calls: %+v", empty)
	}
	if none := get(base + "/Calls.json?ConferenceSid=CF404"); none.Total != 0 {
		t.Fatalf("calls of no conference: %+v", none)
	}
	s.Box.Meetings.Live = []call.Conference{{ID: "CF1", API: "restcomm", Account: account, Calls: ids[1:3]}}
	if some := get(base + "/Calls.json?ConferenceSid=CF1"); some.Total != 2 || some.Calls[0].Sid != ids[2] || some.Calls[1].Sid != ids[1] {
		t.Fatalf("calls of a conference: %+v", some)
	}
	for order, want := range map[string][]string{"DateCreated:asc": ids, "DateCreated": ids, "DateCreated:desc": {ids[4], ids[3]}, "To:desc": nil, "Duration:asc": nil, "Price": nil} {
		p := get(base + "/Calls.json?PageSize=2&SortBy=" + order)
		if p.Total != 5 || len(p.Calls) != 2 || !strings.Contains(p.Next, "SortBy=") || want != nil && (p.Calls[0].Sid != want[0] || p.Calls[1].Sid != want[1]) {
			t.Errorf("by %s: %+v", order, p)
		}
	}
	for _, query := range []string{"SortBy=Weight", "SortBy=From:up", "Page=3&PageSize=2", "Page=-1", "PageSize=0", "Status=x", "StartTime=x"} {
		if resp, body := s.Do(t, "GET", base+"/Calls.json?"+query, ""); resp.StatusCode != 400 || !strings.HasSuffix(body, "\n") {
			t.Errorf("%s: %s %s", query, resp.Status, body)
		}
	}
}

func TestChange(t *testing.T) {
	s := serve(t)
	id, _ := create(t, s)
	for _, tc := range []struct {
		body   string
		status int
		want   string
	}{
		{"", 409, "nothing to change"}, {"MoveConnectedCallLeg=true", 409, "nothing to change"},
		{"Status=x", 400, "Status"}, {"Url=x", 400, "Url"}, {"Mute=x", 400, "Mute"},
	} {
		resp, body := s.Do(t, "POST", base+"/Calls/"+id+".json", tc.body)
		if resp.StatusCode != tc.status || !strings.Contains(body, tc.want) {
			t.Errorf("%q: %s %s", tc.body, resp.Status, body)
		}
	}
	if n := len(s.Box.Changes()); n != 0 {
		t.Fatalf("%d changes were made", n)
	}
	resp, body := s.Do(t, "POST", base+"/Calls.json/"+id, "Url=http://pbx.lan/next&Method=GET&MoveConnectedCallLeg=true")
	next := call.Hook{URL: "http://pbx.lan/next", Method: "GET"}
	if c := s.Box.Changes(); resp.StatusCode != 200 || len(c) != 1 || c[0].Script.Main != next || c[0].Child == nil || c[0].Child.Main != next || !c[0].AnyChild {
		t.Errorf("redirect: %s %s", resp.Status, body)
	}
	for n, mute := range []bool{true, false} {
		resp, body := s.Do(t, "POST", base+"/Calls/"+id+".json", fmt.Sprintf("Mute=%t", mute))
		if c := s.Box.Changes(); resp.StatusCode != 200 || len(c) != n+2 || c[n+1].Muted == nil || *c[n+1].Muted != mute || c[n+1].Script != nil {
			t.Errorf("mute %t: %s %s", mute, resp.Status, body)
		}
	}
	s.Box.Edit(id, func(r *call.Record) { r.State = call.InProgress })
	if resp, body = s.Do(t, "POST", base+"/Calls/"+id, "Status=canceled"); resp.StatusCode != 409 {
		t.Errorf("cancel an answered call: %s %s", resp.Status, body)
	}
	if resp, body = s.Do(t, "POST", base+"/Calls/"+id+".json", "Status=completed"); resp.StatusCode != 200 || !strings.Contains(body, `"status":"completed"`) {
		t.Errorf("end: %s %s", resp.Status, body)
	}
	if resp, body = s.Do(t, "POST", base+"/Calls/"+id+".json", "Status=completed"); resp.StatusCode != 410 || !strings.Contains(body, "ended") {
		t.Errorf("end again: %s %s", resp.Status, body)
	}
	if resp, body = s.Do(t, "POST", base+"/Calls/"+none+".json", "Status=completed"); resp.StatusCode != 406 || body == "" {
		t.Errorf("an unknown call: %s %s", resp.Status, body)
	}
	if resp, body = s.Do(t, "GET", base+"/Calls/"+none+".json", ""); resp.StatusCode != 404 || body != "" {
		t.Errorf("fetch an unknown call: %s %s", resp.Status, body)
	}
	if resp, _ = s.Do(t, "DELETE", base+"/Calls/"+id+".json", ""); resp.StatusCode != 405 {
		t.Errorf("delete: %s", resp.Status)
	}
}

func TestTrouble(t *testing.T) {
	s := serve(t)
	for _, tc := range []struct {
		err    error
		path   string
		status int
		want   string
	}{
		{errors.New("disk full"), "/Calls.json", 500, `{"message":"`},
		{errors.New("disk full"), "/Calls", 500, "<RestcommResponse><Message>"},
		{call.ErrLimit, "/Calls.json", 429, `{"message":"`},
		{call.ErrStopping, "/Calls.xml", 503, "<Message>"},
		{call.Cause{Q850: call.Q850InvalidNumber, Text: "the number is too short"}, "/Calls.json", 400, "the number is too short\n"},
	} {
		s.Box.FailNext(tc.err)
		resp, body := s.Do(t, "POST", base+tc.path, good())
		if resp.StatusCode != tc.status || !strings.Contains(body, tc.want) {
			t.Errorf("%v: %s %s", tc.err, resp.Status, body)
		}
	}
	s.Password = "x"
	if resp, body := s.Do(t, "GET", base+"/Calls.json", ""); resp.StatusCode != http.StatusUnauthorized || strings.Contains(body, "{") {
		t.Errorf("a wrong token: %s %s", resp.Status, body)
	}
}

func TestApplications(t *testing.T) {
	s := serve(t)
	if resp, body := s.Do(t, "POST", base+"/Applications.json", "RcmlUrl=http://pbx.lan/rcml"); resp.StatusCode != 400 || !strings.Contains(body, "FriendlyName is missing") {
		t.Errorf("without a name: %s %s", resp.Status, body)
	}
	if resp, body := s.Do(t, "POST", base+"/Applications.json", "FriendlyName=x&Kind=sms"); resp.StatusCode != 400 || !strings.Contains(body, "Kind") {
		t.Errorf("of another kind: %s %s", resp.Status, body)
	}
	resp, body := s.Do(t, "POST", base+"/Applications.json", "FriendlyName=sales&RcmlUrl=http://pbx.lan/rcml&Kind=voice")
	id := regexp.MustCompile(`AP[0-9a-f]{32}`).FindString(body)
	if resp.StatusCode != 200 || id == "" {
		t.Fatalf("create: %s %s", resp.Status, body)
	}
	apitest.Golden(t, "application.json", strings.ReplaceAll(apitest.Indent(body), id, "AP00112233445566778899aabbccddeeff"))
	if a, ok := s.Box.Application(account, id); !ok || a.Script.Main != (call.Hook{URL: "http://pbx.lan/rcml", Method: "POST"}) || a.API != restcomm.Name {
		t.Errorf("kept: %+v", a)
	}
	if resp, body = s.Do(t, "POST", base+"/Applications/"+id, "FriendlyName=service"); resp.StatusCode != 200 || !strings.Contains(body, "<FriendlyName>service</FriendlyName>") {
		t.Errorf("change: %s %s", resp.Status, body)
	}
	if resp, body = s.Do(t, "GET", base+"/Applications.json", ""); resp.StatusCode != 200 || !strings.Contains(body, `"total":1`) || !strings.Contains(body, id) {
		t.Errorf("list: %s %s", resp.Status, body)
	}
	if resp, _ = s.Do(t, "DELETE", base+"/Applications/"+id, ""); resp.StatusCode != 204 {
		t.Errorf("delete: %s", resp.Status)
	}
	if resp, body = s.Do(t, "GET", base+"/Applications/"+id, ""); resp.StatusCode != 404 || body != "" {
		t.Errorf("fetch what is gone: %s %s", resp.Status, body)
	}
	if resp, _ = s.Do(t, "GET", base+"/Queues.json", ""); resp.StatusCode != 404 {
		t.Errorf("queues: %s", resp.Status)
	}
}

var randomSid = regexp.MustCompile(`(AP|PN|CL|SM)[0-9a-f]{32}`)

// steady replaces the ids of what was set up.
func steady(s string) string {
	return randomSid.ReplaceAllStringFunc(apitest.Indent(s), func(id string) string { return id[:2] + "00112233445566778899aabbccddeeff" })
}

// TestNumbersAndClients sets up a number and a SIP phone.
func TestNumbersAndClients(t *testing.T) {
	s := serve(t)
	resp, body := s.Do(t, "POST", base+"/IncomingPhoneNumbers.json", "PhoneNumber=%2B15550100101&VoiceUrl=http://pbx.lan/rcml&FriendlyName=front")
	if resp.StatusCode != 200 {
		t.Fatalf("number: %s %s", resp.Status, body)
	}
	apitest.Golden(t, "number.json", steady(body))
	if n := s.Box.Numbers().List(account); len(n) != 1 || n[0].Number != "+15550100101" || n[0].API != restcomm.Name {
		t.Errorf("kept: %+v", n)
	}
	for _, form := range []string{"Login=bob", "Login=bob&Password=short", "Password=IWasAtSignal2018", "Login=bob&Password=IWasAtSignal2018&VoiceApplicationSid=APffffffffffffffffffffffffffffffff"} {
		if resp, body := s.Do(t, "POST", base+"/Clients.json", form); resp.StatusCode != 400 || body == "" {
			t.Errorf("%s: %s %s", form, resp.Status, body)
		}
	}
	resp, body = s.Do(t, "POST", base+"/Clients.json", "Login=bob&Password=IWasAtSignal2018&FriendlyName=Bob")
	id := regexp.MustCompile(`CL[0-9a-f]{32}`).FindString(body)
	if resp.StatusCode != 200 || strings.Contains(body, "IWasAtSignal") {
		t.Fatalf("client: %s %s", resp.Status, body)
	}
	apitest.Golden(t, "client.json", steady(body))
	_, body = s.Do(t, "GET", base+"/Clients", "")
	apitest.Golden(t, "clients.xml", steady(body))
	if u := s.Box.Users().List(account); len(u) != 1 || u[0].Name != "bob" || u[0].Password != "IWasAtSignal2018" || u[0].List != "" {
		t.Errorf("kept: %+v", u)
	}
	if resp, _ = s.Do(t, "POST", base+"/Clients/"+id, "Password=AnotherSignal2019"); resp.StatusCode != 200 || s.Box.Users().List(account)[0].Password != "AnotherSignal2019" {
		t.Errorf("change: %s", resp.Status)
	}
	if resp, _ = s.Do(t, "DELETE", base+"/Clients/"+id+".json", ""); resp.StatusCode != 204 || len(s.Box.Users().List(account)) != 0 {
		t.Errorf("delete: %s", resp.Status)
	}
}

// TestMessages: a text message is checked, and refused by a box without a line
// for it.
func TestMessages(t *testing.T) {
	s := serve(t)
	if resp, body := s.Do(t, "POST", base+"/SMS/Messages.json", "To=%2B15550100199&From=%2B15550100100&Body=hi"); resp.StatusCode != 400 || !strings.Contains(body, "no line of this box sends text messages") {
		t.Errorf("%s %s", resp.Status, body)
	}
	if resp, body := s.Do(t, "GET", base+"/SMS/Messages.json", ""); resp.StatusCode != 200 || !strings.Contains(body, `"messages":[]`) {
		t.Errorf("list: %s %s", resp.Status, body)
	}
	b := apitest.New(noon, api.Account{ID: account, Name: "branch", Token: token})
	b.TakeMessages()
	s = apitest.Serve(t, b, dialect().Mounts)
	s.User, s.Password = account, token
	resp, body := s.Do(t, "POST", base+"/SMS/Messages", "To=%2B15550100199&From=%2B15550100100&Body=hi")
	if resp.StatusCode != 200 {
		t.Fatalf("%s %s", resp.Status, body)
	}
	apitest.Golden(t, "message.xml", steady(body))
	_, body = s.Do(t, "GET", base+"/SMS/Messages.json", "")
	apitest.Golden(t, "messages.json", steady(body))
}

// TestCreatePairs holds, for every parameter of Create Call, what is made of it.
func TestCreatePairs(t *testing.T) {
	s := serve(t)
	s.Create(t, base+"/Calls.json", good(), call.Request{}, stable)
	plain := s.Box.Requests()[0]
	seen := apitest.Pairs(t, "create.pairs", func(t *testing.T, in []string) []string {
		return s.Create(t, base+"/Calls.json", good(in...), plain, stable)
	})
	for _, p := range restcomm.CreateParams {
		if !seen[p.Name] {
			t.Errorf("%s has no pair", p.Name)
		}
	}
}
