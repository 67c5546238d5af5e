package sim

import (
	"callbox/hal"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestEcho(t *testing.T) {
	bubble(t, func(t *testing.T, p *Phone) {
		p.SetFaults(Faults{EchoLoss: 20})
		p.OffHook()
		out, in := make([]int16, 160), make([]int16, 160)
		r := rand.New(rand.NewPCG(1, 2))
		for i := range out {
			out[i] = int16(r.IntN(20000) - 10000)
		}
		_, err := p.PCM().Write(out)
		must(t, err)
		_, err = p.PCM().Read(in)
		must(t, err)
		power := func(s []int16) (p float64) {
			for _, v := range s {
				p += float64(v) * float64(v)
			}
			return p
		}
		if loss := 10 * math.Log10(power(out)/power(in)); loss < 18 || loss > 22 {
			t.Errorf("noise comes back %.1f dB weaker, want 20", loss)
		}
		if o, ok := p.PCM().(hal.Aligned).Offset(); !ok || o != 0 {
			t.Errorf("both directions began at the same time, their offset is %d, %v", o, ok)
		}
	})
}

// Reading begins later than writing, writing is interrupted: a pulse comes back
// where Offset says.
func TestOffset(t *testing.T) {
	bubble(t, func(t *testing.T, p *Phone) {
		p.SetFaults(Faults{EchoLoss: 6})
		p.OffHook()
		a := p.PCM().(hal.Aligned)
		if _, ok := a.Offset(); ok {
			t.Error("a codec at rest has an offset")
		}
		for round, pause := range []time.Duration{33 * time.Millisecond, 77 * time.Millisecond, 400 * time.Millisecond} {
			frame := make([]int16, 160)
			_, err := p.PCM().Write(frame)
			must(t, err)
			<-time.After(pause)
			got := make(chan []int16)
			go func() {
				var in []int16
				for range 30 {
					b := make([]int16, 160)
					if _, err := p.PCM().Read(b); err != nil {
						t.Error(err)
					}
					in = append(in, b...)
				}
				got <- in
			}()
			read, written := int64(p.PCM().Stats().Read), int64(0)
			for i := range 20 {
				if i == 10 {
					written = int64(p.PCM().Stats().Written)
					frame[0] = 30000
				}
				_, err = p.PCM().Write(frame)
				must(t, err)
				frame[0] = 0
			}
			<-time.After(time.Millisecond) // the last sample has passed
			o, ok := a.Offset()
			in := <-got
			first := int64(-1)
			for i, v := range in {
				if v != 0 {
					first = read + int64(i)
					break
				}
			}
			if want := written + o + hybridDelay; !ok || first != want {
				t.Errorf("round %d: the echo begins at sample %d, want %d (offset %d, %v)", round, first, want, o, ok)
			}
		}
	})
}
