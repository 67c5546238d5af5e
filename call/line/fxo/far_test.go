package fxo_test

import (
	"context"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"callbox/call"
	"callbox/call/line/fxo"
	"callbox/call/line/linetest"
	"callbox/hal"
	"callbox/hal/sim"
	"callbox/hal/vmodem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// port is a line on a simulated exchange, with the real driver on a simulated modem.
type port struct {
	line  *fxo.Line
	modem *sim.VoiceModem
	far   *sim.Exchange
	gone  *atomic.Bool // no modem is plugged in
}

func newPort(t *testing.T, c fxo.Config, x sim.ExchangeConfig) port {
	t.Helper()
	p := port{far: sim.NewExchange(x), gone: &atomic.Bool{}}
	p.modem = sim.NewVoiceModem(sim.CX930xx, p.far)
	d, err := vmodem.Open(vmodem.Config{Country: x.Country, Open: func(context.Context) (io.ReadWriteCloser, error) {
		if p.gone.Load() {
			return nil, hal.ErrGone
		}
		near, far := sim.NewWire()
		p.modem.Plug(far)
		return near, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	c.ID = "fxo1"
	if c.Country == "" {
		c.Country = x.Country
	}
	if p.line, err = fxo.New(c, d, d); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		_ = p.modem.Close()
		_ = p.far.Close()
	})
	for !d.Health().OK {
		<-time.After(100 * time.Millisecond)
	}
	return p
}

// farEnd is a subscriber of the exchange, for the suite of lines.
type farEnd struct{ port }

func (f farEnd) WaitRing(ctx context.Context) error { _, err := f.far.WaitCall(ctx); return err }

func (f farEnd) Answer(context.Context) error { return f.far.Answer() }

func (f farEnd) Hangup(context.Context) error {
	f.far.HangUp()
	f.far.Configure(func(c *sim.ExchangeConfig) { c.Numbers = nil })
	return nil
}

func (f farEnd) Busy(context.Context) error {
	f.far.Configure(func(c *sim.ExchangeConfig) { c.Numbers = func(string) sim.Fate { return sim.IsBusy } })
	return nil
}

func (f farEnd) Call(context.Context, string) error { return f.far.Call("5550123", "") }

// WaitEnd: a caller who is refused hears the ringback tone, and gives up.
func (f farEnd) WaitEnd(ctx context.Context) (call.Cause, error) {
	if !f.far.OffHook() {
		f.far.HangUp()
	}
	return call.Cause{}, f.far.WaitIdle(ctx)
}

// voice is the subscriber's mouth and ears.
type voice struct {
	far *sim.Exchange
	ctx context.Context
}

func (v voice) Say(samples []int16) {
	go func() { _ = v.far.Say(v.ctx, samples) }()
	synctest.Wait() // queued before the next Say
}

func (v voice) Heard() []int16 { return v.far.Heard() }

func (v voice) Press(ctx context.Context, d byte) error { return v.far.Press(ctx, string(d)) }

func (v voice) Digits() string { return "" }

// TestSuite is the suite of all lines, with the real driver on a simulated modem and
// exchange.
func TestSuite(t *testing.T) {
	for _, c := range linetest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.Run(t, func(t *testing.T) linetest.Fixture {
					p := newPort(t, fxo.Config{Number: "201"}, sim.ExchangeConfig{Country: "DE", Reversal: true, EchoLoss: 14})
					ctx, cancel := context.WithCancel(t.Context())
					t.Cleanup(cancel)
					return linetest.Fixture{
						Line: p.line, Dial: call.Dial{To: "030555123"}, Far: farEnd{p}, Voice: voice{p.far, ctx},
						Number: "201", From: "5550123",
					}
				})
			})
		})
	}
}
