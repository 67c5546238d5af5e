package trunk_test

import (
	"strings"
	"testing"

	"callbox/call"
	"callbox/call/line/sipleg/siptest"
	"callbox/call/line/trunk"
)

// TestFarEndRegisters: a telephone system without a fixed address registers with
// the box, is called where it did, and calls with proof.
func TestFarEndRegisters(t *testing.T) {
	t.Parallel()
	stack, ports := newBox(t)
	line, err := trunk.New(trunk.Config{ID: "branch", InUsername: "pbx", InPassword: "open sesame", Channels: 3, In: 1, Out: 1}, stack, ports, nil)
	if err != nil {
		t.Fatal(err)
	}
	a := siptest.NewEndpoint(t, siptest.Config{Host: "127.0.0.12", Box: stack.Addr("udp"), User: "pbx", Password: "open sesame"})
	in := make(incoming, 4)
	serveInto(t, line, in)
	if _, err := line.Dial(bounded(t), call.Dial{To: "201"}); err == nil || !strings.Contains(err.Error(), "not registered") {
		t.Errorf("nobody is there: %v", err)
	}
	a.Register()
	ready(t, line, true)
	if st := line.Status(); !strings.Contains(st.Text, "registered from 127.0.0.12:") {
		t.Errorf("status %+v", st)
	}
	di := asked(t, line, a, call.Dial{To: "+15550188", From: "+15550123"})
	if di.To != "+15550188" || !strings.HasPrefix(di.RequestURI, "sip:+15550188@"+a.Addr().String()) {
		t.Errorf("called %+v", di)
	}

	if err := a.Call(bounded(t), number); err != nil {
		t.Fatal(err)
	}
	first := <-in
	if first.Info().To != number {
		t.Errorf("arrived %+v", first.Info())
	}
	// One call in each direction, and no second one.
	out, err := twoCalls(t, line)
	if c := call.CauseOf(err); c.Q850 != call.Q850NoCircuit || c.Text != "all 1 channels for outgoing calls of trunk branch are in use" {
		t.Errorf("a second call out: %v", err)
	}
	out.Hangup(call.NormalClearing(call.Box))
	until(t, out, call.LegEnded)
	first.Hangup(call.Cause{Q850: call.Q850Rejected, Who: call.Script})
	until(t, first, call.LegEnded)
	a.Leave()
	ready(t, line, false)
}

// twoCalls places two calls at once and gives the first, with the error of the
// second. The far end, which is in a call, refuses the first sooner or later; when
// that was before the second was placed, both are placed again.
func twoCalls(t *testing.T, line call.Line) (call.Leg, error) {
	t.Helper()
	for range 100 {
		out, err := line.Dial(bounded(t), call.Dial{To: "+15550188", From: "+15550123"})
		if err != nil {
			t.Fatal(err)
		}
		second, err := line.Dial(bounded(t), call.Dial{To: "+15550188", From: "+15550123"})
		if err != nil {
			return out, err
		}
		for _, l := range []call.Leg{out, second} {
			l.Hangup(call.NormalClearing(call.Box))
			until(t, l, call.LegEnded)
		}
	}
	t.Fatal("a second call out is always taken")
	return nil, nil
}
