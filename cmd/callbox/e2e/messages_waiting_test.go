//go:build e2e

package e2e

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMessagesWaiting: baresip subscribes to its messages, a phone that does not is
// told all the same, and what was said outlasts the box.
func TestMessagesWaiting(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	b := subscribedBaresip(t, g)
	says := func(want ...string) {
		t.Helper()
		for _, w := range want {
			poll(t, "baresip is told "+w, func() bool { return strings.Contains(b.log.String(), w) })
		}
	}
	says("Messages-Waiting: no", "Voice-Message: 0/0 (0/0)")
	if out := g.run("messages", "bob", "--new", "2", "--old", "8", "--urgent-old", "2"); !strings.Contains(out, "bob   2    8    0           2") {
		t.Errorf("the command says\n%s", out)
	}
	says("Messages-Waiting: yes", "Voice-Message: 2/8 (0/2)", "Message-Account: sip:bob@")

	alice := newPanel(t, g, "alice", "a1l2i3c4e5")
	alice.register()
	status := messagesOverHTTP(t, g, http.MethodPut, "alice", `{"new":3}`)
	if status != http.StatusOK {
		t.Errorf("PUT: %d", status)
	}
	waiting := func(p *panel, want string) {
		t.Helper()
		poll(t, "the phone is told "+want, func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return len(p.notices) > 0 && strings.Contains(p.notices[len(p.notices)-1].body, want)
		})
	}
	waiting(alice, "Voice-Message: 3/0 (0/0)")
	if n := alice.notices[len(alice.notices)-1]; n.event != "message-summary" || n.kind != "application/simple-message-summary" || !strings.HasPrefix(n.state, "terminated") {
		t.Errorf("the phone was told\n%s", n.text)
	}
	if status := messagesOverHTTP(t, g, http.MethodPut, "mallory", `{"new":3}`); status != http.StatusNotFound {
		t.Errorf("an unknown user: %d", status)
	}
	b.stop() // without the box that it has subscribed at it takes half a minute
	_ = g.stop(syscall.SIGKILL)
	g.listen = g.sip
	g.start()
	poll(t, "the users are there", func() bool { _, text := g.status("alice"); return text == "no phone registered" })
	again := newPanel(t, g, "alice", "a1l2i3c4e5")
	again.register() // nothing has changed, but this phone does not know
	waiting(again, "Voice-Message: 3/0 (0/0)")
	g.run("messages", "alice", "--new", "0")
	waiting(again, "Messages-Waiting: no")
}

// subscribedBaresip starts a phone of bob's that has subscribed to his messages.
// Debian's baresip 1.0.0 now and then ignores every challenge to its SUBSCRIBE and
// repeats it without end; another one, started in its place, does not.
func subscribedBaresip(t *testing.T, g *gateway) *baresip {
	t.Helper()
	for range 10 {
		b := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "manual", modules: "mwi"})
		poll(t, "baresip has subscribed", func() bool {
			return g.metrics()["callbox_sip_subscriptions"] == 1 || strings.Count(b.log.String(), "mwi: subscribing") > 100
		})
		if strings.Count(b.log.String(), "mwi: subscribing") < 100 {
			return b
		}
		b.cmd.Process.Kill()
		b.stop()
	}
	t.Fatal("no baresip subscribes")
	return nil
}

// messagesOverHTTP asks the API of waiting messages and gives the status.
func messagesOverHTTP(t *testing.T, g *gateway, method, user, body string) int {
	t.Helper()
	req, err := http.NewRequest(method, g.api+"/api/users/"+user+"/messages", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(g.account, g.token)
	res, err := (&http.Client{Timeout: time.Minute}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}
