package script

import (
	"context"

	"callbox/call"
)

// Messenger sends text messages.
type Messenger interface {
	// SendMessage takes a message on its way and gives it with its id and status.
	// The error is or wraps call.ErrNoMessenger when no line can send it.
	SendMessage(ctx context.Context, m call.Message) (call.Message, error)
}

// Message sends a text message. Without To it goes to the other party of the
// call, without From it comes from the box's party. A message that cannot be
// sent gives a warning, and the script goes on; Action is asked in any case.
type Message struct {
	From, To, Body string
	Status         call.Hook // told what becomes of the message
	Action         call.Hook // told whether it was taken; empty: nobody is
}

// Name is "message".
func (Message) Name() string { return "message" }

// BeforeAnswer reports that the call need not be answered.
func (Message) BeforeAnswer() bool { return true }

// Run sends the message.
func (v Message) Run(ctx context.Context, env *Env) (*Jump, error) {
	rec := env.Control.Record()
	m := call.Message{
		API: rec.API, Account: rec.Account, Call: rec.ID, Direction: call.OutboundDial,
		From: v.From, To: v.To, Body: v.Body, Hook: v.Status,
	}
	far, own := rec.From, rec.To
	if rec.Direction != call.Inbound {
		far, own = own, far
	}
	if m.To == "" {
		m.To = far
	}
	if m.From == "" {
		m.From = own
	}
	var err error
	sent := m
	if env.Messenger == nil {
		err = call.ErrNoMessenger
	} else {
		sent, err = env.SendMessage(ctx, m)
	}
	if over(ctx, err) {
		return nil, err
	}
	if err != nil {
		sent = m
		sent.Status, sent.Error = call.MessageFailed, err.Error()
		env.Tell(call.EventWarning, "the text message was not sent: "+err.Error())
	}
	if v.Action.IsZero() {
		return nil, nil
	}
	return &Jump{Hook: v.Action, Result: &Result{Verb: v.Name(), Message: &sent}}, nil
}
