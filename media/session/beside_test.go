package session

import (
	"testing"

	"callbox/media"
)

// relayed makes two bridged sessions that relay.
func relayed(t *testing.T) (c *clock, pa, pb *relayPort, a, b *Session) {
	t.Helper()
	c = &clock{}
	pa, pb = &relayPort{codec: "PCMU", port: port{keep: true}}, &relayPort{codec: "PCMU", port: port{keep: true}}
	a, b = newSession(t, c, pa), newSession(t, c, pb)
	if err := Bridge(a, b); err != nil {
		t.Fatal(err)
	}
	if !a.Relaying() {
		t.Fatal("no relay to begin with")
	}
	return c, pa, pb, a, b
}

// TestBeside: clips play beside the main one and the other side, each at its own
// level, for one side only; the bridge relays again when all have ended.
func TestBeside(t *testing.T) {
	t.Parallel()
	c, pa, pb, a, _ := relayed(t)
	pb.says(100)
	first, second := &clip{v: 2000, n: 3}, &clip{v: 4000, n: 2}
	p, ok := a.Beside(first, unity)
	q, ok2 := a.Beside(second, unity/2)
	if !ok || !ok2 || a.Relaying() {
		t.Fatal("not on the decoded path")
	}
	main := a.Play(&clip{v: 10, n: 1})
	c.tick(4)
	equal(t, "a hears", pa.take(), 2000+2000+10+100, 2000+2000+100, 2000+100, 100)
	equal(t, "b hears", pb.take(), 0, 0, 0, 0)
	for _, x := range []*Playback{p, q, main} {
		<-x.Done()
	}
	c.tick(recheckTicks)
	if !a.Relaying() {
		t.Error("the bridge does not relay again")
	}
}

func TestBesideStops(t *testing.T) {
	t.Parallel()
	c, pa := &clock{}, &port{keep: true}
	s := newSession(t, c, pa)
	endless := &clip{v: 7, n: 1 << 20}
	p, _ := s.Beside(endless, unity)
	c.tick(1)
	p.Stop()
	c.tick(1)
	equal(t, "heard", pa.take(), 7, 0)
	for range MaxBeside {
		if _, ok := s.Beside(&clip{v: 1, n: 1 << 20}, unity); !ok {
			t.Fatal("refused within the bound")
		}
	}
	if _, ok := s.Beside(&clip{v: 1, n: 1}, unity); ok {
		t.Error("accepted beyond the bound")
	}
	s.Close() // ends and waits for all
	late := &clip{v: 1, n: 1}
	if p, ok := s.Beside(late, unity); !ok {
		t.Error("a closed session takes a clip and closes it")
	} else {
		<-p.Done()
	}
}

// TestMuted: what a muted far end says is silence to all, and what it hears stays.
func TestMuted(t *testing.T) {
	t.Parallel()
	c, pa, pb, a, b := relayed(t)
	pa.says(300)
	pb.says(50)
	tap := &listener{}
	remove := b.Tap(Out, tap)
	a.SetMuted(true)
	c.tick(2)
	equal(t, "b hears", pb.take(), 0, 0)
	equal(t, "a hears", pa.take(), 50, 50)
	a.SetMuted(false)
	c.tick(1)
	equal(t, "b hears", pb.take(), 300)
	equal(t, "the tap on b hears", tap.take(), 0, 0, 300)
	remove()
	a.SetMuted(true)
	if a.Relaying() {
		t.Error("a muted party is relayed")
	}
	a.SetMuted(false)
	if c.tick(recheckTicks); !a.Relaying() {
		t.Error("the bridge does not relay again")
	}
	seat := &port{keep: true}
	if err := a.Enter(seat); err != nil {
		t.Fatal(err)
	}
	a.SetMuted(true)
	c.tick(1)
	equal(t, "the room hears", seat.take(), 0)
}

// TestLoudness: what a party hears is made louder and softer, within full scale.
func TestLoudness(t *testing.T) {
	t.Parallel()
	c, pa, pb, a, _ := relayed(t)
	pb.says(1000)
	a.SetLoudness(unity / 2)
	c.tick(1)
	a.SetLoudness(2 * unity)
	if _, ok := a.Beside(&clip{v: 5, n: 1}, unity); !ok { // as it is
		t.Fatal("refused")
	}
	c.tick(1)
	a.SetLoudness(1 << 20)
	pb.says(30000)
	c.tick(1)
	equal(t, "a hears", pa.take(), 500, 2005, 32767)
	a.SetLoudness(unity)
	if c.tick(recheckTicks); !a.Relaying() {
		t.Error("the bridge does not relay again")
	}
}

// listener is a tap that keeps the first sample of each frame.
type listener struct{ heard []int }

func (l *listener) WriteFrame(f *media.Frame) { l.heard = append(l.heard, int(f[80])) }

func (l *listener) take() []int { return l.heard }

func TestBesideNoAllocations(t *testing.T) {
	c, pa := &clock{}, &port{}
	s := newSession(t, c, pa)
	pa.says(500)
	for range MaxBeside {
		s.Beside(&clip{v: 1, n: 1 << 30}, unity/2)
	}
	s.SetLoudness(unity / 2)
	s.SetMuted(true)
	if n := testing.AllocsPerRun(200, func() { c.tick(1) }); n != 0 {
		t.Errorf("%g allocations per tick", n)
	}
}
