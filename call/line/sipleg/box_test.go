package sipleg_test

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"callbox/call"
	"callbox/call/line/linetest"
	"callbox/call/line/sipleg"
	"callbox/call/line/sipleg/siptest"
	"callbox/media"
	"callbox/media/clock"
	"callbox/media/ears"
	"callbox/media/rtp"
	"callbox/sip"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 2 * time.Minute

// box is the gateway's side: a group of legs on a stack, with one far end.
type box struct {
	t     *testing.T
	host  string
	stack *sip.Stack
	ports *rtp.PortPool
	group *sipleg.Group
	far   *siptest.Endpoint
	in    chan *sipleg.Leg
	bad   chan error // arriving calls that were refused
}

func newBox(t *testing.T, far siptest.Config, adjust ...func(*sipleg.Config)) *box {
	t.Helper()
	b := &box{t: t, in: make(chan *sipleg.Leg, 4), bad: make(chan error, 4)}
	b.host = "127.0.0.1"
	if far.Host == "::1" {
		b.host = far.Host
	}
	b.stack, b.ports = siptest.NewStack(t, b.host), siptest.NewPorts(t, b.host)
	cfg := sipleg.Config{Line: "provider", Kind: call.Trunk, Title: "trunk provider", Ports: b.ports}
	for _, f := range adjust {
		f(&cfg)
	}
	b.group = sipleg.NewGroup(cfg)
	b.group.Open()
	t.Cleanup(func() { b.group.Close(call.NormalClearing(call.Box)) })
	if far.Host == "" {
		far.Host = "127.0.0.2"
	}
	far.Box, far.User = b.stack.Addr("udp"), "+15550142"
	b.far = siptest.NewEndpoint(t, far)
	_, err := b.stack.AddPeer(sip.Peer{
		Name: "provider", Addrs: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32"), netip.MustParsePrefix("::1/128")},
		Invite: func(d *sip.Dialog) {
			leg, err := b.group.Incoming(d, call.LegInfo{From: d.Info().From, To: sipleg.UserOf(d.Info().RequestURI)})
			if err != nil {
				b.bad <- err
				return
			}
			b.in <- leg
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *box) ctx() context.Context {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	b.t.Cleanup(cancel)
	return ctx
}

func (b *box) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *box) outgoing(target string) sipleg.Outgoing {
	return sipleg.Outgoing{
		To: "+15550100", From: "+15550123",
		Invites: []sipleg.Invite{{Local: netip.MustParseAddr(b.host), Invite: sip.Invite{Target: target, From: "+15550123"}}},
	}
}

// dial calls the far end.
func (b *box) dial() *clocked {
	b.t.Helper()
	leg, err := b.group.Dial(b.ctx(), b.stack, b.outgoing("sip:+15550100@"+b.far.Addr().String()))
	b.must(err)
	return b.clock(leg)
}

// talk calls the far end and has it answer.
func (b *box) talk() *clocked {
	b.t.Helper()
	c := b.dial()
	b.must(b.far.WaitRing(b.ctx()))
	b.must(b.far.Answer(b.ctx()))
	c.until(call.LegAnswered)
	return c
}

// arrived waits for a call of the far end.
func (b *box) arrived() *clocked {
	b.t.Helper()
	select {
	case leg := <-b.in:
		return b.clock(leg)
	case err := <-b.bad:
		b.t.Fatalf("refused: %v", err)
	case <-b.ctx().Done():
		b.t.Fatal("no call arrived")
	}
	return nil
}

// clocked is a leg whose sound is read and written by a media clock.
type clocked struct {
	*sipleg.Leg
	t    *testing.T
	stop func()
	in   media.Frame // the clock's

	mu    sync.Mutex // guards say and heard
	say   []int16
	heard []int16
}

func (b *box) clock(leg *sipleg.Leg) *clocked {
	c := &clocked{Leg: leg, t: b.t}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	c.stop = func() { cancel(); <-done }
	k := clock.New(nil)
	k.Add(c)
	go func() {
		defer close(done)
		_ = k.Run(ctx) // ends with ctx
	}()
	b.t.Cleanup(c.stop)
	return c
}

// Collect implements media.Ticker.
func (c *clocked) Collect() {
	if !c.Audio().ReadFrame(&c.in) {
		clear(c.in[:])
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard = append(c.heard, c.in[:]...)
}

// Deliver implements media.Ticker.
func (c *clocked) Deliver() {
	var out media.Frame
	c.mu.Lock()
	c.say = c.say[copy(out[:], c.say):]
	c.mu.Unlock()
	c.Audio().WriteFrame(&out)
}

func (c *clocked) Say(s []int16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.say = append(c.say, s...)
}

func (c *clocked) Heard() []int16 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]int16(nil), c.heard...)
}

// until waits for an event.
func (c *clocked) until(typ call.LegEventType) call.LegEvent {
	c.t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		select {
		case e, ok := <-c.Events():
			if !ok {
				c.t.Fatalf("the leg ended before %v", typ)
			}
			if e.Type == typ {
				return *e
			}
			if e.Type == call.LegEnded {
				c.t.Fatalf("the leg ended with %+v before %v", e.Cause, typ)
			}
		case <-timeout.C:
			c.t.Fatalf("no %v within %v", typ, patience)
		}
	}
}

func poll(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// talker is either side's mouth and ears.
type talker interface {
	Say(samples []int16)
	Heard() []int16
}

// says has one side say the n-th sweep until the other has heard most of it: on
// a machine that stalls, what is said once may be lost. Only the last seconds of
// what was heard are looked at, and not all the time: the search takes time from
// those who make the sound.
func says(t *testing.T, mouth, listener talker, n int) {
	t.Helper()
	const window = 3 * 8000 // what is said comes twice in it
	said, from := sweep(n), len(listener.Heard())
	next, looked := time.Now(), from
	poll(t, fmt.Sprintf("sweep %d is heard", n), func() bool {
		if time.Now().After(next) {
			mouth.Say(said)
			next = time.Now().Add(1500 * time.Millisecond)
		}
		heard := listener.Heard()
		if len(heard) < looked+2000 {
			return false
		}
		looked = len(heard)
		return ears.Match(heard[max(from, len(heard)-window):], said) >= 0.7
	})
}

// sweep is half a second that can be recognised; n makes several different ones.
func sweep(n int) []int16 {
	return linetest.Sweep(400+float64(n)*300, 1500+float64(n)*300, 4000)
}
