package jambonz_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"callbox/api/apitest"
	"callbox/call"
)

func after(s int) *time.Time { t := noon.Add(time.Duration(s) * time.Second); return &t }

// edited makes a call whose record f then changes.
func (g gateway) edited(t testing.TB, f func(*call.Record)) string {
	t.Helper()
	id := g.create(t)
	g.Box.Edit(id, f)
	return id
}

// ended is an answered call that the far end hung up.
func ended(r *call.Record) {
	r.State, r.Started, r.Rang, r.Answered, r.Ended, r.Updated = call.Completed, after(2), after(3), after(5), after(65), *after(65)
	r.Cause = &call.Cause{Q850: 16, Who: call.Remote}
	r.SIPCallID, r.Line, r.Remote = "abc@box", "provider", "192.0.2.7:5060"
	r.CallerName, r.Warnings = "Alice", []string{"verb 1 (say).stream has no effect: the box speaks whole texts"}
}

// TestAnswersGolden holds the JSON of every resource.
func TestAnswersGolden(t *testing.T) {
	g := newGateway(t)
	id := g.edited(t, ended)
	g.Box.Edit(id, func(r *call.Record) { r.Recordings = []string{"RE1"} })
	for name, path := range map[string]string{
		"call":   calls + "/" + id,
		"list":   calls,
		"count":  "/v1/Accounts/" + project + "/CallCount",
		"recent": "/v1/Accounts/" + project + "/RecentCalls?page=1&count=25&days=3660",
		"row":    "/v1/Accounts/" + project + "/RecentCalls/" + id,
		"secret": "/v1/Accounts/" + project + "/WebhookSecret",
	} {
		resp, body := g.do(t, "GET", path, "")
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %s", name, resp.Status)
		}
		traced := strings.ReplaceAll(hide(apitest.Indent(body)), traceOf(body), "TRACE")
		apitest.Golden(t, "answers/"+name+".json", traced+"\n")
	}
}

// traceOf finds the trace_id in an answer; it follows from a random id.
func traceOf(body string) string {
	_, rest, ok := strings.Cut(body, `"trace_id":"`)
	if !ok {
		return "no trace"
	}
	id, _, _ := strings.Cut(rest, `"`)
	return id
}

// TestList: which calls are in the list, and which the filters leave.
func TestList(t *testing.T) {
	g := newGateway(t)
	sids := map[string]string{}
	for _, c := range []struct {
		name string
		edit func(*call.Record)
	}{
		{"old", func(r *call.Record) { ended(r); r.Ended = after(-1) }},
		{"ended", ended},
		{"busy", func(r *call.Record) {
			r.State, r.Ended, r.Cause = call.Busy, after(9), &call.Cause{Q850: 17, SIP: 486, Who: call.Remote}
		}},
		{"declined", func(r *call.Record) {
			r.State, r.Ended, r.Cause, r.Direction = call.Busy, after(9), &call.Cause{Q850: 21, SIP: 603, Who: call.Remote}, call.OutboundDial
		}},
		{"canceled", func(r *call.Record) {
			r.State, r.Ended, r.Cause = call.Canceled, after(9), &call.Cause{Q850: 16, SIP: 487, Who: call.API}
		}},
		{"queued", func(*call.Record) {}},
		{"ringing", func(r *call.Record) { r.State = call.Ringing }},
		{"sounding", func(r *call.Record) { r.State, r.Early = call.Ringing, true }},
		{"inbound", func(r *call.Record) {
			r.State, r.Direction, r.From, r.To = call.InProgress, call.Inbound, "+15550100", "client:bob"
		}},
	} {
		sids[g.edited(t, c.edit)] = c.name
	}
	for query, want := range map[string]string{
		"":                                 "inbound sounding ringing queued canceled declined busy ended",
		"?direction=inbound":               "inbound",
		"?direction=outbound":              "sounding ringing queued canceled declined busy ended",
		"?callStatus=completed":            "ended",
		"?callStatus=busy":                 "busy",
		"?callStatus=failed":               "declined",
		"?callStatus=no-answer":            "canceled",
		"?callStatus=trying":               "queued",
		"?callStatus=queued":               "",
		"?callStatus=ringing":              "ringing",
		"?callStatus=early-media":          "sounding",
		"?callStatus=in-progress":          "inbound",
		"?from=16175551212":                "sounding ringing queued canceled declined busy ended",
		"?from=%2B1-617-555-1212":          "sounding ringing queued canceled declined busy ended",
		"?from=15550100":                   "inbound",
		"?to=bob":                          "inbound",
		"?to=alice":                        "",
		"?to=bob&from=16175551212":         "",
		"?direction=inbound&to=bob&page=2": "inbound",
	} {
		resp, body := g.do(t, "GET", calls+query, "")
		var got []string
		for _, id := range randomID.FindAllString(body, -1) {
			if name, ok := sids[id]; ok {
				got = append(got, name)
			}
		}
		if resp.StatusCode != 200 || strings.Join(got, " ") != want || body[0] != '[' {
			t.Errorf("%s: %d %v, want %s", query, resp.StatusCode, got, want)
		}
		if w := resp.Header.Get("Callbox-Warning"); (w != "") != strings.Contains(query, "page") {
			t.Errorf("%s: warning %q", query, w)
		}
	}
	for query, want := range map[string]string{
		"?direction=up":    `{"msg":"direction is \"up\", it must be inbound or outbound"}`,
		"?callStatus=gone": `{"msg":"callStatus is \"gone\", which is not the status of a call"}`,
	} {
		if resp, body := g.do(t, "GET", calls+query, ""); resp.StatusCode != 400 || body != want {
			t.Errorf("%s: %d %s", query, resp.StatusCode, body)
		}
	}
	if _, body := g.do(t, "GET", "/v1/Accounts/"+project+"/CallCount", ""); body != `{"inbound":1,"outbound":3}` {
		t.Errorf("count: %s", body)
	}
}

// TestUpdateGolden: bodies of updateCall, and the status, answer and model that
// they become.
func TestUpdateGolden(t *testing.T) {
	g := newGateway(t)
	var out strings.Builder
	for line := range strings.Lines(read(t, "update.txt")) {
		body, ok := strings.CutPrefix(line, "< ")
		if !ok {
			continue
		}
		id := g.edited(t, func(r *call.Record) { r.State, r.Answered = call.InProgress, after(5) })
		before, told := len(g.Box.Changes()), len(g.Box.Told())
		method := http.MethodPut
		if strings.Contains(body, `"POST"`) {
			method = http.MethodPost
		}
		resp, answer := g.do(t, method, calls+"/"+id, strings.TrimSuffix(body, "\n"))
		fmt.Fprintf(&out, "< %s%d %s\n", body, resp.StatusCode, answer)
		for _, ch := range g.Box.Changes()[before:] {
			out.WriteString(apitest.Fields(t, ch))
		}
		for _, m := range g.Box.Told()[told:] {
			out.WriteString(apitest.Fields(t, m))
		}
		for _, w := range resp.Header["Callbox-Warning"] {
			out.WriteString("warning: " + w + "\n")
		}
		if (resp.StatusCode == http.StatusAccepted) != (len(g.Box.Changes()) > before) {
			t.Errorf("%s: %d and %d changes", body, resp.StatusCode, len(g.Box.Changes())-before)
		}
	}
	apitest.Golden(t, "update.txt", out.String())
}

// TestUpdateStates: calls that are unknown, have ended or are in the wrong state.
func TestUpdateStates(t *testing.T) {
	g := newGateway(t)
	const redirect = `{"call_hook":"http://app.lan/next"}`
	if resp, body := g.do(t, "PUT", calls+"/unknown", "{}"); resp.StatusCode != 404 || body != "Not Found\n" {
		t.Errorf("unknown: %d %s", resp.StatusCode, body)
	}
	gone := g.edited(t, ended)
	if resp, body := g.do(t, "PUT", calls+"/"+gone, redirect); resp.StatusCode != 422 || body != "call has ended\n" {
		t.Errorf("ended: %d %s", resp.StatusCode, body)
	}
	id := g.create(t)
	g.Box.FailNext(fmt.Errorf("%w: no other party is connected to it", call.ErrWrongState))
	if resp, body := g.do(t, "PUT", calls+"/"+id, `{"child_call_hook":"http://app.lan/child"}`); resp.StatusCode != 422 ||
		body != "call is not in a state that allows this: no other party is connected to it\n" {
		t.Errorf("no child: %d %s", resp.StatusCode, body)
	}
	for _, status := range []string{"completed", "no-answer"} {
		id := g.create(t)
		if resp, body := g.do(t, "PUT", calls+"/"+id, `{"call_status":"`+status+`"}`); resp.StatusCode != 202 || body != "Accepted" {
			t.Errorf("%s: %d %s", status, resp.StatusCode, body)
		}
		if _, body := g.do(t, "GET", calls+"/"+id, ""); !strings.Contains(body, `"call_status":"no-answer"`) {
			t.Errorf("after %s: %s", status, body)
		}
	}
}

// TestDelete: a call that is up is hung up, one that has ended is forgotten.
func TestDelete(t *testing.T) {
	g := newGateway(t)
	id := g.create(t)
	for i, want := range []int{204, 204, 404} {
		resp, body := g.do(t, "DELETE", calls+"/"+id, "")
		if resp.StatusCode != want || want == 204 && body != "" {
			t.Errorf("delete %d: %d %q", i, resp.StatusCode, body)
		}
	}
	if ch := g.Box.Changes(); len(ch) != 1 || !ch[0].Complete {
		t.Errorf("changes %+v", ch)
	}
}

// TestRecent: the filters and pages of recent calls.
func TestRecent(t *testing.T) {
	g := newGateway(t)
	names := map[string]string{}
	for i, edit := range []func(*call.Record){
		func(r *call.Record) { ended(r); r.Ended = after(-86400 * 3) },
		func(r *call.Record) { ended(r); r.To, r.Direction = "client:bob", call.Inbound },
		func(r *call.Record) { r.State, r.Ended = call.Busy, after(30) },
		func(r *call.Record) { ended(r); r.Ended = after(40) },
		func(r *call.Record) { r.State = call.InProgress },
	} {
		names[g.edited(t, edit)] = string(rune('a' + i))
	}
	base := "/v1/Accounts/" + project + "/RecentCalls"
	for query, want := range map[string]string{
		"?page=1&count=25":                           "4: d c b a",
		"?page=1&count=3":                            "4: d c b",
		"?page=2&count=3":                            "4: a",
		"?page=3&count=3":                            "4:",
		"?page=1&count=9&days=1":                     "3: d c b",
		"?page=1&count=9&start=2026-01-02T12:00:35Z": "2: d b",
		"?page=1&count=9&end=2026-01-02":             "1: a",
		"?page=1&count=9&answered=true":              "3: d b a",
		"?page=1&count=9&answered=false":             "1: c",
		"?page=1&count=9&direction=inbound":          "1: b",
		"?page=1&count=9&filter=bob":                 "1: b",
		"?page=1&count=9&filter=237508":              "3: d c a",
	} {
		_, body := g.do(t, "GET", base+query, "")
		var total int
		if _, err := fmt.Sscanf(body, `{"total":%d,`, &total); err != nil {
			t.Fatalf("%s: %s", query, body)
		}
		got := fmt.Sprintf("%d:", total)
		for _, part := range strings.Split(body, `"call_sid":"`)[1:] {
			got += " " + names[part[:36]]
		}
		if got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	for query, want := range map[string]string{
		"":                                      "page and count are needed",
		"?page=1":                               "page and count are needed",
		"?page=0&count=1":                       `page is "0", it must be a whole number from 1 to 1048576`,
		"?page=1&count=501":                     `count is "501", it must be a whole number from 1 to 500`,
		"?page=1&count=1&days=x":                `days is "x", it must be a whole number from 1 to 3660`,
		"?page=1&count=1&start=yesterday":       `start is "yesterday", which is not a time such as 2026-01-02T15:04:05Z`,
		"?page=1&count=1&days=1&end=2026-01-02": "days and end exclude each other",
		"?page=1&count=1&answered=yes":          `answered is "yes", it must be true or false`,
		"?page=1&count=1&direction=up":          `direction is "up", it must be inbound or outbound`,
	} {
		resp, body := g.do(t, "GET", base+query, "")
		if resp.StatusCode != 400 || !strings.Contains(strings.ReplaceAll(body, `\"`, `"`), want) {
			t.Errorf("%s: %d %s", query, resp.StatusCode, body)
		}
	}
	for id, name := range names {
		resp, _ := g.do(t, "GET", base+"/"+id, "")
		if want := map[bool]int{true: 404, false: 200}[name == "e"]; resp.StatusCode != want {
			t.Errorf("call %s: %s", name, resp.Status)
		}
	}
	if resp, _ := g.do(t, "GET", base+"/unknown", ""); resp.StatusCode != 404 {
		t.Errorf("unknown: %s", resp.Status)
	}
	if resp, _ := g.do(t, "GET", base+"?page=1&count=1&colour=red", ""); resp.Header.Get("Callbox-Warning") == "" {
		t.Error("no warning")
	}
}

// TestRecording: the sound of a call, by its day.
func TestRecording(t *testing.T) {
	g := newGateway(t)
	id := g.edited(t, func(r *call.Record) { ended(r); r.Recordings = []string{"RE0", "RE1"} })
	g.Box.AddRecording(call.Recording{ID: "RE1", Call: id, Account: account, Status: "completed", Created: noon, Updated: noon}, []byte("RIFF"))
	base := "/v1/Accounts/" + project + "/RecentCalls/"
	for path, want := range map[string]int{
		id + "/record/2026/01/02/wav": 200, id + "/record/2026/01/03/wav": 404, id + "/record/2026/01/02/ogg": 404,
		id + "/record/2026/01/02/mp3": 422, "unknown/record/2026/01/02/wav": 404, g.create(t) + "/record/2026/01/02/wav": 404,
	} {
		resp, body := g.do(t, "GET", base+path, "")
		if resp.StatusCode != want || want == 200 && (body != "RIFF" || resp.Header.Get("Content-Type") != "audio/x-wav") {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
}

func TestWebhookSecret(t *testing.T) {
	g := newGateway(t)
	resp, body := g.do(t, "GET", "/v1/Accounts/"+project+"/WebhookSecret?regenerate=true", "")
	if resp.StatusCode != 422 || body != `{"msg":"the webhook secret cannot be made anew by request"}` {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}
