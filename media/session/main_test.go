package session

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"callbox/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a media clock by hand, or by the time of a synctest bubble.
type clock struct {
	mu      sync.Mutex
	tickers []media.Ticker
	busy    sync.Mutex // held during a tick
}

func (c *clock) Add(t media.Ticker) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tickers = append(c.tickers, t)
}

func (c *clock) Remove(t media.Ticker) {
	c.mu.Lock()
	c.tickers = slices.DeleteFunc(slices.Clone(c.tickers), func(o media.Ticker) bool { return o == t })
	c.mu.Unlock()
	c.busy.Lock() // wait for the tick that may be calling t
	defer c.busy.Unlock()
}

// tick does n ticks, both phases each.
func (c *clock) tick(n int) {
	for range n {
		c.busy.Lock()
		c.mu.Lock()
		list := c.tickers
		c.mu.Unlock()
		for _, t := range list {
			t.Collect()
		}
		for _, t := range list {
			t.Deliver()
		}
		c.busy.Unlock()
	}
}

// run ticks every 20 ms until stop is called, which waits for the last tick.
func (c *clock) run() (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		t := time.NewTicker(media.FrameDuration)
		defer t.Stop()
		for {
			select {
			case <-quit:
				return
			case <-t.C:
				c.tick(1)
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}

// port is a leg without a network.
type port struct {
	mu    sync.Mutex
	next  int16 // value of the samples of the next frame; 0: nothing is heard
	sent  []media.Frame
	keep  bool // keep what is sent
	count int
}

func (p *port) ReadFrame(f *media.Frame) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next == 0 {
		return false
	}
	fill(f, p.next)
	return true
}

func (p *port) WriteFrame(f *media.Frame) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	if p.keep {
		p.sent = append(p.sent, *f)
	}
}

// says sets what is heard from now on.
func (p *port) says(v int16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = v
}

// take gives the first sample of each frame sent since the last call.
func (p *port) take() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	var v []int
	for i := range p.sent {
		v = append(v, int(p.sent[i][80]))
	}
	p.sent = nil
	return v
}

// relayPort is a port that can relay.
type relayPort struct {
	port
	codec string
	to    media.Port
	fails bool
}

func (p *relayPort) RelayTo(peer media.Port) bool {
	o, ok := peer.(*relayPort)
	if !ok {
		return false
	}
	o.mu.Lock()
	theirs := o.codec
	o.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if theirs != p.codec || p.fails {
		return false
	}
	p.to = peer
	return true
}

func (p *relayPort) StopRelay() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to = nil
}

func (p *relayPort) relays() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.to != nil
}

func (p *relayPort) negotiate(codec string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.codec = codec
}

// clip plays v for n frames.
type clip struct {
	v, n   int
	mu     sync.Mutex
	closed int
	err    error
	slow   chan struct{} // Close waits for it, if set
}

func (c *clip) ReadFrame(f *media.Frame) bool {
	if c.n == 0 {
		return false
	}
	c.n--
	fill(f, int16(c.v))
	return true
}

func (c *clip) Close() error {
	if c.slow != nil {
		<-c.slow
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed++
	return c.err
}

func (c *clip) closes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

func fill(f *media.Frame, v int16) {
	for i := range f {
		f[i] = v
	}
}

// ear is a tap that notes what it hears.
type ear struct {
	mu    sync.Mutex
	heard []int
}

func (e *ear) WriteFrame(f *media.Frame) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, int(f[80]))
	f[80] = 31000 // a tap that changes its frame changes only its own
}

func (e *ear) take() []int {
	e.mu.Lock()
	defer e.mu.Unlock()
	h := e.heard
	e.heard = nil
	return h
}

// tape is a Writer in memory.
type tape struct {
	mu      sync.Mutex
	samples []int16
	closed  int
	fail    error         // of the next write
	block   chan struct{} // writes wait for it, if set
	writes  int
}

func (w *tape) WriteSamples(s []int16) error {
	if w.block != nil {
		<-w.block
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.samples = append(w.samples, s...)
	w.writes++
	return w.fail
}

func (w *tape) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed++
	if w.closed > 1 {
		return errors.New("closed twice")
	}
	return nil
}

// all gives what was written.
func (w *tape) all() []int16 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.samples
}

func equal(t *testing.T, what string, got []int, want ...int) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// newSession makes a session on c that is closed at the end.
func newSession(t testing.TB, c *clock, p media.Port) *Session {
	t.Helper()
	s := New(c, p)
	t.Cleanup(s.Close)
	return s
}
