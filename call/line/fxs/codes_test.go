package fxs_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/call/line/fxs"
	"callbox/hal/sim"
	"callbox/media"
)

// kept is where settings are kept.
type kept struct{ all []fxs.Settings }

func (k *kept) save(s fxs.Settings) { k.all = append(k.all, s) }

func (k *kept) last() fxs.Settings {
	if len(k.all) == 0 {
		return fxs.Settings{}
	}
	return k.all[len(k.all)-1]
}

var codes = []fxs.Feature{
	{Code: "*78", Do: fxs.DNDOn}, {Code: "*79", Do: fxs.DNDOff}, {Code: "*72", Do: fxs.ForwardOn}, {Code: "*73", Do: fxs.ForwardOff},
	{Code: "*90", Do: fxs.ForwardBusyOn}, {Code: "*91", Do: fxs.ForwardBusyOff}, {Code: "*92", Do: fxs.ForwardNoAnswerOn},
	{Code: "*93", Do: fxs.ForwardNoAnswerOff}, {Code: "*43", Do: fxs.WaitingOn}, {Code: "*44", Do: fxs.WaitingOff},
	{Code: "*31", Do: fxs.HideOn}, {Code: "*32", Do: fxs.HideOff}, {Code: "*67", Do: fxs.HideOnce}, {Code: "*66", Do: fxs.Redial},
	{Code: "*69", Do: fxs.CallBack}, {Code: "*8", Do: fxs.PickUp},
}

// code dials a code and hangs up.
func (r *rig) code(keys string) {
	r.Helper()
	r.phone.OffHook()
	r.pass(300 * time.Millisecond)
	r.ok(r.phone.Press(r.ctx, keys))
	r.pass(time.Second)
	r.phone.OnHook()
	r.pass(time.Second)
}

// TestCodes: each code does what it says, is confirmed by a tone, and is kept.
func TestCodes(t *testing.T) {
	k := &kept{}
	bubble(t, fxs.Config{Features: codes, Save: k.save, Number: "201"}, func(r *rig) {
		refused := func(want string) {
			t.Helper()
			if _, err := r.line.Dial(r.ctx, call.Dial{From: "5550100"}); err == nil || call.CauseOf(err).Q850 != call.Q850Busy || !strings.Contains(err.Error(), want) {
				t.Errorf("a call: %v, want %s", err, want)
			}
		}
		onward := func(to string) {
			t.Helper()
			l, err := r.line.Dial(r.ctx, call.Dial{From: "5550100"})
			r.ok(err)
			if e := r.event(l, call.LegEnded); !slices.Equal(e.Onward, []string{to}) || e.Cause.SIP != 302 {
				t.Errorf("goes on to %v with %+v, want %s", e.Onward, e.Cause, to)
			}
		}
		rings := func() {
			t.Helper()
			l := r.ring(call.Dial{From: "5550100"})
			r.pass(time.Second)
			l.Hangup(call.NormalClearing(call.API))
			r.event(l, call.LegEnded)
			r.pass(time.Second)
		}
		// Do not disturb; the dial tone says so.
		r.phone.OffHook()
		r.pass(300 * time.Millisecond)
		r.ok(r.phone.Press(r.ctx, "*78"))
		r.pass(100 * time.Millisecond)
		r.phone.Forget()
		r.pass(700 * time.Millisecond)
		if media.ToneLevel(r.phone.Heard(), 350) < -30 {
			t.Error("the code is not confirmed")
		}
		r.phone.OnHook()
		r.pass(time.Second)
		refused("disturbed")
		r.code("*79")
		rings()

		r.code("*725550123#")
		onward("5550123")
		r.code("*73")
		rings()
		r.code("*90111#")
		rings()
		r.phone.OffHook()
		r.pass(time.Second)
		onward("111")
		r.phone.OnHook()
		r.pass(time.Second)
		r.code("*91")
		r.code("*92222#")
		l := r.ring(call.Dial{From: "5550100"})
		r.pass(25 * time.Second)
		if e := r.event(l, call.LegEnded); !slices.Equal(e.Onward, []string{"222"}) {
			t.Errorf("nobody answers: goes on to %v", e.Onward)
		}
		if r.phone.Ringing() {
			t.Error("still rings")
		}
		r.code("*93")

		r.code("*43")
		if s := r.line.Status(); s.Max != 2 {
			t.Errorf("call waiting: %+v", s)
		}
		r.code("*44")
		if s := r.line.Status(); s.Max != 1 {
			t.Errorf("no call waiting: %+v", s)
		}

		// Calls: without the number, the last one again, and back to who called.
		placed := func(keys, to string, private bool) {
			t.Helper()
			r.phone.OffHook()
			r.pass(300 * time.Millisecond)
			r.ok(r.phone.Press(r.ctx, keys))
			l := r.arrived(6 * time.Second)
			if i := l.Info(); i.To != to || i.Private != private {
				t.Errorf("%s calls %s, private %v; want %s, %v", keys, i.To, i.Private, to, private)
			}
			r.phone.OnHook()
			r.event(l, call.LegEnded)
		}
		placed("*67777#", "777", true)
		placed("778#", "778", false)
		placed("*66", "778", false)
		placed("*69", "5550100", false)
		r.code("*31")
		placed("779#", "779", true)
		r.code("*32")
		placed("779#", "779", false)
		placed("*99#", "*99", false) // no code of ours: somebody else's

		r.code("*8") // nothing rings
		if s := r.line.Status(); s.Text != "on-hook" {
			t.Errorf("%+v", s)
		}
	})
	if s := k.last(); s.DND || s.Forward+s.ForwardBusy+s.ForwardNoAnswer != "" || s.Hide || s.Waiting == nil || *s.Waiting || s.LastDialled != "*99" || s.LastCaller != "5550100" {
		t.Errorf("kept at the end: %+v", s)
	}
}

// TestKeptSettings: a line that is made anew has what was chosen before.
func TestKeptSettings(t *testing.T) {
	bubble(t, fxs.Config{Settings: fxs.Settings{Forward: "5550123"}}, func(r *rig) {
		l, err := r.line.Dial(r.ctx, call.Dial{})
		r.ok(err)
		if e := r.event(l, call.LegEnded); len(e.Onward) != 1 {
			t.Errorf("%+v", e)
		}
	})
}

// TestHotLine: a phone that calls by itself, at once or after a while.
func TestHotLine(t *testing.T) {
	bubbleIn(t, fxs.Config{HotLine: "5550199"}, func(r *rig) {
		r.phone.OffHook()
		l := r.arrived(500 * time.Millisecond)
		if l.Info().To != "5550199" {
			t.Errorf("calls %s", l.Info().To)
		}
		r.phone.OnHook()
		r.event(l, call.LegEnded)
	})
	bubbleIn(t, fxs.Config{HotLine: "5550199", HotDelay: 3 * time.Second}, func(r *rig) {
		r.pickUp()
		l := r.arrived(3 * time.Second)
		if l.Info().To != "5550199" {
			t.Errorf("calls %s", l.Info().To)
		}
		r.phone.OnHook()
		r.event(l, call.LegEnded)
		r.pass(time.Second)
		r.pickUp()
		r.ok(r.phone.Press(r.ctx, "12#"))
		l = r.arrived(time.Second)
		if l.Info().To != "12" {
			t.Errorf("calls %s", l.Info().To)
		}
		r.phone.OnHook()
		r.event(l, call.LegEnded)
	})
}

// TestPickUp: a phone takes the call that rings at another one of its group.
func TestPickUp(t *testing.T) {
	g := &fxs.Group{}
	bubble(t, fxs.Config{Group: g, Features: codes}, func(r *rig) {
		other := newPort(r.T, fxs.Config{Group: g}, sim.Faults{})
		ctx, stop := context.WithCancel(r.ctx)
		served := make(chan error, 1)
		go func() { served <- other.line.Serve(ctx, r.in) }()
		defer func() {
			stop()
			r.ok(<-served)
		}()
		synctest.Wait()
		ringing, err := other.line.Dial(r.ctx, call.Dial{From: "5550100"})
		r.ok(err)
		r.event(ringing, call.LegRinging)
		r.pickUp()
		r.ok(r.phone.Press(r.ctx, "*8"))
		l := r.arrived(time.Second)
		if l.Info().Replaces != ringing {
			t.Errorf("%+v", l.Info())
		}
		ringing.Hangup(call.NormalClearing(call.Peer))
		r.event(ringing, call.LegEnded)
		r.phone.OnHook()
		r.event(l, call.LegEnded)
	})
}

// TestRings: some callers, and calls that ask for it, ring in rhythms of their own.
func TestRings(t *testing.T) {
	ms := func(n ...int) (out []time.Duration) {
		for _, v := range n {
			out = append(out, time.Duration(v)*time.Millisecond)
		}
		return out
	}
	for _, tt := range []struct {
		from, info string
		want       []int // the first rings, ms
	}{
		{"5550100", "", []int{2000, 2000}},
		{"5550199", "", []int{500, 500, 500}},
		{"201", "", []int{300, 300}},
		{"5550100", "<http://127.0.0.1/Bellcore-dr3>", []int{400, 400, 800}},
	} {
		bubbleIn(t, fxs.Config{Rings: []fxs.Ring{{Caller: "5550199", Steps: ms(500, 500, 500, 3000)}, {Caller: "2*", Steps: ms(300, 2000)}}}, func(r *rig) {
			d := call.Dial{From: tt.from}
			if tt.info != "" {
				d.Headers = []call.Header{{Name: "Alert-Info", Value: tt.info}}
			}
			r.ring(d)
			r.pass(12 * time.Second)
			for i, b := range r.phone.Bursts() {
				if i == len(tt.want) {
					break
				}
				if w := time.Duration(tt.want[i]) * time.Millisecond; b.Length > w || b.Length < w-60*time.Millisecond {
					t.Errorf("%s %s: ring %d lasts %v, want %v", tt.from, tt.info, i+1, b.Length, w)
				}
			}
			if got := r.phone.Display(); len(got) != 1 {
				t.Errorf("%s %s: shows %q", tt.from, tt.info, got)
			}
		})
	}
}

// TestReverse: the battery is reversed while a call of the phone is answered.
func TestReverse(t *testing.T) {
	bubble(t, fxs.Config{Reverse: true}, func(r *rig) {
		for _, far := range []bool{true, false} {
			r.pickUp()
			r.ok(r.phone.Press(r.ctx, "1#"))
			l := r.arrived(time.Second)
			r.pass(time.Second)
			if r.phone.Reversed() {
				t.Error("reversed before the answer")
			}
			r.ok(l.Answer(r.ctx))
			r.event(l, call.LegAnswered)
			r.pass(time.Second)
			if !r.phone.Reversed() {
				t.Error("not reversed by the answer")
			}
			if far {
				l.Hangup(call.NormalClearing(call.Peer))
			} else {
				r.phone.OnHook()
			}
			r.event(l, call.LegEnded)
			if r.phone.Reversed() {
				t.Error("reversed after the call")
			}
			r.phone.OnHook()
			r.pass(time.Second)
		}
	})
}

// TestMessages: the dial tone stutters and the lamp is lit while messages wait,
// also when the phone was in use as they came.
func TestMessages(t *testing.T) {
	for _, country := range []string{"US", "GB", "DE"} {
		bubbleIn(t, fxs.Config{Country: country}, func(r *rig) {
			r.line.SetMessages(2)
			r.pass(5 * time.Second)
			if !r.phone.Lamp() {
				t.Errorf("%s: the lamp is dark", country)
			}
			l := r.talk()
			r.line.SetMessages(0)
			r.pass(5 * time.Second)
			if !r.phone.Lamp() {
				t.Error("the lamp changes in a call")
			}
			r.phone.OnHook()
			r.event(l, call.LegEnded)
			r.pass(5 * time.Second)
			if r.phone.Lamp() {
				t.Errorf("%s: the lamp is lit", country)
			}
			r.line.SetMessages(1)
			r.pass(2500 * time.Millisecond) // it is being told
			m := r.ring(call.Dial{From: "5550100"})
			r.pass(7 * time.Second)
			if d := r.phone.Display(); len(d) == 0 || !strings.HasPrefix(d[len(d)-1], "5550100") || r.phone.Lamp() {
				t.Errorf("%s: a call breaks the lamp's data off: shows %q, lit %v", country, d, r.phone.Lamp())
			}
			m.Hangup(call.NormalClearing(call.API))
			r.event(m, call.LegEnded)
			r.pass(5 * time.Second)
			if !r.phone.Lamp() {
				t.Errorf("%s: the lamp is dark at the end", country)
			}
			r.phone.OffHook()
			r.pass(300 * time.Millisecond)
			if country == "US" {
				r.phone.Forget()
				r.pass(time.Second)
				if s := r.phone.Heard(); quietParts(s) < 3 {
					t.Error("the dial tone does not stutter")
				}
			}
			r.phone.OnHook()
		})
	}
}

// quietParts counts the pauses of a sound.
func quietParts(s []int16) int {
	n, quiet := 0, false
	for i := 0; i+160 <= len(s); i += 160 {
		q := media.DBm0(s[i:i+160]) < -40
		if q && !quiet {
			n++
		}
		quiet = q
	}
	return n
}

func TestBadFeatures(t *testing.T) {
	for _, c := range []fxs.Config{
		{Features: []fxs.Feature{{Code: "78", Do: fxs.DNDOn}}},
		{Features: []fxs.Feature{{Code: "*78", Do: "dance"}}},
		{Features: []fxs.Feature{{Code: "*78", Do: fxs.DNDOn}, {Code: "*78", Do: fxs.DNDOff}}},
		{HotLine: "1", HotDelay: time.Hour},
		{NoAnswer: time.Second},
		{Rings: []fxs.Ring{{Caller: "1", Steps: []time.Duration{time.Second}}}},
	} {
		c.ID = "fxs1"
		if err := c.Validate(); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
	if n := len(fxs.Actions()); n != len(codes) {
		t.Errorf("%d actions, %d are tested", n, len(codes))
	}
}

func TestDigitMap(t *testing.T) {
	plan, err := fxs.DigitMap([]string{"911", "0", "[2-79]xxxxxx", "1[2-9]xxxxxxxxx", "011xxxx.", "*xx"})
	if err != nil {
		t.Fatal(err)
	}
	for digits, want := range map[string]string{
		"9": "more", "91": "more", "911": "more", "9112345": "done", "0": "more", "01": "more", "012": "never", "2": "more",
		"2345678": "done", "234567": "more", "8": "never", "14155550100": "done", "11": "never", "0114": "more",
		"01144207946": "more", "*6": "more", "*67": "done", "*678": "never",
	} {
		got := "never"
		switch done, possible := plan(digits); {
		case done:
			got = "done"
		case possible:
			got = "more"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", digits, got, want)
		}
	}
	for _, p := range []string{"", "[2-", "a", "[]", "[2-x]", "1.2#", strings.Repeat("x", 40)} {
		if _, err := fxs.DigitMap([]string{p}); err == nil {
			t.Errorf("%q is a pattern", p)
		}
	}
	bubble(t, fxs.Config{Plan: plan}, func(r *rig) {
		r.pickUp()
		r.ok(r.phone.Press(r.ctx, "2345678"))
		if l := r.arrived(200 * time.Millisecond); l.Info().To != "2345678" {
			t.Errorf("calls %s", l.Info().To)
		}
		r.phone.OnHook()
		r.pass(time.Second)
		r.pickUp()
		r.ok(r.phone.Press(r.ctx, "911"))
		if l := r.arrived(5 * time.Second); l.Info().To != "911" {
			t.Errorf("calls %s", l.Info().To)
		}
	})
}
