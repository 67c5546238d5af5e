package bus

import (
	"errors"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"callbox/hal"
)

// fakeStream is one direction of a stereo card that moves a block every 20 ms.
type fakeStream struct {
	mu     sync.Mutex // guards all below
	next   int16      // captured: left counts up, right counts down
	played []int16
	fail   error // given once by Wait
	dead   error // given always by Wait
	stall  bool
	short  bool // moves half blocks
	did    []string
	delay  int // between us and the wire; negative: unknown
}

func (s *fakeStream) Delay() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.delay < 0 {
		return 0, syscall.EPIPE
	}
	return s.delay, nil
}

func (s *fakeStream) Wait(timeoutMs int) (bool, error) {
	s.mu.Lock()
	fail, dead, stall := s.fail, s.dead, s.stall
	s.fail = nil
	s.mu.Unlock()
	if stall {
		<-time.After(time.Duration(timeoutMs) * time.Millisecond)
		return false, nil
	}
	if dead != nil {
		return false, dead
	}
	if fail != nil {
		return false, fail
	}
	d := 20 * time.Millisecond
	if s.short {
		d /= 2
	}
	<-time.After(d)
	return true, nil
}

func (s *fakeStream) Read(data any) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := data.([]int16)
	if s.short {
		b = b[:len(b)/2]
	}
	for i := 0; i < len(b); i += 2 {
		s.next++
		b[i], b[i+1] = s.next, -s.next
	}
	if s.short {
		return len(b) / 2, syscall.EAGAIN
	}
	return len(b) / 2, nil
}

func (s *fakeStream) Write(data any) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := data.([]int16)
	if s.short && len(b) > 160 {
		b = b[:160]
		s.played = append(s.played, b...)
		return len(b) / 2, syscall.EAGAIN
	}
	s.played = append(s.played, b...)
	return len(b) / 2, nil
}

func (s *fakeStream) note(what string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.did = append(s.did, what)
	return nil
}
func (s *fakeStream) Prepare() error { return s.note("prepare") }
func (s *fakeStream) Start() error   { return s.note("start") }
func (s *fakeStream) Close() error   { return s.note("close") }

func (s *fakeStream) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// stereo runs f with a card on fake streams in a bubble.
func stereo(t *testing.T, f func(t *testing.T, c *Card, in, out *fakeStream)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in, out := &fakeStream{}, &fakeStream{}
		c, err := openCard("test", 2, nil, func() (stream, stream, error) { return in, out, nil })
		if err != nil {
			t.Fatal(err)
		}
		f(t, c, in, out)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		_ = c.Close()
		if !slices.Contains(in.did, "close") || !slices.Contains(out.did, "close") {
			t.Error("the streams were not closed")
		}
		if _, err := c.Channels()[0].Read(make([]int16, 160)); !errors.Is(err, hal.ErrClosed) {
			t.Errorf("Read after Close = %v", err)
		}
	})
}

func TestCaptureIsCutIntoChannels(t *testing.T) {
	for name, short := range map[string]bool{"whole blocks": false, "half blocks": true} {
		t.Run(name, func(t *testing.T) {
			stereo(t, func(t *testing.T, c *Card, in, _ *fakeStream) {
				in.set(func() { in.short = short })
				var wg sync.WaitGroup
				for i, ch := range c.Channels() {
					wg.Go(func() {
						b := make([]int16, 100) // not the card's block
						want := int16(0)
						for range 80 {
							if n, err := ch.Read(b); n != 100 || err != nil {
								t.Errorf("Read = %d, %v", n, err)
								return
							}
							for _, v := range b {
								if i == 1 {
									v = -v
								}
								if want++; v != want {
									t.Errorf("channel %d: sample %d, want %d", i, v, want)
									return
								}
							}
						}
					})
				}
				wg.Wait()
				if s := c.Channels()[0].Stats(); s.Read != 8000 || s.Overruns != 0 {
					t.Errorf("stats %+v", s)
				}
			})
		})
	}
}

func TestPlaybackIsWovenFromChannels(t *testing.T) {
	for name, short := range map[string]bool{"whole blocks": false, "half blocks": true} {
		t.Run(name, func(t *testing.T) {
			stereo(t, func(t *testing.T, c *Card, _, out *fakeStream) {
				out.set(func() { out.short = short })
				b := make([]int16, 400)
				for i := range b {
					b[i] = int16(i + 1)
				}
				start := time.Now()
				for range 4 {
					if n, err := c.Channels()[1].Write(b); n != 400 || err != nil {
						t.Fatalf("Write = %d, %v", n, err)
					}
				}
				if d := time.Since(start); d < 100*time.Millisecond || d > 200*time.Millisecond {
					t.Errorf("writing 200 ms took %v, want 60 ms less", d)
				}
				<-time.After(500 * time.Millisecond)
				var right []int16
				out.set(func() {
					for i := 0; i < len(out.played); i += 2 {
						if out.played[i] != 0 {
							t.Error("the left channel is not silent")
							return
						}
						if v := out.played[i+1]; v != 0 {
							right = append(right, v)
						}
					}
				})
				if want := slices.Concat(b, b, b, b); !slices.Equal(right, want) {
					t.Errorf("played %d samples on the right, want %d", len(right), len(want))
				}
				if s := c.Channels()[1].Stats(); s.Underruns == 0 || s.Underruns > 14 {
					t.Errorf("%d underruns after the end; a channel at rest has none", s.Underruns)
				}
			})
		})
	}
}

func TestOverrunIsCountedAndARestIsNot(t *testing.T) {
	stereo(t, func(t *testing.T, c *Card, _, _ *fakeStream) {
		ch, b := c.Channels()[0], make([]int16, 160)
		<-time.After(2 * time.Second)
		if s := ch.Stats(); s.Overruns != 0 {
			t.Errorf("stats before the first read: %+v", s)
		}
		if _, err := ch.Read(b); err != nil {
			t.Fatal(err)
		}
		<-time.After(230 * time.Millisecond)
		s := ch.Stats()
		if s.Overruns == 0 || s.Lost != s.Overruns*period {
			t.Errorf("stats after 230 ms without reading: %+v", s)
		}
		<-time.After(2 * time.Second)
		if g := ch.Stats(); g.Overruns > s.Overruns+2 {
			t.Errorf("a channel at rest counts overruns: %+v", g)
		}
	})
}

func TestXrunIsRepaired(t *testing.T) {
	stereo(t, func(t *testing.T, c *Card, in, out *fakeStream) {
		ch, b := c.Channels()[0], make([]int16, 160)
		for _, err := range []error{syscall.EPIPE, syscall.ESTRPIPE} {
			in.set(func() { in.fail = err })
			out.set(func() { out.fail = err })
			for range 5 {
				if _, err := ch.Read(b); err != nil {
					t.Fatal(err)
				}
			}
		}
		if s := ch.Stats(); s.Recovered != 4 {
			t.Errorf("stats %+v, want 4 repairs", s)
		}
		in.set(func() {
			if want := []string{"start", "prepare", "start", "prepare", "start"}; !slices.Equal(in.did, want) {
				t.Errorf("capture did %q", in.did)
			}
		})
	})
}

func TestUnpluggedCardComesBack(t *testing.T) {
	stereo(t, func(t *testing.T, c *Card, in, out *fakeStream) {
		ch, b := c.Channels()[0], make([]int16, 160)
		in.set(func() { in.dead = syscall.ENODEV })
		var err error
		for range 10 {
			if _, err = ch.Read(b); err != nil {
				break
			}
		}
		if !errors.Is(err, hal.ErrGone) {
			t.Errorf("Read = %v, want ErrGone", err)
		}
		if _, err := ch.Write(b); !errors.Is(err, hal.ErrGone) {
			t.Errorf("Write = %v, want ErrGone", err)
		}
		in.set(func() { in.dead = nil })
		<-time.After(6 * time.Second)
		if _, err := ch.Read(b); err != nil {
			t.Errorf("Read after 6 s: %v", err)
		}
	})
}

func TestStalledCardIsReopened(t *testing.T) {
	stereo(t, func(t *testing.T, c *Card, in, out *fakeStream) {
		ch, b := c.Channels()[0], make([]int16, 160)
		out.set(func() { out.stall = true })
		start := time.Now()
		for {
			if _, err := ch.Read(b); err != nil {
				break
			}
			if time.Since(start) > 5*time.Second {
				t.Fatal("a playback that stands still is not noticed")
			}
		}
		out.set(func() { out.stall = false })
		<-time.After(6 * time.Second)
		if _, err := ch.Read(b); err != nil {
			t.Errorf("Read after 6 s: %v", err)
		}
	})
}

func TestCloseEndsBlockedIO(t *testing.T) {
	stereo(t, func(t *testing.T, c *Card, _, _ *fakeStream) {
		ch := c.Channels()[0]
		errs := make(chan error, 2)
		go func() { _, err := ch.Read(make([]int16, 8000)); errs <- err }()
		go func() { _, err := ch.Write(make([]int16, 8000)); errs <- err }()
		synctest.Wait()
		_ = ch.Close()
		for range 2 {
			if err := <-errs; !errors.Is(err, hal.ErrClosed) {
				t.Errorf("error %v", err)
			}
		}
	})
}

func TestOpenCardRefuses(t *testing.T) {
	if _, err := OpenCard(CardConfig{IDs: []string{"x"}, Channels: 3}); err == nil {
		t.Error("3 channels")
	}
	if _, err := OpenCard(CardConfig{IDs: []string{"NoSuchCard"}, Channels: 2}); !errors.Is(err, ErrNoCard) {
		t.Errorf("OpenCard = %v, want ErrNoCard", err)
	}
	broken := errors.New("broken")
	if _, err := openCard("x", 2, nil, func() (stream, stream, error) { return nil, nil, broken }); !errors.Is(err, broken) {
		t.Errorf("openCard = %v", err)
	}
}

func TestChannelDoesNotAllocate(t *testing.T) {
	// In a bubble no time passes: a machine that stalls would bring the channel to rest,
	// and what was captured then counts no more.
	synctest.Test(t, func(t *testing.T) {
		ch := newChannel()
		ch.read = time.Now() // not at rest
		block, b := make([]int16, 2*period), make([]int16, period)
		if n := testing.AllocsPerRun(100, func() {
			ch.captured(block, 1, 2)
			_, _ = ch.Read(b)
			_, _ = ch.Write(b)
			ch.play(block, 1, 2)
		}); n != 0 {
			t.Errorf("%v allocations per block", n)
		}
	})
}

// The samples that pass the wire at the same time are found by the delays of
// both streams.
func TestOffset(t *testing.T) {
	stereo(t, func(t *testing.T, c *Card, in, out *fakeStream) {
		in.set(func() { in.delay = 40 })
		out.set(func() { out.delay = 480 })
		ch := c.Channels()[0]
		if _, ok := ch.Offset(); ok {
			t.Error("a channel that has not begun has an offset")
		}
		block := make([]int16, 160)
		for range 10 {
			_, err := ch.Write(block)
			if err != nil {
				t.Fatal(err)
			}
			_, err = ch.Read(block)
			if err != nil {
				t.Fatal(err)
			}
		}
		// At the last read 1,600 samples were captured and 40 more were in the card.
		// Of the samples written those in the card, 480, and those that the channel
		// holds had not been played.
		o, ok := ch.Offset()
		ch.mu.Lock()
		want := int64(1600+40) - (1600 - int64(len(ch.out)) - 480)
		ch.mu.Unlock()
		if !ok || o < want-160 || o > want+160 {
			t.Errorf("offset %d, %v; want %d to within a block", o, ok, want)
		}
		for range 20 { // nothing is lost: it stays
			_, err := ch.Write(block)
			if err != nil {
				t.Fatal(err)
			}
			_, err = ch.Read(block)
			if err != nil {
				t.Fatal(err)
			}
			if again, ok := ch.Offset(); !ok || again != o {
				t.Fatalf("offset %d, %v; it was %d", again, ok, o)
			}
		}
		in.set(func() { in.delay = -1 })
		<-time.After(time.Second)
		if _, ok := ch.Offset(); ok {
			t.Error("a stream that cannot tell its delay has an offset")
		}
	})
}
