package session_test

import (
	"context"
	"math"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"callbox/media"
	"callbox/media/clock"
	"callbox/media/codec"
	"callbox/media/rtp"
	"callbox/media/session"
)

// The tests of this file join sessions with real streams, sockets and clock.

var loopback = netip.MustParseAddr("127.0.0.1")

// bench is a running clock with a pool of ports.
type bench struct {
	t     testing.TB
	clock *clock.Clock
	pool  *rtp.PortPool
}

func newBench(t testing.TB) *bench {
	t.Helper()
	pool, err := rtp.NewPortPool(rtp.PoolConfig{Bind: loopback})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, clock: clock.New(nil), pool: pool}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = b.clock.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		_ = pool.Close()
	})
	return b
}

func (b *bench) stream(onDigit func(byte)) *rtp.Stream {
	b.t.Helper()
	s, err := rtp.Listen(rtp.Config{Pool: b.pool, OnDigit: onDigit})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = s.Close() })
	return s
}

// connect starts both streams towards each other.
func (b *bench) connect(x, y *rtp.Stream, c codec.Codec) {
	b.t.Helper()
	p := rtp.Params{Codec: c, PayloadType: c.PayloadType, EventPT: codec.TelephoneEventPT}
	for _, s := range [][2]*rtp.Stream{{x, y}, {y, x}} {
		if err := s[0].Start(rtp.Remote{RTP: netip.AddrPortFrom(loopback, s[1].LocalPort())}, p); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bench) session(p media.Port) *session.Session {
	s := session.New(b.clock, p)
	b.t.Cleanup(s.Close)
	return s
}

// tone is an endless sine.
type tone struct {
	hz    float64
	phase float64
}

func (c *tone) ReadFrame(f *media.Frame) bool {
	for i := range f {
		f[i] = int16(8000 * math.Sin(c.phase))
		c.phase += 2 * math.Pi * c.hz / media.SampleRate
	}
	return true
}

func (c *tone) Close() error { return nil }

// meter listens for tones.
type meter struct {
	mu   sync.Mutex
	last []int16 // the last 400 ms
}

func (m *meter) WriteFrame(f *media.Frame) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = append(m.last, f[:]...)
	if len(m.last) > 3200 {
		m.last = m.last[len(m.last)-3200:]
	}
}

// hears reports whether a tone was there, and nothing else but it, lately.
func (m *meter) hears(hz float64, others ...float64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.last) < 3200 || media.ToneLevel(m.last, hz) < -15 {
		return false
	}
	for _, o := range others {
		if media.ToneLevel(m.last, o) > -35 {
			return false
		}
	}
	return true
}

func (b *bench) eventually(what string, ok func() bool) {
	b.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			b.t.Fatalf("not within a minute: %s", what)
		}
	}
}

// TestBridgedStreams takes a call of two legs through its life: relayed, with a
// prompt, with a listener, with different codecs, with a key.
func TestBridgedStreams(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	keys := make(chan byte, 10)
	farA, farB := b.stream(nil), b.stream(func(k byte) { keys <- k })
	a, x := b.stream(func(k byte) { keys <- k }), b.stream(nil)
	b.connect(farA, a, codec.PCMU)
	b.connect(farB, x, codec.PCMU)
	phoneA, phoneB := b.session(farA), b.session(farB)
	phoneA.Play(&tone{hz: 600})
	phoneB.Play(&tone{hz: 1000})
	var earA, earB meter
	phoneA.Tap(session.In, &earA)
	phoneB.Tap(session.In, &earB)

	legA, legB := b.session(a), b.session(x)
	if err := session.Bridge(legA, legB); err != nil {
		t.Fatal(err)
	}
	b.eventually("both hear each other on the relay", func() bool {
		return legA.Relaying() && earA.hears(1000, 600, 1400) && earB.hears(600, 1000, 1400)
	})
	prompt := legA.Play(&tone{hz: 1400})
	b.eventually("A hears the prompt and B, B hears A", func() bool {
		return !legA.Relaying() && earA.hears(1000, 600) && earA.hears(1400, 600) && earB.hears(600, 1400, 1000)
	})
	prompt.Stop()
	b.eventually("back on the relay", func() bool {
		return legA.Relaying() && earA.hears(1000, 600, 1400) && earB.hears(600, 1000, 1400)
	})
	var spy meter
	remove := legB.Tap(session.In, &spy)
	b.eventually("a listener hears B", func() bool {
		return !legA.Relaying() && spy.hears(1000, 600) && earA.hears(1000, 600)
	})
	remove()
	b.eventually("relay without the listener", legB.Relaying)

	if err := farA.SendDigit(t.Context(), '5', 80*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"the box", "B"} {
		select {
		case k := <-keys:
			if k != '5' {
				t.Errorf("%s heard the key %c", who, k)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s heard no key", who)
		}
	}
	b.connect(farB, x, codec.PCMA) // a re-INVITE changes one side
	b.eventually("decoded between two laws", func() bool {
		return !legA.Relaying() && earA.hears(1000, 600) && earB.hears(600, 1000)
	})
	// The far ends saw one stream each, without loss, through all of it.
	for name, s := range map[string]*rtp.Stream{"A": farA, "B": farB} {
		if st := s.Stats(); st.Lost != 0 || st.Duplicates != 0 {
			t.Errorf("%s: %+v", name, st)
		}
		if q := s.Quality(); q.Reordered != 0 || q.Unknown != 0 || q.Malformed != 0 {
			t.Errorf("%s: %+v", name, q)
		}
	}
}

// BenchmarkBridgedCallMemory reports the memory of a relayed call: two streams,
// two sessions and a bridge, with packets flowing.
func BenchmarkBridgedCallMemory(b *testing.B) {
	const calls = 50
	for b.Loop() {
		be := newBench(b)
		var far []*rtp.Stream
		for range 2 * calls {
			far = append(far, be.stream(nil))
		}
		before := inUse()
		var near []*rtp.Stream
		for _, f := range far {
			s := be.stream(nil)
			be.connect(f, s, codec.PCMU)
			near = append(near, s)
		}
		for i := 0; i < len(near); i += 2 {
			if err := session.Bridge(be.session(near[i]), be.session(near[i+1])); err != nil {
				b.Fatal(err)
			}
		}
		var f media.Frame
		tick := time.NewTicker(media.FrameDuration)
		for range 50 {
			<-tick.C
			for _, s := range far {
				s.WriteFrame(&f)
			}
		}
		tick.Stop()
		// The far ends' own goroutines are in it too.
		b.ReportMetric(float64(inUse()-before)/calls/1024, "KiB/call")
	}
}

// inUse is the memory of heap and stacks after a collection.
func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
