package cell

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// memoryRoom is how many messages a SIM holds.
const memoryRoom = 20

// memory is where a modem keeps messages; it is the modem's goroutine's and
// survives a loss of power.
type memory struct {
	slots   map[int]stored
	waiting []string // PDUs for which there is no room, or no network
	ref     byte     // of the last message sent
}

type stored struct {
	stat int // 0 unread, 1 read
	pdu  string
}

// textCommands are the commands of messages (TS 27.005) and of USSD (TS 27.007).
func textCommands() map[string]command {
	return map[string]command{
		"+CMGF": accept, "+CMMS": accept, "+CSMS": accept,
		"+CNMI": func(m *Modem, how, arg string) reply {
			if how == "=" {
				f := strings.Split(arg, ",")
				m.settings.indicate = len(f) > 1 && f[1] == "1"
				m.settings.reports = len(f) > 3 && f[3] == "1"
			}
			return ok()
		},
		"+CPMS": func(m *Modem, how, arg string) reply {
			if how == "=" && m.cfg.Family == E1550 && strings.Contains(arg, "M") && !strings.Contains(arg, "SM") {
				return failed("+CMS ERROR: 302") // it has only the SIM's
			}
			n := len(m.memory.slots)
			return ok(fmt.Sprintf("+CPMS: %d,%d,%d,%d,%d,%d", n, memoryRoom, n, memoryRoom, n, memoryRoom))
		},
		"+CSCA": func(m *Modem, _, _ string) reply { return ok(`+CSCA: "+14155550170",145`) },
		"+CMGR": func(m *Modem, _, arg string) reply {
			n, err := strconv.Atoi(arg)
			s, found := m.memory.slots[n]
			if err != nil || !found {
				return failed("+CMS ERROR: 321")
			}
			m.memory.slots[n] = stored{1, s.pdu}
			return ok(fmt.Sprintf("+CMGR: %d,,%d", s.stat, len(s.pdu)/2-1), s.pdu)
		},
		"+CMGD": func(m *Modem, _, arg string) reply {
			n, err := strconv.Atoi(strings.Split(arg, ",")[0])
			if err != nil {
				return failed("+CMS ERROR: 321")
			}
			delete(m.memory.slots, n)
			return reply{after: 50 * time.Millisecond, then: m.fill}
		},
		"+CMGL": func(m *Modem, _, _ string) reply {
			var lines []string
			for n := range memoryRoom {
				if s, found := m.memory.slots[n]; found {
					lines = append(lines, fmt.Sprintf("+CMGL: %d,%d,,%d", n, s.stat, len(s.pdu)/2-1), s.pdu)
					m.memory.slots[n] = stored{1, s.pdu}
				}
			}
			return ok(lines...)
		},
		"+CMGS": func(m *Modem, how, arg string) reply {
			n, err := strconv.Atoi(arg)
			if how != "=" || err != nil {
				return failed("+CMS ERROR: 304")
			}
			if r, ok := m.locked(); !ok {
				return r
			}
			return reply{final: "-", then: func() {
				m.prompt, m.paper, m.length = true, nil, n
				m.send([]byte("\r\n> "))
			}}
		},
		"+CUSD": ussd,
	}
}

// write on the paper behind the prompt: one byte.
func (m *Modem) note(c byte) {
	switch c {
	case 0x1B:
		m.prompt = false
		m.answerWith(ok())
	case 0x1A:
		m.prompt = false
		m.answerWith(m.submit(strings.ToUpper(strings.TrimSpace(string(m.paper)))))
	case '\r', '\n':
	default:
		if len(m.paper) < maxLine {
			m.paper = append(m.paper, c)
		}
	}
}

// submit gives a message to the network.
func (m *Modem) submit(pdu string) reply {
	f := m.faultsNow()
	s, err := readSubmit(pdu)
	switch {
	case err != nil, len(pdu)/2-1 != m.length:
		return failed("+CMS ERROR: 304")
	case f.TextError > 0:
		return reply{final: "+CMS ERROR: " + itoa(f.TextError), after: time.Second}
	case m.radio.stat != 1 && m.radio.stat != 5:
		return failed("+CMS ERROR: 331")
	}
	m.memory.ref++
	ref := m.memory.ref
	return reply{lines: []string{"+CMGS: " + itoa(int(ref))}, after: 300 * time.Millisecond, then: func() {
		state := byte(0)
		if f.Undelivered {
			state = 0x46
		} else {
			m.net.carry(m, s)
		}
		if s.report && !f.NoReports {
			m.later(time.Second, func() {
				if m.settings.reports {
					p := s.reportPDU(ref, state)
					m.urc("+CDS: " + itoa(len(p)/2-1) + "\r\n" + p)
				}
			})
		}
	}}
}

// carry brings a message to whom it is for.
func (n *Network) carry(from *Modem, s submit) {
	n.mu.Lock()
	to := n.modems["+"+strings.TrimPrefix(s.to, "+")]
	n.mu.Unlock()
	if to != nil {
		to.deliver(s.deliverPDU(from.cfg.Number))
		return
	}
	from.sub.texted(s)
}

// deliver has a message arrive.
func (m *Modem) deliver(pdu string) {
	m.post(func() {
		m.memory.waiting = append(m.memory.waiting, pdu)
		m.fill()
	})
}

// fill takes what the network has for the modem, as far as there is room and a
// network, and tells of it.
func (m *Modem) fill() {
	for len(m.memory.waiting) > 0 && m.out != nil && (m.radio.stat == 1 || m.radio.stat == 5) {
		if m.memory.slots == nil {
			m.memory.slots = map[int]stored{}
		}
		n := 0
		for m.memory.slots[n].pdu != "" {
			n++
		}
		if n >= memoryRoom {
			return
		}
		m.memory.slots[n] = stored{0, m.memory.waiting[0]}
		m.memory.waiting = m.memory.waiting[1:]
		if m.settings.indicate {
			m.urc(fmt.Sprintf(`+CMTI: "SM",%d`, n))
		}
	}
}

// texted is what a subscriber is sent.
func (s *Subscriber) texted(m submit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.total > 1 {
		s.pieces = append(s.pieces, m)
		var whole []submit
		for _, p := range s.pieces {
			if p.ref == m.ref && p.total == m.total {
				whole = append(whole, p)
			}
		}
		if len(whole) < m.total {
			return
		}
		s.pieces = slices.DeleteFunc(s.pieces, func(p submit) bool { return p.ref == m.ref && p.total == m.total })
		slices.SortFunc(whole, func(a, b submit) int { return a.seq - b.seq })
		m.units = nil
		for _, p := range whole {
			m.units = append(m.units, p.units...)
		}
	}
	if len(s.texts) >= 100 {
		s.texts = s.texts[1:]
	}
	s.texts = append(s.texts, m.text())
	s.changed()
}

// Texts are what the subscriber was sent, oldest first.
func (s *Subscriber) Texts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.texts)
}

// Text has the subscriber send the SIM a text message.
func (s *Subscriber) Text(body string) {
	s.mu.Lock()
	s.sent++
	ref := s.sent
	s.mu.Unlock()
	for _, pdu := range deliverPDUs(s.number, body, ref) {
		s.modem.deliver(pdu)
	}
}

// ussd is +CUSD. The network knows *100# (the credit) and *101# (a menu).
func ussd(m *Modem, how, arg string) reply {
	if how != "=" {
		return ok()
	}
	mode, rest, _ := strings.Cut(arg, ",")
	if mode == "2" {
		m.menu = false
		return ok()
	}
	first, last := strings.IndexByte(rest, '"'), strings.LastIndexByte(rest, '"')
	if last <= first {
		return m.cme(3)
	}
	code := rest[first+1 : last]
	if m.cfg.Family == E1550 {
		b, err := hex.DecodeString(code)
		if err != nil {
			return failed("ERROR")
		}
		code = strings.TrimRight(decode7(unpack(b, 0, len(b)*8/7)), "\r")
	}
	if m.radio.stat != 1 && m.radio.stat != 5 {
		return m.cme(30)
	}
	say, next := 0, ""
	switch {
	case m.menu && code == "1":
		next = "You have 3 GB until 30 November"
	case m.menu:
		next = "Goodbye"
	case code == "*100#":
		next = "Your credit is 12.50 EUR"
	case code == "*101#":
		say, next = 1, "1 Data\n2 Minutes"
	default:
		say = 4
	}
	m.menu = say == 1
	return reply{after: 100 * time.Millisecond, then: func() {
		m.later(time.Second, func() {
			if next == "" {
				m.urc("+CUSD: " + itoa(say))
				return
			}
			if m.cfg.Family == E1550 {
				septets := encode7(next)
				if len(septets)%8 == 7 {
					septets = append(septets, '\r') // TS 23.038 §6.1.2.3.1
				}
				next = strings.ToUpper(hex.EncodeToString(pack(septets, 0)))
			}
			m.urc(fmt.Sprintf(`+CUSD: %d,"%s",15`, say, next))
		})
	}}
}
