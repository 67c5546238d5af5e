package rtp

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"callbox/media"
	"callbox/media/codec"
)

// listen opens a stream on loopback that is closed at the end.
func listen(t testing.TB, p *PortPool, onDigit func(byte)) *Stream {
	t.Helper()
	s, err := Listen(Config{Pool: p, OnDigit: onDigit})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func local(s *Stream) Remote {
	return Remote{RTP: netip.AddrPortFrom(loopback, s.LocalPort())}
}

func begin(t testing.TB, s, to *Stream, p Params) {
	t.Helper()
	if err := s.Start(local(to), p); err != nil {
		t.Fatal(err)
	}
}

// run ticks until the test has seen enough, at the real pace, and gives the longest time
// between two ticks.
func run(t testing.TB, ticks int, tick func(i int)) (longest time.Duration) {
	t.Helper()
	c := time.NewTicker(media.FrameDuration)
	defer c.Stop()
	last := time.Now()
	for i := range ticks {
		<-c.C
		now := time.Now()
		longest, last = max(longest, now.Sub(last)), now
		tick(i)
	}
	return longest
}

// heardAs compares what was said with what was heard.
type heardAs struct{ said, heard []int16 }

// hears plays rounds until, in one, each sound was heard as it was said. A round in which
// the machine stalled proves nothing: it is repeated, at most 20 times.
func hears(t *testing.T, round func() (longest time.Duration, sounds []heardAs)) {
	t.Helper()
	for try := 1; ; try++ {
		longest, sounds := round()
		worst, behind := 1.0, 0
		for _, x := range sounds {
			lag, score := clearest(x.said, x.heard)
			worst, behind = min(worst, score), max(behind, lag)
		}
		if worst >= 0.97 && behind <= 1600 {
			return
		}
		if longest < 2*media.FrameDuration || try == 20 {
			t.Errorf("likeness %.3f, %d samples behind in round %d, in which no two ticks were more than %v apart", worst, behind, try, longest)
			return
		}
	}
}

// clearest is delayOf at the place where the sound is heard best: on a busy
// machine a stall may fall into any one of them.
func clearest(said, heard []int16) (lag int, score float64) {
	for place := 4000; place < len(heard)-1600; place += 1600 {
		if l, s := delayOf(said, heard, place); s > score {
			lag, score = l, s
		}
	}
	return lag, score
}

// TestStreamBothWays sends sound over real sockets and checks what arrives by
// its content.
func TestStreamBothWays(t *testing.T) {
	t.Parallel()
	for _, c := range codec.All() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			pool := newPool(t, PoolConfig{Bind: loopback})
			a, b := listen(t, pool, nil), listen(t, pool, nil)
			params := Params{Codec: c, PayloadType: c.PayloadType, EventPT: 101}
			begin(t, a, b, params)
			begin(t, b, a, params)
			saidA, saidB := noise(8000*2, 1), noise(8000*2, 2)
			var quiet time.Duration
			ticks := uint64(0)
			hears(t, func() (time.Duration, []heardAs) {
				var heardA, heardB []int16
				longest := run(t, 100, func(i int) {
					var f media.Frame
					for _, x := range []struct {
						s     *Stream
						said  []int16
						heard *[]int16
					}{{a, saidA, &heardA}, {b, saidB, &heardB}} {
						if !x.s.ReadFrame(&f) {
							f = media.Frame{}
						}
						*x.heard = append(*x.heard, f[:]...)
						copy(f[:], x.said[i*160:])
						x.s.WriteFrame(&f)
					}
				})
				ticks += 100
				quiet = time.Since(a.LastPacket()) // before the slow comparison
				return longest, []heardAs{{saidA, heardB}, {saidB, heardA}}
			})
			eventually(t, "what was sent has come", func() bool { return a.Stats().PacketsIn >= ticks-5 })
			st := a.Stats()
			if st.PacketsOut != ticks || st.Lost != 0 {
				t.Errorf("%d frames: %+v", ticks, st)
			}
			if quiet > 10*time.Second { // never set it would be years
				t.Errorf("the last packet came %s ago", quiet)
			}
		})
	}
}

func TestStreamDigits(t *testing.T) {
	t.Parallel()
	pool := newPool(t, PoolConfig{Bind: loopback})
	var mu sync.Mutex
	keys := ""
	a, b := listen(t, pool, nil), listen(t, pool, func(k byte) {
		mu.Lock()
		defer mu.Unlock()
		keys += string(k)
	})
	pa, pb := pcmu(), pcmu()
	pa.EventPT, pa.LocalEventPT = 96, 101 // each has named its own type
	pb.EventPT, pb.LocalEventPT = 101, 96
	begin(t, a, b, pa)
	begin(t, b, a, pb)
	for _, k := range []byte("1#D1") {
		if err := a.SendDigit(t.Context(), k, 60*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all keys", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return keys == "1#D1"
	})
}

// TestStreamRelaySockets relays between two far ends over real sockets and
// measures that packets pass at once and unchanged.
func TestStreamRelaySockets(t *testing.T) {
	t.Parallel()
	pool := newPool(t, PoolConfig{Bind: loopback})
	farA, farB := listen(t, pool, nil), listen(t, pool, nil)
	a, b := listen(t, pool, nil), listen(t, pool, nil)
	begin(t, farA, a, pcmu())
	begin(t, farB, b, pcmu())
	begin(t, a, farA, pcmu())
	begin(t, b, farB, pcmu())
	if !a.RelayTo(b) || !b.RelayTo(a) {
		t.Fatal("no relay")
	}
	said := noise(8000*2, 3)
	hears(t, func() (time.Duration, []heardAs) {
		var heard []int16
		longest := run(t, 100, func(i int) {
			var f media.Frame
			if !farB.ReadFrame(&f) {
				f = media.Frame{}
			}
			heard = append(heard, f[:]...)
			copy(f[:], said[i*160:])
			farA.WriteFrame(&f)
			f = media.Frame{}
			farB.WriteFrame(&f)
		})
		return longest, []heardAs{{said, heard}}
	})
	eventually(t, "what was sent is relayed", func() bool { return b.Stats().PacketsOut >= 95 })
}

// TestStreamWildcard binds all addresses, of both families, and talks to an IPv4
// far end.
func TestStreamWildcard(t *testing.T) {
	t.Parallel()
	pool := newPool(t, PoolConfig{})
	a, b := listen(t, pool, nil), listen(t, pool, nil)
	begin(t, a, b, pcmu())
	begin(t, b, a, pcmu())
	var f media.Frame
	eventually(t, "packets over a dual socket", func() bool {
		a.WriteFrame(&f)
		return b.Stats().PacketsIn > 0
	})
	if got := b.RemoteAddr(); got != local(a).RTP || b.Quality().Strangers != 0 {
		t.Errorf("remote %v, %+v", got, b.Quality())
	}
}

// TestStreamLatch answers from another port than the one in the SDP.
func TestStreamLatch(t *testing.T) {
	t.Parallel()
	pool := newPool(t, PoolConfig{Bind: loopback})
	s := listen(t, pool, nil)
	if err := s.Start(Remote{RTP: netip.AddrPortFrom(loopback, 9)}, pcmu()); err != nil {
		t.Fatal(err)
	}
	c, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(local(s).RTP))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	k := talker{ssrc: 1, c: codec.PCMU}
	eventually(t, "the stream latches", func() bool {
		if _, err := c.Write(k.packet(make([]int16, 160), false)); err != nil {
			t.Fatal(err)
		}
		return s.RemoteAddr() == c.LocalAddr().(*net.UDPAddr).AddrPort()
	})
	var f media.Frame
	s.WriteFrame(&f)
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 2000)); err != nil || n != 172 {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestStreamLife(t *testing.T) {
	t.Parallel()
	pool := newPool(t, PoolConfig{Bind: loopback})
	s := listen(t, pool, nil)
	var f media.Frame
	if s.ReadFrame(&f) {
		t.Error("sound before the start")
	}
	s.WriteFrame(&f)
	s.StopRelay()
	if !s.LastPacket().IsZero() || s.Stats() != (Stats{}) {
		t.Errorf("%+v", s.Stats())
	}
	if err := s.Start(Remote{}, Params{}); err == nil {
		t.Error("started without a codec")
	}
	begin(t, s, s, pcma())
	if s.Params().LocalEventPT != 101 || s.Params().Codec != codec.PCMA {
		t.Errorf("%+v", s.Params())
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Start(local(s), pcmu()); !errors.Is(err, ErrClosed) {
		t.Errorf("start after close: %v", err)
	}
	if s.RelayTo(listen(t, pool, nil)) {
		t.Error("a closed stream relays")
	}
	s.WriteFrame(&f)
	s.ReadFrame(&f)
	if n := pool.Stats().Busy; n != 1 {
		t.Errorf("%d pairs busy", n)
	}
}

// TestStreamBacklog sends before the start: that sound is not heard later.
func TestStreamBacklog(t *testing.T) {
	t.Parallel()
	pool := newPool(t, PoolConfig{Bind: loopback})
	s := listen(t, pool, nil)
	c, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(local(s).RTP))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	k := talker{ssrc: 1, c: codec.PCMU}
	for range 100 {
		if _, err := c.Write(k.packet(make([]int16, 160), false)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Start(Remote{RTP: c.LocalAddr().(*net.UDPAddr).AddrPort()}, pcmu()); err != nil {
		t.Fatal(err)
	}
	sent := uint64(0)
	eventually(t, "a packet after the start", func() bool {
		if _, err := c.Write(k.packet(make([]int16, 160), false)); err != nil {
			t.Fatal(err)
		}
		sent++
		return s.Stats().PacketsIn > 0
	})
	if n := s.Stats().PacketsIn; n > sent {
		t.Errorf("%d packets came, only %d were sent after the start", n, sent)
	}
}

// TestStreamConcurrent uses all methods at once; the race detector looks on.
func TestStreamConcurrent(t *testing.T) {
	t.Parallel()
	pool := newPool(t, PoolConfig{Bind: loopback})
	a, b := listen(t, pool, func(byte) {}), listen(t, pool, func(byte) {})
	begin(t, a, b, pcmu())
	begin(t, b, a, pcmu())
	var wg sync.WaitGroup
	for _, s := range []*Stream{a, b} {
		peer := map[*Stream]*Stream{a: b, b: a}[s]
		wg.Go(func() {
			var f media.Frame
			for range 2000 {
				s.ReadFrame(&f)
				s.WriteFrame(&f)
			}
		})
		wg.Go(func() {
			for i := range 200 {
				if i%2 == 0 {
					s.RelayTo(peer)
				} else {
					s.StopRelay()
				}
				s.Stats()
				s.Quality()
			}
		})
		wg.Go(func() {
			for i := range 100 {
				p := pcmu()
				p.Direction = Direction(i % 4)
				if err := s.Start(local(peer), p); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
