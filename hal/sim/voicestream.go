package sim

import (
	"strings"
	"time"

	"callbox/hal"
	"callbox/media"
)

// clock moves the line, 20 ms at a time, while there is something on it.
func (v *VoiceModem) clock() {
	for {
		select {
		case <-v.done:
			return
		case <-v.line.kick:
		}
		v.run()
	}
}

// run is clock until the line is idle.
func (v *VoiceModem) run() {
	timer := time.NewTimer(stepTime)
	defer timer.Stop()
	due := time.Now()
	for v.line.active() {
		v.mu.Lock()
		ppm := v.faults.RatePPM
		v.mu.Unlock()
		due = due.Add(time.Duration(float64(stepTime) / (1 + ppm/1e6)))
		timer.Reset(time.Until(due))
		select {
		case <-v.done:
			return
		case <-timer.C:
			v.tick()
		}
	}
}

// tick is 20 ms.
func (v *VoiceModem) tick() {
	var tx, rx [stepSamples]int16
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.duplex {
		n := copy(tx[:], v.tx)
		v.tx = v.tx[:copy(v.tx, v.tx[n:])]
		v.cond.Broadcast()
		if n < len(tx) && !v.starved {
			v.underruns++
			v.code('u')
		}
		v.starved = n < len(tx)
	}
	for _, e := range v.line.step(tx[:], rx[:]) {
		v.notice(e)
	}
	if v.job != nil {
		v.dialStep()
	}
	if !v.off {
		return
	}
	v.listen()
	if v.duplex {
		v.listenKeys(&rx)
		v.sendSound(&rx)
	}
	if v.ticks++; !v.duplex || v.ticks%50 != 0 {
		return
	}
	if v.faults.FalseBusy {
		v.code('b')
		v.code('l')
	}
	if v.faults.FalseKeys {
		v.code('7')
	}
}

// listenKeys reports keys that are pressed, the box's own too when the line sends them
// back; v.mu is held.
func (v *VoiceModem) listenKeys(rx *[stepSamples]int16) {
	f := media.Frame(*rx)
	if key, ok := v.keys.Write(&f); ok && !v.line.Faults().DeafModem {
		v.code(key)
	}
	if v.faults.TakeKeys && v.keys.Down() != 0 {
		clear(rx[:])
		clear(v.delay[:])
	}
}

// sendSound sends what the line says, after the modem's own delay; v.mu is held.
func (v *VoiceModem) sendSound(rx *[stepSamples]int16) {
	b := make([]byte, 0, 2*len(rx))
	for _, s := range rx {
		s, v.delay[v.delayAt] = v.delay[v.delayAt], s
		v.delayAt = (v.delayAt + 1) % len(v.delay)
		c := muEncode(s)
		if b = append(b, c); c == dle {
			b = append(b, dle)
		}
	}
	if len(v.out)+len(b) > outRoom/2 { // nobody reads
		v.overruns++
		if len(v.out)+2 <= outRoom {
			v.code('o')
		}
		return
	}
	v.send(b...)
}

// takeSound takes a byte of a duplex stream; v.mu is held.
func (v *VoiceModem) takeSound(c byte) {
	if !v.escaped {
		if c == dle {
			v.escaped = true
			return
		}
		v.tx = append(v.tx, muDecode(c))
		return
	}
	v.escaped = false
	switch c {
	case dle:
		v.tx = append(v.tx, muDecode(dle))
	case can:
		v.tx = v.tx[:0]
	case etx, dash:
		// Conexant modems leave the duplex for ^, others for ETX.
		if v.model == CX930xx && c == etx {
			return
		}
		v.duplex, v.tx = false, v.tx[:0]
		v.cond.Broadcast()
		v.code(etx)
		v.ok()
	}
}

// listen reports the tones that the modem thinks it hears; v.mu is held.
func (v *VoiceModem) listen() {
	if v.class != 8 || v.line.Faults().DeafModem {
		return
	}
	state, d := v.line.lastsAs()
	switch {
	case state == lineBusy && d >= hearBusy || state == lineCongest && d >= hearBusy:
		if !v.toldBusy {
			v.toldBusy = true
			v.code('b')
		}
	case state == lineDialTone && d >= hearDial:
		if !v.toldDial && v.job == nil {
			v.toldDial = true
			v.code('d')
		}
	case state == lineTalking:
		v.toldBusy, v.toldDial = false, false
	}
}

// notice takes what happens on the line; v.mu is held.
func (v *VoiceModem) notice(e lineEvent) {
	switch e {
	case evRing:
		if v.class == 8 {
			v.code('R')
		} else if !v.off {
			v.say("RING")
		}
	case evCallerID:
		v.tellCaller()
	case evLoop:
		if v.class == 8 && v.off {
			v.code('l')
		}
	}
}

// tellCaller decodes who calls, if the exchange tells it in the way that the modem
// was set to; v.mu is held.
func (v *VoiceModem) tellCaller() {
	number, name, kind := v.line.callerID()
	// Bell 202 and V.23 are near enough for one decoder; the moment is what differs.
	if !v.callerID || kind != v.idMode {
		return
	}
	if kind != DTMFID {
		now := time.Now()
		v.say("DATE = " + now.Format("0102"))
		v.say("TIME = " + now.Format("1504"))
	}
	v.say("NMBR = " + number)
	if name != "" && kind != DTMFID {
		v.say("NAME = " + name)
	}
}

// dial begins to dial; v.mu is held.
func (v *VoiceModem) dial(s string) {
	j := &dialJob{needs: !v.off, wait: 200 * time.Millisecond, final: "OK"}
	if v.class != 8 {
		j.final = "NO CARRIER" // no data call was ever made here
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c == 'P':
			j.pulse = true
		case c == 'T':
			j.pulse = false
		case c >= '0' && c <= '9' || c >= 'A' && c <= 'D' || strings.IndexByte("*#,W!@", c) >= 0:
			j.digits += string(c)
		case c == ';', c == '-', c == '(', c == ')':
		default:
			v.say("ERROR")
			return
		}
	}
	v.setHook(true)
	v.job = j
}

// dialStep goes on dialling; v.mu is held.
func (v *VoiceModem) dialStep() {
	j := v.job
	state, d := v.line.lastsAs()
	if j.needs {
		if j.waited += stepTime; state == lineDialTone && d >= hearDial && !v.line.Faults().NoDialTone {
			j.needs, j.waited = false, 0
		} else if j.waited > 7*time.Second {
			v.job = nil
			v.setHook(false)
			v.say("NO DIALTONE")
		}
		return
	}
	if j.pulses != 0 {
		v.line.pulsing()
	}
	if j.wait -= stepTime; j.wait > 0 {
		return
	}
	if j.pulses != 0 {
		v.line.dial(j.pulses, true)
		j.pulses, j.wait = 0, pulsePause
		return
	}
	if j.digits == "" {
		v.job = nil
		v.say(j.final)
		return
	}
	c := j.digits[0]
	j.digits = j.digits[1:]
	switch {
	case c == ',':
		j.wait = 2 * time.Second
	case c == 'W':
		j.needs = true
	case c == '!':
		j.wait = flashTime
		v.line.flash()
	case c == '@':
	case j.pulse && c >= '0' && c <= '9':
		n := int(c - '0')
		if n == 0 {
			n = 10
		}
		j.wait = time.Duration(n) * 100 * time.Millisecond
		j.pulses = c
	default:
		j.wait = 190 * time.Millisecond
		v.line.dial(c, false)
	}
}

// lastsAs is the state and how long it has lasted.
func (x *Exchange) lastsAs() (lineState, time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.state, time.Duration(x.now-x.since) * time.Second / hal.SampleRate
}
