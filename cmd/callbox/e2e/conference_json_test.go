//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// jsonApp is an application of the JSON dialect: documents by path, and the
// bodies of all requests.
type jsonApp struct {
	*app
	t *testing.T

	mu     sync.Mutex
	bodies map[string][]map[string]any
}

func newJSONApp(t *testing.T) *jsonApp {
	return &jsonApp{app: newApp(t), t: t, bodies: map[string][]map[string]any{}}
}

// verbs serves a document at path.
func (a *jsonApp) verbs(path, document string) {
	a.handle(path, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		var m map[string]any
		if err := json.Unmarshal(b, &m); err == nil {
			a.mu.Lock()
			a.bodies[path] = append(a.bodies[path], m)
			a.mu.Unlock()
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, document)
	})
}

// got gives the bodies of the requests to path so far.
func (a *jsonApp) got(path string) []map[string]any {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]map[string]any(nil), a.bodies[path]...)
}

// nth waits for the n-th request to path and gives its body.
func (a *jsonApp) nth(path string, n int) map[string]any {
	a.t.Helper()
	poll(a.t, fmt.Sprintf("request %d to %s", n, path), func() bool { return len(a.got(path)) >= n })
	return a.got(path)[n-1]
}

// TestJambonzConference: two phones meet in a conference of the JSON dialect; one
// waits for the moderator; requests mute, hold and throw out; the status hook and
// the action tell of it.
func TestJambonzConference(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newJSONApp(t)
	wait := speak(t, "The moderator has not come yet.", "-p", "30")
	hold := speak(t, "You are on hold for a moment.", "-p", "80")
	fromBob := speak(t, "Bob speaking. Seven boxes of paper arrived.", "-v", "en-us")
	fromBobMuted := speak(t, "Nobody should hear this sentence at all.", "-v", "en-us")
	alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "auto"})
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto",
		says: timeline(t, map[int][]int16{1: fromBob, 2: fromBobMuted})})
	a.wav("/wait.wav", wait)
	a.wav("/hold.wav", hold)
	a.verbs("/wait", `[{"verb":"play","url":"/wait.wav"}]`)
	a.verbs("/onhold", `[{"verb":"play","url":"/hold.wav"}]`)
	a.verbs("/status", ``)
	a.verbs("/after", `[]`)
	conference := func(more string) string {
		return `[{"verb":"conference","name":"standup","actionHook":"/after","statusHook":"/conf","statusEvents":["start","end","join","leave"]` + more + `}]`
	}
	a.verbs("/conf", ``)
	a.verbs("/guest", conference(`,"startConferenceOnEnter":false,"waitHook":"/wait","memberTag":"guests"`))
	a.verbs("/moderator", conference(`,"endConferenceOnExit":true`))
	create := func(user, hook string) string {
		t.Helper()
		code, body := g.askJSON(http.MethodPost, "/Calls", fmt.Sprintf(`{"from":"16175551212","to":{"type":"user","name":%q},"call_hook":%q,"call_status_hook":%q}`,
			user, a.URL+hook, a.URL+"/status"))
		if code != http.StatusCreated {
			t.Fatalf("create: %d %v", code, body)
		}
		return body["sid"].(string)
	}
	guest := create("alice", "/guest")
	alice.wait("CALL_ESTABLISHED")
	a.nth("/wait", 1)
	pauseFor(4 * time.Second)
	moderator := create("bob", "/moderator")
	bob.wait("CALL_ESTABLISHED")
	began := time.Now()
	change := func(sid, body string) {
		t.Helper()
		if code, answer := g.askJSON(http.MethodPut, "/Calls/"+sid, body); code/100 != 2 {
			t.Errorf("%s: %d %v", body, code, answer)
		}
	}
	slots(began, 1.95)
	change(moderator, `{"conf_mute_status":"mute"}`)
	slots(began, 2.95)
	change(moderator, `{"conferenceParticipantAction":{"action":"unmute"}}`)
	change(guest, `{"conf_hold_status":"hold","waitHook":"`+a.URL+`/onhold"}`)
	slots(began, 3.7)
	change(guest, `{"conferenceParticipantAction":{"action":"kick"}}`)
	after := a.nth("/after", 1)
	if after["call_sid"] != guest {
		t.Errorf("the action was told %v", after)
	}
	bob.do("hangup", "")
	a.nth("/conf", 6)
	var told []string
	for _, m := range a.got("/conf") {
		who := map[any]string{guest: "guest", moderator: "moderator"}[m["call_sid"]]
		told = append(told, fmt.Sprintf("%s %s %v", m["event"], who, m["members"]))
		if sid, _ := m["conference_sid"].(string); !strings.HasPrefix(sid, "conf:") || !strings.HasSuffix(sid, ":standup") || m["friendly_name"] != "standup" {
			t.Errorf("told %v", m)
		}
	}
	want := "join guest 1, start moderator 2, join moderator 2, leave guest 1, leave moderator 0, end moderator 0"
	if got := strings.Join(told, ", "); got != want {
		t.Errorf("told %s, want %s", got, want)
	}
	heard := alice.heard()
	hears(t, "alice waiting", heard[:min(len(heard), 6*rate)], wait)
	hearsOnce(t, "alice", heard, fromBob)
	deaf(t, "alice", heard, fromBobMuted)
	hears(t, "alice on hold", heard, hold)
}

// TestJambonzQueue: a caller waits with what its hook says, is connected with the
// one who dequeues, and both actions are told.
func TestJambonzQueue(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newJSONApp(t)
	wait := speak(t, "All our lines are busy at this moment.", "-p", "30")
	fromAlice := speak(t, "This is Alice. I would like to return a lamp.")
	fromBob := speak(t, "Bob speaking. What is wrong with it?", "-v", "en-us")
	alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "auto", says: timeline(t, map[int][]int16{2: fromAlice})})
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: timeline(t, map[int][]int16{2: fromBob})})
	a.wav("/wait.wav", wait)
	a.verbs("/wait", `[{"verb":"play","url":"/wait.wav"}]`)
	a.verbs("/status", ``)
	a.verbs("/left", `[]`)
	a.verbs("/done", `[]`)
	a.verbs("/enqueue", `[{"verb":"enqueue","name":"support","actionHook":"/left","waitHook":"/wait"}]`)
	a.verbs("/dequeue", `[{"verb":"dequeue","name":"support","actionHook":"/done","timeout":20}]`)
	a.verbs("/leaving", `[{"verb":"enqueue","name":"support","actionHook":"/left","waitHook":"/leave"}]`)
	a.verbs("/leave", `[{"verb":"leave"}]`)
	create := func(user, hook string) string {
		t.Helper()
		code, body := g.askJSON(http.MethodPost, "/Calls", fmt.Sprintf(`{"from":"16175551212","to":{"type":"user","name":%q},"call_hook":%q,"call_status_hook":%q}`,
			user, a.URL+hook, a.URL+"/status"))
		if code != http.StatusCreated {
			t.Fatalf("create: %d %v", code, body)
		}
		return body["sid"].(string)
	}
	caller := create("alice", "/enqueue")
	alice.wait("CALL_ESTABLISHED")
	began := time.Now()
	if m := a.nth("/wait", 1); m["queue_position"] != 0.0 || m["queue_size"] != 1.0 || m["queue_time"] != 0.0 || !strings.HasSuffix(m["queue_sid"].(string), ":support") || m["call_sid"] != caller {
		t.Errorf("the waiting hook was told %v", m)
	}
	pauseFor(time.Until(began.Add(6 * time.Second)))
	create("bob", "/dequeue")
	bob.wait("CALL_ESTABLISHED")
	pauseFor(time.Until(began.Add(32 * time.Second)))
	alice.do("hangup", "")
	if m := a.nth("/done", 1); m["dequeue_result"] != "complete" {
		t.Errorf("the action of dequeue was told %v", m)
	}
	if m := a.nth("/left", 1); m["queue_result"] != "bridged" || m["call_sid"] != caller {
		t.Errorf("the action of enqueue was told %v", m)
	}
	heard := alice.heard()
	hears(t, "alice waiting", heard[:min(len(heard), 8*rate)], wait)
	hearsOnce(t, "alice", heard, fromBob)
	hearsOnce(t, "bob", bob.heard(), fromAlice)
	leaver := create("alice", "/leaving")
	if m := a.nth("/left", 2); m["queue_result"] != "leave" || m["call_sid"] != leaver {
		t.Errorf("who left was told %v", m)
	}
}
