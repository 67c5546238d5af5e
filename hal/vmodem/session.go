package vmodem

import (
	"context"
	"fmt"
	"strings"
	"time"

	"callbox/hal"
	"callbox/hal/at"
)

// session is one life of the modem, from the opening of its port to its loss.
type session struct {
	d     *Driver
	e     *at.Engine
	model model
	gen   int // the Driver.cfgGen that the modem was set up with

	caller  hal.ExchangeEvent // being told, line by line
	telling bool
	due     *time.Timer // when the caller is told as far as he is known
}

// session runs until the modem is lost or ctx ends.
func (d *Driver) session(ctx context.Context) error {
	port, err := d.cfg.Open(ctx)
	if err != nil {
		return err
	}
	s := &session{d: d, due: time.NewTimer(time.Hour)}
	s.due.Stop()
	s.e = at.New(port, at.Config{Probe: probeTime, Voice: true, Trace: d.cfg.Trace})
	defer s.e.Close() //nolint:errcheck // it has no error to give
	if err := s.setUp(ctx); err != nil {
		return s.why(err)
	}
	d.mu.Lock()
	d.state = idle
	d.mu.Unlock()
	d.feel(true, "on-hook")
	d.log.Info("voice modem is ready", "model", s.model.name)
	return s.serve(ctx)
}

// why prefers the loss of the port to what followed from it.
func (s *session) why(err error) error {
	select {
	case <-s.e.Done():
		return s.e.Err()
	default:
		return err
	}
}

// setUp brings the modem to commands and sets it up.
func (s *session) setUp(ctx context.Context) error {
	if err := s.e.Resync(ctx); err != nil {
		return err
	}
	// ATZ hangs up whatever call an earlier program has left; some modems are deaf for
	// a moment after it, and echo the next command.
	for _, c := range []string{"ATZ", "ATE0", "ATV1"} {
		if _, err := s.e.Do(ctx, at.Command{Text: c, Timeout: commandTime}); err != nil {
			return err
		}
	}
	var err error
	var firmware string
	if s.model, firmware, err = identify(ctx, s.e); err != nil {
		return err
	}
	s.d.mu.Lock()
	s.d.model = strings.TrimSpace(s.model.name + " " + firmware)
	s.d.mu.Unlock()
	return s.localise(ctx)
}

// localise sets the modem up for its country.
func (s *session) localise(ctx context.Context) error {
	s.d.mu.Lock()
	country, way, gen := s.d.cfg.Country, s.d.cfg.CallerID, s.d.cfgGen
	s.d.mu.Unlock()
	if way == Auto {
		way = wayOf(country)
	}
	code, ok := t35[country]
	if !ok {
		code = t35["US"]
	}
	s.gen = gen
	s.try(ctx, "AT+GCI="+code)
	for _, c := range s.model.callerID(way) {
		s.try(ctx, c)
	}
	return s.onHook(ctx)
}

// try asks what not every modem can do.
func (s *session) try(ctx context.Context, text string) {
	if _, err := s.e.Do(ctx, at.Command{Text: text, Timeout: commandTime}); err != nil && ctx.Err() == nil {
		s.d.log.Debug("the modem refuses a setting", "command", text, "err", err)
	}
}

// serve waits for what happens.
func (s *session) serve(ctx context.Context) error {
	defer s.due.Stop()
	for {
		select {
		case <-ctx.Done():
			s.put(context.WithoutCancel(ctx)) //nolint:errcheck // the modem may be gone
			return ctx.Err()
		case <-s.e.Done():
			return s.e.Err()
		case u, ok := <-s.e.URCs():
			if ok {
				s.heard(u)
			}
		case <-s.due.C:
			s.tell()
		case o := <-s.d.ops:
			s.tell()
			if err := s.call(ctx, o); err != nil {
				return s.why(err)
			}
			if err := s.relocalise(ctx); err != nil {
				return s.why(err)
			}
		}
	}
}

// relocalise follows a change of the configuration.
func (s *session) relocalise(ctx context.Context) error {
	s.d.mu.Lock()
	changed := s.gen != s.d.cfgGen
	s.d.mu.Unlock()
	if !changed {
		return nil
	}
	return s.localise(ctx)
}

// heard takes what an idle modem says.
func (s *session) heard(u at.URC) {
	if u.Code != 0 {
		s.code(u.Code, u.At)
		return
	}
	if u.Line == "RING" {
		s.tell()
		s.d.emit(hal.ExchangeEvent{Type: hal.Ring, At: u.At})
		return
	}
	key, value, ok := strings.Cut(u.Line, "=")
	if !ok {
		return
	}
	value = strings.TrimSpace(value)
	switch strings.TrimSpace(key) {
	case "NMBR":
		s.caller = hal.ExchangeEvent{Type: hal.Caller, At: u.At, Number: numberOf(value), Private: value == "P", Name: s.caller.Name}
	case "NAME":
		if s.caller.Type != hal.Caller {
			s.caller = hal.ExchangeEvent{Type: hal.Caller, At: u.At}
		}
		if s.caller.Name = nameOf(value); value == "P" {
			s.caller.Name, s.caller.Private = "", true
		}
		if value == "O" {
			s.caller.Name = ""
		}
	case "DATE", "TIME":
		if s.caller.Type != hal.Caller {
			s.caller = hal.ExchangeEvent{Type: hal.Caller, At: u.At}
		}
	default:
		return
	}
	s.telling = true
	s.due.Reset(callerLag)
}

// tell gives who calls, as far as he is known, once.
func (s *session) tell() {
	s.due.Stop()
	if s.telling {
		s.telling = false
		s.d.emit(s.caller)
		s.caller = hal.ExchangeEvent{}
	}
}

// Limits of what is believed of callers.
const (
	maxNumber = 32
	maxName   = 50
)

// numberOf keeps what can be a number; O and P are none.
func numberOf(v string) string {
	out := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r == '+' || r == '*' || r == '#' {
			return r
		}
		return -1
	}, v)
	return out[:min(len(out), maxNumber)]
}

// nameOf keeps what can be shown.
func nameOf(v string) string {
	out := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, v)
	return strings.TrimSpace(out[:min(len(out), maxName)])
}

// code takes an event that was shielded by DLE (V.253 §8.2).
func (s *session) code(c byte, when time.Time) {
	e := hal.ExchangeEvent{At: when}
	switch c {
	case 'R':
		e.Type = hal.Ring
	case 'b':
		e.Type = hal.HeardBusy
	case 'd', 'i':
		e.Type = hal.HeardDial
	case 's', 'q':
		e.Type = hal.HeardSilence
	case 'l', 'h', 'H', 'L':
		e.Type = hal.LoopBreak
	case 'c', 'e', 'a', 'f':
		e.Type = hal.HeardFax
	case 'u':
		e.Type = hal.Underrun
	case 'o':
		e.Type = hal.Overrun
	default:
		if !strings.ContainsRune("0123456789*#ABCD", rune(c)) {
			return
		}
		e.Type, e.Digit = hal.HeardDigit, c
	}
	s.d.emit(e)
}

// onHook brings the line on-hook and the modem to where it reports rings.
func (s *session) onHook(ctx context.Context) error {
	for _, c := range []string{"AT+VLS=0", "ATH"} {
		s.try(ctx, c) // the first is refused outside class 8
	}
	if _, err := s.e.Do(ctx, at.Command{Text: "AT+FCLASS=0", Priority: at.Urgent, Timeout: commandTime}); err != nil {
		return fmt.Errorf("put the line on-hook: %w", err)
	}
	// Some modems forget this with the class.
	s.d.mu.Lock()
	off := s.d.cfg.CallerID == NoCaller
	s.d.mu.Unlock()
	if !off {
		s.try(ctx, "AT+VCID=1")
	}
	return nil
}
