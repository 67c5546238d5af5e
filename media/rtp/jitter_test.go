package rtp

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"callbox/media"
	"callbox/media/codec"
)

// arrival is one packet on its way.
type arrival struct {
	at     int64 // in samples
	ts     uint32
	from   int // first sample of the sound
	n      int
	marker bool
	fresh  bool
}

// path is a simulated network: it takes packets and gives them back by the time
// they arrive.
type path struct {
	queue []arrival
}

func (p *path) send(a arrival) { p.queue = append(p.queue, a) }

// play runs the packets through a buffer, reading a frame every 20 ms from tick
// phase samples after the start on, and gives what was heard. sound is the far
// end's whole sound. each, if set, is called after every tick.
func (p *path) play(j *jitterBuffer, sound []int16, ticks int, phase int64, each func(tick int, heard bool)) []int16 {
	slices.SortStableFunc(p.queue, func(a, b arrival) int { return int(a.at - b.at) })
	var out []int16
	payload := make([]byte, maxPayload)
	next := 0
	for tick := range ticks {
		now := int64(tick)*media.FrameSamples + phase
		for ; next < len(p.queue) && p.queue[next].at <= now; next++ {
			a := p.queue[next]
			n := codec.PCMU.Encode(payload, sound[a.from:a.from+a.n])
			j.put(a.ts, codec.PCMU, payload[:n], a.at, a.fresh, a.marker)
		}
		var f media.Frame
		heard := j.read(&f)
		if !heard {
			f.Clear()
		}
		out = append(out, f[:]...)
		if each != nil {
			each(tick, heard)
		}
	}
	return out
}

// steady sends sound in packets of n samples, delayed by delay(i) samples,
// negative: lost.
func steady(sound []int16, n int, delay func(i int) int) *path {
	p := &path{}
	for i := 0; (i+1)*n <= len(sound); i++ {
		d := delay(i)
		if d < 0 {
			continue
		}
		p.send(arrival{at: int64((i+1)*n + d), ts: uint32(i*n) + 0xFFFFF000, from: i * n, n: n})
	}
	return p
}

// delayOf finds by how many samples heard lags behind sound around a place in
// heard, by correlation.
func delayOf(sound, heard []int16, place int) (lag int, score float64) {
	win := heard[place : place+800]
	for d := 0; d <= 4000 && d <= place; d++ {
		ref := sound[place-d:][:800]
		var xy, xx, yy float64
		for i := 0; i < 800; i += 2 {
			a, b := float64(win[i]), float64(ref[i])
			xy += a * b
			xx += a * a
			yy += b * b
		}
		if xx == 0 || yy == 0 {
			continue
		}
		if r := xy / math.Sqrt(xx*yy); r > score {
			lag, score = d, r
		}
	}
	return lag, score
}

// noise is a sound in which every place is unlike any other.
func noise(n int, seed uint64) []int16 {
	r := rand.New(rand.NewPCG(seed, 7))
	s := make([]int16, n)
	for i := range s {
		s[i] = int16(r.IntN(16000) - 8000)
	}
	return s
}

func TestJitterCleanPath(t *testing.T) {
	t.Parallel()
	for _, ptime := range []int{10, 20, 30, 40, 60} {
		n := ptime * 8
		sound := noise(12*8000, 1)
		j := newJitterBuffer(codec.PCMU, new(lender[pcm]))
		heard := steady(sound, n, func(int) int { return 0 }).play(j, sound, 550, 37, nil)
		if j.late != 0 || j.dropped != 0 || j.concealed != 0 {
			t.Errorf("%d ms: late %d, dropped %d, concealed %d", ptime, j.late, j.dropped, j.concealed)
		}
		early, r1 := delayOf(sound, heard, 8000)
		late, r2 := delayOf(sound, heard, 80000)
		if r1 < 0.99 || r2 < 0.99 {
			t.Errorf("%d ms: the sound is not what was said: %.3f, %.3f", ptime, r1, r2)
		}
		// Behind the packet's own length there is at most 40 ms at first, and at most
		// 20 ms (and the margin) once the path is known.
		if lag := early - n; lag > 320+160 {
			t.Errorf("%d ms: %d samples behind at first", ptime, lag)
		}
		if lag := late - n; lag < 0 || lag > 160+shrinkMargin+shrinkSlack {
			t.Errorf("%d ms: %d samples behind in the end", ptime, lag)
		}
	}
}

func TestJitterConstantJitter(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	sound := noise(30*8000, 2)
	j := newJitterBuffer(codec.PCMU, new(lender[pcm]))
	var fails []int
	before := uint64(0)
	heard := steady(sound, 160, func(int) int { return r.IntN(320) }).play(j, sound, 1450, 0, func(tick int, _ bool) {
		if j.concealed != before {
			fails = append(fails, tick)
			before = j.concealed
		}
	})
	if j.concealed > 20*160 || j.late > 2 {
		t.Errorf("40 ms of jitter: %d samples concealed at %v, %d packets late", j.concealed, fails, j.late)
	}
	lag, score := delayOf(sound, heard, 220_000)
	if score < 0.98 || lag-160 > 320+160+shrinkMargin+shrinkSlack {
		t.Errorf("%d samples behind, likeness %.3f", lag-160, score)
	}
	if target := j.target(); target < 300 || target > 400 {
		t.Errorf("target %d for 320 samples of jitter", target)
	}
}

// TestJitterSpike stalls the path for 180 ms once: the delay grows, the sound
// that was late is heard, and within 5 s the delay is small again.
func TestJitterSpike(t *testing.T) {
	t.Parallel()
	for name, sound := range map[string][]int16{"noise": noise(14*8000, 5), "voice": vowel(0, 14*8000, 110), "silence": make([]int16, 14*8000)} {
		const stall, length = 200, 1440 // packet, samples
		j := newJitterBuffer(codec.PCMU, new(lender[pcm]))
		var top, end int64
		steady(sound, 160, func(i int) int {
			if i >= stall && i < stall+length/160 {
				return length - (i-stall)*160
			}
			return 0
		}).play(j, sound, 650, 80, func(tick int, _ bool) {
			if tick > stall {
				top = max(top, j.level())
			}
			if tick == stall+250 {
				end = j.level()
			}
		})
		if top < 1200 || top > bufferCap+160 {
			t.Errorf("%s: the buffer grew to %d", name, top)
		}
		if end > 160+160+shrinkMargin+shrinkSlack {
			t.Errorf("%s: 5 s later it still holds %d", name, end)
		}
		if j.late != 0 || j.dropped != 0 {
			t.Errorf("%s: late %d, dropped %d", name, j.late, j.dropped)
		}
		if j.concealed > plcFaded+160 { // the last of them only in part
			t.Errorf("%s: %d samples concealed", name, j.concealed)
		}
	}
}

func TestJitterCap(t *testing.T) {
	t.Parallel()
	sound := noise(6*8000, 6)
	j := newJitterBuffer(codec.PCMU, new(lender[pcm]))
	// A second's worth arrives at once.
	steady(sound, 160, func(i int) int {
		if i >= 100 && i < 150 {
			return (150 - i) * 160
		}
		return 0
	}).play(j, sound, 290, 0, func(int, bool) {
		if j.level() > bufferCap+160 {
			t.Errorf("the buffer holds %d", j.level())
		}
	})
	if j.dropped < 35 {
		t.Errorf("dropped %d frames of 50 less 10", j.dropped)
	}
}

// TestJitterLoss drops packets: each costs one concealed frame and the delay
// does not creep up.
func TestJitterLoss(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(8, 9))
	sound := noise(20*8000, 7)
	lost := 0
	p := steady(sound, 160, func(i int) int {
		if i > 50 && i < 900 && r.IntN(20) == 0 {
			lost++
			return -1
		}
		return 0
	})
	j := newJitterBuffer(codec.PCMU, new(lender[pcm]))
	heard := p.play(j, sound, 940, 11, nil)
	if d := int(j.concealed)/160 - lost; d < -2 || d > lost/5+2 {
		t.Errorf("%d packets lost, %d frames concealed", lost, j.concealed/160)
	}
	if lag, score := delayOf(sound, heard, 145_000); lag-160 > 320+160 || score < 0.95 {
		t.Errorf("%d samples behind, likeness %.3f", lag-160, score)
	}
}

func TestJitterReorderAndDuplicate(t *testing.T) {
	t.Parallel()
	sound := noise(4*8000, 10)
	p := steady(sound, 160, func(i int) int {
		if i%10 == 5 {
			return 200 // overtaken by the next
		}
		return 0
	})
	for _, a := range slices.Clone(p.queue)[50:100] {
		p.send(a) // twice
	}
	j := newJitterBuffer(codec.PCMU, new(lender[pcm]))
	heard := p.play(j, sound, 190, 0, nil)
	if j.concealed != 0 {
		t.Errorf("%d samples concealed", j.concealed)
	}
	if _, score := delayOf(sound, heard, 16000); score < 0.99 {
		t.Errorf("likeness %.3f", score)
	}
}

// TestJitterLate delivers packets 100 ms late, when what stands for them has been
// heard, and packets twice, at once or when they were heard long ago: each is counted
// once, as what it is, and the delay stays what it was.
func TestJitterLate(t *testing.T) {
	t.Parallel()
	const packets, from, to, behind = 600, 300, 500, 5 // packets
	sound := noise(packets*media.FrameSamples, 16)
	s, _ := bare(t, alice, pcmu(), nil)
	var f media.Frame
	s.read(&f, at(-13)) // from now on it is listened to
	far := talker{ssrc: 5, c: codec.PCMU}
	var heard []int16
	late, twice := uint64(0), uint64(0)
	waiting := map[int][]byte{} // by the packet that they come after
	for i := range packets {
		b := far.packet(sound[i*media.FrameSamples:][:media.FrameSamples], i == 0)
		now := at(20 * i)
		affected := i >= from && i < to
		switch {
		case affected && i%25 == 0:
			waiting[i+behind] = slices.Clone(b)
			late++
		case affected && i%25 == 10:
			s.handle(slices.Clone(b), alice, now)
			s.handle(b, alice, now)
			twice++
		case affected && i%25 == 15:
			waiting[i+behind] = slices.Clone(b)
			s.handle(b, alice, now)
			twice++
		default:
			s.handle(b, alice, now)
		}
		if b := waiting[i]; b != nil {
			s.handle(b, alice, now)
		}
		if !s.read(&f, now.Add(7*time.Millisecond)) {
			f.Clear()
		}
		heard = append(heard, f[:]...)
	}
	st := s.Stats()
	if st.Late != late || st.Duplicates != twice || st.Concealed != late || st.Lost != 0 || st.Dropped != 0 || st.PacketsIn != packets+twice {
		t.Errorf("%d packets came late and %d twice, counted %+v", late, twice, st)
	}
	before, sure := delayOf(sound, heard, (from-5)*media.FrameSamples)
	if sure < 0.99 {
		t.Fatalf("the sound is not what was said: %.3f", sure)
	}
	for place := from + 6; place+5 <= packets; place += 25 {
		if lag, sure := delayOf(sound, heard, place*media.FrameSamples); lag != before || sure < 0.99 {
			t.Errorf("at %d ms the sound lags %d samples (likeness %.3f), before it was %d", 20*place, lag, sure, before)
		}
	}
}

// TestJitterPauses sends talk spurts: nothing is concealed for longer than the
// fade, and each spurt is heard whole.
func TestJitterPauses(t *testing.T) {
	t.Parallel()
	sound := noise(10*8000, 11)
	p := &path{}
	for spurt := range 5 {
		for i := range 25 { // 0.5 s of every 2 s
			from := (spurt*100 + i) * 160
			p.send(arrival{at: int64(from + 160), ts: uint32(from), from: from, n: 160, marker: i == 0})
		}
	}
	j := newJitterBuffer(codec.PCMU, new(lender[pcm]))
	audible := 0
	heard := p.play(j, sound, 480, 90, func(_ int, h bool) {
		if h {
			audible++
		}
	})
	if audible < 125 || audible > 125+5*5 {
		t.Errorf("%d frames were audible, 125 were sent", audible)
	}
	for spurt := range 5 {
		if _, score := delayOf(sound, heard, spurt*16000+2000); score < 0.99 {
			t.Errorf("spurt %d: likeness %.3f", spurt, score)
		}
	}
	if j.late != 0 || j.dropped != 0 || j.concealed > 15*160 {
		t.Errorf("late %d, dropped %d, concealed %d", j.late, j.dropped, j.concealed)
	}
}

// TestJitterNewMapping changes source, jumps the timestamps, and stops them
// during silence.
func TestJitterNewMapping(t *testing.T) {
	t.Parallel()
	sound := noise(10*8000, 12)
	p := &path{}
	ts := uint32(1000)
	for i := range 450 {
		fresh, marker := false, false
		switch i {
		case 100: // another source takes over
			ts, fresh = 3_000_000_000, true
		case 200: // the same source jumps far back
			ts -= 5_000_000
		case 300: // and one ahead
			ts += 100_000_000
		case 400: // 0.4 s of silence in which the timestamps stood still
			marker = true
		}
		from := i * 160
		if i >= 400 {
			from += 3200
		}
		p.send(arrival{at: int64(from + 160), ts: ts, from: from, n: 160, fresh: fresh, marker: marker})
		ts += 160
	}
	j := newJitterBuffer(codec.PCMU, new(lender[pcm]))
	heard := p.play(j, sound, 480, 0, nil)
	for _, place := range []int{8000, 24000, 40000, 56000, 71000} {
		lag, score := delayOf(sound, heard, place)
		if score < 0.98 || lag-160 > 560 {
			t.Errorf("at %d: likeness %.3f, %d samples behind", place, score, lag-160)
		}
	}
	if j.late > 0 || j.dropped > 3 {
		t.Errorf("late %d, dropped %d", j.late, j.dropped)
	}
}

// TestJitterDrift lets the far end's clock run 500 ppm fast, then slow.
func TestJitterDrift(t *testing.T) {
	t.Parallel()
	for _, ppm := range []int{500, -500} {
		sound := noise(65*8000, 13)
		p := &path{}
		for i := range 3000 {
			p.send(arrival{at: int64(i+1)*160 - int64(i)*160*int64(ppm)/1_000_000 + 100, ts: uint32(i * 160), from: i * 160, n: 160})
		}
		j := newJitterBuffer(codec.PCMU, new(lender[pcm]))
		p.play(j, sound, 2990, 0, nil)
		// 30 ms in a minute: a few pieces in or out, no more.
		if j.level() > 800 || j.concealed > 20*160 || j.dropped > 0 {
			t.Errorf("%d ppm: level %d, concealed %d, dropped %d", ppm, j.level(), j.concealed, j.dropped)
		}
	}
}

func TestJitterOtherLaw(t *testing.T) {
	t.Parallel()
	j := newJitterBuffer(codec.PCMU, new(lender[pcm]))
	tone := vowel(0, 8000, 200)
	var heard []int16
	b := make([]byte, 160)
	for i := range 50 {
		codec.PCMA.Encode(b, tone[i*160:])
		j.put(uint32(i*160), codec.PCMA, b, int64(i*160), false, false)
		var f media.Frame
		j.read(&f)
		heard = append(heard, f[:]...)
	}
	if r := snr(tone[8000-1600-320:8000-320], heard[8000-1600:]); r < 25 {
		t.Errorf("A-law in a µ-law call: %.1f dB", r)
	}
	j.put(0, codec.PCMU, nil, 0, false, false)
	j.put(0, codec.PCMU, make([]byte, maxPayload+1), 0, false, false)
	if j.dropped != 2 {
		t.Errorf("%d impossible payloads were dropped", j.dropped)
	}
}

// TestJitterRandom throws random packets at the buffer and checks what must
// always hold.
func TestJitterRandom(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(14, 15))
	j := newJitterBuffer(codec.PCMU, new(lender[pcm]))
	payload := make([]byte, maxPayload)
	now, ts := int64(0), uint32(0)
	for range 200_000 {
		now += int64(r.IntN(200))
		switch r.IntN(50) {
		case 0:
			ts = r.Uint32()
		case 1:
			ts += uint32(r.IntN(20000)) - 10000
		case 2:
			now += int64(r.IntN(20000))
		}
		ts += uint32(r.IntN(200))
		j.put(ts, codec.PCMU, payload[:r.IntN(maxPayload)], now, r.IntN(100) == 0, r.IntN(10) == 0)
		if r.IntN(2) == 0 {
			var f media.Frame
			j.read(&f)
		}
		if l := j.level(); l < 0 || l > ringSamples {
			t.Fatalf("level %d", l)
		}
		if tgt := j.target(); tgt < minDelay || tgt > bufferCap {
			t.Fatalf("target %d", tgt)
		}
		set := int64(0)
		for at := j.next; at < j.end; at++ {
			if j.have[at%ringSamples/64]>>(uint(at%ringSamples)%64)&1 == 1 {
				set++
			}
		}
		all := int64(0)
		for _, w := range j.have {
			for ; w != 0; w &= w - 1 {
				all++
			}
		}
		if set != all {
			t.Fatalf("%d samples are marked outside of the buffer", all-set)
		}
	}
}

func TestJitterNoAllocations(t *testing.T) {
	j := newJitterBuffer(codec.PCMU, new(lender[pcm]))
	b := make([]byte, 160)
	i := 0
	if n := testing.AllocsPerRun(2000, func() {
		if i%7 != 3 {
			j.put(uint32(i*160), codec.PCMU, b, int64(i*160), false, false)
		}
		var f media.Frame
		j.read(&f)
		i++
	}); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}
