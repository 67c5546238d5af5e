//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFirstBoot checks what the first start prints and leaves, and that the
// second start shows no secret.
func TestFirstBoot(t *testing.T) {
	t.Parallel()
	g := startGateway(t, "")
	if g.ready > 1500*time.Millisecond {
		t.Errorf("ready after %s, want under 1.5 s", g.ready)
	}
	if len(g.token) != 32 || strings.Trim(g.token, "0123456789abcdef") != "" {
		t.Errorf("the token is not plain hex: %d characters", len(g.token))
	}
	for _, f := range []string{"callbox.db", "ca.pem"} {
		if _, err := os.Stat(filepath.Join(g.dir, f)); err != nil {
			t.Error(err)
		}
	}
	if err := g.stop(syscall.SIGTERM); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	log := g.log.String()
	account, token := g.account, g.token
	g.start()
	if strings.Contains(g.out.String(), token) {
		t.Error("the second start shows the token again")
	}
	if strings.Contains(log+g.log.String(), token) {
		t.Error("the token is in the log")
	}
	g.account, g.token = account, token
	if code, _ := g.get("/Calls.json"); code != 200 {
		t.Errorf("the account of the first boot: %d", code)
	}
}

// TestTerminate stops the gateway while a call is up: the call is ended within
// the bound, told, remembered, and the exit status is 0.
func TestTerminate(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	g, port := trunked(t, a, "")
	a.doc("/voice", `<Response><Pause length="600"/></Response>`)
	startSIPp(t, port, 1, recv("INVITE")+established+hungUp)
	sid := g.create(url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}, "StatusCallback": {a.URL + "/status"}})
	g.until(sid, "in-progress")
	began := time.Now()
	g.cmd.Process.Signal(syscall.SIGTERM)
	poll(t, "new calls are refused", func() bool {
		code, body := g.post("/Calls.json", url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
		if code == http.StatusCreated {
			return false
		}
		if code != http.StatusServiceUnavailable || body["code"] == nil {
			t.Fatalf("a call during shutdown: %d %v", code, body)
		}
		return true
	})
	if err := g.stop(syscall.SIGTERM); err != nil {
		t.Errorf("exit: %v", err)
	}
	if d := time.Since(began); d > 60*time.Second {
		t.Errorf("shutdown took %s", d)
	}
	account, token := g.account, g.token
	g.start()
	g.account, g.token = account, token
	_, rec := g.get("/Calls/" + sid + ".json")
	if rec["status"] != "completed" {
		t.Errorf("the call's record after the restart: %v", rec)
	}
	// The final callback was sent before the stop, or is sent now.
	if s := a.until("/status", 1); s.form.Get("CallStatus") != "completed" {
		t.Errorf("callback %v", s.form)
	}
}

// TestKill cuts the power (SIGKILL) with a call up and a receiver that is down:
// after the restart every callback arrives, in order, the last one saying how
// the call ended.
func TestKill(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	g, port := trunked(t, a, "")
	a.doc("/voice", `<Response><Pause length="600"/></Response>`)
	startSIPp(t, port, 1, recv("INVITE")+established+hungUp)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	down := "http://" + ln.Addr().String() + "/status"
	ln.Close() // nobody listens there for now
	sid := g.create(url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}, "StatusCallback": {down},
		"StatusCallbackEvent": {"initiated", "ringing", "answered", "completed"}})
	g.until(sid, "in-progress")
	poll(t, "the answer is on disk", func() bool { return g.metrics()["callbox_storage_backlog"] == 0 })
	g.stop(syscall.SIGKILL)
	account, token := g.account, g.token
	g.start()
	g.account, g.token = account, token
	_, rec := g.get("/Calls/" + sid + ".json")
	if rec["status"] != "completed" || rec["end_time"] == nil {
		t.Errorf("the call's record after the kill: %v", rec)
	}
	again, err := net.Listen("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: a}
	go srv.Serve(again)
	defer srv.Close()
	poll(t, "all callbacks", func() bool { return len(a.requests("/status")) >= 4 })
	var got []string
	for _, r := range a.requests("/status") {
		got = append(got, r.form.Get("SequenceNumber")+" "+r.form.Get("CallStatus"))
	}
	if want := "0 initiated,1 ringing,2 in-progress,3 completed"; strings.Join(got, ",") != want {
		t.Errorf("callbacks %v, want %s", got, want)
	}
}

// TestCommandLine uses the gateway as root on the box does: without a key.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	g, port := trunked(t, a, "")
	s := startSIPp(t, port, 2, recv("INVITE")+established+hungUp)
	out := g.run("call", "--from", "+14155550100", "--to", "+14155550123", "--twiml", `<Response><Pause length="1"/></Response>`, "--follow")
	for _, want := range []string{"initiated", "ringing", "answered", "completed"} {
		if !strings.Contains(out, want) {
			t.Errorf("call --follow does not tell %s:\n%s", want, out)
		}
	}
	sid := strings.TrimSpace(g.run("call", "--from", "+14155550100", "--to", "+14155550123", "--twiml", `<Response><Pause length="1"/></Response>`))
	g.until(sid, "completed")
	_ = s
	var list []map[string]any
	if err := json.Unmarshal([]byte(g.run("calls", "-o", "json")), &list); err != nil || len(list) != 2 || list[0]["id"] != sid {
		t.Errorf("calls -o json: %v, %v", err, list)
	}
	if table := g.run("calls"); !strings.Contains(table, sid) || !strings.Contains(table, "provider") {
		t.Errorf("calls:\n%s", table)
	}
	if out, err := g.tryRun("call", "--from", "1", "--to", "+999", "--twiml", `<Response/>`, "--follow"); err == nil || !strings.Contains(out, "not answered") {
		t.Errorf("a call that cannot be placed: %v\n%s", err, out)
	}
	if out, err := g.tryRun("call", "--from", "1", "--to", "2", "--twiml", `<Response><Play>`); err == nil || !strings.Contains(out, "twiml") {
		t.Errorf("bad TwiML: %v\n%s", err, out)
	}
	if out := g.run("lines"); !strings.Contains(out, "fxs1") || !strings.Contains(out, "provider") {
		t.Errorf("lines:\n%s", out)
	}
	if out := g.run("route", "+14155550123"); !strings.Contains(out, "long distance") {
		t.Errorf("route:\n%s", out)
	}
	if out := g.run("version"); !strings.HasPrefix(out, "callbox ") {
		t.Errorf("version: %s", out)
	}
	if out := g.run("config", "export"); strings.Contains(out, g.token) {
		t.Error("the export shows the token")
	}
	other := &gateway{t: t, dir: t.TempDir()}
	if out, err := other.tryRun("calls"); err == nil || !strings.Contains(out, "callbox serve") {
		t.Errorf("no gateway: %v\n%s", err, out)
	}
}

// TestSecondGateway: two gateways on one data folder would ruin it.
func TestSecondGateway(t *testing.T) {
	t.Parallel()
	g := startGateway(t, "")
	out, err := g.tryRun("serve", "--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--sip", fmt.Sprintf("127.0.0.1:%d", freePorts(t, 2)), "--board", "sim")
	if err == nil || !strings.Contains(out, "another") {
		t.Errorf("the second gateway: %v\n%s", err, out)
	}
	if code, _ := g.get("/Calls.json"); code != 200 {
		t.Errorf("the first gateway: %d", code)
	}
}

// TestBadRequests: the right 4xx with Twilio's code and a sentence, and no call.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	g := startGateway(t, "")
	good := url.Values{"To": {"client:fxs1"}, "From": {"+14155550100"}, "Twiml": {"<Response/>"}}
	for name, tc := range map[string]struct {
		set  url.Values
		code float64
	}{
		"no To": {url.Values{"To": nil}, 21201}, "no From": {url.Values{"From": nil}, 21213},
		"no script": {url.Values{"Twiml": nil}, 21205}, "method": {url.Values{"Method": {"PATCH"}}, 21209},
		"digits": {url.Values{"SendDigits": {"12x"}}, 21206}, "bad twiml": {url.Values{"Twiml": {"<Response><Say>"}}, 12100},
		"long twiml": {url.Values{"Twiml": {"<Response>" + strings.Repeat(" ", 4001) + "</Response>"}}, 32018},
		"bad utf-8":  {url.Values{"Twiml": {"<Response><Say>\xff\xfe</Say></Response>"}}, 20001},
		"to":         {url.Values{"To": {"sip:"}}, 21211},
	} {
		form := url.Values{}
		for k, v := range good {
			form[k] = v
		}
		for k, v := range tc.set {
			form[k] = v
		}
		code, body := g.post("/Calls.json", form)
		if code < 400 || code > 499 || body["message"] == "" {
			t.Errorf("%s: %d %v", name, code, body)
		}
		if body["code"] != tc.code {
			t.Errorf("%s: code %v, want %v (%v)", name, body["code"], tc.code, body["message"])
		}
	}
	if _, list := g.get("/Calls.json"); len(list["calls"].([]any)) != 0 {
		t.Errorf("bad requests made calls: %v", list)
	}
}
