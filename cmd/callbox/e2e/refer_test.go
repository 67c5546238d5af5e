//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestRefer: a phone is asked to call another one itself, without the box, says
// how that goes, and the hooks are told.
func TestRefer(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "auto"})
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto"})
	a := newApp(t)
	told := map[string]chan map[string]any{}
	var base string
	for path, body := range map[string]string{
		"/first": fmt.Sprintf(`[{"verb":"sip:request","method":"INFO","body":"hello","headers":{"X-A":"b"},"actionHook":"/told"},{"verb":"sip:refer","referTo":"sip:alice@%s","actionHook":"/referred","eventHook":"/step"}]`, alice.addr),
		"/told":  "", "/step": "", "/referred": `[{"verb":"hangup"}]`,
	} {
		ch := make(chan map[string]any, 100)
		told[path] = ch
		u := a.handle(path, func(w http.ResponseWriter, r *http.Request) {
			var m map[string]any
			_ = json.NewDecoder(r.Body).Decode(&m)
			ch <- m
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, body)
		})
		base = strings.TrimSuffix(u, path)
	}
	await := func(path string) map[string]any {
		t.Helper()
		select {
		case m := <-told[path]:
			return m
		case <-time.After(patience):
			t.Fatalf("%s was not asked; the phone's log:\n%s", path, bob.log.String())
			return nil
		}
	}
	if code, body := g.askJSON(http.MethodPost, "/Calls", fmt.Sprintf(`{"from":"1","to":{"type":"user","name":"bob"},"call_hook":%q}`, base+"/first")); code != http.StatusCreated {
		t.Fatalf("create: %d %v", code, body)
	}
	if m := await("/told"); m["result"] != "success" || m["sip_status"] == nil {
		t.Errorf("sip:request told %v", m)
	}
	alice.wait("CALL_ESTABLISHED")
	if m := await("/step"); m["event"] != "transfer-status" {
		t.Errorf("the first step: %v", m)
	}
	if m := await("/referred"); m["refer_status"] != 202.0 || m["final_referred_call_status"] != 200.0 {
		t.Errorf("sip:refer told %v", m)
	}
}

// TestReferFails: a phone takes a referral on and does not get through; the action
// of the XML language is told.
func TestReferFails(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto"})
	a := newApp(t)
	done := a.doc("/done", `<Response><Hangup/></Response>`)
	u := a.doc("/refer", fmt.Sprintf(`<Response><Refer action=%q><Sip>sip:nobody@%s</Sip></Refer></Response>`, done, g.sip))
	g.create(map[string][]string{"To": {"client:bob"}, "From": {"+14155550100"}, "Url": {u}})
	bob.wait("CALL_ESTABLISHED")
	r := a.until("/done", 1)
	if r.form.Get("ReferCallStatus") != "failed" || r.form.Get("ReferSipResponseCode") != "202" {
		t.Errorf("Refer told %v", r.form)
	}
}
