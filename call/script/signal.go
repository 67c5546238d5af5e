package script

import (
	"context"
	"errors"
	"fmt"
	"time"

	"callbox/call"
)

// ErrNotSIP says that the far end of a call does not speak SIP.
var ErrNotSIP = fmt.Errorf("%w: its far end does not speak SIP", call.ErrWrongState)

// Signaller speaks with the far end of the call beside the sound.
type Signaller interface {
	// Signal sends a request within the call and gives the answer. The error is or
	// wraps call.ErrWrongState where the call is not answered or not one by SIP.
	Signal(ctx context.Context, m call.SIPMessage) (call.SIPResponse, error)
	// Refer asks the far end to call another party in the box's place. tell is
	// called, in order, with what the far end says of that call. It returns when
	// the far end has said how that ended, when it says nothing more, or when it
	// refused.
	Refer(ctx context.Context, r Referral, tell func(status int)) (ReferResult, error)
}

// Referral is whom the far end is to call.
type Referral struct {
	To      string // SIP URI
	By, As  string // SIP URI and display name of who asks; empty: the box's party
	Headers []call.Header
}

// ReferResult is what became of a referral.
type ReferResult struct {
	Status int // of the request itself, 202 when the far end took it on
	Final  int // of the call that the far end made; 0: it did not say
}

// ReferPatience is how long the far end may take to say how the call went that it
// makes (call-api.md §6).
const ReferPatience = 15 * time.Second

// Request sends a request within the call and goes on.
type Request struct {
	Message call.SIPMessage
	Action  call.Hook // told the answer; none: the document goes on
}

// Name is "sip:request".
func (Request) Name() string { return "sip:request" }

// Run sends the request. One that cannot be sent gives a warning.
func (v Request) Run(ctx context.Context, env *Env) (*Jump, error) {
	res := &Result{Verb: v.Name()}
	answer, err := env.Signal(ctx, v.Message)
	switch {
	case err != nil && over(ctx, err):
		return nil, err
	case err != nil:
		res.Fault = err.Error()
		env.Tell(call.EventWarning, "the request "+v.Message.Method+" was not answered: "+err.Error())
	default:
		res.Answer = &answer
	}
	if v.Action.IsZero() {
		return nil, nil
	}
	return &Jump{Hook: v.Action, Result: res, Resume: true}, nil
}

// Refer hands the call's far end on to another party.
type Refer struct {
	Referral Referral
	Action   call.Hook // told how it went; none: the document goes on
	Events   call.Hook // told of every step; none: nobody is
	Resume   bool      // go on behind the verb when Action's answer holds no verbs
}

// Name is "refer".
func (Refer) Name() string { return "refer" }

// Run refers. The far end usually hangs up when it has got through.
func (v Refer) Run(ctx context.Context, env *Env) (*Jump, error) {
	tell := func(status int) {
		if v.Events.IsZero() {
			return
		}
		r := &Result{Verb: ReferEvent, Refer: &ReferResult{Status: status}}
		if _, err := env.Fetch(ctx, v.Events, *env.Control.Record(), r); err != nil && !over(ctx, err) {
			env.Tell(call.EventWarning, "a step of the transfer could not be told: "+err.Error())
		}
	}
	res, err := env.Refer(ctx, v.Referral, tell)
	if err != nil && (ctx.Err() != nil || !ended(env, err)) {
		if over(ctx, err) {
			return nil, err
		}
		text := "the call was not transferred: " + err.Error()
		if errors.Is(err, ErrNotSIP) {
			env.fault(FaultNotSIP, text)
		} else {
			env.Tell(call.EventWarning, text)
		}
		if v.Action.IsZero() {
			return nil, nil
		}
		return &Jump{Hook: v.Action, Result: &Result{Verb: v.Name(), Refer: &res, Fault: err.Error()}, Resume: v.Resume}, nil
	}
	if v.Action.IsZero() {
		return nil, err
	}
	return &Jump{Hook: v.Action, Result: &Result{Verb: v.Name(), Refer: &res}, Resume: v.Resume}, nil
}
