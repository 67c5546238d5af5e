package script

import (
	"context"
	"errors"

	"callbox/call"
)

// ErrNoDial says that dialling is not allowed here: in a screening document.
var ErrNoDial = errors.New("dial is not allowed in a screening document")

// DialVerb connects the call with one or more further parties. Its pointer is
// the verb: a copy of it would lie on the stack for as long as two people talk.
type DialVerb struct {
	Dial   Dial
	Action call.Hook // told the outcome; the rest of the document is then dead
	Resume bool      // unless the answer holds no verbs: then the document goes on
}

// Name is "dial".
func (*DialVerb) Name() string { return "dial" }

// BeforeAnswer is true when the answer waits for the callee's.
func (d *DialVerb) BeforeAnswer() bool { return d.Dial.AnswerOnBridge }

// Run dials and returns when the connection has ended. With Action it jumps
// there, also when nobody could be called and when the caller hung up; without,
// the document goes on.
func (d *DialVerb) Run(ctx context.Context, env *Env) (*Jump, error) {
	res, err := env.Dial(ctx, &d.Dial)
	switch {
	case errors.Is(err, ErrNoDial), errors.Is(err, errWaiting):
		env.misplaced(err.Error())
		return nil, nil
	case err != nil && over(ctx, err):
		if res.Child == "" || !ended(env, err) {
			return nil, err
		}
	case err != nil:
		env.Tell(call.EventWarning, "cannot dial: "+err.Error())
		res.State, res.Cause = call.Failed, call.CauseOf(err)
	}
	if d.Action.IsZero() {
		if err != nil && over(ctx, err) {
			return nil, err
		}
		return nil, nil
	}
	return &Jump{Hook: d.Action, Result: &Result{Verb: d.Name(), Dial: &res}, Resume: d.Resume}, nil
}
