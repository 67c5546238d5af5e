package vmodem

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"callbox/hal"
	"callbox/hal/at"
)

var (
	_ hal.Exchange = (*Driver)(nil)
	_ hal.PCM      = (*Driver)(nil)
	_ hal.Aligned  = (*Driver)(nil)
)

// Config is a modem's configuration.
type Config struct {
	// Open opens the modem's serial port. It is called again after the port was lost;
	// an error that wraps hal.ErrGone says that there is no modem now.
	Open func(ctx context.Context) (io.ReadWriteCloser, error)
	// Country is the ISO code by which the modem is set up; empty: US.
	Country string
	// CallerID is how the exchange tells who calls.
	CallerID CallerID
	// Trace gets every line to and from the modem, from the driver's goroutines: it
	// must not block. nil: nobody.
	Trace func(at.Entry)
	Log   *slog.Logger // nil: none
}

// Times and limits of a driver.
const (
	retryMin  = time.Second      // before the port is opened again
	retryMax  = 10 * time.Second // it doubles up to this
	probeTime = 10 * time.Second // of silence until an idle modem is asked AT
	eventRoom = 64               // unread events
	spareRoom = 8                // further room for Connected and Released
	quietTime = 3 * time.Second  // without a sample while connected: the modem is stuck
	// commandTime is for every command but a dial: the modem moves a relay for some.
	commandTime = 3 * time.Second
	callerLag   = 300 * time.Millisecond
)

type lineState int

const (
	gone lineState = iota // no modem
	idle
	seizing
	connected
	releasing
)

// Driver is a voice modem. Its methods may be called from any goroutine.
type Driver struct {
	cfg    Config
	log    *slog.Logger
	events chan hal.ExchangeEvent
	ops    chan op       // at most one: the seizure
	flash  chan struct{} // at most one
	stop   context.CancelFunc
	wg     sync.WaitGroup
	sound  *sound

	mu     sync.Mutex // guards what follows
	cfgGen int        // counts changes of country and callerID
	state  lineState
	cancel context.CancelFunc // of the seizure
	health hal.Health
	model  string
	lost   uint64 // events dropped
	resets uint64 // sessions that had to be begun again
}

// op is a seizure on its way to the session.
type op struct {
	ctx context.Context
	o   hal.Seizure
}

// Open starts a driver. The modem need not be there yet.
func Open(c Config) (*Driver, error) {
	if c.Open == nil {
		return nil, errors.New("a voice modem needs a way to open its port")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	ctx, stop := context.WithCancel(context.Background())
	d := &Driver{cfg: c, log: c.Log, events: make(chan hal.ExchangeEvent, eventRoom+spareRoom), ops: make(chan op, 1),
		flash: make(chan struct{}, 1), stop: stop, sound: newSound(),
		health: hal.Health{Since: time.Now(), Text: "the modem is being set up"}}
	d.wg.Go(func() { d.run(ctx) })
	return d, nil
}

// Close puts the line on-hook and ends the driver.
func (d *Driver) Close() error {
	d.stop()
	d.wg.Wait()
	d.sound.close()
	return nil
}

// SetCountry sets the modem up for another country, when the line is idle next.
func (d *Driver) SetCountry(country string, way CallerID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cfg.Country != country || d.cfg.CallerID != way {
		d.cfg.Country, d.cfg.CallerID = country, way
		d.cfgGen++
	}
}

// Events implements [hal.Exchange].
func (d *Driver) Events() <-chan hal.ExchangeEvent { return d.events }

// Seize implements [hal.Exchange].
func (d *Driver) Seize(o hal.Seizure) error {
	for i := range len(o.Digits) {
		if !strings.ContainsRune("0123456789*#ABCD,", rune(o.Digits[i])) {
			return fmt.Errorf("%q cannot be dialled on an exchange line", o.Digits)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch d.state {
	case idle:
	case gone:
		return fmt.Errorf("%w: %s", hal.ErrFailed, d.health.Text)
	default:
		return hal.ErrBusyLine
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.state, d.cancel = seizing, cancel
	d.ops <- op{ctx, o}
	return nil
}

// Release implements [hal.Exchange].
func (d *Driver) Release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state == seizing || d.state == connected {
		d.state = releasing
		d.cancel()
	}
}

// Flash implements [hal.Exchange].
func (d *Driver) Flash() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state != connected {
		return hal.ErrBusyLine
	}
	select {
	case d.flash <- struct{}{}:
	default:
	}
	return nil
}

// Health implements [hal.Exchange].
func (d *Driver) Health() hal.Health {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.health
}

// Resets is how often the modem had to be set up again since the driver was opened.
func (d *Driver) Resets() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.resets
}

// feel notes the condition.
func (d *Driver) feel(ok bool, format string, a ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if ok != d.health.OK {
		d.health.Since = time.Now()
	}
	d.health.OK, d.health.Text = ok, fmt.Sprintf(format, a...)
}

// emit tells an event.
func (d *Driver) emit(e hal.ExchangeEvent) {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	must := e.Type == hal.Connected || e.Type == hal.Released
	if must || len(d.events) < eventRoom {
		select {
		case d.events <- e:
			return
		default:
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lost++
}

// run opens the port, and again when it was lost.
func (d *Driver) run(ctx context.Context) {
	defer close(d.events)
	wait := retryMin
	for ctx.Err() == nil {
		began := time.Now()
		err := d.session(ctx)
		d.lose(err)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > time.Minute {
			wait = retryMin
		}
		d.log.Warn("the voice modem is lost", "err", err, "again", wait)
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
		case <-t.C:
		}
		wait = min(2*wait, retryMax)
	}
}

// lose notes that there is no modem; a line that was seized is told so.
func (d *Driver) lose(err error) {
	d.mu.Lock()
	was := d.state
	d.state = gone
	if d.cancel != nil {
		d.cancel()
		d.cancel = nil
	}
	d.resets++
	d.mu.Unlock()
	d.sound.end()
	select {
	case <-d.ops:
	default:
	}
	if errors.Is(err, hal.ErrGone) {
		d.feel(false, "no modem is plugged in")
	} else {
		d.feel(false, "the modem does not work: %v", err)
	}
	if was == seizing || was == connected || was == releasing {
		d.emit(hal.ExchangeEvent{Type: hal.Released, Err: fmt.Errorf("%w: %w", hal.ErrFailed, err)})
	}
}
