package rtp

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"callbox/media"
	"callbox/media/codec"
)

// stalling is a box that stands still once, for some time: nothing is read and
// no clock ticks. Afterwards the clock makes up five ticks and the receiver
// reads what has waited in the socket, in one order or the other.
type stalling struct {
	s      *Stream
	far    talker
	sound  []int16
	jitter func() int // ms, of a packet
	heard  []int16    // by the time, 0 for ticks that never were
	sent   int        // packets
}

func (b *stalling) packets(untilMS, nowMS int) {
	for ; b.sent*20+20 <= untilMS; b.sent++ {
		p := b.sound[b.sent*160:][:160]
		b.s.handle(b.far.packet(p, b.sent == 0), alice, at(nowMS+b.jitter()))
	}
}

func (b *stalling) tick(nowMS int) {
	var f media.Frame
	if !b.s.read(&f, at(nowMS)) {
		f.Clear()
	}
	b.heard = append(b.heard, f[:]...)
}

// run plays 2 s, stalls for stall ms, and plays 4 s more. first is how many of
// the ticks that are made up come before the packets.
func (b *stalling) run(stall, first int) {
	now := 0
	play := func(to int) {
		for ; now < to; now += 20 {
			b.packets(now, now)
			b.tick(now + 7)
		}
	}
	play(2000)
	end := now + stall
	due := stall/20 + 1
	made := min(due, 5)
	b.heard = append(b.heard, make([]int16, (due-made)*160)...)
	for i := range made {
		if i == first {
			b.packets(end, end)
		}
		b.tick(end + 7)
	}
	b.packets(end, end)
	now = end + 20
	play(end + 4000)
}

// TestStall: half a second after a stall of the box, whatever its length and
// whoever wakes first, the sound lags no more than before; after one that the
// clock makes up, a little later.
func TestStall(t *testing.T) {
	t.Parallel()
	sound := noise(12*8000, 9)
	for _, stall := range []int{40, 60, 80, 100, 120, 140, 200, 400, 900, 1600, 3000} {
		for _, first := range []int{0, 1, 3, 5} {
			for _, jitter := range []int{0, 15} {
				t.Run(fmt.Sprintf("%d ms, %d ticks first, %d ms of jitter", stall, first, jitter), func(t *testing.T) {
					t.Parallel()
					r := rand.New(rand.NewPCG(1, 2))
					s, _ := bare(t, alice, pcmu(), nil)
					var f media.Frame
					s.read(&f, at(-13)) // from now on it is listened to
					b := &stalling{s: s, far: talker{ssrc: 5, c: codec.PCMU}, sound: sound, jitter: func() int { return r.IntN(jitter + 1) }}
					b.run(stall, first)
					before, sure := delayOf(sound, b.heard, 1800*8)
					if sure < 0.95 {
						t.Fatalf("before the stall the sound is not heard: %.2f", sure)
					}
					// Of a short stall nothing is lost, so that what the clock read before
					// the packets stays as delay for a while.
					bound, most := before+160, before+160
					if stall <= 100 {
						most += 160 * min(first, stall/20)
					}
					after, sure := delayOf(sound, b.heard, (2000+stall+500)*8)
					if sure < 0.95 || after > most {
						t.Errorf("half a second later the sound lags %d samples (likeness %.2f), before it was %d", after, sure, before)
					}
					later, sure := delayOf(sound, b.heard, (2000+stall+3500)*8)
					if sure < 0.95 || later > bound {
						t.Errorf("3.5 s later the sound lags %d samples (likeness %.2f), before it was %d", later, sure, before)
					}
				})
			}
		}
	}
}
