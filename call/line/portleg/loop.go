package portleg

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"callbox/call"
)

// Loop is the way to the goroutine of a line. Make it with [NewLoop]. Do may be called
// from any goroutine, the rest is for the line's.
type Loop struct {
	asks    chan Ask
	wake    chan struct{}
	serve   sync.Mutex                    // held while the line serves
	serving atomic.Pointer[chan struct{}] // closed when it ends; nil before
}

// NewLoop makes the way to a line that does not serve yet.
func NewLoop() *Loop { return &Loop{asks: make(chan Ask), wake: make(chan struct{}, 1)} }

// Ask is a request to a line's goroutine.
type Ask struct {
	// Leg is the one that the request is about; nil: it is about none.
	Leg *Leg
	do  func() error
	err chan error
}

// Do runs the request, or refuses it with call.ErrLegEnded because its leg is no
// longer one of the line's, and answers who asked.
func (a Ask) Do(lives bool) {
	if a.Leg != nil && !lives {
		a.err <- call.ErrLegEnded
		return
	}
	a.err <- a.do()
}

// Unreached says that a line's goroutine could not be asked. Its text goes behind the
// line's name: "has stopped". Err is that of the context, nil when it was not that.
type Unreached struct {
	Text string
	Err  error
}

func (e *Unreached) Error() string { return "the line " + e.Text }

// Unwrap is what was in the way.
func (e *Unreached) Unwrap() error { return e.Err }

// CauseOf gives the cause that down makes of a line's *Unreached; other errors stay.
func CauseOf(err error, line string, down func(format string, a ...any) call.Cause) error {
	if u, ok := errors.AsType[*Unreached](err); ok {
		return down("line %s %s", line, u.Text)
	}
	return err
}

// Open begins a Serve, after the end of another one, and gives what ends it.
func (l *Loop) Open() (end func()) {
	l.serve.Lock()
	done := make(chan struct{})
	l.serving.Store(&done)
	return func() {
		l.serving.Store(nil)
		close(done)
	}
}

// Closed lets the next Serve begin, when all that belongs to this one has gone.
func (l *Loop) Closed() { l.serve.Unlock() }

// Running reports whether the line serves.
func (l *Loop) Running() bool { return l.serving.Load() != nil }

// Asks are the requests, to be answered by Ask.Do.
func (l *Loop) Asks() <-chan Ask { return l.asks }

// Woken tells that a leg was hung up, or Wake called.
func (l *Loop) Woken() <-chan struct{} { return l.wake }

// Wake has the line's goroutine look at what it has to do. It does not block.
func (l *Loop) Wake() {
	select {
	case l.wake <- struct{}{}:
	default: // it is about to look anyway
	}
}

// Do runs f on the line's goroutine and gives its error, or an *Unreached.
func (l *Loop) Do(ctx context.Context, f func() error) error {
	done := l.serving.Load()
	if done == nil {
		return &Unreached{Text: "is not running"}
	}
	a := Ask{do: f, err: make(chan error, 1)}
	select {
	case l.asks <- a:
		return <-a.err
	case <-*done:
		return &Unreached{Text: "has stopped"}
	case <-ctx.Done():
		return &Unreached{Text: fmt.Sprintf("did not react: %v", ctx.Err()), Err: ctx.Err()}
	}
}
