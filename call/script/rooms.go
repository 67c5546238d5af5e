package script

import (
	"context"
	"errors"
	"time"

	"callbox/call"
)

// Rooms is where calls meet, and where they wait for each other. The engine hands
// it to verbs in an [Env].
type Rooms interface {
	// Confer enters a conference and returns when the call has left it. An error
	// means that the call was not in it, or that ctx or the call has ended; in the
	// latter case the result is whole all the same.
	Confer(ctx context.Context, c Conference) (ConferenceResult, error)
	// Enqueue waits in a queue, and returns when the call has left it and, if it was
	// connected with somebody, that is over. The result is whole also with an error
	// that says that ctx or the call has ended.
	Enqueue(ctx context.Context, q Enqueue) (QueueResult, error)
	// Dequeue connects the call with one that waits in a queue, for which it waits
	// itself, and returns when the two are separated. Errors are as of Enqueue.
	Dequeue(ctx context.Context, d Dequeue) (DequeueResult, error)
}

// ErrNoRoom says that a call cannot enter a conference or a queue here: it is
// being screened, or waits in one already.
var ErrNoRoom = errors.New("a conference or a queue cannot be entered from here")

// Conference asks to enter a conference.
type Conference struct {
	Name         string // 1 to 128 characters; it is made when there is none of this name
	Muted        bool
	StartOnEnter bool // it starts with this party; others wait
	StartWith    int  // as soon as so many parties are there; 0: this one is enough
	EndOnExit    bool // it ends, for all, when this party leaves
	BeepOnEnter  bool // all hear that this party comes
	BeepOnExit   bool // and that it goes
	Wait         call.WaitSound
	Max          int    // parties; 0: 250, which is the most
	Label        string // the party's name within the conference
	Coach        string // id of the only call that hears this party; empty: all do
	Tag          string // what the party shares with others
	SpeakTo      string // Tag of those who alone hear this party; empty: all do
	// Before is run on the call before it is let in; empty: nothing.
	Before call.Hook
	// Grace is how long the conference goes on after a party with EndOnExit left.
	Grace time.Duration
	// Status is told of the conference's progress, and Record records it: those of
	// the first party count.
	Status call.StatusHook
	Record *call.RecordOptions

	TimeLimit    time.Duration       // of this party; 0: that of its call
	HangupOnStar bool                // this party's * takes it out
	ShareKeys    bool                // keys that this party presses are sent to all others
	RecordParty  *call.RecordOptions // records the call while it is in the conference
}

// ConferenceResult is how a stay in a conference ended.
type ConferenceResult struct {
	Conference string // its id
	Full       bool   // there was no room
	Duration   time.Duration
	Left       call.Departure
	Recording  *call.Recording // when the party was recorded
}

// Enqueue asks to wait in a queue.
type Enqueue struct {
	Name     string // 1 to 64 characters; the queue is made when there is none of this name
	Wait     call.WaitSound
	Max      int // most that may wait, if the queue allows as many; 0: what the queue allows
	Priority int // those with the lower number are served first; equal ones in order
}

// QueueResult is how waiting in a queue ended.
type QueueResult struct {
	Outcome call.QueueOutcome
	Queue   string // its id
	Name    string
	Waited  time.Duration
	Peer    string // id of the call that it was connected with
}

// Dequeue asks for a call that waits in a queue.
type Dequeue struct {
	Name         string
	Call         string        // only this one; empty: the front
	Timeout      time.Duration // to wait for one; 0: without end
	Beep         bool          // both hear that they are connected
	Notice       call.Hook     // document run on the waiting call before it is connected
	TimeLimit    time.Duration // of the connection; 0: 4 h
	HangupOnStar bool          // this call's * ends the connection
	Record       *call.RecordOptions
}

// DequeueResult is how a Dequeue ended.
type DequeueResult struct {
	DialResult
	Queue   string // id of the queue, empty when there is none of the name
	Timeout bool   // nobody came in time
}

// Waiting is what a document that entertains a waiting call is told.
type Waiting struct {
	Queue    call.Queue
	Position int // 1 is the front
	Waited   time.Duration
	Peer     string // a Dequeue's Notice: id of the call that it is connected with
}

// ConferenceVerb brings the call into a conference.
type ConferenceVerb struct {
	Conference Conference
	Stream     *call.StreamOptions // carry the call's sound to an application meanwhile; nil: no
	Action     call.Hook           // told the outcome; the rest of the document is then dead
	Resume     bool                // unless the answer holds no verbs: then the document goes on
}

// Name is "conference".
func (ConferenceVerb) Name() string { return "conference" }

// Run enters the conference and returns when the call has left it. With Action it
// jumps there, also when the call has ended.
func (v ConferenceVerb) Run(ctx context.Context, env *Env) (*Jump, error) {
	if v.Stream != nil {
		s, err := env.StartStream(ctx, *v.Stream)
		if err == nil {
			defer s.Stop()
		} else if !over(ctx, err) {
			env.Tell(call.EventWarning, "the sound is not streamed: "+err.Error())
		}
	}
	res, err := env.Confer(ctx, v.Conference)
	switch {
	case err != nil && over(ctx, err):
		if res.Conference == "" || !ended(env, err) {
			return nil, err
		}
	case errors.Is(err, ErrNoRoom):
		env.misplaced("cannot enter the conference: " + err.Error())
	case err != nil:
		env.Tell(call.EventWarning, "cannot enter the conference: "+err.Error())
	case res.Full:
		env.Tell(call.EventWarning, "the conference "+v.Conference.Name+" is full")
	}
	if v.Action.IsZero() {
		return nil, overOnly(ctx, err)
	}
	return &Jump{Hook: v.Action, Result: &Result{Verb: v.Name(), Conference: &res}, Resume: v.Resume}, nil
}

// overOnly is err if it says that the script is over, else nil.
func overOnly(ctx context.Context, err error) error {
	if over(ctx, err) {
		return err
	}
	return nil
}

// EnqueueVerb lets the call wait in a queue.
type EnqueueVerb struct {
	Enqueue Enqueue
	Action  call.Hook // told the outcome; the rest of the document is then dead
	Resume  bool      // unless the answer holds no verbs: then the document goes on
}

// Name is "enqueue".
func (EnqueueVerb) Name() string { return "enqueue" }

// Run waits. With Action it jumps there, also when the call has ended, and when
// another document took it out of the queue: the answer is then not used.
func (v EnqueueVerb) Run(ctx context.Context, env *Env) (*Jump, error) {
	res, err := env.Enqueue(ctx, v.Enqueue)
	switch {
	case err != nil && over(ctx, err):
		if res.Queue == "" {
			return nil, err
		}
	case errors.Is(err, ErrNoRoom):
		env.misplaced("cannot wait in the queue: " + err.Error())
		res.Outcome = call.QueueError
	case err != nil:
		env.Tell(call.EventWarning, "cannot wait in the queue: "+err.Error())
		res.Outcome = call.QueueError
	case res.Outcome == call.QueueFull:
		env.fault(FaultQueueFull, "the queue "+v.Enqueue.Name+" is full")
	}
	if v.Action.IsZero() {
		return nil, overOnly(ctx, err)
	}
	return &Jump{Hook: v.Action, Result: &Result{Verb: v.Name(), Queue: &res}, Resume: v.Resume, Parting: true}, nil
}

// DequeueVerb connects the call with one that waits in a queue.
type DequeueVerb struct {
	Dequeue Dequeue
	Action  call.Hook // told the outcome; the rest of the document is then dead
	Resume  bool      // unless the answer holds no verbs: then the document goes on
}

// Name is "dequeue".
func (DequeueVerb) Name() string { return "dequeue" }

// Run waits for a call in the queue, and returns when the two are separated. With
// Action it jumps there, also when the call has ended.
func (v DequeueVerb) Run(ctx context.Context, env *Env) (*Jump, error) {
	res, err := env.Dequeue(ctx, v.Dequeue)
	switch {
	case err != nil && over(ctx, err):
		if !ended(env, err) {
			return nil, err
		}
	case err != nil:
		text := "cannot take a call from the queue: " + err.Error()
		if errors.Is(err, ErrNoRoom) {
			env.misplaced(text)
		} else {
			env.Tell(call.EventWarning, text)
		}
		res.State, res.Cause = call.Failed, call.CauseOf(err)
	}
	if v.Action.IsZero() {
		return nil, overOnly(ctx, err)
	}
	return &Jump{Hook: v.Action, Result: &Result{Verb: v.Name(), Dequeue: &res}, Resume: v.Resume}, nil
}

// Leave takes the call out of the queue in which it waits.
type Leave struct{}

// Name is "leave".
func (Leave) Name() string { return "leave" }

// errLeave says that a waiting document wants to wait no longer.
var errLeave = errors.New("the document left the queue")

// Run leaves; outside of a queue it gives a warning.
func (Leave) Run(_ context.Context, env *Env) (*Jump, error) {
	if _, ok := env.Rooms.(waitingRoom); ok {
		return nil, errLeave
	}
	env.Tell(call.EventWarning, "the call cannot leave: it waits in no queue")
	return nil, nil
}
