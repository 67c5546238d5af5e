package call

import "fmt"

// State is where a call stands. The final ones are Completed and beyond.
type State int

const (
	Queued     State = iota // accepted, no attempt yet
	Dialing                 // the attempt is on its way; an arriving call: being looked at
	Ringing                 // the far phone rings; an arriving call: rings at the box
	InProgress              // answered
	Completed               // was answered, has ended
	Busy                    // not answered: busy or refused
	NoAnswer                // not answered in time, or the caller gave up
	Failed                  // could not be placed
	Canceled                // ended by request before the answer
)

var stateNames = [...]string{"queued", "dialing", "ringing", "in-progress", "completed", "busy", "no-answer", "failed", "canceled"}

// String gives the state's name as in the call APIs ("dialing" is "queued" there).
func (s State) String() string {
	if s < 0 || int(s) >= len(stateNames) {
		return fmt.Sprintf("state(%d)", int(s))
	}
	return stateNames[s]
}

// Final reports whether s can never change again.
func (s State) Final() bool { return s >= Completed }

// MarshalText writes the state's name, so that stored records can be read by people.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a state's name.
func (s *State) UnmarshalText(b []byte) error {
	for i, n := range stateNames {
		if n == string(b) {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("unknown call state %q", b)
}

// Input is what can happen to a call.
type Input int

const (
	InDial        Input = iota // an attempt starts on a line
	InRing                     // the far phone rings (180, 183, RING)
	InAnswer                   // the far end, or the box for an arriving call, answered
	InCancel                   // asked to end only if unanswered
	InComplete                 // asked to end, or the script ended
	InRingTimeout              // nobody answered in time
	InTimeLimit                // the answered call lasted as long as it may
	// The leg ended by itself; before the answer the input says how.
	InEndedBusy
	InEndedNoAnswer
	InEndedFailed
	InEndedCanceled
	numInputs
)

var inputNames = [...]string{"dial", "ring", "answer", "cancel", "complete", "ring-timeout", "time-limit", "ended-busy", "ended-no-answer", "ended-failed", "ended-canceled"}

// String gives the input's name for logs and tests.
func (i Input) String() string {
	if i < 0 || i >= numInputs {
		return fmt.Sprintf("input(%d)", int(i))
	}
	return inputNames[i]
}

// EndedInput is the input for a leg that ended by itself with c.
func EndedInput(c Cause) Input {
	switch c.Outcome() {
	case Busy:
		return InEndedBusy
	case NoAnswer:
		return InEndedNoAnswer
	case Canceled:
		return InEndedCanceled
	}
	return InEndedFailed
}

// Action is what the owner of the call must do after a transition, in order.
type Action int

const (
	DoTellInitiated  Action = iota // publish EventInitiated
	DoTellRinging                  // publish EventRinging
	DoTellAnswered                 // publish EventAnswered
	DoTellEnded                    // publish EventEnded
	DoStartRingTimer               // count RingTimeout from now
	DoStopTimers                   // ring timer and time limit
	DoStartTimeLimit               // count TimeLimit from now
	DoStartScript                  // run the call's document
	DoStopScript                   // cancel the running document
	DoHangup                       // end the leg
)

// Next is the state table of a call: what a call in state s does on input in.
// An input that does not apply changes nothing and asks for nothing. It is pure.
//
//	queued -dial-> dialing -ring-> ringing -answer-> in-progress -> completed
//	   \______________\_______________\-> busy, no-answer, failed, canceled
//
// A final state is final at once: the leg may still be on its way down (a
// cancel crossing a 200, RFC 3261 §9.1), which no longer changes the call.
func Next(s State, in Input) (State, []Action) {
	if s.Final() || s < 0 {
		return s, nil
	}
	if s == InProgress {
		return nextAnswered(in)
	}
	switch in {
	case InDial:
		if s == Queued {
			return Dialing, []Action{DoTellInitiated, DoStartRingTimer}
		}
	case InRing:
		if s == Dialing {
			return Ringing, []Action{DoTellRinging}
		}
	case InAnswer:
		if s != Queued {
			return InProgress, []Action{DoStopTimers, DoTellAnswered, DoStartTimeLimit, DoStartScript}
		}
	case InCancel, InComplete:
		return Canceled, endActions(true)
	case InRingTimeout:
		return NoAnswer, endActions(true)
	case InEndedBusy:
		return Busy, endActions(false)
	case InEndedNoAnswer:
		return NoAnswer, endActions(false)
	case InEndedFailed:
		return Failed, endActions(false)
	case InEndedCanceled:
		return Canceled, endActions(false)
	}
	return s, nil
}

// nextAnswered is Next for an answered call: whatever ends it, it is completed.
func nextAnswered(in Input) (State, []Action) {
	switch in {
	case InComplete, InTimeLimit:
		return Completed, endActions(true)
	case InEndedBusy, InEndedNoAnswer, InEndedFailed, InEndedCanceled:
		return Completed, endActions(false)
	}
	return InProgress, nil
}

// endActions lists the actions of every end; hangup when the leg still lives.
func endActions(hangup bool) []Action {
	a := []Action{DoStopTimers, DoStopScript}
	if hangup {
		a = append(a, DoHangup)
	}
	return append(a, DoTellEnded)
}
