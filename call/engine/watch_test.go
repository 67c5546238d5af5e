package engine

import (
	"slices"
	"strings"
	"testing"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/media"
)

func TestWatch(t *testing.T) {
	for _, tc := range []struct{ sequences, keys, want string }{
		{"*1 *2", "5*1", "*1"},
		{"*1 *2", "*1*2", "*1 *2"},
		{"*1 *2", "1*", ""},
		{"123", "12.3", ""}, // a dot is a long pause
		{"123", "12,3", "123"},
		{"1", "111", "1 1 1"},
		{"12 2", "12", "12"},
		{"", "123", ""},
	} {
		w, now, got := watch{sequences: strings.Fields(tc.sequences)}, time.Unix(0, 0), []string{}
		for _, k := range []byte(tc.keys) {
			switch k {
			case '.':
				now = now.Add(keyGap + 1)
			case ',':
				now = now.Add(keyGap)
			default:
				if s := w.press(k, now); s != "" {
					got = append(got, s)
				}
			}
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%q typed as %q: %q", tc.sequences, tc.keys, got)
		}
	}
}

// TestDialKeys: both sides' sequences are told, in order, and the keys go on to
// the other side.
func TestDialKeys(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		var told []string
		w.install("http://app/keys", func(r *script.Result) (script.Document, error) {
			told = append(told, r.Verb+" "+r.Digits)
			<-time.After(500 * time.Millisecond) // a slow one
			return script.Document{Verbs: []script.Verb{play("clip:10")}}, nil
		})
		caller, _, res := w.arrive(script.Dial{Targets: users("201"), Keys: script.KeyWatch{Hook: call.Hook{URL: "http://app/keys"},
			Caller: []string{"*1", "#"}, Callee: []string{"99"}}})
		callee := <-w.lines["201"].dialed
		callee.answer()
		pass(time.Second)
		talking(t, caller, callee)
		caller.press("5*1")
		callee.press("*199")
		caller.press("#")
		pass(3 * time.Second)
		// Each side's in order; the sides are not in step.
		mine := slices.DeleteFunc(slices.Clone(told), func(s string) bool { return s == "dtmf 99" })
		if len(told) != 3 || strings.Join(mine, ", ") != "dtmf *1, dtmf #" {
			t.Errorf("told: %q", told)
		}
		talking(t, caller, callee) // verbs in the answer are not run
		callee.end(call.NormalClearing(call.Remote))
		if r := res(); r.State != call.Completed {
			t.Errorf("%+v", r)
		}
	})
}

// TestDialMusic: the caller hears the music over and over instead of ringing and
// of the callee's early sound, until the callee answers.
func TestDialMusic(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		caller, _, _ := w.arrive(script.Dial{Targets: users("201"), Music: "clip:40", AnswerOnBridge: true})
		callee := <-w.lines["201"].dialed
		for _, step := range []func(){func() {}, callee.ring, callee.early} {
			step()
			callee.port.in.Store(7000)
			pass(1500 * time.Millisecond)
			if got := caller.port.out.Load(); got != clipLevel {
				t.Errorf("the caller hears %d, want the music's %d", got, clipLevel)
			}
		}
		if caller.isUp() {
			t.Error("the caller was answered")
		}
		callee.answer()
		pass(time.Second)
		talking(t, caller, callee)
	})
}

// TestDialMusicGone: without the sound the caller hears ringing.
func TestDialMusicGone(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		caller, id, _ := w.arrive(script.Dial{Targets: users("201"), Music: "gone:"})
		callee := <-w.lines["201"].dialed
		callee.ring()
		pass(time.Second)
		if got := caller.port.out.Load(); got != 500 {
			t.Errorf("the caller hears %d, want the ringback's 500", got)
		}
		callee.answer()
		pass(time.Second)
		talking(t, caller, callee)
		if rec, err := w.e.Call(t.Context(), "acct", id); err != nil || len(rec.Warnings) != 1 || !strings.Contains(rec.Warnings[0], "cannot play") {
			t.Errorf("%q, %v", rec.Warnings, err)
		}
	})
}

// TestHold: the party that is held hears the hook's document, again and again,
// until it is taken back.
func TestHold(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		var told []script.HoldResult
		w.install("http://app/hold", func(r *script.Result) (script.Document, error) {
			told = append(told, *r.Hold)
			return script.Document{Verbs: []script.Verb{play("clip:40")}}, nil
		})
		caller, _, _ := w.arrive(script.Dial{Targets: users("201"), OnHold: call.Hook{URL: "http://app/hold"}})
		callee := <-w.lines["201"].dialed
		callee.answer()
		pass(time.Second)
		callee.port.in.Store(0)
		callee.emit(call.LegEvent{Type: call.LegHeld})
		pass(2500 * time.Millisecond)
		if got := caller.port.out.Load(); got != clipLevel {
			t.Errorf("the caller hears %d, want the document's %d", got, clipLevel)
		}
		if len(told) < 2 || told[0].To != "client:201" {
			t.Errorf("told %+v", told)
		}
		callee.emit(call.LegEvent{Type: call.LegResumed})
		pass(time.Second)
		talking(t, caller, callee)
		caller.port.in.Store(0)
		caller.emit(call.LegEvent{Type: call.LegHeld})
		pass(300 * time.Millisecond)
		if got := callee.port.out.Load(); got != clipLevel {
			t.Errorf("the callee hears %d, want the document's %d", got, clipLevel)
		}
		callee.end(call.NormalClearing(call.Remote)) // while it is held
		pass(time.Second)
	})
}

// TestHoldTune: by default the box's own music plays, the line that holds may say
// otherwise, and what the holder sends meanwhile is heard only when nothing else is.
func TestHoldTune(t *testing.T) {
	for music, want := range map[string]int64{"": clipLevel + 7, "none": 0, "clip:40": clipLevel, "gone:": clipLevel + 7} {
		in(t, func(t *testing.T, w *world) {
			w.e.cfg.Rooms.Music = func() media.Clip { return level(clipLevel+7, 1<<30) }
			w.e.cfg.HoldMusic = func(account, line string) string {
				if account != "acct" || line != "201" {
					t.Errorf("asked for the music of %s, line %s", account, line)
				}
				return music
			}
			caller, _, _ := w.arrive(script.Dial{Targets: users("201")})
			callee := <-w.lines["201"].dialed
			callee.answer()
			pass(time.Second)
			talking(t, caller, callee)
			heard := caller.port.out.Load()
			callee.emit(call.LegEvent{Type: call.LegHeld})
			pass(2 * time.Second)
			if want == 0 {
				want = int64(heard)
			}
			if got := int64(caller.port.out.Load()); got != want {
				t.Errorf("%q: the caller hears %d, want %d", music, got, want)
			}
			callee.emit(call.LegEvent{Type: call.LegResumed})
			pass(time.Second)
			talking(t, caller, callee)
		})
	}
}

// TestHoldMusic: what the call says of its hold music plays without a hook.
func TestHoldMusic(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		caller, id, _ := w.arrive(script.Dial{Targets: users("201")})
		callee := <-w.lines["201"].dialed
		callee.answer()
		pass(time.Second)
		url := "clip:40"
		if _, err := w.e.Modify(t.Context(), "acct", id, call.Change{HoldMusic: &url}); err != nil {
			t.Fatal(err)
		}
		callee.port.in.Store(0)
		callee.emit(call.LegEvent{Type: call.LegHeld})
		pass(2 * time.Second)
		if got := caller.port.out.Load(); got != clipLevel {
			t.Errorf("the caller hears %d, want the music's %d", got, clipLevel)
		}
		callee.emit(call.LegEvent{Type: call.LegResumed})
		pass(time.Second)
		talking(t, caller, callee)
	})
}
