package cell

import (
	"strings"
	"time"
)

// told is the time that the network has told, in UTC; without one that the modem began
// to count with.
func (m *Modem) told(layout string) string {
	t := time.Now().UTC()
	if m.radio.stat != 1 && m.radio.stat != 5 {
		t = time.Date(1980, 1, 6, 0, 0, 0, 0, time.UTC)
	}
	return `"` + t.Format(layout) + `+00"`
}

// quectel are the commands of the EC25 (Quectel EC2x AT commands manual).
func quectel() map[string]command {
	return map[string]command{
		"+QCCID": iccid("+QCCID: "),
		"+QPINC": func(m *Modem, _, _ string) reply {
			return ok(`+QPINC: "SC",` + itoa(m.card.pin) + "," + itoa(m.card.puk))
		},
		"+QGPSCFG": accept, "+QURCCFG": accept, "+QSIMSTAT": accept, "+QMIC": accept, "+QRXGAIN": accept, "+QEEC": accept, "+QAUDMOD": accept,
		"+QGMR": func(m *Modem, _, _ string) reply { return ok(m.cfg.Firmware) },
		"+QCFG": func(m *Modem, _, arg string) reply {
			set, found := strings.CutPrefix(arg, `"ims"`)
			switch {
			case found && set == "": // 0: the operator's profile decides, which has it
				registered := m.radio.ims != 2 && !m.faultsNow().NoVoLTE && m.faultsNow().stat() == 1
				return ok(`+QCFG: "ims",` + itoa(m.ims) + map[bool]string{true: ",1", false: ",0"}[registered])
			case found && (len(set) != 2 || set[0] != ',' || set[1] < '0' || set[1] > '2'):
				return failed("ERROR")
			case found:
				m.ims = int(set[1] - '0') // kept, and used from the next start on
			}
			return ok()
		},
		"+QMBNCFG": accept,
		"+QLTS": func(m *Modem, _, _ string) reply {
			return ok("+QLTS: " + strings.TrimSuffix(m.told("2006/01/02,15:04:05"), `"`) + `,0"`)
		},
		"+QINDCFG": func(m *Modem, how, arg string) reply {
			if how == "=" && strings.HasPrefix(arg, `"ccinfo",`) {
				m.settings.ccinfo = strings.HasPrefix(arg, `"ccinfo",1`)
			}
			return ok()
		},
		"^DSCI":     flag(func(m *Modem) *bool { return &m.settings.dsci }),
		"+QTONEDET": flag(func(m *Modem) *bool { return &m.settings.tone }),
		"+QHUP":     func(m *Modem, _, _ string) reply { return reply{after: 50 * time.Millisecond, then: m.hangUp} },
		"+QPCMV": func(m *Modem, how, arg string) reply {
			switch {
			case how == "=?":
				return ok("+QPCMV: (0,1),(0-2)")
			case how == "?" && m.pcmOn:
				return ok("+QPCMV: 1,0")
			case how == "?":
				return ok("+QPCMV: 0")
			case strings.HasPrefix(arg, "0"):
				m.pcmOn = false
				return ok()
			case m.pcmOn: // switching while it is on is refused
				return failed("ERROR")
			}
			m.sound.route(strings.HasPrefix(arg, "1,2"))
			return m.startSound(false)
		},
	}
}

// simcom are the commands of the SIM7600 (SIM7500/SIM7600 AT command manual).
func simcom() map[string]command {
	return map[string]command{
		"+CICCID": iccid("+ICCID: "),
		"+SPIC": func(m *Modem, _, _ string) reply {
			return ok("+SPIC: " + itoa(m.card.pin) + "," + itoa(m.card.puk) + ",3,10")
		},
		"+CSCLK": accept, "+CNSMOD": accept, "+AUTOCSQ": accept, "+CLTS": accept, "+CNMP": accept, "+CEVOLTE": accept, "+CPCMFRM": accept, "+CUSBPIDSWITCH": accept,
		"+DDET":   flag(func(m *Modem) *bool { return &m.settings.ddet }),
		"+CRESET": func(m *Modem, _, _ string) reply { return reply{after: 300 * time.Millisecond, then: m.restart} },
		"+CPSI": func(m *Modem, _, _ string) reply {
			return ok("+CPSI: LTE,Online,310-260,0x1A2B,29475045,152,EUTRAN-BAND3,1850,5,5,-94,-850,-545,14")
		},
		"+CPCMREG": func(m *Modem, how, arg string) reply {
			switch {
			case how == "=?":
				return ok("+CPCMREG: (0,1)")
			case how == "?":
				return ok("+CPCMREG: 0")
			case strings.HasPrefix(arg, "1"):
				return m.startSound(true)
			}
			m.sound.end()
			return ok()
		},
	}
}

// huawei are the commands of the E1550.
func huawei() map[string]command {
	return map[string]command{
		"^ICCID": iccid("^ICCID: "),
		"^CPIN": func(m *Modem, _, _ string) reply {
			left := m.card.pin
			if m.card.pin == 0 {
				left = m.card.puk
			}
			return ok("^CPIN: " + m.card.state() + "," + itoa(left) + "," + itoa(m.card.puk) + "," + itoa(m.card.pin) + ",10,3")
		},
		"^CURC":    flag(func(m *Modem) *bool { return &m.settings.curc }),
		"^SYSINFO": func(m *Modem, _, _ string) reply { return ok("^SYSINFO:2,3,0,5,1") },
		"^CVOICE": func(m *Modem, how, _ string) reply {
			if m.faultsNow().NoVoice {
				return ok("^CVOICE:1,0,0,0")
			}
			return ok("^CVOICE:0,8000,16,20")
		},
		"^DDSETEX": func(m *Modem, _, _ string) reply {
			if m.current() == nil {
				return failed("ERROR")
			}
			r := m.startSound(false)
			m.pcmOn = false
			return r
		},
		"^DTMF": func(m *Modem, _, arg string) reply {
			_, key, _ := strings.Cut(arg, ",")
			return m.press(unquote(key))
		},
	}
}

// iccid tells the number of the card.
func iccid(prefix string) command {
	return func(m *Modem, _, _ string) reply {
		if m.faultsNow().NoSIM {
			return m.cme(10)
		}
		return ok(prefix + m.card.ICCID)
	}
}
