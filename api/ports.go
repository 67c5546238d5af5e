package api

import (
	"context"
	"crypto/sha256"
	"io"
	"time"

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

// Teller sends requests within calls. It is optional.
type Teller interface {
	// Tell sends the far end of a call a request, and gives the answer, whatever it
	// is. Errors are those of Calls, or say why m cannot be sent.
	Tell(ctx context.Context, account, id string, m call.SIPMessage) (call.SIPResponse, error)
}

// Recordings is what the handlers ask about recordings.
type Recordings interface {
	Recording(ctx context.Context, account, id string) (call.Recording, error)
	Recordings(ctx context.Context, f call.RecordingFilter) (call.RecordingPage, error)
	// OpenRecording opens the WAV file; the caller closes it. channels is how many it
	// is to have: 1, 2 or 0 for as many as there are. ErrChannels when it has fewer.
	OpenRecording(ctx context.Context, account, id string, channels int) (io.ReadSeekCloser, call.Recording, error)
	DeleteRecording(ctx context.Context, account, id string) error
}

// Conferences is what the handlers ask about conferences. It is optional. Errors are
// or wrap call.ErrNotFound and the others of package call.
type Conferences interface {
	// Conference gives one, live or finished.
	Conference(account, id string) (call.Conference, error)
	Conferences(f call.ConferenceFilter) (call.ConferencePage, error)
	EndConference(ctx context.Context, account, id string) (call.Conference, error)
	// Announce plays the document of h to all.
	Announce(ctx context.Context, account, id string, h call.Hook) (call.Conference, error)
}

// Participants is what they ask about the parties of live conferences. A party is
// named by its call's id or its label.
type Participants interface {
	Participants(account, conference string) ([]call.Participant, error)
	Participant(account, conference, who string) (call.Participant, error)
	ChangeParticipant(ctx context.Context, account, conference, who string, ch call.ParticipantChange) (call.Participant, error)
	// Invite expects the party of a call that is about to be placed. Conference is
	// the id of a live one or the name of one to be made; status is told of its
	// progress if nobody was in it before.
	Invite(ctx context.Context, account, conference string, p call.Participant, status call.StatusHook) (call.Conference, error)
	// CallEnded tells that an invited call will not come.
	CallEnded(rec call.Record)
}

// QueueMembers is what they ask about the calls in a queue, the front first.
type QueueMembers interface {
	QueueMembers(account, queue string) ([]call.QueueMember, error)
}

// Alerts knows what went wrong for customers. It is optional.
type Alerts interface {
	// Alerts gives the latest of an account, newest first.
	Alerts(account string) []call.Alert
}

// Accounts knows who may ask.
type Accounts interface {
	// Account gives the account with this id or project; ok is false when there is none.
	Account(id string) (a Account, ok bool)
	// Accounts gives all of them.
	Accounts() []Account
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
	Keys          map[string][sha256.Size]byte // API key id → SHA-256 of its secret
	QueueHook     call.Hook                    // told of calls that come into its queues and leave them
	Suspended     bool                         // nobody may ask anything for it
}

// Application is a named set of hooks.
type Application struct {
	ID, Name string
	Account  string // of the account, not its project
	API      string // the dialect whose language it speaks, empty: any
	Script   call.ScriptSource
	Status   call.StatusHook
	Speech   call.Speech
	Env      string // a JSON object told to its hook at the start of a call, may be empty
	Messaging
	Created, Updated time.Time // zero: not known
}

// Messaging are the hooks of text messages.
type Messaging struct{ Message, MessageFallback, MessageStatus call.Hook }

// Number is a number whose calls arrive at the box.
type Number struct {
	ID, Name string
	Account  string
	API      string // as Application.API, for Script
	Number   string // as it is called: "+15550100199", "+1555*", "*"
	Line     string // id of the only line on which it arrives, may be empty
	// Application answers its calls, else Script, else the phone or number Target.
	Application string
	Script      call.ScriptSource
	Target      string
	Status      call.StatusHook
	Messaging
	Created, Updated time.Time // zero: not known
}

// Key is an API key of an account.
type Key struct {
	ID, Name         string
	Secret           string    // only when it was just made
	Created, Updated time.Time // zero: not known
}

// User is a SIP phone or program that registers with the box.
type User struct {
	ID, Account      string
	Name             string // what it registers and is called as
	Password         string // only in a creation or change; empty in a change: the present one
	DisplayName      string
	Number           string    // its own number, may be empty
	Application      string    // runs its calls; empty: they are connected
	List             string    // id of its credential list; empty: it registers by itself
	Disabled         bool      // it may neither register nor call
	Direct           bool      // calls to other users are connected, whatever application runs the others
	Created, Updated time.Time // zero: not known
}

// CallerID is a number, besides those that arrive here, that an account's calls
// may show to the called.
type CallerID struct {
	ID, Account      string
	Name, Number     string
	Created, Updated time.Time // zero: not known
}

// CredentialList is a group of users.
type CredentialList struct {
	ID, Account, Name string
	Created, Updated  time.Time // zero: not known
}

// SIPDomain says what the users of credential lists may do.
type SIPDomain struct {
	ID, Account      string
	Host             string            // means the box in a SIP URI
	Name             string            // for people
	API              string            // as Application.API
	Script           call.ScriptSource // runs the calls of its users; empty: they are connected
	Status           call.StatusHook
	Register         bool      // the users of Registrations may register
	Registrations    []string  // ids of credential lists
	Calls            []string  // ids of credential lists whose users may call
	Created, Updated time.Time // zero: not known
}

// Messages sends and keeps text messages. It is optional: a box without a line
// for them has none.
type Messages interface {
	// SendMessage takes a message, whose ID is set, on its way. The error is or
	// wraps call.ErrNoMessenger when no line can send it.
	SendMessage(ctx context.Context, m call.Message) (call.Message, error)
	Message(ctx context.Context, account, id string) (call.Message, error)
	Messages(ctx context.Context, f call.MessageFilter) (call.MessagePage, error)
	DeleteMessage(ctx context.Context, account, id string) error
}

// Callers knows which numbers calls may show to the called. It is optional.
type Callers interface {
	// MayShow reports whether a call of the account to this address, on line
	// unless that is empty, may show number.
	MayShow(account, number, to, line string) bool
}

// Carrier is a SIP provider: a trunk with its gateways.
type Carrier struct {
	ID, Account        string
	Name               string // as people call it, unique
	Line               string // id of its line
	Description        string
	Application        string // runs calls that arrive and no number claims, may be empty
	Disabled           bool
	Plus               bool   // numbers are written with a plus before them
	Prefix             string // digits that stand before every number
	Register           bool   // the box registers with it
	Username           string
	Password           string // only in a creation or change; empty in a change: the present one
	Realm              string // of the registration; empty: the gateway
	FromUser, FromHost string
	Proxy              string // "sip:host:port;transport=tcp"
	Diversion          string // a number that calls claim to be diverted from
	Tones              bool   // keys are tones in the sound
	Tenant             string // of Microsoft Teams: the box's own name there
	InUsername         string // what its calls must prove; empty: it is known by its gateways
	InPassword         string // as Password
	Gateways           []Gateway
	Created, Updated   time.Time // zero: not known
}

// Gateway is one host of a carrier.
type Gateway struct {
	ID, Host          string
	Port              int    // 0: the usual one
	Bits              int    // of a network that calls come from; 0: the host alone
	Transport         string // udp, tcp or tls; empty: udp
	SRTP              bool   // sound is protected; it is for all gateways of the carrier
	Ping              bool   // it is asked whether it is there; so are all gateways of the carrier
	Inbound, Outbound bool   // calls come from it, go to it
	Disabled          bool
}

// LineStates knows how lines are. It is optional.
type LineStates interface {
	// LineState is the condition of a line; ok is false when it does not exist now.
	LineState(line string) (st call.LineStatus, ok bool)
	// Registrations lists the phones that are registered as a user now.
	Registrations(user string) []Registration
}

// Registration is a phone that is registered as a user of the box.
type Registration struct {
	Contact   string // SIP URI
	Source    string // "192.0.2.7:5060"
	Transport string // udp, tcp or tls
	UserAgent string
	Expires   time.Time
}

// Setup is what a customer can set up of its own account.
type Setup struct {
	ID, Name    string
	Application string    // runs the calls of users and phones that have none of their own
	QueueHook   call.Hook // told of calls that come into its queues and leave them
}

// Settings keeps one kind of what customers set up through the call APIs:
// applications, numbers, users or keys. What one API made, all can see and change;
// ids are kept as they were made. Errors are or wrap call.ErrNotFound or ErrTaken, or
// are an *InvalidError or *InUseError.
type Settings[T any] interface {
	// List gives those of the account, oldest first.
	List(account string) []T
	// Create keeps a new one, whose ID is set.
	Create(ctx context.Context, account string, x T) (T, error)
	// Change lets change edit the one with this id; an error of change changes
	// nothing and is given back.
	Change(ctx context.Context, account, id string, change func(*T) error) (T, error)
	Delete(ctx context.Context, account, id string) error
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
