package hook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"callbox/api"
	"callbox/call"
	"callbox/call/script"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// toy is a dialect whose documents are texts: "say X" lines; it signs with the
// secret and the URL in the open, so that tests can read it.
type toy struct{}

func (toy) Name() string            { return "toy" }
func (toy) NewID(api.IDKind) string { return "ID" }

func (toy) DocumentRequest(h call.Hook, rec call.Record, res *script.Result) api.Outgoing {
	o := api.Outgoing{URL: h.URL, Method: h.Method, Username: h.Username, Password: h.Password,
		Params: []api.Param{{Name: "Call", Value: rec.ID}, {Name: "To", Value: rec.To}}}
	if res != nil {
		o.Params = append(o.Params, api.Param{Name: "Verb", Value: res.Verb})
	}
	return o
}

// codeEmpty is what the toy dialect calls an empty answer.
const codeEmpty = 11770

var errToyType = &script.FetchError{Code: 12300, Err: errors.New("not text/plain")}

func (toy) Decode(body []byte, contentType, url string) (script.Document, error) {
	if contentType != "" && !strings.HasPrefix(contentType, "text/plain") {
		return script.Document{}, errToyType
	}
	if len(body) == 0 {
		return script.Document{}, &script.FetchError{Code: codeEmpty, Err: errors.New("empty")}
	}
	var doc script.Document
	for line := range strings.Lines(string(body)) {
		text, ok := strings.CutPrefix(strings.TrimSpace(line), "say ")
		if !ok {
			return script.Document{}, fmt.Errorf("line %q is no verb", line)
		}
		doc.Verbs = append(doc.Verbs, script.Say{Speech: script.Speech{Text: text}, Loop: 1})
	}
	return doc, nil
}

func (toy) Callback(ev call.Event) []api.Outgoing {
	if ev.Recording != nil {
		return []api.Outgoing{{URL: ev.Recording.Hook.URL, Params: []api.Param{{Name: "Recording", Value: ev.Recording.ID}}}}
	}
	if !ev.Record.Status.Wants(ev.Type) {
		return nil
	}
	return []api.Outgoing{{URL: ev.Record.Status.URL, Method: ev.Record.Status.Method,
		Params: []api.Param{{Name: "Event", Value: string(ev.Type)}, {Name: "Note", Value: ev.Note}}}}
}

func (toy) Sign(secret string, o api.Outgoing) (string, string) {
	return "X-Toy-Signature", o.Method + " " + o.WireURL() + " " + secret
}

// accounts has one account.
type accounts struct{}

func (accounts) Account(id string) (api.Account, bool) {
	return api.Account{ID: id, Token: "secret"}, id == "AC1"
}

// client makes a client of the toy dialect.
func client(t *testing.T, change func(*Config)) *Client {
	t.Helper()
	c := Config{Dialects: []api.Dialect{toy{}}, Accounts: accounts{}}
	if change != nil {
		change(&c)
	}
	h, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

// record is a call of the toy dialect.
func record() call.Record {
	return call.Record{ID: "CA1", API: "toy", Account: "AC1", To: "+15550100", State: call.InProgress}
}

// outbox is an Outbox in memory, with failures on demand.
type outbox struct {
	mu       sync.Mutex // guards all
	list     []call.Notice
	last     uint64
	reads    int
	readFail error
	doneFail error
}

func (b *outbox) PendingNotices(after uint64, limit int) ([]call.Notice, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reads++
	if b.readFail != nil {
		return nil, b.readFail
	}
	var page []call.Notice
	for _, n := range b.list {
		if n.ID > after && len(page) < limit {
			page = append(page, n)
		}
	}
	return page, nil
}

func (b *outbox) DoneNotice(ids ...uint64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.doneFail != nil {
		return b.doneFail
	}
	for _, id := range ids {
		for i, n := range b.list {
			if n.ID == id {
				b.list = append(b.list[:i:i], b.list[i+1:]...)
				break
			}
		}
	}
	return nil
}

// set changes the failures.
func (b *outbox) set(read, done error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.readFail, b.doneFail = read, done
}

func (b *outbox) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.list)
}

// add commits notices and gives them back with IDs.
func (b *outbox) add(ns ...call.Notice) []call.Notice {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range ns {
		b.last++
		ns[i].ID = b.last
		b.list = append(b.list, ns[i])
	}
	return ns
}

// arrival is a request that reached a fake receiver.
type arrival struct {
	at    time.Duration // since the start
	key   string        // call
	url   string
	note  string
	token string
}

// world is a deliverer with fake receivers in a synctest bubble.
type world struct {
	*Deliverer
	t     *testing.T
	box   *outbox
	start time.Time
	// answer decides what a receiver does; nil: it answers 200 at once.
	answer func(ctx context.Context, a arrival) error

	mu       sync.Mutex // guards what follows
	arrivals []arrival
	flying   map[string]int // per receiver
	most     map[string]int
	busy     map[string]bool // lanes in flight
	loaded   int             // most
}

func newWorld(t *testing.T, box *outbox) *world {
	t.Helper()
	w := &world{t: t, box: box, start: time.Now(), flying: map[string]int{}, most: map[string]int{}, busy: map[string]bool{}}
	w.Deliverer = NewDeliverer(client(t, nil), box, nil)
	w.jitter = func(d time.Duration) time.Duration { return d }
	w.post = w.receive
	return w
}

// receive is the far side of every request.
func (w *world) receive(ctx context.Context, o api.Outgoing) error {
	a := arrival{time.Since(w.start), o.Params[0].Value, o.URL, o.Params[1].Value, o.Token}
	host := originOf(o.URL)
	lane := a.key + " " + host
	w.mu.Lock()
	if w.busy[lane] {
		w.t.Errorf("two at once in %s", lane)
	}
	w.busy[lane] = true
	w.flying[host]++
	w.most[host] = max(w.most[host], w.flying[host])
	w.arrivals = append(w.arrivals, a)
	w.loaded = max(w.loaded, w.Stats().Loaded)
	w.mu.Unlock()
	var err error
	if w.answer != nil {
		err = w.answer(ctx, a)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flying[host]--
	delete(w.busy, lane)
	return err
}

// run starts Run and gives what stops and waits for it.
func (w *world) run() (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.Run(ctx) }()
	return func() { cancel(); <-done }
}

// tell commits one notice per note of a call for a receiver.
func (w *world) tell(key, url string, notes ...string) {
	w.Offer(w.box.add(notices(w.t, time.Now(), key, url, notes...)...))
}

func notices(t *testing.T, at time.Time, key, url string, notes ...string) (out []call.Notice) {
	t.Helper()
	d := NewDeliverer(client(t, nil), nil, nil)
	for _, n := range notes {
		o := api.Outgoing{URL: url, Params: []api.Param{{Name: "Call", Value: key}, {Name: "Note", Value: n}}}
		d.client.dialects = map[string]api.Dialect{"toy": fixed{o}}
		out = append(out, d.Render(call.Event{At: at, Record: &call.Record{ID: key, API: "toy", Account: "AC1"}})...)
	}
	return out
}

// fixed is a dialect with one callback.
type fixed struct{ o api.Outgoing }

func (f fixed) Callback(call.Event) []api.Outgoing { return []api.Outgoing{f.o} }
func (fixed) Name() string                         { return "toy" }
func (fixed) NewID(api.IDKind) string              { return "" }
func (fixed) Sign(string, api.Outgoing) (string, string) {
	return "", ""
}
func (fixed) DocumentRequest(call.Hook, call.Record, *script.Result) api.Outgoing {
	return api.Outgoing{}
}
func (fixed) Decode([]byte, string, string) (script.Document, error) { return script.Document{}, nil }

// got gives the notes that arrived for a call, as "seconds note".
func (w *world) got(key string) (out []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.arrivals {
		if a.key == key {
			out = append(out, fmt.Sprintf("%g %s", a.at.Seconds(), a.note))
		}
	}
	return out
}

// pass lets bubble time pass.
func pass(d time.Duration) { <-time.After(d) }

// failures of receivers.
var errDown = &wireError{false, errors.New("connection refused")}

func status(code int, after time.Duration) error {
	return &repeatError{statusError{code}, after}
}

var errServer = status(http.StatusInternalServerError, 0)
