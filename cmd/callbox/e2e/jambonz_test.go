//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// clientsOnce installs the vendor's clients by their lock file, once.
var clientsOnce = sync.OnceValue(func() error {
	cmd := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	cmd.Dir = "clients-jambonz"
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	return nil
})

// program is one of the programs that use the vendor's clients.
func program(t *testing.T, ctx context.Context, env []string, args ...string) *exec.Cmd {
	t.Helper()
	if err := clientsOnce(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.Dir = "clients-jambonz"
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// hookApp is the application of app.mjs: what its builders made, and what it was
// asked.
type hookApp struct {
	t   *testing.T
	url string

	mu    sync.Mutex
	heard []heardHook
}

type heardHook struct {
	Path, Query string
	Body        map[string]any
	Errors      []string // of the vendor's verifiers
}

// startHookApp runs the application.
func startHookApp(t *testing.T, env ...string) *hookApp {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := program(t, ctx, env, "app.mjs")
	log := &lockedBuffer{}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	if !lines.Scan() {
		t.Fatalf("the application does not start:\n%s", log)
	}
	a := &hookApp{t: t, url: lines.Text()}
	done := make(chan struct{})
	go func() { // ended by the end of the program, waited for through done
		defer close(done)
		for lines.Scan() {
			var h heardHook
			if json.Unmarshal(lines.Bytes(), &h) == nil {
				a.mu.Lock()
				a.heard = append(a.heard, h)
				a.mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("the application's log:\n%s", log)
		}
	})
	return a
}

// requests gives what was asked at path.
func (a *hookApp) requests(path string) []heardHook {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []heardHook
	for _, h := range a.heard {
		if h.Path == path {
			out = append(out, h)
		}
	}
	return out
}

// until waits for the n-th request to path.
func (a *hookApp) until(path string, n int, d time.Duration) heardHook {
	a.t.Helper()
	poll(a.t, d, fmt.Sprintf("request %d to %s", n, path), func() bool { return len(a.requests(path)) >= n })
	return a.requests(path)[n-1]
}

// verified checks that the vendor's verifiers accepted every request.
func (a *hookApp) verified() {
	a.t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, h := range a.heard {
		if len(h.Errors) > 0 {
			a.t.Errorf("%s %v: refused by the verifiers: %v", h.Path, h.Body, h.Errors)
		}
	}
}

// statuses gives the call_status of the requests to /status about a call.
func (a *hookApp) statuses(sid string) []string {
	var out []string
	for _, h := range a.requests("/status") {
		if h.Body["call_sid"] == sid {
			out = append(out, h.Body["call_status"].(string))
		}
	}
	return out
}

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
	a := startHookApp(t, "SECRET="+g.webhookSecret(), "PROMPT=", "OTHER=")
	startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto"})
	run := func(scenario string) map[string]any {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
		defer cancel()
		cmd := program(t, ctx, []string{"BASE=" + g.api, "ACCOUNT=" + g.account, "KEY=" + g.token, "TO=bob",
			"HOOK=" + a.url + "/hold", "STATUS=" + a.url + "/status"}, "rest.mjs", scenario)
		log := &lockedBuffer{}
		cmd.Stderr = log
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v\n%s", scenario, err, log)
		}
		var v map[string]any
		if err := json.Unmarshal(out, &v); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		return v
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
	a.until("/hold", 4, 10*time.Second)
	for i, query := range []string{"", "?redirected=1", "", "?redirected=2"} {
		if r := a.requests("/hold")[i]; r.Query != query {
			t.Errorf("document %d was asked for with %q, want %q", i, r.Query, query)
		}
	}
	poll(t, 15*time.Second, "the statuses of the first call", func() bool { return len(a.statuses(sid)) >= 4 })
	if s := strings.Join(a.statuses(sid), " "); s != "trying ringing in-progress completed" {
		t.Errorf("statuses: %s", s)
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
	a := startHookApp(t, "SECRET="+g.webhookSecret(), "PROMPT="+prompt, "OTHER=")
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto"})
	sid := g.createJSON(a, "bob", "/gather")
	bob.wait("CALL_ESTABLISHED", 10*time.Second)
	if n := a.until("/gather", 1, 10*time.Second); n.Body["call_sid"] != sid || n.Body["defaults"] == nil {
		t.Errorf("session:new: %v", n.Body)
	}
	sounds.until("/question.wav", 1, 10*time.Second)
	pauseFor(time.Duration(len(question))*time.Second/rate + time.Second)
	bob.press("1234")
	if d := a.until("/digits", 1, 10*time.Second).Body; d["reason"] != "dtmfDetected" || d["digits"] != "1234" {
		t.Errorf("gather told %v", d)
	}
	for _, want := range "59#" {
		if ev := bob.wait("CALL_DTMF_START", 10*time.Second); ev.Param != string(want) {
			t.Errorf("digit to the phone: %q, want %q", ev.Param, want)
		}
	}
	poll(t, 20*time.Second, "four statuses", func() bool { return len(a.statuses(sid)) >= 4 })
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
	a := startHookApp(t, "SECRET="+g.webhookSecret(), "PROMPT="+prompt, "OTHER=alice")
	alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "auto"})
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto"})
	sid := g.createJSON(a, "bob", "/dial")
	bob.wait("CALL_ESTABLISHED", 10*time.Second)
	alice.wait("CALL_ESTABLISHED", 10*time.Second)
	child, _ := a.until("/confirm", 1, 10*time.Second).Body["call_sid"].(string)
	if child == "" || child == sid {
		t.Errorf("the confirm hook was asked about %q", child)
	}
	pauseFor(time.Duration(len(question))*time.Second/rate + 2*time.Second)
	alice.do("hangup", "")
	d := a.until("/dialled", 1, 10*time.Second).Body
	if d["dial_call_status"] != "completed" || d["dial_sip_status"] != 200.0 || d["dial_call_sid"] != child {
		t.Errorf("dial told %v", d)
	}
	sounds.until("/question.wav", 2, 10*time.Second) // the document goes on after an answer without verbs
	for _, leg := range []string{sid, child} {
		poll(t, 20*time.Second, "the statuses of "+leg, func() bool { return len(a.statuses(leg)) >= 4 })
		if s := strings.Join(a.statuses(leg), " "); s != "trying ringing in-progress completed" {
			t.Errorf("statuses of %s: %s", leg, s)
		}
	}
	hears(t, "the callee", alice.heard(), question)
	a.verified()
}

// TestJambonzLock: the lock file pins the versions that the clients were read in.
func TestJambonzLock(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join("clients-jambonz", "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Packages map[string]struct{ Version, Integrity string }
	}
	if err := json.Unmarshal(b, &lock); err != nil {
		t.Fatal(err)
	}
	for name, version := range map[string]string{"node-client": "0.4.11", "sdk": "0.10.1"} {
		if p := lock.Packages["node_modules/@jambonz/"+name]; p.Version != version || p.Integrity == "" {
			t.Errorf("%s: %+v, want %s", name, p, version)
		}
	}
}
