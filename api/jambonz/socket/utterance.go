package socket

import (
	"context"
	"io"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"callbox/api/jambonz/js"
	"callbox/call/script"
)

const (
	// maxSpoken bounds the text of a call that waits to be spoken, in bytes.
	maxSpoken = 8 << 10
	// longSentence is where a text without an end of a sentence is cut at a space.
	longSentence = 300
	// sentenceEnds are what a sentence ends with, before a space.
	sentenceEnds = ".!?;:…。！？"
)

// speech is the text that an application has spoken while it is still being
// written: a number of utterances, one after the other.
type speech struct {
	s *session

	mu      sync.Mutex // guards what follows
	opened  bool       // the application was told that there is speech
	full    bool       // the application was told to wait
	waiting int        // bytes
	live    []*utterance
}

// utterance is a text from its first token to its flush.
type utterance struct {
	of      *speech
	text    string        // that was not spoken yet; guarded by of.mu
	whole   bool          // there is no more to come; guarded by of.mu
	more    chan struct{} // holds one token while something may have changed
	dropped chan struct{}
	once    sync.Once // closes dropped
}

var _ script.Utterance = (*utterance)(nil)

// tokens takes a piece of text, and says what became of it: "", or the reason why
// it was not taken.
func (p *speech) tokens(text string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting > 0 && p.waiting+len(text) > maxSpoken || len(text) > maxSpoken {
		if !p.full {
			p.full = true
			p.s.streaming("stream_paused")
		}
		return "full"
	}
	if n := len(p.live); n == 0 || p.live[n-1].whole {
		u := &utterance{of: p, more: make(chan struct{}, 1), dropped: make(chan struct{})}
		select {
		case p.s.orders <- script.Order{Way: script.After, Document: script.Document{Verbs: []script.Verb{script.Recite{Utterance: u}}}}:
		default:
			return "too many commands wait to be done"
		}
		p.live = append(p.live, u)
		if !p.opened {
			p.opened = true
			p.s.streaming("stream_open")
		}
	}
	u := p.live[len(p.live)-1]
	u.text += text
	p.waiting += len(text)
	u.wake()
	return ""
}

// flush ends the present utterance: what there is of it is spoken.
func (p *speech) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.live); n > 0 {
		p.live[n-1].whole = true
		p.live[n-1].wake()
	}
}

// clear forgets all that was not heard yet.
func (p *speech) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, u := range p.live {
		u.drop()
	}
	p.live = nil
	p.spare()
}

// spare tells the application that there is room again. The caller holds p.mu.
func (p *speech) spare() {
	p.waiting = 0
	for _, u := range p.live {
		p.waiting += len(u.text)
	}
	if p.full && p.waiting <= maxSpoken/2 {
		p.full = false
		p.s.streaming("stream_resumed")
	}
}

// wake says that something has changed. The caller holds of.mu.
func (u *utterance) wake() {
	select {
	case u.more <- struct{}{}:
	default:
	}
}

func (u *utterance) drop() { u.once.Do(func() { close(u.dropped) }) }

// Next gives the next sentence.
func (u *utterance) Next(ctx context.Context) (string, error) {
	for {
		u.of.mu.Lock()
		text, rest, ok := cutSentence(u.text, u.whole)
		if ok {
			u.text = rest
			u.of.spare()
		}
		whole := u.whole
		u.of.mu.Unlock()
		switch {
		case ok && text != "":
			return text, nil
		case ok:
			continue
		case whole:
			return "", io.EOF
		}
		select {
		case <-u.more:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// Dropped is closed when the application has cleared it.
func (u *utterance) Dropped() <-chan struct{} { return u.dropped }

// End forgets it, and with it, when the caller has interrupted it, all that was to
// follow.
func (u *utterance) End(early bool) {
	p := u.of
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, x := range p.live {
		if x == u {
			p.live = append(p.live[:i:i], p.live[i+1:]...)
			break
		}
	}
	if early {
		for _, x := range p.live {
			x.drop()
		}
		p.live = nil
		p.s.streaming("user_interruption")
	}
	p.spare()
}

// cutSentence cuts the first sentence off a text, of which all is there if whole.
func cutSentence(text string, whole bool) (sentence, rest string, ok bool) {
	space := 0
	for i, r := range text {
		switch {
		case r == '\n', unicode.IsSpace(r) && i > 0 && endsSentence(text[:i]):
			return strings.TrimSpace(text[:i]), text[i+utf8.RuneLen(r):], true
		case unicode.IsSpace(r):
			space = i
		}
		if i > longSentence && space > 0 {
			return strings.TrimSpace(text[:space]), text[space:], true
		}
	}
	if whole && text != "" {
		return strings.TrimSpace(text), "", true
	}
	return "", text, false
}

// endsSentence reports whether a text ends with what a sentence does, also before
// a closing quotation mark or bracket.
func endsSentence(text string) bool {
	text = strings.TrimRight(text, "\"'”’»)]")
	r, _ := utf8.DecodeLastRuneInString(text)
	return strings.ContainsRune(sentenceEnds, r)
}

// streaming tells the application how its speech goes.
func (s *session) streaming(event string) {
	var o js.Object
	o.Text("event_type", event)
	s.notify(&message{typ: "tts:streaming-event", id: newID(), call: s.call, data: js.Append(nil, o.Value())})
}

// speak takes text that is to be spoken as it comes, and answers with what became
// of it.
func (s *session) speak(data js.Value) {
	var o js.Object
	if id, ok := data.Get("id"); ok {
		o.Add("id", id)
	}
	text, _ := data.Get("tokens")
	reason := "tokens is missing: it is the text to be spoken"
	if text.Kind == js.Text {
		reason = s.speech.tokens(text.Text)
	}
	o.Text("status", map[bool]string{true: "ok", false: "failed"}[reason == ""])
	o.Some("reason", reason)
	s.notify(&message{typ: "tts:tokens-result", id: newID(), call: s.call, data: js.Append(nil, o.Value())})
}
