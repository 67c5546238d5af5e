package gsm

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"callbox/hal"
	"callbox/hal/at"
)

// network is what is known of the registration: by +CREG (circuits), +CGREG
// (packets) and +CEREG (LTE). Networks that carry calls over LTE may leave +CREG
// alone.
type network struct {
	stat map[string]int
	tech string // access technology of the last that told
	lost time.Time
}

// heard takes the fields of one of them; asked says that it is an answer, which
// starts with the mode that was set.
//
//	+CREG: 2,1,"1A2B","01C3D4E5",7     asked
//	+CREG: 1,"1A2B","01C3D4E5",7       by itself
func (n *network) heard(name string, f []string, asked bool) {
	if asked && len(f) > 1 {
		f = f[1:]
	}
	stat, err := strconv.Atoi(strings.TrimSpace(f[0]))
	if err != nil || stat < 0 || stat > 10 {
		return
	}
	if n.stat == nil {
		n.stat = map[string]int{}
	}
	n.stat[name] = stat
	if len(f) > 3 {
		n.tech = technologies[f[3]]
	}
}

// technologies are the values of AcT (TS 27.007 §7.2).
var technologies = map[string]string{"0": "2G", "1": "2G", "2": "3G", "3": "2G", "4": "3G", "5": "3G", "6": "3G", "7": "LTE", "11": "5G", "13": "LTE"}

// state is the best that any of them tells: home, roaming, searching, refused.
func (n *network) state() (registered, roaming, denied bool) {
	for _, s := range n.stat {
		switch s {
		case 1:
			registered = true
		case 5:
			roaming = true
		case 3:
			denied = true
		}
	}
	return registered || roaming, roaming && !registered, denied && !registered && !roaming
}

// judgeNetwork publishes what the registration means for calls.
func (p *Port) judgeNetwork() {
	s := p.s
	if s == nil || s.stage != running {
		return
	}
	registered, roaming, denied := s.net.state()
	word, text := "searching", "the modem looks for a network"
	switch {
	case registered && roaming:
		word = "roaming"
	case registered:
		word = "registered"
	case denied:
		word, text = "refused", "the network refuses the SIM or the modem; ask the operator whether the SIM is active and the modem admitted"
	}
	p.update(func(m *hal.ModemState) { m.Network, m.Roaming = word, roaming })
	if !registered {
		if s.net.lost.IsZero() {
			s.net.lost = time.Now()
		}
		if !denied && time.Since(s.net.lost) > time.Minute {
			text = "the modem finds no network; check its antenna and where it stands"
		}
		p.condition(false, text)
		return
	}
	s.net.lost = time.Time{}
	p.ladder.well()
	p.woken()
	state := p.State()
	operator := state.Operator
	if operator == "" {
		operator = "the network"
	}
	switch {
	case roaming && !p.config().Roaming:
		p.condition(false, fmt.Sprintf("the SIM roams at %s, which is not allowed; allow it as the modem's roaming", operator))
	case s.soundBad != "":
		p.condition(false, s.soundBad)
	case p.v.phase == idle:
		text := "registered at " + operator
		if roaming {
			text = "roaming at " + operator
		}
		if state.Signal != 0 {
			text += fmt.Sprintf(", %d dBm", state.Signal/5*5)
		}
		p.condition(true, text)
	}
}

// askNetwork asks for the registration.
func (p *Port) askNetwork() {
	for _, name := range []string{"+CREG", "+CGREG", "+CEREG"} {
		p.every(name, p.networkTime(), func(s *session) {
			r, err := s.engine.Do(s.ctx, at.Command{Text: "AT" + name + "?", Answers: []string{name + ":"}, Class: at.Radio, Priority: at.Background})
			if err != nil {
				return
			}
			f := at.Fields(r.Value(name + ":"))
			s.later(func() {
				s.net.heard(name, f, true)
				p.judgeNetwork()
			})
		})
	}
}

// networkTime is how often the registration is asked for.
func (p *Port) networkTime() time.Duration {
	if registered, _, _ := p.s.net.state(); registered {
		return 10 * time.Second
	}
	return 2 * time.Second
}

// askSignal asks for the operator, the signal and how calls are carried.
func (p *Port) askSignal() {
	if registered, _, _ := p.s.net.state(); !registered {
		return
	}
	p.every("signal", 30*time.Second, func(s *session) {
		operator, signal, ims := "", 0, ims{}
		if r, err := s.ask("AT+COPS?", at.Radio, "+COPS:"); err == nil {
			if f := at.Fields(r.Value("+COPS:")); len(f) > 2 {
				operator = f[2]
			}
		}
		if r, err := s.ask("AT+CSQ", at.Radio, "+CSQ:"); err == nil {
			signal = dBm(at.Fields(r.Value("+CSQ:"))[0])
		}
		if s.row.volte != "" {
			if r, err := s.ask(s.row.volte, at.Radio, "+QCFG:"); err == nil {
				ims = imsOf(r.Value("+QCFG:"))
			}
		}
		s.later(func() {
			voice, advice := s.voiceBy(ims)
			p.update(func(m *hal.ModemState) {
				m.Operator, m.Signal, m.Voice, m.VoLTE = operator, signal, voice, advice
			})
			p.judgeNetwork()
		})
	})
}

// dBm is the level behind a value of +CSQ; 0: not known.
func dBm(csq string) int {
	n, err := strconv.Atoi(csq)
	if err != nil || n < 0 || n > 31 {
		return 0
	}
	return -113 + 2*n
}
