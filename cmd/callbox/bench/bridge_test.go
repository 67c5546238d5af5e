//go:build bench

package bench

import (
	"errors"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// path is one way to carry sound.
type path struct {
	name   string
	number string
	ptime  int // asked for by the callee; another than 20 keeps the gateway from relaying
	stall  bool
}

var ourPaths = []path{
	{"relay", numberBridge, 0, true},
	{"decoded", numberBridge, 30, true},
	{"decoded and recorded", numberRecord, 0, false},
}

// bridge measures bridged calls on each path.
func (l *lab) bridge(round int) error {
	l.tell("sound, round %d of %d: no program between the ears", round, *rounds)
	if err := l.direct(); err != nil {
		return err
	}
	l.tell("sound, round %d of %d: rtpengine", round, *rounds)
	s, err := l.engine()
	if err != nil {
		return err
	}
	err = l.carried(s, nil)
	l.end(s)
	if err != nil {
		return err
	}
	for _, p := range ourPaths {
		if i := strings.LastIndexByte(p.name, ' '); !strings.Contains(*paths, p.name[i+1:]) {
			continue
		}
		l.tell("sound, round %d of %d: callbox, %s", round, *rounds, p.name)
		s, err := l.gateway()
		if err != nil {
			return err
		}
		err = l.carried(s, &p)
		l.end(s)
		if err != nil {
			return err
		}
	}
	return nil
}

// direct measures the floor: the ears send to each other.
func (l *lab) direct() error {
	var legs []leg
	for range *calls {
		legs = append(legs, leg{0, l.ears[1].addr}, leg{1, l.ears[0].addr})
	}
	from := time.Now()
	t := newTalk(l.ears, legs)
	wait(time.Second)
	err := t.end()
	delays, _, _ := t.between(from, time.Now())
	l.report.add(true, "the ears alone: delay p50, ms", milliseconds(percentile(delays, 50)))
	l.report.add(true, "the ears alone: delay p99, ms", milliseconds(percentile(delays, 99)))
	return err
}

const (
	warmCalls = 4
	warmTime  = 700 * time.Millisecond
	settle    = 2 * time.Second
	stallTime = 400 * time.Millisecond
)

// carried measures one program that carries the calls; p is nil for rtpengine.
func (l *lab) carried(s *subject, p *path) error {
	join := func(n int) ([]leg, func() error, error) {
		if p == nil {
			legs, err := s.ng.bridge(l.ears, n)
			return legs, func() error { return s.ng.release(n) }, err
		}
		legs, up, err := l.connect(s, p.number, p.ptime, n)
		return legs, func() error { return l.caller.hangup(up) }, err
	}
	legs, leave, err := join(warmCalls) // the first calls load code
	if err != nil {
		return err
	}
	t := newTalk(l.ears, legs)
	wait(warmTime)
	if err := t.end(); err != nil {
		return err
	}
	if err := leave(); err != nil {
		return s.failure(err.Error())
	}
	wait(warmTime)
	base, err := s.rss()
	if err != nil {
		return err
	}
	if legs, leave, err = join(*calls); err != nil {
		return err
	}
	t = newTalk(l.ears, legs)
	wait(settle)
	if err := l.window(s, p, t, base); err != nil {
		return errors.Join(err, t.end())
	}
	return leave()
}

// window measures a talk that has settled, and ends it.
func (l *lab) window(s *subject, p *path, t *talk, base float64) error {
	name := "relay"
	if p != nil {
		name = p.name
	}
	add := func(what string, v float64) {
		if p == nil { // the reference of every path
			for _, o := range ourPaths {
				l.report.add(false, o.name+": "+what, v)
			}
			return
		}
		l.report.add(true, name+": "+what, v)
	}
	before, err := s.cpu()
	if err != nil {
		return err
	}
	from := time.Now()
	wait(time.Duration(*seconds) * time.Second)
	after, err := s.cpu()
	if err != nil {
		return err
	}
	to := time.Now()
	rss, err := s.rss()
	if err != nil {
		return err
	}
	var resumed time.Time
	if p != nil && p.stall {
		if resumed, err = l.stall(s); err != nil {
			return err
		}
	}
	wait(500 * time.Millisecond) // the last words arrive
	if err := t.end(); err != nil {
		return err
	}
	delays, sent, late := t.between(from, to)
	per100 := 100 / float64(*calls)
	add("CPU of 100 calls, % of a core", 100*float64(after-before)/float64(to.Sub(from))*per100)
	add("delay p50, ms", milliseconds(percentile(delays, 50)))
	add("delay p99, ms", milliseconds(percentile(delays, 99)))
	add("RSS per call, KiB", (rss-base)/float64(*calls))
	add("sound not heard as it was said, ‰", 1000*(1-float64(len(delays))/float64(sent)))
	l.report.lateness(float64(late) / float64(sent))
	if !resumed.IsZero() {
		later, _, _ := t.between(resumed.Add(time.Second), resumed.Add(1500*time.Millisecond))
		add("delay that stays 1 s after a stall of 0.4 s, ms", milliseconds(percentile(later, 50)-percentile(delays, 50)))
	}
	return nil
}

// stall holds the program for a while and gives the moment at which it went on.
func (l *lab) stall(s *subject) (time.Time, error) {
	if err := s.signal(syscall.SIGSTOP); err != nil {
		return time.Time{}, err
	}
	wait(stallTime)
	resumed := time.Now()
	err := s.signal(syscall.SIGCONT)
	wait(1500 * time.Millisecond)
	return resumed, err
}

// connect bridges n calls through the gateway.
func (l *lab) connect(s *subject, number string, ptime, n int) ([]leg, []*outCall, error) {
	l.caller.aim(s.sip)
	l.callee.reset(ptime)
	l.callee.dress(l.calleeStyle)
	up, err := l.caller.connect(number, n)
	if err != nil {
		return nil, nil, s.failure(err.Error())
	}
	var legs []leg
	for _, o := range up {
		// A document that records answers the caller before it dials.
		var b netip.AddrPort
		if until(patience, "", func() bool { b, err = l.callee.soundTo(o.n); return err == nil }) != nil {
			return nil, nil, s.failure(err.Error())
		}
		legs = append(legs, leg{0, o.sound}, leg{1, b})
	}
	return legs, up, nil
}
