package portleg_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"callbox/call"
	"callbox/call/line/portleg"
	"callbox/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve answers requests until ctx ends; live is the leg that the line has.
func serve(ctx context.Context, l *portleg.Loop, live *portleg.Leg) {
	end := l.Open()
	defer l.Closed()
	defer end()
	for {
		select {
		case <-ctx.Done():
			return
		case a := <-l.Asks():
			a.Do(a.Leg == live)
		case <-l.Woken():
			if c := live.HungUp(); c != nil {
				live.End(*c)
			}
		}
	}
}

func newLeg(l *portleg.Loop) (*portleg.Leg, *portleg.Sound) {
	s := portleg.NewSound(4, 1)
	g := portleg.New(l, "line1", call.FXS, call.LegInfo{}, &s)
	return &g, &s
}

func TestLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := portleg.NewLoop()
		var unreached *portleg.Unreached
		if err := l.Do(t.Context(), nil); !errors.As(err, &unreached) || unreached.Text != "is not running" {
			t.Errorf("a line that does not serve says %v", err)
		}
		g, _ := newLeg(l)
		old, _ := newLeg(l)
		ctx, stop := context.WithCancel(t.Context())
		go serve(ctx, l, g)
		synctest.Wait()
		bad := errors.New("bad")
		if err := l.Do(t.Context(), func() error { return bad }); err != bad || !l.Running() {
			t.Errorf("the answer is %v, running %v", err, l.Running())
		}
		if err := g.Ask(t.Context(), func() error { return bad }); err != bad {
			t.Errorf("the leg's answer is %v", err)
		}
		if err := old.Ask(t.Context(), func() error { return nil }); err != call.ErrLegEnded {
			t.Errorf("a leg that the line does not have says %v", err)
		}
		g.Hangup(call.Cause{Q850: 16})
		g.Hangup(call.Cause{Q850: 17}) // the first one counts
		if e := <-g.Events(); e.Type != call.LegEnded || e.Cause.Q850 != 16 {
			t.Errorf("the leg's end is %+v", e)
		}
		<-g.Ended()
		if err := g.Ask(t.Context(), func() error { return nil }); err != call.ErrLegEnded {
			t.Errorf("a leg that has ended says %v", err)
		}
		stop()
		synctest.Wait()
		if err := l.Do(t.Context(), nil); !errors.As(err, &unreached) || l.Running() {
			t.Errorf("a line that has stopped says %v", err)
		}
	})
}

// TestBusyLoop has who asks give up while the line's goroutine does something else.
func TestBusyLoop(t *testing.T) {
	l := portleg.NewLoop()
	end := l.Open()
	defer l.Closed()
	defer end()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var unreached *portleg.Unreached
	if err := l.Do(ctx, nil); !errors.As(err, &unreached) || !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	g, _ := newLeg(l)
	if err := g.Ask(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("the leg's error is %v", err)
	}
}

// TestManyKeys has more keys come than anybody takes: changes of state still fit.
func TestManyKeys(t *testing.T) {
	g, _ := newLeg(portleg.NewLoop())
	for range 1000 {
		g.Digit('5')
	}
	g.Tell(call.LegAnswered)
	g.End(call.Cause{Q850: 16})
	keys, last := 0, call.LegEventType(0)
	for e := range g.Events() {
		if e.Type == call.LegDigit {
			keys++
		}
		last = e.Type
	}
	if keys != 64 || last != call.LegEnded {
		t.Errorf("%d keys arrived, the last event is %v", keys, last)
	}
}

// TestAfterTheEnd: what still happens to a leg that has ended is told to nobody.
func TestAfterTheEnd(t *testing.T) {
	g, _ := newLeg(portleg.NewLoop())
	g.End(call.Cause{Q850: 16})
	g.Digit('5')
	g.Tell(call.LegHeld)
	g.End(call.Cause{Q850: 17})
	var got []call.LegEvent
	for e := range g.Events() {
		got = append(got, *e)
	}
	if len(got) != 1 || got[0].Type != call.LegEnded || got[0].Cause.Q850 != 16 {
		t.Errorf("told of %+v", got)
	}
}

func TestSound(t *testing.T) {
	_, s := newLeg(portleg.NewLoop())
	var loud, f media.Frame
	for i := range loud {
		loud[i] = 1000
	}
	if s.WriteFrame(&loud); s.ReadFrame(&f) {
		t.Error("sound flows before it was started")
	}
	s.Start()
	s.In.WriteFrame(&loud)
	for range 2 { // the first is the prefill
		s.ReadFrame(&f)
	}
	if f != loud {
		t.Error("the frame is not what the far end said")
	}
	s.WriteFrame(&loud)
	var out [media.FrameSamples]int16
	s.Out.Pull(out[:])
	s.Out.Pull(out[:])
	if out[0] != 1000 {
		t.Error("the frame does not reach the far end")
	}
	if s.Shut(); s.ReadFrame(&f) {
		t.Error("sound flows after it was shut")
	}
	if n := testing.AllocsPerRun(100, func() { s.WriteFrame(&loud); s.ReadFrame(&f) }); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}
