package cell

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"callbox/hal"
	"callbox/hal/sim"
)

var (
	_ sim.Able    = (*Modem)(nil)
	_ sim.Visible = (*Modem)(nil)
)

// State implements [sim.Visible].
func (m *Modem) State() []sim.Field {
	s := m.sub
	s.mu.Lock()
	call := "none"
	switch t := s.talk; {
	case t == nil:
	case t.isUp():
		call = "talking"
	case s.ours:
		call = "calling"
	default:
		call = "ringing"
	}
	heard, keys, text := len(s.heard), string(s.digits), ""
	if n := len(s.texts); n > 0 {
		text = s.texts[n-1]
	}
	texts := len(s.texts)
	s.mu.Unlock()
	out := []sim.Field{{Name: "call", Value: call}, {Name: "heard", Value: fmt.Sprintf("%.1f s", float64(heard)/hal.SampleRate)}, {Name: "keys", Value: keys},
		{Name: "modem", Value: string(m.cfg.Family)}, {Name: "SIM", Value: m.cfg.Number}, {Name: "subscriber", Value: m.cfg.Caller}}
	out = append(out, sim.Field{Name: "texts", Value: strconv.Itoa(texts)}, sim.Field{Name: "last text", Value: text})
	st := m.SoundStats()
	return append(out, sim.Field{Name: "frames missed by the far end", Value: strconv.Itoa(st.Starved)}, sim.Field{Name: "samples too many", Value: strconv.Itoa(st.Lost)})
}

// Acts implements [sim.Able].
func (m *Modem) Acts() []sim.Act {
	return []sim.Act{
		{Name: "pick-up", About: "Wait for a call and answer it."},
		{Name: "hang-up", About: "End the call, or refuse the one that rings."},
		{Name: "call", With: "[NUMBER]", About: "Call the SIM, whatever the number."},
		{Name: "press", With: "KEYS", About: "Press keys 0-9 * # A-D, 100 ms each."},
		{Name: "wait-ring", About: "Wait until a call rings."},
		{Name: "text", With: "TEXT", About: "Send the SIM a text message."},
		{Name: "busy", With: "on or off", About: "Be busy for calls."},
		{Name: "refuse", With: "CAUSE or off", About: "Have calls refused for a cause of TS 24.008, such as 1 or 21."},
	}
}

// Do implements [sim.Able].
func (m *Modem) Do(ctx context.Context, act, with string) error {
	switch act {
	case "pick-up":
		return m.PickUp(ctx)
	case "hang-up":
		return m.HangUp(ctx)
	case "call":
		return m.Call(ctx, with)
	case "press":
		return m.Press(ctx, with)
	case "wait-ring":
		return m.sub.WaitRing(ctx)
	case "text":
		if with == "" {
			return errors.New("say what the text message says")
		}
		m.sub.Text(with)
		return nil
	case "busy":
		m.sub.SetBusy(with != "off")
		return nil
	case "refuse":
		n, err := strconv.Atoi(with)
		if with != "off" && (err != nil || n < 1 || n > 127) {
			return fmt.Errorf("%q is neither a cause from 1 to 127 nor off", with)
		}
		m.sub.Refuse(Release(n))
		return nil
	}
	return fmt.Errorf("a subscriber cannot %q: want pick-up, hang-up, call, press, wait-ring, text, busy or refuse", act)
}
