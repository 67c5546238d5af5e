package engine

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/media"
)

// listeners are applications that take streams: the test plays them.
type listeners struct {
	opened chan *listener
	slow   bool // the connection is not made until the test says so
	refuse error
}

// listener is one application at the far end of a stream.
type listener struct {
	desc   call.Stream
	end    script.StreamEnd
	accept chan struct{}
	leave  chan error // what ends it

	over chan error // what Next or the context said at the end
}

// hears lets the world's engine stream to l.
func (w *world) hears(l *listeners) *listeners {
	l.opened = make(chan *listener, 16)
	w.e.cfg.Streamer = l
	return l
}

func (l *listeners) Stream(ctx context.Context, s call.Stream, _ call.Record, end script.StreamEnd, connected func()) error {
	if l.refuse != nil {
		return l.refuse
	}
	a := &listener{desc: s, end: end, accept: make(chan struct{}), leave: make(chan error, 1), over: make(chan error, 1)}
	if !l.slow {
		close(a.accept)
	}
	l.opened <- a
	select {
	case <-a.accept:
	case <-ctx.Done():
		a.over <- ctx.Err()
		return ctx.Err()
	}
	connected()
	select {
	case err := <-a.leave:
		return err
	case <-ctx.Done():
		a.over <- ctx.Err()
		return ctx.Err()
	}
}

// next waits for the next piece of this kind.
func (a *listener) next(t *testing.T, kind script.StreamPieceKind) script.StreamPiece {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		var p script.StreamPiece
		if err := a.end.Next(ctx, &p); err != nil {
			t.Fatalf("waiting for a piece of kind %d: %v", kind, err)
		}
		if p.Kind == kind {
			return p
		}
	}
}

// streamEvents lists the events of streams, without "stream-".
func (w *world) streamEvents(id string) string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, ev := range w.events {
		if ev.Stream != nil && ev.Stream.Call == id {
			out = append(out, strings.TrimPrefix(string(ev.Type), "stream-"))
		}
	}
	return strings.Join(out, " ")
}

func TestStreamBeside(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		apps := w.hears(&listeners{})
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice",
			script.StartStream{Options: call.StreamOptions{URL: "ws://app/1", Name: "one", Track: call.TrackInbound, Keys: true}},
			script.StartStream{Options: call.StreamOptions{URL: "ws://app/2", Name: "two"}},
			play("clip:100"),
			script.StopStream{Stream: "one"}, script.StopStream{Stream: "nobody"},
			play("clip:100"))})
		leg := <-w.lines["201"].dialed
		leg.port.in.Store(1000)
		leg.answer()
		one, two := <-apps.opened, <-apps.opened
		if one.desc.Name != "one" {
			one, two = two, one
		}
		pass(time.Second)
		p := one.next(t, script.StreamSound)
		if p.At != 0 || p.In[0] != 1000 || p.Out[0] != 0 {
			t.Errorf("the first frame of one track: %v %d %d", p.At, p.In[0], p.Out[0])
		}
		p = two.next(t, script.StreamSound)
		if p = two.next(t, script.StreamSound); p.At != media.FrameDuration || p.In[0] != 1000 || p.Out[0] != 300 {
			t.Errorf("the second frame of both: %v %d %d", p.At, p.In[0], p.Out[0])
		}
		leg.press("7")
		synctest.Wait()
		if p := one.next(t, script.StreamKey); p.Key != '7' {
			t.Errorf("key %c", p.Key)
		}
		pass(1500 * time.Millisecond)
		var rest script.StreamPiece
		if err := one.end.Next(context.Background(), &rest); !errors.Is(err, io.EOF) {
			t.Errorf("after the stop: %v", err)
		}
		one.leave <- nil
		pass(5 * time.Second)
		w.ends(rec.ID, call.Completed)
		if err := <-two.over; err == nil {
			t.Error("a stream outlived its call")
		}
		if got := w.streamEvents(rec.ID); got != "started started stopped stopped" {
			t.Errorf("events %q", got)
		}
		if st := w.e.StreamStats(); st.Running != 0 || st.Failed != 0 || st.Lost.Frames < 100 {
			t.Errorf("counters %+v", st)
		}
		if r := w.record(rec.ID); len(r.Warnings) != 3 || !strings.Contains(r.Warnings[0], "nobody") || !strings.Contains(r.Warnings[2], "lost 100 frames") {
			t.Errorf("warnings %q", r.Warnings) // nobody took most of the sound
		}
	})
}

func TestStreamPlays(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		apps := w.hears(&listeners{})
		action := w.doc("http://app/after", script.Hangup{})
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice",
			script.Connect{Verb: "connect", Options: call.StreamOptions{URL: "ws://app/1", TwoWay: true}, Action: action.Main})})
		leg := <-w.lines["201"].dialed
		leg.answer()
		a := <-apps.opened
		synctest.Wait()
		flat := func(v int16, n int) []int16 { return slices.Repeat([]int16{v}, n) }
		a.end.Mark("nothing before it")
		if p := a.next(t, script.StreamMark); p.Mark != "nothing before it" || p.Cleared {
			t.Errorf("%+v", p.Mark)
		}
		// 30 ms in two pieces, a mark in the middle of a frame.
		if !a.end.Play(flat(111, 100)) || !a.end.Mark("a") || !a.end.Play(flat(222, 300)) || !a.end.Mark("b") {
			t.Error("no room")
		}
		for _, want := range []string{"a", "b"} {
			if p := a.next(t, script.StreamMark); p.Mark != want || p.Cleared {
				t.Errorf("mark %s, want %s", p.Mark, want)
			}
		}
		// The beginning of a frame waits for its rest, but not for ever.
		pass(100 * time.Millisecond)
		a.end.Play(flat(333, 100))
		pass(30 * time.Millisecond)
		if got := leg.port.out.Load(); got != 0 {
			t.Errorf("the beginning of a frame was heard at once: %d", got)
		}
		heard := func(want int64) {
			t.Helper()
			for range 20 {
				if leg.port.out.Load() == want {
					return
				}
				pass(10 * time.Millisecond)
			}
			t.Errorf("%d was never heard", want)
		}
		heard(333)
		// What is cleared is not heard, and its marks say so.
		a.end.Play(flat(444, 8000))
		a.end.Mark("c")
		a.end.Play(flat(555, 8000))
		a.end.Clear(true)
		if p := a.next(t, script.StreamMark); p.Mark != "c" || !p.Cleared {
			t.Errorf("%+v", p.Mark)
		}
		heard(444)
		a.end.Clear(false)
		pass(50 * time.Millisecond)
		if got := leg.port.out.Load(); got != 0 {
			t.Errorf("heard after clear: %d", got)
		}
		if a.end.Play(flat(1, media.SamplesIn(maxPlayed)+1)) {
			t.Error("more than fits was taken without a word")
		}
		n := 0
		for a.end.Mark("x") {
			n++
		}
		if n != maxMarks {
			t.Errorf("%d marks were taken", n)
		}
		if err := a.end.Press(context.Background(), "42"); err != nil || <-leg.sent != '4' || <-leg.sent != '2' {
			t.Errorf("keys: %v", err)
		}
		a.leave <- nil
		w.ends(rec.ID, call.Completed)
		if got := w.streamEvents(rec.ID); got != "started stopped" {
			t.Errorf("events %q", got)
		}
		if url := <-w.fetched; url != "http://app/voice" || <-w.fetched != "http://app/after" {
			t.Error("the action was not asked")
		}
	})
}

// TestConnectEnds: a key, the limit, silence, a new document and the call's end
// all end a Connect.
func TestConnectEnds(t *testing.T) {
	for name, tc := range map[string]struct {
		verb   script.Connect
		do     func(w *world, id string, leg *farLeg)
		after  time.Duration
		action bool
	}{
		"key":      {script.Connect{FinishOnKey: "#"}, func(_ *world, _ string, leg *farLeg) { leg.press("1#") }, 0, true},
		"limit":    {script.Connect{MaxLength: 5 * time.Second}, nil, 5 * time.Second, true},
		"silence":  {script.Connect{Options: call.StreamOptions{MaxSilence: 3 * time.Second}}, nil, 3 * time.Second, true},
		"redirect": {script.Connect{}, func(w *world, id string, _ *farLeg) { w.redirect(id) }, 0, false},
		"hang-up":  {script.Connect{}, func(_ *world, _ string, leg *farLeg) { leg.end(call.NormalClearing(call.Remote)) }, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				apps := w.hears(&listeners{})
				action := w.doc("http://app/after", script.Hangup{})
				tc.verb.Verb, tc.verb.Action = "listen", action.Main
				rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice", tc.verb)})
				leg := <-w.lines["201"].dialed
				leg.answer()
				a := <-apps.opened
				go func() { // ended by the end of the stream
					var p script.StreamPiece
					for a.end.Next(context.Background(), &p) == nil {
					}
					a.leave <- nil
				}()
				synctest.Wait()
				began := time.Now()
				if tc.do != nil {
					tc.do(w, rec.ID, leg)
				}
				synctest.Wait()
				pass(tc.after + 100*time.Millisecond)
				if got := w.streamEvents(rec.ID); got != "started stopped" {
					t.Errorf("events %q after %v", got, time.Since(began))
				}
				<-w.fetched
				synctest.Wait()
				var asked []string
				for len(w.fetched) > 0 {
					asked = append(asked, <-w.fetched)
				}
				if slices.Contains(asked, "http://app/after") != tc.action {
					t.Errorf("asked %v", asked)
				}
				leg.end(call.NormalClearing(call.Remote))
				w.ends(rec.ID, call.Completed)
			})
		})
	}
}

// redirect gives a call another document.
func (w *world) redirect(id string) {
	src := w.doc("http://app/other", play("clip:500"))
	if _, err := w.e.Modify(context.Background(), "acct", id, call.Change{Script: &src}); err != nil {
		w.t.Fatal(err)
	}
}

// TestStreamFails: the call goes on without a stream that cannot be had.
func TestStreamFails(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		apps := w.hears(&listeners{refuse: &script.StreamError{Code: 31902, Err: errors.New("nobody listens")}})
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice",
			script.Connect{Verb: "connect", Options: call.StreamOptions{URL: "ws://app/1"}}, play("clip:50"))})
		leg := <-w.lines["201"].dialed
		leg.answer()
		pass(500 * time.Millisecond)
		if leg.port.out.Load() != 300 {
			t.Error("the document did not go on")
		}
		apps.refuse, apps.slow = nil, true
		s, err := w.e.StartStream(context.Background(), "acct", rec.ID, call.StreamOptions{URL: "ws://app/2"})
		if err != nil || s.ID == "" || s.State != call.StreamRunning {
			t.Fatalf("%+v %v", s, err)
		}
		never := <-apps.opened // and never connected
		pass(2 * time.Second)
		w.ends(rec.ID, call.Completed)
		if err := <-never.over; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if st := w.e.StreamStats(); st.Running != 0 || st.Failed != 1 {
			t.Errorf("counters %+v", st)
		}
		if got := w.streamEvents(rec.ID); got != "error" {
			t.Errorf("events %q", got)
		}
		r := w.record(rec.ID)
		if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "nobody listens") {
			t.Errorf("warnings %q", r.Warnings)
		}
	})
}

func TestStreamByRequest(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		apps := w.hears(&listeners{})
		id, leg := w.talking("201")
		leg.port.in.Store(1000)
		var all []call.Stream
		for _, name := range []string{"a", "b", "", ""} {
			s, err := w.e.StartStream(ctx, "acct", id, call.StreamOptions{URL: "ws://app/1", Name: name})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, s)
		}
		if _, err := w.e.StartStream(ctx, "acct", id, call.StreamOptions{}); !errors.Is(err, call.ErrTooMany) {
			t.Errorf("one too many: %v", err)
		}
		if s, err := w.e.StopStream(ctx, "acct", id, "b"); err != nil || s.ID != all[1].ID || s.State != call.StreamStopped {
			t.Errorf("by name: %+v %v", s, err)
		}
		if _, err := w.e.StartStream(ctx, "acct", id, call.StreamOptions{Name: "a"}); !errors.Is(err, call.ErrTooMany) {
			t.Errorf("a name twice: %v", err)
		}
		if _, err := w.e.StopStream(ctx, "acct", id, all[2].ID); err != nil {
			t.Errorf("by id: %v", err)
		}
		for _, name := range []string{"", "b", all[2].ID} {
			if _, err := w.e.StopStream(ctx, "acct", id, name); !errors.Is(err, call.ErrNoStream) {
				t.Errorf("%q: %v", name, err)
			}
		}
		// Silence and pause are what all of them carry.
		a := <-apps.opened
		for a.desc.ID != all[0].ID {
			a = <-apps.opened
		}
		change := func(c call.StreamChange) {
			t.Helper()
			if _, err := w.e.Modify(ctx, "acct", id, call.Change{Streams: &c}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		pass(100 * time.Millisecond)
		change(call.StreamSilence)
		if p := a.next(t, script.StreamSound); p.In[0] != 0 {
			t.Errorf("silence sounds like %d", p.In[0])
		}
		change(call.StreamPause)
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		var p script.StreamPiece
		if err := a.end.Next(short, &p); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("paused: %v", err)
		}
		change(call.StreamResume)
		pass(20 * time.Millisecond)
		if p := a.next(t, script.StreamSound); p.In[0] != 1000 || p.At < time.Second {
			t.Errorf("resumed: %d at %v", p.In[0], p.At)
		}
		leg.end(call.NormalClearing(call.Remote))
		pass(3 * time.Second)
		w.ends(id, call.Completed)
		if _, err := w.e.StartStream(ctx, "acct", id, call.StreamOptions{}); !errors.Is(err, call.ErrEnded) {
			t.Errorf("after the end: %v", err)
		}
		resume := call.StreamResume
		if _, err := w.e.Modify(ctx, "acct", id, call.Change{Streams: &resume}); !errors.Is(err, call.ErrEnded) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// TestDialStreams: a Dial's stream lives as long as the connection.
func TestDialStreams(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		apps := w.hears(&listeners{})
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice",
			&script.DialVerb{Dial: script.Dial{Targets: []script.Target{{Kind: script.ToUser, To: "202"}}, Stream: &call.StreamOptions{URL: "ws://app/1"}}},
			play("clip:50"))})
		a := <-w.lines["201"].dialed
		a.answer()
		b := <-w.lines["202"].dialed
		synctest.Wait()
		if len(apps.opened) != 0 {
			t.Error("streamed before the connection")
		}
		a.port.in.Store(10)
		b.port.in.Store(20)
		b.answer()
		app := <-apps.opened
		pass(time.Second)
		app.next(t, script.StreamSound)
		if p := app.next(t, script.StreamSound); p.In[0] != 10 || p.Out[0] != 20 {
			t.Errorf("heard %d %d", p.In[0], p.Out[0])
		}
		b.end(call.NormalClearing(call.Remote))
		pass(100 * time.Millisecond)
		var p script.StreamPiece
		if err := app.end.Next(context.Background(), &p); !errors.Is(err, io.EOF) {
			t.Errorf("after the connection: %v", err)
		}
		app.leave <- nil
		pass(3 * time.Second)
		w.ends(rec.ID, call.Completed)
		if got := w.streamEvents(rec.ID); got != "started stopped" {
			t.Errorf("events %q", got)
		}
	})
}
