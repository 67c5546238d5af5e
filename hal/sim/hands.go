package sim

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"callbox/hal"
)

var (
	_ Able    = (*Phone)(nil)
	_ Visible = (*Phone)(nil)
)

// State implements [Visible].
func (p *Phone) State() []Field {
	hook := "on-hook"
	if p.IsOffHook() {
		hook = "off-hook"
	}
	bell := "silent"
	if p.Ringing() {
		bell = "ringing"
	}
	bursts := p.Bursts()
	out := []Field{{"hook", hook}, {"bell", bell}, {"rings", strconv.Itoa(len(bursts))}}
	if n := len(bursts); n > 0 {
		b := bursts[n-1]
		out = append(out, Field{"last ring", fmt.Sprintf("%d ms at %.0f Hz", b.Length.Milliseconds(), b.Hz)})
	}
	battery := "normal"
	if p.Reversed() {
		battery = "reversed"
	}
	out = append(out, Field{"battery", battery}, Field{"heard", fmt.Sprintf("%.1f s", float64(len(p.Heard()))/hal.SampleRate)})
	for _, v := range p.Display() {
		out = append(out, Field{"display", v})
	}
	if p.Lamp() {
		out = append(out, Field{"message lamp", "on"})
	}
	for _, v := range p.Violations() {
		out = append(out, Field{"chip complains", v})
	}
	return out
}

// Acts implements [Able].
func (p *Phone) Acts() []Act {
	return []Act{
		{"pick-up", "", "Lift the receiver."},
		{"hang-up", "", "Put the receiver back."},
		{"call", "NUMBER", "Lift the receiver, press the number's keys and #."},
		{"press", "KEYS", "Press keys 0-9 * # A-D, 100 ms each."},
		{"pulse", "\"DIGITS [SPEED]\"", "Dial with a rotary dial, 10 pulses a second."},
		{"flash", "[TIME]", "Press the hook shortly, for 300ms."},
		{"wait-ring", "[RINGS]", "Wait until it has rung."},
		{"forget", "", "Forget what was heard and shown."},
	}
}

// Do implements [Able].
func (p *Phone) Do(ctx context.Context, act, with string) error {
	first, second, _ := strings.Cut(with, " ")
	switch act {
	case "pulse":
		n, err := count(second, 10, 20)
		if err != nil {
			return err
		}
		return p.DialPulses(ctx, first, n)
	case "flash":
		d := 300 * time.Millisecond
		if first != "" {
			var err error
			if d, err = time.ParseDuration(first); err != nil || d <= 0 || d > 5*time.Second {
				return fmt.Errorf("flash for %q: want a time up to 5s", first)
			}
		}
		return p.Flash(ctx, d)
	case "wait-ring":
		n, err := count(first, 1, 100)
		if err != nil {
			return err
		}
		return p.WaitRing(ctx, n)
	case "forget":
		p.Forget()
		return nil
	}
	var names []string
	for _, a := range p.Acts() {
		names = append(names, a.Name)
	}
	return fmt.Errorf("a phone cannot %q: want one of %s", act, strings.Join(names, ", "))
}

// count reads a number from 1 to most; empty is def.
func count(s string, def, most int) (int, error) {
	if s == "" {
		return def, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > most {
		return 0, fmt.Errorf("%q is not a number from 1 to %d", s, most)
	}
	return n, nil
}
