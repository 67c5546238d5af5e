//go:build e2e

package e2e

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// twoManual starts alice and bob as phones that wait for a person.
func twoManual(t *testing.T, g *gateway) (alice, bob *baresip) {
	t.Helper()
	g.configure(twoUsers)
	alice = startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "manual"})
	bob = startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "manual"})
	return alice, bob
}

// children are the calls that call sid has dialled, by the party.
func (g *gateway) children(sid string) map[string]map[string]any {
	g.t.Helper()
	_, list := g.get("/Calls.json?ParentCallSid=" + sid)
	out := map[string]map[string]any{}
	for _, c := range list["calls"].([]any) {
		rec := c.(map[string]any)
		out[rec["to"].(string)] = rec
	}
	return out
}

// TestRingTogether lets a call from the trunk ring two phones at once, and tells
// the application how that went.
func TestRingTogether(t *testing.T) {
	t.Parallel()
	caller := invite + optional(100) + optional(180) + optional(183) + expect(200) + callerRequest("ACK", 1, "[branch]")
	ended := recv("BYE") + replyInDialog("200 OK", "")
	for name, tc := range map[string]struct {
		timeout  string
		scenario string
		do       func(alice, bob *baresip)
		want     map[string]string // parameters of the action's request
		alice    string            // status of the child calls
		bob      string
	}{
		"the first answer wins": {"30", caller + ended, func(alice, bob *baresip) {
			bob.do("accept", "")
			bob.wait("CALL_ESTABLISHED")
			alice.wait("CALL_CLOSED") // rings no more
			pauseFor(2 * time.Second)
			bob.do("hangup", "")
		}, map[string]string{"DialCallStatus": "completed", "DialBridged": "true", "DialSipResponseCode": "200"}, "canceled", "completed"},
		"both are busy": {"30", caller + ended, func(alice, bob *baresip) {
			bob.do("hangup", "")
			alice.do("hangup", "")
		}, map[string]string{"DialCallStatus": "busy", "DialBridged": "false", "DialCallDuration": "", "DialSipResponseCode": "486"}, "busy", "busy"},
		"nobody answers": {"5", caller + ended, func(alice, bob *baresip) {
			alice.wait("CALL_CLOSED")
			bob.wait("CALL_CLOSED")
		}, map[string]string{"DialCallStatus": "no-answer", "DialBridged": "false"}, "no-answer", "no-answer"},
		"the caller gives up": {"30", caller + pause(3*time.Second) + callerRequest("BYE", 2, "[branch]") + expect(200), func(alice, bob *baresip) {
			alice.wait("CALL_CLOSED")
			bob.wait("CALL_CLOSED")
		}, map[string]string{"DialCallStatus": "canceled", "DialBridged": "false"}, "canceled", "canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t)
			g, port := trunked(t, a, "")
			alice, bob := twoManual(t, g)
			a.doc("/in", `<Response><Dial action="/after" timeout="`+tc.timeout+`"><Client>alice</Client><Client>bob</Client></Dial></Response>`)
			a.doc("/after", `<Response><Hangup/></Response>`)
			s := startSIPp(t, port, 1, tc.scenario, g.sip)
			alice.wait("CALL_INCOMING")
			bob.wait("CALL_INCOMING")
			tc.do(alice, bob)
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			s.succeeds(ctx)
			after := a.until("/after", 1)
			for k, want := range tc.want {
				if got := after.form.Get(k); got != want {
					t.Errorf("%s %q, want %q", k, got, want)
				}
			}
			a.until("/in-status", 1)
			kids := g.children(after.form.Get("CallSid"))
			if len(kids) != 2 {
				t.Fatalf("%d child calls: %v", len(kids), kids)
			}
			for to, want := range map[string]string{"alice": tc.alice, "bob": tc.bob} {
				kid := kids["client:"+to]
				if kid == nil || kid["status"] != want || kid["direction"] != "outbound-dial" {
					t.Errorf("the child call to %s: %v, want status %s", to, kid, want)
				}
			}
			if sid := after.form.Get("DialCallSid"); tc.bob == "completed" && sid != kids["client:bob"]["sid"] {
				t.Errorf("DialCallSid %q is not bob's call", sid)
			} else if !strings.HasPrefix(sid, "CA") {
				t.Errorf("DialCallSid %q", sid)
			}
			if d := after.form.Get("DialCallDuration"); tc.bob == "completed" {
				if n, err := strconv.Atoi(d); err != nil || n < 1 || n > 5 {
					t.Errorf("DialCallDuration %q, want about 2", d)
				}
			}
		})
	}
}

// TestHangupOnStar: the star on the caller's keypad ends the connection, not the
// call; the callee's star, and the caller's without the attribute, are digits
// like any other.
func TestHangupOnStar(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	g := startGateway(t, twoUsers)
	alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "auto"})
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto"})
	a.doc("/voice", `<Response><Dial hangupOnStar="true" action="/after"><Client>bob</Client></Dial></Response>`)
	a.doc("/after", `<Response><Gather numDigits="1" timeout="10" action="/digit"/></Response>`)
	a.doc("/digit", `<Response><Hangup/></Response>`)
	sid := g.create(url.Values{"To": {"client:alice"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
	alice.wait("CALL_ESTABLISHED")
	bob.wait("CALL_ESTABLISHED")
	bob.press("*")
	if ev := alice.wait("CALL_DTMF_START"); ev.Param != "*" {
		t.Errorf("the callee's digit at the caller: %q", ev.Param)
	}
	alice.press("5")
	if ev := bob.wait("CALL_DTMF_START"); ev.Param != "5" {
		t.Errorf("the caller's digit at the callee: %q", ev.Param)
	}
	if n := len(a.requests("/after")); n != 0 {
		t.Fatal("the connection has ended too early")
	}
	alice.press("*")
	bob.wait("CALL_CLOSED")
	after := a.until("/after", 1)
	if s := after.form.Get("DialCallStatus"); s != "completed" {
		t.Errorf("DialCallStatus %q", s)
	}
	pauseFor(500 * time.Millisecond)
	alice.press("*")
	if got := a.until("/digit", 1).form.Get("Digits"); got != "*" {
		t.Errorf("after the connection the star is a digit: %q", got)
	}
	g.until(sid, "completed")
}
