package wire

import (
	"strings"
	"sync"
	"testing"

	"github.com/emiago/sipgo/sip"
)

// watcher keeps what a layer shows.
type watcher struct {
	mu   sync.Mutex
	seen []string
}

func (w *watcher) watch(m Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	way := "got "
	if m.Sent {
		way = "sent "
	}
	first, _, _ := strings.Cut(string(m.Raw), "\r\n")
	word, rest, _ := strings.Cut(first, " ")
	if word == "SIP/2.0" {
		word = rest
	}
	if m.CallID == "" || !m.Flow.Remote.IsValid() {
		word += " without call or address"
	}
	w.seen = append(w.seen, way+word)
}

func (w *watcher) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.seen, ", ")
}

// TestWatch shows both sides of an exchange over each transport; routine and
// strangers' messages are not shown.
func TestWatch(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{UDP, TCP} {
		var near, far watcher
		h := newHandler(status(486))
		a := startLayer(t, newHandler(nil), func(c *Config) { c.Watch = near.watch })
		b := startLayer(t, h, func(c *Config) { c.Watch = far.watch })
		for _, method := range []sip.RequestMethod{sip.OPTIONS, sip.REGISTER, sip.MESSAGE, sip.INVITE} {
			ch, on := collect()
			if _, err := a.Send(request(method, b.Addr(transport).String()), to(b, transport), on); err != nil {
				t.Fatal(err)
			}
			if o := takeOutcome(t, ch); o.err != nil {
				t.Fatal(o.err)
			}
		}
		wantNear := "sent MESSAGE, got 486 Phrase, sent INVITE, got 486 Phrase, sent ACK"
		eventually(t, "the caller's side", func() bool { return near.text() == wantNear })
		wantFar := "got MESSAGE, sent 486 Phrase, got INVITE, sent 486 Phrase, got ACK"
		eventually(t, "the callee's side", func() bool { return far.text() == wantFar })
	}
	var w watcher
	h := newHandler(status(486))
	h.known = false
	stranger := startLayer(t, h, func(c *Config) { c.Watch = w.watch })
	s := newSocket(t)
	s.send(stranger, s.message("MESSAGE", "z9hG4bKw1"))
	if s.status(patience) != 486 {
		t.Fatal("no answer")
	}
	if got := w.text(); got != "sent 486 Phrase" {
		t.Errorf("of a stranger: %s", got)
	}
}
