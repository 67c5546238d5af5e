//go:build e2e

package e2e

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// TestConsole opens the box's page in a browser: it shows the lines, and the calls with
// what they warn of, as they are; strangers see nothing.
func TestConsole(t *testing.T) {
	t.Parallel()
	g := startGateway(t, "")
	for _, path := range []string{"/", "/console/", "/console/state.json", "/console/console.js"} {
		res, err := http.Get(g.api + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s answers a stranger with %d", path, res.StatusCode)
		}
	}
	b := openBrowser(t, g, "page", nil)
	b.run("location.assign(" + strconv.Quote(strings.Replace(g.api, "://", "://"+g.account+":"+g.token+"@", 1)+"/") + ")")
	shows := func(what string, parts ...string) {
		t.Helper()
		poll(t, what, func() bool {
			page, _ := b.eval("document.body ? document.body.innerText : ''").(string)
			for _, p := range parts {
				if !strings.Contains(page, p) {
					return false
				}
			}
			return true
		})
	}
	shows("the page shows the lines", "fxs1", "on-hook", g.account, "No such call.")
	sid := g.create(url.Values{"To": {"client:fxs1"}, "From": {"+14155550100"}, "ClientNotificationUrl": {"http://127.0.0.1/none"},
		"Twiml": {`<Response><Pause length="60"/></Response>`}})
	shows("the page shows a call that rings", sid, "ringing", "1 call up", "ClientNotificationUrl has no effect on this box")
	g.run("sim", "do", "fxs1", "pick-up")
	shows("the page shows the answer", "in-progress", "in a call")
	g.run("sim", "do", "fxs1", "hang-up")
	shows("the page shows the end", "completed", "0 calls up")
	b.run("(byId('which').value = 'failed', show())")
	shows("no call failed", "No such call.")
}
