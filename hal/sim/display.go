package sim

import (
	"strings"
	"time"

	"callbox/media"
	"callbox/media/dtmf"
	"callbox/media/fsk"
)

const (
	maxShown  = 100
	keysPause = 60 * media.FrameSamples // silence after which keys belong to another caller: 1.2 s
)

// display is the part of a phone that shows who calls: it reads data (FSK) and
// keys (DTMF) on the line while the phone is on-hook. The phone's lock guards it.
type display struct {
	data  *fsk.Receiver
	keys  *dtmf.Detector
	frame media.Frame
	fill  int
	typed []byte // keys of a caller's number so far
	quiet int    // samples since the last
	shown []string
	lamp  bool
	alert int // frames of the tone that asks a phone in use whether it can show callers
	reads int // samples for which data is awaited in a call
}

func newDisplay() *display {
	return &display{data: fsk.NewReceiver(), keys: dtmf.NewDetector()}
}

// listen takes what is on the line.
func (d *display) listen(b []int16) {
	for len(b) > 0 {
		n := copy(d.frame[d.fill:], b)
		b = b[n:]
		if d.fill += n; d.fill == len(d.frame) {
			d.fill = 0
			d.hear()
		}
	}
}

// Data in a call (GR-30-CORE type 2).
const (
	alertFrames = 3                        // 60 of 80 ms
	dataTime    = 100 * media.FrameSamples // 2 s
	ackTime     = 60 * time.Millisecond    // of the key D that says yes
)

// attend listens to a frame of a call. It reports true when the phone is to say
// that it can show who calls.
func (d *display) attend(f []int16) (ready bool) {
	if d.reads > 0 {
		d.reads -= len(f)
		if raw := d.data.Write(f); raw != nil {
			if m, err := fsk.Parse(raw, time.Now()); err == nil {
				d.message(m)
			}
		}
	}
	all, low, high := media.DBm0(f), media.ToneLevel(f, 2130), media.ToneLevel(f, 2750)
	if all > -30 && low > all-5 && high > all-5 {
		d.alert++
		return false
	}
	ready = d.alert >= alertFrames
	d.alert = 0
	if ready {
		d.reads = dataTime
	}
	return ready
}

// hear takes a whole frame.
func (d *display) hear() {
	if raw := d.data.Write(d.frame[:]); raw != nil {
		if m, err := fsk.Parse(raw, time.Now()); err == nil {
			d.message(m)
		}
	}
	if d.quiet += len(d.frame); d.quiet > keysPause {
		d.typed = d.typed[:0]
	}
	if k, ok := d.keys.Write(&d.frame); ok {
		d.key(k)
	}
}

// key takes a key of a number sent as tones: A or D begins, C or # ends it (ETSI EN
// 300 659-1 §7). B and 00 or 10 say why there is none.
func (d *display) key(k byte) {
	d.quiet = 0
	switch {
	case k == 'A' || k == 'D' || k == 'B':
		d.typed = append(d.typed[:0], k)
	case len(d.typed) == 0:
	case k == 'C' || k == '#':
		switch n := string(d.typed[1:]); {
		case d.typed[0] != 'B':
			d.show(n)
		case n == "10":
			d.show("private")
		default:
			d.show("unavailable")
		}
		d.typed = d.typed[:0]
	case len(d.typed) < 32:
		d.typed = append(d.typed, k)
	}
}

// message shows what was sent as data.
func (d *display) message(m fsk.Message) {
	if m.Waiting {
		d.lamp = m.Lamp
		return
	}
	who := m.Number
	switch {
	case who != "":
	case m.NoNumber == fsk.Private:
		who = "private"
	default:
		who = "unavailable"
	}
	parts := []string{who}
	if m.Name != "" {
		parts = append(parts, m.Name)
	}
	if !m.When.IsZero() {
		parts = append(parts, "at "+m.When.Format("01-02 15:04"))
	}
	d.show(strings.Join(parts, " "))
}

func (d *display) show(text string) {
	if len(d.shown) == maxShown {
		d.shown = d.shown[:copy(d.shown, d.shown[1:])]
	}
	d.shown = append(d.shown, text)
}
