package socket_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"callbox/api/jambonz"
	"callbox/api/jambonz/socket"
	"callbox/call"
	"callbox/call/script"

	"github.com/coder/websocket"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"), goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"))
}

// calls are the box's.
type calls struct {
	changes chan string
}

func (c calls) Call(_ context.Context, _, id string) (call.Record, error) {
	if id == "child" {
		return call.Record{ID: id, Parent: "c1"}, nil
	}
	return call.Record{}, call.ErrNotFound
}

func (c calls) Modify(_ context.Context, account, id string, ch call.Change) (call.Record, error) {
	b, err := json.Marshal(ch)
	if err != nil {
		return call.Record{}, err
	}
	c.changes <- account + " " + id + " " + string(b)
	return call.Record{}, nil
}

var errReach = errors.New("cannot be reached")

func newHub(t *testing.T, timing socket.Timing) (*socket.Hub, calls) {
	h := newHubOf(t, jambonz.New(jambonz.Config{}), timing)
	c := calls{make(chan string, 16)}
	h.Attach(c)
	return h, c
}

func newHubOf(t *testing.T, d *jambonz.Dialect, timing socket.Timing) *socket.Hub {
	h := socket.New(socket.Config{Dialect: d, Transport: &http.Transport{DisableKeepAlives: true},
		Secret: func(string) string { return "wh_secret_1" }, UserAgent: "callbox/test",
		Explain: func(doing, url string, err error) *script.FetchError {
			return &script.FetchError{Code: 11205, URL: url, Err: fmt.Errorf("%s %s: %w: %w", doing, url, errReach, err)}
		}})
	h.SetTiming(timing)
	t.Cleanup(h.Close)
	return h
}

// patient are times that do not matter to a test.
var patient = socket.Timing{Handshake: 10 * time.Second, Backoff: 10 * time.Millisecond, Ack: 20 * time.Second, Ask: 40 * time.Second, Linger: 10 * time.Millisecond, Ping: time.Minute}

func record() call.Record {
	return call.Record{ID: "c1", API: "jambonz", Account: "AC1", Direction: call.Inbound, From: "+15550100", To: "+15550101", State: call.InProgress}
}

type fetched struct {
	doc script.Document
	err error
}

// fetch asks in the background.
func fetch(h *socket.Hub, hook call.Hook, rec call.Record, res *script.Result) chan fetched {
	out := make(chan fetched, 1)
	go func() {
		doc, err := h.Fetch(context.Background(), hook, rec, res)
		out <- fetched{doc, err}
	}()
	return out
}

func (f fetched) verbs() string {
	var names []string
	for _, v := range f.doc.Verbs {
		names = append(names, v.Name())
	}
	return strings.Join(names, " ")
}

// begin opens the session of a call.
func begin(t *testing.T, h *socket.Hub, a *application) (*peer, script.Orders) {
	t.Helper()
	got := fetch(h, call.Hook{URL: a.url + "/app#rc=1"}, record(), nil)
	p := a.next()
	m := p.want("session:new")
	p.say(`{"type":"ack","msgid":%q,"data":[{"verb":"pause","length":1}]}`, m.Msgid)
	f := <-got
	if f.err != nil || f.verbs() != "pause" || f.doc.Orders == nil {
		t.Fatalf("first document: %+v %v", f.doc, f.err)
	}
	if m.CallSid != "c1" || m.Data["call_sid"] != "c1" || m.Data["from"] != "+15550100" || m.Data["defaults"] == nil || m.Hook != "" {
		t.Errorf("session:new: %+v", m)
	}
	return p, f.doc.Orders
}

// TestSession goes through the messages of one call.
func TestSession(t *testing.T) {
	a := newApplication(t)
	h, _ := newHub(t, patient)
	p, _ := begin(t, h, a)
	got := fetch(h, call.Hook{URL: a.url + "/digits", Name: "/digits"}, record(), &script.Result{Verb: "gather", Digits: "12"})
	m := p.want("verb:hook")
	if m.Hook != "/digits" || m.Data["digits"] != "12" || m.Data["defaults"] != nil {
		t.Errorf("verb:hook: %+v", m)
	}
	p.say(`{"type":"ack","msgid":%q,"data":[{"verb":"hangup"}]}`, m.Msgid)
	if f := <-got; f.verbs() != "hangup" || f.err != nil {
		t.Errorf("%+v", f)
	}
	// An acknowledgement without verbs, and a command as one.
	for _, answer := range []string{`{"type":"ack","msgid":%q}`, `{"type":"command","command":"tag","msgid":%q,"data":{}}`} {
		got = fetch(h, call.Hook{URL: a.url + "/x", Name: "x"}, record(), &script.Result{Verb: "play"})
		p.say(answer, p.want("verb:hook").Msgid)
		if f := <-got; f.verbs() != "" || f.err != nil {
			t.Errorf("%s: %+v", answer, f)
		}
	}
	// A child's confirm document has no orders of its own.
	child := call.Record{ID: "child", Parent: "c1", API: "jambonz", Account: "AC1", Direction: call.OutboundDial, State: call.InProgress}
	got = fetch(h, call.Hook{URL: a.url + "/confirm", Name: "/confirm"}, child, &script.Result{Verb: script.ScreenResult})
	if m = p.want("dial:confirm"); m.Hook != "/confirm" || m.CallSid != "c1" || m.Data["call_sid"] != "child" || m.Data["parent_call_sid"] != "c1" {
		t.Errorf("dial:confirm: %+v", m)
	}
	p.say(`{"type":"ack","msgid":%q,"data":[]}`, m.Msgid)
	if f := <-got; f.err != nil || f.doc.Orders != nil {
		t.Errorf("confirm: %+v", f)
	}
	// A redirect to the same application goes over the same connection.
	got = fetch(h, call.Hook{URL: a.url + "/next", Name: "/next"}, record(), nil)
	if m = p.want("session:redirect"); m.Hook != "/next" || m.Data["call_sid"] != "c1" || m.Data["defaults"] != nil {
		t.Errorf("session:redirect: %+v", m)
	}
	p.say(`{"type":"ack","msgid":%q,"data":[{"verb":"fly"}]}`, m.Msgid)
	if f := <-got; f.err == nil || !strings.Contains(f.err.Error(), `"fly" is not a verb`) {
		t.Errorf("bad verbs: %+v", f)
	}
	if m = p.want("jambonz:error"); !strings.Contains(m.Data["msg"].(string), `"fly" is not a verb`) {
		t.Errorf("jambonz:error: %+v", m)
	}
	// One with an address of its own opens a connection of its own.
	got = fetch(h, call.Hook{URL: a.url + "/other", Name: a.url + "/other"}, record(), nil)
	p.closed()
	p = a.next()
	p.say(`{"type":"ack","msgid":%q,"data":[]}`, p.want("session:new").Msgid)
	if f := <-got; f.err != nil {
		t.Error(f.err)
	}
	h.Leave("c1")
	p.closed()
	if s := h.Stats(); s.Sessions != 0 || s.Opened != 2 || s.Reconnected != 0 || s.Refused != 1 {
		t.Errorf("%+v", s)
	}
}

// TestHandshake: credentials, the signature and redirects.
func TestHandshake(t *testing.T) {
	a := newApplication(t)
	h, _ := newHub(t, patient)
	got := fetch(h, call.Hook{URL: strings.Replace(a.url, "ws://", "ws://u:p@", 1) + "/moved"}, record(), nil)
	p := a.next()
	p.say(`{"type":"ack","msgid":%q}`, p.want("session:new").Msgid)
	if f := <-got; f.err != nil {
		t.Fatal(f.err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	head := a.heads[len(a.heads)-1]
	if head.Get("Authorization") != "Basic dTpw" || head.Get("Sec-Websocket-Protocol") != "ws.jambonz.org" || head.Get("User-Agent") != "callbox/test" ||
		!strings.HasPrefix(head.Get("Jambonz-Signature"), "t=") {
		t.Errorf("handshake: %v", head)
	}
	if p.c.Subprotocol() != "ws.jambonz.org" || len(a.heads) != 2 {
		t.Errorf("%q, %d requests", p.c.Subprotocol(), len(a.heads))
	}
}

// TestOrders: commands that bring verbs.
func TestOrders(t *testing.T) {
	a := newApplication(t)
	h, _ := newHub(t, patient)
	p, orders := begin(t, h, a)
	for _, tc := range []struct{ say, verbs string }{
		{`{"type":"command","command":"redirect","queueCommand":false,"data":[{"verb":"say","text":"a"},{"verb":"hangup"}]}`, "0 say hangup"},
		{`{"type":"command","command":"redirect","queueCommand":true,"data":[{"verb":"hangup"}]}`, "1 hangup"},
		{`{"type":"command","command":"redirect","data":[]}`, "0 "},
		{`{"type":"command","command":"config","data":{"synthesizer":{"vendor":"default","voice":"Bob"}}}`, "2 config"},
		{`{"type":"command","command":"dial","data":{"target":[{"type":"user","name":"bob"}]}}`, "0 dial"},
		{`{"type":"command","command":"redirect","data":[{"verb":"fly"}]}`, `1 a command of the application was refused: verb 1: "fly" is not a verb`},
	} {
		p.say("%s", tc.say)
		o, err := orders.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprint(int(o.Way), " ", fetched{doc: o.Document}.verbs()+strings.Join(o.Document.Warnings, ""))
		if got != tc.verbs {
			t.Errorf("%s: %s, want %s", tc.say, got, tc.verbs)
		}
	}
	p.want("jambonz:error")
	p.say(`{"type":"command","command":"redirect","callSid":"child","data":[]}`)
	if m := p.want("jambonz:error"); !strings.Contains(m.Data["msg"].(string), "not by child") {
		t.Errorf("%+v", m)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := orders.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	_ = p.c.Close(websocket.StatusNormalClosure, "")
	if _, err := orders.Next(t.Context()); !errors.Is(err, script.ErrNoMore) {
		t.Error(err)
	}
	// Who has left is not asked again, and not called back.
	if f := <-fetch(h, call.Hook{URL: a.url + "/x", Name: "/x"}, record(), &script.Result{Verb: "play"}); f.err != nil || f.verbs() != "" {
		t.Errorf("%+v", f)
	}
	h.Publish(call.Event{Type: call.EventEnded, Record: new(record())})
	if s := h.Stats(); s.Sessions != 0 || s.Opened != 1 {
		t.Errorf("%+v", s)
	}
}

// TestOverflow: orders that nobody takes are refused.
func TestOverflow(t *testing.T) {
	a := newApplication(t)
	h, _ := newHub(t, patient)
	p, _ := begin(t, h, a)
	for range 70 {
		p.say(`{"type":"command","command":"redirect","queueCommand":true,"data":[]}`)
	}
	for range 6 {
		if m := p.want("jambonz:error"); m.Data["msg"] != "redirect is refused: too many commands wait to be done" {
			t.Errorf("%+v", m)
		}
	}
}

// TestCommands: commands that change calls.
func TestCommands(t *testing.T) {
	a := newApplication(t)
	h, c := newHub(t, patient)
	p, _ := begin(t, h, a)
	for say, want := range map[string]string{
		`{"type":"command","command":"tag","data":{"a":1}}`:                                                          `AC1 c1 {"Tag":"{\"a\":1}"`,
		`{"type":"command","command":"call:status","data":{"call_status":"completed"}}`:                              `"Complete":true`,
		`{"type":"command","command":"call:status","data":"completed"}`:                                              `"Complete":true`,
		`{"type":"command","command":"redirect","data":{"call_hook":"/next"}}`:                                       `"name":"/next"`,
		`{"type":"command","command":"redirect","data":{"child_call_hook":"http://app.lan/c"}}`:                      `"Child":{"main":{"url":"http://app.lan/c"}`,
		`{"type":"command","command":"redirect","callSid":"child","data":{"call_hook":"http://app.lan/of-a-child"}}`: `AC1 child`,
	} {
		p.say("%s", say)
		if got := <-c.changes; !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", say, got, want)
		}
	}
	for say, want := range map[string]string{
		`{"type":"command","command":"tag","callSid":"another","data":{}}`:         "tag: no such call",
		`{"type":"command","command":"call:status","data":{"call_status":"gone"}}`: "call:status: call_status is \"gone\"",
		`{"type":"command","command":"llm:update","data":{}}`:                      `"llm:update" is not a command`,
		`{"type":"command","command":"fly","data":{}}`:                             `"fly" is not a command`,
		`{"type":"event"}`: "type is \"event\"",
	} {
		p.say("%s", say)
		if m := p.want("jambonz:error"); !strings.Contains(m.Data["msg"].(string), want) || m.Data["call_sid"] != "c1" {
			t.Errorf("%s: %+v, want %s", say, m, want)
		}
	}
	p.say(`{"type":"command","command":"tts:tokens","data":{"id":4}}`)
	if m := p.want("tts:tokens-result"); m.Data["id"] != 4.0 || m.Data["status"] != "failed" {
		t.Errorf("%+v", m)
	}
}

// TestStatusHook: a call whose status hook is a websocket is told of before its
// application is asked, and also when it never is.
func TestStatusHook(t *testing.T) {
	a := newApplication(t)
	h, _ := newHub(t, patient)
	rec := record()
	rec.Direction, rec.State, rec.Status = call.OutboundAPI, call.Dialing, call.StatusHook{Hook: call.Hook{URL: a.url + "/status"}}
	h.Publish(call.Event{Type: call.EventInitiated, Record: &rec})
	p := a.next()
	p.want("call:status")
	rec.State = call.Busy
	h.Publish(call.Event{Type: call.EventEnded, Record: &rec})
	if m := p.want("call:status"); m.Data["call_status"] != "busy" {
		t.Errorf("%+v", m)
	}
	p.closed()
}

// TestAdulting: a leg that was another call's is told as such when it gets an
// application of its own.
func TestAdulting(t *testing.T) {
	a := newApplication(t)
	h, _ := newHub(t, patient)
	rec := record()
	rec.ID, rec.Parent = "c2", "c1"
	got := fetch(h, call.Hook{URL: a.url + "/child"}, rec, nil)
	p := a.next()
	m := p.want("session:adulting")
	p.say(`{"type":"ack","msgid":%q,"data":[{"verb":"pause","length":1}]}`, m.Msgid)
	if f := <-got; f.err != nil || f.verbs() != "pause" || m.CallSid != "c2" || m.Data["parent_call_sid"] != "c1" {
		t.Errorf("%+v: %+v", m, f)
	}
	h.Leave("c2")
	p.closed()
}

// TestReconnect: what was not acknowledged is sent again after session:reconnect.
func TestReconnect(t *testing.T) {
	a := newApplication(t)
	h, _ := newHub(t, patient)
	got := fetch(h, call.Hook{URL: a.url + "/app"}, record(), nil)
	p := a.next()
	first := p.want("session:new")
	p.c.CloseNow()
	p = a.next() // before the first document: the reconnection asks for it
	m := p.want("session:reconnect")
	if fmt.Sprint(m.Data) != fmt.Sprint(first.Data) {
		t.Errorf("session:reconnect: %+v", m)
	}
	p.say(`{"type":"ack","msgid":%q,"data":[{"verb":"answer"}]}`, m.Msgid)
	if f := <-got; f.err != nil || f.verbs() != "answer" {
		t.Errorf("%+v", f)
	}
	got = fetch(h, call.Hook{URL: a.url + "/x", Name: "/x"}, record(), &script.Result{Verb: "play"})
	hook := p.want("verb:hook")
	_ = p.c.Close(websocket.StatusGoingAway, "deployed anew")
	p = a.next()
	p.want("session:reconnect")
	if again := p.want("verb:hook"); again.Msgid != hook.Msgid {
		t.Errorf("%+v, before %+v", again, hook)
	}
	p.say(`{"type":"ack","msgid":%q,"data":[{"verb":"hangup"}]}`, hook.Msgid)
	if f := <-got; f.err != nil || f.verbs() != "hangup" {
		t.Errorf("%+v", f)
	}
	if s := h.Stats(); s.Opened != 3 || s.Reconnected != 2 {
		t.Errorf("%+v", s)
	}
}

// TestFailures: applications that cannot be reached, do not answer or offend.
func TestFailures(t *testing.T) {
	short := patient
	short.Ack, short.Ask, short.Handshake = time.Second, 20*time.Second, 5*time.Second
	h, _ := newHub(t, short)
	a := newApplication(t)
	fails := func(name string, got chan fetched, code int, text string) {
		t.Helper()
		f := <-got
		var fe *script.FetchError
		if !errors.As(f.err, &fe) || fe.Code != code || !strings.Contains(fe.Error(), text) || strings.Contains(fe.Error(), "secret") {
			t.Errorf("%s: %v", name, f.err)
		}
	}
	a.deny = http.StatusForbidden
	fails("refused", fetch(h, call.Hook{URL: a.url, Username: "u", Password: "secret"}, record(), nil), 11200, "HTTP status 403 instead of a websocket")
	a.mu.Lock()
	if a.deny = 0; len(a.heads) != 1 {
		t.Errorf("%d attempts", len(a.heads))
	}
	a.mu.Unlock()
	a.deny = http.StatusBadGateway
	fails("repeated", fetch(h, call.Hook{URL: a.url + "#rp=5xx&rc=2"}, record(), nil), 11200, "HTTP status 502")
	a.mu.Lock()
	if a.deny = 0; len(a.heads) != 4 {
		t.Errorf("%d attempts", len(a.heads))
	}
	a.mu.Unlock()
	fails("unreachable", fetch(h, call.Hook{URL: "ws://127.0.0.1:1/#rc=1"}, record(), nil), 11205, "cannot be reached")
	fails("no address", fetch(h, call.Hook{URL: "ws://[:"}, record(), nil), 11100, "not a websocket address")
	rec := record()
	rec.API = "twilio"
	fails("another dialect", fetch(h, call.Hook{URL: a.url}, rec, nil), 11100, "over http and https only")

	got := fetch(h, call.Hook{URL: a.url}, record(), nil)
	a.next().want("session:new")
	fails("silent", got, 11205, "did not acknowledge the message in time")
	h.Leave("c1")

	got = fetch(h, call.Hook{URL: a.url}, record(), nil)
	p := a.next()
	if err := p.c.Write(t.Context(), websocket.MessageBinary, []byte{1}); err != nil {
		t.Error(err)
	}
	fails("binary", got, 11205, "sent a binary message")
	p.closed()

	got = fetch(h, call.Hook{URL: a.url}, record(), nil)
	p = a.next()
	p.say("%s", `{"type":"ack","msgid":"`+strings.Repeat("a", socket.MaxFrame)+`"}`)
	fails("too long", got, 11205, "more than 24576 bytes")

	got = fetch(h, call.Hook{URL: a.url}, record(), nil)
	p = a.next()
	for range 10 {
		p.say("no JSON")
	}
	fails("unreadable", got, 11205, "too many messages")
	p.closed()

	got = fetch(h, call.Hook{URL: a.url}, record(), nil)
	p = a.next()
	p.want("session:new")
	_ = p.c.Close(websocket.StatusNormalClosure, "")
	fails("left", got, 11205, "takes no further part")
}

// TestShutdown: a hub that is closed takes nobody any more.
func TestShutdown(t *testing.T) {
	a := newApplication(t)
	h, _ := newHub(t, patient)
	p, orders := begin(t, h, a)
	h.Close()
	p.closed()
	if _, err := orders.Next(t.Context()); !errors.Is(err, script.ErrNoMore) {
		t.Error(err)
	}
	if f := <-fetch(h, call.Hook{URL: a.url}, record(), nil); f.err == nil {
		t.Error("a closed hub asks")
	}
}
