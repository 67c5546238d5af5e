package session

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/media"
)

func TestSilence(t *testing.T) {
	t.Parallel()
	c, p := &clock{}, &port{keep: true}
	s := newSession(t, c, p)
	c.tick(3)
	equal(t, "sent", p.take(), 0, 0, 0)
	s.SetSilence(false)
	c.tick(3)
	equal(t, "sent when quiet", p.take())
	s.Play(&clip{v: 5, n: 1})
	c.tick(3)
	equal(t, "sent with a clip", p.take(), 5)
	if st := s.Stats(); st.Ticks != 9 || st.Empty != 9 || st.Clips != 1 {
		t.Errorf("%+v", st)
	}
	if s.Port() != media.Port(p) {
		t.Error("wrong port")
	}
}

func TestPlay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, p := &clock{}, &port{keep: true}
		s := New(c, p)
		stop := c.run()
		one := &clip{v: 100, n: 10}
		began := time.Now()
		pb := s.Play(one)
		<-pb.Done()
		if d := time.Since(began); d != 220*time.Millisecond {
			t.Errorf("ten frames took %v", d)
		}
		if one.closes() != 1 {
			t.Errorf("closed %d times", one.closes())
		}
		pb.Stop() // after the end
		equal(t, "sent", p.take(), 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 0)

		// A second clip replaces the first, which is closed.
		a, b := &clip{v: 1, n: 1000}, &clip{v: 2, n: 1000, err: errors.New("no")}
		pa := s.Play(a)
		<-time.After(50 * time.Millisecond)
		pb = s.Play(b)
		<-pa.Done()
		<-time.After(40 * time.Millisecond)
		pb.Stop()
		<-time.After(40 * time.Millisecond)
		if a.closes() != 1 || b.closes() != 1 {
			t.Errorf("closed %d and %d times", a.closes(), b.closes())
		}
		equal(t, "sent", p.take(), 1, 1, 2, 2, 0, 0)
		if st := s.Stats(); st.ClipFails != 1 {
			t.Errorf("%+v", st)
		}
		// Close ends what plays, and waits until it is closed.
		last := &clip{v: 3, n: 1000}
		pl := s.Play(last)
		<-time.After(30 * time.Millisecond)
		s.Close()
		<-pl.Done()
		if last.closes() != 1 {
			t.Error("the clip was not closed with the session")
		}
		<-s.Done()
		s.Close()
		after := &clip{n: 1000}
		<-s.Play(after).Done()
		if after.closes() != 1 {
			t.Error("a clip for a closed session was not closed")
		}
		stop()
	})
}

// TestPlayCloseOffTick closes a clip that takes its time: the clock goes on.
func TestPlayCloseOffTick(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, p := &clock{}, &port{keep: true}
		s := New(c, p)
		slow := &clip{v: 1, n: 2, slow: make(chan struct{})}
		pb := s.Play(slow)
		c.tick(10)
		synctest.Wait()
		select {
		case <-pb.Done():
			t.Error("done before the clip was closed")
		default:
		}
		if n := len(p.take()); n != 10 {
			t.Errorf("%d frames of 10", n)
		}
		close(slow.slow)
		<-pb.Done()
		s.Close()
	})
}

func TestTap(t *testing.T) {
	t.Parallel()
	c, p := &clock{}, &port{keep: true}
	s := newSession(t, c, p)
	in, in2, out := &ear{}, &ear{}, &ear{}
	remove := s.Tap(In, in)
	s.Tap(In, in2)
	s.Tap(Out, out)
	p.says(7)
	s.Play(&clip{v: 9, n: 2})
	c.tick(3)
	p.says(0)
	c.tick(1)
	equal(t, "in", in.take(), 7, 7, 7, 0)
	equal(t, "in again", in2.take(), 7, 7, 7, 0)
	equal(t, "out", out.take(), 9, 9, 0, 0)
	equal(t, "sent", p.take(), 9, 9, 0, 0)
	remove()
	remove()
	c.tick(1)
	equal(t, "after remove", in.take())
	equal(t, "the other", in2.take(), 0)
	if In.String() != "in" || Out.String() != "out" {
		t.Error("wrong names")
	}
}

func TestBridgeMixes(t *testing.T) {
	t.Parallel()
	c, pa, pb := &clock{}, &port{keep: true}, &port{keep: true}
	a, b := newSession(t, c, pa), newSession(t, c, pb)
	if err := Bridge(a, b); err != nil {
		t.Fatal(err)
	}
	pa.says(1000)
	pb.says(30000)
	c.tick(2)
	equal(t, "a hears", pa.take(), 30000, 30000)
	equal(t, "b hears", pb.take(), 1000, 1000)
	a.Play(&clip{v: 5000, n: 2})
	b.Play(&clip{v: -400, n: 1})
	c.tick(3)
	equal(t, "a hears", pa.take(), 32767, 32767, 30000)
	equal(t, "b hears", pb.take(), 600, 1000, 1000)
	if a.Relaying() || !a.Bridged() || !b.Bridged() {
		t.Error("wrong state")
	}
	b.Unbridge()
	b.Unbridge()
	c.tick(1)
	equal(t, "a hears alone", pa.take(), 0)
	if a.Bridged() || b.Bridged() {
		t.Error("still bridged")
	}
}

// TestBridgeSameTick checks that what one side said is heard by the other in
// the same tick, whichever is on the clock first.
func TestBridgeSameTick(t *testing.T) {
	t.Parallel()
	c, pa, pb := &clock{}, &port{keep: true}, &port{keep: true}
	a, b := newSession(t, c, pa), newSession(t, c, pb)
	if err := Bridge(b, a); err != nil {
		t.Fatal(err)
	}
	for i := 1; i < 5; i++ {
		pa.says(int16(i))
		pb.says(int16(-i))
		c.tick(1)
		equal(t, "a", pa.take(), -i)
		equal(t, "b", pb.take(), i)
	}
}

func TestBridgeErrors(t *testing.T) {
	t.Parallel()
	c := &clock{}
	a, b, x := newSession(t, c, &port{}), newSession(t, c, &port{}), newSession(t, c, &port{})
	other := newSession(t, &clock{}, &port{})
	if err := Bridge(a, a); !errors.Is(err, ErrSelf) {
		t.Errorf("itself: %v", err)
	}
	if err := Bridge(a, other); !errors.Is(err, ErrClocks) {
		t.Errorf("other clock: %v", err)
	}
	if err := Bridge(a, b); err != nil {
		t.Fatal(err)
	}
	if err := Bridge(a, x); err != nil { // moves a over
		t.Fatal(err)
	}
	if b.Bridged() || !a.Bridged() || !x.Bridged() {
		t.Error("the old bridge was kept")
	}
	x.Close()
	if a.Bridged() {
		t.Error("bridged with a closed session")
	}
	for range 2 {
		if err := Bridge(a, x); !errors.Is(err, ErrClosed) || a.Bridged() {
			t.Errorf("closed: %v, bridged %v", err, a.Bridged())
		}
	}
	if err := Bridge(x, a); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

func TestRelay(t *testing.T) {
	t.Parallel()
	c := &clock{}
	pa, pb := &relayPort{codec: "PCMU", port: port{keep: true}}, &relayPort{codec: "PCMU", port: port{keep: true}}
	a, b := newSession(t, c, pa), newSession(t, c, pb)
	if err := Bridge(a, b); err != nil {
		t.Fatal(err)
	}
	check := func(what string, want bool) {
		t.Helper()
		if a.Relaying() != want || b.Relaying() != want || pa.relays() != want || pb.relays() != want {
			t.Fatalf("%s: relaying %v %v, ports %v %v, want %v", what, a.Relaying(), b.Relaying(), pa.relays(), pb.relays(), want)
		}
	}
	check("at once", true)
	c.tick(10)
	equal(t, "written during the relay", pa.take())
	if st := a.Stats(); st.Relayed != 10 || st.Empty != 0 {
		t.Errorf("%+v", st)
	}

	pb.says(50)
	pb2 := a.Play(&clip{v: 100, n: 3})
	check("with a clip", false)
	c.tick(3)
	equal(t, "clip and other side", pa.take(), 150, 150, 150)
	c.tick(1)
	<-pb2.Done()
	c.tick(1)
	check("after the clip", true)

	remove := b.Tap(In, &ear{})
	check("with a tap", false)
	c.tick(20)
	check("with a tap, later", false)
	remove()
	c.tick(recheckTicks)
	check("without the tap", true)

	pb.negotiate("PCMA") // a re-INVITE
	c.tick(recheckTicks)
	check("with another codec", false)
	pa.take()
	c.tick(1)
	equal(t, "decoded", pa.take(), 50)
	pa.negotiate("PCMA")
	c.tick(recheckTicks)
	check("agreed again", true)

	pb.mu.Lock()
	pb.fails = true // one way only is not a relay
	pb.mu.Unlock()
	c.tick(recheckTicks)
	check("one way", false)
	pb.mu.Lock()
	pb.fails = false
	pb.mu.Unlock()
	c.tick(recheckTicks)
	check("both ways", true)
	a.Unbridge()
	check("unbridged", false)
	pa.take()
	c.tick(1)
	equal(t, "alone", pa.take(), 0)
	if st := a.Stats(); st.Switches != 10 {
		t.Errorf("%+v", st)
	}
}

func TestRelayNotPossible(t *testing.T) {
	t.Parallel()
	c := &clock{}
	a, b := newSession(t, c, &relayPort{codec: "PCMU"}), newSession(t, c, &port{})
	for _, pair := range [][2]*Session{{a, b}, {b, a}} {
		if err := Bridge(pair[0], pair[1]); err != nil {
			t.Fatal(err)
		}
		c.tick(20)
		if a.Relaying() || b.Relaying() {
			t.Error("relays to a port that cannot")
		}
	}
}

func TestNoAllocations(t *testing.T) {
	c, pa, pb := &clock{}, &relayPort{codec: "PCMU"}, &relayPort{codec: "PCMU"}
	a, b := newSession(t, c, pa), newSession(t, c, pb)
	if err := Bridge(a, b); err != nil {
		t.Fatal(err)
	}
	measure := func(what string) {
		t.Helper()
		if n := testing.AllocsPerRun(200, func() { c.tick(1) }); n != 0 {
			t.Errorf("%s: %v allocations per tick", what, n)
		}
	}
	measure("relayed")
	pa.says(3)
	pb.says(4)
	a.Tap(In, &silentEar{})
	b.Tap(Out, &silentEar{})
	a.Play(&clip{v: 1, n: 1 << 20})
	measure("decoded")
	pb.negotiate("PCMA")
	measure("decoded, of different codecs")
	tp := &tape{block: make(chan struct{})}
	r, err := Record(a, RecorderConfig{Channels: 2, MaxSilence: time.Hour}, tp)
	if err != nil {
		t.Fatal(err)
	}
	measure("recorded, with a disk that hangs")
	l := Listen(a, ListenerConfig{MaxSilence: time.Hour})
	defer l.Close()
	a.Mix(&clip{v: 1, n: 1 << 20})
	measure("listened to by somebody who does not take it, and mixed")
	close(tp.block)
	if err := r.Stop(); err != nil {
		t.Error(err)
	}
}

type silentEar struct{}

func (silentEar) WriteFrame(*media.Frame) {}

// TestConcurrent uses everything at once; the race detector looks on.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &clock{}
		var all []*Session
		for range 4 {
			all = append(all, New(c, &relayPort{codec: "PCMU"}))
		}
		stop := c.run()
		var wg sync.WaitGroup
		for i, s := range all {
			wg.Go(func() {
				for k := range 50 {
					pb := s.Play(&clip{v: k, n: k % 5})
					remove := s.Tap(Direction(k%2), &ear{})
					o := all[(i+1+k%3)%4]
					if err := Bridge(s, o); err != nil && !errors.Is(err, ErrBridged) {
						t.Error(err)
					}
					<-time.After(time.Duration(k%7) * 10 * time.Millisecond)
					pb.Stop()
					remove()
					s.Relaying()
					s.Stats()
					if k%3 == 0 {
						s.Unbridge()
					}
				}
			})
		}
		wg.Wait()
		for _, s := range all {
			wg.Go(s.Close)
		}
		wg.Wait()
		stop()
		for i, s := range all {
			if s.Bridged() || s.Relaying() {
				t.Errorf("session %d is still bridged", i)
			}
		}
	})
}

func BenchmarkTick(b *testing.B) {
	for _, mode := range []string{"idle", "relayed", "decoded", "recorded", "listened"} {
		b.Run(mode, func(b *testing.B) {
			c := &clock{}
			pa, pb := &relayPort{codec: "PCMU"}, &relayPort{codec: "PCMU"}
			x, y := newSession(b, c, pa), newSession(b, c, pb)
			pa.says(1)
			pb.says(2)
			var l *Listener
			var h Heard
			if mode != "idle" {
				if err := Bridge(x, y); err != nil {
					b.Fatal(err)
				}
			}
			switch mode {
			case "decoded":
				pb.negotiate("PCMA")
				c.tick(recheckTicks)
			case "recorded":
				r, err := Record(x, RecorderConfig{Channels: 2}, &void{})
				if err != nil {
					b.Fatal(err)
				}
				defer func() { _ = r.Stop() }()
			case "listened":
				l = Listen(x, ListenerConfig{})
				defer l.Close()
			}
			b.ReportAllocs()
			for b.Loop() {
				c.tick(1)
				if l != nil && !l.Take(&h) {
					b.Fatal("a tick was not heard")
				}
			}
		})
	}
}

// void is a Writer that keeps nothing.
type void struct{}

func (void) WriteSamples([]int16) error { return nil }
func (void) Close() error               { return nil }
