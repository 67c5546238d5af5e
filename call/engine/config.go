package engine

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/call/toll"
	"callbox/media"
)

// Config is what an Engine is made of. All fields without a stated default are
// required.
type Config struct {
	Lines      Lines
	Router     Router
	Inbound    Inbound
	Scheduler  media.Scheduler
	Journal    Journal
	Publisher  Publisher
	Fetcher    script.Fetcher
	Prompts    script.Prompts
	Files      Files
	Recogniser Recogniser       // nil: nobody turns speech into text
	Messenger  script.Messenger // nil: the box sends no text messages
	Streamer   script.Streamer  // nil: the box streams no sound
	// MayShow reports whether a call of the account to this address, on line unless
	// that is empty, may show number to the callee; nil: any.
	MayShow func(account, number, to, line string) bool
	// NewID makes a fresh id in the form of a dialect; what is "call", "recording", "stream" ….
	NewID func(api, what string) string
	// Ringback gives an endless ringback tone of a country ("" is the box's own).
	Ringback func(country string) media.Clip
	// HoldMusic says what a party hears that is held from a line, in calls that do
	// not say themselves: the URL of a sound, HoldTune, or NoHoldMusic; nil: HoldTune.
	HoldMusic func(account, line string) string
	// Tones gives the tones of a digit string, for legs that cannot send digits
	// outside the sound; w and W are pauses of 0.5 s and 1 s. length is that of
	// each, 0: 100 ms.
	Tones func(digits string, length time.Duration) (media.Clip, error)
	// Rooms are the conferences and queues; its zero value is silent and forgetful.
	Rooms Rooms
	// Transfers decides about transfers that far ends want; nil: they go where they
	// are wanted to, and no call takes the place of another.
	Transfers Transfers
	// Tolls guards what calls cost; nil: nothing is guarded.
	Tolls *toll.Book
	// Limits at the start; see [Engine.SetLimits].
	Limits Limits
	// MaxBacklog bounds the records that wait for the disk before new calls are
	// refused; 0 is 2,000.
	MaxBacklog int
	// Alert is told what went wrong for a customer, besides documents that cannot be
	// had; nil: nobody is. It must not block.
	Alert  func(call.Alert)
	Logger *slog.Logger // nil: discard
	Now    func() time.Time
}

// What parties on hold hear, besides sounds.
const (
	HoldTune    = ""     // the box's own music, that of Rooms
	NoHoldMusic = "none" // what the holder sends
)

// Rooms is what the conferences and queues need besides, see room.Config.
type Rooms struct {
	Music      func() media.Clip
	Bell       func(enters bool) media.Clip
	Queues     []call.Queue
	SaveQueues func(list []call.Queue) error

	Past           []call.Conference
	SaveConference func(c call.Conference)
}

// Lines finds lines by id.
type Lines interface {
	Line(id string) (call.Line, bool)
}

// Attempt is one try to reach a party.
type Attempt struct {
	Line string // call.Line id
	To   string // what to dial there
	Toll bool   // it leaves the box, and the guards are asked
	// Ring is how long it is rung when another attempt follows; 0: as long as the
	// call.
	Ring time.Duration
}

// Route is where a call goes: at least one attempt, tried in order.
type Route struct {
	Attempts []Attempt
	Why      string // one sentence for the record
	Party    toll.Party
	// Next reports whether, after attempt i (from 0) ended unanswered with c, the
	// following one is to be made, and says why in one sentence.
	Next func(i int, c call.Cause) (bool, string)
}

// Router finds the route to a party.
type Router interface {
	// Route gives a route or an error that is or wraps a call.Cause.
	Route(t script.Target, from string) (Route, error)
}

// Splitter is a Router that knows parties which stand for several, who are rung at
// once.
type Splitter interface {
	// Split gives those that t stands for, t itself when it is one party.
	Split(t script.Target) []script.Target
}

// Inbound decides what happens to a leg that arrives.
type Inbound interface {
	Plan(info call.LegInfo) Plan
}

// Plan is what to do with an arriving leg: run the script or the document, or
// refuse it with the cause.
type Plan struct {
	// From and FromName stand for the caller instead of what the leg says; empty:
	// the leg's own.
	From, FromName            string
	Account, API, Application string
	Script                    call.ScriptSource
	Document                  *script.Document // built-in document, used when Script is empty
	Status                    call.StatusHook
	Session                   call.Session
	Refuse                    *call.Cause
	Why                       string // one sentence for the record
}

// Journal remembers calls. Append and AppendRecording never block; what they
// were given is written in order, events' messages together with the record.
type Journal interface {
	// Create writes a new record and returns when it is on disk.
	Create(ctx context.Context, rec call.Record) error
	// Append hands over an event; keep tells whether the record must be written
	// too (create, answer, end; rarely once more, with an EventWarning, when
	// something was learned after the end) or only the event's messages.
	Append(ev call.Event, keep bool)
	AppendRecording(r call.Recording)
	// Backlog is the number of records that wait for the disk.
	Backlog() int
	Call(ctx context.Context, account, id string) (call.Record, error)
	Calls(ctx context.Context, f call.Filter) (call.Page, error)
	Delete(ctx context.Context, account, id string) error
	// ByIdempotency gives the call that this account made with this value.
	ByIdempotency(ctx context.Context, account, value string) (call.Record, bool)
}

// Publisher takes events for whoever listens now (call/event). It never blocks.
type Publisher interface {
	Publish(ev call.Event)
}

// Files makes the files of recordings.
type Files interface {
	// Create makes a WAV file of 16-bit samples at 8 kHz and returns its name
	// below the recordings folder.
	Create(id string, channels int) (w RecordingFile, name string, err error)
}

// RecordingFile is a recording on its way to the disk.
type RecordingFile interface {
	// WriteSamples adds samples, interleaved when there are two channels.
	WriteSamples(s []int16) error
	io.Closer
	// Finish, after Close, cuts silence at both ends when trim is set, and gives
	// the file's length, size in bytes and SHA-256 in hex. No samples: length 0.
	// It is called after a write that failed too, for what was written before; an
	// error with a length is one of a file that can be played.
	Finish(trim bool) (length time.Duration, size int64, sha256 string, err error)
	// Discard, after Close, removes the file.
	Discard() error
}

func (c *Config) setDefaults() error {
	missing := c.Lines == nil || c.Router == nil || c.Inbound == nil || c.Scheduler == nil ||
		c.Journal == nil || c.Publisher == nil || c.Fetcher == nil || c.Prompts == nil ||
		c.Files == nil || c.NewID == nil || c.Ringback == nil || c.Tones == nil
	if missing {
		return errors.New("engine: a required part of the configuration is missing")
	}
	if c.MaxBacklog == 0 {
		c.MaxBacklog = 2000
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Alert == nil {
		c.Alert = func(call.Alert) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return nil
}
