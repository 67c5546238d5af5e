package media

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// joint is a device and the media clock at the two ends of a ring, in virtual time.
type joint struct {
	push  bool    // the device pushes; else it pulls
	ppm   float64 // by how much its clock is fast
	phase float64 // frames by which the clock comes after it at first
	// late says by how much of a frame the device's goroutine, or the clock's, wakes
	// too late; what a device has gathered meanwhile it moves at once.
	late func(device bool) float64

	ring    *Ring
	elastic *Elastic
	heard   []int16 // at the end
	short   int     // frames that were not whole, after the beginning
	most    int     // samples in the ring after a tick of the clock, after half a minute
	least   int
	early   uint64 // frames bent in the first ten seconds
}

const jointPrefill = 2

// run lets them work for so many frames.
func (j *joint) run(frames int) {
	j.ring = NewRing(RingConfig{Frames: 8, Prefill: jointPrefill})
	j.elastic = NewElastic(j.ring, jointPrefill)
	j.least = math.MaxInt
	var said, f Frame
	osc := NewOscillator(1000, 8000)
	tone(&osc, &said)                   // whole periods, so that one follows another
	dueDevice, dueClock := 0.0, j.phase // when each ought to move next, in frames
	device, clock := dueDevice, dueClock
	for n := 0; n < frames; {
		if device <= clock {
			j.move(&said, &f, n, n > frames-100)
			dueDevice += 1 / (1 + j.ppm/1e6)
			device = max(dueDevice, device) // what is overdue comes at once
			if dueDevice >= device {
				device += j.late(true)
			}
			continue
		}
		n++
		if !j.push {
			j.ring.Push(said[:])
		} else if j.ring.ReadFrame(&f) {
			if n > frames-100 {
				j.heard = append(j.heard, f[:]...)
			}
		} else if n > 50 {
			j.short++
		}
		if n > 1500 {
			j.most, j.least = max(j.most, j.ring.Len()), min(j.least, j.ring.Len())
		}
		if n == 500 {
			j.early = j.elastic.Bent()
		}
		dueClock++
		clock = max(dueClock, clock)
		if dueClock >= clock {
			clock += j.late(false)
		}
	}
}

// move is the device's turn.
func (j *joint) move(said, f *Frame, n int, keep bool) {
	if j.push {
		j.elastic.Push(said)
	} else if k := j.elastic.Pull(f); k == len(f) {
		if keep {
			j.heard = append(j.heard, f[:]...)
		}
	} else if n > 50 {
		j.short++
	}
}

func (j *joint) String() string {
	return fmt.Sprintf("push %t, %g ppm, phase %.2f", j.push, j.ppm, j.phase)
}

// pure says how much the tone lost, in dB, in the worst tenth of the last second.
func (j *joint) pure() float64 {
	const part = SampleRate / 10
	worst := 0.0
	for at := len(j.heard) - SampleRate; at < len(j.heard); at += part {
		s := j.heard[at : at+part]
		worst = max(worst, DBm0(s)-ToneLevel(s, 1000))
	}
	return worst
}

// limit is the most that may lie in the ring, in samples: 75 ms, and 85 ms where what
// is seen is what lies there before a frame is taken.
func (j *joint) limit() int {
	if j.push {
		return 600
	}
	return 680
}

func punctual(bool) float64 { return 0 }

// wobbly wakes each of the two up to 2 ms late.
func wobbly(seed uint64) func(bool) float64 {
	r := rand.New(rand.NewPCG(seed, 20))
	return func(bool) float64 { return r.Float64() / 10 }
}

// TestElastic runs a device whose clock is wrong against a ring for ten minutes in
// either direction, from every phase that the two clocks can have, punctual and with the
// jitter of a busy machine: nothing is lost, nothing is missing, the delay does not
// grow, no more frames are bent than the clocks' difference and one way to the middle
// take, and a tone stays a tone.
func TestElastic(t *testing.T) {
	t.Parallel()
	const phases = 8
	for _, push := range []bool{true, false} {
		for _, ppm := range []float64{-200, -50, 0, 50, 200} {
			for phase := range phases {
				for k, late := range []func(bool) float64{punctual, wobbly(uint64(phase))} {
					j := &joint{push: push, ppm: ppm, phase: float64(phase) / phases, late: late}
					j.run(10 * 60 * 50)
					if s := j.ring.Stats(); s.Dropped != 0 || s.Underruns > 0 || j.short > 0 {
						t.Errorf("%v, jitter %d: %d samples dropped, dry %d times, %d frames short", j, k, s.Dropped, s.Underruns, j.short)
					}
					if j.most > j.limit() {
						t.Errorf("%v, jitter %d: the ring holds %d to %d samples", j, k, j.least, j.most)
					}
					if want := math.Abs(ppm) / 1e6 * 10 * 60 * SampleRate; float64(j.elastic.Bent()) > want+FrameSamples*5/4 {
						t.Errorf("%v, jitter %d: %d frames were bent, want about %.0f", j, k, j.elastic.Bent(), want)
					}
					if j.early > 20 {
						t.Errorf("%v, jitter %d: %d frames were bent in the first ten seconds", j, k, j.early)
					}
					if lost := j.pure(); lost > 1 {
						t.Errorf("%v, jitter %d: the tone lost %.1f dB", j, k, lost)
					}
				}
			}
		}
	}
}

// TestElasticRightClocks: two clocks that go alike, and meet, have next to nothing bent.
func TestElasticRightClocks(t *testing.T) {
	t.Parallel()
	for _, push := range []bool{true, false} {
		for phase := range 8 {
			j := &joint{push: push, phase: float64(phase) / 8, late: wobbly(uint64(phase))}
			j.run(20 * 60 * 50)
			if n := j.elastic.Bent(); n > FrameSamples*5/4 {
				t.Errorf("%v: %d frames were bent in twenty minutes", j, n)
			}
		}
	}
}

// TestElasticLateDevice has a device wake up to 60 ms late every ten seconds or so. Who
// takes sound loses none of it, because it waits in the ring; who gives it leaves a gap
// as long as it was late, once, and then nothing more: what it gives at once afterwards
// has room. The delay does not grow from one time to the next.
func TestElasticLateDevice(t *testing.T) {
	t.Parallel()
	for _, push := range []bool{true, false} {
		for _, ppm := range []float64{-200, 0, 200} {
			for phase := range 8 {
				r := rand.New(rand.NewPCG(60, uint64(phase)))
				times := 0
				j := &joint{push: push, ppm: ppm, phase: float64(phase) / 8, late: func(device bool) float64 {
					if device && r.IntN(500) == 0 {
						times++
						return 3 * r.Float64()
					}
					return 0
				}}
				j.run(10 * 60 * 50)
				s := j.ring.Stats()
				if s.Dropped != 0 {
					t.Errorf("%v: %d samples were lost", j, s.Dropped)
				}
				if !push && (s.Underruns > 0 || j.short > 0) || j.short > 3*times {
					t.Errorf("%v: dry %d times, %d frames short, late %d times", j, s.Underruns, j.short, times)
				}
				if j.most > 7*FrameSamples {
					t.Errorf("%v: the ring holds up to %d samples", j, j.most)
				}
			}
		}
	}
}

func tone(o *Oscillator, f *Frame) {
	for i := range f {
		f[i] = int16(o.Next())
	}
}

func TestElasticMakesNoGarbage(t *testing.T) {
	r := NewRing(RingConfig{})
	e := NewElastic(r, 2)
	var f Frame
	if n := testing.AllocsPerRun(100, func() { e.Push(&f); e.Pull(&f) }); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}
