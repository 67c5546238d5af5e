package linetest

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"callbox/call"
)

// Case is one test of the suite.
type Case struct {
	Name string
	run  func(r *rig)
}

// Cases lists the suite.
func Cases() []Case {
	return []Case{
		{"Answer", caseAnswer},
		{"Busy", caseBusy},
		{"NoAnswer", caseNoAnswer},
		{"HangupAtOnce", caseHangupAtOnce},
		{"CancelRace", caseCancelRace},
		{"FarHangsUp", caseFarHangsUp},
		{"BoxHangsUp", caseBoxHangsUp},
		{"ServeEnds", caseServeEnds},
		{"DigitsIn", caseDigitsIn},
		{"DigitsOut", caseDigitsOut},
		{"Audio", caseAudio},
		{"InboundAnswered", caseInboundAnswered},
		{"InboundAudio", caseInboundAudio},
		{"InboundRejected", caseInboundRejected},
		{"InboundAbandoned", caseInboundAbandoned},
		{"TwoCallsInARow", caseTwoCalls},
	}
}

// Run plays every case as a subtest, each on a fixture of its own. What the
// fixture opens it closes with t.Cleanup.
func Run(t *testing.T, fixture func(t *testing.T) Fixture) {
	t.Helper()
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) { c.Run(t, fixture) })
	}
}

// Run plays the case.
func (c Case) Run(t *testing.T, fixture func(t *testing.T) Fixture) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	// Cleanups run last in, first out: this one after the fixture's own.
	t.Cleanup(func() {
		if err := goleak.Find(before); err != nil {
			t.Errorf("goroutines are left over: %v", err)
		}
	})
	r := &rig{t: t, Fixture: fixture(t), in: make(receiver, 4)}
	r.serve()
	c.run(r)
}

// rig is a fixture that is being served.
type rig struct {
	Fixture
	t    *testing.T
	in   receiver
	stop context.CancelFunc
	done chan error // Serve's result
}

// serve runs the line until the case has ended, then looks for leaks.
func (r *rig) serve() {
	r.t.Helper()
	if r.Line.ID() == "" || r.Line.Kind() == "" {
		r.t.Errorf("line has ID %q and kind %q", r.Line.ID(), r.Line.Kind())
	}
	ctx, stop := context.WithCancel(context.Background())
	r.stop, r.done = stop, make(chan error, 1)
	go func() { r.done <- r.Line.Serve(ctx, r.in) }()
	r.t.Cleanup(func() {
		if r.Leave != nil {
			r.Leave()
		}
		r.stopServe()
		if r.Leak == nil {
			return
		}
		// What was used by a call may be kept a moment for its stragglers.
		poll(r.t, "everything given back", func() bool { return r.Leak() == nil })
	})
	if r.Served != nil {
		r.Served()
	}
	if rep, ok := r.Line.(call.Reporter); ok {
		poll(r.t, "line ready", func() bool { return rep.Status().Ready })
	}
}

// stopServe ends Serve and checks its result; again it does nothing.
func (r *rig) stopServe() {
	r.t.Helper()
	if r.done == nil {
		return
	}
	r.stop()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case err := <-r.done:
		if err != nil {
			r.t.Errorf("Serve: %v", err)
		}
	case <-timeout.C:
		r.t.Errorf("Serve did not return within %v", patience)
	}
	r.done = nil
}

// ctx bounds one step.
func (r *rig) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	r.t.Cleanup(cancel)
	return ctx
}

// must ends the case on an error.
func (r *rig) must(what string, err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("%s: %v", what, err)
	}
}

// dial places a call to the far end.
func (r *rig) dial() *legDriver {
	r.t.Helper()
	leg, err := r.Line.Dial(r.ctx(), r.Dial)
	r.must("Dial", err)
	d := drive(r.t, leg)
	info := leg.Info()
	if info.Line != r.Line.ID() || info.Kind != r.Line.Kind() || info.Inbound || info.Started.IsZero() {
		r.t.Errorf("info of an outgoing leg: %+v", info)
	}
	if leg.Audio() == nil || leg.Audio() != leg.Audio() {
		r.t.Error("Audio is not one value for the leg's life")
	}
	return d
}

// talk places a call and has it answered.
func (r *rig) talk() *legDriver {
	r.t.Helper()
	d := r.dial()
	r.must("wait for the ring", r.Far.WaitRing(r.ctx()))
	d.waitFor(call.LegRinging)
	r.must("answer", r.Far.Answer(r.ctx()))
	d.waitFor(call.LegAnswered)
	return d
}

// arrive has the far end call in.
func (r *rig) arrive() *legDriver {
	r.t.Helper()
	r.must("call in", r.Far.Call(r.ctx(), r.Number))
	select {
	case leg := <-r.in:
		d := drive(r.t, leg)
		info := leg.Info()
		if info.Line != r.Line.ID() || info.Kind != r.Line.Kind() || !info.Inbound || info.Started.IsZero() {
			r.t.Errorf("info of an arriving leg: %+v", info)
		}
		if info.To != r.Number || r.From != "" && info.From != r.From {
			r.t.Errorf("arrived from %q to %q, want %q to %q", info.From, info.To, r.From, r.Number)
		}
		return d
	case <-r.ctx().Done():
		r.t.Fatal("the call did not arrive")
		return nil
	}
}

// canCallIn reports whether the cases of arriving calls apply.
func (r *rig) canCallIn() bool {
	if r.Number == "" {
		r.t.Log("the far end of this line cannot call in")
	}
	return r.Number != ""
}

// farEnded waits until the far end has no call and checks that it was told
// want, where it is told anything.
func (r *rig) farEnded(want int) {
	r.t.Helper()
	c, err := r.Far.WaitEnd(r.ctx())
	r.must("wait for the far end's end", err)
	if c.Q850 != 0 && c.Q850 != want {
		r.t.Errorf("the far end was told %+v, want Q.850 %d", c, want)
	}
}
