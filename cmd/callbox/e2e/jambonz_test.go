//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// askJSON makes a request to the JSON call API.
func (g *gateway) askJSON(method, path, body string) (int, map[string]any) {
	g.t.Helper()
	req, err := http.NewRequest(method, g.api+"/v1/Accounts/"+g.account+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+g.token)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	var out map[string]any
	if len(b) > 0 && b[0] == '{' {
		if err := json.Unmarshal(b, &out); err != nil {
			g.t.Fatalf("%s %s: %v in %s", method, path, err, b)
		}
	}
	return res.StatusCode, out
}

// webhookSecret is the key that the applications verify by.
func (g *gateway) webhookSecret() string {
	g.t.Helper()
	code, body := g.askJSON(http.MethodGet, "/WebhookSecret", "")
	if code != http.StatusOK {
		g.t.Fatalf("webhook secret: %d %v", code, body)
	}
	return body["webhook_secret"].(string)
}

// createJSON places a call to a user of the box.
func (g *gateway) createJSON(a *hookApp, user, hook string) string {
	g.t.Helper()
	code, body := g.askJSON(http.MethodPost, "/Calls", fmt.Sprintf(
		`{"from":"16175551212","to":{"type":"user","name":%q},"call_hook":%q,"call_status_hook":%q,"tag":{"order":17,"2":"<&>"}}`,
		user, a.url+hook, a.url+"/status"))
	if code != http.StatusCreated {
		g.t.Fatalf("create: %d %v", code, body)
	}
	return body["sid"].(string)
}

// TestJambonzClients makes, watches, changes and ends calls with the vendor's
// two REST clients.
func TestJambonzClients(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := startHookApp(t, "clients-jambonz", "SECRET="+g.webhookSecret(), "PROMPT=", "OTHER=")
	startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto"})
	env := []string{"BASE=" + g.api, "ACCOUNT=" + g.account, "KEY=" + g.token, "TO=bob", "HOOK=" + a.url + "/hold", "STATUS=" + a.url + "/status"}
	run := func(scenario string, more ...string) map[string]any {
		t.Helper()
		return runClient(t, "clients-jambonz", append(slices.Clone(env), more...), scenario)
	}
	got := run("lifecycle")
	sid := got["sid"].(string)
	up, tagged := got["up"].(map[string]any), got["tagged"].(map[string]any)
	if up["direction"] != "outbound" || up["from"] != "16175551212" || up["to"] != "bob" || up["sip_status"] != 200.0 {
		t.Errorf("the call that is up: %v", up)
	}
	if r := got["retrieved"].(map[string]any); r["call_sid"] != sid {
		t.Errorf("retrieved %v", r)
	}
	for _, list := range []string{"listed", "filtered"} {
		if l := got[list].([]any); !slices.Contains(l, any(sid)) {
			t.Errorf("%s: %v", list, l)
		}
	}
	if l := got["others"].([]any); len(l) != 0 {
		t.Errorf("inbound calls: %v", l)
	}
	if c := got["count"].(map[string]any); c["inbound"] != 0.0 || c["outbound"] != 1.0 {
		t.Errorf("count: %v", c)
	}
	if tagged["order"] != 18.0 {
		t.Errorf("tagged: %v", tagged)
	}
	if e := got["ended"].(map[string]any); e["call_termination_by"] != "jambonz" {
		t.Errorf("ended: %v", e)
	}
	if s, _ := got["forgotten"].(string); !strings.Contains(s, "not found") {
		t.Errorf("a deleted call: %s", s)
	}
	for name, want := range map[string]string{"applications": fmt.Sprint([]any{got["application"], got["application"]}), "otherQueues": "[]",
		"queues": "[map[length:1 name:support]]", "conferences": "[morning]"} {
		if s := fmt.Sprint(got[name]); s != want {
			t.Errorf("%s: %s, want %s", name, s, want)
		}
	}
	if s, _ := got["noApplication"].(string); !strings.Contains(s, "not found") {
		t.Errorf("a deleted application: %s", s)
	}
	a.until("/hold", 4)
	for i, query := range []string{"", "?redirected=1", "", "?redirected=2"} {
		if r := a.requests("/hold")[i]; r.Query != query {
			t.Errorf("document %d was asked for with %q, want %q", i, r.Query, query)
		}
	}
	poll(t, "the statuses of the first call", func() bool { return len(a.statuses(sid)) >= 4 })
	if s := strings.Join(a.statuses(sid), " "); s != "trying ringing in-progress completed" {
		t.Errorf("statuses: %s", s)
	}
	a.verified()

	startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "manual"})
	secure := []string{"TO=alice", "BASE=" + g.https, "NODE_EXTRA_CA_CERTS=" + filepath.Join(g.dir, "ca.pem")}
	for _, sid := range list(run("cancel", secure...)["sids"]) {
		poll(t, "the statuses of a call given up", func() bool { return slices.Contains(a.statuses(sid), "no-answer") })
		if s := strings.Join(a.statuses(sid), " "); s != "trying ringing no-answer" {
			t.Errorf("statuses: %s", s)
		}
	}
	a.verified()

	refused := run("refusals")
	for name, want := range map[string]string{
		"stranger": "401", "unknown": "404", "unknownUpdate": "404", "invalid": `400 Bad Request: {"msg":"to.number is missing`,
		"unable": "422",
	} {
		if s, _ := refused[name].(string); !strings.Contains(s, want) {
			t.Errorf("%s: %s, want %s", name, s, want)
		}
	}
}

// TestJambonzVerbs runs documents of the vendor's builders on a real phone:
// digits go both ways, the sound arrives, and every hook is verified.
func TestJambonzVerbs(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	question := speak(t, "Good morning. Please press one two three four on your telephone.")
	sounds := newApp(t)
	prompt := sounds.wav("/question.wav", question)
	a := startHookApp(t, "clients-jambonz", "SECRET="+g.webhookSecret(), "PROMPT="+prompt, "OTHER=")
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto"})
	sid := g.createJSON(a, "bob", "/gather")
	bob.wait("CALL_ESTABLISHED")
	if n := a.until("/gather", 1); n.Body["call_sid"] != sid || n.Body["defaults"] == nil {
		t.Errorf("session:new: %v", n.Body)
	}
	sounds.until("/question.wav", 1)
	pauseFor(time.Duration(len(question))*time.Second/rate + time.Second)
	bob.press("1234")
	if d := a.until("/digits", 1).Body; d["reason"] != "dtmfDetected" || d["digits"] != "1234" {
		t.Errorf("gather told %v", d)
	}
	for _, want := range "59#" {
		if ev := bob.wait("CALL_DTMF_START"); ev.Param != string(want) {
			t.Errorf("digit to the phone: %q, want %q", ev.Param, want)
		}
	}
	poll(t, "four statuses", func() bool { return len(a.statuses(sid)) >= 4 })
	if s := strings.Join(a.statuses(sid), " "); s != "trying ringing in-progress completed" {
		t.Errorf("statuses: %s", s)
	}
	last := a.requests("/status")[3].Body
	if tag, _ := last["customerData"].(map[string]any); tag["step"] != "digits" {
		t.Errorf("the tag verb did not replace the data: %v", last)
	}
	if last["duration"] == nil || last["call_termination_by"] != "jambonz" {
		t.Errorf("the last status: %v", last)
	}
	hears(t, "the phone", bob.heard(), question)
	a.verified()
}

// TestJambonzDial connects two phones: the callee hears the confirm document
// first, the caller's document goes on when the callee hangs up.
func TestJambonzDial(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	question := speak(t, "This is a call for you, and it will be connected now.")
	sounds := newApp(t)
	prompt := sounds.wav("/question.wav", question)
	a := startHookApp(t, "clients-jambonz", "SECRET="+g.webhookSecret(), "PROMPT="+prompt, "OTHER=alice")
	alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "auto"})
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto"})
	sid := g.createJSON(a, "bob", "/dial")
	bob.wait("CALL_ESTABLISHED")
	alice.wait("CALL_ESTABLISHED")
	child, _ := a.until("/confirm", 1).Body["call_sid"].(string)
	if child == "" || child == sid {
		t.Errorf("the confirm hook was asked about %q", child)
	}
	pauseFor(time.Duration(len(question))*time.Second/rate + 2*time.Second)
	alice.do("hangup", "")
	d := a.until("/dialled", 1).Body
	if d["dial_call_status"] != "completed" || d["dial_sip_status"] != 200.0 || d["dial_call_sid"] != child {
		t.Errorf("dial told %v", d)
	}
	sounds.until("/question.wav", 2) // the document goes on after an answer without verbs
	for _, leg := range []string{sid, child} {
		poll(t, "the statuses of "+leg, func() bool { return len(a.statuses(leg)) >= 4 })
		if s := strings.Join(a.statuses(leg), " "); s != "trying ringing in-progress completed" {
			t.Errorf("statuses of %s: %s", leg, s)
		}
	}
	hears(t, "the callee", alice.heard(), question)
	a.verified()
}
