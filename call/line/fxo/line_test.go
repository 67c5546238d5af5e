package fxo_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/call/line/fxo"
	"callbox/hal/sim"
	"callbox/media"
	"callbox/media/tone"
)

// receiver keeps the legs that arrive.
type receiver chan call.Leg

func (r receiver) Incoming(l call.Leg) { r <- l }

// rig is a served line.
type rig struct {
	*testing.T
	port
	in  receiver
	ctx context.Context

	mu    sync.Mutex
	notes []string
}

func (r *rig) noted(_ time.Time, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, text)
}

// has reports whether something like text was noted.
func (r *rig) has(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Contains(strings.Join(r.notes, "; "), text)
}

// bubble runs f with a served line in a synctest bubble.
func bubble(t *testing.T, c fxo.Config, x sim.ExchangeConfig, f func(r *rig)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{T: t, in: make(receiver, 4), ctx: t.Context()}
		c.Note = r.noted
		r.port = newPort(t, c, x)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.line.Serve(ctx, r.in) }()
		t.Cleanup(func() {
			stop()
			if err := <-done; err != nil {
				t.Errorf("Serve: %v", err)
			}
			if t.Failed() {
				t.Logf("notes: %s", strings.Join(r.notes, "; "))
			}
		})
		synctest.Wait()
		f(r)
	})
}

func (r *rig) ok(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) pass(d time.Duration) { <-time.After(d) }

// event takes events of a leg until one of type typ.
func (r *rig) event(l call.Leg, typ call.LegEventType, within time.Duration) call.LegEvent {
	r.Helper()
	limit := time.After(within)
	for {
		select {
		case e, ok := <-l.Events():
			if !ok {
				r.Fatalf("the leg has ended without %v", typ)
			}
			if e.Type == typ {
				return *e
			}
			if e.Type == call.LegEnded {
				r.Fatalf("the leg ended (%+v) without %v", e.Cause, typ)
			}
		case <-limit:
			r.Fatalf("no event %v within %v; the exchange: %s", typ, within, r.far.State())
		}
	}
}

// dial calls a number.
func (r *rig) dial(to string) call.Leg {
	r.Helper()
	l, err := r.line.Dial(r.ctx, call.Dial{To: to})
	r.ok(err)
	r.move(l)
	return l
}

// move is the media clock of a leg: it says nothing and hears all.
func (r *rig) move(l call.Leg) {
	ctx, stop := context.WithCancel(r.ctx)
	done := make(chan struct{})
	r.Cleanup(func() { stop(); <-done })
	go func() {
		defer close(done)
		tick := time.NewTicker(media.FrameDuration)
		defer tick.Stop()
		var f, silence media.Frame
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				l.Audio().ReadFrame(&f)
				l.Audio().WriteFrame(&silence)
			}
		}
	}()
}

// talk has a call answered, by whatever sign the line takes.
func (r *rig) talk() call.Leg {
	r.Helper()
	l := r.dial("5550123")
	_, err := r.far.WaitCall(r.ctx)
	r.ok(err)
	r.event(l, call.LegRinging, 20*time.Second)
	r.ok(r.far.Answer())
	go r.far.Say(r.ctx, voiced(time.Second)) //nolint:errcheck // until the end of the call
	r.event(l, call.LegAnswered, 20*time.Second)
	r.pass(3 * time.Second)
	return l
}

// voiced sounds like a voice to whoever looks for one: harmonics that come and go.
func voiced(d time.Duration) []int16 {
	s := make([]int16, media.SamplesIn(d))
	for i := range s {
		t := float64(i) / media.SampleRate
		var v float64
		for h := 1.0; h <= 12; h++ {
			v += math.Sin(2*math.Pi*h*(130+15*math.Sin(2*math.Pi*2*t))*t+h*h) / h
		}
		s[i] = int16(3500 * v * (1 + math.Sin(2*math.Pi*4*t)) / 2)
	}
	return s
}

func countries() []string { return sim.Countries() }

// few are countries whose tones differ most from each other: each case costs a second.
func few() []string { return []string{"US", "GB", "FR"} }

// Every country's exchange, and every way in which it says that the far end has gone.
func TestHangUpKinds(t *testing.T) {
	for _, country := range countries() {
		for _, kind := range sim.HangUpKinds() {
			t.Run(country+" "+string(kind), func(t *testing.T) {
				bubble(t, fxo.Config{Silence: 60 * time.Second}, sim.ExchangeConfig{Country: country, HangUp: kind, EchoLoss: 14}, func(r *rig) {
					l := r.talk()
					gone := time.Now()
					r.far.HangUp()
					e := r.event(l, call.LegEnded, 90*time.Second)
					took := time.Since(gone)
					if e.Cause.Q850 != call.Q850Normal || e.Cause.Who != call.Remote || !strings.Contains(e.Cause.Text, "hung up") {
						r.Errorf("cause %+v", e.Cause)
					}
					limit := 7 * time.Second
					if kind == sim.HangUpSilence {
						limit = 62 * time.Second
					}
					if took > limit {
						r.Errorf("noticed after %v: %s", took, e.Cause.Text)
					}
					r.ok(r.far.WaitIdle(r.ctx))
				})
			})
		}
	}
}

// What the exchange says before an answer becomes a cause.
func TestRefusals(t *testing.T) {
	for _, country := range countries() {
		for _, tt := range []struct {
			number string
			q850   int
			state  call.State
		}{
			{"5550186", call.Q850Busy, call.Busy}, {"5550134", call.Q850Congestion, call.Failed}, {"5550104", call.Q850Unallocated, call.Failed},
		} {
			t.Run(country+" "+tt.number, func(t *testing.T) {
				bubble(t, fxo.Config{}, sim.ExchangeConfig{Country: country}, func(r *rig) {
					l := r.dial(tt.number)
					e := r.event(l, call.LegEnded, 30*time.Second)
					// Where congestion sounds as busy does, it is busy.
					alike := (country == "AU" || country == "JP") && tt.q850 == call.Q850Congestion && e.Cause.Q850 == call.Q850Busy
					if !alike && (e.Cause.Q850 != tt.q850 || e.Cause.Outcome() != tt.state) || e.Cause.Text == "" {
						r.Errorf("cause %+v", e.Cause)
					}
				})
			})
		}
	}
}

// The signs of an answer, each as it is configured.
func TestAnswerSigns(t *testing.T) {
	for _, country := range few() {
		for _, tt := range []struct {
			name     string
			sign     fxo.AnswerSign
			reversal bool
			says     bool
			within   time.Duration // of the answer; 0: it never comes
		}{
			{"polarity", fxo.AnswerPolarity, true, false, time.Second},
			{"polarity without reversal", fxo.AnswerPolarity, false, true, 0},
			{"auto by polarity", fxo.AnswerAuto, true, false, 1500 * time.Millisecond},
			{"auto by voice", fxo.AnswerAuto, false, true, 1500 * time.Millisecond},
			{"voice", fxo.AnswerVoice, true, true, 1500 * time.Millisecond},
			{"nobody speaks", fxo.AnswerAuto, false, false, 7 * time.Second},
		} {
			t.Run(country+" "+tt.name, func(t *testing.T) {
				bubble(t, fxo.Config{Answer: tt.sign}, sim.ExchangeConfig{Country: country, Reversal: tt.reversal}, func(r *rig) {
					l := r.dial("5550123")
					_, err := r.far.WaitCall(r.ctx)
					r.ok(err)
					r.event(l, call.LegRinging, 20*time.Second)
					r.pass(10 * time.Second) // it rings on, and is not answered
					select {
					case e := <-l.Events():
						r.Fatalf("event %+v while it rings", e)
					default:
					}
					r.ok(r.far.Answer())
					if tt.says {
						go r.far.Say(r.ctx, voiced(2*time.Second)) //nolint:errcheck // until the end of the call
					}
					if tt.within == 0 {
						r.pass(20 * time.Second)
						if len(l.Events()) > 0 {
							r.Errorf("event %+v", <-l.Events())
						}
						return
					}
					r.event(l, call.LegAnswered, tt.within)
					words := l.(call.Overhearer).Overheard()
					if got := len(words) >= media.SamplesIn(250*time.Millisecond) && media.DBm0(words) > -30; got != tt.says || !tt.says && len(words) > 0 {
						r.Errorf("%d ms were overheard at %.0f dBm0, said: %v", len(words)*1000/media.SampleRate, media.DBm0(words), tt.says)
					}
				})
			})
		}
	}
	t.Run("timer", func(t *testing.T) {
		bubble(t, fxo.Config{Answer: fxo.AnswerTimer, AnswerAfter: 10 * time.Second}, sim.ExchangeConfig{}, func(r *rig) {
			l := r.dial("5550123")
			r.event(l, call.LegEarly, 10*time.Second)
			began := time.Now()
			r.event(l, call.LegAnswered, 11*time.Second)
			if d := time.Since(began); d < 9*time.Second {
				r.Errorf("answered after %v", d)
			}
		})
	})
}

// A foreign exchange's ringback tone, on the way to a number abroad, is no voice.
func TestForeignRingbackIsNoAnswer(t *testing.T) {
	bubble(t, fxo.Config{Country: "US"}, sim.ExchangeConfig{Country: "DE"}, func(r *rig) {
		l := r.dial("5550123")
		_, err := r.far.WaitCall(r.ctx)
		r.ok(err)
		r.pass(30 * time.Second)
		for len(l.Events()) > 0 {
			if e := <-l.Events(); e.Type == call.LegAnswered {
				r.Fatal("answered by a tone")
			}
		}
		r.ok(r.far.Answer())
		go r.far.Say(r.ctx, voiced(2*time.Second)) //nolint:errcheck // until the end of the call
		r.event(l, call.LegAnswered, 3*time.Second)
	})
}

// A modem that reports busy tone and loop breaks in music ends no call; silence after
// such a report does.
func TestFalseReports(t *testing.T) {
	bubble(t, fxo.Config{}, sim.ExchangeConfig{}, func(r *rig) {
		l := r.talk()
		r.modem.SetFaults(sim.VoiceModemFaults{FalseBusy: true})
		r.ok(r.far.Say(r.ctx, voiced(time.Minute)))
		select {
		case e := <-l.Events():
			r.Errorf("event %+v while somebody speaks", e)
		default:
		}
		r.event(l, call.LegEnded, 10*time.Second)
	})
	t.Run("loop ignored", func(t *testing.T) {
		bubble(t, fxo.Config{NoLoop: true}, sim.ExchangeConfig{HangUp: sim.HangUpPolarity}, func(r *rig) {
			l := r.talk()
			r.far.HangUp()
			r.pass(time.Minute)
			if len(l.Events()) > 0 {
				r.Errorf("event %+v", <-l.Events())
			}
		})
	})
}

// Who calls, as each country tells it.
func TestArriving(t *testing.T) {
	for _, country := range countries() {
		t.Run(country, func(t *testing.T) {
			bubble(t, fxo.Config{Number: "5550161"}, sim.ExchangeConfig{Country: country}, func(r *rig) {
				for _, tt := range []struct {
					number, name, from string
					private            bool
				}{
					{"4155550123", "ALICE", "4155550123", false}, {"P", "", "anonymous", true}, {"O", "", "anonymous", false},
				} {
					r.ok(r.far.Call(tt.number, tt.name))
					var l call.Leg
					select {
					case l = <-r.in:
					case <-time.After(9 * time.Second):
						r.Fatal("no call")
					}
					i := l.Info()
					if i.From != tt.from || i.To != "5550161" || i.Private != tt.private || !i.Inbound || i.Kind != call.FXO {
						r.Errorf("info %+v", i)
					}
					if dtmf := country == "IN" || country == "BR"; !dtmf && i.FromName != tt.name {
						r.Errorf("name %q", i.FromName)
					}
					r.far.HangUp()
					if e := r.event(l, call.LegEnded, 12*time.Second); e.Cause.Who != call.Remote {
						r.Errorf("cause %+v", e.Cause)
					}
				}
				r.far.SetFaults(sim.LineFaults{NoCallerID: true})
				r.ok(r.far.Call("5550123", ""))
				select {
				case l := <-r.in:
					if l.Info().From != "anonymous" {
						r.Errorf("info %+v", l.Info())
					}
				case <-time.After(9 * time.Second):
					r.Fatal("no call of somebody unknown")
				}
			})
		})
	}
}

// Who called is forgotten with the call: the next one of somebody unknown is not theirs.
func TestCallerOfEarlierCall(t *testing.T) {
	next := func(r *rig) {
		r.Helper()
		r.far.HangUp()
		r.pass(time.Minute)
		for len(r.in) > 0 {
			<-r.in
		}
		r.far.SetFaults(sim.LineFaults{NoCallerID: true})
		r.ok(r.far.Call("5550123", ""))
		select {
		case l := <-r.in:
			if l.Info().From != "anonymous" {
				r.Errorf("info %+v", l.Info())
			}
		case <-time.After(9 * time.Second):
			r.Fatal("no call of somebody unknown")
		}
	}
	told := func(r *rig) {
		r.Helper()
		for end := time.Now().Add(10 * time.Second); !r.has("tells who calls"); r.pass(10 * time.Millisecond) {
			if time.Now().After(end) {
				r.Fatal("nobody told who calls")
			}
		}
	}
	t.Run("told too late", func(t *testing.T) {
		bubble(t, fxo.Config{CallerWait: -1}, sim.ExchangeConfig{Country: "US"}, func(r *rig) {
			r.ok(r.far.Call("4155550123", "ALICE"))
			if l := <-r.in; l.Info().From != "anonymous" {
				r.Errorf("info %+v", l.Info())
			}
			told(r)
			next(r)
		})
	})
	t.Run("gone before the ring", func(t *testing.T) {
		bubble(t, fxo.Config{}, sim.ExchangeConfig{Country: "GB"}, func(r *rig) {
			r.ok(r.far.Call("4155550123", "ALICE"))
			told(r)
			next(r)
		})
	})
}

// A line that rings cannot be dialled on, and rings on for whoever was refused.
func TestLineInUse(t *testing.T) {
	bubble(t, fxo.Config{}, sim.ExchangeConfig{}, func(r *rig) {
		busy := func(what string) {
			r.Helper()
			var c call.Cause
			if _, err := r.line.Dial(r.ctx, call.Dial{To: "5550123"}); !errors.As(err, &c) || c.Q850 != call.Q850NoCircuit {
				r.Errorf("%s: Dial = %v", what, err)
			}
		}
		r.ok(r.far.Call("5550123", ""))
		r.pass(2500 * time.Millisecond)
		busy("it rings")
		l := <-r.in
		busy("a call arrives")
		l.Hangup(call.Cause{Q850: call.Q850Busy, Who: call.Script})
		r.event(l, call.LegEnded, time.Second)
		busy("the refused caller still waits")
		r.far.HangUp()
		r.pass(10 * time.Second)
		if s := r.line.Status(); s.Busy != 0 || s.Text != "on-hook" || !s.Ready {
			r.Errorf("status %+v", s)
		}
		out := r.talk()
		busy("in a call")
		out.Hangup(call.NormalClearing(call.API))
		r.event(out, call.LegEnded, time.Second)
		next, err := r.line.Dial(r.ctx, call.Dial{To: "5550123"}) // it waits for the line
		r.ok(err)
		r.event(next, call.LegEarly, 20*time.Second)
		for _, to := range []string{"", "bob", "sip:bob@biloxi.example", strings.Repeat("5", 40)} {
			var c call.Cause
			if _, err := r.line.Dial(r.ctx, call.Dial{To: to}); !errors.As(err, &c) || c.Q850 != call.Q850InvalidNumber {
				r.Errorf("Dial %q = %v", to, err)
			}
		}
	})
}

// A refused call rings on, or is taken for the time of a busy tone.
func TestRefuse(t *testing.T) {
	for _, refuse := range []fxo.Refusal{fxo.RefuseRing, fxo.RefuseAnswer} {
		t.Run("refuse "+string(refuse), func(t *testing.T) {
			bubble(t, fxo.Config{Refuse: refuse}, sim.ExchangeConfig{Country: "DE"}, func(r *rig) {
				for range 2 {
					r.ok(r.far.Call("5550123", ""))
					l := <-r.in
					l.Hangup(call.Cause{Q850: call.Q850Busy, Who: call.Script})
					if e := r.event(l, call.LegEnded, time.Second); e.Cause.Who != call.Script {
						r.Errorf("cause %+v", e.Cause)
					}
					r.pass(3 * time.Second)
					s := r.line.Status()
					if refuse == fxo.RefuseRing {
						if r.far.OffHook() || s.Busy != 1 || !strings.Contains(s.Text, "rings on") {
							r.Errorf("off-hook %v, status %+v", r.far.OffHook(), s)
						}
						r.far.HangUp()
					} else if !r.far.OffHook() || s.Busy != 1 || !strings.Contains(s.Text, "busy tone") {
						r.Errorf("off-hook %v, status %+v", r.far.OffHook(), s)
					}
					r.pass(10 * time.Second)
					if s := r.line.Status(); r.far.OffHook() || s.Busy != 0 {
						r.Errorf("afterwards: off-hook %v, status %+v", r.far.OffHook(), s)
					}
					if refuse == fxo.RefuseAnswer {
						d := tone.NewDetector(must(tone.ByCountry("DE")))
						var f media.Frame
						var heard tone.Kind
						for s := r.far.Heard(); len(s) >= len(f) && heard == tone.NoTone; s = s[len(f):] {
							copy(f[:], s)
							heard = d.WriteFrame(&f)
						}
						if heard != tone.BusyTone {
							r.Errorf("the refused caller hears %v", heard)
						}
					}
				}
			})
		})
	}
}

// must is a country of the tables.
func must(c tone.Country, _ bool) tone.Country { return c }

// The modem is pulled out in a call, and put back.
func TestUnplugged(t *testing.T) {
	bubble(t, fxo.Config{}, sim.ExchangeConfig{}, func(r *rig) {
		for range 3 {
			l := r.talk()
			r.gone.Store(true)
			r.modem.Unplug()
			e := r.event(l, call.LegEnded, 5*time.Second)
			if e.Cause.Q850 != call.Q850OutOfOrder || e.Cause.Who != call.Box || !strings.Contains(e.Cause.Text, "lost") {
				r.Errorf("cause %+v", e.Cause)
			}
			var c call.Cause
			if _, err := r.line.Dial(r.ctx, call.Dial{To: "5550123"}); !errors.As(err, &c) || c.Q850 != call.Q850OutOfOrder {
				r.Errorf("Dial without a modem: %v", err)
			}
			r.pass(5 * time.Second)
			if s := r.line.Status(); s.Ready || !strings.Contains(s.Text, "no modem") {
				r.Errorf("status %+v", s)
			}
			r.gone.Store(false)
			for end := time.Now().Add(30 * time.Second); !r.line.Status().Ready; r.pass(100 * time.Millisecond) {
				if time.Now().After(end) {
					r.Fatalf("not back: %+v", r.line.Status())
				}
			}
		}
	})
}

// A flash gets dial tone of the exchange, and the call goes on.
func TestFlash(t *testing.T) {
	bubble(t, fxo.Config{}, sim.ExchangeConfig{}, func(r *rig) {
		if err := r.line.Flash(r.ctx); !errors.Is(err, call.ErrWrongState) {
			r.Errorf("flash without a call: %v", err)
		}
		l := r.talk()
		r.ok(r.line.Flash(r.ctx))
		r.pass(10 * time.Second)
		if s := r.far.State(); s != "dial tone" {
			r.Errorf("the exchange: %s", s)
		}
		r.far.Retrieve()
		r.ok(r.far.Say(r.ctx, voiced(time.Second)))
		if len(l.Events()) > 0 {
			r.Errorf("event %+v", <-l.Events())
		}
		r.pass(30 * time.Second)
		r.far.HangUp()
		r.event(l, call.LegEnded, 10*time.Second)
	})
}

// What goes wrong when the line is seized is told in a sentence.
func TestSeizureFails(t *testing.T) {
	for name, tt := range map[string]struct {
		faults sim.LineFaults
		q850   int
		text   string
	}{
		"no dial tone": {sim.LineFaults{NoDialTone: true}, call.Q850OutOfOrder, "no dial tone"},
		"dead":         {sim.LineFaults{Dead: true}, call.Q850OutOfOrder, "no dial tone"},
		"pulse only":   {sim.LineFaults{PulseOnly: true}, call.Q850InvalidNumber, "pulse"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, fxo.Config{}, sim.ExchangeConfig{}, func(r *rig) {
				r.far.SetFaults(tt.faults)
				l := r.dial("5550123")
				e := r.event(l, call.LegEnded, 30*time.Second)
				if e.Cause.Q850 != tt.q850 || !strings.Contains(e.Cause.Text, tt.text) {
					r.Errorf("cause %+v", e.Cause)
				}
			})
		})
	}
	t.Run("pulses", func(t *testing.T) {
		bubble(t, fxo.Config{Pulse: true}, sim.ExchangeConfig{}, func(r *rig) {
			r.far.SetFaults(sim.LineFaults{PulseOnly: true})
			r.talk()
			if d := r.far.Dialled(); d != "5550123" {
				r.Errorf("dialled %s", d)
			}
		})
	})
}

// Ten minutes with a modem whose clock is off: a few frames are dropped or missing, no
// more, and nothing piles up.
func TestClockDrift(t *testing.T) {
	for _, ppm := range []float64{-200, 200} {
		t.Run(fmt.Sprint(ppm), func(t *testing.T) {
			bubble(t, fxo.Config{}, sim.ExchangeConfig{}, func(r *rig) {
				r.modem.SetFaults(sim.VoiceModemFaults{RatePPM: ppm})
				l := r.talk()
				r.pass(10 * time.Minute)
				if s := l.(call.MediaReporter).MediaStats(); s.Dropped > 20 {
					r.Errorf("%d frames were dropped", s.Dropped)
				}
				if b := r.modem.Backlog(); b > 600 {
					r.Errorf("%d samples wait in the modem", b)
				}
			})
		})
	}
}

func TestAudioDoesNotAllocate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPort(t, fxo.Config{}, sim.ExchangeConfig{Reversal: true})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.line.Serve(ctx, make(receiver, 1)) }()
		synctest.Wait()
		l, err := p.line.Dial(ctx, call.Dial{To: "5550123"})
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(10 * time.Second)
		var f media.Frame
		audio := l.Audio()
		if n := testing.AllocsPerRun(100, func() { audio.WriteFrame(&f); audio.ReadFrame(&f) }); n != 0 {
			t.Errorf("%v allocations per frame", n)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestConfig(t *testing.T) {
	good := []fxo.Config{{ID: "fxo1"}, {ID: "a", Country: "gb", Answer: fxo.AnswerTimer, AnswerAfter: time.Minute, Silence: 10 * time.Second, CallerWait: -1, EchoTail: -1}}
	for _, c := range good {
		if err := c.Validate(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	bad := []fxo.Config{{}, {ID: "a", Country: "XX"}, {ID: "a", Answer: "hope"}, {ID: "a", AnswerAfter: time.Hour}, {ID: "a", Silence: time.Second},
		{ID: "a", CallerWait: time.Minute}, {ID: "a", EchoTail: time.Second}}
	for _, c := range bad {
		if _, err := fxo.New(c, nil, nil); err == nil || c.Validate() == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}
