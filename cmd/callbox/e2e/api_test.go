//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	twilioclient "github.com/twilio/twilio-go/client"
	openapi "github.com/twilio/twilio-go/rest/api/v2010"
)

// makeCalls places answered calls to two numbers in turn, recorded when the
// application speaks, and one in six that no route takes. It gives the sids in
// the order of their making.
func makeCalls(t *testing.T, g *gateway, a *app, n, recorded int) (all, failed []string) {
	t.Helper()
	api := g.twilio().Api
	for i := range n {
		p := &openapi.CreateCallParams{}
		p.SetFrom("+14155550100")
		p.SetTo(fmt.Sprintf("+1415555012%d", i%2))
		p.SetUrl(a.URL + "/short")
		if i < recorded {
			p.SetUrl(a.URL + "/spoken")
			p.SetRecord(true)
		}
		if i%6 == 5 {
			p.SetTo("+33155550123") // no route
		}
		made, err := api.CreateCall(p)
		if err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
		all = append(all, *made.Sid)
		if i%6 == 5 {
			failed = append(failed, *made.Sid)
		}
	}
	poll(t, "every call is over", func() bool { return g.metrics()["callbox_calls"] == 0 })
	return all, failed
}

// sids are those of a list.
func sids[T any](list []T, sid func(T) *string) (out []string) {
	for _, x := range list {
		out = append(out, *sid(x))
	}
	return out
}

func callSid(c openapi.ApiV2010Call) *string           { return c.Sid }
func recordingSid(r openapi.ApiV2010Recording) *string { return r.Sid }

// TestCallList makes 60 calls and finds them again with the vendor's client:
// page by page, filtered, and not any more once deleted.
func TestCallList(t *testing.T) {
	t.Parallel()
	const n = 60
	a := newApp(t)
	g, port := trunked(t, a, "")
	a.doc("/short", `<Response/>`)
	startSIPp(t, port, n, recv("INVITE")+established+hungUp)
	began := time.Now()
	all, failed := makeCalls(t, g, a, n, 0)
	api := g.twilio().Api
	list := func(p *openapi.ListCallParams) []string {
		t.Helper()
		got, err := api.ListCall(p)
		if err != nil {
			t.Fatalf("list: %v", err)
		}
		return sids(got, callSid)
	}

	newest := slices.Clone(all)
	slices.Reverse(newest)
	for _, size := range []int{1000, 50, 7} {
		if got := list(&openapi.ListCallParams{PageSize: ptr(size)}); !slices.Equal(got, newest) {
			t.Errorf("%d a page: %d calls, want all %d, the newest first", size, len(got), n)
		}
	}
	if got := list(&openapi.ListCallParams{PageSize: ptr(7), Limit: ptr(20)}); !slices.Equal(got, newest[:20]) {
		t.Errorf("the first 20: %v", got)
	}
	page, err := api.PageCall(&openapi.ListCallParams{PageSize: ptr(25)}, "", "")
	if err != nil || len(page.Calls) != 25 || page.PreviousPageUri != nil && *page.PreviousPageUri != "" || page.NextPageUri == nil {
		t.Fatalf("the first page: %v, %v", page, err)
	}
	token := regexp.MustCompile(`PageToken=(\w+)`).FindStringSubmatch(*page.NextPageUri)
	if token == nil {
		t.Fatalf("next page %s", *page.NextPageUri)
	}
	page, err = api.PageCall(&openapi.ListCallParams{PageSize: ptr(25)}, token[1], "1")
	if err != nil || !slices.Equal(sids(page.Calls, callSid), newest[25:50]) || page.Page != 1 || page.Start != 25 || page.End != 49 {
		t.Errorf("the second page: %v, %v", page, err)
	}

	var ok []string
	for _, sid := range newest {
		if !slices.Contains(failed, sid) {
			ok = append(ok, sid)
		}
	}
	for name, tc := range map[string]struct {
		p    openapi.ListCallParams
		want int
	}{
		"completed":          {openapi.ListCallParams{Status: ptr("completed"), PageSize: ptr(9)}, len(ok)},
		"failed":             {openapi.ListCallParams{Status: ptr("failed")}, len(failed)},
		"busy":               {openapi.ListCallParams{Status: ptr("busy")}, 0},
		"one number":         {openapi.ListCallParams{To: ptr("+14155550120"), PageSize: ptr(4)}, n / 2},
		"number and status":  {openapi.ListCallParams{To: ptr("+14155550121"), Status: ptr("completed")}, n/2 - len(failed)},
		"caller":             {openapi.ListCallParams{From: ptr("+14155550100")}, n},
		"another caller":     {openapi.ListCallParams{From: ptr("+14155550199")}, 0},
		"parent":             {openapi.ListCallParams{ParentCallSid: ptr(all[0])}, 0},
		"since the start":    {openapi.ListCallParams{StartTimeAfter: ptr(began.Add(-time.Second))}, n}, // one never dialled counts from its creation
		"before the start":   {openapi.ListCallParams{StartTimeBefore: ptr(began.Add(-24 * time.Hour))}, 0},
		"ended by now":       {openapi.ListCallParams{EndTimeBefore: ptr(time.Now().Add(24 * time.Hour))}, n},
		"ended after a year": {openapi.ListCallParams{EndTimeAfter: ptr(time.Now().Add(365 * 24 * time.Hour))}, 0},
	} {
		if got := list(&tc.p); len(got) != tc.want {
			t.Errorf("%s: %d calls, want %d", name, len(got), tc.want)
		}
	}

	one, err := api.FetchCall(all[0], nil)
	if err != nil || *one.Status != "completed" || *one.Direction != "outbound-api" || one.Duration == nil || *one.To != "+14155550120" {
		t.Errorf("fetch: %+v, %v", one, err)
	}
	if err := api.DeleteCall(all[0], nil); err != nil {
		t.Errorf("delete: %v", err)
	}
	var refused *twilioclient.TwilioRestError
	if _, err := api.FetchCall(all[0], nil); !errors.As(err, &refused) || refused.Status != 404 || refused.Code != 20404 {
		t.Errorf("fetch after the delete: %v", err)
	}
	if err := api.DeleteCall(all[0], nil); !errors.As(err, &refused) || refused.Status != 404 {
		t.Errorf("delete it again: %v", err)
	}
	if got := list(&openapi.ListCallParams{PageSize: ptr(50)}); !slices.Equal(got, newest[:n-1]) {
		t.Errorf("%d calls are left, want %d", len(got), n-1)
	}
	if _, err := api.PageCall(&openapi.ListCallParams{}, "PAzz", "3"); !errors.As(err, &refused) || refused.Status != 400 {
		t.Errorf("a page token that nobody gave: %v", err)
	}
}

// TestRecordings lists, fetches, downloads and deletes recordings with the
// vendor's client.
func TestRecordings(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	g, port := trunked(t, a, "")
	prompt := speak(t, "This call is being recorded.")
	a.wav("/prompt.wav", prompt)
	a.doc("/spoken", `<Response><Play>/prompt.wav</Play></Response>`)
	startSIPp(t, port, 5, recv("INVITE")+established+hungUp)
	calls, _ := makeCalls(t, g, a, 5, 5)
	api := g.twilio().Api
	var all []openapi.ApiV2010Recording
	poll(t, "five recordings", func() bool {
		var err error
		if all, err = api.ListRecording(&openapi.ListRecordingParams{PageSize: ptr(2)}); err != nil {
			t.Fatal(err)
		}
		return len(all) == 5 && !slices.ContainsFunc(all, func(r openapi.ApiV2010Recording) bool { return *r.Status != "completed" })
	})
	var of []string
	for _, r := range all {
		of = append(of, *r.CallSid)
	}
	slices.Sort(of)
	slices.Sort(calls)
	if !slices.Equal(of, calls) {
		t.Errorf("recordings of %v, want one of each of %v", of, calls)
	}
	one, err := api.FetchRecording(*all[2].Sid, nil)
	if err != nil || *one.CallSid != *all[2].CallSid || *one.Source != "OutboundAPI" || one.Duration == nil {
		t.Fatalf("fetch: %+v, %v", one, err)
	}
	mine, err := api.ListRecording(&openapi.ListRecordingParams{CallSid: one.CallSid})
	if err != nil || !slices.Equal(sids(mine, recordingSid), []string{*one.Sid}) {
		t.Errorf("recordings of one call: %v, %v", mine, err)
	}
	wav := fmt.Sprintf("/2010-04-01/Accounts/%s/Recordings/%s.wav", g.account, *one.Sid)
	status, typ, body := g.download(wav, true)
	samples, ch, ok := parseWAV(body)
	if status != 200 || typ != "audio/x-wav" && typ != "audio/wav" || !ok || ch != 1 {
		t.Fatalf("download: %d %s, %d bytes", status, typ, len(body))
	}
	hears(t, "the recording", samples, prompt)
	if status, _, _ := g.download(wav, false); status != 401 {
		t.Errorf("download without a key: %d", status)
	}
	file := filepath.Join(g.dir, "recordings", *one.Sid+".wav")
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
	if err := api.DeleteRecording(*one.Sid, nil); err != nil {
		t.Errorf("delete: %v", err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file of a deleted recording: %v", err)
	}
	var refused *twilioclient.TwilioRestError
	if _, err := api.FetchRecording(*one.Sid, nil); !errors.As(err, &refused) || refused.Status != 404 {
		t.Errorf("fetch after the delete: %v", err)
	}
	if status, _, _ := g.download(wav, true); status != 404 {
		t.Errorf("download after the delete: %d", status)
	}
	if left, err := api.ListRecording(&openapi.ListRecordingParams{}); err != nil || len(left) != 4 {
		t.Errorf("%d recordings are left, %v", len(left), err)
	}
}

// download gets a path with or without the account's key.
func (g *gateway) download(path string, key bool) (status int, typ string, body []byte) {
	g.t.Helper()
	req, err := http.NewRequest(http.MethodGet, g.api+path, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	if key {
		req.SetBasicAuth(g.account, g.token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err = io.ReadAll(res.Body); err != nil {
		g.t.Fatal(err)
	}
	return res.StatusCode, res.Header.Get("Content-Type"), body
}

// TestLiveCall: a call that is up is not deleted; it is redirected and completed
// with the vendor's client.
func TestLiveCall(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	g, port := trunked(t, a, "")
	a.doc("/voice", `<Response><Pause length="600"/></Response>`)
	a.doc("/other", `<Response><Pause length="600"/></Response>`)
	s := startSIPp(t, port, 1, recv("INVITE")+established+hungUp)
	api := g.twilio().Api
	sid := g.create(url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
	g.until(sid, "in-progress")
	var refused *twilioclient.TwilioRestError
	if err := api.DeleteCall(sid, nil); !errors.As(err, &refused) || refused.Status/100 != 4 {
		t.Errorf("delete a live call: %v", err)
	}
	if c, err := api.UpdateCall(sid, &openapi.UpdateCallParams{Url: ptr(a.URL + "/other")}); err != nil || *c.Status != "in-progress" {
		t.Errorf("redirect: %+v, %v", c, err)
	}
	a.until("/other", 1)
	if _, err := api.UpdateCall(sid, &openapi.UpdateCallParams{Status: ptr("completed")}); err != nil {
		t.Errorf("complete: %v", err)
	}
	g.until(sid, "completed")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s.succeeds(ctx)
	if _, err := api.UpdateCall(sid, &openapi.UpdateCallParams{Url: ptr(a.URL + "/voice")}); !errors.As(err, &refused) || refused.Code != 21220 {
		t.Errorf("redirect a call that is over: %v", err)
	}
}

// TestKeys: an API key of the account opens the API as long as it is configured.
func TestKeys(t *testing.T) {
	t.Parallel()
	g := startGateway(t, "")
	id, secret := "SK"+strings.Repeat("0a", 16), strings.Repeat("0123456789abcdef", 2)
	export := g.run("config", "export", "--secrets")
	with := strings.Replace(export, "token: "+g.token, "token: "+g.token+"\n  keys:\n  - id: "+id+"\n    name: ledger\n    secret: "+secret, 1)
	if with == export {
		with = strings.Replace(export, `token: "`+g.token+`"`, `token: "`+g.token+"\"\n  keys:\n  - id: "+id+"\n    name: ledger\n    secret: \""+secret+`"`, 1)
	}
	if with == export {
		t.Fatalf("no token in the export:\n%s", export)
	}
	file := filepath.Join(t.TempDir(), "config.yaml")
	load := func(text string) {
		t.Helper()
		text = regexp.MustCompile(`(?m)^version: .*\n`).ReplaceAllString(text, "")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Log(g.run("config", "import", file))
	}
	tryKey := func(user, password string) int {
		t.Helper()
		_, err := g.twilioAs(user, password).Api.ListCall(&openapi.ListCallParams{})
		var refused *twilioclient.TwilioRestError
		if errors.As(err, &refused) {
			return refused.Status
		}
		if err != nil {
			t.Fatal(err)
		}
		return 200
	}
	if got := tryKey(id, secret); got != 401 {
		t.Errorf("a key that is not configured: %d", got)
	}
	load(with)
	if got := tryKey(id, secret); got != 200 {
		t.Errorf("the key: %d", got)
	}
	if got := tryKey(id, strings.Repeat("0", 32)); got != 401 {
		t.Errorf("a wrong secret: %d", got)
	}
	if got := tryKey(g.account, g.token); got != 200 {
		t.Errorf("the account's own token: %d", got)
	}
	if out := g.run("config", "export"); strings.Contains(out, secret) {
		t.Error("the export shows the key")
	}
	load(export)
	if got := tryKey(id, secret); got != 401 {
		t.Errorf("a key that was removed: %d", got)
	}
}
