//go:build e2e

package e2e

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestTolls: guards of an account and of a line refuse calls with the API's
// codes and a sentence, for the API and for Dial; what was spent counts after a
// restart, and emergency calls pass.
func TestTolls(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	g, port := trunked(t, a, "")
	g.change("  prefix: \"+1\"\n", "  prefix: \"+\"\n")
	g.change("  lines:\n  - provider\n", "  lines:\n  - provider\n  price: \"0.60\"\n")
	g.configure("tolls:\n- line: provider\n  allow: [US]\n  deny: [\"+1900\"]\n  calls: 1\n- account: " + g.account + "\n  spend: \"1.00\"\n")
	if out := g.run("config", "export"); !strings.Contains(out, "spend: \"1.00\"") || !strings.Contains(out, "allow:") {
		t.Errorf("the export:\n%s", out)
	}
	a.doc("/voice", `<Response><Dial>+442071838750</Dial><Dial>+14155550124</Dial><Dial>+19005550123</Dial><Dial>+1415555</Dial><Pause length="600"/></Response>`)
	form := func(to string) url.Values {
		return url.Values{"To": {to}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}}
	}
	refused := func(to string, status, code int, sentence string) {
		t.Helper()
		got, body := g.post("/Calls.json", form(to))
		if text, _ := body["message"].(string); got != status || body["code"] != float64(code) || !strings.Contains(text, sentence) {
			t.Errorf("a call to %s: %d %v, want %d %d %q", to, got, body, status, code, sentence)
		}
	}
	refused("+19005550123", 400, 21216, "+1900 is denied to line provider")
	startSIPp(t, port, 1, recv("INVITE")+established+hungUp)
	sid := g.create(form("+14155550123"))
	g.until(sid, "in-progress")
	refused("+14155550123", 429, 20429, "line provider has 1 of 1 calls up")
	var children []any
	poll(t, "the Dials have ended", func() bool {
		_, body := g.get("/Calls.json?ParentCallSid=" + sid)
		children, _ = body["calls"].([]any)
		n := 0
		for _, c := range children {
			if c.(map[string]any)["status"] == "failed" {
				n++
			}
		}
		return n == 4
	})
	// The API's own codes say why the box itself did not call.
	_, body := g.get("/Calls/" + sid + "/Notifications.json")
	codes := map[any]string{}
	for _, n := range body["notifications"].([]any) {
		codes[n.(map[string]any)["error_code"]] = n.(map[string]any)["message_text"].(string)
	}
	for code, says := range map[string]string{"13227": "+442071838750 was not called: ", "13225": "+19005550123 was not called: ", "13224": "+1415555 was not called: "} {
		if !strings.HasPrefix(codes[code], says) {
			t.Errorf("%s: %q, want %q; all: %v", code, codes[code], says, codes)
		}
	}
	g.post("/Calls/"+sid+".json", url.Values{"Status": {"completed"}})
	g.until(sid, "completed")
	refused("+14155550123", 429, 20429, "has spent 0.60 of 1.00 today and a minute costs 0.60")
	if n := g.metrics()["callbox_toll_refused_total"]; n != 6 {
		t.Errorf("%v refused calls are counted, want 6", n)
	}
	// What was used can be seen, by guard and by account.
	var used []struct {
		Account, Line, Spend string
		Guard                bool
		Calls                int
		Seconds              float64
		MaxCalls             int    `json:"max_calls"`
		MaxSpend             string `json:"max_spend"`
	}
	if err := json.Unmarshal([]byte(g.run("tolls", "-o", "json")), &used); err != nil || len(used) != 2 {
		t.Fatalf("tolls as JSON: %v, %+v", err, used)
	}
	if u := used[0]; u.Line != "provider" || !u.Guard || u.MaxCalls != 1 || u.Calls != 0 || u.Spend != "0.60" || u.Seconds <= 0 {
		t.Errorf("the line's guard: %+v", u)
	}
	if u := used[1]; u.Account != g.account || !u.Guard || u.MaxSpend != "1.00" || u.Spend != "0.60" || u.Seconds <= 0 {
		t.Errorf("the account's guard: %+v", u)
	}
	if out := g.run("tolls"); !strings.Contains(out, "0 of 1") || !strings.Contains(out, "0.60 of 1.00") {
		t.Errorf("tolls:\n%s", out)
	}
	poll(t, "all is on disk", func() bool { return g.metrics()["callbox_storage_backlog"] == 0 })
	account, token := g.account, g.token
	if err := g.stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	g.start()
	g.account, g.token = account, token
	refused("+14155550123", 429, 20429, "has spent 0.60 of 1.00 today")
	if out := g.run("tolls"); !strings.Contains(out, "0.60 of 1.00") {
		t.Errorf("tolls after the restart:\n%s", out)
	}
	startSIPp(t, port, 1, recv("INVITE")+established+hungUp)
	emergency := g.create(form("911"))
	g.until(emergency, "in-progress")
	g.post("/Calls/"+emergency+".json", url.Values{"Status": {"completed"}})
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(strings.Replace(g.run("config", "export", "--secrets"), "+1900", "ZZ", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := g.tryRun("config", "import", file); err == nil || !strings.Contains(out, "tolls[0].deny[0]: the box does not know the country ZZ") {
		t.Errorf("the import of an unknown country: %s", out)
	}
}
