package gsm

import (
	"fmt"
	"time"

	"callbox/hal"
)

// goodRate is what a modem sends and takes, in bytes per second.
const goodRate = 2 * hal.SampleRate

// report says what is known of the sound of the present or the last call; state is
// that of the modem.
func (s *Sound) report(state hal.ModemState) hal.ModemSound {
	r := state.Sound
	s.mu.Lock()
	c, in, paused := s.call, s.inCall, s.paused
	r.Live, r.PeakIn, r.PeakOut = s.live, s.peak, c.peakOut
	s.mu.Unlock()
	if !c.begin.IsZero() {
		end := c.end
		if r.Live {
			end = time.Now()
		}
		r.Lasted = end.Sub(c.begin).Round(time.Millisecond)
		if seconds := r.Lasted.Seconds(); seconds > 0 {
			r.In, r.Out = int(float64(2*in)/seconds), int(float64(c.bytes)/seconds)
		}
	}
	r.Report = explain(r, state, paused)
	return r
}

// explain says what r means, most important first.
func explain(r hal.ModemSound, state hal.ModemState, paused bool) []string {
	var out []string
	say := func(format string, a ...any) { out = append(out, fmt.Sprintf(format, a...)) }
	for _, w := range state.Warnings {
		say("%s", w)
	}
	switch {
	case state.IMEI == "":
		say("no modem is plugged in")
		return out
	case r.Path == "":
		say("the modem has no line for sound: set its USB composition to the maker's usual one")
		return out
	case r.Lasted < 2*time.Second:
		say("no call has lasted long enough to tell; make one and look again")
		return out
	}
	switch {
	case r.In == 0:
		say("the modem sent nothing: its firmware (%s) may have no voice over USB, or the network carries calls in a way that the modem is not set up for (%s)", state.Firmware, state.Voice)
	case r.In < goodRate*9/10:
		say("the modem sent %d bytes per second instead of %d: the USB line loses some, or the call was not answered for part of the time", r.In, goodRate)
	case r.PeakIn == 0:
		say("the modem sent silence: the far end said nothing, or the modem does not pass the sound on")
	default:
		say("the modem sent sound, %d bytes per second, the loudest sample %d of 32768", r.In, r.PeakIn)
	}
	switch {
	case paused:
		say("the modem has asked for a pause and not ended it")
	case r.Out < goodRate*9/10:
		say("the modem took %d bytes per second instead of %d: it, or its USB hub, is too slow", r.Out, goodRate)
	case r.PeakOut == 0:
		say("the box had nothing to say to the modem: look at the other side of the call")
	default:
		say("the modem took sound, %d bytes per second, the loudest sample %d of 32768; if the far end hears nothing, it is the firmware (%s)", r.Out, r.PeakOut, state.Firmware)
	}
	return out
}
