//go:build e2e

package e2e

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBoardProfiles: an installer's own board is checked, added, and used from the next
// start on; what is wrong with one is said.
func TestBoardProfiles(t *testing.T) {
	t.Parallel()
	g := startGateway(t, "")
	file := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if out := g.run("board"); !strings.Contains(out, "simulated board") || !strings.Contains(out, "fxs4  loaded") {
		t.Errorf("the simulated board:\n%s", out)
	}
	if out := g.run("board", "list"); !strings.Contains(out, "Raspberry Pi Zero 2 W") || !strings.Contains(out, "BeagleBone") {
		t.Errorf("the known boards:\n%s", out)
	}
	wrong := file("wrong.yaml", "name: lobby\nlike: pi4\nbutton: GPIO16\n")
	for _, cmd := range []string{"check", "add"} {
		if out, err := g.tryRun("board", cmd, wrong); err == nil || !strings.Contains(out, "GPIO16 is used by fxs1's rm and by the button") {
			t.Errorf("%s: %v\n%s", cmd, err, out)
		}
	}
	own := file("lobby.yaml", "name: lobby\ntitle: The box in the lobby\nlike: pi4\nbutton: GPIO17\n")
	g.run("board", "add", own)
	if out := g.run("board", "draw", own); !strings.Contains(out, "<svg") || !strings.Contains(out, "The box in the lobby") {
		t.Errorf("its drawing:\n%s", out)
	}
	if err := g.stop(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	g.board = "lobby"
	g.start()
	// Nothing of it is on this machine, which is said, and keeps nothing from starting.
	out := g.run("board")
	if !strings.Contains(out, "The box in the lobby") || !strings.Contains(out, "fxs2") || !strings.Contains(out, "is not fitted") {
		t.Errorf("the added board:\n%s", out)
	}
	g.run("board", "remove", "lobby")
	if out, err := g.tryRun("board", "remove", "lobby"); err == nil || !strings.Contains(out, "nobody has added") {
		t.Errorf("removed twice: %v\n%s", err, out)
	}
}

// TestReset: the configuration goes back to how it was, the token with it, and the call
// records stay; only when it is asked for does everything go.
func TestReset(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	sid := g.create(url.Values{"To": {"client:alice"}, "From": {"+15550100"}, "Twiml": {"<Response/>"}})
	restarted := func(args ...string) (account, token string) {
		t.Helper()
		account, token = g.account, g.token
		before := len(g.out.String())
		g.run(append([]string{"reset", "--yes"}, args...)...)
		poll(t, "the box starts anew", func() bool { return strings.Contains(g.out.String()[before:], "  data ") })
		g.read(g.out.String()[before:])
		return account, token
	}
	if out, err := g.tryRun("reset"); err == nil {
		t.Errorf("set back without being meant:\n%s", out)
	}
	account, token := restarted()
	if g.account != account || g.token == token {
		t.Errorf("account %s, was %s; token the same: %v", g.account, account, g.token == token)
	}
	if code := callStatus(t, g, account, token, sid); code != http.StatusUnauthorized {
		t.Errorf("the old token: %d", code)
	}
	if code := callStatus(t, g, account, g.token, sid); code != http.StatusOK {
		t.Errorf("the call record: %d", code)
	}
	if out := g.run("config", "export"); strings.Contains(out, "alice") {
		t.Errorf("the users are still there:\n%s", out)
	}
	restarted("--everything")
	if g.account == account {
		t.Error("the account is still there")
	}
	if code := callStatus(t, g, g.account, g.token, sid); code != http.StatusNotFound {
		t.Errorf("the call record after everything: %d", code)
	}
}

// callStatus asks for a call with these keys.
func callStatus(t *testing.T, g *gateway, account, token, sid string) int {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, g.api+"/2010-04-01/Accounts/"+account+"/Calls/"+sid+".json", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(account, token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}
