//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// TestQueueEvents: the account's hook is told of a call that waits in a queue and
// of who takes it; config has recorded the waiting call meanwhile, and its
// recording can be fetched.
func TestQueueEvents(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newJSONApp(t)
	said := speak(t, "I have been waiting for you in this queue.", "-v", "en-us")
	alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "auto"})
	startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: timeline(t, map[int][]int16{0: said, 1: said, 2: said})})
	for _, path := range []string{"/queues", "/status"} {
		a.verbs(path, ``)
	}
	a.verbs("/wait", `[{"verb":"pause","length":60}]`)
	a.verbs("/caller", `[{"verb":"config","id":"tape","record":{"action":"startCallRecording","type":"cloud","recordingID":"order 17"}},`+
		`{"verb":"enqueue","name":"support","waitHook":"/wait"}]`)
	a.verbs("/agent", `[{"verb":"dequeue","name":"support","timeout":30}]`)
	if code, body := g.askJSON(http.MethodPut, "", fmt.Sprintf(`{"queue_event_hook":%q}`, a.URL+"/queues")); code != http.StatusNoContent {
		t.Fatalf("set the hook: %d %v", code, body)
	}
	create := func(user, hook string) string {
		t.Helper()
		code, body := g.askJSON(http.MethodPost, "/Calls", fmt.Sprintf(`{"from":"16175551212","to":{"type":"user","name":%q},"call_hook":%q,"call_status_hook":%q,"answerOnBridge":true}`,
			user, a.URL+hook, a.URL+"/status"))
		if code != http.StatusCreated {
			t.Fatalf("create: %d %v", code, body)
		}
		return body["sid"].(string)
	}
	caller := create("bob", "/caller")
	if ev := a.nth("/queues", 1); ev["event"] != "join" || ev["queue"] != "support" || ev["length"] != 1.0 || ev["call_sid"] != caller || ev["join_time"] == nil {
		t.Errorf("the first event: %v", ev)
	}
	agent := create("alice", "/agent")
	if ev := a.nth("/queues", 2); ev["event"] != "leave" || ev["leave_reason"] != "dequeued" || ev["dequeuer"] != agent || ev["length"] != 0.0 {
		t.Errorf("the second event: %v", ev)
	}
	pauseFor(2 * slotLength * time.Second) // the slot is spoken whole
	for _, sid := range []string{caller, agent} {
		if code, body := g.askJSON(http.MethodPut, "/Calls/"+sid, `{"call_status":"completed"}`); code/100 != 2 && code != 422 {
			t.Errorf("end: %d %v", code, body)
		}
	}
	var path string
	poll(t, "the recording can be fetched", func() bool {
		code, row := g.askJSON(http.MethodGet, "/RecentCalls/"+caller, "")
		path, _ = row["recording_url"].(string)
		return code == 200 && path != ""
	})
	if got := len(a.got("/queues")); got != 2 {
		t.Errorf("%d events of queues", got)
	}
	hearsOnce(t, "alice", alice.heard(), said)
}
