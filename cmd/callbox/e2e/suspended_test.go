//go:build e2e

package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestSuspendedAccount: a suspended account is refused by all call APIs in their own
// words, its application answers no calls from outside, and all is as before when it
// is let in again.
func TestSuspendedAccount(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.doc("/in", `<Response><Pause length="1"/><Hangup/></Response>`)
	g, _ := trunked(t, a, "")
	g.change("  name: box\n", "  name: box\n  suspended: true\n")
	ask := func(dialect, secret string) (int, string) {
		t.Helper()
		req, err := http.NewRequest(http.MethodGet, g.callPath(dialect)+map[bool]string{true: "/Calls", false: "/Calls.json"}[dialect == "jambonz"], nil)
		if err != nil {
			t.Fatal(err)
		}
		if req.SetBasicAuth(userOf(g, dialect), secret); dialect == "jambonz" {
			req.Header.Set("Authorization", "Bearer "+secret)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(b)
	}
	for dialect, says := range map[string]string{"twilio": `"code":20005,`, "signalwire": `"code":20005,`, "restcomm": "this account is suspended", "jambonz": `{"msg":"this account is suspended`} {
		if status, body := ask(dialect, g.token); status != http.StatusForbidden || !strings.Contains(body, says) {
			t.Errorf("%s: %d %s", dialect, status, body)
		}
		if status, body := ask(dialect, strings.Repeat("0", 32)); status != http.StatusUnauthorized || strings.Contains(body, "suspended") {
			t.Errorf("%s, with a wrong token: %d %s", dialect, status, body)
		}
	}
	r := newRawCaller(t, g, "suspended", freePorts(t, 2))
	r.send(r.request("INVITE", "a", 1), 1)
	r.next("SIP/2.0 403")
	if n := len(a.requests("/in")); n != 0 {
		t.Errorf("its application was asked %d times", n)
	}
	g.change("  suspended: true\n", "")
	for _, dialect := range statusDialects {
		if status, body := ask(dialect, g.token); status != http.StatusOK {
			t.Errorf("%s, afterwards: %d %s", dialect, status, body)
		}
	}
	r = newRawCaller(t, g, "active", freePorts(t, 2))
	r.send(r.request("INVITE", "a", 1), 1)
	r.next("SIP/2.0 200")
	a.until("/in", 1)
}
