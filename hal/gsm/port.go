package gsm

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"callbox/hal"
	"callbox/hal/at"
	"callbox/hal/sms"
)

// Config is the configuration of a port.
type Config struct {
	Name string // "gsm1"
	// IMEI, ICCID and Place say which modem the port is of; with none of them it is
	// the first that no other port claims.
	IMEI, ICCID, Place string
	PIN                string           // of the SIM, digits; empty: it is not entered
	Texts              hal.TextReceiver // takes text messages; nil: they stay on the SIM
	Tables             []int            // national language tables for text messages, see hal/sms
	Roaming            bool             // calls may be made and taken in networks of other operators
	// VoLTE is on or off to have the modem told whether calls go over LTE; empty: it is
	// left as it is.
	VoLTE string
	// Card has the sound go by the modem's own USB sound card, which otherwise is used
	// only where the modem has no line for sound.
	Card bool
	// Key is how the modem is switched on and off by wires. That of the first
	// configuration holds.
	Key Key
	Log *slog.Logger
	// Trace gets every line that passes, secrets masked; nil: nobody. It must not
	// block.
	Trace func(at.Entry)
}

const (
	eventRoom  = 64 // digits beyond are dropped
	stateRoom  = 16 // further room that only changes of state use
	maxHistory = 50
	maxNumber  = 32
	tickTime   = 250 * time.Millisecond
)

var _ hal.Modem = (*Port)(nil)

// Port is a slot for one modem (hal.Modem). It is there when the modem is not.
type Port struct {
	hub    *Hub
	sound  *Sound
	events chan hal.ModemEvent
	asks   chan ask
	found  chan *found
	hang   chan struct{} // one token: Hangup was called
	use    chan Config
	key    Key
	// powered gets what became of a step that took the modem's power.
	powered chan error
	wg      sync.WaitGroup // of that step
	ctx     context.Context
	stop    context.CancelFunc
	done    chan struct{}

	mu    sync.Mutex // guards what follows
	state hal.ModemState
	cfg   Config
	texts *sms.Service // nil: none now

	// Owned by the goroutine.
	s      *session
	v      voice
	ladder ladder
	supply supply
	told   string // the modem and what it was told of VoLTE: not again
	wrong  string // a PIN that the SIM refused, with the SIM's number: never tried again
}

// ask is a request to the port's goroutine; the reply may come later, or never when the
// session ends that it was given to.
type ask struct {
	do  func(reply func(error))
	err chan error
	in  chan (<-chan struct{}) // gets the end of the session, nil when there is none
}

func newPort(h *Hub, c Config) *Port {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &Port{
		hub: h, cfg: c, sound: newSound(), ctx: ctx, stop: stop, done: make(chan struct{}),
		events: make(chan hal.ModemEvent, eventRoom+stateRoom), asks: make(chan ask), found: make(chan *found),
		hang: make(chan struct{}, 1), use: make(chan Config), key: c.Key, powered: make(chan error),
	}
	p.state.Health = hal.Health{Since: time.Now(), Text: "no modem is plugged in"}
	go p.run()
	return p
}

// Sound is the port's sound, the same for its whole life.
func (p *Port) Sound() *Sound { return p.sound }

// Use changes the configuration. Another modem, or another PIN, is tried at once.
func (p *Port) Use(c Config) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	select {
	case p.use <- c:
	case <-p.done:
	}
}

func (p *Port) config() Config {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cfg
}

// Close ends the driver and waits: a call is ended, the modem left alone.
func (p *Port) Close() error {
	p.stop()
	<-p.done
	return p.sound.Close()
}

// Events implements [hal.Modem].
func (p *Port) Events() <-chan hal.ModemEvent { return p.events }

// State implements [hal.Modem].
func (p *Port) State() hal.ModemState {
	c := p.sound.counters()
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.state
	s.Warnings, s.History = slices.Clone(s.Warnings), slices.Clone(s.History)
	s.Counters.BytesIn, s.Counters.BytesOut, s.Counters.Misaligned = c.bytesIn, c.bytesOut, c.misaligned
	s.Counters.Silence, s.Counters.Dropped, s.Counters.PausesForModem = c.silence, c.dropped, c.pauses
	s.Sound = p.sound.report(s)
	return s
}

// Busy reports whether there is a call.
func (p *Port) Busy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state.Busy
}

// request runs f on the port's goroutine and waits for its reply.
func (p *Port) request(ctx context.Context, f func(reply func(error))) error {
	a := ask{do: f, err: make(chan error, 1), in: make(chan (<-chan struct{}), 1)}
	select {
	case p.asks <- a:
	case <-p.done:
		return hal.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-a.err:
		return err
	case <-<-a.in:
		select {
		case err := <-a.err:
			return err
		default:
			return hal.ErrNoCall
		}
	case <-p.done:
		return hal.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Dial implements [hal.Modem].
func (p *Port) Dial(ctx context.Context, number string, hide bool) error {
	if err := dialable(number); err != nil {
		return err
	}
	return p.request(ctx, func(reply func(error)) { p.dial(number, hide, reply) })
}

// dialable reports why a number cannot be dialled.
func dialable(number string) error {
	rest := strings.TrimPrefix(number, "+")
	if rest == "" || len(rest) > maxNumber || strings.Trim(rest, "0123456789*#") != "" {
		return fmt.Errorf("%q is not a number of 1 to %d digits, with or without a plus", number, maxNumber)
	}
	return nil
}

// Answer implements [hal.Modem].
func (p *Port) Answer(ctx context.Context) error { return p.request(ctx, p.answer) }

// Hangup implements [hal.Modem].
func (p *Port) Hangup() {
	select {
	case p.hang <- struct{}{}:
	default:
	}
}

// SendDigit implements [hal.Modem].
func (p *Port) SendDigit(ctx context.Context, digit byte) error {
	if !strings.ContainsRune(digits, rune(digit)) {
		return fmt.Errorf("%q is no key", digit)
	}
	return p.request(ctx, func(reply func(error)) { p.sendDigit(digit, reply) })
}

// run is the port's goroutine.
func (p *Port) run() {
	defer close(p.done)
	defer close(p.events)
	defer p.wg.Wait()
	defer p.leave()
	tick := time.NewTicker(tickTime)
	defer tick.Stop()
	for {
		var urcs <-chan at.URC
		var results <-chan func()
		var gone <-chan struct{}
		if p.s != nil {
			urcs, results, gone = p.s.engine.URCs(), p.s.results, p.s.engine.Done()
		}
		select {
		case <-p.ctx.Done():
			return
		case f := <-p.found:
			p.take(f)
		case a := <-p.asks:
			p.asked(a)
		case <-p.hang:
			p.hangUp()
		case err := <-p.powered:
			p.stepped(err)
		case c := <-p.use:
			p.reconfigure(c)
		case u, ok := <-urcs:
			if ok {
				p.said(u)
			} else {
				p.lose()
			}
		case f := <-results:
			p.result(p.s, f)
		case <-gone:
			p.catchUp()
			p.lose()
		case <-tick.C:
			p.tick()
		}
	}
}

// asked takes a request.
func (p *Port) asked(a ask) {
	var gone <-chan struct{}
	if p.s != nil {
		gone = p.s.ctx.Done()
	}
	a.in <- gone
	a.do(func(err error) {
		select {
		case a.err <- err:
		default: // it has been answered
		}
	})
}

// result takes the result of a job of a session, unless what the modem said before has
// ended the session.
func (p *Port) result(s *session, f func()) {
	if p.catchUp(); p.s == s {
		f()
	}
}

// catchUp takes what the modem has said before anything else happens.
func (p *Port) catchUp() {
	for p.s != nil {
		select {
		case u, ok := <-p.s.engine.URCs():
			if !ok {
				return
			}
			p.said(u)
		default:
			return
		}
	}
}

// emit tells of a call. Digits give way to changes of state.
func (p *Port) emit(e hal.ModemEvent) {
	e.At = time.Now()
	room := cap(p.events) - len(p.events)
	if e.Type == hal.ModemDigit && room <= stateRoom || room == 0 {
		return
	}
	p.events <- e
}

// update changes the published state.
func (p *Port) update(f func(s *hal.ModemState)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.state)
}

func (p *Port) count(f func(c *hal.ModemCounters)) {
	p.update(func(s *hal.ModemState) { f(&s.Counters) })
}

// condition publishes whether calls can be made, and why not.
func (p *Port) condition(ok bool, text string) {
	p.mu.Lock()
	changed := p.state.OK != ok || p.state.Text != text
	if p.state.OK != ok {
		p.state.Since = time.Now()
	}
	p.state.OK, p.state.Text = ok, text
	log := p.cfg.Log
	p.mu.Unlock()
	if changed {
		log.Info("modem", "ready", ok, "state", text)
		p.note("%s", text)
	}
}

// note keeps a sentence in the history.
func (p *Port) note(format string, args ...any) {
	n := hal.ModemNote{At: time.Now(), Text: fmt.Sprintf(format, args...)}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.state.History) >= maxHistory {
		p.state.History = slices.Delete(p.state.History, 0, len(p.state.History)-maxHistory+1)
	}
	p.state.History = append(p.state.History, n)
}
