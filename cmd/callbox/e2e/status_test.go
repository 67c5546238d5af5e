//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"callbox/api/apitest"
)

// outcomes are the ways in which a call ends, as the far end plays them. Each
// has a trunk of its own: its number is +141555501 and its place in the list.
var outcomes = []struct {
	name     string
	scenario string // of one call; empty: there is no trunk
	short    bool   // the document ends the call
	timeout  bool   // it is let ring for 2 s only
	cancel   bool   // by the API, once it rings
	complete bool   // by the API, once it is up
	last     map[string]string
}{
	{name: "answered, the far end hangs up", last: all("completed"),
		scenario: remember + reply("180 Ringing", "", "") + reply("200 OK", "", "sendrecv") + ack + pause(1500*time.Millisecond) + request("BYE", 1, "") + expect(200)},
	{name: "answered, the document ends", scenario: recv("INVITE") + established + hungUp, short: true, last: all("completed")},
	{name: "answered, the API completes it", scenario: recv("INVITE") + established + hungUp, complete: true, last: all("completed")},
	{name: "busy", scenario: recv("INVITE") + reply("180 Ringing", "", "") + reply("486 Busy Here", "", "") + ack, last: all("busy")},
	{name: "declined", scenario: recv("INVITE") + reply("603 Decline", "", "") + ack, last: all("busy")},
	{name: "no answer", scenario: recv("INVITE") + reply("180 Ringing", "", "") + cancelled, timeout: true, last: all("no-answer")},
	{name: "unavailable", scenario: recv("INVITE") + reply("480 Temporarily Unavailable", "", "") + ack,
		last: map[string]string{"twilio": "no-answer", "signalwire": "no-answer", "restcomm": "no-answer", "jambonz": "failed"}},
	{name: "cancelled", scenario: recv("INVITE") + reply("180 Ringing", "", "") + cancelled, cancel: true,
		last: map[string]string{"twilio": "canceled", "signalwire": "canceled", "restcomm": "canceled", "jambonz": "no-answer"}},
	{name: "a number that does not exist", scenario: recv("INVITE") + reply("404 Not Found", "", "") + ack, last: all("failed")},
	{name: "rings, sounds, busy", last: all("busy"),
		scenario: recv("INVITE") + reply("180 Ringing", "", "") + pause(200*time.Millisecond) + reply("183 Session Progress", "", "sendrecv") + pause(200*time.Millisecond) + reply("486 Busy Here", "", "") + ack},
	{name: "sounds, busy", last: all("busy"),
		scenario: recv("INVITE") + reply("183 Session Progress", "", "sendrecv") + pause(200*time.Millisecond) + reply("486 Busy Here", "", "") + ack},
	{name: "no route", last: all("failed")},
}

var statusDialects = []string{"twilio", "signalwire", "restcomm", "jambonz"}

func all(status string) map[string]string {
	out := map[string]string{}
	for _, d := range statusDialects {
		out[d] = status
	}
	return out
}

// TestStatusMessages is the table of call-api.md §3: what each dialect's status
// hook is told for each way in which a call ends, message by message with every
// parameter. What differs from run to run is named in braces.
func TestStatusMessages(t *testing.T) {
	t.Parallel()
	seen := newStatusLog()
	app := httptest.NewServer(seen)
	t.Cleanup(app.Close)
	g := startGateway(t, "")
	var config strings.Builder
	config.WriteString("trunks:\n")
	ports := make([]int, len(outcomes))
	for i, o := range outcomes {
		if o.scenario != "" {
			ports[i] = freePorts(t, 1)
			fmt.Fprintf(&config, "- {name: far%d, host: 127.0.0.1, port: %d}\n", i, ports[i])
		}
	}
	config.WriteString("routes:\n")
	for i, o := range outcomes {
		if o.scenario != "" {
			fmt.Fprintf(&config, "- {name: far%d, prefix: \"+141555501%02d\", lines: [far%d]}\n", i, i, i)
		}
	}
	g.configure(config.String())
	t.Run("calls", func(t *testing.T) {
		for i, o := range outcomes {
			t.Run(o.name, func(t *testing.T) {
				t.Parallel()
				var far *sipp
				if o.scenario != "" {
					far = startSIPp(t, ports[i], len(statusDialects), o.scenario)
				}
				for _, dialect := range statusDialects {
					g.playOutcome(t, i, dialect, app.URL, seen)
				}
				if far != nil {
					ctx, cancel := context.WithTimeout(context.Background(), patience)
					defer cancel()
					far.succeeds(ctx)
				}
			})
		}
	})
	if t.Failed() {
		return
	}
	poll(t, "all is delivered", func() bool { return g.metrics()["callbox_calls"] == 0 })
	for _, dialect := range statusDialects {
		var b strings.Builder
		for i, o := range outcomes {
			fmt.Fprintf(&b, "== %s\n", o.name)
			for _, m := range seen.messages(dialect, i) {
				b.WriteString(m)
			}
		}
		apitest.Golden(t, "status-"+dialect+".txt", g.neutral(b.String()))
	}
}

// playOutcome makes one call and waits for its last message.
func (g *gateway) playOutcome(t *testing.T, i int, dialect, app string, seen *statusLog) {
	t.Helper()
	o := outcomes[i]
	number := fmt.Sprintf("+141555501%02d", i)
	script, status := app+"/long/"+dialect, fmt.Sprintf("%s/status/%s/%d", app, dialect, i)
	if o.short {
		script = app + "/short/" + dialect
	}
	base, secret := g.callPath(dialect), g.token
	var sid string
	if dialect == "jambonz" {
		body := fmt.Sprintf(`{"from":"+14155550199","to":{"type":"phone","number":%q},"call_hook":%q,"call_status_hook":%q`, number, script, status)
		if o.timeout {
			body += `,"timeout":2`
		}
		sid = ask(t, "POST", base+"/Calls", "", secret, body+"}")
	} else {
		form := url.Values{"To": {number}, "From": {"+14155550199"}, "Url": {script}, "StatusCallback": {status},
			"StatusCallbackEvent": {"initiated", "ringing", "answered", "completed"}}
		if o.timeout {
			form.Set("Timeout", "2")
		}
		sid = ask(t, "POST", base+"/Calls.json", userOf(g, dialect), secret, form.Encode())
	}
	said := func(status string) func() bool {
		return func() bool { return slices.Contains(seen.statuses(dialect, i), status) }
	}
	if o.cancel || o.complete {
		state, name := "ringing", "canceled"
		if o.complete {
			state, name = "in-progress", "completed"
		}
		poll(t, dialect+" hears of "+state, said(state))
		if dialect == "jambonz" {
			ask(t, "PUT", base+"/Calls/"+sid, "", secret, `{"call_status":"completed"}`)
		} else {
			ask(t, "POST", base+"/Calls/"+sid+".json", userOf(g, dialect), secret, "Status="+name)
		}
	}
	poll(t, dialect+" hears of the end", said(o.last[dialect]))
	seen.name(sid)
}

// callPath is the account's address in a dialect.
func (g *gateway) callPath(dialect string) string {
	return g.api + map[string]string{"twilio": "/2010-04-01/Accounts/" + g.account, "signalwire": "/api/laml/2010-04-01/Accounts/" + g.project,
		"restcomm": "/restcomm/2012-04-24/Accounts/" + g.account, "jambonz": "/v1/Accounts/" + g.account}[dialect]
}

// userOf is who the account is to a dialect.
func userOf(g *gateway, dialect string) string {
	if dialect == "signalwire" {
		return g.project
	}
	return g.account
}

// ask makes a request to a call API: a form with a user, else JSON. It gives the
// sid in the answer, if any.
func ask(t *testing.T, method, address, user, secret, body string) string {
	t.Helper()
	req, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if user == "" {
		req.Header.Set("Authorization", "Bearer "+secret)
		req.Header.Set("Content-Type", "application/json")
	} else {
		req.SetBasicAuth(user, secret)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s %s, %v", method, address, res.Status, b, err)
	}
	var answer struct{ Sid string }
	_ = json.Unmarshal(b, &answer) // some answers are text
	return answer.Sid
}

// statusLog is an application that notes what its status hooks are told. The
// path says the dialect and the outcome.
type statusLog struct {
	mu    sync.Mutex // guards all below
	told  map[string][]map[string]any
	raw   map[string][]string
	calls []string
}

func newStatusLog() *statusLog {
	return &statusLog{told: map[string][]map[string]any{}, raw: map[string][]string{}}
}

func (l *statusLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if path[0] != "status" {
		length := map[string]int{"short": 1, "long": 600}[path[0]]
		if path[1] == "jambonz" {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `[{"verb":"pause","length":%d}]`, length)
			return
		}
		w.Header().Set("Content-Type", "text/xml")
		fmt.Fprintf(w, `<Response><Pause length="%d"/></Response>`, length)
		return
	}
	body, _ := io.ReadAll(r.Body)
	told, lines := map[string]any{}, r.Method+" "+strings.Split(r.Header.Get("Content-Type"), ";")[0]+"\n"
	if path[1] == "jambonz" {
		_ = json.Unmarshal(body, &told) // an empty one is told below
		trace, _ := told["trace_id"].(string)
		lines += "  b3: " + strings.Replace(r.Header.Get("b3"), trace, "{trace}", 1) + "\n"
		for _, k := range slices.Sorted(maps.Keys(told)) {
			v, _ := json.Marshal(told[k])
			lines += "  " + k + "=" + string(v) + "\n"
		}
	} else {
		for _, pair := range strings.Split(string(body), "&") {
			k, v, _ := strings.Cut(pair, "=")
			v, _ = url.QueryUnescape(v)
			told[k] = v
			lines += "  " + k + "=" + v + "\n"
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	key := path[1] + "/" + path[2]
	l.told[key] = append(l.told[key], told)
	l.raw[key] = append(l.raw[key], lines)
	w.WriteHeader(http.StatusNoContent)
}

// statuses are those told so far of an outcome.
func (l *statusLog) statuses(dialect string, outcome int) (out []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, told := range l.told[fmt.Sprintf("%s/%d", dialect, outcome)] {
		for _, k := range []string{"CallStatus", "call_status"} {
			if s, ok := told[k].(string); ok {
				out = append(out, s)
			}
		}
	}
	return out
}

func (l *statusLog) messages(dialect string, outcome int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := slices.Clone(l.raw[fmt.Sprintf("%s/%d", dialect, outcome)])
	for i := range out {
		for _, sid := range l.calls {
			out[i] = strings.ReplaceAll(out[i], sid, "{call}")
		}
	}
	return out
}

func (l *statusLog) name(sid string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, sid)
}

// varying are the values that differ from run to run.
var varying = []struct {
	pattern *regexp.Regexp
	name    string
}{
	{regexp.MustCompile(`(CallStatus=completed\n(?:  .*\n)*  CallDuration=)\d+\n`), "$1{seconds}\n"},
	{regexp.MustCompile(`(?m)^(  duration=)\d+$`), "$1{seconds}"},
	{regexp.MustCompile(`(?m)^(  Audio\w+=).*$`), "$1{number}"},
	{regexp.MustCompile(`(?m)^(  InstanceId=)ID[0-9a-f]{32}$`), "$1{instance}"},
	{regexp.MustCompile(`(?m)^(  trace_id=)"[0-9a-f]{32}"$`), "$1{trace}"},
	{regexp.MustCompile(`(?m)^(  b3: \{trace\}-)[0-9a-f]{16}-1$`), "$1{span}-1"},
	{regexp.MustCompile(`(?m)^(  (?:call_id|sbc_callid)=)"[^"]+"$`), "$1{Call-ID}"},
}

// neutral names what differs from run to run, once it was checked.
func (g *gateway) neutral(s string) string {
	g.t.Helper()
	s = regexp.MustCompile(`(?m)^(  Timestamp=)(.*)$`).ReplaceAllStringFunc(s, func(line string) string {
		name, value, _ := strings.Cut(line, "=")
		if at, err := mail.ParseDate(value); err != nil || time.Since(at).Abs() > 10*time.Minute {
			g.t.Errorf("%s: not the time: %v", line, err)
		}
		return name + "={time}"
	})
	for _, v := range varying {
		s = v.pattern.ReplaceAllString(s, v.name)
	}
	return strings.NewReplacer(g.account, "{account}", g.project, "{project}", g.api, "{box}").Replace(s)
}
