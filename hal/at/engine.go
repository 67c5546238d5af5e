package at

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// Port is what an engine speaks over. Read blocks until something comes or the
// port is closed. Write must not block for long: a port that queues and fails
// when its queue is full (hal/bus) keeps the engine alive beside a stuck device.
type Port interface {
	io.Reader
	io.Writer
	io.Closer
}

// Config are the settings of an [Engine]. The zero value works.
type Config struct {
	// Probe is how long the modem may be silent while nothing is asked before it
	// is asked AT; two of those without an answer end the engine. 0: never.
	Probe time.Duration
	// Voice says that the modem is a voice modem, which shields events by DLE also
	// between commands.
	Voice bool
	// Unsolicited are starts of lines that are URCs of this modem also while a
	// command that takes any line is in flight, beside those that are known.
	Unsolicited []string
	// Trace gets every line and command, from the engine's goroutines: it must not
	// block. Secrets are masked.
	Trace func(Entry)
}

// Limits of an engine.
const (
	maxQueued = 64   // commands waiting, all priorities together
	maxURCs   = 256  // URCs nobody has taken yet; those beyond are dropped and counted
	maxLines  = 1024 // information lines of one command; those beyond are dropped and counted
)

// Stats count what an engine has done and lost.
type Stats struct {
	Commands  uint64 // written
	Timeouts  uint64 // commands without an answer in time
	Late      uint64 // lines thrown away because their command's time had run out
	URCs      uint64 // handed over
	Lost      uint64 // URCs dropped because nobody took them
	Cut       uint64 // lines that were too long, or beyond the 1,024 of a command
	Refused   uint64 // commands refused because the queue was full
	Probes    uint64 // AT sent to see whether the modem is there
	Overrun   uint64 // bytes of sound dropped because nobody took them
	Shielding uint64 // DLE codes dropped because nobody took them
}

// Engine speaks AT with one modem. Its methods may be called from any goroutine.
type Engine struct {
	port Port
	cfg  Config

	in     chan []byte   // reader → loop
	taken  chan struct{} // loop → reader: the bytes are used
	gone   chan error    // reader → loop: the port is gone
	ask    chan *job
	cancel chan *job
	quit   chan departure
	stop   chan struct{}
	halt   sync.Once
	done   chan struct{} // loop and reader have ended
	urcs   chan URC

	write sync.Mutex // orders writes to the port, guards Stream.live

	mu    sync.Mutex // guards all below
	err   error      // why the engine ended
	stats Stats
}

// job is a command on its way. The loop owns it from ask to reply.
type job struct {
	cmd    Command
	stream *Stream // of a command that starts sound
	resync bool    // no command: bring the modem back to commands
	reply  chan result
	sent   bool // the payload was written
	left   bool // its caller has gone; the loop's
}

type result struct {
	r   Response
	err error
}

// New starts an engine on the port, which is the engine's from then on.
func New(port Port, cfg Config) *Engine {
	e := &Engine{
		port: port, cfg: cfg,
		in: make(chan []byte), taken: make(chan struct{}), gone: make(chan error, 1),
		ask: make(chan *job), cancel: make(chan *job), quit: make(chan departure),
		stop: make(chan struct{}), done: make(chan struct{}), urcs: make(chan URC, maxURCs),
	}
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		e.read()
	}()
	go newLoop(e).run(reading)
	return e
}

// read hands what the port says to the loop until the port is gone.
func (e *Engine) read() {
	buf := make([]byte, 4096)
	for {
		n, err := e.port.Read(buf)
		if n > 0 {
			select {
			case e.in <- buf[:n]:
			case <-e.stop:
				return
			}
			select {
			case <-e.taken:
			case <-e.stop:
				return
			}
		}
		if err != nil {
			e.gone <- err
			return
		}
	}
}

// Do asks the command and waits for its end. A command that waits in the queue
// leaves it when ctx ends; one in flight ends by itself, and its answer is
// thrown away. The error wraps one of this package's, or that of ctx.
func (e *Engine) Do(ctx context.Context, cmd Command) (Response, error) {
	r, err := e.do(ctx, &job{cmd: cmd, reply: make(chan result, 1)})
	if err != nil {
		return r, fmt.Errorf("%s: %w", cmd.name(), err)
	}
	return r, nil
}

// Resync brings a modem whose state is unknown back to commands: a voice modem
// that may still send sound gets DLE ETX, DLE ^ and a carriage return (V.253
// §8.1), every modem is asked AT until it answers and is quiet.
func (e *Engine) Resync(ctx context.Context) error {
	_, err := e.do(ctx, &job{resync: true, cmd: Command{Priority: Urgent}, reply: make(chan result, 1)})
	if err != nil {
		return fmt.Errorf("bring the modem back to commands: %w", err)
	}
	return nil
}

func (e *Engine) do(ctx context.Context, j *job) (Response, error) {
	if !j.resync {
		if err := j.cmd.valid(); err != nil {
			return Response{}, err
		}
	}
	if p := j.cmd.Priority; p < 0 || p >= priorities {
		j.cmd.Priority = Normal
	}
	select {
	case e.ask <- j:
	case <-e.done:
		return Response{}, e.Err()
	case <-ctx.Done():
		return Response{}, ctx.Err()
	}
	select {
	case r := <-j.reply:
		return r.r, r.err
	case <-ctx.Done():
	}
	select {
	case e.cancel <- j:
	case <-e.done:
	}
	return Response{}, ctx.Err()
}

// URCs delivers what the modem says by itself, in order. When the reader falls
// more than 256 behind, new ones are dropped and counted in the next one's Lost.
// The channel is closed when the engine has ended.
func (e *Engine) URCs() <-chan URC { return e.urcs }

// Done is closed when the engine has ended: by Close, because the port is gone,
// or because the modem has stopped answering. Err says which.
func (e *Engine) Done() <-chan struct{} { return e.done }

// Err is why the engine ended, nil while it runs: [ErrClosed], [ErrSilent], or
// the error of the port.
func (e *Engine) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

// Stats gives the counters so far.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.stats
}

// count changes the counters.
func (e *Engine) count(f func(*Stats)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f(&e.stats)
}

// Close ends the engine, closes the port and waits for both goroutines. Commands
// that wait end with [ErrClosed].
func (e *Engine) Close() error {
	e.end(ErrClosed)
	<-e.done
	return nil
}

// end makes the loop stop because of err; the first reason counts.
func (e *Engine) end(err error) {
	e.halt.Do(func() {
		e.mu.Lock()
		e.err = err
		e.mu.Unlock()
		close(e.stop)
	})
}

// send writes text to the port. shown is what the trace shows of it.
func (e *Engine) send(text, shown string) error {
	e.write.Lock()
	defer e.write.Unlock()
	e.trace(Entry{Out: true, Text: shown})
	if _, err := io.WriteString(e.port, text); err != nil {
		return fmt.Errorf("write to the modem: %w", err)
	}
	return nil
}

func (e *Engine) trace(x Entry) {
	if e.cfg.Trace == nil {
		return
	}
	x.At = time.Now()
	e.cfg.Trace(x)
}
