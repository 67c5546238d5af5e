package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/call/script"
)

// connected makes a call that a Dial has connected with another, whose far ends
// say 1000 and 2000.
func (w *world) connected() (a, b *farLeg, ida, idb string) {
	w.t.Helper()
	a, ida = w.place("201", 1000, &script.DialVerb{Dial: script.Dial{Targets: []script.Target{{Kind: script.ToUser, To: "202"}}}})
	b = <-w.lines["202"].dialed
	b.port.in.Store(2000)
	b.answer()
	synctest.Wait()
	hear(w.t, []*farLeg{a, b}, 2000, 1000)
	return a, b, ida, w.childOf(ida)
}

func (w *world) change(id string, ch call.Change) {
	w.t.Helper()
	if _, err := w.e.Modify(context.Background(), "acct", id, ch); err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
}

// refuses checks that a change is refused with this sentence.
func (w *world) refuses(id, why string, ch call.Change) {
	w.t.Helper()
	_, err := w.e.Modify(context.Background(), "acct", id, ch)
	if !errors.Is(err, call.ErrWrongState) || !strings.Contains(err.Error(), why) {
		w.t.Errorf("%+v: %v, want %q", ch, err, why)
	}
}

func ptr[T any](v T) *T { return &v }

// TestMute: what one party says is silence to the other, in both directions apart.
func TestMute(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		a, b, ida, idb := w.connected()
		w.change(ida, call.Change{Muted: ptr(true)})
		hear(t, []*farLeg{a, b}, 2000, 0)
		w.change(idb, call.Change{Muted: ptr(true)})
		hear(t, []*farLeg{a, b}, 0, 0)
		w.change(ida, call.Change{Muted: ptr(false)})
		w.change(idb, call.Change{Muted: ptr(false)})
		hear(t, []*farLeg{a, b}, 2000, 1000)
		a.end(call.NormalClearing(call.Remote))
	})
}

// TestChangeLoudness: one party hears the other softer or louder.
func TestChangeLoudness(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		a, b, ida, _ := w.connected()
		w.change(ida, call.Change{Loudness: ptr(-6.0)})
		hear(t, []*farLeg{a, b}, 2000*128/256, 1000)
		w.change(ida, call.Change{Loudness: ptr(6.0)})
		hear(t, []*farLeg{a, b}, 2000*511/256, 1000)
		w.change(ida, call.Change{Loudness: ptr(0.0)})
		hear(t, []*farLeg{a, b}, 2000, 1000)
		a.end(call.NormalClearing(call.Remote))
	})
}

// TestWhisper: one party hears sounds besides the other, who does not; a second
// whisper takes the place of the first.
func TestWhisper(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		a, b, ida, _ := w.connected()
		w.change(ida, call.Change{Tracks: []call.Track{{Sounds: []call.Sound{{URL: "clip:25"}, {Text: "one minute left", Voice: "v"}}, Loop: 1}}})
		hear(t, []*farLeg{a, b}, 2300, 1000)
		pass(500 * time.Millisecond)
		hear(t, []*farLeg{a, b}, 2400, 1000) // the spoken part, of 1 s
		pass(time.Second)
		hear(t, []*farLeg{a, b}, 2000, 1000)
		w.mu.Lock()
		if len(w.spoken) != 1 || w.spoken[0].Text != "one minute left" || w.spoken[0].Voice != "v" {
			t.Errorf("spoken %+v", w.spoken)
		}
		w.mu.Unlock()
		endless := call.Track{Sounds: []call.Sound{{URL: "clip:100"}}}
		w.change(ida, call.Change{Tracks: []call.Track{endless}})
		pass(9 * time.Second) // in the middle of a round
		hear(t, []*farLeg{a, b}, 2300, 1000)
		w.change(ida, call.Change{Tracks: []call.Track{{Sounds: []call.Sound{{Text: "now"}}, Loop: 1}}})
		hear(t, []*farLeg{a, b}, 2400, 1000)
		a.end(call.NormalClearing(call.Remote))
	})
}

// TestTracks: named tracks are made, changed, silenced and removed; what they
// play ends with the call.
func TestTracks(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		a, b, ida, _ := w.connected()
		track := func(tr call.Track) call.Change { return call.Change{Tracks: []call.Track{tr}} }
		loop := []call.Sound{{URL: "clip:5000"}}
		w.refuses(ida, `no track "x"`, track(call.Track{Name: "x", Act: call.TrackPlay, Sounds: loop}))
		w.refuses(ida, `no track "x"`, track(call.Track{Name: "x", Act: call.TrackRemove}))
		w.change(ida, track(call.Track{Name: "x", Sounds: loop, Loudness: ptr(-6.0)}))
		w.change(ida, track(call.Track{Name: "y"})) // nothing to play yet
		hear(t, []*farLeg{a, b}, 2150, 1000)
		w.refuses(ida, `a track "x" already`, track(call.Track{Name: "x", Sounds: loop}))
		w.refuses(ida, `2 tracks already`, track(call.Track{Name: "z", Sounds: loop}))
		w.change(ida, track(call.Track{Name: "y", Act: call.TrackPlay, Sounds: []call.Sound{{Text: "hold the line"}}, Loop: 1}))
		hear(t, []*farLeg{a, b}, 2550, 1000)
		pass(time.Second)
		hear(t, []*farLeg{a, b}, 2150, 1000)
		w.change(ida, track(call.Track{Name: "x", Act: call.TrackSilence}))
		hear(t, []*farLeg{a, b}, 2000, 1000)
		w.change(ida, track(call.Track{Name: "x", Act: call.TrackPlay, Sounds: loop})) // as loud as it was made
		hear(t, []*farLeg{a, b}, 2150, 1000)
		w.change(ida, track(call.Track{Name: "x", Act: call.TrackRemove}))
		hear(t, []*farLeg{a, b}, 2000, 1000)
		w.change(ida, track(call.Track{Name: "z", Sounds: loop}))
		a.end(call.NormalClearing(call.Remote))
	})
}

// TestChangeKeys: keys go out in order, behind those that are being sent.
func TestChangeKeys(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		a, _, ida, _ := w.connected()
		w.change(ida, call.Change{Keys: &call.Keys{Keys: "12", Length: 250 * time.Millisecond}})
		w.change(ida, call.Change{Keys: &call.Keys{Keys: "#"}})
		var got []byte
		for range 3 {
			got = append(got, <-a.sent)
		}
		if string(got) != "12#" {
			t.Errorf("sent %q", got)
		}
		a.end(call.NormalClearing(call.Remote))
	})
}

// TestSoundNeedsAnAnswer: before the answer, and with another party's id, nothing
// is changed.
func TestSoundNeedsAnAnswer(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice", play("clip:500"))})
		leg := <-w.lines["201"].dialed
		leg.ring()
		synctest.Wait()
		for _, ch := range []call.Change{
			{Muted: ptr(true)}, {Loudness: ptr(3.0)}, {Keys: &call.Keys{Keys: "1"}}, {Tracks: []call.Track{{Sounds: []call.Sound{{Text: "x"}}}}},
		} {
			w.refuses(rec.ID, "not been answered", ch)
		}
		if _, err := w.e.Tell(context.Background(), "other", rec.ID, call.SIPMessage{Method: "INFO"}); !errors.Is(err, call.ErrNotFound) {
			t.Errorf("another account's call: %v", err)
		}
		if _, err := w.e.Tell(context.Background(), "acct", rec.ID, call.SIPMessage{Method: "INFO"}); !errors.Is(err, call.ErrWrongState) {
			t.Errorf("a leg without SIP: %v", err)
		}
		leg.end(call.NormalClearing(call.Remote))
		w.ends(rec.ID, call.NoAnswer)
		if _, err := w.e.Tell(context.Background(), "acct", rec.ID, call.SIPMessage{Method: "INFO"}); !errors.Is(err, call.ErrEnded) {
			t.Errorf("an ended call: %v", err)
		}
	})
}

// tellingLeg is a leg by SIP.
type tellingLeg struct {
	*farLeg
	got chan call.SIPMessage
}

func (l tellingLeg) Tell(_ context.Context, m call.SIPMessage) (call.SIPResponse, error) {
	l.got <- m
	if m.Method == "PUBLISH" {
		return call.SIPResponse{Status: 405, Reason: "Method Not Allowed"}, nil
	}
	return call.SIPResponse{Status: 202, Reason: "Accepted"}, nil
}

// TestTell: a request goes to the far end of the call and its answer comes back.
func TestTell(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		got := make(chan call.SIPMessage, 1)
		w.lines["201"].wrap = func(l *farLeg) call.Leg { return tellingLeg{l, got} }
		leg, id := w.place("201", 0, play("clip:500"))
		m := call.SIPMessage{Method: "INFO", ContentType: "text/plain", Body: "x"}
		res, err := w.e.Tell(context.Background(), "acct", id, m)
		if err != nil || res.Status != 202 || res.Reason != "Accepted" {
			t.Errorf("%+v, %v", res, err)
		}
		if g := <-got; g.Body != "x" {
			t.Errorf("got %+v", g)
		}
		w.change(id, call.Change{Tell: &call.SIPMessage{Method: "INFO", Body: "y"}})
		if g := <-got; g.Body != "y" {
			t.Errorf("got %+v", g)
		}
		w.change(id, call.Change{Tell: &call.SIPMessage{Method: "PUBLISH"}})
		<-got
		synctest.Wait()
		if r := w.record(id); len(r.Warnings) != 1 || r.Warnings[0] != "the far end answered PUBLISH with 405 Method Not Allowed" {
			t.Errorf("warnings %q", r.Warnings)
		}
		leg.end(call.NormalClearing(call.Remote))
	})
}

// TestMessages: requests of the far end are told with the hook that asked for
// them, up to a bound.
func TestMessages(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice", play("clip:5000")),
			Session: call.Session{Messages: call.Hook{URL: "http://app/sip"}}})
		leg := <-w.lines["201"].dialed
		leg.answer()
		synctest.Wait()
		for range maxMessages + 5 {
			leg.emit(call.LegEvent{Type: call.LegMessage, Message: &call.SIPMessage{Method: "INFO", Body: "{}"}})
			synctest.Wait()
		}
		told := 0
		w.mu.Lock()
		for _, ev := range w.events {
			if ev.Type == call.EventMessage {
				if told++; ev.Message.Body != "{}" || ev.Record.Session.Messages.URL != "http://app/sip" {
					t.Fatalf("%+v", ev)
				}
			}
		}
		w.mu.Unlock()
		if told != maxMessages {
			t.Errorf("%d were told", told)
		}
		if r := w.record(rec.ID); len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "further ones are not told") {
			t.Errorf("warnings %q", r.Warnings)
		}
		leg.end(call.NormalClearing(call.Remote))
	})
}

// TestTrackFails: a sound that cannot be had is a warning, and the call goes on.
func TestTrackFails(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		a, b, ida, _ := w.connected()
		for _, name := range []string{"one", "two"} {
			w.change(ida, call.Change{Tracks: []call.Track{{Name: name, Sounds: []call.Sound{{URL: "clip:5000"}}}}})
		}
		hear(t, []*farLeg{a, b}, 2600, 1000)
		w.fails = errors.New("there is no such file")
		w.change(ida, call.Change{Tracks: []call.Track{{Sounds: []call.Sound{{URL: "clip:1"}}, Loop: 1}}})
		if r := w.record(ida); len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "there is no such file") {
			t.Errorf("warnings %q", r.Warnings)
		}
		hear(t, []*farLeg{a, b}, 2600, 1000)
		a.end(call.NormalClearing(call.Remote))
	})
}

// TestSpeechFallback: where the call's voice fails, the one for that case speaks.
func TestSpeechFallback(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.mute = "broken"
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice", script.Say{Speech: script.Speech{Text: "hello"}, Loop: 1}),
			Session: call.Session{Speech: call.Speech{Vendor: "broken", Voice: "a", Language: "fr-FR", FallbackVendor: "sound", FallbackVoice: "b"}}})
		leg := <-w.lines["201"].dialed
		leg.answer()
		hear(t, []*farLeg{leg}, 400)
		w.mu.Lock()
		if want := (script.Speech{Text: "hello", Vendor: "sound", Voice: "b", Language: "fr-FR"}); len(w.spoken) != 1 || w.spoken[0] != want {
			t.Errorf("spoken %+v", w.spoken)
		}
		w.mu.Unlock()
		pass(time.Second)
		r := w.ends(rec.ID, call.Completed)
		if len(r.Warnings) != 1 || r.Warnings[0] != "the voice for the case of failure speaks: the vendor broken does not speak" {
			t.Errorf("warnings %q", r.Warnings)
		}
	})
}
