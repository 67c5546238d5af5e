package gsm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"callbox/hal"
	"callbox/hal/at"
	"callbox/hal/sms"
)

// session is a modem that is there. Its fields are the port's goroutine's, but for
// engine and row; jobs run on goroutines of their own and hand back what to do.
type session struct {
	row     row
	engine  *at.Engine
	place   string
	imei    string
	iccid   string
	texts   *sms.Service
	results chan func()
	jobs    chan func() // in order
	urgent  chan func() // beside them: what ends a call
	ctx     context.Context
	stop    context.CancelFunc
	wg      sync.WaitGroup

	stage    stage
	net      network
	next     map[string]time.Time // when each poll is due
	pending  map[string]bool      // polls under way
	since    time.Time            // of the stage
	soundBad string               // why the modem gives no sound; empty: it does
	restart  string               // why the modem is restarted as soon as it has no call
}

// stage is how far a session is.
type stage int

const (
	setting stage = iota // it is being set up
	card                 // the SIM cannot be used
	running              // all is set up
)

// take starts a session with a modem that was found.
func (p *Port) take(f *found) {
	if p.s != nil {
		p.lost("another modem has taken its place")
	}
	cfg := p.config()
	s := &session{row: f.row, engine: f.engine, place: f.place, imei: f.imei, iccid: f.iccid,
		results: make(chan func()), jobs: make(chan func(), 32), urgent: make(chan func(), 8),
		next: map[string]time.Time{}, pending: map[string]bool{}, since: time.Now()}
	s.ctx, s.stop = context.WithCancel(p.ctx)
	p.s, p.supply.next = s, time.Time{}
	f.trace.set(cfg.Trace)
	s.texts = sms.New(sms.Config{Do: s.engine.Do, Receiver: texts{p}, Tables: cfg.Tables, PackedUSSD: s.row.packedUSSD,
		Gone: s.ctx.Done(), Log: cfg.Log})
	for _, q := range []chan func(){s.jobs, s.urgent} {
		s.wg.Go(func() { s.work(q) })
	}
	p.update(func(m *hal.ModemState) {
		*m = hal.ModemState{Health: m.Health, Counters: m.Counters, History: m.History,
			Place: f.place, IMEI: f.imei, ICCID: f.iccid, HearsDigits: f.row.keys != ""}
		m.Counters.Plugged++
	})
	p.note("found the %s at %s, IMEI %s", f.row.name, f.place, f.imei)
	p.condition(false, fmt.Sprintf("the %s at %s is being set up", f.row.name, f.place))
	p.attach(f.pcm)
	p.start()
	if f.first {
		select {
		case p.hub.news <- struct{}{}:
		default:
		}
	}
}

// attach opens the modem's line for sound.
func (p *Port) attach(path string) {
	if p.config().Card || path == "" {
		if p.attachCard() {
			return
		}
	}
	if path == "" {
		p.s.soundBad = "the modem has no line for sound; its USB composition is not the usual one"
		return
	}
	stream, err := p.hub.bus.OpenStream(path)
	if err != nil {
		p.s.soundBad = "the modem's line for sound cannot be opened: " + err.Error()
		return
	}
	if old := p.sound.attach(stream); old != nil {
		_ = old.Close()
	}
	p.update(func(m *hal.ModemState) { m.Sound.Path = path })
}

// attachCard opens the modem's own sound card, if it has one.
func (p *Port) attachCard() bool {
	s := p.s
	cards, ok := p.hub.bus.(Cards)
	if !ok || len(s.row.byCard) == 0 {
		return false
	}
	card, err := cards.OpenCard(s.place)
	if err != nil {
		p.warn("the modem's sound card cannot be used: " + err.Error())
		return false
	}
	s.row.prepare, s.row.pause = s.row.byCard, ""
	p.sound.attachCard(card)
	p.update(func(m *hal.ModemState) { m.Sound.Path = "the modem's own sound card" })
	return true
}

// has reports whether the port has a modem.
func (p *Port) has() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state.IMEI != "" && p.state.Place != ""
}

// work runs jobs until the session ends.
func (s *session) work(jobs <-chan func()) {
	for {
		select {
		case <-s.ctx.Done():
			return
		case f := <-jobs:
			f()
		}
	}
}

// later has the port's goroutine run f and waits until it has. When the session ends
// first it is false: f may be under way, and what it sets is not to be read.
func (s *session) later(f func()) bool {
	done := make(chan struct{})
	select {
	case s.results <- func() { f(); close(done) }:
		select {
		case <-done:
			return true
		case <-s.ctx.Done(): // f itself may have ended the session
		}
	case <-s.ctx.Done():
	}
	return false
}

// do queues a job; when too many wait, it is not done, and reported so.
func (p *Port) do(job func(s *session)) bool { return p.s != nil && p.s.queue(p.s.jobs, job) }

// doNow queues a job that does not wait for the others.
func (p *Port) doNow(job func(s *session)) bool { return p.s != nil && p.s.queue(p.s.urgent, job) }

func (s *session) queue(q chan func(), job func(s *session)) bool {
	select {
	case q <- func() { job(s) }:
		return true
	default:
		return false
	}
}

// every runs a job that polls, once per period, and not before the last has ended.
func (p *Port) every(name string, period time.Duration, job func(s *session)) {
	s := p.s
	if s.pending[name] || time.Now().Before(s.next[name]) {
		return
	}
	s.next[name] = time.Now().Add(period)
	s.pending[name] = p.do(func(s *session) {
		job(s)
		s.later(func() { s.pending[name] = false })
	})
}

// ask sends a command and gives the answer.
func (s *session) ask(text string, class at.Class, answers ...string) (at.Response, error) {
	return s.engine.Do(s.ctx, at.Command{Text: text, Class: class, Answers: answers})
}

// tell sends a command whose answer does not matter beyond its success.
func (s *session) tell(text string, class at.Class) error {
	_, err := s.ask(text, class)
	return err
}

// said takes a line that the modem sent by itself.
func (p *Port) said(u at.URC) {
	s := p.s
	if u.Lost > 0 { // what they told has to be asked for
		s.next = map[string]time.Time{}
	}
	if k, ok := s.row.key(u.Line); ok {
		if p.v.phase == talking {
			p.emit(hal.ModemEvent{Type: hal.ModemDigit, Digit: k})
		}
		return
	}
	if g, ok := s.row.signOf(u.Line); ok {
		p.heed(g)
		return
	}
	if s.row.pause != "" && strings.HasPrefix(u.Line, s.row.pause[:strings.IndexByte(s.row.pause, ':')+1]) {
		p.sound.pause(strings.HasPrefix(u.Line, s.row.pause))
		return
	}
	if s.texts != nil && s.texts.URC(u) {
		return
	}
	name, rest, _ := strings.Cut(u.Line, ":")
	switch name {
	case "+CCWA":
		p.refuseWaiting()
	case "+CREG", "+CGREG", "+CEREG":
		if s.stage == running {
			s.net.heard(name, at.Fields(rest), false)
			p.judgeNetwork()
		}
	case "+CPIN", "+QSIMSTAT", "^SIMST":
		if s.stage != setting {
			s.next["card"] = time.Time{}
		}
	case "RDY":
		p.note("the modem has started anew by itself")
		p.reopen("the modem has started anew by itself")
	}
}

// lose ends the session of a modem that has gone or fallen silent.
func (p *Port) lose() {
	if p.s == nil {
		return
	}
	err := p.s.engine.Err()
	why := "the modem was unplugged, or has lost its power"
	switch {
	case errors.Is(err, at.ErrSilent):
		why = "the modem has stopped answering"
		p.count(func(c *hal.ModemCounters) { c.Reopened++ })
	case errors.Is(err, at.ErrClosed):
		why = "the modem is opened again"
	}
	p.lost(why)
}

// lost ends the session for a reason and has the bus looked at.
func (p *Port) lost(why string) {
	p.count(func(c *hal.ModemCounters) { c.Lost++ })
	place := p.s.place
	p.missing(place, p.s.row.vendor)
	p.end()
	p.condition(false, why)
	if p.v.phase != idle {
		p.forsake(why)
	}
	p.hub.free(place, 0)
}

// forsake ends a call whose modem has gone.
func (p *Port) forsake(why string) {
	if p.v.phase == arriving { // nobody knows of it
		p.v = voice{}
		p.turn(idle)
		return
	}
	p.release(hal.Release{Q850: 27, By: hal.ByBox, Text: why})
}

// end stops the session.
func (p *Port) end() {
	s := p.s
	p.s = nil
	p.publishTexts(nil)
	s.stop()
	_ = s.engine.Close()
	s.wg.Wait()
	if old := p.sound.attach(nil); old != nil {
		_ = old.Close()
	}
	p.sound.attachCard(nil)
	t := s.engine.Stats()
	p.update(func(m *hal.ModemState) {
		m.Counters.Timeouts += t.Timeouts
		m.Place, m.Network, m.Operator, m.Signal, m.SIM = "", "", "", 0, ""
	})
}

// leave is what is done when the port is closed.
func (p *Port) leave() {
	if p.v.phase != idle {
		if p.s != nil {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			_, _ = p.s.engine.Do(ctx, at.Command{Text: p.s.row.hangup, Priority: at.Urgent})
			cancel()
		}
		p.forsake("the line was stopped")
	}
	if p.s != nil {
		p.end()
	}
}

// reopen has the session begun anew.
func (p *Port) reopen(why string) {
	p.count(func(c *hal.ModemCounters) { c.Reopened++ })
	p.lost(why)
}

// reconfigure takes another configuration.
func (p *Port) reconfigure(c Config) {
	p.mu.Lock()
	old := p.cfg
	p.cfg = c
	p.mu.Unlock()
	p.wrong, p.told = "", ""
	switch {
	case p.s == nil:
		p.hub.look()
	case old.Card != c.Card || old.VoLTE != c.VoLTE || old.IMEI != c.IMEI || old.ICCID != c.ICCID || old.Place != c.Place:
		p.reopen("the line is set up in another way now")
		if old.IMEI != c.IMEI || old.ICCID != c.ICCID || old.Place != c.Place {
			p.woken() // the modem that it had is not missing, and may be well
		}
	case p.s.stage == card:
		p.s.next["card"] = time.Time{}
	default:
		p.judgeNetwork()
	}
}
