package gsm

import "callbox/hal"

// row is what is particular about a family of modems. A new modem is a new row.
// Command lists are sent one by one; an ERROR skips nothing but itself.
type row struct {
	name     string
	vendor   uint16
	products []uint16
	at, pcm  int // USB interfaces of the commands and the sound

	setup []string // each time that the modem starts
	// tries asks how often a PIN may still be tried: the answer's start, and which
	// of its fields that is.
	tries      string
	triesStart string
	triesField int
	iccid      string // asks for the number of the SIM
	iccidStart string

	prepare []string // before a call is made or taken
	// byCard stands for prepare when the sound goes by the modem's own sound card;
	// empty: it has none.
	byCard  []string
	connect []string // when a call was made or taken
	// soundOn starts the sound of an answered call, as often as it takes; soundOff
	// ends it before the call is ended.
	soundOn, soundOff string
	// voice asks whether the modem gives sound at all; an answer that starts with
	// voiceless says no.
	voice, voiceless string
	hangup           string
	digit            string // %c is the key
	early            bool   // the network's sound comes before the answer
	keys             string // start of the line that tells of a key; empty: it does not
	keysAreCodes     bool   // … as a character's code
	pause            string // start of the line that asks for a pause of the sound
	volte            string // asks whether calls go over LTE; empty: no such thing
	// volteOn and volteOff have calls go over LTE from the next start on, or not; none:
	// the modem cannot be told. keeps says that it keeps that, and has to start anew.
	volteOn, volteOff []string
	keeps             bool
	// clock asks for the network's time, and how the answer starts; empty: it is not
	// asked. clockUTC says that the answer is in UTC, not in local time.
	clock, clockStart string
	clockUTC          bool
	packedUSSD        bool   // USSD is packed GSM-7 in hexadecimal digits
	restart           string // has the modem boot anew
	states            map[int]int
	bad               []firmware
}

const huaweiVendor = 0x12d1

// firmware is a version that is known for trouble.
type firmware struct{ part, text string }

// rows is the table of all families. The port numbers are those of the makers'
// default compositions.
func rows() []row {
	ec25 := row{
		name: "Quectel EC2x", vendor: 0x2c7c, products: []uint16{0x0125, 0x0121, 0x0195, 0x0191, 0x0306, 0x0800}, at: 2, pcm: 1,
		setup: []string{
			`AT+QGPSCFG="outport","none"`, // else positions are mixed into the sound
			`AT+QURCCFG="urcport","usbat"`,
			`AT+QINDCFG="ccinfo",1,0`, `AT+QINDCFG="csq",1,0`, `AT+QINDCFG="act",1,0`,
			`AT+QTONEDET=1`, `AT+QSIMSTAT=1`, `AT+CMUT=0`,
		},
		tries: `AT+QPINC="SC"`, triesStart: "+QPINC:", triesField: 1,
		iccid: "AT+QCCID", iccidStart: "+QCCID:",
		// Twice, because switching it on while it is on is an error.
		prepare: []string{"AT+QPCMV=0", "AT+QPCMV=1,0"},
		byCard:  []string{"AT+QPCMV=0", "AT+QPCMV=1,2"},
		voice:   "AT+QPCMV=?", voiceless: "ERROR",
		hangup: "AT+CHUP", digit: `AT+VTS="%c"`, early: true,
		keys: "+QTONEDET:", keysAreCodes: true, pause: "+QPCMV: 0", volte: `AT+QCFG="ims"`,
		// The profile of the SIM's operator first: it says how its network wants it.
		clock: "AT+QLTS=1", clockStart: "+QLTS:", clockUTC: true,
		volteOn: []string{`AT+QMBNCFG="AutoSel",1`, `AT+QCFG="ims",1`}, volteOff: []string{`AT+QCFG="ims",2`}, keeps: true, restart: "AT+CFUN=1,1",
		// ^DSCI of this maker: 3 connect, 6 end, 7 alerting.
		states: map[int]int{1: held, 2: dialling, 3: active, 4: incoming, 5: waiting, 6: gone, 7: alerting},
		bad: []firmware{
			{"EG25GGBR07A07", "this firmware has no sound over USB sound cards; the raw sound is used"},
			{"EG25GGBR07A08M2G_A0.300", "this firmware is known for calls in which the far end hears nothing; install 30.202"},
			{"30.203", "this firmware is known for a garbled sound towards the far end; install 30.202"},
		},
	}
	sim7600 := row{
		name: "SIMCom SIM7600", vendor: 0x1e0e, products: []uint16{0x9001}, at: 2, pcm: 4,
		setup: []string{"AT+CVHU=0", "AT+CSCLK=0", "AT+CLCC=1", "AT+DDET=1", "AT+CNSMOD=1", "AT+AUTOCSQ=1,1", "AT+CLTS=1", "AT+CPCMFRM=0"},
		tries: "AT+SPIC", triesStart: "+SPIC:", triesField: 0,
		iccid: "AT+CICCID", iccidStart: "+ICCID:",
		soundOn: "AT+CPCMREG=1", soundOff: "AT+CPCMREG=0,1",
		voice: "AT+CPCMREG=?", voiceless: "ERROR",
		hangup: "AT+CHUP", digit: `AT+VTS=%c`, keys: "+RXDTMF:", clock: "AT+CCLK?", clockStart: "+CCLK:", volteOn: []string{"AT+CEVOLTE=1,1"}, restart: "AT+CRESET",
		states: map[int]int{0: active, 1: held, 2: dialling, 3: alerting, 4: incoming, 5: waiting, 6: gone},
		bad: []firmware{
			{"LE20B06SIM7600G22", "this firmware is known for calls in which the far end hears nothing; install LE20B05"},
		},
	}
	huawei := row{
		name: "Huawei E1550", vendor: huaweiVendor, products: []uint16{0x1001}, at: 2, pcm: 1,
		setup: []string{"AT^CURC=1"},
		tries: "AT^CPIN?", triesStart: "^CPIN:", triesField: 1,
		iccid: "AT^ICCID?", iccidStart: "^ICCID:",
		connect: []string{"AT^DDSETEX=2"},
		voice:   "AT^CVOICE?", voiceless: "^CVOICE:1",
		hangup: "AT+CHUP", digit: `AT^DTMF=1,%c`, early: true, packedUSSD: true, restart: "AT+CFUN=1,1",
		bad: []firmware{{"", "this modem knows 2G and 3G only, which operators are closing"}},
	}
	list := []row{ec25, sim7600, huawei}
	for _, p := range []struct {
		product uint16
		at, pcm int
	}{{0x140c, 3, 2}, {0x1436, 4, 3}, {0x14ac, 4, 3}, {0x1506, 3, 2}} {
		more := huawei
		more.products, more.at, more.pcm = []uint16{p.product}, p.at, p.pcm
		list = append(list, more)
	}
	return list
}

// rowOf finds the row of a USB device.
func rowOf(t hal.TTY) (row, bool) {
	for _, r := range rows() {
		if r.vendor != t.Vendor {
			continue
		}
		for _, p := range r.products {
			if p == t.Product {
				return r, true
			}
		}
	}
	return row{}, false
}
