package twilio_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"testing"
	"time"

	"callbox/api/apitest"
	"callbox/call"
)

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	apitest.Golden(t, name, got)
}

var (
	randomCall = regexp.MustCompile(`CA[0-9a-f]{32}`)
	localHost  = regexp.MustCompile(`127\.0\.0\.1:\d+`)
)

// pretty indents JSON and replaces what differs from run to run.
func pretty(t *testing.T, body string) string {
	t.Helper()
	s := randomCall.ReplaceAllString(apitest.Indent(body), "CA00112233445566778899aabbccddeeff")
	return localHost.ReplaceAllString(s, "box.lan:8080")
}

func requestJSON(t *testing.T, r call.Request) string {
	t.Helper()
	return pretty(t, apitest.Fields(t, r))
}

// createCall makes a call and gives its id.
func createCall(t *testing.T, g gateway, pairs ...string) string {
	t.Helper()
	resp, body := g.do(t, "POST", calls+".json", form(pairs...))
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("create: %s %s", resp.Status, body)
	}
	var c struct{ Sid string }
	if err := json.Unmarshal([]byte(body), &c); err != nil {
		t.Fatal(err)
	}
	return c.Sid
}

func recording(id, callID string) call.Recording {
	return call.Recording{
		ID: id, Call: callID, Account: account, API: "twilio", Status: "completed", Source: "OutboundAPI",
		Track: call.TrackBoth, Channels: 2, Created: noon, Started: noon, Updated: noon.Add(7 * time.Second),
		Duration: 6900 * time.Millisecond, Size: 12, SHA256: "abc",
	}
}

// TestGoldenAnswers holds the JSON of every resource.
func TestGoldenAnswers(t *testing.T) {
	g := newGateway(t)
	check := func(name, path string) {
		t.Helper()
		resp, body := g.do(t, "GET", path, "")
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %s %s", path, resp.Status, body)
		}
		golden(t, name, pretty(t, body))
	}
	resp, body := g.do(t, "POST", calls+".json", form("To", "+15550100199", "From", "5550100", "Twiml", "<Response/>"))
	if resp.StatusCode != 201 {
		t.Fatalf("create: %s %s", resp.Status, body)
	}
	golden(t, "created.json", pretty(t, body))
	id := randomCall.FindString(body)
	at := func(s int) *time.Time { x := noon.Add(time.Duration(s) * time.Second); return &x }
	g.box.Edit(id, func(r *call.Record) {
		r.State, r.Started, r.Rang, r.Answered, r.Ended = call.Completed, at(2), at(3), at(5), at(65)
		r.Updated, r.AnsweredBy, r.Parent = *at(65), "human", "CA00112233445566778899aabbccddeeff"
		r.CallerName, r.Forwarded = "Alice", "+15550100111"
	})
	check("ended.json", calls+"/"+id+".json")
	check("list.json", calls+".json?PageSize=1&To=%2B15550100199&StartTime%3E=2026-01-02")
	g.box.AddRecording(recording("RE00112233445566778899aabbccddeeff", id), []byte("x"))
	check("recording.json", "/2010-04-01/Accounts/"+account+"/Recordings/RE00112233445566778899aabbccddeeff.json")
	check("recordings.json", calls+"/"+id+"/Recordings.json")
	check("account.json", "/2010-04-01/Accounts/"+account+".json")
	resp, body = g.do(t, "GET", calls+"/CA00000000000000000000000000000000.json", "")
	if resp.StatusCode != 404 {
		t.Errorf("unknown call: %s", resp.Status)
	}
	golden(t, "notfound.json", pretty(t, body))
}
