package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"callbox/call"
	"callbox/call/event"
	"callbox/call/trace"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// box is the gateway that the handlers act on.
type box struct {
	recs     map[string]call.Record
	created  []call.Request
	imported []byte
	refuse   error
	ring     *trace.Ring
	sound    *trace.Sound
}

func (b *box) Create(_ context.Context, r call.Request) (call.Record, bool, error) {
	if b.refuse != nil {
		return call.Record{}, false, b.refuse
	}
	b.created = append(b.created, r)
	rec := call.Record{ID: r.ID, Account: r.Account, From: r.From, To: r.To}
	b.recs[r.ID] = rec
	return rec, false, nil
}

func (b *box) Call(_ context.Context, account, id string) (call.Record, error) {
	if r, ok := b.recs[id]; ok && r.Account == account {
		return r, nil
	}
	return call.Record{}, call.ErrNotFound
}

func (b *box) Calls(_ context.Context, f call.Filter) (call.Page, error) {
	var p call.Page
	for _, r := range b.recs {
		if len(p.Records) < f.Limit {
			p.Records = append(p.Records, r)
		}
	}
	return p, nil
}

func (b *box) Modify(_ context.Context, _, id string, c call.Change) (call.Record, error) {
	r, ok := b.recs[id]
	if !ok {
		return call.Record{}, call.ErrNotFound
	}
	if !c.Complete || r.State.Final() {
		return r, call.ErrEnded
	}
	r.State = call.Completed
	b.recs[id] = r
	return r, nil
}

func (b *box) Delete(context.Context, string, string) error { return nil }

func (b *box) Lines() []Line {
	return []Line{{ID: "fxs1", Kind: call.FXS, Status: call.LineStatus{Ready: true, Text: "on-hook"}}}
}
func (b *box) Explain(to, _ string) []string { return []string{to + " is the phone fxs1"} }
func (b *box) Account() string               { return "acct" }

func (b *box) Export(secrets bool) ([]byte, error) {
	if secrets {
		return []byte("country: US\ntoken: hidden\n"), nil
	}
	return []byte("country: US\n"), nil
}

func (b *box) Import(_ context.Context, y []byte, dryRun bool) ([]string, error) {
	if strings.Contains(string(y), "bad") {
		return nil, errors.New("line 1: bad is not a field; remove it")
	}
	if strings.Contains(string(y), "old") {
		return nil, fmt.Errorf("import: %w", &ConflictError{errors.New("the configuration has changed meanwhile")})
	}
	if !dryRun {
		b.imported = y
	}
	return []string{"country: US → DE"}, nil
}

func (b *box) NewRequest(n NewCall) (call.Request, error) {
	return call.Request{ID: "id1", Account: "acct", From: n.From, To: n.To, RingTimeout: time.Duration(n.Timeout) * time.Second}, nil
}

// serve gives a client of a handler on a real unix socket.
func serve(t *testing.T, b *box) (*Client, *event.Bus) {
	t.Helper()
	bus := event.NewBus()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: NewHandler(b, bus, b, b.ring, http.NotFoundHandler())}
	done := make(chan struct{})
	go func() { defer close(done); srv.Serve(l) }()
	c := NewClient(socket)
	t.Cleanup(func() {
		c.Close()
		bus.Close()
		srv.Close()
		<-done
	})
	return c, bus
}

func newBox() *box {
	return &box{recs: map[string]call.Record{}, ring: trace.NewRing(0), sound: trace.NewSound(0)}
}

func TestCallsByHand(t *testing.T) {
	b := newBox()
	c, _ := serve(t, b)
	ctx := context.Background()
	rec, err := c.Create(ctx, NewCall{From: "5550100", To: "fxs1", Twiml: "<Response/>", Timeout: 20})
	if err != nil || rec.ID != "id1" || b.created[0].RingTimeout != 20*time.Second {
		t.Fatalf("%+v, %v, %+v", rec, err, b.created)
	}
	if got, err := c.Call(ctx, "id1"); err != nil || got.To != "fxs1" {
		t.Errorf("%+v, %v", got, err)
	}
	if list, err := c.Calls(ctx, 10); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	if _, err := c.Call(ctx, "id2"); err == nil || err.Error() != call.ErrNotFound.Error() {
		t.Errorf("unknown call: %v", err)
	}
	if lines, err := c.Lines(ctx); err != nil || len(lines) != 1 || !lines[0].Status.Ready {
		t.Errorf("%v, %v", lines, err)
	}
	if why, err := c.Explain(ctx, "5550101", ""); err != nil || why[0] != "5550101 is the phone fxs1" {
		t.Errorf("%v, %v", why, err)
	}
}

func TestBadCallsByHand(t *testing.T) {
	b := newBox()
	c, _ := serve(t, b)
	ctx := context.Background()
	for name, n := range map[string]NewCall{
		"no to": {From: "1", Twiml: "x"}, "no from": {To: "1", Twiml: "x"}, "no script": {From: "1", To: "1"},
		"two scripts": {From: "1", To: "1", Twiml: "x", URL: "http://app.example/"},
	} {
		if _, err := c.Create(ctx, n); err == nil || !strings.Contains(err.Error(), "needs from, to") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(b.created) != 0 {
		t.Errorf("created %v", b.created)
	}
	b.refuse = call.ErrLimit
	if _, err := c.Create(ctx, NewCall{From: "1", To: "1", Twiml: "x"}); err == nil || err.Error() != call.ErrLimit.Error() {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := c.Calls(ctx, 5000); err == nil {
		t.Error("a page of 5000 was given")
	}
}

func TestConfig(t *testing.T) {
	b := newBox()
	c, _ := serve(t, b)
	ctx := context.Background()
	plain, err := c.Export(ctx, false)
	if err != nil || strings.Contains(string(plain), "token") {
		t.Errorf("%s, %v", plain, err)
	}
	if full, _ := c.Export(ctx, true); !strings.Contains(string(full), "token") {
		t.Errorf("%s", full)
	}
	if diff, err := c.Import(ctx, []byte("country: DE\n"), true); err != nil || len(diff) != 1 || b.imported != nil {
		t.Errorf("dry run: %v, %v, imported %q", diff, err, b.imported)
	}
	if _, err := c.Import(ctx, []byte("country: DE\n"), false); err != nil || string(b.imported) != "country: DE\n" {
		t.Errorf("%v, imported %q", err, b.imported)
	}
	if _, err := c.Import(ctx, []byte("bad: 1\n"), false); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("bad configuration: %v", err)
	}
}

// A conflict is told apart from a configuration that cannot be.
func TestImportStatus(t *testing.T) {
	b := newBox()
	h := NewHandler(nil, nil, b, b.ring, http.NotFoundHandler())
	for text, want := range map[string]int{"country: DE\n": 200, "bad: 1\n": 422, "old: 1\n": 409} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("PUT", "/v1/config", strings.NewReader(text)))
		if w.Code != want {
			t.Errorf("%q: %d %s, want %d", text, w.Code, w.Body, want)
		}
	}
}

func TestEvents(t *testing.T) {
	c, bus := serve(t, newBox())
	ready, got := make(chan struct{}), make(chan Event, 8)
	done := make(chan error, 1)
	go func() {
		done <- c.Events(context.Background(), "a", ready, func(ev Event) bool {
			got <- ev
			return ev.Type != call.EventEnded
		})
	}()
	<-ready
	publish := func(typ call.EventType, id, parent string) {
		bus.Publish(call.Event{Type: typ, At: time.Now(), Record: &call.Record{ID: id, Parent: parent}})
	}
	publish(call.EventRinging, "b", "")
	publish(call.EventRinging, "a", "")
	publish(call.EventDigit, "c", "a")
	publish(call.EventEnded, "a", "")
	if err := <-done; err != nil {
		t.Error(err)
	}
	close(got)
	var types []call.EventType
	for ev := range got {
		types = append(types, ev.Type)
	}
	if !slices.Equal(types, []call.EventType{call.EventRinging, call.EventDigit, call.EventEnded}) {
		t.Errorf("got %v", types)
	}
}

func TestNoGateway(t *testing.T) {
	c := NewClient(filepath.Join(t.TempDir(), "none"))
	defer c.Close()
	if _, err := c.Calls(context.Background(), 1); err == nil || !strings.Contains(err.Error(), "callbox serve") {
		t.Errorf("%v", err)
	}
}

// Capture implements Capturer.
func (b *box) Capture(id string) *trace.Capture { return trace.NewCapture(b.ring, b.sound, id) }

// TestCapture: the capture of a call that has ended comes to its end by itself, that
// of one that is up when the client has had enough.
func TestCapture(t *testing.T) {
	b := newBox()
	c, _ := serve(t, b)
	at := netip.MustParseAddrPort("192.0.2.1:4000")
	b.sound.Packet(time.Now(), "one@box", true, at, at, []byte("sound of one"))
	b.recs["CA1"] = call.Record{ID: "CA1", Account: "acct", SIPCallID: "one@box", State: call.Completed}
	b.recs["CA2"] = call.Record{ID: "CA2", Account: "acct", SIPCallID: "two@box", State: call.InProgress}
	b.sound.Packet(time.Now(), "two@box", true, at, at, []byte("sound of two"))
	var got bytes.Buffer
	if err := c.Capture(t.Context(), "CA1", &got); err != nil || !bytes.Contains(got.Bytes(), []byte("sound of one")) || bytes.Contains(got.Bytes(), []byte("sound of two")) {
		t.Errorf("%q, %v", got.Bytes(), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := c.Capture(ctx, "CA2", enough{"sound of two", cancel}); err != nil {
		t.Errorf("a capture that the client ends: %v", err)
	}
	if err := c.Capture(t.Context(), "CA3", &got); err == nil {
		t.Error("an unknown call is captured")
	}
}

// enough calls done when it has been written what it waits for.
type enough struct {
	what string
	done func()
}

func (e enough) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(e.what)) {
		e.done()
	}
	return len(b), nil
}

func TestTrace(t *testing.T) {
	b := newBox()
	c, _ := serve(t, b)
	b.recs["CA1"] = call.Record{ID: "CA1", Account: "acct", SIPCallID: "one@box"}
	b.ring.Message(time.Now(), "one@box", "udp", true, netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("192.0.2.7:5060"), []byte("BYE sip:x SIP/2.0\r\n"))
	got, err := c.Trace(t.Context(), "CA1")
	if err != nil || len(got) != 1 || got[0].Text != "BYE sip:x SIP/2.0\r\n" || !got[0].Sent || got[0].Remote.Port() != 5060 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := c.Trace(t.Context(), "CA2"); err == nil {
		t.Error("an unknown call has a trace")
	}
}
