package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/call/toll"
	"callbox/media"
	"callbox/media/mediatest"
)

// pass lets d pass: in a bubble the time of a clock that waits for everybody.
func pass(d time.Duration) { <-time.After(d) }

// The fakes stand in for what the engine gets from outside. Lines and legs are
// played by the test: it sees what was dialled and says what the far end does.

// farLeg is a leg whose far end is the test.
type farLeg struct {
	info   call.LegInfo
	events chan *call.LegEvent
	port   port
	shown  []call.Party // guarded by mu
	sent   chan byte    // digits through SendDigit

	mu       sync.Mutex
	answered bool
	ended    bool
	hungUp   *call.Cause // what Hangup was called with
	progress []call.Progress
	silent   bool // the far end does not react to Hangup until the test says so
}

type port struct {
	in, out atomic.Int64 // level that is heard; last level that was written
	frames  atomic.Int64
}

func (p *port) ReadFrame(f *media.Frame) bool {
	for i := range f {
		f[i] = int16(p.in.Load())
	}
	return true
}

func (p *port) WriteFrame(f *media.Frame) {
	p.out.Store(int64(f[80]))
	p.frames.Add(1)
}

func newFarLeg(info call.LegInfo) *farLeg {
	return &farLeg{info: info, events: make(chan *call.LegEvent, 64), sent: make(chan byte, 64)}
}

func (l *farLeg) Info() call.LegInfo            { return l.info }
func (l *farLeg) Events() <-chan *call.LegEvent { return l.events }
func (l *farLeg) Audio() media.Port             { return &l.port }
func (l *farLeg) SendDigit(_ context.Context, d byte, _ time.Duration) error {
	l.sent <- d
	return nil
}

func (l *farLeg) Progress(_ context.Context, p call.Progress) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.progress = append(l.progress, p)
	return nil
}

func (l *farLeg) Answer(context.Context) error {
	if !l.emit(call.LegEvent{Type: call.LegAnswered}) {
		return call.ErrLegEnded
	}
	return nil
}

func (l *farLeg) Hangup(c call.Cause) {
	l.mu.Lock()
	first := l.hungUp == nil
	if first {
		l.hungUp = &c
	}
	silent := l.silent
	l.mu.Unlock()
	if first && !silent {
		l.end(c)
	}
}

// emit sends an event unless the leg has ended.
func (l *farLeg) emit(ev call.LegEvent) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return false
	}
	if ev.Type == call.LegAnswered {
		if l.answered {
			return true
		}
		l.answered = true
	}
	ev.At = time.Now()
	l.events <- &ev
	return true
}

// end ends the leg.
func (l *farLeg) end(c call.Cause) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.ended = true
	l.events <- &call.LegEvent{Type: call.LegEnded, At: time.Now(), Cause: c}
	close(l.events)
}

func (l *farLeg) isUp() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answered
}

func (l *farLeg) cause() *call.Cause {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hungUp
}

func (l *farLeg) ring()   { l.emit(call.LegEvent{Type: call.LegRinging}) }
func (l *farLeg) early()  { l.emit(call.LegEvent{Type: call.LegEarly}) }
func (l *farLeg) answer() { l.emit(call.LegEvent{Type: call.LegAnswered}) }
func (l *farLeg) press(keys string) {
	for _, d := range []byte(keys) {
		l.emit(call.LegEvent{Type: call.LegDigit, Digit: d})
	}
}

// farLine hands the legs it dials to the test.
type farLine struct {
	id     string
	dialed chan *farLeg
	dials  chan call.Dial
	refuse error         // what Dial says
	slow   chan struct{} // when set, Dial waits for it or its context
	deaf   bool          // Dial does not heed its context
	wrap   func(*farLeg) call.Leg
}

func newFarLine(id string) *farLine {
	return &farLine{id: id, dialed: make(chan *farLeg, 16), dials: make(chan call.Dial, 16)}
}

func (l *farLine) ID() string      { return l.id }
func (l *farLine) Kind() call.Kind { return call.User }
func (l *farLine) Serve(ctx context.Context, _ call.Receiver) error {
	<-ctx.Done()
	return nil
}

func (l *farLine) Dial(ctx context.Context, d call.Dial) (call.Leg, error) {
	l.dials <- d
	if l.deaf {
		ctx = context.Background()
	}
	if l.slow != nil {
		select {
		case <-l.slow:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if l.refuse != nil {
		return nil, l.refuse
	}
	leg := newFarLeg(call.LegInfo{Line: l.id, Kind: call.User, From: d.From, To: d.To, Remote: "192.0.2.1:5060"})
	l.dialed <- leg
	if l.wrap != nil {
		return l.wrap(leg), nil
	}
	return leg, nil
}

// world is an engine with everything around it.
type world struct {
	t       *testing.T
	e       *Engine
	lines   map[string]*farLine
	routes  map[string][]Attempt
	party   toll.Party // of every route
	always  bool       // a failed attempt is followed by the next, whatever it failed of
	noRoute call.Cause // of what has none; the zero value: an ordinary one
	plan    Plan
	docs    map[string]func(*script.Result) (script.Document, error)
	fetched chan string

	mu      sync.Mutex
	records map[string]call.Record
	events  []call.Event
	recs    map[string]call.Recording
	files   map[string]*memFile
	spoken  []script.Speech
	alerts  []call.Alert
	backlog int
	create  error
	next    int
	ticks   *mediatest.Clock
	stored  func(ctx context.Context) error // what Create does instead
	opened  func(url string) media.Clip     // what Open gives instead
	mute    string                          // mu; the vendor that does not speak
	fails   error                           // what Open says instead
	disk    func(*memFile) error            // asked before a file is made; may change it
}

// newWorld makes an engine with the lines 201, 202, 203, each reached by its name.
func newWorld(t *testing.T) *world {
	w := &world{t: t, lines: map[string]*farLine{}, routes: map[string][]Attempt{},
		docs: map[string]func(*script.Result) (script.Document, error){}, fetched: make(chan string, 64),
		records: map[string]call.Record{}, recs: map[string]call.Recording{}, files: map[string]*memFile{}, ticks: mediatest.NewClock()}
	for _, id := range []string{"201", "202", "203"} {
		w.lines[id] = newFarLine(id)
		w.routes[id] = []Attempt{{Line: id, To: id}}
	}
	e, err := New(Config{Lines: w, Router: w, Inbound: w, Scheduler: w.ticks, Journal: w, Publisher: w,
		Fetcher: w, Prompts: w, Files: files{w}, NewID: w.newID, Alert: w.alert, Limits: Limits{Calls: 8},
		Ringback: func(string) media.Clip { return level(500, 1<<30) },
		Tones:    func(d string, _ time.Duration) (media.Clip, error) { return level(700, 10*len(d)), nil }})
	if err != nil {
		t.Fatal(err)
	}
	w.e = e
	return w
}

// close ends every call and the clock; in a bubble everything must be over then.
func (w *world) close() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w.e.Shutdown(ctx)
	w.ticks.Stop()
}

func (w *world) alert(a call.Alert) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.alerts = append(w.alerts, a)
}

func (w *world) newID(_, what string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next++
	return fmt.Sprintf("%s%d", what, w.next)
}

func (w *world) Line(id string) (call.Line, bool) {
	l, ok := w.lines[id]
	return l, ok
}

func (w *world) Route(t script.Target, _ string) (Route, error) {
	if a := w.routes[t.To]; a != nil {
		return Route{Attempts: a, Why: "a route of the test", Party: w.party, Next: func(_ int, c call.Cause) (bool, string) {
			return w.always || c.Outcome() == call.Failed, "the next one may do better"
		}}, nil
	}
	return Route{}, cmp.Or(w.noRoute, call.Cause{Q850: call.Q850NoRoute, SIP: 404, Who: call.Box, Text: "no route to " + t.To})
}

func (w *world) Plan(call.LegInfo) Plan { return w.plan }

func (w *world) Create(ctx context.Context, rec call.Record) error {
	if w.stored != nil {
		if err := w.stored(ctx); err != nil {
			return err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.create != nil {
		return w.create
	}
	w.records[rec.ID] = rec
	return nil
}

func (w *world) Append(ev call.Event, keep bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if keep {
		w.records[ev.Record.ID] = *ev.Record
	}
}

func (w *world) AppendRecording(r call.Recording) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.recs[r.ID] = r
}

func (w *world) Backlog() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.backlog
}

func (w *world) Call(_ context.Context, account, id string) (call.Record, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r, ok := w.records[id]; ok && r.Account == account {
		return r, nil
	}
	return call.Record{}, call.ErrNotFound
}

func (w *world) Calls(_ context.Context, f call.Filter) (call.Page, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var p call.Page
	for _, r := range w.records {
		if matches(r, f) {
			p.Records = append(p.Records, r)
		}
	}
	slices.SortFunc(p.Records, newestFirst)
	if f.Limit > 0 && len(p.Records) > f.Limit {
		p.Records, p.Next = p.Records[:f.Limit], "more"
	}
	return p, nil
}

func (w *world) Delete(_ context.Context, _, id string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.records, id)
	return nil
}

func (w *world) ByIdempotency(_ context.Context, account, value string) (call.Record, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.records {
		if r.Account == account && r.Idempotency == value {
			return r, true
		}
	}
	return call.Record{}, false
}

func (w *world) Publish(ev call.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, ev)
}

func (w *world) Fetch(ctx context.Context, h call.Hook, _ call.Record, res *script.Result) (script.Document, error) {
	w.fetched <- h.URL
	w.mu.Lock()
	f := w.docs[h.URL]
	w.mu.Unlock()
	if f == nil {
		return script.Document{}, &script.FetchError{Code: 11200, URL: h.URL, Err: errors.New("no such document")}
	}
	doc, err := f(res)
	if ctx.Err() != nil {
		return script.Document{}, ctx.Err()
	}
	return doc, err
}

func (w *world) Decode(context.Context, call.Record, call.ScriptSource) (script.Document, error) {
	return script.Document{}, errors.New("no inline documents here")
}

func (w *world) Open(_ context.Context, url string) (media.Clip, error) {
	if w.fails != nil {
		return nil, w.fails
	}
	if w.opened != nil {
		return w.opened(url), nil
	}
	if url == "gone:" {
		return nil, errors.New("no such sound")
	}
	n := 50
	fmt.Sscanf(url, "clip:%d", &n)
	return level(clipLevel, n), nil
}

func (w *world) Speak(_ context.Context, s script.Speech) (media.Clip, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mute != "" && s.Vendor == w.mute {
		return nil, fmt.Errorf("the vendor %s does not speak", s.Vendor)
	}
	w.spoken = append(w.spoken, s)
	return level(400, 50), nil
}

// doc installs a document that always has the same verbs.
func (w *world) doc(url string, verbs ...script.Verb) call.ScriptSource {
	w.install(url, func(*script.Result) (script.Document, error) {
		return script.Document{Verbs: verbs, URL: url}, nil
	})
	return call.ScriptSource{Main: call.Hook{URL: url}}
}

func (w *world) install(url string, f func(*script.Result) (script.Document, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.docs[url] = f
}

// told lists the status events of a call as "type/seq".
func (w *world) told(id string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, ev := range w.events {
		switch ev.Type {
		case call.EventInitiated, call.EventRinging, call.EventEarly, call.EventAnswered, call.EventEnded:
			if ev.Record.ID == id {
				out = append(out, fmt.Sprintf("%s/%d", ev.Type, ev.Seq))
			}
		}
	}
	return out
}
