//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestReferURL: a document's Dial names an address that is asked when the called
// phone wants its caller transferred; the answer runs for the caller.
func TestReferURL(t *testing.T) {
	t.Parallel()
	g := startGateway(t, threeUsers)
	phones, said := three(t, g)
	a := newApp(t)
	a.doc("/refer", `<Response><Dial><Client>carol</Client></Dial></Response>`)
	u := a.doc("/first", `<Response><Dial referUrl="/refer" referMethod="POST"><Client>bob</Client></Dial></Response>`)
	sid := g.create(url.Values{"To": {"client:alice"}, "From": {"+14155550100"}, "Url": {u}})
	phones["bob"].wait("CALL_ESTABLISHED")
	pauseFor(time.Second)
	phones["bob"].do("transfer", "sip:anybody@biloxi.example")
	asked := a.until("/refer", 1)
	if to := asked.form.Get("ReferTransferTarget"); !strings.Contains(to, "sip:anybody@biloxi.example") || asked.form.Get("ParentCallSid") != sid {
		t.Errorf("asked with %v", asked.form)
	}
	if ev := phones["bob"].wait("CALL_CLOSED"); ev.Param != "Call transfered" {
		t.Errorf("bob's phone says %q", ev.Param)
	}
	phones["carol"].wait("CALL_ESTABLISHED")
	pauseFor(8 * time.Second)
	phones["carol"].do("hangup", "")
	phones["alice"].wait("CALL_CLOSED")
	g.until(sid, "completed")
	hearsOnce(t, "alice", phones["alice"].heard(), said["carol"])
	hearsOnce(t, "carol", phones["carol"].heard(), said["alice"])
}

// TestReferHook: the same in JSON. The first answer holds verbs; the second is
// empty, and the application moves the caller by a request of its own.
func TestReferHook(t *testing.T) {
	t.Parallel()
	for _, empty := range []bool{false, true} {
		t.Run(fmt.Sprintf("empty %v", empty), func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, threeUsers)
			phones, said := three(t, g)
			a := newApp(t)
			told := make(chan map[string]any, 10)
			toCarol := `[{"verb":"dial","target":[{"type":"user","name":"carol"}]}]`
			doc := func(path, body string, tell bool) string {
				return a.handle(path, func(w http.ResponseWriter, r *http.Request) {
					var m map[string]any
					_ = json.NewDecoder(r.Body).Decode(&m)
					if tell {
						told <- m
					}
					w.Header().Set("Content-Type", "application/json")
					_, _ = io.WriteString(w, body)
				})
			}
			answer := toCarol
			if empty {
				answer = ""
			}
			doc("/refer", answer, true)
			next := doc("/next", toCarol, false)
			first := doc("/first", `[{"verb":"dial","target":[{"type":"user","name":"bob"}],"referHook":"/refer"}]`, false)
			code, made := g.askJSON(http.MethodPost, "/Calls", fmt.Sprintf(`{"from":"1","to":{"type":"user","name":"alice"},"call_hook":%q}`, first))
			if code != http.StatusCreated {
				t.Fatalf("create: %d %v", code, made)
			}
			phones["bob"].wait("CALL_ESTABLISHED")
			pauseFor(time.Second)
			phones["bob"].do("transfer", "sip:anybody@biloxi.example")
			var m map[string]any
			select {
			case m = <-told:
			case <-time.After(patience):
				t.Fatal("the hook was not asked")
			}
			details, _ := m["refer_details"].(map[string]any)
			if details["refer_to_user"] != "anybody" || details["referred_call_sid"] != made["sid"] || details["referring_call_sid"] != m["call_sid"] || details["sip_user_agent"] == nil {
				t.Errorf("told %v", m)
			}
			if empty {
				if code, body := g.askJSON(http.MethodPut, fmt.Sprintf("/Calls/%v", details["referred_call_sid"]), fmt.Sprintf(`{"call_hook":%q}`, next)); code/100 != 2 {
					t.Fatalf("update: %d %v", code, body)
				}
			}
			phones["bob"].wait("CALL_CLOSED")
			phones["carol"].wait("CALL_ESTABLISHED")
			pauseFor(8 * time.Second)
			phones["carol"].do("hangup", "")
			phones["alice"].wait("CALL_CLOSED")
			hearsOnce(t, "alice", phones["alice"].heard(), said["carol"])
			hearsOnce(t, "carol", phones["carol"].heard(), said["alice"])
		})
	}
}

// TestTransferIsRecorded: the recording of a Dial goes on with whoever the caller is
// transferred to, its action is told of that party, and the record says what was.
func TestTransferIsRecorded(t *testing.T) {
	t.Parallel()
	g := startGateway(t, threeUsers)
	phones, said := three(t, g)
	a := newApp(t)
	a.doc("/after", `<Response><Hangup/></Response>`)
	u := a.doc("/first", `<Response><Dial record="record-from-answer-dual" action="/after"><Client>bob</Client></Dial></Response>`)
	sid := g.create(url.Values{"To": {"client:alice"}, "From": {"+14155550100"}, "Url": {u}})
	phones["bob"].wait("CALL_ESTABLISHED")
	pauseFor(6 * time.Second)
	phones["bob"].do("transfer", "sip:carol@"+g.sip)
	phones["carol"].wait("CALL_ESTABLISHED")
	phones["bob"].wait("CALL_CLOSED")
	pauseFor(8 * time.Second)
	phones["carol"].do("hangup", "")
	after := a.until("/after", 1)
	carol := g.childOf(sid, "carol")
	if after.form.Get("DialCallSid") != carol || after.form.Get("DialCallStatus") != "completed" || after.form.Get("DialBridged") != "true" {
		t.Errorf("the action was told %v, want the call %s", after.form, carol)
	}
	g.until(sid, "completed")
	rec, channels := g.recording(sid)
	if channels != 2 {
		t.Fatalf("the recording has %d channels", channels)
	}
	hearsOnce(t, "the recording, alice", channel(rec, 0, 2), said["alice"])
	hearsOnce(t, "the recording, bob", channel(rec, 1, 2), said["bob"])
	hearsOnce(t, "the recording, carol", channel(rec, 1, 2), said["carol"])
	if out := g.run("trace", sid); !strings.Contains(out, "bob transferred alice to carol") {
		t.Errorf("the trace of the call does not say it:\n%s", out)
	}
}
