package vendor

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"callbox/call"
	"callbox/media"

	"github.com/coder/websocket"
)

// Limits of a recognition.
const (
	connectTime = 5 * time.Second
	writeTime   = 5 * time.Second
	closeTime   = 2 * time.Second // that a vendor has for its last results
	maxMessage  = 64 << 10        // bytes of a vendor's message
	// ahead is the sound that waits to be sent, in frames of 20 ms.
	ahead = 250
	// batch is how many frames are sent at once: 100 ms.
	batch = 5
	// maxResults bounds the results that wait to be read; the oldest interim one
	// goes first.
	maxResults = 64
)

// start is the first message to a vendor.
type start struct {
	Type     string  `json:"type"`
	Language string  `json:"language"`
	Format   string  `json:"format"`
	Encoding string  `json:"encoding"`
	Rate     int     `json:"sampleRateHz"`
	Interim  bool    `json:"interimResults"`
	Options  options `json:"options"`
}

// options are what a document says of the recognition besides.
type options struct {
	Hints        []string        `json:"hints,omitempty"`
	HintsBoost   float64         `json:"hintsBoost,omitempty"`
	AltLanguages []string        `json:"altLanguages,omitempty"`
	Model        string          `json:"model,omitempty"`
	NoProfanity  bool            `json:"profanityFilter,omitempty"`
	Own          json.RawMessage `json:"customOptions,omitempty"`
}

// result is a message of a vendor.
type result struct {
	Type         string `json:"type"`
	Final        bool   `json:"is_final"`
	Language     string `json:"language"`
	Channel      int    `json:"channel"`
	Error        string `json:"error"`
	Alternatives []struct {
		Transcript string  `json:"transcript"`
		Confidence float64 `json:"confidence"`
	} `json:"alternatives"`
}

// maxAlternatives and maxTranscript bound what is kept of a message.
const (
	maxAlternatives = 10
	maxTranscript   = 8 << 10
)

// errUnknown says that a message has a type of its own and is not looked at.
var errUnknown = errors.New("the message is of no known type")

// read reads a message of a vendor.
func read(text []byte, vendor string) (call.Transcript, error) {
	var r result
	if err := json.Unmarshal(text, &r); err != nil {
		return call.Transcript{}, fmt.Errorf("speech vendor %s: its message cannot be read: %w", vendor, err)
	}
	switch r.Type {
	case "transcription":
	case "error":
		return call.Transcript{}, fmt.Errorf("speech vendor %s: %.200s", vendor, r.Error)
	default:
		return call.Transcript{}, errUnknown
	}
	t := call.Transcript{Final: r.Final, Language: r.Language, Channel: max(r.Channel, 1), Vendor: vendor, Raw: string(text)}
	for _, a := range r.Alternatives[:min(len(r.Alternatives), maxAlternatives)] {
		if len(a.Transcript) > maxTranscript {
			return call.Transcript{}, fmt.Errorf("speech vendor %s: a transcript is longer than %d bytes", vendor, maxTranscript)
		}
		t.Alternatives = append(t.Alternatives, call.Alternative{Text: a.Transcript, Confidence: min(max(a.Confidence, 0), 1)})
	}
	return t, nil
}

// Recognition is one sound on its way through a recogniser. WriteFrame belongs to
// the media clock; the other methods may be called from any goroutine.
type Recognition struct {
	set    *Set
	vendor Vendor
	conn   *websocket.Conn

	frames  chan media.Frame
	cancel  context.CancelFunc
	closing chan struct{} // closed by Close
	done    chan struct{} // closed when both goroutines have ended
	once    sync.Once
	out     [batch * len(media.Frame{}) * 2]byte // owned by the sending goroutine

	mu      sync.Mutex // guards what follows
	results []call.Transcript
	err     error // why there are no more
	more    chan struct{}
}

// Hear begins a recognition. The error wraps call.ErrNoRecogniser when no such
// vendor is set up.
func (s *Set) Hear(ctx context.Context, h call.Hearing) (*Recognition, error) {
	v, ok := s.find(h.Vendor, hears)
	if !ok {
		return nil, missing(errHear, h.Vendor, "turns sound into text")
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, errors.New("the gateway is shutting down")
	}
	s.tasks.Add(1)
	s.mu.Unlock()
	r, err := s.hear(ctx, v, h)
	if err != nil {
		s.tasks.Done()
		s.count.failed.Add(1)
		return nil, fmt.Errorf("speech vendor %s: %w", v.Name, err)
	}
	s.count.heard.Add(1)
	return r, nil
}

// hear connects to the vendor and starts the goroutines.
func (s *Set) hear(ctx context.Context, v Vendor, h call.Hearing) (*Recognition, error) {
	dctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	c, resp, err := websocket.Dial(dctx, v.Hears, &websocket.DialOptions{HTTPHeader: s.header(v), CompressionMode: websocket.CompressionDisabled,
		HTTPClient: &http.Client{Transport: s.cfg.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}})
	if err != nil {
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			return nil, fmt.Errorf("the answer is HTTP status %d instead of a websocket", resp.StatusCode)
		}
		return nil, err
	}
	c.SetReadLimit(maxMessage)
	first := start{Type: "start", Language: language(h.Language), Format: "raw", Encoding: "LINEAR16", Rate: 8000, Interim: h.Interim,
		Options: options{Hints: h.Hints, HintsBoost: h.HintsBoost, AltLanguages: h.Languages, Model: h.Model, NoProfanity: h.NoProfanity}}
	if json.Valid([]byte(h.Options)) {
		first.Options.Own = json.RawMessage(h.Options)
	}
	b, err := json.Marshal(first)
	if err == nil {
		err = c.Write(dctx, websocket.MessageText, b)
	}
	if err != nil {
		_ = c.CloseNow() // the first error counts
		return nil, err
	}
	rctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	r := &Recognition{set: s, vendor: v, conn: c, frames: make(chan media.Frame, ahead), cancel: stop,
		closing: make(chan struct{}), done: make(chan struct{}), more: make(chan struct{}, 1)}
	var both sync.WaitGroup
	both.Go(func() { r.listen(rctx) })
	both.Go(func() { r.send(rctx) })
	go func() { // ends with both; waited for by Close of the recognition and of the set
		both.Wait()
		stop()
		_ = c.CloseNow() // it may be closed already
		close(r.done)
		s.tasks.Done()
	}()
	return r, nil
}

// WriteFrame takes the next 20 ms of the sound. It never blocks: when the vendor
// is too slow the frame is dropped and counted.
func (r *Recognition) WriteFrame(f *media.Frame) {
	select {
	case r.frames <- *f:
	default:
		r.set.count.dropped.Add(1)
	}
}

// send is the goroutine that sends the sound, and stop at the end of it.
func (r *Recognition) send(ctx context.Context) {
	defer r.cancel()
	n := 0
	for {
		select {
		case f := <-r.frames:
			for i, v := range f {
				binary.LittleEndian.PutUint16(r.out[(n*len(f)+i)*2:], uint16(v))
			}
			if n++; n < batch {
				continue
			}
			n = 0
			if r.write(ctx, websocket.MessageBinary, r.out[:]) != nil {
				return
			}
		case <-r.closing:
			if r.write(ctx, websocket.MessageText, []byte(`{"type":"stop"}`)) == nil {
				t := time.NewTimer(closeTime) // the vendor closes
				defer t.Stop()
				select {
				case <-t.C:
				case <-ctx.Done():
				}
			}
			return
		case <-ctx.Done():
			return
		}
	}
}

// write sends one message.
func (r *Recognition) write(ctx context.Context, kind websocket.MessageType, b []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	return r.conn.Write(ctx, kind, b)
}

// listen is the goroutine that takes the results.
func (r *Recognition) listen(ctx context.Context) {
	defer r.cancel()
	for {
		kind, text, err := r.conn.Read(ctx)
		if err != nil {
			r.end(fmt.Errorf("speech vendor %s: the connection ended: %w", r.vendor.Name, err))
			return
		}
		if kind != websocket.MessageText {
			continue
		}
		t, err := read(text, r.vendor.Name)
		switch {
		case errors.Is(err, errUnknown):
		case err != nil:
			r.end(err)
			return
		default:
			r.keep(t)
		}
	}
}

// keep puts a result behind the others.
func (r *Recognition) keep(t call.Transcript) {
	r.mu.Lock()
	if len(r.results) == maxResults {
		r.results = r.results[1:]
	}
	r.results = append(r.results, t)
	r.mu.Unlock()
	r.signal()
}

func (r *Recognition) end(err error) {
	r.mu.Lock()
	r.err = err
	r.mu.Unlock()
	r.signal()
}

func (r *Recognition) signal() {
	select {
	case r.more <- struct{}{}:
	default:
	}
}

// Next waits for the next result. One goroutine may wait at a time.
func (r *Recognition) Next(ctx context.Context) (call.Transcript, error) {
	for {
		r.mu.Lock()
		if len(r.results) > 0 {
			t := r.results[0]
			r.results = r.results[1:]
			r.mu.Unlock()
			return t, nil
		}
		err := r.err
		r.mu.Unlock()
		if err != nil {
			return call.Transcript{}, err
		}
		select {
		case <-r.more:
		case <-ctx.Done():
			return call.Transcript{}, ctx.Err()
		}
	}
}

// Close ends the recognition: the vendor is told to stop, and has a moment for
// what it still has to say to the connection. Close does not wait for that, and
// what is still said is not heard.
func (r *Recognition) Close() { r.once.Do(func() { close(r.closing) }) }

// Done is closed when the recognition has ended and freed what it held.
func (r *Recognition) Done() <-chan struct{} { return r.done }
