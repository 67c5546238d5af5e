package api

import (
	"context"
	"io"

	"callbox/call"
)

// Calls is what the handlers ask of the box about calls. Errors are or wrap the
// sentinels of package call (ErrNotFound, ErrEnded, ErrWrongState, ErrNotEnded,
// ErrLimit, ErrStopping) or a call.Cause.
type Calls interface {
	// Create accepts a call and returns its record once that is on disk. With a
	// known Idempotency value it returns the first call, and replayed is true.
	Create(ctx context.Context, r call.Request) (rec call.Record, replayed bool, err error)
	Call(ctx context.Context, account, id string) (call.Record, error)
	Calls(ctx context.Context, f call.Filter) (call.Page, error)
	Modify(ctx context.Context, account, id string, c call.Change) (call.Record, error)
	Delete(ctx context.Context, account, id string) error
}

// Recordings is what the handlers ask about recordings.
type Recordings interface {
	Recording(ctx context.Context, account, id string) (call.Recording, error)
	Recordings(ctx context.Context, f call.RecordingFilter) (call.RecordingPage, error)
	// OpenRecording opens the WAV file; the caller closes it.
	OpenRecording(ctx context.Context, account, id string) (io.ReadSeekCloser, call.Recording, error)
	DeleteRecording(ctx context.Context, account, id string) error
}

// Accounts knows who may ask.
type Accounts interface {
	// Account gives the account with this id or project; ok is false when there is none.
	Account(id string) (a Account, ok bool)
	// Application gives a stored application of the account.
	Application(account, id string) (Application, bool)
}

// Account is one customer of the box.
type Account struct {
	ID, Name string
	Project  string // its other id, a UUID, for dialects that know accounts by one
	Token    string // secret: HTTP password and signing key
	// WebhookSecret is the signing key of dialects that have one besides Token;
	// empty: one that follows from Token.
	WebhookSecret string
	Keys          map[string]string // API key id → secret
}

// Application is a named set of hooks.
type Application struct {
	ID, Name string
	Script   call.ScriptSource
	Status   call.StatusHook
	Speech   call.Speech
}

// Lines knows the lines by the names that requests give them. It is optional.
type Lines interface {
	// Line gives the id of the line that sid (a dialect's "BY…") stands for.
	Line(account, sid string) (line string, ok bool)
}

// Prices knows what calls cost. It is optional.
type Prices interface {
	// PerMinute is the highest price of a minute that a call to this address may
	// come to, on line unless that is empty, in 1/10,000 of the currency's unit.
	PerMinute(to, line string) int64
}
