package gsm

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"callbox/hal"
	"callbox/hal/at"
)

// Times of the SIM.
const (
	cardTime  = 5 * time.Second  // between looks at a SIM that cannot be used
	cardAgain = 30 * time.Second // between looks at one that can
	cardBusy  = 20               // seconds that a SIM may be busy
	leftTries = 2                // of a PIN that must be left for it to be tried
)

// facts are what the modem says of itself while it is set up.
type facts struct {
	maker, model, firmware, number, iccid string
	noVoice                               bool
	noTexts                               error
	volte                                 string // what is wrong with it
	again                                 bool   // it has to start anew for it
}

// start sets the modem up, as far as that goes without a SIM.
func (p *Port) start() {
	p.s.stage, p.s.since = setting, time.Now()
	p.do(func(s *session) {
		var f facts
		f.maker, f.model, f.firmware = s.line("AT+CGMI"), s.line("AT+CGMM"), s.line("AT+CGMR")
		if r, err := s.ask("AT+CFUN?", at.Radio, "+CFUN:"); err == nil && r.Value("+CFUN:") != "1" {
			_ = s.tell("AT+CFUN=1", at.SIM) // what did not help is seen by the network's state
		}
		state, err := s.cardState(cardBusy)
		s.later(func() { p.introduced(f, state, err) })
	})
}

// line is the first line of the answer to a command without a prefix.
func (s *session) line(text string) string {
	r, err := s.engine.Do(s.ctx, at.Command{Text: text, Any: true})
	if err != nil || len(r.Lines) == 0 {
		return ""
	}
	l := r.Lines[0]
	if i := strings.IndexByte(l, ':'); i >= 0 && strings.HasPrefix(l, "+") {
		l = l[i+1:]
	}
	return strings.Trim(l, ` "`)
}

// cardState asks for the SIM; while it is busy once a second, for so many seconds.
func (s *session) cardState(patience int) (string, error) {
	for {
		r, err := s.engine.Do(s.ctx, at.Command{Text: "AT+CPIN?", Answers: []string{"+CPIN:"}, Class: at.Radio})
		var cme *at.CMEError
		if err == nil || !errors.As(err, &cme) || cme.Code != at.CMESIMBusy || patience == 0 {
			return r.Value("+CPIN:"), err
		}
		patience--
		if !s.pause(time.Second) {
			return "", err
		}
	}
}

// pause waits; false when the session has ended.
func (s *session) pause(d time.Duration) bool { return rest(s.ctx, d) }

// introduced takes what the modem said of itself.
func (p *Port) introduced(f facts, state string, err error) {
	p.update(func(m *hal.ModemState) {
		m.Maker, m.Model, m.Firmware = f.maker, f.model, f.firmware
		for _, b := range p.s.row.bad {
			if strings.Contains(f.firmware, b.part) {
				m.Warnings = append(m.Warnings, b.text)
			}
		}
	})
	p.useCard(state, err)
}

// useCard goes on by the state of the SIM.
func (p *Port) useCard(state string, err error) {
	cfg := p.config()
	var cme *at.CMEError
	switch {
	case state == "READY":
		p.sim("ready")
		p.complete()
	case state == "SIM PIN" && cfg.PIN == "":
		p.noCard("waits for its PIN", "the SIM waits for its PIN; set it as the modem's pin")
	case state == "SIM PIN" && p.wrong == p.s.iccid+" "+cfg.PIN:
		p.noCard("waits for its PIN", "the SIM has refused the PIN; correct it, it is not tried again")
	case state == "SIM PIN":
		p.enterPIN(cfg.PIN)
	case state == "SIM PUK":
		p.noCard("is locked", "the SIM is locked after too many wrong PINs; put it into a telephone and enter its PUK")
	case state != "":
		p.noCard("cannot be used", "the SIM cannot be used: the modem says "+state)
	case errors.As(err, &cme) && cme.Code == at.CMENoSIM:
		p.noCard("is missing", "no SIM is inserted")
	case errors.As(err, &cme) && cme.Code == at.CMEPUK:
		p.noCard("is locked", "the SIM is locked after too many wrong PINs; put it into a telephone and enter its PUK")
	case errors.As(err, &cme):
		p.noCard("cannot be used", cme.Text)
	case err != nil:
		p.noCard("is not known", "the modem does not tell of its SIM: "+err.Error())
	default:
		p.noCard("is not known", "the modem does not tell of its SIM")
	}
}

func (p *Port) sim(state string) { p.update(func(m *hal.ModemState) { m.SIM = state }) }

// noCard waits for a SIM that can be used.
func (p *Port) noCard(state, text string) {
	p.sim(state)
	if p.s.stage != card {
		p.s.stage, p.s.since, p.s.net = card, time.Now(), network{}
	}
	p.condition(false, text)
	p.s.next["card"] = time.Now().Add(cardTime)
}

// enterPIN enters the PIN unless that could lock the SIM.
func (p *Port) enterPIN(pin string) {
	s := p.s
	s.stage = setting
	p.do(func(s *session) {
		left, known := s.tries()
		if !known || left < leftTries {
			s.later(func() {
				text := fmt.Sprintf("the SIM waits for its PIN and has %d tries left; the last ones are not used: enter the PIN in a telephone", left)
				if !known {
					text = "the SIM waits for its PIN, and the modem does not tell how often it may be tried; enter it in a telephone and switch it off there"
				}
				p.noCard("waits for its PIN", text)
			})
			return
		}
		_, err := s.engine.Do(s.ctx, at.Command{Text: `AT+CPIN="` + pin + `"`, Class: at.SIM, Secret: true})
		if err != nil {
			s.later(func() { p.refused(pin, err) })
			return
		}
		state := ""
		for range cardBusy {
			if state, err = s.cardState(cardBusy); state == "READY" || !s.pause(time.Second) {
				break
			}
		}
		s.later(func() {
			p.note("the SIM has taken its PIN")
			p.useCard(state, err)
		})
	})
}

// refused takes that the SIM did not take the PIN.
func (p *Port) refused(pin string, err error) {
	var cme *at.CMEError
	if !errors.As(err, &cme) { // not answered: what has happened is not known
		p.noCard("waits for its PIN", "the modem did not answer to the PIN: "+err.Error())
		p.wrong = p.s.iccid + " " + pin
		return
	}
	p.wrong = p.s.iccid + " " + pin
	p.noCard("waits for its PIN", "the SIM has refused the PIN; correct it, it is not tried again")
}

// tries is how often a PIN may still be tried.
func (s *session) tries() (int, bool) {
	r, err := s.ask(s.row.tries, at.Radio, s.row.triesStart)
	if err != nil {
		return 0, false
	}
	f := at.Fields(r.Value(s.row.triesStart))
	if len(f) <= s.row.triesField {
		return 0, false
	}
	n, err := strconv.Atoi(f[s.row.triesField])
	return n, err == nil
}

// complete sets up what needs the SIM.
func (p *Port) complete() {
	p.s.stage = setting
	p.condition(false, "the SIM is ready; the modem is being set up")
	want := p.config().VoLTE
	p.do(func(s *session) {
		var f facts
		if f.iccid = iccidOf(s.ctx, s.engine, s.row); f.iccid == "" {
			f.iccid = s.iccid
		}
		if r, err := s.ask("AT+CNUM", at.SIM, "+CNUM:"); err == nil {
			if v := at.Fields(r.Value("+CNUM:")); len(v) > 1 {
				f.number = v[1]
			}
		}
		for _, c := range append([]string{"AT+CREG=2", "AT+CGREG=2", "AT+CEREG=2", "AT+COPS=3,0", "AT+CLIP=1", "AT+CRC=1", "AT+CCWA=0,0,1", "AT+CSSN=1,1"}, s.row.setup...) {
			_ = s.tell(c, at.Radio) // what a modem does not know it does without
		}
		f.volte, f.again = s.provision(want)
		f.noVoice = true
		for try := 0; try < 3 && f.noVoice; try++ { // a damaged line looks like a refusal
			f.noVoice = s.voiceless()
		}
		f.noTexts = s.texts.Setup(s.ctx)
		s.later(func() { p.ready(f) })
	})
}

// voiceless asks whether the modem gives sound.
func (s *session) voiceless() bool {
	if s.row.voice == "" {
		return false
	}
	r, err := s.engine.Do(s.ctx, at.Command{Text: s.row.voice, Class: at.Radio, Any: true})
	var final *at.FinalError
	switch {
	case errors.As(err, &final):
		return s.row.voiceless == "ERROR"
	case err != nil:
		return false // not known
	}
	for _, l := range r.Lines {
		if strings.HasPrefix(l, s.row.voiceless) {
			return true
		}
	}
	return false
}

// ready begins to work.
func (p *Port) ready(f facts) {
	s := p.s
	s.stage, s.since, s.iccid = running, time.Now(), f.iccid
	if f.noVoice {
		s.soundBad = "the modem's firmware gives no sound over USB; install one that does, or use another modem"
	}
	p.update(func(m *hal.ModemState) {
		m.ICCID, m.Number = f.iccid, f.number
		if s.soundBad != "" {
			m.Warnings = append(m.Warnings, s.soundBad)
		}
	})
	if f.volte != "" {
		p.warn(f.volte)
	}
	if told := s.imei + p.config().VoLTE; f.again && p.told != told {
		p.told = told
		s.restart = "it was told how calls go over LTE"
	} else if f.again {
		p.warn("the modem does not keep what it was told of VoLTE; its firmware or the operator's profile decides")
	}
	p.startTexts(f.noTexts)
	p.note("the modem is set up")
	p.judgeNetwork()
}
