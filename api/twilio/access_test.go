package twilio_test

import (
	"net/http"
	"strings"
	"testing"

	"callbox/call"
)

func TestUnauthorized(t *testing.T) {
	for _, tc := range []struct{ name, path, user, password string }{
		{"nobody", calls + ".json", "", ""},
		{"wrong token", calls + ".json", account, "x"},
		{"empty token", calls + ".json", account, ""},
		{"key's secret as token", calls + ".json", account, secret},
		{"wrong secret", calls + ".json", keyID, token},
		{"unknown key", calls + ".json", "SK00000000000000000000000000000000", secret},
		{"another account's path", strings.Replace(calls, account, other, 1) + ".json", account, token},
		{"unknown account", strings.Replace(calls, account, "ACeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee", 1) + ".json", account, token},
		{"unknown path", "/2010-04-01/Accounts/" + account + "/Nothing.json", account, "x"},
	} {
		g := newGateway(t)
		req, err := http.NewRequest("GET", g.URL+tc.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if tc.user != "" {
			req.SetBasicAuth(tc.user, tc.password)
		}
		resp, body := g.send(t, req)
		wantProblem(t, tc.name, resp, body, 401, 20003)
		if got := resp.Header.Get("WWW-Authenticate"); got != `Basic realm="Twilio API"` {
			t.Errorf("%s: WWW-Authenticate is %q", tc.name, got)
		}
		if strings.Contains(body, account) {
			t.Errorf("%s: the answer names the account: %s", tc.name, body)
		}
	}
}

func TestAPIKey(t *testing.T) {
	g := newGateway(t)
	req, err := http.NewRequest("GET", g.URL+calls+".json", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(keyID, secret)
	if resp, body := g.send(t, req); resp.StatusCode != 200 {
		t.Errorf("%s %s", resp.Status, body)
	}
}

func TestTooManyFailures(t *testing.T) {
	g := newGateway(t)
	req, err := http.NewRequest("GET", g.URL+calls+".json", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(account, "guess")
	for range 10 {
		resp, body := g.send(t, req)
		wantProblem(t, "a guess", resp, body, 401, 20003)
	}
	resp, body := g.do(t, "GET", calls+".json", "") // not even with the right token
	wantProblem(t, "after too many guesses", resp, body, 429, 20429)
	if after := resp.Header.Get("Retry-After"); after == "" || after == "0" {
		t.Errorf("Retry-After is %q", after)
	}
}

func TestPathsAndMethods(t *testing.T) {
	g := newGateway(t)
	base := "/2010-04-01/Accounts/" + account
	for _, path := range []string{
		"/Nothing.json", "/Calls.csv", "/Calls/a/b.json", "/Calls/.json", "/Calls//Recordings.json", "/Recordings/RE1.mp3",
		"/Recordings/RE1/x.json", "/Calls/" + strings.Repeat("x", 100) + ".json", "/.json/x", "/Calls/x/Events.json",
	} {
		req, err := http.NewRequest("GET", g.URL+base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(account, token)
		resp, err := g.Client().Transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 404 && resp.StatusCode != 307 && resp.StatusCode != 301 { // net/http cleans double slashes by redirect
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	resp, body := g.do(t, "GET", "/2010-04-01/", "")
	wantProblem(t, "no account", resp, body, 404, 20404)
	for _, tc := range []struct{ method, path, allow string }{
		{"PUT", "/Calls.json", "GET, POST"},
		{"DELETE", "/Calls.json", "GET, POST"},
		{"PATCH", "/Calls/CA1.json", "DELETE, GET, POST"},
		{"POST", "/Recordings.json", "GET"},
		{"POST", "/Recordings/RE1.json", "DELETE, GET"},
		{"PUT", ".json", "GET"},
	} {
		resp, body := g.do(t, tc.method, base+tc.path, "")
		wantProblem(t, tc.method+" "+tc.path, resp, body, 405, 20004)
		if resp.Header.Get("Allow") != tc.allow {
			t.Errorf("%s %s: Allow is %q, want %q", tc.method, tc.path, resp.Header.Get("Allow"), tc.allow)
		}
	}
}

func TestBodies(t *testing.T) {
	g := newGateway(t)
	resp, body := g.do(t, "POST", calls+".json", good("CallToken", strings.Repeat("x", 70_000)))
	wantProblem(t, "oversize", resp, body, 413, 20001)
	resp, body = g.do(t, "POST", calls+".json", `{"To":"+15550100199"}`, "Content-Type", "application/json")
	wantProblem(t, "JSON", resp, body, 415, 20001)
	resp, body = g.do(t, "POST", calls+".json", good(), "Content-Type", "nonsense;;")
	wantProblem(t, "no media type", resp, body, 415, 20001)
	resp, body = g.do(t, "POST", calls+".json", "")
	wantProblem(t, "empty", resp, body, 400, 21201)
	resp, body = g.do(t, "POST", calls+".json", good(), "Sec-Fetch-Site", "cross-site")
	wantProblem(t, "from a page of another site", resp, body, 403, 20403)
	if n := len(g.box.Requests()); n != 0 {
		t.Errorf("%d calls were made", n)
	}
}

func TestSound(t *testing.T) {
	g := newGateway(t)
	id := createCall(t, g, "To", "+15550100199", "From", "+15550100100", "Url", "http://pbx.lan/voice")
	const re = "RE00112233445566778899aabbccddeeff"
	g.box.AddRecording(recording(re, id), []byte("RIFF0123WAVE"))
	live := recording("RE00000000000000000000000000000001", id)
	live.Status = "in-progress"
	g.box.AddRecording(live, nil)
	foreign := recording("RE00000000000000000000000000000002", id)
	foreign.Account = other
	g.box.AddRecording(foreign, []byte("secret"))
	base := "/2010-04-01/Accounts/" + account
	for _, path := range []string{
		base + "/Recordings/" + re + ".wav", base + "/Recordings/" + re, calls + "/" + id + "/Recordings/" + re + ".wav",
		base + "/Recordings/" + re + ".wav?RequestedChannels=1",
	} {
		resp, body := g.do(t, "GET", path, "")
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "audio/x-wav" || body != "RIFF0123WAVE" {
			t.Errorf("%s: %s %s %q", path, resp.Status, resp.Header.Get("Content-Type"), body)
		}
	}
	resp, body := g.do(t, "GET", base+"/Recordings/"+re+".wav", "", "Range", "bytes=4-7")
	if resp.StatusCode != 206 || body != "0123" {
		t.Errorf("a part: %s %q", resp.Status, body)
	}
	resp, body = g.do(t, "HEAD", base+"/Recordings/"+re+".wav", "")
	if resp.StatusCode != 200 || resp.ContentLength != 12 || body != "" {
		t.Errorf("head: %s %d", resp.Status, resp.ContentLength)
	}
	for _, path := range []string{
		base + "/Recordings/" + live.ID + ".wav", base + "/Recordings/" + foreign.ID + ".wav", base + "/Recordings/" + foreign.ID + ".json",
		calls + "/CA00000000000000000000000000000000/Recordings/" + re + ".wav",
		calls + "/CA00000000000000000000000000000000/Recordings/" + re + ".json",
		calls + "/CA00000000000000000000000000000000/Recordings.json",
	} {
		resp, body := g.do(t, "GET", path, "")
		wantProblem(t, path, resp, body, 404, 20404)
	}
	resp, body = g.do(t, "DELETE", calls+"/CA00000000000000000000000000000000/Recordings/"+re+".json", "")
	wantProblem(t, "delete below another call", resp, body, 404, 20404)
	resp, _ = g.do(t, "DELETE", calls+"/"+id+"/Recordings/"+re+".json", "")
	if resp.StatusCode != 204 {
		t.Errorf("delete: %s", resp.Status)
	}
	if _, err := g.box.Recording(t.Context(), account, re); err == nil {
		t.Error("the recording is still there")
	}
}

func TestRecordingFilters(t *testing.T) {
	g := newGateway(t)
	id := createCall(t, g, "To", "+15550100199", "From", "+15550100100", "Url", "http://pbx.lan/voice")
	absent := recording("RE00112233445566778899aabbccddeeff", id)
	absent.Status, absent.Error = "absent", "nothing was recorded"
	g.box.AddRecording(absent, nil)
	for query, want := range map[string]bool{
		"": true, "CallSid=" + id: true, "CallSid=CA0": false, "ConferenceSid=CF0": false, "IncludeSoftDeleted=true": true,
		"DateCreated=2026-01-02": true, "DateCreated%3E=2026-01-03": false, "DateCreated%3C=2026-01-01": false,
	} {
		resp, body := g.do(t, "GET", "/2010-04-01/Accounts/"+account+"/Recordings.json?"+query, "")
		if got := strings.Contains(body, `"error_code":12400`); resp.StatusCode != 200 || got != want {
			t.Errorf("%s: %s, found %t, want %t", query, resp.Status, got, want)
		}
	}
}

func TestStatusNames(t *testing.T) {
	g := newGateway(t)
	id := createCall(t, g, "To", "+15550100199", "From", "+15550100100", "Url", "http://pbx.lan/voice")
	for _, tc := range []struct {
		state     call.State
		direction call.Direction
		want      string
	}{
		{call.Queued, call.OutboundAPI, "queued"}, {call.Dialing, call.OutboundAPI, "queued"}, {call.Dialing, call.OutboundDial, "queued"},
		{call.Dialing, call.Inbound, "ringing"}, {call.Ringing, call.Inbound, "ringing"}, {call.InProgress, call.Inbound, "in-progress"},
		{call.Completed, call.OutboundAPI, "completed"}, {call.Busy, call.OutboundAPI, "busy"}, {call.NoAnswer, call.OutboundAPI, "no-answer"},
		{call.Failed, call.OutboundAPI, "failed"}, {call.Canceled, call.OutboundAPI, "canceled"},
	} {
		g.box.Edit(id, func(r *call.Record) { r.State, r.Direction = tc.state, tc.direction })
		_, body := g.do(t, "GET", calls+"/"+id+".json", "")
		if !strings.Contains(body, `"status":"`+tc.want+`"`) || !strings.Contains(body, `"direction":"`+string(tc.direction)+`"`) {
			t.Errorf("%s %s: %s", tc.state, tc.direction, body)
		}
	}
}
