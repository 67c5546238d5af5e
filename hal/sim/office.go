package sim

import (
	"math"
	"time"

	"callbox/hal"
)

// hook moves the hook at the box's end.
func (x *Exchange) hook(off bool) {
	x.mu.Lock()
	if x.off == off {
		x.mu.Unlock()
		return
	}
	x.off = off
	var peer *Exchange
	answered := false
	switch {
	case x.faults.Dead:
	case off && x.state == lineRinging:
		x.events, x.heard, peer, answered = nil, nil, x.peer, true
		x.answered()
	case off:
		x.heard, x.digits, x.dialled = nil, "", ""
		x.enter(lineDialTone)
	default:
		peer = x.peer
		x.over()
	}
	if x.faults.Dead && !off {
		x.over()
	}
	x.mu.Unlock()
	x.wake()
	if peer != nil {
		if answered {
			peer.farAnswered(x.number())
		} else {
			peer.farHungUp(x.number())
		}
	}
}

// farAnswered connects a call to the line of that number.
func (x *Exchange) farAnswered(number string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.state == lineFarRings && x.dialled == number {
		x.answered()
	}
}

// dial takes a digit from the box's end, by keys or by pulses.
func (x *Exchange) dial(digit byte, pulse bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.off || x.faults.Dead || x.faults.PulseOnly && !pulse {
		return
	}
	if x.state == lineDialTone || x.state == lineDigits {
		x.digits += string(digit)
		x.enter(lineDigits)
	}
}

// pulsing is called while a digit's pulses come: there is no pause yet.
func (x *Exchange) pulsing() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.state == lineDigits {
		x.since = x.now
	}
}

// flash is a short break made by the box's end: the exchange offers a second call.
func (x *Exchange) flash() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.off && x.state == lineTalking {
		x.digits, x.say = "", nil
		x.enter(lineDialTone)
	}
}

// Retrieve has the exchange give the first call back after a flash.
func (x *Exchange) Retrieve() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.off && x.state != lineTalking {
		x.enter(lineTalking)
	}
}

// step is 20 ms of the line: the box's end sends tx, which may be nil, and hears rx.
// It gives what the modem notices.
func (x *Exchange) step(tx, rx []int16) (events []lineEvent) {
	x.mu.Lock()
	before := x.state
	x.advance()
	place := before == lineSwitch && x.state == lineFarRings
	clear(rx)
	if !x.faults.Dead {
		x.sound(tx, rx)
	}
	x.now += int64(stepSamples)
	events, x.events = x.events, nil
	if x.faults.DeafModem {
		events = withoutLoop(events)
	}
	peer, talking := x.peer, x.state == lineTalking
	number, own := x.dialled, x.cfg.Number
	caller := x.caller.number
	x.mu.Unlock()
	if peer != nil {
		x.across(peer, place, talking, number, own, caller, tx)
	}
	return events
}

func withoutLoop(events []lineEvent) (out []lineEvent) {
	for _, e := range events {
		if e != evLoop {
			out = append(out, e)
		}
	}
	return out
}

// across does what a step means for the line of the other exchange.
func (x *Exchange) across(peer *Exchange, place, talking bool, number, own, caller string, tx []int16) {
	far := peer.number()
	if number != far && caller != far {
		return
	}
	if place && peer.Call(own, "") != nil {
		x.mu.Lock()
		x.enter(lineBusy)
		x.mu.Unlock()
		return
	}
	if !talking || tx == nil {
		return
	}
	peer.mu.Lock()
	defer peer.mu.Unlock()
	if peer.state == lineTalking && len(peer.say) < 10*stepSamples { // 200 ms: their clocks differ
		peer.say = append(peer.say, tx...)
	}
}

// lasted is how long the state has lasted; x.mu is held.
func (x *Exchange) lasted() time.Duration {
	return time.Duration(x.now-x.since) * time.Second / hal.SampleRate
}

// advance moves the state with time; x.mu is held.
func (x *Exchange) advance() {
	d := x.lasted()
	switch x.state {
	case lineRinging:
		x.ring(d)
	case lineDialTone:
		if d >= dialWait {
			x.enter(lineCongest)
		}
	case lineDigits:
		if fate := x.cfg.Numbers(x.digits); d >= digitTime && fate != Incomplete {
			x.dialled = x.digits
			x.route(fate)
		} else if d >= dialWait {
			x.enter(lineCongest)
		}
	case lineSwitch:
		if d >= switchTime {
			x.enter(lineFarRings)
		}
	case lineFarRings:
		if x.cfg.Host && d >= x.ringbackOnce() && x.peerless() {
			x.answered()
		}
	case lineSilent:
		if x.cfg.HangUp == HangUpDialTone && d >= redialTime && x.calls > 0 && x.dialledOnce() {
			x.digits = ""
			x.enter(lineDialTone)
		}
	case lineIdle, lineTalking, lineBusy, lineCongest, lineInform:
	}
}

// dialledOnce tells the silence after a hang-up from that of a number that stays
// silent; x.mu is held.
func (x *Exchange) dialledOnce() bool { return x.cfg.Numbers(x.dialled) != DeadAir || x.dialled == "" }

// peerless reports whether the present call goes to nobody but the host.
func (x *Exchange) peerless() bool {
	return x.peer == nil || x.dialled != x.peerNo && x.caller.number != x.peerNo
}

// ringbackOnce is the length of one round of the ringback tone, and of the sound of
// the next.
func (x *Exchange) ringbackOnce() time.Duration {
	var total int
	for _, n := range x.net.Ringback.OnOff {
		total += n
	}
	return time.Duration(total+x.net.Ringback.OnOff[0]) * time.Millisecond
}

// route decides on a number; x.mu is held.
func (x *Exchange) route(f Fate) {
	switch f {
	case IsBusy:
		x.enter(lineBusy)
	case Congested:
		x.enter(lineCongest)
	case Barred:
		x.enter(lineInform)
	case DeadAir:
		x.enter(lineSilent)
	default:
		x.enter(lineSwitch)
	}
}

// ring rings the box's end, d after the call came; x.mu is held.
func (x *Exchange) ring(d time.Duration) {
	first := time.Duration(0)
	if x.net.CallerID.before() {
		first = idTime
		if !x.caller.told && d >= idTime/2 {
			x.tellCaller()
		}
	}
	var round time.Duration
	for _, s := range x.net.Ring {
		round += s
	}
	// A modem tells of each round, at the end of its first burst.
	if due := first + x.net.Ring[0] + time.Duration(x.rings)*round; d >= due {
		x.rings++
		x.tell(evRing)
	}
	if !x.net.CallerID.before() && x.rings > 0 && !x.caller.told && d >= first+x.net.Ring[0]+idTime {
		x.tellCaller()
	}
}

func (x *Exchange) tellCaller() {
	x.caller.told = true
	if !x.faults.NoCallerID && x.caller.number != "" {
		x.tell(evCallerID)
	}
}

// callerID is who calls, and how the exchange tells it.
func (x *Exchange) callerID() (number, name string, kind CallerIDKind) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.caller.number, x.caller.name, x.net.CallerID
}

// sound is 20 ms both ways; x.mu is held.
func (x *Exchange) sound(tx, rx []int16) {
	if !x.off || x.now < x.deaf {
		return
	}
	at := x.now - x.since
	switch x.state {
	case lineDialTone:
		if !x.faults.NoDialTone {
			x.net.Dial.fill(rx, at)
		}
	case lineFarRings:
		x.net.Ringback.fill(rx, at)
	case lineBusy:
		x.net.Busy.fill(rx, at)
	case lineCongest:
		x.net.Congestion.fill(rx, at)
	case lineInform:
		information(rx, at)
	case lineTalking:
		x.talk(tx, rx)
	case lineIdle, lineRinging, lineDigits, lineSwitch, lineSilent:
	}
	if x.cfg.EchoLoss > 0 && tx != nil {
		x.hybrid.hear(tx, x.now)
		x.hybrid.answer(rx, x.now, x.cfg.EchoLoss)
	}
}

// talk carries the sound of a connected call; x.mu is held.
func (x *Exchange) talk(tx, rx []int16) {
	if n := copy(rx, x.say); n > 0 {
		x.say = x.say[n:]
		x.said += int64(n)
		x.signal()
	}
	if tx == nil {
		tx = make([]int16, stepSamples)
	}
	x.heard = append(x.heard, tx...)
	if n := len(x.heard) - maxHeard; n > maxGap {
		x.heard = x.heard[:copy(x.heard, x.heard[n:])]
	}
	if x.cfg.Host && x.peerless() {
		x.host.talk(tx, rx)
	}
}

// information is the special information tone, three times (ITU-T E.180 §7).
func information(b []int16, at int64) {
	const part = hal.SampleRate * 330 / 1000
	for i := range b {
		n := at + int64(i)
		round, pos := n/(6*part), n%(6*part)
		if round < 3 && pos < 3*part {
			hz := [...]float64{950, 1400, 1800}[pos/part]
			b[i] = int16(toneLevel * math.Sin(2*math.Pi*hz*float64(pos)/hal.SampleRate))
		}
	}
}

// host is who needs no hands: greets with three notes, then repeats what was said
// two seconds ago.
type host struct {
	n    int64
	past [2 * hal.SampleRate]int16
}

func (h *host) talk(tx, rx []int16) {
	const note = hal.SampleRate / 4
	for i := range rx {
		k := int(h.n % int64(len(h.past)))
		v := float64(h.past[k])
		if h.n < 3*note {
			hz := greetingTone * [...]float64{1, 1.25, 1.5}[h.n/note]
			v += toneLevel * math.Sin(2*math.Pi*hz*float64(h.n)/hal.SampleRate)
		}
		rx[i] = int16(min(max(v+float64(rx[i]), math.MinInt16), math.MaxInt16))
		h.past[k] = tx[i]
		h.n++
	}
}
