package stream

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"callbox/api"
	"callbox/call"
	"callbox/call/script"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// dialect opens streams in the way that a test wants.
type dialect struct {
	api.Dialect
	opening api.StreamOpening
}

func (dialect) Name() string { return "some" }

func (d dialect) OpenStream(call.Stream, call.Record) api.StreamOpening { return d.opening }

func (dialect) Sign(secret string, o api.Outgoing) (name, value string) {
	return "X-Signature", secret + " " + o.Method + " " + o.URL
}

// callEnd is the call's end of a stream: the test puts pieces in, and what is
// done to it is noted.
type callEnd struct {
	pieces chan script.StreamPiece // closed: the end

	mu    sync.Mutex
	log   []string
	full  bool // there is no room
	heard int  // samples
}

func newEnd() *callEnd { return &callEnd{pieces: make(chan script.StreamPiece, 64)} }

func (e *callEnd) note(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.log = append(e.log, fmt.Sprintf(format, args...))
}

// take gives what was noted.
func (e *callEnd) take() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := strings.Join(e.log, "; ")
	e.log = nil
	return s
}

func (e *callEnd) Next(ctx context.Context, p *script.StreamPiece) error {
	select {
	case x, ok := <-e.pieces:
		if !ok {
			return io.EOF
		}
		*p = x
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *callEnd) Play(samples []int16) bool {
	e.mu.Lock()
	e.heard += len(samples)
	full := e.full
	e.mu.Unlock()
	first := "nothing"
	if len(samples) > 0 {
		first = fmt.Sprint(samples[0])
	}
	e.note("play %d samples, the first is %s", len(samples), first)
	return !full
}

func (e *callEnd) Mark(name string) bool {
	e.note("mark %q", name)
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.full
}

func (e *callEnd) Clear(marksOnly bool) { e.note("clear, marks only %t", marksOnly) }

func (e *callEnd) Press(_ context.Context, keys string) error {
	e.note("press %s", keys)
	return nil
}

func (e *callEnd) Warn(text string) { e.note("warn: %s", text) }

var _ script.StreamEnd = (*callEnd)(nil)

// client is a Client for the streams of opening, with short times.
func client(t *testing.T, opening api.StreamOpening) *Client {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	c := New(Config{Dialects: []api.Dialect{dialect{opening: opening}}, Transport: tr, UserAgent: "callbox/test",
		Secret: func(api.Dialect, string) string { return "s3cret" }})
	c.times = times{handshake: 2 * time.Second, write: 300 * time.Millisecond}
	return c
}

// theCall is the stream of these tests.
func theCall(url string) call.Stream {
	return call.Stream{ID: "MZ1", Call: "CA1", Account: "AC1", API: "some", StreamOptions: call.StreamOptions{URL: url, Track: call.TrackInbound}}
}
