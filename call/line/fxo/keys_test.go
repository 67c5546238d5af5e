package fxo_test

import (
	"testing"
	"time"

	"callbox/call"
	"callbox/call/line/fxo"
	"callbox/hal/sim"
	"callbox/media"
	"callbox/media/dtmf"
)

// Each key counts once, whether the sound, the modem or both tell of it; what the box
// presses, and what a modem takes for keys while somebody speaks, counts never.
func TestKeys(t *testing.T) {
	pressed := func(r *rig, l call.Leg, within time.Duration) (keys string) {
		for limit := time.After(within); ; {
			select {
			case e := <-l.Events():
				if e.Type != call.LegDigit {
					r.Fatalf("event %+v", e)
				}
				keys += string(e.Digit)
			case <-limit:
				return keys
			}
		}
	}
	for _, tt := range []struct {
		name  string
		modem sim.VoiceModemFaults
		line  sim.LineFaults
	}{
		{"both tell", sim.VoiceModemFaults{}, sim.LineFaults{}},
		{"the modem alone", sim.VoiceModemFaults{TakeKeys: true}, sim.LineFaults{}},
		{"the sound alone", sim.VoiceModemFaults{}, sim.LineFaults{DeafModem: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, fxo.Config{}, sim.ExchangeConfig{EchoLoss: 12}, func(r *rig) {
				l := r.talk()
				r.modem.SetFaults(tt.modem)
				r.far.SetFaults(tt.line)
				const keys = "1234567890*#ABCD1155"
				r.ok(r.far.Press(r.ctx, keys))
				if got := pressed(r, l, 2*time.Second); got != keys {
					r.Errorf("pressed %s, got %s", keys, got)
				}
			})
		})
	}
	t.Run("the modem, then both", func(t *testing.T) {
		bubble(t, fxo.Config{}, sim.ExchangeConfig{EchoLoss: 12}, func(r *rig) {
			l := r.talk()
			r.modem.SetFaults(sim.VoiceModemFaults{TakeKeys: true})
			r.ok(r.far.Press(r.ctx, "447"))
			r.modem.SetFaults(sim.VoiceModemFaults{})
			r.ok(r.far.Press(r.ctx, "711"))
			if got := pressed(r, l, 2*time.Second); got != "447711" {
				r.Errorf("got %s", got)
			}
		})
	})
	t.Run("voice", func(t *testing.T) {
		bubble(t, fxo.Config{}, sim.ExchangeConfig{}, func(r *rig) {
			l := r.talk()
			go r.far.Say(r.ctx, voiced(15*time.Second)) //nolint:errcheck // until the end of the call
			r.pass(time.Second)
			r.modem.SetFaults(sim.VoiceModemFaults{FalseKeys: true})
			if got := pressed(r, l, 12*time.Second); got != "" {
				r.Errorf("a voice was taken for the keys %s", got)
			}
		})
	})
	t.Run("own", func(t *testing.T) {
		bubble(t, fxo.Config{EchoTail: -1}, sim.ExchangeConfig{EchoLoss: 12, Reversal: true}, func(r *rig) {
			l, err := r.line.Dial(r.ctx, call.Dial{To: "5550123"})
			r.ok(err)
			_, err = r.far.WaitCall(r.ctx)
			r.ok(err)
			r.ok(r.far.Answer())
			r.event(l, call.LegAnswered, 20*time.Second)
			keys, err := dtmf.New("2580", dtmf.Config{})
			r.ok(err)
			var in, out media.Frame
			for more := true; more; {
				out.Clear()
				more = keys.ReadFrame(&out)
				l.Audio().WriteFrame(&out)
				l.Audio().ReadFrame(&in)
				r.pass(media.FrameDuration)
			}
			if got := pressed(r, l, time.Second); got != "" {
				r.Errorf("the box heard itself press %s", got)
			}
			if got := heardKeys(r.far.Heard()); got != "2580" {
				r.Errorf("the far end heard %q", got)
			}
		})
	})
}

// heardKeys are the keys in a sound.
func heardKeys(s []int16) (keys string) {
	d := dtmf.NewDetector()
	var f media.Frame
	for len(s) >= len(f) {
		copy(f[:], s)
		s = s[len(f):]
		if k, ok := d.Write(&f); ok {
			keys += string(k)
		}
	}
	return keys
}
