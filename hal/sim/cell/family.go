package cell

// Family is a make of modems.
type Family string

// The families.
const (
	EC25    Family = "EC25"    // Quectel
	SIM7600 Family = "SIM7600" // SIMCom
	E1550   Family = "E1550"   // Huawei
)

// traits are what differs between families beside their commands.
type traits struct {
	vendor, product uint16
	at, pcm         int   // USB interfaces
	others          []int // that are there too
	maker, model    string
	firmware        string
	commands        map[string]command
	// changed tells of a call's state as the family does.
	changed func(m *Modem, c *modemCall)
	// early says that the sound of the network is heard before the answer.
	early bool
	// key tells of a key that the far end pressed; nil: it does not.
	key func(m *Modem, d byte)
}

func (f Family) traits() *traits {
	switch f {
	case SIM7600:
		return &traits{vendor: 0x1e0e, product: 0x9001, at: 2, pcm: 4, others: []int{0, 1, 3},
			maker: "SIMCOM INCORPORATED", model: "SIMCOM_SIM7600E-H", firmware: "LE20B05SIM7600G22",
			commands: simcom(), changed: (*Modem).tellSIMCom, key: func(m *Modem, d byte) {
				if m.settings.ddet {
					m.urc("+RXDTMF: " + string(d))
				}
			}}
	case E1550:
		return &traits{vendor: 0x12d1, product: 0x1001, at: 2, pcm: 1, others: []int{0},
			maker: "huawei", model: "E1550", firmware: "11.608.14.15.311",
			commands: huawei(), changed: (*Modem).tellHuawei, early: true}
	default:
		return &traits{vendor: 0x2c7c, product: 0x0125, at: 2, pcm: 1, others: []int{0, 3},
			maker: "Quectel", model: "EC25", firmware: "EC25EFAR06A06M4G",
			commands: quectel(), changed: (*Modem).tellQuectel, early: true, key: func(m *Modem, d byte) {
				if m.settings.tone {
					m.urc("+QTONEDET: " + itoa(int(d)))
				}
			}}
	}
}

// tellQuectel tells by +QIND ccinfo or ^DSCI.
//
//	+QIND: "ccinfo",id,dir,state,mode,mpty,number,type    (state -1: released)
//	^DSCI: id,dir,state,type,number,type                  (3 connect, 6 end, 7 alerting)
func (m *Modem) tellQuectel(c *modemCall) {
	if m.settings.ccinfo {
		m.urc(`+QIND: "ccinfo",` + itoa(c.idx) + "," + itoa(c.dir) + "," + itoa(c.stat) + `,0,0,"` + c.number + `",` + typeOf(c.number))
	}
	if m.settings.dsci {
		state := map[int]int{held: 1, dialling: 2, active: 3, incoming: 4, waitingCall: 5, gone: 6, alerting: 7}[c.stat]
		m.urc("^DSCI: " + itoa(c.idx) + "," + itoa(c.dir) + "," + itoa(state) + ",0," + c.number + "," + typeOf(c.number))
	}
}

// tellSIMCom tells by +CLCC and VOICE CALL.
func (m *Modem) tellSIMCom(c *modemCall) {
	if m.settings.clcc {
		stat := c.stat
		if stat == gone {
			stat = 6
		}
		m.urc("+CLCC: " + itoa(c.idx) + "," + itoa(c.dir) + "," + itoa(stat) + `,0,0,"` + c.number + `",` + typeOf(c.number) + `,""`)
	}
	switch {
	case c.stat == active:
		m.urc("VOICE CALL: BEGIN")
	case c.stat == gone && c.answered:
		s := c.seconds()
		m.urc("VOICE CALL: END: " + pad(s/60, 4) + pad(s%60, 2))
	case c.stat == gone && c.dir == 1:
		m.urc("MISSED_CALL: 11:01AM " + c.number)
	}
}

// tellHuawei tells by ^ORIG, ^CONF, ^CONN and ^CEND (index, seconds, how, cause).
func (m *Modem) tellHuawei(c *modemCall) {
	if !m.settings.curc {
		return
	}
	switch c.stat {
	case dialling:
		m.urc("^ORIG:" + itoa(c.idx) + ",0")
	case alerting:
		m.urc("^CONF:" + itoa(c.idx))
	case active:
		m.urc("^CONN:" + itoa(c.idx) + ",0")
	case gone:
		m.urc("^CEND:" + itoa(c.idx) + "," + itoa(c.seconds()) + ",104," + itoa(int(m.cause)))
	}
}
