package cell

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// States of a call as +CLCC tells them (TS 27.007 §7.18), and that of one that
// has gone.
const (
	active = iota
	held
	dialling
	alerting
	incoming
	waitingCall
	gone = -1
)

// modemCall is a call of a modem; it is the modem's goroutine's.
type modemCall struct {
	talk      *talk
	idx       int
	dir, stat int // dir 0: the modem called
	number    string
	answered  bool
	since     time.Time
	refused   int  // times that the sound was refused
	sound     bool // the command for the sound was given
}

// seconds is how long it has been answered.
func (c *modemCall) seconds() int {
	if !c.answered {
		return 0
	}
	return int(time.Since(c.since) / time.Second)
}

func itoa(n int) string { return strconv.Itoa(n) }

// pad writes n with at least so many digits.
func pad(n, digits int) string {
	s := itoa(n)
	return strings.Repeat("0", max(digits-len(s), 0)) + s
}

// typeOf is a number's type of address (TS 24.008 §10.5.4.7).
func typeOf(number string) string {
	if strings.HasPrefix(number, "+") {
		return "145"
	}
	return "129"
}

// current is the call that is heard: the first that is not waiting.
func (m *Modem) current() *modemCall {
	for _, c := range m.calls {
		if c.stat != waitingCall {
			return c
		}
	}
	return nil
}

func (m *Modem) find(t *talk) *modemCall {
	for _, c := range m.calls {
		if c.talk == t {
			return c
		}
	}
	return nil
}

// turn changes a call's state and tells of it.
func (m *Modem) turn(c *modemCall, stat int) {
	c.stat = stat
	if stat == active && !c.answered {
		c.answered, c.since = true, time.Now()
	}
	m.traits.changed(m, c)
	m.hearCall(c)
}

// hearCall lets a call's sound flow when its state and the box want it.
func (m *Modem) hearCall(c *modemCall) {
	up := c.stat == active || c.stat == alerting && c.dir == 0 && m.traits.early
	if c.sound && up && m.current() == c {
		m.sound.begin(c.talk, c.stat == alerting)
	}
}

// dial is ATD; the error is a final code.
func (m *Modem) dial(number string) string {
	switch {
	case m.radio.stat != 1 && m.radio.stat != 5 || m.current() != nil:
		return "NO CARRIER"
	case m.faultsNow().NoCarrier:
		m.later(300*time.Millisecond, func() { m.cause = 0; m.urc("NO CARRIER") })
		return "OK"
	}
	c := &modemCall{idx: 1, dir: 0, stat: dialling, number: number, sound: m.pcmOn}
	c.talk = &talk{a: m, b: m.net.find(number, m)}
	m.calls = append(m.calls, c)
	m.later(100*time.Millisecond, func() {
		if m.find(c.talk) != nil {
			m.turn(c, dialling)
		}
	})
	m.later(400*time.Millisecond, func() {
		if m.find(c.talk) != nil {
			c.talk.b.offered(c.talk, m.cfg.Number)
		}
	})
	return "OK"
}

// offered implements end.
func (m *Modem) offered(t *talk, from string) {
	m.post(func() {
		switch {
		case m.out == nil || m.radio.stat != 1 && m.radio.stat != 5:
			t.release(m, NoRadio)
		case len(m.calls) > 1:
			t.release(m, UserBusy)
		case len(m.calls) == 1:
			if !m.settings.wait {
				t.release(m, UserBusy)
				return
			}
			c := &modemCall{talk: t, idx: 2, dir: 1, number: from, sound: m.pcmOn}
			m.calls = append(m.calls, c)
			m.urc(`+CCWA: "` + from + `",` + typeOf(from) + ",1")
			m.turn(c, waitingCall)
		default:
			c := &modemCall{talk: t, idx: 1, dir: 1, number: from, sound: m.pcmOn}
			m.calls = append(m.calls, c)
			t.a.alerting(t)
			m.turn(c, incoming)
			m.ring(c)
		}
	})
}

// ring tells of a call every 3 s until it is answered or gone.
func (m *Modem) ring(c *modemCall) {
	if m.find(c.talk) == nil || c.stat != incoming {
		return
	}
	if m.settings.ring {
		m.urc("+CRING: VOICE")
	} else {
		m.urc("RING")
	}
	if m.settings.clip {
		m.later(50*time.Millisecond, func() {
			if c.stat == incoming {
				m.urc(`+CLIP: "` + c.number + `",` + typeOf(c.number) + ",,,,0")
			}
		})
	}
	m.later(3*time.Second, func() { m.ring(c) })
}

// answer is ATA.
func (m *Modem) answer() string {
	i := slices.IndexFunc(m.calls, func(c *modemCall) bool { return c.stat == incoming })
	if i < 0 {
		return "NO CARRIER"
	}
	c := m.calls[i]
	c.talk.answer()
	if !c.talk.isUp() {
		return "NO CARRIER"
	}
	m.later(0, func() {
		if m.find(c.talk) != nil {
			m.turn(c, active)
		}
	})
	return "OK"
}

// hangUp is +CHUP: all calls but those that wait, or, when there are none but
// those, them.
func (m *Modem) hangUp() {
	list := slices.Clone(m.calls)
	for _, c := range list {
		if c.stat == waitingCall && len(list) > 1 {
			continue
		}
		why := Cleared
		if c.dir == 1 && !c.answered {
			why = UserBusy
		}
		m.cause = Cleared
		m.remove(c)
		c.talk.release(m, why)
		if len(list) > 1 {
			m.promote()
		}
	}
}

// refuseWaiting is +CHLD=0.
func (m *Modem) refuseWaiting() {
	for _, c := range slices.Clone(m.calls) {
		if c.stat == waitingCall {
			m.remove(c)
			c.talk.release(m, UserBusy)
		}
	}
}

// promote makes a waiting call ring when the other one has gone.
func (m *Modem) promote() {
	for _, c := range m.calls {
		if c.stat == waitingCall {
			m.turn(c, incoming)
			m.ring(c)
		}
	}
}

// remove takes a call away and tells of it.
func (m *Modem) remove(c *modemCall) {
	if m.current() == c {
		m.sound.end()
	}
	m.calls = slices.DeleteFunc(m.calls, func(o *modemCall) bool { return o == c })
	if c.stat != gone {
		c.stat = gone
		m.traits.changed(m, c)
	}
}

// dropCalls ends all calls, of which the box is told nothing.
func (m *Modem) dropCalls(why Release) {
	m.sound.end()
	for _, c := range m.calls {
		c.stat = gone
		c.talk.release(m, why)
	}
	m.calls = nil
}

func (m *Modem) alerting(t *talk) {
	m.post(func() {
		if c := m.find(t); c != nil && c.dir == 0 {
			m.later(200*time.Millisecond, func() {
				if m.find(t) != nil && c.stat == dialling {
					m.turn(c, alerting)
				}
			})
		}
	})
}

func (m *Modem) answered(t *talk) {
	m.post(func() {
		if c := m.find(t); c != nil {
			m.turn(c, active)
		}
	})
}

func (m *Modem) released(t *talk, why Release) {
	m.post(func() {
		c := m.find(t)
		if c == nil {
			return
		}
		m.cause = why
		waited, out, was := c.stat == waitingCall, c.dir == 0, c.answered
		m.remove(c)
		switch {
		case waited:
		case out && !was && why == UserBusy:
			m.urc("BUSY")
		case out && !was && why == NoReply:
			m.urc("NO ANSWER")
		default:
			m.urc("NO CARRIER")
		}
		m.promote()
	})
}

// digit implements end.
func (m *Modem) digit(t *talk, d byte) {
	m.post(func() {
		if m.find(t) != nil && m.traits.key != nil {
			m.traits.key(m, d)
		}
	})
}
