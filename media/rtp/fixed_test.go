package rtp

import (
	"math"
	"math/rand/v2"
	"testing"

	"callbox/media"
	"callbox/media/codec"
)

// modem is a phase-modulated carrier of 1,800 Hz, as a fax machine sends: every
// sample of it counts, and so does every slip.
func modem(n int) []int16 {
	r := rand.New(rand.NewPCG(29, 17))
	s := make([]int16, n)
	phase := 0.0
	for i := range s {
		if i%5 == 0 {
			phase += math.Pi / 4 * float64(r.IntN(8))
		}
		v := int16(6000 * math.Sin(2*math.Pi*1800*float64(i)/8000+phase))
		b := []byte{0}
		codec.PCMU.Encode(b, []int16{v})
		codec.PCMU.Decode(s[i:i+1], b)
	}
	return s
}

// In the fixed mode a modem's signal comes through jitter sample by sample; what is
// lost is silence of the same length, and nothing slips.
func TestFixedBufferForModems(t *testing.T) {
	t.Parallel()
	for _, loss := range []int{0, 2} {
		r := rand.New(rand.NewPCG(5, uint64(loss)))
		sound := modem(30 * 8000)
		const from = 150 // tick of the fix
		lost := 0
		p := steady(sound, 160, func(i int) int {
			if i > from+50 && r.IntN(100) < loss {
				lost++
				return -1
			}
			return r.IntN(240) // 30 ms
		})
		j := newJitterBuffer(codec.PCMU, new(lender[pcm]))
		heard := p.play(j, sound, 1450, 40, func(tick int, _ bool) {
			if tick == from {
				j.fix()
			}
		})
		// The first second after it settles the delay; then all must stay in place.
		start := (from + 50) * 160
		lag, score := delayOf(sound, heard, start)
		if score < 0.999 {
			t.Fatalf("loss of %d %%: likeness %.3f", loss, score)
		}
		wrong, silent := 0, 0
		for i := start; i < len(heard); i++ {
			switch {
			case heard[i] == sound[i-lag]:
			case heard[i] == 0:
				silent++
			default:
				wrong++
			}
		}
		t.Logf("loss of %d %%: %d ms late, %d samples wrong, %d silent for %d packets lost", loss, lag/8, wrong, silent, lost)
		if wrong > 0 || silent > (lost+1)*160 || lag > 160+fixedDelay+320 {
			t.Errorf("loss of %d %%: %d samples are wrong, %d silent, %d samples late", loss, wrong, silent, lag)
		}
	}
}

// Without the fixed mode the same signal would not come through: the test above
// proves something.
func TestAdaptiveBufferIsNotForModems(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 2))
	sound := modem(30 * 8000)
	j := newJitterBuffer(codec.PCMU, new(lender[pcm]))
	heard := steady(sound, 160, func(i int) int {
		if r.IntN(100) < 2 {
			return -1
		}
		return r.IntN(240)
	}).play(j, sound, 1450, 40, nil)
	lag, _ := delayOf(sound, heard, 32000)
	wrong := 0
	for i := 32000; i < len(heard); i++ {
		if heard[i] != sound[i-lag] && heard[i] != 0 {
			wrong++
		}
	}
	if wrong < 1000 {
		t.Errorf("only %d samples differ", wrong)
	}
}

// A stream that is told before it hears anything is as it should be from the start.
func TestStreamTransparent(t *testing.T) {
	t.Parallel()
	s, _ := bare(t, alice, pcmu(), nil)
	s.SetTransparent()
	var f media.Frame
	s.read(&f, at(0))
	k := talker{ssrc: 5, c: codec.PCMU}
	s.handle(k.packet(vowel(0, 160, 150), false), alice, at(0))
	if s.jb == nil || !s.jb.fixed {
		t.Error("the buffer adapts")
	}
	s.SetTransparent()
}
