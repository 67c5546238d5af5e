package amd

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"callbox/media"
)

// FuzzDetector gives any sound to the detector, over and over until it has decided:
// it says one of its results at most twice, in time and for a reason, and ends.
func FuzzDetector(f *testing.F) {
	tones := func(d time.Duration, hz ...float64) []byte {
		var b []byte
		for _, v := range (&line{}).tones(d, hz...).x {
			b = binary.LittleEndian.AppendUint16(b, uint16(int16(v)))
		}
		return b
	}
	f.Add([]byte{}, false, true)
	f.Add([]byte{0xff, 0x7f, 0, 0x80}, true, false)
	f.Add(tones(600*time.Millisecond, 1000), true, true)
	f.Add(tones(300*time.Millisecond, 440, 620), false, false)
	f.Add(tones(time.Second, 2100), false, true)
	f.Add(append(tones(400*time.Millisecond, 150, 300, 600, 1200), make([]byte, 16000)...), true, true)
	f.Fuzz(func(t *testing.T, b []byte, messageEnd, byModel bool) {
		cfg := twilio(messageEnd)
		if byModel {
			cfg.Speech, cfg.SpeechEnd = 0, 0
		}
		d := New(cfg)
		events := 0
		// The decision comes by Timeout; what waits for a greeting's end, too.
		limit := cfg.Timeout + media.FrameDuration
		for at := 0; ; at += media.FrameSamples {
			if media.DurationOf(at) > limit {
				t.Fatal("no final event in time")
			}
			var f media.Frame
			for i := range f {
				if n := len(b) / 2; n > 0 {
					f[i] = int16(binary.LittleEndian.Uint16(b[(at+i)%n*2:]))
				}
			}
			ev, ok := d.Write(&f)
			if !ok {
				continue
			}
			events++
			check(t, ev, messageEnd, events)
			if ev.Final {
				break
			}
		}
		if ev, ok := d.Write(&media.Frame{}); ok {
			t.Fatalf("after the final event: %+v", ev)
		}
	})
}

// check looks at the n-th event of a call.
func check(t *testing.T, ev Event, messageEnd bool, n int) {
	t.Helper()
	switch ev.Result {
	case Human, Fax, Unknown:
		if !ev.Final {
			t.Fatalf("not final: %+v", ev)
		}
	case MachineStart:
		if ev.Final == messageEnd {
			t.Fatalf("with the message's end %v: %+v", messageEnd, ev)
		}
	case MachineEndBeep, MachineEndSilence, MachineEndOther:
		if !messageEnd || n != 2 || !ev.Final {
			t.Fatalf("event %d: %+v", n, ev)
		}
	default:
		t.Fatalf("there is no result %q", ev.Result)
	}
	if n > 2 || ev.At <= 0 || ev.Why == "" || math.IsNaN(ev.Confidence) || ev.Confidence < 0 || ev.Confidence > 1 || (ev.Tone != 0) != (ev.Result == MachineEndBeep) {
		t.Fatalf("event %d: %+v", n, ev)
	}
}
