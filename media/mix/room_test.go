package mix_test

import (
	"fmt"
	"testing"
	"time"

	"callbox/media"
	"callbox/media/mix"
	"callbox/media/session"
)

// clock is a media clock by hand.
type clock struct{ list []media.Ticker }

func (c *clock) Add(t media.Ticker) { c.list = append(c.list, t) }

func (c *clock) Remove(t media.Ticker) {
	for i, o := range c.list {
		if o == t {
			c.list = append(c.list[:i:i], c.list[i+1:]...)
		}
	}
}

func (c *clock) tick(n int) {
	for range n {
		for _, t := range c.list {
			t.Collect()
		}
		for _, t := range c.list {
			t.Deliver()
		}
	}
}

// party is somebody with a phone: says a constant level, 0 is nothing at all, and
// remembers the last level heard.
type party struct {
	says, hears int16
	seat        *mix.Seat
	sess        *session.Session
}

func (p *party) ReadFrame(f *media.Frame) bool {
	for i := range f {
		f[i] = p.says
	}
	return p.says != 0
}

func (p *party) WriteFrame(f *media.Frame) { p.hears = f[80] }

// meeting is a room with parties that say 100, 1000, 10000 …
type meeting struct {
	clock   clock
	room    *mix.Room
	parties []*party
}

func meet(t *testing.T, levels ...int16) *meeting {
	t.Helper()
	m := &meeting{room: mix.New()}
	// The room stands between the parties, so that some are collected and
	// delivered before it and some after.
	for i, v := range levels {
		if i == len(levels)/2 {
			m.clock.Add(m.room)
		}
		p := &party{says: v, seat: m.room.Seat()}
		p.sess = session.New(&m.clock, p)
		t.Cleanup(p.sess.Close)
		if err := p.sess.Enter(p.seat); err != nil {
			t.Fatal(err)
		}
		m.parties = append(m.parties, p)
	}
	return m
}

// hear ticks once and checks what each hears.
func (m *meeting) hear(t *testing.T, want ...int16) {
	t.Helper()
	m.clock.tick(1)
	for i, p := range m.parties {
		if p.hears != want[i] {
			t.Errorf("party %d hears %d, want %d", i, p.hears, want[i])
		}
	}
}

// TestEachHearsTheOthers: within the same tick, everybody but oneself.
func TestEachHearsTheOthers(t *testing.T) {
	m := meet(t, 100, 1000, 10000)
	m.hear(t, 11000, 10100, 1100)
	m.parties[1].says = 0 // hears all the same
	m.hear(t, 10000, 10100, 100)
	m.parties[2].sess.Leave(m.parties[2].seat)
	m.parties[2].seat.Leave()
	m.parties[2].seat.Leave()
	m.hear(t, 0, 100, 0)
	m.parties[0].sess.Close()
	m.parties[0].hears = 7
	m.hear(t, 7, 0, 0)
}

func TestMuteAndHold(t *testing.T) {
	m := meet(t, 100, 1000, 10000)
	m.parties[0].seat.Mute(true)
	m.hear(t, 11000, 10000, 1000)
	m.parties[0].seat.Mute(false)
	m.parties[1].seat.Hold(true)
	m.hear(t, 10000, 0, 100)
	p := m.parties[1].sess.Play(media.Limit(&party{says: 55}, 40*time.Millisecond))
	m.hear(t, 10000, 55, 100) // only what is played to it
	m.clock.tick(2)
	<-p.Done()
	m.parties[1].seat.Hold(false)
	m.hear(t, 11000, 10100, 1100)
}

// TestPlayBesidesTalk: what is played to one party is mixed with the room for
// that party alone.
func TestPlayBesidesTalk(t *testing.T) {
	m := meet(t, 100, 1000)
	m.parties[0].sess.Play(media.ClipOf(level(5000, 2)))
	m.hear(t, 6000, 100)
	m.hear(t, 6000, 100)
	m.hear(t, 1000, 100)
}

// TestCoach: who speaks to some is heard by them besides everybody else, and
// hears all.
func TestCoach(t *testing.T) {
	m := meet(t, 100, 1000, 10000)
	coach := m.parties[2].seat
	coach.SpeakTo([]*mix.Seat{m.parties[0].seat})
	m.hear(t, 11000, 100, 1100)
	m.parties[1].says = 0
	m.hear(t, 10000, 100, 100)
	coach.Mute(true)
	m.hear(t, 0, 100, 100)
	coach.Mute(false)
	m.parties[0].seat.Hold(true)
	m.hear(t, 0, 0, 0)
	m.parties[0].seat.Hold(false)
	coach.SpeakTo([]*mix.Seat{m.parties[0].seat, m.parties[1].seat})
	m.hear(t, 10000, 10100, 100)
	m.parties[0].sess.Leave(m.parties[0].seat)
	m.parties[0].seat.Leave() // whom it spoke to
	m.hear(t, 0, 10000, 0)
	m.parties[1].sess.Leave(m.parties[1].seat)
	m.parties[1].seat.Leave() // nobody is left of those
	m.parties[1] = m.parties[2]
	m.parties[0].seat = m.room.Seat()
	if err := m.parties[0].sess.Enter(m.parties[0].seat); err != nil {
		t.Fatal(err)
	}
	m.hear(t, 0, 100, 100)
	coach.SpeakTo([]*mix.Seat{})
	m.hear(t, 0, 100, 100)
	coach.SpeakTo(nil)
	m.hear(t, 10000, 100, 100)
}

// TestClipsOnce: sums beyond full scale are clipped at the ear, and a party's own
// part is taken out before that.
func TestClipsOnce(t *testing.T) {
	m := meet(t, 30000, 30000, -30000)
	m.hear(t, 0, 0, 32767)
	m.parties[2].says = 30000
	m.hear(t, 32767, 32767, 32767)
	for _, p := range m.parties {
		p.says = -30000
	}
	m.hear(t, -32768, -32768, -32768)
}

// TestInside: a session of the room's own speaks to everybody who is not apart,
// and hears everything, both a tick later.
func TestInside(t *testing.T) {
	m := meet(t, 100, 1000)
	voice := session.New(&m.clock, m.room.Inside())
	defer voice.Close()
	voice.SetSilence(false)
	var ear last
	defer voice.Tap(session.In, &ear)()
	m.hear(t, 1000, 100)
	voice.Play(media.ClipOf(level(5000, 2)))
	m.clock.tick(1)
	if ear != 1100 {
		t.Errorf("the room sounds like %d", ear)
	}
	m.hear(t, 6000, 5100)
	m.parties[0].seat.Hold(true)
	m.hear(t, 0, 5000)
	if ear != 6100 {
		t.Errorf("the room sounds like %d", ear)
	}
	m.parties[0].seat.Hold(false)
	m.hear(t, 1000, 100)
	// Silence where nobody speaks at all.
	m.parties[0].says, m.parties[1].says = 0, 0
	m.clock.tick(2)
	if ear != 0 {
		t.Errorf("an empty room sounds like %d", ear)
	}
}

type last int16

func (l *last) WriteFrame(f *media.Frame) { *l = last(f[80]) }

func level(v int16, frames int) []int16 {
	s := make([]int16, frames*media.FrameSamples)
	for i := range s {
		s[i] = v
	}
	return s
}

// TestTalking: begins after 80 ms of sound, ends after 1 s without; noise and a
// muted party are not talking.
func TestTalking(t *testing.T) {
	m := meet(t, 1000, 200)
	a, noise := m.parties[0].seat, m.parties[1].seat
	changed := func() bool {
		select {
		case <-m.room.Talk():
			return true
		default:
			return false
		}
	}
	m.clock.tick(3)
	if a.Talking() || changed() {
		t.Error("a click counts as talking")
	}
	m.clock.tick(1)
	if !a.Talking() || !changed() || noise.Talking() {
		t.Error("talking was not noticed, or noise was")
	}
	a.Mute(true)
	m.clock.tick(49)
	if !a.Talking() || changed() {
		t.Error("a breath ends the talking")
	}
	m.clock.tick(1)
	if a.Talking() || !changed() {
		t.Error("the end was not noticed")
	}
}

// TestNoAllocations: a tick of a room allocates nothing, whispers included.
func TestNoAllocations(t *testing.T) {
	m := meet(t, 100, 1000, 10000, 50)
	m.parties[2].seat.SpeakTo([]*mix.Seat{m.parties[0].seat})
	m.room.Inside()
	if n := testing.AllocsPerRun(100, func() { m.clock.tick(1) }); n != 0 {
		t.Errorf("a tick allocates %v times", n)
	}
}

// BenchmarkRoom is one tick of a room in which everybody talks; "core" is the
// share of a core that it takes, in percent.
func BenchmarkRoom(b *testing.B) {
	for _, n := range []int{3, 8, 32, 250} {
		b.Run(fmt.Sprintf("parties=%d", n), func(b *testing.B) {
			room := mix.New()
			var f media.Frame
			seats := make([]*mix.Seat, n)
			for i := range seats {
				seats[i] = room.Seat()
			}
			for i := range f {
				f[i] = int16(i * 100)
			}
			b.ReportAllocs()
			for b.Loop() {
				room.Collect()
				for _, s := range seats {
					s.WriteFrame(&f)
				}
				for _, s := range seats {
					s.ReadFrame(&f)
				}
				room.Deliver()
			}
			b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(media.FrameDuration)*100, "%core")
		})
	}
}
