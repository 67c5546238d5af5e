package session

import (
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"callbox/media"
)

// speaking is a session whose far end says 100 and hears 7.
func speaking(t *testing.T) (*clock, *Session, *port) {
	t.Helper()
	c, p := &clock{}, &port{}
	s := New(c, p)
	p.says(100)
	s.Play(&clip{v: 7, n: 1 << 30})
	return c, s, p
}

func TestRecordTracks(t *testing.T) {
	t.Parallel()
	for _, k := range []struct {
		cfg  RecorderConfig
		want []int16 // of one sample in time
	}{
		{RecorderConfig{}, []int16{107}},
		{RecorderConfig{Track: Inbound}, []int16{100}},
		{RecorderConfig{Track: Outbound}, []int16{7}},
		{RecorderConfig{Channels: 2}, []int16{100, 7}},
		{RecorderConfig{Channels: 2, Track: Inbound}, []int16{100, 0}},
		{RecorderConfig{Channels: 2, Track: Outbound}, []int16{0, 7}},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, s, _ := speaking(t)
			w := &tape{}
			r, err := Record(s, k.cfg, w)
			if err != nil {
				t.Fatal(err)
			}
			c.tick(30)
			if err := r.Stop(); err != nil {
				t.Fatal(err)
			}
			got := w.all()
			if len(got) != 30*160*len(k.want) || w.closed != 1 {
				t.Fatalf("%+v: %d samples, closed %d times", k.cfg, len(got), w.closed)
			}
			for i, v := range got {
				if v != k.want[i%len(k.want)] {
					t.Fatalf("%+v: sample %d is %d", k.cfg, i, v)
				}
			}
			if st := r.Stats(); st.Duration != 600*time.Millisecond || st.Reason != Stopped || st.Dropped != 0 {
				t.Errorf("%+v", st)
			}
			if err := r.Stop(); err != nil {
				t.Error(err)
			}
			c.tick(5)
			if len(w.all()) != len(got) {
				t.Error("recorded after the end")
			}
			s.Close()
		})
	}
}

func TestRecordPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s, p := speaking(t)
		w := &tape{}
		r, err := Record(s, RecorderConfig{Track: Inbound}, w)
		if err != nil {
			t.Fatal(err)
		}
		c.tick(10)
		r.Pause(false)
		p.says(200)
		c.tick(10)
		r.Resume()
		p.says(300)
		c.tick(10)
		if err := r.Stop(); err != nil {
			t.Fatal(err)
		}
		got := w.all()
		if len(got) != 20*160 || got[1599] != 100 || got[1600] != 300 {
			t.Errorf("%d samples", len(got))
		}
		s.Close()
	})
}

func TestRecordMaxLength(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s, _ := speaking(t)
		w := &tape{}
		r, err := Record(s, RecorderConfig{Channels: 2, MaxLength: 1005 * time.Millisecond}, w)
		if err != nil {
			t.Fatal(err)
		}
		stop := c.run()
		began := time.Now()
		<-r.Done()
		if d := time.Since(began); d < time.Second || d > 1100*time.Millisecond {
			t.Errorf("ended after %v", d)
		}
		if n := len(w.all()); n != 2*8040 {
			t.Errorf("%d samples, want to the sample 8040 on each channel", n)
		}
		if st := r.Stats(); st.Reason != LengthEnd || st.Duration != 1005*time.Millisecond {
			t.Errorf("%+v", st)
		}
		stop()
		s.Close()
	})
}

// TestRecordMaxSilence ends 2 s after the far end fell silent: on a silent line,
// on a noisy one, and not while there is speech with pauses.
func TestRecordMaxSilence(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for name, amp := range map[string]int{"quiet line": 3, "noisy line": 600} {
		synctest.Test(t, func(t *testing.T) {
			c := &clock{}
			p := &speaker{noise: amp, rand: r}
			s := New(c, p)
			s.Play(&clip{v: 9000, n: 1 << 30}) // what we say is not their silence
			w := &tape{}
			rec, err := Record(s, RecorderConfig{MaxSilence: 2 * time.Second}, w)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 1000 { // 20 s: 1 s of speech, 1 s of pause
				p.loud = i%100 < 50
				c.tick(1)
			}
			synctest.Wait()
			if st := rec.Stats(); st.Reason != Running {
				t.Fatalf("%s: ended in a pause: %+v", name, st)
			}
			p.loud = false
			c.tick(50 + 10)
			<-rec.Done()
			if st := rec.Stats(); st.Reason != SilenceEnd || st.Duration != 21*time.Second {
				t.Errorf("%s: %+v", name, st)
			}
			s.Close()
		})
	}
}

// speaker is a port whose far end speaks or leaves the line's noise to be heard.
type speaker struct {
	port
	noise int
	loud  bool
	rand  *rand.Rand
}

func (p *speaker) ReadFrame(f *media.Frame) bool {
	amp := p.noise
	if p.loud {
		amp = 8000
	}
	for i := range f {
		f[i] = int16(p.rand.IntN(2*amp+1) - amp)
	}
	return true
}

func TestRecordCallEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s, _ := speaking(t)
		w := &tape{}
		r, err := Record(s, RecorderConfig{}, w)
		if err != nil {
			t.Fatal(err)
		}
		c.tick(7)
		s.Close()
		<-r.Done()
		if st := r.Stats(); st.Reason != CallEnded || len(w.all()) != 7*160 {
			t.Errorf("%+v, %d samples", st, len(w.all()))
		}
		late := &tape{}
		r, err = Record(s, RecorderConfig{}, late)
		if err != nil {
			t.Fatal(err)
		}
		<-r.Done()
		if late.closed != 1 || len(late.all()) != 0 {
			t.Error("recording a closed session")
		}
	})
}

// TestRecordSlowDisk hangs the disk for longer than the buffer: the clock goes
// on, what is lost is counted, and the rest lies at its right time.
func TestRecordSlowDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s, p := speaking(t)
		w := &tape{block: make(chan struct{})}
		r, err := Record(s, RecorderConfig{Track: Inbound, Buffer: time.Second}, w)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 200 {
			p.says(int16(i + 1))
			c.tick(1)
			synctest.Wait() // the goroutine takes what it can and hangs
		}
		close(w.block)
		synctest.Wait()
		for i := range 50 {
			p.says(int16(i + 201))
			c.tick(1)
			synctest.Wait()
		}
		if err := r.Stop(); err != nil {
			t.Fatal(err)
		}
		got := w.all()
		st := r.Stats()
		if len(got) != 250*160 || st.Dropped == 0 || st.Duration != 5*time.Second {
			t.Fatalf("%d samples, %+v", len(got), st)
		}
		silent := 0
		for i := range 250 {
			switch got[i*160] {
			case 0:
				silent++
			case int16(i + 1):
			default:
				t.Fatalf("frame %d holds %d", i, got[i*160])
			}
		}
		if uint64(silent) != st.Dropped {
			t.Errorf("%d silent frames, %d dropped", silent, st.Dropped)
		}
		s.Close()
	})
}

func TestRecordLosesTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s, _ := speaking(t)
		w := &tape{block: make(chan struct{})}
		r, err := Record(s, RecorderConfig{Buffer: 200 * time.Millisecond}, w)
		if err != nil {
			t.Fatal(err)
		}
		c.tick(100)
		go func() {
			<-time.After(time.Second)
			close(w.block)
		}()
		if err := r.Stop(); err != nil {
			t.Fatal(err)
		}
		if len(w.all()) != 100*160 {
			t.Errorf("%d samples", len(w.all()))
		}
		s.Close()
	})
}

func TestRecordWriteError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s, _ := speaking(t)
		full := errors.New("disk full")
		w := &tape{fail: full}
		r, err := Record(s, RecorderConfig{}, w)
		if err != nil {
			t.Fatal(err)
		}
		c.tick(30)
		<-r.Done()
		if err := r.Stop(); !errors.Is(err, full) {
			t.Errorf("%v", err)
		}
		if st := r.Stats(); st.Reason != WriteError || w.closed != 1 || w.writes != 1 {
			t.Errorf("%+v, closed %d times, %d writes", st, w.closed, w.writes)
		}
		c.tick(300) // no more of it
		s.Close()
	})
}

// TestRecordWritesRarely checks that the disk sees a write per half second.
func TestRecordWritesRarely(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s, _ := speaking(t)
		w := &tape{}
		r, err := Record(s, RecorderConfig{}, w)
		if err != nil {
			t.Fatal(err)
		}
		stop := c.run()
		<-time.After(10 * time.Second)
		stop()
		if err := r.Stop(); err != nil {
			t.Fatal(err)
		}
		if w.writes > 25 {
			t.Errorf("%d writes in 10 s", w.writes)
		}
		s.Close()
	})
}

func TestRecorderConfig(t *testing.T) {
	t.Parallel()
	s := newSession(t, &clock{}, &port{})
	for name, cfg := range map[string]RecorderConfig{
		"track": {Track: 9}, "channels": {Channels: 3}, "length": {MaxLength: -1}, "silence": {MaxSilence: -1},
		"level": {SilenceLevel: 1}, "small buffer": {Buffer: time.Millisecond}, "big buffer": {Buffer: time.Hour},
	} {
		w := &tape{}
		if _, err := Record(s, cfg, w); err == nil || w.closed != 1 {
			t.Errorf("%s: %v, closed %d times", name, err, w.closed)
		}
	}
	for r := Running; r <= WriteError; r++ {
		if r.String() == "" || r.String() == "unknown" {
			t.Errorf("reason %d has no name", r)
		}
	}
	if EndReason(99).String() != "unknown" {
		t.Error("a reason from nowhere")
	}
}
