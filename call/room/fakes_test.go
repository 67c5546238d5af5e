package room

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/media"
	"callbox/media/mediatest"
	"callbox/media/session"
)

// world is a house with everything around it.
type world struct {
	t      *testing.T
	h      *House
	clock  *mediatest.Clock
	tasks  sync.WaitGroup
	calls  []*fake
	docs   map[string]func(res *script.Result) ([]script.Verb, error)
	nobell bool
	news   func(call.Event) // takes the events of queues; nil: nobody does

	mu     sync.Mutex
	events []call.Event
	next   int
	saved  [][]call.Queue
	saving error
	kept   []call.Conference
	tapes  []*tape
}

const account = "AC1"

// bubble runs f in a synctest bubble; everything must be over at its end.
func bubble(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, clock: mediatest.NewClock(), docs: map[string]func(*script.Result) ([]script.Verb, error){}}
		w.open(nil)
		defer func() {
			for _, c := range w.calls {
				c.hangup()
			}
			w.tasks.Wait()
			w.clock.Stop()
		}()
		f(t, w)
	})
}

func (w *world) open(queues []call.Queue, past ...call.Conference) {
	h, err := New(Config{Scheduler: w.clock, Fetcher: w, Prompts: w, NewID: w.newID, Tell: w.tell, Record: w.record, Go: w.tasks.Go,
		Music: func() media.Clip { return &level{v: 7, left: -1} },
		Bell: func(enters bool) media.Clip {
			if w.nobell {
				return &level{}
			}
			if enters {
				return &level{v: 20, left: 5}
			}
			return &level{v: 30, left: 5}
		},
		Queues: queues, SaveQueues: w.save, Past: past, SaveConference: w.keep, Now: time.Now})
	if err != nil {
		w.t.Fatal(err)
	}
	w.h = h
}

func (w *world) newID(_, what string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next++
	return fmt.Sprintf("%s%d", what, w.next)
}

func (w *world) tell(ev call.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ev.Queue != nil {
		if w.news != nil {
			w.news(ev)
		}
		return
	}
	w.events = append(w.events, ev)
}

func (w *world) save(list []call.Queue) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.saved = append(w.saved, list)
	return w.saving
}

func (w *world) keep(c call.Conference) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kept = append(w.kept, c)
}

// told gives the events so far as "number type call", and forgets them.
func (w *world) told() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, ev := range w.events {
		s := fmt.Sprintf("%d %s", ev.Seq, ev.Type)
		if p := ev.Conference.Participant; p != nil {
			s += " " + p.Call
		}
		if l := ev.Conference.Left; l != "" {
			s += " " + string(l)
		}
		if ev.Type == call.EventConferenceEnd {
			s += fmt.Sprintf(" %s %s", ev.Conference.Conference.Reason, ev.Conference.Conference.EndedBy)
		}
		out = append(out, s)
	}
	w.events = nil
	return strings.Join(out, ", ")
}

func (w *world) wantTold(want ...string) {
	w.t.Helper()
	synctest.Wait()
	if got := w.told(); got != strings.Join(want, ", ") {
		w.t.Errorf("told:\n  %s\nwant:\n  %s", got, strings.Join(want, ", "))
	}
}

// tape is a recording of a conference.
type tape struct {
	inside  *session.Session
	opts    call.RecordOptions
	stopped bool
}

func (w *world) record(inside *session.Session, _ call.Conference, o call.RecordOptions) (script.Recording, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	tp := &tape{inside: inside, opts: o}
	w.tapes = append(w.tapes, tp)
	return tp, nil
}

func (*tape) Done() <-chan struct{} { return nil }
func (tp *tape) Stop() (call.Recording, error) {
	tp.stopped = true
	return call.Recording{ID: "RE1"}, nil
}

func (w *world) Fetch(_ context.Context, h call.Hook, _ call.Record, res *script.Result) (script.Document, error) {
	f := w.docs[h.URL]
	if f == nil {
		return script.Document{}, &script.FetchError{Code: 11200, URL: h.URL, Err: errors.New("no such document")}
	}
	verbs, err := f(res)
	return script.Document{URL: h.URL, Verbs: verbs}, err
}

func (w *world) Decode(context.Context, call.Record, call.ScriptSource) (script.Document, error) {
	return script.Document{}, errors.New("nothing is inline here")
}

// Open gives "level:n" for a second, or an error.
func (w *world) Open(_ context.Context, url string) (media.Clip, error) {
	var v int16
	if n, _ := fmt.Sscanf(url, "level:%d", &v); n != 1 {
		return nil, errors.New("no such sound")
	}
	return &level{v: v, left: 50}, nil
}

func (w *world) Speak(context.Context, script.Speech) (media.Clip, error) {
	return nil, script.ErrNoSpeech
}

// plays installs a document that plays a level for a second.
func (w *world) plays(url string, v int) call.Hook {
	w.docs[url] = func(*script.Result) ([]script.Verb, error) {
		return []script.Verb{script.Play{URL: fmt.Sprintf("level:%d", v), Loop: 1}}, nil
	}
	return call.Hook{URL: url}
}

// level is some frames of a constant level; left < 0: without end.
type level struct {
	v    int16
	left int
}

func (l *level) ReadFrame(f *media.Frame) bool {
	if l.left == 0 {
		return false
	}
	l.left--
	for i := range f {
		f[i] = l.v
	}
	return true
}

func (*level) Close() error { return nil }

// fake is a call with a far end that says a constant level.
type fake struct {
	w    *world
	id   string
	sess *session.Session
	keys chan byte
	ctx  context.Context // of its script
	stop context.CancelFunc

	mu    sync.Mutex
	rec   call.Record
	says  int16
	hears int16
	sent  string
	notes []string
	peer  *fake
}

// dial makes a call whose far end says v.
func (w *world) dial(id string, v int16) *fake {
	now := time.Now()
	c := &fake{w: w, id: id, says: v, keys: make(chan byte, 16),
		rec: call.Record{ID: id, API: "toy", Account: account, State: call.InProgress, Answered: &now}}
	c.ctx, c.stop = context.WithCancel(w.t.Context())
	c.sess = session.New(w.clock, c)
	w.calls = append(w.calls, c)
	return c
}

// hangup ends the call.
func (c *fake) hangup() {
	c.mu.Lock()
	c.rec.State = call.Completed
	c.mu.Unlock()
	c.stop()
	c.sess.Close()
}

func (c *fake) ReadFrame(f *media.Frame) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range f {
		f[i] = c.says
	}
	return c.says != 0
}

func (c *fake) WriteFrame(f *media.Frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hears = f[80]
}

// hear checks what the far ends hear now, in the order of the calls.
func (w *world) hear(want ...int16) {
	w.t.Helper()
	pass(100 * time.Millisecond) // the sound settles
	var got []int16
	for _, c := range w.calls {
		c.mu.Lock()
		got = append(got, c.hears)
		c.mu.Unlock()
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("heard %v, want %v", got, want)
	}
}

func (c *fake) Env() script.Env {
	return script.Env{Control: fakeControl{c}, Audio: fakeAudio{c}, Prompts: c.w, Fetcher: c.w}
}

func (c *fake) Enter(_ context.Context, seat media.Port) error {
	if err := c.sess.Enter(seat); err != nil {
		return call.ErrEnded
	}
	return nil
}

func (c *fake) Leave(seat media.Port) { c.sess.Leave(seat) }

func (c *fake) Bridge(_ context.Context, other Party, _ bool) (Bridge, error) {
	o := other.(*fake)
	c.peer = o
	if err := session.Bridge(c.sess, o.sess); err != nil {
		return nil, err
	}
	return fakeBridge{c}, nil
}

type fakeBridge struct{ c *fake }

func (b fakeBridge) Star() <-chan struct{} { return nil }
func (b fakeBridge) Close()                { b.c.sess.Unbridge() }

type fakeControl struct{ *fake }

func (c fakeControl) Record() *call.Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return new(c.rec)
}
func (fakeControl) Early(context.Context) error { return nil }

func (fakeControl) Answer(context.Context) error              { return nil }
func (c fakeControl) Hangup(call.Cause)                       { c.hangup() }
func (fakeControl) Change(context.Context, call.Change) error { return nil }
func (c fakeControl) Tell(t call.EventType, note string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t == call.EventWarning {
		c.notes = append(c.notes, note)
	}
}

type fakeAudio struct{ *fake }

func (c fakeAudio) Play(ctx context.Context, clip media.Clip) error {
	p := c.sess.Play(clip)
	select {
	case <-p.Done():
		return nil
	case <-c.ctx.Done():
	case <-ctx.Done():
	}
	p.Stop()
	if c.Env().Control.Record().State.Final() {
		return call.ErrEnded
	}
	return ctx.Err()
}

func (c fakeAudio) SendDigits(_ context.Context, digits string, _ time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent += digits
	return nil
}

func (c fakeAudio) Digit(ctx context.Context) (byte, error) {
	select {
	case d := <-c.keys:
		return d, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (fakeAudio) DropDigits() {}

func (c fakeAudio) Record(call.RecordOptions) (script.Recording, error) { return &tape{}, nil }

// stay is a call's script in a room.
type stay[R any] struct {
	res  R
	err  error
	done chan struct{}
}

// over reports whether it has ended.
func (s *stay[R]) over() bool {
	synctest.Wait()
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

func start[R any](w *world, f func() (R, error)) *stay[R] {
	s := &stay[R]{done: make(chan struct{})}
	w.tasks.Go(func() {
		defer close(s.done)
		s.res, s.err = f()
	})
	synctest.Wait()
	return s
}

// confer enters a conference.
func (c *fake) confer(x script.Conference) *stay[script.ConferenceResult] {
	if x.Name == "" {
		x.Name = "sales"
	}
	return start(c.w, func() (script.ConferenceResult, error) { return c.w.h.Confer(c.ctx, c, x) })
}

func (c *fake) enqueue(x script.Enqueue) *stay[script.QueueResult] {
	if x.Name == "" {
		x.Name = "support"
	}
	return start(c.w, func() (script.QueueResult, error) { return c.w.h.Enqueue(c.ctx, c, x) })
}

func (c *fake) dequeue(x script.Dequeue) *stay[script.DequeueResult] {
	if x.Name == "" {
		x.Name = "support"
	}
	return start(c.w, func() (script.DequeueResult, error) { return c.w.h.Dequeue(c.ctx, c, x) })
}

// warned gives the warnings so far.
func (c *fake) warned() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.notes, "; ")
}

// the bubble's time passes only when all wait: nothing here sleeps for real.
func pass(d time.Duration) {
	t := time.NewTimer(d)
	<-t.C
	synctest.Wait()
}
