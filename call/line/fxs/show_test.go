package fxs_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"callbox/call"
	"callbox/call/line/fxs"
	"callbox/media/tone"
)

// ring has a call ring at the phone.
func (r *rig) ring(d call.Dial) call.Leg {
	r.Helper()
	l, err := r.line.Dial(r.ctx, d)
	r.ok(err)
	r.event(l, call.LegRinging)
	return l
}

// TestNotes: what happens on the line is told in words, for the trace of its calls.
func TestNotes(t *testing.T) {
	var mu sync.Mutex
	var notes []string
	note := func(_ time.Time, text string) {
		mu.Lock()
		defer mu.Unlock()
		notes = append(notes, text)
	}
	told := func() string {
		mu.Lock()
		defer mu.Unlock()
		out := strings.Join(notes, ", ")
		notes = nil
		return out
	}
	bubble(t, fxs.Config{Note: note, Plan: func(d string) (bool, bool) { return d == "12", true }}, func(r *rig) {
		g := r.ring(call.Dial{From: "4155550100"})
		r.pass(7 * time.Second)
		r.ok(r.phone.PickUp(r.ctx))
		r.event(g, call.LegAnswered)
		r.ok(r.phone.Press(r.ctx, "5"))
		r.ok(r.phone.Flash(r.ctx, 300*time.Millisecond))
		r.pass(time.Second)
		r.ok(r.phone.HangUp(r.ctx))
		r.pass(time.Second)
		want := "the bell rings, the bell pauses, the phone is told who calls, by bellcore, the bell rings, " +
			"the receiver is lifted, the phone presses a key, the hook is pressed shortly, the receiver is put back"
		if got := told(); !strings.HasPrefix(got, want) {
			t.Errorf("told %s", got)
		}
	})
}

// TestCallerID: the phone shows who calls, in the way of each country: before the
// first ring, or before the third.
func TestCallerID(t *testing.T) {
	const data, keys = "4155550100 Alice at 01-01 00:00", "4155550100"
	for _, tt := range []struct {
		country, scheme, want string
		early                 bool
	}{
		{"US", "", data, false},
		{"US", "bellcore-single", keys + " at 01-01 00:00", false},
		{"AU", "", data, false},
		{"ZA", "", data, false},
		{"DE", "", data, false},
		{"DE", "etsi-before-ring", data, true},
		{"FR", "", data, false},
		{"GB", "", data, true},
		{"IN", "", keys, true},
		{"BR", "", keys, true},
		{"NL", "", keys, true},
		{"DK", "", keys, true},
		{"TW", "", keys, true},
		{"JP", "", "", false},
		{"US", "none", "", false},
	} {
		t.Run(tt.country+tt.scheme, func(t *testing.T) {
			bubble(t, fxs.Config{Country: tt.country, CallerID: tt.scheme}, func(r *rig) {
				g := r.ring(call.Dial{From: "+415-555-0100", FromName: "Alice"})
				r.ok(r.phone.WaitRing(r.ctx, 1))
				if shown := len(r.phone.Display()) > 0; shown != tt.early {
					t.Errorf("at the first ring something is shown: %v", shown)
				}
				r.pass(8 * time.Second)
				if got := strings.Join(r.phone.Display(), "; "); got != tt.want {
					t.Errorf("shows %q, want %q", got, tt.want)
				}
				if n := len(r.phone.Bursts()); n < 2 {
					t.Errorf("rang %d times", n)
				}
				r.phone.OffHook()
				r.event(g, call.LegAnswered)
				if r.phone.Reversed() {
					t.Error("the battery stays reversed")
				}
				r.phone.OnHook()
				r.event(g, call.LegEnded)
			})
		})
	}
}

// TestCallerIDOfEveryCountry: each of the tone table's countries rings as its table
// says, within what the chip may do, and its phones are told who calls.
func TestCallerIDOfEveryCountry(t *testing.T) {
	for _, code := range tone.Codes() {
		t.Run(code, func(t *testing.T) {
			bubble(t, fxs.Config{Country: code}, func(r *rig) {
				r.ring(call.Dial{From: "5550100"})
				r.pass(15 * time.Second)
				c, _ := tone.ByCountry(code)
				bursts := r.phone.Bursts()
				if len(bursts) < 2 {
					t.Fatalf("rang %d times in 15 s", len(bursts))
				}
				if d := bursts[0].Length - c.Ring.OnOff[0]; d > 0 || d < -60*time.Millisecond {
					t.Errorf("a ring of %v lasts %v", c.Ring.OnOff[0], bursts[0].Length)
				}
				if got := r.phone.Display(); code != "JP" && (len(got) != 1 || !strings.HasPrefix(got[0], "5550100")) {
					t.Errorf("shows %q", got)
				}
			})
		})
	}
}

// TestCallerIDWithout: callers that are not known, do not want to be, or are names.
func TestCallerIDWithout(t *testing.T) {
	for _, tt := range []struct {
		country string
		d       call.Dial
		want    string
	}{
		{"US", call.Dial{From: "anonymous", FromName: "Anonymous"}, "private at"},
		{"US", call.Dial{From: "+14155550100", FromName: "Alice", Private: true}, "private at"},
		{"US", call.Dial{From: "alice"}, "unavailable alice at"},
		{"US", call.Dial{From: "sip:bob@biloxi.example", FromName: "Bob"}, "unavailable Bob at"},
		{"DE", call.Dial{}, "unavailable at"},
		{"GB", call.Dial{From: "anonymous"}, "private at"},
		{"IN", call.Dial{From: "anonymous"}, "private"},
		{"IN", call.Dial{From: "alice"}, "unavailable"},
		{"US", call.Dial{From: "201", FromName: "Jürgen Großmann-Schmidt"}, "201 Juergen Grossma at"},
	} {
		t.Run(tt.country+tt.want, func(t *testing.T) {
			bubble(t, fxs.Config{Country: tt.country}, func(r *rig) {
				r.ring(tt.d)
				r.pass(9 * time.Second)
				if got := r.phone.Display(); len(got) != 1 || !strings.HasPrefix(got[0], tt.want) {
					t.Errorf("shows %q, want %q", got, tt.want)
				}
			})
		})
	}
}

// TestCallerIDBreaksOff: who picks up while the phone is told hears the call and not
// the data, and a caller who gives up leaves a phone at rest.
func TestCallerIDBreaksOff(t *testing.T) {
	for _, country := range []string{"US", "GB", "IN"} {
		for _, after := range []time.Duration{300, 900, 2300, 3000} {
			t.Run(country+after.String(), func(t *testing.T) {
				bubble(t, fxs.Config{Country: country}, func(r *rig) {
					g := r.ring(call.Dial{From: "5550100"})
					r.pass(after * time.Millisecond)
					r.phone.OffHook()
					r.event(g, call.LegAnswered)
					if !r.silent(2 * time.Second) {
						t.Error("hears data in the call")
					}
					if r.phone.Ringing() || r.phone.Reversed() {
						t.Error("rings, or is reversed, in the call")
					}
					r.phone.OnHook()
					r.event(g, call.LegEnded)

					h := r.ring(call.Dial{From: "5550100"})
					r.pass(after * time.Millisecond)
					h.Hangup(call.NormalClearing(call.Box))
					r.event(h, call.LegEnded)
					r.pass(10 * time.Second)
					if safe, _ := r.phone.Rest(); !safe || r.phone.Ringing() || r.phone.Reversed() {
						t.Error("the phone is not at rest after the caller gave up")
					}
				})
			})
		}
	}
}

func TestCallerIDNames(t *testing.T) {
	if all := fxs.CallerIDs(); !slices.IsSorted(all) || !slices.Contains(all, "none") {
		t.Errorf("%q", all)
	}
	if err := (fxs.Config{ID: "fxs1", CallerID: "smoke"}).Validate(); err == nil || !strings.Contains(err.Error(), "want one of bellcore,") {
		t.Errorf("an unknown way: %v", err)
	}
}
