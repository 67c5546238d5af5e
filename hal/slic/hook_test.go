package slic

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"callbox/hal"
)

// t0 is when every table starts: the phone on-hook for long.
var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// play feeds h lengths of SHK, in ms, starting with a high one, and gives the
// events as text with their times in ms. It calls advance only when next asks.
// With dial the phone dials once it is off-hook, otherwise it talks.
func play(h *hook, ringing, dial bool, lengths ...int) string {
	var out []string
	h.emit = func(e hal.PhoneEvent) {
		if e.Type == hal.OffHook {
			h.dial = dial
		}
		s := fmt.Sprintf("%v@%d", e.Type, e.At.Sub(t0).Milliseconds())
		if e.Digit != 0 {
			s += "=" + string(e.Digit)
		}
		out = append(out, s)
	}
	h.since, h.rawAt = t0.Add(-time.Hour), t0.Add(-time.Hour)
	at, l := t0, hal.High
	for _, n := range lengths {
		h.edge(at, l, ringing)
		at, l = at.Add(time.Duration(n)*time.Millisecond), !l
		for d := h.next(ringing); !d.IsZero() && d.Before(at); d = h.next(ringing) {
			h.advance(d, ringing)
		}
	}
	return strings.Join(out, " ")
}

func TestHook(t *testing.T) {
	tests := []struct {
		name    string
		ringing bool
		dial    bool
		lengths []int
		want    string
	}{
		{"picked up", false, false, []int{1000}, "off-hook@0"},
		{"a touch", false, false, []int{45, 1000}, ""},
		{"bounce", false, false, []int{2, 3, 4, 1, 1000}, "off-hook@10"},
		{"long bounce is not yet off-hook", false, false, []int{9, 9, 9, 9, 9, 9, 9, 9, 1000}, "off-hook@72"},
		{"hung up", false, false, []int{1000, 2000}, "off-hook@0 on-hook@1000"},
		{"hung up with bounce", false, false, []int{1000, 3, 2, 3, 2, 2000}, "off-hook@0 on-hook@1010"},
		{"noise in a call", false, false, []int{1000, 12, 1000}, "off-hook@0"},
		{"short flash while not dialling", false, false, []int{1000, 199, 1000}, "off-hook@0"},
		{"shortest flash", false, false, []int{1000, 200, 1000}, "off-hook@0 flash@1000"},
		{"longest flash", false, false, []int{1000, 599, 1000}, "off-hook@0 flash@1000"},
		{"too long for a flash", false, false, []int{1000, 620, 1000}, "off-hook@0 on-hook@1000 off-hook@1620"},
		{"flash while dialling", false, true, []int{1000, 91, 1000}, "off-hook@0 flash@1000"},
		{"one pulse", false, true, []int{1000, 60, 1000}, "off-hook@0 pulse-digit@1060=1"},
		{"shortest pulse", false, true, []int{1000, 15, 1000}, "off-hook@0 pulse-digit@1015=1"},
		{"too short for a pulse", false, true, []int{1000, 14, 1000}, "off-hook@0"},
		{"three at 10 per second", false, true, []int{1000, 60, 40, 60, 40, 60, 1000}, "off-hook@0 pulse-digit@1260=3"},
		{"two at 8 per second, 67 %", false, true, []int{1000, 84, 41, 84, 1000}, "off-hook@0 pulse-digit@1209=2"},
		{"two at 12 per second", false, true, []int{1000, 50, 33, 50, 1000}, "off-hook@0 pulse-digit@1133=2"},
		{"two digits", false, true, []int{1000, 60, 40, 60, 300, 60, 300}, "off-hook@0 pulse-digit@1160=2 pulse-digit@1520=1"},
		{"zero", false, true, append([]int{1000}, repeat(10, 60, 40, 600)...), "off-hook@0 pulse-digit@1960=0"},
		{"eleven pulses are no digit", false, true, append([]int{1000}, repeat(11, 60, 40, 600)...), "off-hook@0"},
		{"hung up in the middle of a digit", false, true, []int{1000, 60, 40, 60, 40, 2000}, "off-hook@0 on-hook@1200"},
		{"ring trip by pulses", true, false, []int{20, 20, 20, 20, 20, 20}, "off-hook@0"},
		{"ringer current", true, false, []int{6, 19, 6, 19, 6, 19, 6, 19}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := &hook{flashMin: 200 * time.Millisecond, flashMax: 600 * time.Millisecond}
			if got := play(h, tt.ringing, tt.dial, tt.lengths...); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

// repeat gives n pulses of brk and mk ms, the last make being last ms.
func repeat(n, brk, mk, last int) []int {
	var out []int
	for range n {
		out = append(out, brk, mk)
	}
	out[len(out)-1] = last
	return out
}

func TestHookBlank(t *testing.T) {
	var got int
	h := &hook{flashMin: 200 * time.Millisecond, flashMax: 600 * time.Millisecond, emit: func(hal.PhoneEvent) { got++ }}
	h.rawAt, h.since = t0, t0
	h.blankUntil(t0.Add(50 * time.Millisecond))
	h.edge(t0.Add(time.Millisecond), hal.High, false)
	if at := h.next(false); !at.Equal(t0.Add(50 * time.Millisecond)) {
		t.Errorf("next in the blank time is %v", at.Sub(t0))
	}
	h.advance(t0.Add(49*time.Millisecond), false)
	h.advance(t0.Add(60*time.Millisecond), false)
	h.advance(t0.Add(99*time.Millisecond), false)
	if got != 0 {
		t.Error("off-hook before 50 ms after the blank time")
	}
	h.advance(t0.Add(100*time.Millisecond), false)
	if got != 1 {
		t.Error("not off-hook after the blank time")
	}
}

// FuzzHook checks that no sequence of edges breaks the order of events or makes
// a digit that is none.
func FuzzHook(f *testing.F) {
	f.Add([]byte{200, 60, 40, 60, 250, 250, 250, 250}, true)
	f.Add([]byte{200, 250, 250, 250, 3, 2, 3}, false)
	f.Fuzz(func(t *testing.T, data []byte, dial bool) {
		h := &hook{flashMin: 200 * time.Millisecond, flashMax: 600 * time.Millisecond}
		off, last := false, time.Time{}
		h.emit = func(e hal.PhoneEvent) {
			if e.At.Before(last) {
				t.Errorf("%v goes back in time", e)
			}
			last = e.At
			switch e.Type {
			case hal.OffHook, hal.OnHook:
				if off == (e.Type == hal.OffHook) {
					t.Errorf("%v twice", e.Type)
				}
				off = e.Type == hal.OffHook
			case hal.PulseDigit, hal.Flash:
				if !off || (e.Type == hal.PulseDigit && (e.Digit < '0' || e.Digit > '9')) {
					t.Errorf("%+v, off-hook %v", e, off)
				}
			}
		}
		at, l := t0, hal.High
		for i, n := range data {
			h.edge(at, l, false)
			h.dial = dial
			at = at.Add(time.Duration(n) * time.Millisecond)
			if i%7 != 3 { // now and then an edge was lost
				l = !l
			}
			for k := 0; ; k++ {
				d := h.next(false)
				if d.IsZero() || !d.Before(at) {
					break
				}
				if k > 10 {
					t.Fatalf("next stays at %v", d)
				}
				h.advance(d, false)
			}
		}
	})
}
