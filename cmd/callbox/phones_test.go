package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"callbox/call/line/linetest"
	"callbox/call/line/sipleg/siptest"
	"callbox/hal/sim"
	"callbox/media/ears"
)

// phoneTime bounds everything that a test with phones waits for.
const phoneTime = time.Minute

// testBox is the whole gateway on the sim board, in this process, so that its
// phones can be lifted, with alice registered as user 201.
type testBox struct {
	t     *testing.T
	ctx   context.Context
	app   *app
	alice *siptest.Endpoint
}

// startBox runs a gateway until the test ends.
func startBox(t *testing.T) *testBox {
	t.Helper()
	var log lockedLog
	serving, stop := context.WithCancel(context.Background())
	started, done := make(chan *app, 1), make(chan error, 1)
	go func() {
		done <- serve(serving, appConfig{Data: t.TempDir(), HTTP: "127.0.0.1:0", HTTPS: "127.0.0.1:0", SIP: "127.0.0.1:0", Board: "sim",
			Log: slog.New(slog.NewTextHandler(&log, nil)), Out: io.Discard}, time.Now(), func(a *app) { started <- a })
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("the gateway: %v", err)
		}
		if t.Failed() {
			t.Logf("the gateway's log:\n%s", log.String())
		}
	})
	b := &testBox{t: t}
	select {
	case b.app = <-started:
	case err := <-done:
		done <- err
		t.Fatalf("the gateway did not start: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*phoneTime)
	t.Cleanup(cancel)
	b.ctx = ctx
	b.configure("users:\n- {name: alice, password: a1l2i3c4e5, number: \"201\"}\n")
	b.alice = siptest.NewEndpoint(t, siptest.Config{Host: "127.0.0.1", Box: b.app.stack.Addr("udp"), User: "alice", Password: "a1l2i3c4e5", Register: true})
	b.alice.Register()
	return b
}

// configure adds to the configuration as "callbox config import" does.
func (b *testBox) configure(yaml string) {
	b.t.Helper()
	g := gateway{b.app}
	old, err := g.Export(true)
	if err == nil {
		_, err = g.Import(b.ctx, append(old, "\n"+yaml...), false)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// phone is the simulated phone on a port.
func (b *testBox) phone(name string) *sim.Phone {
	b.t.Helper()
	p, ok := b.app.board.Port(name)
	if !ok || p.Sim == nil {
		b.t.Fatalf("the sim board has no phone %s", name)
	}
	return p.Sim
}

// must fails the test on an error.
func (b *testBox) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// poll asks f every 20 ms until it is true.
func (b *testBox) poll(what string, f func() bool) {
	b.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-b.ctx.Done():
			b.t.Fatalf("%s: %v", what, b.ctx.Err())
		}
	}
}

// dial lifts the receiver of a phone and dials until it rings where it should: on
// a busy machine a key or a pulse may be lost, and the number is another.
func (b *testBox) dial(line string, number func() error, rings func(ctx context.Context) error) {
	b.t.Helper()
	p := b.phone(line)
	for {
		p.OffHook()
		b.tones("dial tone", p, dialTone...)
		b.must(number())
		p.Forget()
		ctx, cancel := context.WithTimeout(b.ctx, phoneTime/3)
		err := rings(ctx)
		cancel()
		if err == nil {
			return
		}
		b.must(b.ctx.Err())
		p.OnHook()
		b.onHook(line)
		b.idle()
	}
}

// tones waits until the phone hears all of these frequencies together.
func (b *testBox) tones(what string, p *sim.Phone, hz ...float64) {
	b.t.Helper()
	const window = 480 // 60 ms: a key may be pressed for 100 ms
	b.poll(what, func() bool {
		heard := p.Heard()
		for at := 0; at+window <= len(heard); at += window / 4 {
			w := heard[at : at+window]
			all := linetest.RMS(w) > 200
			for _, f := range hz {
				all = all && linetest.ToneLevel(w, f) > 0.3
			}
			if all {
				return true
			}
		}
		return false
	})
}

// converse lets phone and alice speak at the same time; each must hear the other
// and not itself.
func (b *testBox) converse(p *sim.Phone) {
	b.t.Helper()
	fromPhone, fromAlice := linetest.Sweep(400, 1700, 8000), linetest.Sweep(3000, 1800, 8000)
	p.Forget()
	// Each listens until it has heard the other once. On a busy machine a piece of
	// sound may be lost, so it is said again and again.
	phone, alice := listener{heard: p.Heard, want: fromAlice}, listener{heard: b.alice.Heard, want: fromPhone}
	for !phone.hears() || !alice.hears() {
		b.alice.Say(fromAlice)
		b.must(p.Say(b.ctx, fromPhone))
	}
	if m := ears.Match(last(p.Heard()), fromPhone); m > 0.3 {
		b.t.Errorf("the phone hears itself: %.2f", m)
	}
}

// listener waits for a second of sound that is said again and again.
type listener struct {
	heard func() []int16
	want  []int16
	done  bool
}

// hears reports whether it was heard.
func (l *listener) hears() bool {
	l.done = l.done || ears.Match(last(l.heard()), l.want) >= 0.8
	return l.done
}

// last is what is worth a look of what was heard, which has twice what is said again
// and again: a search through all of it would take the time from those who speak.
func last(heard []int16) []int16 { return heard[max(0, len(heard)-4*8000):] }

// bursts waits for a tone that sounds for about want at a time. On a busy machine a
// piece of it may be lost or late, so it is listened to until it was heard whole.
func (b *testBox) bursts(what string, p *sim.Phone, want time.Duration) {
	b.t.Helper()
	for {
		d := b.burst(p)
		if d >= want-50*time.Millisecond && d <= want+50*time.Millisecond {
			return
		}
		b.t.Logf("the %s sounds for %s at a time, want %s", what, d, want)
	}
}

// burst listens for 1.5 s and gives the longest unbroken sound.
func (b *testBox) burst(p *sim.Phone) time.Duration {
	b.t.Helper()
	p.Forget()
	b.poll("1.5 s of tone", func() bool { return len(p.Heard()) >= 12000 })
	const step = 80 // 10 ms
	heard := p.Heard()
	longest, now := 0, 0
	for at := 0; at+step <= len(heard); at += step {
		if now++; linetest.RMS(heard[at:at+step]) < 200 {
			now = 0
		}
		longest = max(longest, now)
	}
	return time.Duration(longest) * 10 * time.Millisecond
}

// onHook waits until the gateway knows that the phone was hung up, which takes
// longer than a hook flash.
func (b *testBox) onHook(line string) {
	b.t.Helper()
	b.poll(line+" is on-hook", func() bool {
		for _, l := range b.app.lines.list() {
			if l.ID == line {
				return l.Status.Text == "on-hook"
			}
		}
		return false
	})
}

// idle waits until the gateway has no call left.
func (b *testBox) idle() {
	b.t.Helper()
	b.poll("no call is left", func() bool { return b.app.engine.Stats().Live == 0 })
}

// The tones of the US (ITU-T E.180 supplement 2), Hz.
var (
	dialTone     = []float64{350, 440}
	ringbackTone = []float64{440, 480}
	busyTone     = []float64{480, 620}
)

// TestPhoneCallsUser dials the number of a SIP user on an analogue phone, with
// keys and with a rotary dial, and ends the call from either side.
func TestPhoneCallsUser(t *testing.T) {
	t.Parallel()
	for name, dial := range map[string]func(*testBox, *sim.Phone) error{
		"keys":   func(b *testBox, p *sim.Phone) error { return p.Press(b.ctx, "201#") },
		"pulses": func(b *testBox, p *sim.Phone) error { return p.DialPulses(b.ctx, "201", 10) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := startBox(t)
			p := b.phone("fxs1")
			b.dial("fxs1", func() error { return dial(b, p) }, b.alice.WaitRing)
			b.tones("ringback tone", p, ringbackTone...)
			b.must(b.alice.Answer(b.ctx))
			b.converse(p)
			p.Forget()
			if name == "keys" {
				b.must(b.alice.Hangup(b.ctx))
				b.tones("busy tone when the far end has hung up", p, busyTone...)
			} else {
				p.OnHook()
				cause, err := b.alice.WaitEnd(b.ctx)
				b.must(err)
				if cause.Q850 != 16 {
					t.Errorf("alice is told %+v", cause)
				}
			}
			b.idle()
			if inv := b.alice.Invites(); len(inv) != 1 || inv[0].From != "fxs1" {
				t.Errorf("alice was shown %+v", inv)
			}
			if v := illTreated(p); len(v) > 0 {
				t.Errorf("the line chip was ill-treated: %v", v)
			}
			p.OnHook()
		})
	}
}

// TestUserCallsPhone rings an analogue phone from a SIP user's phone, finds it
// busy while it is off-hook, and lets both press keys.
func TestUserCallsPhone(t *testing.T) {
	t.Parallel()
	b := startBox(t)
	b.configure("phones:\n- {port: fxs2, name: lobby, number: \"302\"}\n")
	p := b.phone("fxs2")
	b.must(b.alice.Call(b.ctx, "302"))
	b.must(p.WaitRing(b.ctx, 1))
	p.OffHook()
	b.converse(p)
	b.must(p.Press(b.ctx, "7"))
	b.poll("the key arrives", func() bool { return b.alice.Digits() == "7" })
	p.Forget()
	b.must(b.alice.Press(b.ctx, '4'))
	b.tones("alice's key as a tone", p, 770, 1209)
	p.Forget()
	b.must(b.alice.Hangup(b.ctx))
	b.tones("busy tone when the far end has hung up", p, busyTone...)
	b.idle()
	if p.Ringing() || !p.IsOffHook() {
		t.Error("the phone is not as it was left")
	}

	b.must(b.alice.Call(b.ctx, "fxs2")) // the receiver is still off the hook
	cause, err := b.alice.WaitEnd(b.ctx)
	b.must(err)
	if cause.SIP != 486 || cause.Q850 != 17 {
		t.Errorf("a phone off the hook: %+v, want busy", cause)
	}
	p.OnHook()
	b.onHook("fxs2")

	// It can be called again, by its name, and stops ringing when the caller gives up.
	b.must(b.alice.Call(b.ctx, "lobby"))
	b.must(p.WaitRing(b.ctx, 1))
	b.must(b.alice.Hangup(b.ctx))
	b.idle()
	b.poll("the phone is silent", func() bool { return !p.Ringing() })
	if v := illTreated(p); len(v) > 0 {
		t.Errorf("the line chip was ill-treated: %v", v)
	}
}

// illTreated is how the driver broke the rules of the line chip. Its timing while
// it rings is judged in hal/slic, where time is the test's own: here it only tells
// how busy the machine is.
func illTreated(p *sim.Phone) []string {
	return slices.DeleteFunc(p.Violations(), func(v string) bool {
		return strings.HasPrefix(v, "F/R turned after ") || strings.HasPrefix(v, "RM low ") && strings.Contains(v, " after F/R, ")
	})
}

// TestPhonesOfOneBox connects two analogue phones; a number that nobody has gets
// the congestion tone.
func TestPhonesOfOneBox(t *testing.T) {
	t.Parallel()
	b := startBox(t)
	one, two := b.phone("fxs1"), b.phone("fxs2")
	b.configure("phones:\n- {port: fxs2, number: \"302\"}\n")
	b.dial("fxs1", func() error { return one.Press(b.ctx, "302#") }, func(ctx context.Context) error { return two.WaitRing(ctx, 1) })
	two.OffHook()
	b.poll("both are connected", func() bool { return b.app.engine.Stats().Live == 2 })
	said := linetest.Sweep(400, 1700, 8000)
	two.Forget()
	for ear := (listener{heard: two.Heard, want: said}); !ear.hears(); {
		b.must(one.Say(b.ctx, said))
	}
	two.OnHook()
	one.Forget()
	b.tones("busy tone", one, busyTone...)
	b.bursts("busy tone", one, 500*time.Millisecond)
	b.idle()
	one.OnHook()

	b.onHook("fxs2")
	two.Forget()
	two.OffHook()
	b.tones("dial tone", two, dialTone...)
	b.must(two.Press(b.ctx, "99#"))
	two.Forget()
	b.tones("congestion tone", two, busyTone...)
	b.bursts("congestion tone", two, 250*time.Millisecond)
	b.idle()
	two.OnHook()
}

// lockedLog keeps a log.
type lockedLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
