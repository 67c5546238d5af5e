package at

import (
	"context"
	"fmt"
	"io"
	"sync"
)

// DLE codes that the box sends (V.253 §8.1).
const (
	duplexEnd = '^' // leave duplex sound
)

// departure asks the loop to end a stream.
type departure struct {
	s    *Stream
	code byte
}

// Limits of a [Stream].
const (
	maxSound = 8000 // bytes nobody has read yet, a second; the oldest are dropped and counted
	maxCodes = 64   // codes nobody has taken yet; those beyond are dropped and counted
)

// Stream is a voice modem's sound in both directions, with the events that come
// between the samples. In the stream the byte 10 (DLE) is special:
//
//	10 10   one sample of value 10
//	10 1A   two of them (V.253 §8.2)
//	10 03   the end of the stream
//	10 xx   the event xx: a digit, b busy, d dial tone, l loop current …
//
// Read and Write are for one goroutine each; the other methods for any.
type Stream struct {
	e     *Engine
	codes chan byte
	done  chan struct{}
	final Final // owned by the loop until done

	live bool // bytes may be written; guarded by Engine.write
	out  []byte

	// Owned by the loop.
	dle bool
	eol bool // the line feed of CONNECT has not come yet

	mu    sync.Mutex
	ring  [maxSound]byte // mu
	head  int            // mu: the oldest
	n     int            // mu
	ended bool           // mu
	more  chan struct{}  // a token: there is something to read
}

// Stream asks a command that ends with CONNECT (AT+VTR) and gives the sound that
// follows. Commands wait in the queue while sound passes.
func (e *Engine) Stream(ctx context.Context, cmd Command) (*Stream, error) {
	s := &Stream{e: e, codes: make(chan byte, maxCodes), done: make(chan struct{}), more: make(chan struct{}, 1)}
	if _, err := e.do(ctx, &job{cmd: cmd, stream: s, reply: make(chan result, 1)}); err != nil {
		return nil, fmt.Errorf("%s: %w", cmd.name(), err)
	}
	return s, nil
}

// begin is called by the loop at CONNECT.
func (s *Stream) begin() {
	s.eol = true
	s.e.write.Lock()
	s.live = true
	s.e.write.Unlock()
}

// feed takes bytes of the port up to the end of the stream, and gives the rest.
func (s *Stream) feed(b []byte) (rest []byte, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.wake()
	for i, c := range b {
		switch {
		case s.eol:
			s.eol = false
			if c != '\n' {
				s.sample(c)
			}
		case s.dle:
			s.dle = false
			switch c {
			case dle:
				s.put(dle)
			case 0x1A:
				s.put(dle)
				s.put(dle)
			case etx:
				return b[i+1:], true
			default:
				s.code(c)
			}
		default:
			s.sample(c)
		}
	}
	return nil, false
}

func (s *Stream) sample(c byte) {
	if c == dle {
		s.dle = true
		return
	}
	s.put(c)
}

func (s *Stream) put(c byte) {
	if s.n == maxSound {
		s.head = (s.head + 1) % maxSound
		s.n--
		s.e.count(func(st *Stats) { st.Overrun++ })
	}
	s.ring[(s.head+s.n)%maxSound] = c
	s.n++
}

func (s *Stream) code(c byte) {
	select {
	case s.codes <- c:
	default:
		s.e.count(func(st *Stats) { st.Shielding++ })
	}
}

func (s *Stream) wake() {
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// close is called by the loop when the stream has ended.
func (s *Stream) close() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.wake()
	close(s.codes)
	close(s.done)
}

// Read gives samples as they came, without the shielding. It waits for at least
// one, and ends with io.EOF after the last. A second is kept; when nobody reads,
// the oldest are dropped and counted.
func (s *Stream) Read(p []byte) (int, error) {
	for {
		s.mu.Lock()
		n := 0
		for n < len(p) && s.n > 0 {
			k := copy(p[n:], s.ring[s.head:min(s.head+s.n, maxSound)])
			s.head = (s.head + k) % maxSound
			s.n -= k
			n += k
		}
		ended := s.ended
		s.mu.Unlock()
		if n > 0 || len(p) == 0 {
			return n, nil
		}
		if ended {
			return 0, io.EOF
		}
		select {
		case <-s.more:
		case <-s.done:
		}
	}
}

// Write shields samples and sends them. It fails with io.ErrClosedPipe once the
// stream is ending.
func (s *Stream) Write(p []byte) (int, error) {
	s.e.write.Lock()
	defer s.e.write.Unlock()
	if !s.live {
		return 0, io.ErrClosedPipe
	}
	s.out = s.out[:0]
	for _, c := range p {
		if c == dle {
			s.out = append(s.out, dle)
		}
		s.out = append(s.out, c)
	}
	if _, err := s.e.port.Write(s.out); err != nil {
		return 0, fmt.Errorf("write to the modem: %w", err)
	}
	return len(p), nil
}

// Send sends a DLE code that does not end the stream ('u' and 'd' volume).
func (s *Stream) Send(code byte) error {
	s.e.write.Lock()
	defer s.e.write.Unlock()
	if !s.live {
		return io.ErrClosedPipe
	}
	if _, err := s.e.port.Write([]byte{dle, code}); err != nil {
		return fmt.Errorf("write to the modem: %w", err)
	}
	return nil
}

// Codes delivers the events between the samples in order; it is closed at the
// end. When nobody takes them, those beyond 64 are dropped and counted.
func (s *Stream) Codes() <-chan byte { return s.codes }

// Done is closed when the stream has ended, by either side.
func (s *Stream) Done() <-chan struct{} { return s.done }

// Final is the code with which the stream ended ("" before, and when the modem
// said none).
func (s *Stream) Final() Final {
	select {
	case <-s.done:
		return s.final
	default:
		return ""
	}
}

// Leave sends the DLE code that ends the stream ('^', or ETX 0x03 for modems that
// want that) and waits until the modem takes commands again. A modem that does
// not answer within 2 s is called back as by [Engine.Resync].
func (s *Stream) Leave(ctx context.Context, code byte) error {
	select {
	case s.e.quit <- departure{s, code}:
	case <-s.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
