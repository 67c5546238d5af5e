package script

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/media"
)

// sound is a clip of some frames.
type sound struct {
	frames int
	closed bool
}

func (s *sound) ReadFrame(*media.Frame) bool {
	if s.frames == 0 {
		return false
	}
	s.frames--
	return true
}

func (s *sound) Close() error { s.closed = true; return nil }

// take is a fake recording; stopped by Stop, or by itself after length.
type take struct {
	c      *fake
	o      call.RecordOptions
	began  time.Time
	length time.Duration // when it ends by itself; 0: never
	final  call.Recording
	err    error
	done   chan struct{}
	stops  int
}

func (r *take) Done() <-chan struct{} { return r.done }

func (r *take) Stop() (call.Recording, error) {
	r.stops++
	if r.final.Duration == 0 && r.final.Status == "" {
		r.final.Duration = time.Since(r.began)
	}
	return r.final, r.err
}

// fake is a call for verbs: it logs what is done to it, with the second since
// the start, and lets the test press keys and hang up.
type fake struct {
	t     *testing.T
	start time.Time

	mu    sync.Mutex // guards what follows
	lines []string
	rec   call.Record
	keys  []byte
	press chan struct{} // has a token when keys may be there
	gone  chan struct{} // closed when the call has ended
	stop  context.CancelFunc

	earlyErr                                                   error
	openErr, speakErr, playErr, digitErr, recordErr, answerErr error
	frames                                                     int // of every sound
	take                                                       *take
	prepare                                                    func(*take)
	dial                                                       func(context.Context, Dial) (DialResult, error)
	fetch                                                      func(h call.Hook, rec call.Record, res *Result) (Document, error)
	decode                                                     func(text string) (Document, error)
	asked                                                      []*Result
}

// bubble runs f in a synctest bubble with an answered call.
func bubble(t *testing.T, f func(t *testing.T, c *fake, ctx context.Context)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		now := time.Now()
		f(t, &fake{
			t: t, start: now, stop: stop, press: make(chan struct{}, 1), gone: make(chan struct{}), frames: 50,
			rec: call.Record{ID: "CA1", State: call.InProgress, Answered: &now},
		}, ctx)
	})
}

func (c *fake) env() Env {
	return Env{Control: fakeControl{c}, Audio: fakeAudio{c}, Dialer: c, Prompts: c, Fetcher: c}
}

// ringing makes the call an arriving one that is not answered.
func (c *fake) ringing() {
	c.rec.State, c.rec.Answered = call.Ringing, nil
}

// logf keeps a line of what happened.
func (c *fake) logf(format string, a ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, fmt.Sprintf("%g ", time.Since(c.start).Seconds())+fmt.Sprintf(format, a...))
}

// want compares the log.
func (c *fake) want(lines ...string) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	got, want := strings.Join(c.lines, "\n"), strings.Join(lines, "\n")
	if got != want {
		c.t.Errorf("happened:\n%s\nwanted:\n%s", got, want)
	}
}

// after runs f after d, unless the test ends.
func (c *fake) after(d time.Duration, f func()) { time.AfterFunc(d, f) }

// typeAt presses a key at each of the times, in seconds from now.
func (c *fake) typeAt(keys string, at ...float64) {
	for i, s := range at {
		c.after(time.Duration(s*float64(time.Second)), func() { c.key(keys[i]) })
	}
}

func (c *fake) key(k byte) {
	c.mu.Lock()
	c.keys = append(c.keys, k)
	c.mu.Unlock()
	select {
	case c.press <- struct{}{}:
	default:
	}
}

// end makes the far end hang up: as in the engine the record is final first,
// then the script's context ends.
func (c *fake) end() {
	c.mu.Lock()
	if !c.rec.State.Final() {
		c.rec.State = call.Completed
		close(c.gone)
	}
	c.mu.Unlock()
	c.stop()
}

type fakeControl struct{ c *fake }

func (f fakeControl) Record() *call.Record {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	return new(f.c.rec)
}

func (f fakeControl) Answer(context.Context) error {
	if f.c.answerErr != nil {
		return f.c.answerErr
	}
	f.c.mu.Lock()
	answered := f.c.rec.Answered != nil
	if !answered {
		now := time.Now()
		f.c.rec.State, f.c.rec.Answered = call.InProgress, &now
	}
	f.c.mu.Unlock()
	if !answered {
		f.c.logf("answer")
	}
	return nil
}

func (f fakeControl) Early(context.Context) error {
	f.c.logf("early")
	return f.c.earlyErr
}

func (f fakeControl) Hangup(cause call.Cause) {
	f.c.logf("hangup %d/%d %s", cause.Q850, cause.SIP, cause.Who)
	f.c.end()
}

func (f fakeControl) Change(_ context.Context, ch call.Change) error {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	if f.c.rec.State.Final() {
		return call.ErrEnded
	}
	if ch.Tag != nil {
		f.c.rec.Session.Tag = *ch.Tag
	}
	if ch.Speech != nil {
		f.c.rec.Session.Speech = f.c.rec.Session.Speech.With(*ch.Speech)
	}
	return nil
}

func (f fakeControl) Tell(t call.EventType, note string) { f.c.logf("%s %s", t, note) }

type fakeAudio struct{ c *fake }

func (f fakeAudio) Play(ctx context.Context, clip media.Clip) error {
	defer clip.Close()
	if f.c.playErr != nil {
		return f.c.playErr
	}
	tick := time.NewTicker(media.FrameDuration)
	defer tick.Stop()
	var frame media.Frame
	n := 0
	for clip.ReadFrame(&frame) {
		n++
		select {
		case <-tick.C:
		case <-f.c.gone:
			return call.ErrEnded
		case <-ctx.Done():
			f.c.logf("cut after %d frames", n)
			return ctx.Err()
		}
	}
	f.c.logf("played %d frames, %d", n, frame[2])
	return nil
}

func (f fakeAudio) SendDigits(_ context.Context, d string, length time.Duration) error {
	if length != 0 {
		d += " " + length.String()
	}
	f.c.logf("sent %s", d)
	return f.c.digitErr
}

func (f fakeAudio) Digit(ctx context.Context) (byte, error) {
	for {
		f.c.mu.Lock()
		if len(f.c.keys) > 0 {
			k := f.c.keys[0]
			f.c.keys = f.c.keys[1:]
			f.c.mu.Unlock()
			return k, nil
		}
		f.c.mu.Unlock()
		select {
		case <-f.c.press:
		case <-f.c.gone:
			return 0, call.ErrEnded
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

func (f fakeAudio) DropDigits() {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	f.c.keys = nil
}

func (f fakeAudio) Record(o call.RecordOptions) (Recording, error) {
	if f.c.recordErr != nil {
		return nil, f.c.recordErr
	}
	f.c.logf("record silence %s, max %s", o.MaxSilence, o.MaxLength)
	r := &take{c: f.c, o: o, began: time.Now(), done: make(chan struct{})}
	f.c.take = r
	if f.c.prepare != nil {
		f.c.prepare(r)
	}
	if r.length > 0 {
		f.c.after(r.length, func() { close(r.done) })
	}
	return r, nil
}

func (c *fake) Dial(ctx context.Context, d *Dial) (DialResult, error) {
	c.logf("dial %s", d.Targets[0].To)
	return c.dial(ctx, *d)
}

func (c *fake) Open(_ context.Context, url string) (media.Clip, error) {
	c.logf("open %s", url)
	if c.openErr != nil {
		return nil, c.openErr
	}
	return &sound{frames: c.frames}, nil
}

func (c *fake) Speak(_ context.Context, s Speech) (media.Clip, error) {
	c.logf("speak %s", s.Text)
	if c.speakErr != nil {
		return nil, c.speakErr
	}
	return &sound{frames: c.frames}, nil
}

func (c *fake) Fetch(ctx context.Context, h call.Hook, rec call.Record, res *Result) (Document, error) {
	if ctx.Err() != nil {
		return Document{}, ctx.Err()
	}
	c.asked = append(c.asked, res)
	return c.fetch(h, rec, res)
}

func (c *fake) Decode(_ context.Context, _ call.Record, src call.ScriptSource) (Document, error) {
	text := src.Inline
	return c.decode(text)
}

var errOdd = errors.New("odd failure")
