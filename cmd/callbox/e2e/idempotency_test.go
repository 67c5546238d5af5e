//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
)

// TestCreateOnce: a Create Call that is sent again with its key dials once, in each
// dialect and by either name of the header; the repetition gets the first answer,
// marked as such, also after a restart. Another key, or another account's, dials.
func TestCreateOnce(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	voice := a.doc("/voice", `<Response><Pause length="60"/></Response>`)
	port := freePorts(t, 1)
	g := startGateway(t, fmt.Sprintf("trunks:\n- {name: provider, host: 127.0.0.1, port: %d, transport: udp}\nroutes:\n- {name: all, prefix: \"+1\", lines: [provider]}\n", port))
	far := trunkActor(t, g, port, act{"486 Busy Here", false, nil, 0})
	create := func(dialect, header, key string) (sid, replayed string) {
		t.Helper()
		address, kind := g.callPath(dialect)+"/Calls.json", "application/x-www-form-urlencoded"
		body := url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Url": {voice}}.Encode()
		if dialect == "jambonz" {
			address, kind = g.callPath(dialect)+"/Calls", "application/json"
			body = fmt.Sprintf(`{"from":"+14155550100","to":{"type":"phone","number":"+14155550123"},"call_hook":%q}`, voice)
		}
		req, err := http.NewRequest(http.MethodPost, address, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if req.SetBasicAuth(userOf(g, dialect), g.token); dialect == "jambonz" {
			req.Header.Set("Authorization", "Bearer "+g.token)
		}
		req.Header.Set("Content-Type", kind)
		req.Header.Set(header, key)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode/100 != 2 {
			t.Fatalf("%s: %s", dialect, res.Status)
		}
		return sidOf(t, res.Body), res.Header.Get("Idempotent-Replayed")
	}
	invites := func() int {
		far.mu.Lock()
		defer far.mu.Unlock()
		return far.invites
	}
	headers := map[string]string{"twilio": "I-Twilio-Idempotency-Token", "signalwire": "Idempotency-Key", "restcomm": "Idempotency-Key", "jambonz": "Idempotency-Key"}
	first := map[string]string{}
	for dialect, header := range headers {
		sid, replayed := create(dialect, header, "order-17-of-"+dialect)
		again, mark := create(dialect, header, "order-17-of-"+dialect)
		if sid == "" || again != sid || replayed != "" || mark != "true" {
			t.Errorf("%s: %q (%q), then %q (%q)", dialect, sid, replayed, again, mark)
		}
		first[dialect] = sid
	}
	poll(t, "the calls are over", func() bool { return g.metrics()["callbox_calls"] == 0 })
	if n := invites(); n != len(headers) {
		t.Errorf("%d calls were placed, want %d", n, len(headers))
	}
	poll(t, "all is on disk", func() bool { return g.metrics()["callbox_storage_backlog"] == 0 })
	account, token, project := g.account, g.token, g.project
	g.listen = g.sip
	if err := g.stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	g.start()
	g.account, g.token, g.project = account, token, project
	for dialect, header := range headers {
		if again, mark := create(dialect, header, "order-17-of-"+dialect); again != first[dialect] || mark != "true" {
			t.Errorf("%s, after the restart: %q (%q), want %q", dialect, again, mark, first[dialect])
		}
	}
	if sid, mark := create("twilio", "Idempotency-Key", "order-18"); sid == first["twilio"] || mark != "" {
		t.Errorf("another key: %q (%q)", sid, mark)
	}
	poll(t, "the other key's call is placed", func() bool { return invites() == len(headers)+1 })
}
