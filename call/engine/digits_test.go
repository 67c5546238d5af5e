package engine

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/media"
)

// bareLeg cannot send digits outside the sound, nor relay.
type bareLeg struct{ call.Leg }

// refusingLeg has found that it cannot send digits outside the sound.
type refusingLeg struct{ *farLeg }

func (refusingLeg) SendDigit(context.Context, byte, time.Duration) error {
	return errors.New("no telephone events were agreed")
}

// relayPort forwards to any other of its kind.
type relayPort struct {
	media.Port
	on *atomic.Bool
}

func (p relayPort) RelayTo(peer media.Port) bool {
	_, ok := peer.(relayPort)
	p.on.Store(ok)
	return ok
}
func (p relayPort) StopRelay() { p.on.Store(false) }

type relayLeg struct {
	*farLeg
	relayed *atomic.Bool
}

func (l relayLeg) Audio() media.Port { return relayPort{l.farLeg.Audio(), l.relayed} }

// TestOnePressArrivesOnce presses keys in both directions of a connection, for
// every way that they can take.
func TestOnePressArrivesOnce(t *testing.T) {
	var relaying atomic.Bool
	for name, tc := range map[string]struct {
		wrap         func(*farLeg) call.Leg
		relay        bool
		events, tone int
	}{
		"as events":            {func(l *farLeg) call.Leg { return l }, false, 2, 0},
		"as tones":             {func(l *farLeg) call.Leg { return bareLeg{l} }, false, 0, 2},
		"as tones, after all":  {func(l *farLeg) call.Leg { return refusingLeg{l} }, false, 0, 2},
		"in forwarded packets": {func(l *farLeg) call.Leg { return relayLeg{l, &relaying} }, true, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				var tones atomic.Int64
				w.e.cfg.Tones = func(d string, _ time.Duration) (media.Clip, error) {
					tones.Add(int64(len(d)))
					return level(700, 10), nil
				}
				for _, l := range w.lines {
					l.wrap = tc.wrap
				}
				rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice",
					&script.DialVerb{Dial: script.Dial{Targets: users("202")}})})
				caller := <-w.lines["201"].dialed
				caller.answer()
				callee := <-w.lines["202"].dialed
				callee.answer()
				pass(time.Second)
				if relaying.Load() != tc.relay {
					t.Errorf("relaying: %v", relaying.Load())
				}
				for _, from := range []*farLeg{caller, callee} {
					tones.Store(0)
					to := callee
					if from == callee {
						to = caller
					}
					from.press("55")
					pass(2 * time.Second)
					if got := len(to.sent); got != tc.events || int(tones.Load()) != tc.tone {
						t.Errorf("%d as events and %d as tones, want %d and %d", got, tones.Load(), tc.events, tc.tone)
					}
					for len(to.sent) > 0 {
						<-to.sent
					}
					if len(from.sent) != 0 {
						t.Error("the key came back")
					}
				}
				want := 0
				if name == "as tones, after all" {
					want = 1
				}
				if r := w.record(rec.ID); len(r.Warnings) != want {
					t.Errorf("warnings %q", r.Warnings)
				}
			})
		})
	}
}

// deafLeg takes for ever to send a digit.
type deafLeg struct {
	*farLeg
	freed chan struct{}
}

func (l deafLeg) SendDigit(context.Context, byte, time.Duration) error { <-l.freed; return nil }

// A leg that does not take its digits holds up neither the keys of the other
// side nor the end of the connection.
func TestDigitThatIsNotTaken(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		freed := make(chan struct{})
		w.lines["201"].wrap = func(l *farLeg) call.Leg { return deafLeg{l, freed} }
		caller, id, _ := w.arrive(script.Dial{Targets: users("201")})
		callee := <-w.lines["201"].dialed
		callee.answer()
		pass(time.Second)
		caller.press("1")
		synctest.Wait()
		callee.press("2")
		if d := <-caller.sent; d != '2' {
			t.Errorf("sent %c", d)
		}
		for range 2 * maxCrossing {
			caller.press("3")
			synctest.Wait()
		}
		if n := w.e.Stats().LostKeys; n != maxCrossing {
			t.Errorf("%d keys counted as lost, want %d", n, maxCrossing)
		}
		callee.end(call.NormalClearing(call.Remote))
		pass(time.Second)
		w.ends(id, call.Completed)
		if n := w.e.Stats().Live; n != 0 {
			t.Errorf("%d calls wait for a digit", n)
		}
		close(freed)
	})
}
