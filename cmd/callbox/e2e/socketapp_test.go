//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
)

// socketApp is an application over websockets without a library, for messages that
// the vendor's libraries do not tell apart. It answers a call with the document of
// the path, and a hook with that of its name.
type socketApp struct {
	*httptest.Server
	t         *testing.T
	documents map[string]string

	mu   sync.Mutex // guards what follows
	told []socketMessage
}

// socketMessage is what the box said.
type socketMessage struct {
	path              string
	Type, Msgid, Hook string
	CallSid           string `json:"call_sid"`
	Data              map[string]any
}

func newSocketApp(t *testing.T, documents map[string]string) *socketApp {
	a := &socketApp{t: t, documents: documents}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

// at is the address of a path.
func (a *socketApp) at(path string) string { return "ws" + strings.TrimPrefix(a.URL, "http") + path }

func (a *socketApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"ws.jambonz.org"}})
	if err != nil {
		return
	}
	defer c.CloseNow() //nolint:errcheck // it may be closed
	for {
		_, b, err := c.Read(context.Background())
		if err != nil {
			return
		}
		m := socketMessage{path: r.URL.Path}
		if err := json.Unmarshal(b, &m); err != nil {
			a.t.Errorf("%v in %s", err, b)
		}
		a.mu.Lock()
		a.told = append(a.told, m)
		a.mu.Unlock()
		var document string
		switch m.Type {
		case "session:new", "session:adulting", "session:reconnect":
			document = a.documents[r.URL.Path]
		case "verb:hook", "dial:confirm":
			document = a.documents[m.Hook]
		default:
			continue
		}
		if document == "" {
			document = "[]"
		}
		_ = c.Write(r.Context(), websocket.MessageText, fmt.Appendf(nil, `{"type":"ack","msgid":%q,"data":%s}`, m.Msgid, document))
	}
}

// all are the messages of a type at a path so far.
func (a *socketApp) all(path, kind string) (list []socketMessage) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.told {
		if m.path == path && m.Type == kind {
			list = append(list, m)
		}
	}
	return list
}

// nth waits for the n-th message of a type at a path.
func (a *socketApp) nth(path, kind string, n int) socketMessage {
	a.t.Helper()
	poll(a.t, fmt.Sprintf("%s %d at %s", kind, n, path), func() bool { return len(a.all(path, kind)) >= n })
	return a.all(path, kind)[n-1]
}

// TestSocketQueueStatus: the account's websocket hears of every queue, over a
// connection of its own where the calls have applications over HTTP.
func TestSocketQueueStatus(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	w := newSocketApp(t, nil)
	a := newJSONApp(t)
	a.verbs("/status", ``)
	a.verbs("/caller", `[{"verb":"enqueue","name":"support"},{"verb":"hangup"}]`)
	a.verbs("/agent", `[{"verb":"dequeue","name":"support","timeout":30}]`)
	g.wants(http.StatusNoContent, http.MethodPut, "", fmt.Sprintf(`{"queue_event_hook":%q}`, w.at("/queues")))
	for _, name := range []string{"alice", "bob"} {
		startBaresip(t, phone{name: name, password: map[string]string{"alice": "a1l2i3c4e5", "bob": "b1o2b3b4o5"}[name], registrar: g.sip, answer: "auto"})
	}
	const body = `{"from":"16175551212","to":{"type":"user","name":%q},"call_hook":%q,"call_status_hook":%q}`
	caller := g.callJSON(201, body, "bob", a.URL+"/caller", a.URL+"/status")["sid"].(string)
	m := w.nth("/queues", "queue:status", 1)
	if m.Data["event"] != "join" || m.Data["queue"] != "support" || m.Data["length"] != 1.0 || m.CallSid != caller || m.Data["join_time"] == nil {
		t.Errorf("the first message: %+v", m)
	}
	agent := g.callJSON(201, body, "alice", a.URL+"/agent", a.URL+"/status")["sid"].(string)
	m = w.nth("/queues", "queue:status", 2)
	if m.Data["event"] != "leave" || m.Data["leave_reason"] != "dequeued" || m.Data["dequeuer"] != agent || m.CallSid != caller || m.Data["length"] != 0.0 {
		t.Errorf("the second message: %+v", m)
	}
	for _, sid := range []string{caller, agent} {
		if code, body := g.askJSON(http.MethodPut, "/Calls/"+sid, `{"call_status":"completed"}`); code/100 != 2 && code != 422 {
			t.Errorf("end: %d %v", code, body)
		}
	}
	g.untilJSON(caller, "completed")
	if n := len(w.all("/queues", "queue:status")); n != 2 {
		t.Errorf("%d messages about queues", n)
	}
}

// TestSocketAdulting: the callee of a dial gets an application of its own by
// request: it is told that the leg was another call's, and what it says is heard by
// the callee alone, while the caller's document goes on.
func TestSocketAdulting(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	sounds := newApp(t)
	own := speak(t, "From now on you speak with an application of your own.")
	after := speak(t, "The other party went somewhere else.", "-p", "70")
	w := newSocketApp(t, map[string]string{
		"/parent":  `[{"verb":"dial","target":[{"type":"user","name":"alice"}],"actionHook":"/dialled"}]`,
		"/dialled": fmt.Sprintf(`[{"verb":"play","url":%q},{"verb":"hangup"}]`, sounds.wav("/after.wav", after)),
		"/child":   fmt.Sprintf(`[{"verb":"play","url":%q},{"verb":"hangup"}]`, sounds.wav("/own.wav", own)),
	})
	alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "auto"})
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto"})
	parent := g.createSocket("bob", w.at("/parent"))
	alice.wait("CALL_ESTABLISHED")
	var child string
	poll(t, "the two are connected", func() bool {
		for _, m := range w.all("/parent", "call:status") {
			if m.Data["parent_call_sid"] == parent && m.Data["call_status"] == "in-progress" {
				child, _ = m.Data["call_sid"].(string)
			}
		}
		return child != ""
	})
	g.wants(http.StatusAccepted, http.MethodPut, "/Calls/"+parent, fmt.Sprintf(`{"child_call_hook":%q}`, w.at("/child")))
	if m := w.nth("/child", "session:adulting", 1); m.CallSid != child || m.Data["call_sid"] != child || m.Data["parent_call_sid"] != parent {
		t.Errorf("session:adulting: %+v", m)
	}
	bob.wait("CALL_CLOSED")
	alice.wait("CALL_CLOSED")
	hears(t, "alice", alice.heard(), own)
	deaf(t, "alice", alice.heard(), after)
	hears(t, "bob", bob.heard(), after)
	deaf(t, "bob", bob.heard(), own)
	if n := len(w.all("/child", "session:new")); n != 0 {
		t.Errorf("the callee's application was told of %d new sessions", n)
	}
}
