package session

import (
	"testing"
	"testing/synctest"
	"time"

	"callbox/media"
)

// taken is all that waits in l: the middle samples of what was heard in and out.
func taken(l *Listener) (in, out []int) {
	var h Heard
	for l.Take(&h) {
		in, out = append(in, int(h.In[80])), append(out, int(h.Out[80]))
	}
	return in, out
}

func TestListenTracks(t *testing.T) {
	t.Parallel()
	for _, k := range []struct {
		track   Track
		in, out int
	}{{Both, 100, 7}, {Inbound, 100, 0}, {Outbound, 0, 7}} {
		c, s, _ := speaking(t)
		l := Listen(s, ListenerConfig{Track: k.track})
		c.tick(2)
		in, out := taken(l)
		equal(t, "in", in, k.in, k.in)
		equal(t, "out", out, k.out, k.out)
		l.Close()
		c.tick(2)
		if in, _ := taken(l); in != nil {
			t.Errorf("heard after the end: %v", in)
		}
		s.Close()
	}
}

// TestListenLate: whoever takes too late loses the oldest sound, knows how much,
// and when the rest was.
func TestListenLate(t *testing.T) {
	t.Parallel()
	c, s, p := speaking(t)
	defer s.Close()
	l := Listen(s, ListenerConfig{Buffer: 200 * time.Millisecond})
	defer l.Close()
	for i := range 13 {
		p.says(int16(1000 + i))
		c.tick(1)
	}
	if l.Lost() != 3 {
		t.Errorf("%d frames lost", l.Lost())
	}
	var h Heard
	for i := range 10 {
		if !l.Take(&h) || h.In[0] != int16(1003+i) || h.At != time.Duration(3+i)*media.FrameDuration {
			t.Fatalf("frame %d: %d at %v", i, h.In[0], h.At)
		}
	}
	if l.Take(&h) {
		t.Error("an eleventh frame")
	}
}

// TestListenStuck: an application that takes nothing costs the call nothing. The far
// leg gets each frame in the tick in which it was said, and no tick allocates.
func TestListenStuck(t *testing.T) {
	const ticks = 500
	c, pa, pb := &clock{}, &port{}, &port{keep: true}
	a, b := newSession(t, c, pa), newSession(t, c, pb)
	if err := Bridge(a, b); err != nil {
		t.Fatal(err)
	}
	l := Listen(a, ListenerConfig{})
	defer l.Close()
	pb.sent = make([]media.Frame, 0, ticks+1)
	n := 0
	// The first run is not counted and fills the listener. The mean is rounded down,
	// so that a run is many ticks.
	const perRun = 100
	allocations := testing.AllocsPerRun(ticks/perRun-1, func() {
		for range perRun {
			n++
			pa.says(int16(n))
			c.tick(1)
			if len(pb.sent) != n || pb.sent[n-1][80] != int16(n) {
				t.Fatalf("tick %d: %d frames arrived, or not what was said", n, len(pb.sent))
			}
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations in %d ticks", allocations, perRun)
	}
	got := pb.take()
	if len(got) != ticks {
		t.Fatalf("%d frames of %d arrived", len(got), ticks)
	}
	for i, v := range got {
		if v != i+1 {
			t.Fatalf("frame %d is number %d", i+1, v)
		}
	}
	// What the application has lost, and only it, is counted.
	waits := int(defaultWait / media.FrameDuration)
	if l.Lost() != uint64(ticks-waits) {
		t.Errorf("the application lost %d frames, not %d", l.Lost(), ticks-waits)
	}
	if in, _ := taken(l); len(in) != waits || in[0] != ticks-waits+1 || in[waits-1] != ticks {
		t.Errorf("%d frames wait for it", len(in))
	}
}

// TestListenSilent: a far end that falls silent is noticed, whatever it is told
// meanwhile.
func TestListenSilent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s, p := speaking(t)
		p.says(9000)
		l := Listen(s, ListenerConfig{Track: Outbound, MaxSilence: time.Second})
		stop := c.run()
		tick := time.NewTimer(3 * time.Second)
		select {
		case <-l.Silent():
			t.Error("silent while somebody spoke")
		case <-tick.C:
		}
		p.says(0)
		began := time.Now()
		<-l.Silent()
		if d := time.Since(began); d < 980*time.Millisecond || d > 1100*time.Millisecond {
			t.Errorf("silent after %v", d)
		}
		stop()
		l.Close()
		s.Close()
	})
}

// TestMix: a source is heard beside clip and peer, keeps a bridge off the relay,
// and gives it back.
func TestMix(t *testing.T) {
	t.Parallel()
	c := &clock{}
	pa, pb := &relayPort{codec: "PCMU", port: port{keep: true}}, &relayPort{codec: "PCMU", port: port{keep: true}}
	a, b := newSession(t, c, pa), newSession(t, c, pb)
	if err := Bridge(a, b); err != nil {
		t.Fatal(err)
	}
	if !a.Relaying() {
		t.Fatal("not relayed")
	}
	pb.says(300)
	src := &clip{v: 20, n: 3}
	remove := a.Mix(src)
	if a.Relaying() {
		t.Error("relayed while something is mixed in")
	}
	a.Play(&clip{v: 5000, n: 1})
	c.tick(4)
	equal(t, "a hears", pa.take(), 5320, 320, 320, 300)
	remove()
	remove()
	c.tick(recheckTicks + 1)
	if !a.Relaying() {
		t.Error("not back on the relay")
	}
	l := Listen(a, ListenerConfig{})
	if a.Relaying() {
		t.Error("relayed while somebody listens")
	}
	c.tick(1)
	if in, out := taken(l); len(in) != 1 || out[0] != 300 {
		t.Errorf("heard %v %v", in, out)
	}
	l.Close()
	c.tick(recheckTicks + 1)
	if !a.Relaying() {
		t.Error("not back on the relay")
	}
}

// TestRecordSilentPause: a pause of silence is as long as the time that passed,
// and does not end the recording as the far end's silence would.
func TestRecordSilentPause(t *testing.T) {
	t.Parallel()
	c, s, p := speaking(t)
	defer s.Close()
	w := &tape{}
	r, err := Record(s, RecorderConfig{Channels: 2, MaxSilence: 100 * time.Millisecond}, w)
	if err != nil {
		t.Fatal(err)
	}
	p.says(9000)
	c.tick(4)
	r.Pause(true)
	c.tick(20)
	r.Resume()
	c.tick(4)
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	got := w.all()
	if len(got) != 28*320 || r.Stats().Duration != 560*time.Millisecond || r.Stats().Reason != Stopped {
		t.Fatalf("%d samples, %+v", len(got), r.Stats())
	}
	for i := range 28 {
		in, out := got[i*320], got[i*320+1]
		if paused := i >= 4 && i < 24; paused != (in == 0 && out == 0) {
			t.Errorf("frame %d: %d %d", i, in, out)
		}
	}
}
