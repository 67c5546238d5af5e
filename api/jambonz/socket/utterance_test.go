package socket_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"callbox/call/script"
)

// TestSpeechAsItComes: text comes in pieces and is spoken by sentences; what is too
// much is refused until there is room; it is cleared by request and when the caller
// interrupts.
func TestSpeechAsItComes(t *testing.T) {
	a := newApplication(t)
	h, _ := newHub(t, patient)
	p, orders := begin(t, h, a)
	tokens := func(id int, text, status, reason string) {
		t.Helper()
		p.say(`{"type":"command","command":"tts:tokens","data":{"id":%d,"tokens":%q}}`, id, text)
		m := p.want("tts:tokens-result")
		if got, _ := m.Data["reason"].(string); m.Data["id"] != float64(id) || m.Data["status"] != status || got != reason {
			t.Errorf("%q: %+v, want %s %s", text, m.Data, status, reason)
		}
	}
	event := func(want string) {
		t.Helper()
		if m := p.want("tts:streaming-event"); m.Data["event_type"] != want {
			t.Errorf("%+v, want %s", m.Data, want)
		}
	}
	utterance := func() script.Utterance {
		t.Helper()
		o, err := orders.Next(t.Context())
		if err != nil || o.Way != script.After || len(o.Document.Verbs) != 1 {
			t.Fatalf("%+v, %v", o, err)
		}
		return o.Document.Verbs[0].(script.Recite).Utterance
	}
	p.say(`{"type":"command","command":"tts:tokens","data":{"id":1,"tokens":"Hello th"}}`)
	event("stream_open")
	p.want("tts:tokens-result")
	first := utterance()
	tokens(2, "ere. How are", "ok", "")
	tokens(3, " you? Fi", "ok", "")
	tokens(4, "ne", "ok", "")
	p.say(`{"type":"command","command":"tts:flush"}`)
	for _, want := range []string{"Hello there.", "How are you?", "Fine"} {
		if got, err := first.Next(t.Context()); err != nil || got != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	if _, err := first.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("after its end: %v", err)
	}
	first.End(false)

	tokens(5, strings.Repeat("word ", 1600), "ok", "")
	second := utterance()
	p.say(`{"type":"command","command":"tts:tokens","data":{"id":6,"tokens":%q}}`, strings.Repeat("word ", 100))
	event("stream_paused")
	if m := p.want("tts:tokens-result"); m.Data["status"] != "failed" || m.Data["reason"] != "full" {
		t.Errorf("too much: %+v", m.Data)
	}
	for range 14 { // more than half of it
		if text, err := second.Next(t.Context()); err != nil || len(text) < 200 || len(text) > 400 {
			t.Fatalf("%q, %v", text, err)
		}
	}
	event("stream_resumed")
	p.say(`{"type":"command","command":"tts:clear"}`)
	<-second.Dropped()
	second.End(false)

	tokens(7, "One. ", "ok", "")
	third := utterance()
	p.say(`{"type":"command","command":"tts:flush"}`)
	tokens(8, "Two.", "ok", "")
	fourth := utterance()
	third.End(true)
	event("user_interruption")
	<-fourth.Dropped()
}
