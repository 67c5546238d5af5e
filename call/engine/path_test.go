package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/call/script"
)

// roamer is a leg whose sound can go past the box. Its answers come after a second.
type roamer struct {
	*farLeg
	codec   string
	offered []string
	refuse  error // what Release says

	mu        sync.Mutex
	away      bool
	peer      *roamer
	over      chan struct{}
	asked     int // for Release
	reclaimed int
	preferred []string
}

func newRoamer(info call.LegInfo) *roamer { return &roamer{farLeg: newFarLeg(info)} }

func (l *roamer) Release(_ context.Context, peer call.Leg) (<-chan struct{}, error) {
	pass(time.Second)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	if l.refuse != nil {
		return nil, l.refuse
	}
	l.away, l.peer, l.over = true, peer.(*roamer), make(chan struct{})
	l.peer.mu.Lock()
	defer l.peer.mu.Unlock()
	l.peer.away = true
	return l.over, nil
}

func (l *roamer) Reclaim(context.Context) error {
	l.mu.Lock()
	needed := l.away || l.codec == "opus"
	l.mu.Unlock()
	if !needed {
		return nil
	}
	pass(time.Second)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.farLeg.cause() != nil {
		return call.ErrLegEnded
	}
	l.reclaimed++
	l.away = false
	if l.codec == "opus" {
		l.codec = "PCMU"
	}
	return nil
}

func (l *roamer) isAway() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.away
}

// turn has the far end turn to the box by itself; over belongs to the first leg.
func (l *roamer) turn(over chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = false
	close(over)
}

func (l *roamer) Codec() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.codec
}
func (l *roamer) Offered() []string { return l.offered }
func (l *roamer) Prefer(c []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.preferred = c
}

// roaming has a caller arrive and 201 answer, both roamers.
func (w *world) roaming(d script.Dial, adjust ...func(caller, callee *roamer)) (caller, callee *roamer, id string) {
	w.t.Helper()
	caller = newRoamer(call.LegInfo{Line: "in", Inbound: true, From: "5550111", To: "5550100"})
	caller.codec = "PCMU"
	made := make(chan *roamer, 1)
	w.lines["201"].wrap = func(l *farLeg) call.Leg {
		r := &roamer{farLeg: l, codec: "PCMU"}
		for _, f := range adjust {
			f(caller, r)
		}
		made <- r
		return r
	}
	d.Targets = users("201")
	id, _ = w.arriveAs(caller, d)
	<-w.lines["201"].dialed
	callee = <-made
	callee.answer()
	pass(100 * time.Millisecond)
	return caller, callee, id
}

// where fails the test unless both legs are away, or here.
func where(t *testing.T, what string, away bool, legs ...*roamer) {
	t.Helper()
	synctest.Wait()
	for i, l := range legs {
		if l.isAway() != away {
			t.Errorf("%s: leg %d is away: %v", what, i, l.isAway())
		}
	}
}

// warned reports whether a warning with these words was told.
func (w *world) warned(words string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.events, func(ev call.Event) bool {
		return ev.Type == call.EventWarning && strings.Contains(ev.Note, words)
	})
}

// TestPathDirect: the sound leaves the box when the parties are connected, comes
// back for whatever needs it, and leaves again.
func TestPathDirect(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		a, b, id := w.roaming(script.Dial{Path: call.PathDirect, TimeLimit: time.Hour})
		where(t, "at first", false, a, b)
		pass(2 * time.Second)
		where(t, "connected", true, a, b)
		if !w.warned("the sound goes past the box") {
			t.Error("nobody was told")
		}

		rec, err := w.e.Record(t.Context(), "acct", id, call.RecordingChange{Start: &call.RecordOptions{Channels: 2}})
		if err != nil {
			t.Fatal(err)
		}
		pass(2 * time.Second)
		where(t, "recorded", false, a, b)
		if _, err := w.e.Record(t.Context(), "acct", id, call.RecordingChange{ID: rec.ID, Status: call.RecordingStopped}); err != nil {
			t.Fatal(err)
		}
		pass(3 * time.Second)
		where(t, "recorded no more", true, a, b)

		muted := true
		for _, ch := range []call.Change{{Muted: &muted}, {Path: call.PathThrough}} {
			w.change(id, ch)
			pass(2 * time.Second)
			where(t, "changed", false, a, b)
			muted = false
			w.change(id, call.Change{Muted: &muted, Path: call.PathDirect})
			pass(3 * time.Second)
			where(t, "changed back", true, a, b)
		}
	})
}

// TestPathWhisper: a sound that is to be heard waits for the way to the far end.
func TestPathWhisper(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		a, b, id := w.roaming(script.Dial{Path: call.PathDirect, TimeLimit: time.Hour})
		pass(2 * time.Second)
		before := a.port.frames.Load()
		w.change(id, call.Change{Tracks: []call.Track{{Act: call.TrackPlay, Sounds: []call.Sound{{URL: "clip:50"}}, Loop: 1}}})
		pass(500 * time.Millisecond)
		if a.port.frames.Load() != before && a.port.out.Load() == clipLevel {
			t.Error("the whisper began before anybody could hear it")
		}
		pass(time.Second)
		where(t, "whispering", false, a, b)
		if a.port.out.Load() != clipLevel {
			t.Errorf("the far end hears %d", a.port.out.Load())
		}
		pass(4 * time.Second)
		where(t, "afterwards", true, a, b)
	})
}

// TestPathHold: a far end that holds the other one has turned to the box; the other
// follows, and both leave when it is over.
func TestPathHold(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		a, b, _ := w.roaming(script.Dial{Path: call.PathDirect, TimeLimit: time.Hour})
		pass(2 * time.Second)
		b.turn(a.over)
		b.emit(call.LegEvent{Type: call.LegHeld})
		pass(time.Minute)
		where(t, "held", false, a, b)
		b.emit(call.LegEvent{Type: call.LegResumed})
		pass(2 * time.Second)
		where(t, "resumed", true, a, b)
		// Another change of its own: for a little while it stays.
		a.turn(a.over)
		pass(1500 * time.Millisecond)
		where(t, "turned", false, a, b)
		pass(3 * time.Second)
		where(t, "a little later", true, a, b)
	})
}

// TestPathEnds: whoever goes on after the connection has its sound in the box.
func TestPathEnds(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		a, b, id := w.roaming(script.Dial{Path: call.PathDirect, TimeLimit: time.Hour})
		pass(2 * time.Second)
		b.end(call.NormalClearing(call.Remote))
		pass(1100 * time.Millisecond)
		where(t, "the callee hung up", false, a)
		pass(time.Second)
		w.ends(id, call.Completed)
	})
	in(t, func(t *testing.T, w *world) {
		_, b, id := w.roaming(script.Dial{Path: call.PathDirect, TimeLimit: time.Hour})
		pass(2 * time.Second)
		w.change(id, call.Change{Complete: true})
		w.ends(id, call.Completed)
		if b.reclaimed != 0 {
			t.Error("a far end was brought back to be hung up")
		}
	})
}

// TestPathRefused: a refusal keeps the sound in the box and is told once; a moment
// that does not suit is tried again, but not for ever.
func TestPathRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		err   error
		asked int
	}{
		"refused": {errors.New("488"), 1}, "never fits": {call.ErrWrongState, releaseTries},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				a, b, id := w.roaming(script.Dial{Path: call.PathDirect, TimeLimit: time.Hour}, func(a, _ *roamer) { a.refuse = tt.err })
				pass(time.Minute)
				where(t, "refused", false, a, b)
				if a.asked != tt.asked || !w.warned("the sound stays in the box: ") {
					t.Errorf("asked %d times", a.asked)
				}
				a.mu.Lock()
				a.refuse = nil
				a.mu.Unlock()
				w.change(id, call.Change{Path: call.PathDirect}) // it may be asked for again
				pass(2 * time.Second)
				where(t, "asked again", true, a, b)
			})
		})
	}
}

// TestPathForbidden: where the sound cannot go past the box, or must not, it says so.
func TestPathForbidden(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		a, b, id := w.roaming(script.Dial{Path: call.PathAnchored, TimeLimit: time.Hour})
		pass(5 * time.Second)
		where(t, "anchored", false, a, b)
		if _, err := w.e.Modify(t.Context(), "acct", id, call.Change{Path: call.PathDirect}); !errors.Is(err, call.ErrWrongState) {
			t.Errorf("anchored: %v", err)
		}
	})
	in(t, func(t *testing.T, w *world) {
		a, b, id := w.roaming(script.Dial{Path: call.PathDirect, HangupOnStar: true, TimeLimit: time.Hour})
		pass(5 * time.Second)
		where(t, "keys", false, a, b)
		if !w.warned("keys are watched for") {
			t.Error("nobody was told")
		}
		if _, err := w.e.Modify(t.Context(), "acct", id, call.Change{Path: call.PathDirect}); !errors.Is(err, call.ErrWrongState) {
			t.Errorf("keys: %v", err)
		}
		a.end(call.NormalClearing(call.Remote))
		w.ends(id, call.Completed)
	})
	in(t, func(t *testing.T, w *world) { // a callee that is on no SIP line
		_, id, _ := w.arrive(script.Dial{Targets: users("201"), Path: call.PathDirect})
		if _, err := w.e.Modify(t.Context(), "acct", id, call.Change{Path: call.PathDirect}); !errors.Is(err, call.ErrWrongState) {
			t.Errorf("nobody is connected: %v", err)
		}
		(<-w.lines["201"].dialed).answer()
		pass(time.Second)
		if !w.warned("both parties must be on SIP lines") {
			t.Error("nobody was told")
		}
	})
}

// TestPathInfo: keys that come outside the sound are passed on whatever way it takes.
func TestPathInfo(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		a, b, _ := w.roaming(script.Dial{Path: call.PathDirect, TimeLimit: time.Hour})
		pass(2 * time.Second)
		a.emit(call.LegEvent{Type: call.LegDigit, Digit: '7', Apart: true})
		pass(time.Second)
		if got := <-b.sent; got != '7' {
			t.Errorf("the callee got %c", got)
		}
		where(t, "after a key", true, a, b)
	})
}

// TestForeignCodec: what the box does not understand is offered only where nothing
// needs it, the caller is answered in what the callee speaks, and somebody who must
// listen has both change.
func TestForeignCodec(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		a, b, id := w.roaming(script.Dial{AnswerOnBridge: true, TimeLimit: time.Hour}, func(a, b *roamer) {
			a.codec, b.codec, b.offered = "opus", "opus", []string{"opus"}
		})
		if d := <-w.lines["201"].dials; !d.Pass || len(d.Codecs) != 0 {
			t.Errorf("dialled with %q, %v", d.Codecs, d.Pass)
		}
		if !slices.Equal(a.preferred, []string{"opus"}) {
			t.Errorf("the caller's leg is to prefer %q", a.preferred)
		}
		pass(time.Second)
		if a.reclaimed+b.reclaimed == 0 { // the fakes do not relay, but nobody needs it
			pass(10 * time.Second)
		}
		if a.Codec() != "opus" || b.Codec() != "opus" {
			t.Errorf("codecs %s, %s while nobody listens", a.Codec(), b.Codec())
		}
		if _, err := w.e.Record(t.Context(), "acct", id, call.RecordingChange{Start: &call.RecordOptions{Channels: 1}}); err != nil {
			t.Fatal(err)
		}
		pass(2 * time.Second)
		if a.Codec() != "PCMU" || b.Codec() != "PCMU" {
			t.Errorf("codecs %s, %s while it is recorded", a.Codec(), b.Codec())
		}
		a.end(call.NormalClearing(call.Remote))
		w.ends(id, call.Completed)
	})
	in(t, func(t *testing.T, w *world) { // one of them only
		a, b, _ := w.roaming(script.Dial{AnswerOnBridge: true, TimeLimit: time.Hour}, func(_, b *roamer) { b.codec = "opus" })
		pass(2 * time.Second)
		if a.Codec() != "PCMU" || b.Codec() != "PCMU" {
			t.Errorf("codecs %s, %s", a.Codec(), b.Codec())
		}
	})
	in(t, func(t *testing.T, w *world) { // nothing that the box cannot decode may be used
		w.roaming(script.Dial{TimeLimit: time.Hour, Record: &call.RecordOptions{Channels: 1}}, func(a, _ *roamer) { a.offered = nil })
		if d := <-w.lines["201"].dials; d.Pass {
			t.Error("a recorded connection is dialled with codecs that cannot be recorded")
		}
	})
}
