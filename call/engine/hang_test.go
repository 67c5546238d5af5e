package engine

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/media"
)

// Whatever the engine asks may hang: a call must still be ended, by anyone, and
// let go of its place.

// stuckClip is a sound whose Close waits.
type stuckClip struct {
	media.Clip
	freed chan struct{}
}

func (c stuckClip) Close() error { <-c.freed; return nil }

func TestClipThatDoesNotClose(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		freed := make(chan struct{})
		w.opened = func(url string) media.Clip {
			if url == "stuck" {
				return stuckClip{level(300, 1<<30), freed}
			}
			return level(600, 100)
		}
		src := w.doc("http://app/voice", play("stuck"))
		other := w.doc("http://app/other", play("other"))
		a := w.mustCreate(call.Request{From: "5550100", To: "201", Script: src})
		b := w.mustCreate(call.Request{From: "5550100", To: "202", Script: src})
		la, lb := <-w.lines["201"].dialed, <-w.lines["202"].dialed
		la.answer()
		lb.answer()
		pass(time.Second)
		if err := modify(w, b.ID, call.Change{Script: &other}); err != nil {
			t.Fatal(err)
		}
		la.end(call.NormalClearing(call.Remote))
		w.ends(a.ID, call.Completed)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := w.e.Modify(ctx, "acct", a.ID, call.Change{Complete: true}); !errors.Is(err, call.ErrEnded) {
			t.Errorf("a change of the ended call: %v", err)
		}
		pass(1500 * time.Millisecond)
		if got := lb.port.out.Load(); got != 600 {
			t.Errorf("the redirected phone hears %d, want the new document's 600", got)
		}
		pass(5 * time.Second)
		w.ends(b.ID, call.Completed)
		if n := w.e.Stats().Live; n != 0 {
			t.Errorf("%d calls hold their place because of a sound", n)
		}
		close(freed)
	})
}

func TestLineThatIgnoresItsContext(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		l := w.lines["201"]
		l.slow, l.deaf = make(chan struct{}), true
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice")})
		<-l.dials
		synctest.Wait()
		if err := modify(w, rec.ID, call.Change{Cancel: true}); err != nil {
			t.Fatal(err)
		}
		w.ends(rec.ID, call.Canceled)
		if n := w.e.Stats().Live; n != 0 {
			t.Errorf("%d calls wait for the line", n)
		}
		close(l.slow)
		leg := <-l.dialed
		synctest.Wait()
		if c := leg.cause(); c == nil || c.SIP != 487 {
			t.Errorf("the leg that came too late: %+v", c)
		}
		w.wantTold(rec.ID, "initiated/0", "completed/1")
	})
}

func TestLegThatDoesNotEnd(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice", play("clip:500"))})
		leg := <-w.lines["201"].dialed
		leg.silent = true
		leg.answer()
		synctest.Wait()
		if err := modify(w, rec.ID, call.Change{Complete: true}); err != nil {
			t.Fatal(err)
		}
		w.ends(rec.ID, call.Completed)
		pass(legPatience + time.Second)
		if n := w.e.Stats().Live; n != 0 {
			t.Errorf("%d calls wait for the leg", n)
		}
		leg.end(call.NormalClearing(call.Remote))
	})
}

// stuckLeg's Progress takes as long as it may.
type stuckLeg struct{ *farLeg }

func (stuckLeg) Progress(ctx context.Context, _ call.Progress) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestProgressThatHangs(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.plan = Plan{Account: "acct", Script: w.doc("http://app/voice", play("clip:50"))}
		ended, patient := newFarLeg(call.LegInfo{Inbound: true, From: "1"}), newFarLeg(call.LegInfo{Inbound: true, From: "2"})
		w.e.Incoming(stuckLeg{ended})
		w.e.Incoming(stuckLeg{patient})
		synctest.Wait()
		p, _ := w.e.Calls(context.Background(), call.Filter{Account: "acct", From: "1"})
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := w.e.Modify(ctx, "acct", p.Records[0].ID, call.Change{Complete: true}); err != nil {
			t.Errorf("the call cannot be ended: %v", err)
		}
		synctest.Wait()
		if c := ended.cause(); c == nil || c.SIP != 480 {
			t.Errorf("cause %+v, want 480: the caller canceled nothing", c)
		}
		pass(legTime + time.Second)
		if !patient.isUp() {
			t.Error("the other call did not go on")
		}
	})
}

func TestShutdownWhileACallIsCreated(t *testing.T) {
	for _, fails := range []bool{true, false} {
		in(t, func(t *testing.T, w *world) {
			written := make(chan error)
			w.stored = func(context.Context) error { return <-written }
			created := make(chan error)
			go func() {
				_, _, err := w.e.Create(context.Background(), call.Request{Account: "acct", To: "201"})
				created <- err
			}()
			synctest.Wait()
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			down := make(chan struct{})
			go func() { w.e.Shutdown(ctx); close(down) }()
			synctest.Wait()
			if fails {
				written <- errors.New("disk full")
			} else {
				written <- nil
			}
			if err := <-created; (err != nil) != fails {
				t.Errorf("create: %v", err)
			}
			began := time.Now()
			<-down
			if d := time.Since(began); d > time.Second {
				t.Errorf("shutdown took %s", d)
			}
		})
	}
}

func TestShutdownIsBounded(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		l := w.lines["201"]
		l.slow, l.deaf = make(chan struct{}), true
		w.mustCreate(call.Request{From: "5550100", To: "201"})
		<-l.dials
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		began := time.Now()
		w.e.Shutdown(ctx)
		if d := time.Since(began); d != lastPatience {
			t.Errorf("shutdown took %s, want %s", d, lastPatience)
		}
		leg := newFarLeg(call.LegInfo{Inbound: true})
		w.e.Incoming(leg)
		if leg.cause() == nil {
			t.Error("a leg that arrived during the shutdown was left")
		}
		close(l.slow)
		(<-l.dialed).end(call.NormalClearing(call.Remote))
	})
}

// A client that goes away while its call is written leaves no call that nobody
// owns: it is made, and a retry finds it.
func TestCreatorGoesAway(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.stored = func(ctx context.Context) error {
			select {
			case <-time.After(time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(100*time.Millisecond, cancel)
		req := call.Request{Account: "acct", From: "5550100", To: "201", Idempotency: "k"}
		rec, _, err := w.e.Create(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		again, replayed, err := w.e.Create(context.Background(), req)
		if err != nil || !replayed || again.ID != rec.ID {
			t.Errorf("the retry: %s, %v, %v", again.ID, replayed, err)
		}
		<-w.lines["201"].dialed
	})
}

// A disk that stands still refuses the call; should the record arrive after all,
// its end follows it.
func TestDiskThatDoesNotAnswer(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.stored = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		_, _, err := w.e.Create(context.Background(), call.Request{ID: "c1", Account: "acct", To: "201", Status: call.StatusHook{Hook: call.Hook{URL: "http://app/s"}}})
		if !errors.Is(err, context.DeadlineExceeded) || w.e.Stats().Live != 0 {
			t.Errorf("err %v, stats %+v", err, w.e.Stats())
		}
		if r := w.ends("c1", call.Failed); !r.Status.IsZero() {
			t.Errorf("record %+v", r)
		}
	})
}
