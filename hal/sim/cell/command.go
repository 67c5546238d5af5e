package cell

import (
	"fmt"
	"strings"
	"time"
)

// command answers one AT command. how is what followed its name: "" (execute),
// "?" (read), "=?" (test) or "=" (set), arg what came behind that.
type command func(m *Modem, how, arg string) reply

// reply is what a command is answered.
type reply struct {
	lines []string
	final string        // empty: OK
	after time.Duration // how long it takes; 0: 10 ms
	then  func()        // what happens when it was answered
}

// ok is a reply of lines.
func ok(lines ...string) reply { return reply{lines: lines} }

// failed is a reply of a final code.
func failed(final string) reply { return reply{final: final} }

// cme is an error of the phone part, as +CMEE has it.
func (m *Modem) cme(code int) reply {
	texts := map[int]string{3: "operation not allowed", 10: "SIM not inserted", 11: "SIM PIN required", 12: "SIM PUK required",
		14: "SIM busy", 16: "incorrect password", 30: "No network service"}
	switch m.settings.errors {
	case 0:
		return failed("ERROR")
	case 2:
		return failed("+CME ERROR: " + texts[code])
	}
	return failed("+CME ERROR: " + itoa(code))
}

// exec runs a command line.
func (m *Modem) exec(line string) {
	line = strings.TrimSpace(line)
	i := 0
	for i+2 <= len(line) && !strings.EqualFold(line[i:i+2], "AT") {
		i++
	}
	if i+2 > len(line) {
		return // noise
	}
	line = line[i+2:]
	if line == "" {
		m.answerWith(ok())
		return
	}
	name, how, arg := split(line)
	run, known := m.traits.commands[name]
	if !known {
		run, known = common()[name]
	}
	if !known {
		run, known = textCommands()[name]
	}
	if !known {
		m.answerWith(failed("ERROR"))
		return
	}
	m.answerWith(run(m, how, arg))
}

// split cuts a command line behind AT into the command's name, how it is meant and
// its argument.
func split(line string) (name, how, arg string) {
	switch line[0] {
	case 'D', 'd':
		return "D", "", line[1:]
	case '+', '^', '$', '*', '#':
		i := strings.IndexAny(line, "=?")
		if i < 0 {
			return strings.ToUpper(line), "", ""
		}
		name, arg = strings.ToUpper(line[:i]), line[i:]
		for _, how := range []string{"=?", "?", "="} {
			if rest, ok := strings.CutPrefix(arg, how); ok {
				return name, how, rest
			}
		}
	case '&':
		return strings.ToUpper(line[:min(2, len(line))]), "", line[min(2, len(line)):]
	}
	return strings.ToUpper(line[:1]), "", line[1:]
}

// answerWith sends a reply when its time has come.
func (m *Modem) answerWith(r reply) {
	m.busy = true
	f := m.faultsNow()
	if r.after == 0 {
		r.after = 10 * time.Millisecond
	}
	m.later(r.after+f.Late, func() {
		for i, l := range r.lines {
			m.write(l)
			if f.Inside && i == 0 {
				m.urc("^RSSI:18")
			}
		}
		if r.final == "" {
			r.final = "OK"
		}
		if r.final != "-" {
			m.write(r.final)
		}
		m.busy = false
		if r.then != nil {
			r.then()
		}
		m.work()
	})
}

// unquote takes the quotes off an argument.
func unquote(s string) string { return strings.Trim(strings.TrimSpace(s), `"`) }

// flag is a setting that is a number other than 0.
func flag(p func(m *Modem) *bool) command {
	return func(m *Modem, how, arg string) reply {
		if how == "=" {
			*p(m) = !strings.HasPrefix(arg, "0")
		}
		return ok()
	}
}

// accept is a command that does nothing here.
func accept(_ *Modem, _, _ string) reply { return ok() }

// common are the commands of all families.
func common() map[string]command {
	return map[string]command{
		"Z": func(m *Modem, _, _ string) reply { return ok() },
		"E": func(m *Modem, _, arg string) reply { m.settings.echo = arg != "0"; return ok() },
		"V": accept, "&F": accept, "&D": accept, "&C": accept, "X": accept,
		"I":     func(m *Modem, _, _ string) reply { return ok(m.traits.maker, m.traits.model, m.cfg.Firmware) },
		"+CGMI": func(m *Modem, _, _ string) reply { return ok(m.traits.maker) },
		"+CGMM": func(m *Modem, _, _ string) reply { return ok(m.traits.model) },
		"+CGMR": func(m *Modem, _, _ string) reply { return ok(m.cfg.Firmware) },
		"+CGSN": func(m *Modem, _, _ string) reply { return ok(m.cfg.IMEI) },
		"+CMEE": func(m *Modem, how, arg string) reply {
			if how == "=" && len(arg) == 1 && arg[0] >= '0' && arg[0] <= '2' {
				m.settings.errors = int(arg[0] - '0')
			}
			return ok()
		},
		"+CFUN": function, "+CPIN": pin, "+CIMI": func(m *Modem, _, _ string) reply {
			if r, ok := m.locked(); !ok {
				return r
			}
			return ok(m.card.IMSI)
		},
		"+CNUM": func(m *Modem, _, _ string) reply {
			return ok(`+CNUM: "","` + m.cfg.Number + `",` + typeOf(m.cfg.Number))
		},
		"+CREG":  registration("+CREG", func(m *Modem) *int { return &m.settings.reg }),
		"+CGREG": registration("+CGREG", func(m *Modem) *int { return &m.settings.greg }),
		"+CEREG": registration("+CEREG", func(m *Modem) *int { return &m.settings.ereg }),
		"+COPS": func(m *Modem, how, _ string) reply {
			switch {
			case how != "?":
				return ok()
			case m.radio.stat == 1:
				return ok(`+COPS: 0,0,"Biloxi Mobile",7`)
			case m.radio.stat == 5:
				return ok(`+COPS: 0,0,"Atlanta Cellular",7`)
			}
			return ok("+COPS: 0")
		},
		"+CCLK": func(m *Modem, how, _ string) reply {
			if how != "?" {
				return ok()
			}
			return ok("+CCLK: " + m.told("06/01/02,15:04:05"))
		},
		"+CSQ": func(m *Modem, _, _ string) reply {
			if m.radio.stat != 1 && m.radio.stat != 5 {
				return ok("+CSQ: 99,99")
			}
			return ok("+CSQ: 21,99")
		},
		"+CLIP": flag(func(m *Modem) *bool { return &m.settings.clip }),
		"+CRC":  flag(func(m *Modem) *bool { return &m.settings.ring }),
		"+CCWA": flag(func(m *Modem) *bool { return &m.settings.wait }),
		"+CSSN": accept, "+CLIR": accept, "+CMUT": accept, "+CSCS": accept, "+CVHU": accept,
		"D": func(m *Modem, _, arg string) reply {
			number, voice := strings.CutSuffix(arg, ";")
			if !voice || number == "" {
				return failed("NO CARRIER")
			}
			if r, ok := m.locked(); !ok {
				return r
			}
			number = strings.TrimRight(number, "iIgG") // CLIR and closed user group, TS 27.007 §6.2
			return reply{final: m.dial(number), after: 50 * time.Millisecond}
		},
		"A":     func(m *Modem, _, _ string) reply { return reply{final: m.answer(), after: 50 * time.Millisecond} },
		"H":     func(m *Modem, _, _ string) reply { return reply{after: 50 * time.Millisecond, then: m.hangUp} },
		"+CHUP": func(m *Modem, _, _ string) reply { return reply{after: 50 * time.Millisecond, then: m.hangUp} },
		"+CHLD": func(m *Modem, how, arg string) reply {
			if how == "=" && arg == "0" {
				return reply{then: m.refuseWaiting}
			}
			return ok()
		},
		"+CLCC": func(m *Modem, how, arg string) reply {
			if how == "=" {
				m.settings.clcc = arg == "1" && m.cfg.Family == SIM7600
				return ok()
			}
			var lines []string
			for _, c := range m.calls {
				lines = append(lines, fmt.Sprintf(`+CLCC: %d,%d,%d,0,0,"%s",%s`, c.idx, c.dir, c.stat, c.number, typeOf(c.number)))
			}
			// A data connection, as modems show it among the calls.
			return ok(append(lines, `+CLCC: 3,0,0,1,0,"",128`)...)
		},
		"+CEER": func(m *Modem, _, _ string) reply { return ok("+CEER: " + m.reason()) },
		"+VTS":  func(m *Modem, how, arg string) reply { return m.press(unquote(arg)) },
	}
}

// locked reports whether the SIM can be used, and what else is said.
func (m *Modem) locked() (reply, bool) {
	switch {
	case m.faultsNow().NoSIM:
		return m.cme(10), false
	case m.card.state() == "SIM PUK":
		return m.cme(12), false
	case m.card.state() == "SIM PIN":
		return m.cme(11), false
	}
	return reply{}, true
}

// function is +CFUN: 0 and 4 switch the radio off, 1,1 restarts the modem.
func function(m *Modem, how, arg string) reply {
	switch {
	case how == "?":
		return ok("+CFUN: " + itoa(m.radio.function))
	case how != "=":
		return ok("+CFUN: (0,1,4),(0,1)")
	case arg == "1,1":
		return reply{after: 300 * time.Millisecond, then: m.restart}
	case arg == "0" || arg == "1" || arg == "4":
		return reply{after: 500 * time.Millisecond, then: func() {
			m.radio.function = int(arg[0] - '0')
			m.search()
		}}
	}
	return failed("ERROR")
}

// restart takes the modem off the bus and puts it back.
func (m *Modem) restart() {
	m.mu.Lock()
	s := m.socket
	m.mu.Unlock()
	if s != nil {
		s.restart(m)
	}
}

// pin is +CPIN.
func pin(m *Modem, how, arg string) reply {
	f := m.faultsNow()
	switch {
	case f.NoSIM:
		return m.cme(10)
	case m.card.asked < f.SIMBusy:
		m.card.asked++
		return m.cme(14)
	case how == "?":
		return ok("+CPIN: " + m.card.state())
	case how != "=":
		return ok()
	}
	was := m.card.state()
	first, second, both := strings.Cut(arg, ",")
	good := false
	switch {
	case was == "SIM PIN" && !both:
		good = m.card.enter(unquote(first))
	case was == "SIM PUK" && both:
		good = m.card.unblock(unquote(first), unquote(second))
	case was == "READY":
		return m.cme(3)
	}
	if !good {
		if m.card.state() == "SIM PUK" && was == "SIM PIN" {
			return m.cme(12)
		}
		return m.cme(16)
	}
	return reply{after: 200 * time.Millisecond, then: m.cardReady}
}

// registration is +CREG and its like.
func registration(name string, mode func(m *Modem) *int) command {
	return func(m *Modem, how, arg string) reply {
		switch {
		case how == "=" && len(arg) == 1 && arg[0] >= '0' && arg[0] <= '2':
			*mode(m) = int(arg[0] - '0')
		case how == "?":
			return ok(name + ": " + itoa(*mode(m)) + "," + m.place(*mode(m)))
		}
		return ok()
	}
}

// press is +VTS and its like: one key.
func (m *Modem) press(key string) reply {
	c := m.current()
	if len(key) != 1 || !strings.Contains("0123456789*#ABCD", key) || c == nil || c.stat != active {
		return m.cme(3)
	}
	c.talk.other(m).digit(c.talk, key[0])
	return reply{after: 120 * time.Millisecond}
}

// reason is why the last call ended, as +CEER tells it.
func (m *Modem) reason() string {
	texts := map[Release]string{0: "No cause information available", Unallocated: "Unassigned (unallocated) number", Cleared: "Normal call clearing", UserBusy: "User busy",
		NoResponse: "No user responding", NoReply: "User alerting, no answer", Rejected: "Call rejected", Congested: "Switching equipment congestion",
		NoRadio: "Temporary failure", Barred: "Operator determined barring", NotSupported: "Service or option not implemented, unspecified"}
	if m.cfg.Family == EC25 {
		return "CC," + itoa(int(m.cause)) + "," + texts[m.cause]
	}
	return texts[m.cause]
}

// startSound is what the commands that start the sound have in common.
func (m *Modem) startSound(needCall bool) reply {
	f, c := m.faultsNow(), m.current()
	switch {
	case f.NoVoice, needCall && (c == nil || c.stat != active):
		return failed("ERROR")
	case c != nil && c.refused < f.Refusals:
		c.refused++
		return failed("ERROR")
	}
	if !needCall {
		m.pcmOn = true
	}
	if c != nil {
		c.sound = true
		m.hearCall(c)
	}
	return ok()
}
