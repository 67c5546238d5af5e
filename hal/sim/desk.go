package sim

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"callbox/hal"
)

var (
	_ Person  = (*LineDesk)(nil)
	_ Faulty  = (*LineDesk)(nil)
	_ Able    = (*LineDesk)(nil)
	_ Visible = (*LineDesk)(nil)
)

// LineDesk is a simulated exchange line as people see it: the subscriber at its other
// end, and the modem on it, on a pseudo terminal, with all that can be wrong.
type LineDesk struct {
	*Exchange
	Modem *VoiceModem

	mu        sync.Mutex // guards what follows
	pty       *Pty
	unplugged bool
}

// NewLineDesk makes one. The modem is plugged in when its port is asked for.
func NewLineDesk(x *Exchange, m *VoiceModem) *LineDesk { return &LineDesk{Exchange: x, Modem: m} }

// Port gives the path of the modem's tty, which is another each time that the modem was
// unplugged. The error wraps hal.ErrGone while it is.
func (d *LineDesk) Port() (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.unplugged {
		return "", fmt.Errorf("%w: the simulated modem is unplugged", hal.ErrGone)
	}
	if d.pty == nil {
		p, err := OpenPty()
		if err != nil {
			return "", err
		}
		d.pty = p
		d.Modem.Plug(p.far())
	}
	return d.pty.Path, nil
}

// Unplug pulls the modem out, or puts it back.
func (d *LineDesk) Unplug(out bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unplugged = out
	if out && d.pty != nil {
		d.Modem.Unplug() // closes the pty
		d.pty = nil
	}
}

// PickUp implements [Person].
func (d *LineDesk) PickUp(context.Context) error { return d.Answer() }

// HangUp implements [Person].
func (d *LineDesk) HangUp(context.Context) error { d.Exchange.HangUp(); return nil }

// Call implements [Person]: number is that of the caller; the line has one only.
func (d *LineDesk) Call(_ context.Context, number string) error { return d.Exchange.Call(number, "") }

// State implements [Visible].
func (d *LineDesk) State() []Field {
	hook := "on-hook"
	if d.OffHook() {
		hook = "off-hook"
	}
	duplex, under, over := d.Modem.Stream()
	stream := "commands"
	if duplex {
		stream = "sound"
	}
	d.mu.Lock()
	tty := "unplugged"
	if d.pty != nil {
		tty = d.pty.Path
	}
	d.mu.Unlock()
	return []Field{{"box", hook}, {"exchange", d.Exchange.State()}, {"dialled", d.Dialled()}, {"number", d.number()},
		{"modem", stream}, {"tty", tty}, {"modem ran dry", strconv.Itoa(under)}, {"modem ran over", strconv.Itoa(over)},
		{"heard", fmt.Sprintf("%.1f s", float64(len(d.Heard()))/hal.SampleRate)}}
}

// Acts implements [Able].
func (d *LineDesk) Acts() []Act {
	return []Act{
		{"pick-up", "", "Answer the box's call."},
		{"hang-up", "", "Hang up, or give up a call to the box."},
		{"call", "NUMBER", "Call the box and show this number; P hides it, O has none."},
		{"call-as", "\"NUMBER NAME\"", "Call the box and show a name too."},
		{"press", "KEYS", "Press keys 0-9 * # A-D, 100 ms each."},
		{"wait-call", "", "Wait until a call of the box rings here."},
		{"wait-talk", "", "Wait until box and far end are connected."},
		{"wait-idle", "", "Wait until the box has hung up."},
		{"number", "DIGITS", "Give the line another number, by which the other simulated line calls it."},
		{"retrieve", "", "Give the box its first call back after a flash."},
		{"forget", "", "Forget what was heard."},
	}
}

// Do implements [Able].
func (d *LineDesk) Do(ctx context.Context, act, with string) error {
	switch act {
	case "call-as":
		number, name, _ := strings.Cut(with, " ")
		return d.Exchange.Call(number, name)
	case "wait-call":
		_, err := d.WaitCall(ctx)
		return err
	case "wait-talk":
		return d.WaitTalking(ctx)
	case "wait-idle":
		return d.WaitIdle(ctx)
	case "retrieve":
		d.Retrieve()
		return nil
	case "number":
		d.Configure(func(c *ExchangeConfig) { c.Number = with })
		d.Exchange.rename()
		return nil
	case "forget":
		d.Forget()
		return nil
	}
	var names []string
	for _, a := range d.Acts() {
		names = append(names, a.Name)
	}
	return fmt.Errorf("an exchange line cannot %q: want one of %s", act, strings.Join(names, ", "))
}

// knobs are all faults of the line and the modem; the pointers are the caller's.
func (d *LineDesk) knobs(l *LineFaults, m *VoiceModemFaults, out, silent, hands *bool) Knobs {
	return Knobs{
		{"unplugged", "The modem is pulled out of its USB socket.", out},
		{"dead", "The wire is cut: no ring, no dial tone, no sound.", &l.Dead},
		{"no-dial-tone", "The exchange stays silent when the line is seized.", &l.NoDialTone},
		{"no-caller-id", "The exchange does not tell who calls.", &l.NoCallerID},
		{"pulse-only", "The exchange does not understand keys.", &l.PulseOnly},
		{"deaf-modem", "The modem reports neither tones nor the loop.", &l.DeafModem},
		{"no-reversal", "The battery does not turn when the far end answers.", silent},
		{"no-host", "The far end does nothing by itself.", hands},
		{"corrupt", "Share of the bytes that arrive as others, both ways: 0.01.", &m.Corrupt},
		{"split", "Bytes come in pieces of any size.", &m.Split},
		{"mute", "The modem answers nothing.", &m.Mute},
		{"false-busy", "The modem reports busy tone and a break of the loop every second.", &m.FalseBusy},
		{"false-keys", "The modem reports a key every second.", &m.FalseKeys},
		{"take-keys", "The modem reports keys and takes their tones out of the sound.", &m.TakeKeys},
		{"slow-ok", "The modem takes two seconds for each command.", &m.SlowOK},
		{"rate-ppm", "Error of the modem's clock, in parts per million.", &m.RatePPM},
	}
}

// settings copies the faults.
func (d *LineDesk) settings() (l LineFaults, m VoiceModemFaults, out, silent, hands bool) {
	d.mu.Lock()
	out = d.unplugged
	d.mu.Unlock()
	d.Exchange.mu.Lock()
	l, silent, hands = d.Exchange.faults, !d.Exchange.cfg.Reversal, !d.Exchange.cfg.Host
	d.Exchange.mu.Unlock()
	return l, d.Modem.Faults(), out, silent, hands
}

// Faults implements [Faulty].
func (d *LineDesk) Faults() []Fault {
	l, m, out, silent, hands := d.settings()
	list := d.knobs(&l, &m, &out, &silent, &hands).List()
	d.Exchange.mu.Lock()
	kind := d.Exchange.cfg.HangUp
	d.Exchange.mu.Unlock()
	return append(list, Fault{Name: "hang-up", Value: string(kind),
		About: "How the box is told that the far end has hung up: busy, congestion, dial-tone, silence, loop-break, polarity."})
}

// SetFault implements [Faulty].
func (d *LineDesk) SetFault(name, value string) error {
	if name == "hang-up" {
		return d.setHangUp(value)
	}
	l, m, out, silent, hands := d.settings()
	was := out
	if err := d.knobs(&l, &m, &out, &silent, &hands).Set(name, value); err != nil {
		return err
	}
	d.Exchange.SetFaults(l)
	d.Modem.SetFaults(m)
	d.Exchange.Configure(func(c *ExchangeConfig) { c.Reversal, c.Host = !silent, !hands })
	if out != was {
		d.Unplug(out)
	}
	return nil
}

func (d *LineDesk) setHangUp(value string) error {
	if value == "off" {
		value = string(HangUpBusy)
	}
	for _, k := range HangUpKinds() {
		if string(k) == value {
			d.Exchange.Configure(func(c *ExchangeConfig) { c.HangUp = k })
			return nil
		}
	}
	return fmt.Errorf("fault hang-up: %q is none of %v", value, HangUpKinds())
}
