package script

import (
	"context"
	"time"

	"callbox/call"
	"callbox/media"
)

// Control is a verb's hold on its call. Every method that takes a context
// returns its error when it ends, and call.ErrEnded when the call has ended.
// The engine implements the interfaces of this file and hands them over in an
// [Env]; Control and Audio are two values, since both have a Record.
type Control interface {
	// Record is a snapshot of the call now. It is shared, so nobody changes it.
	Record() *call.Record
	// Answer takes an arriving call off-hook; on an answered call it returns nil at once.
	Answer(ctx context.Context) error
	// Early opens the sound to the caller of a call that is not answered; on an open
	// or answered call it returns nil at once.
	Early(ctx context.Context) error
	// Hangup ends the call in any state; it does not block.
	Hangup(c call.Cause)
	// Tell publishes an event of the script (call.EventVerb, EventFetch, EventWarning).
	Tell(t call.EventType, note string)
	// Change does to the call what a request from outside could. A script that
	// replaces itself is cancelled.
	Change(ctx context.Context, ch call.Change) error
}

// Audio is the sound and the keys of the call.
type Audio interface {
	// Play sends clip to the call until it ends, ctx ends or the call ends, then
	// closes it. Only one clip plays at a time.
	Play(ctx context.Context, clip media.Clip) error
	// SendDigits sends 0-9 * # A-D, each for length (40 ms to 8 s; 0: 100 ms) with
	// 100 ms between; w pauses 0.5 s, W 1 s.
	SendDigits(ctx context.Context, digits string, length time.Duration) error
	// Digit waits for the next key press since the last DropDigits.
	Digit(ctx context.Context) (byte, error)
	// DropDigits forgets the keys pressed so far (at most 64 are kept).
	DropDigits()
	// Record starts a recording of the call. One at a time per source.
	Record(o call.RecordOptions) (Recording, error)
}

// Recording is a recording in progress.
type Recording interface {
	// Done is closed when the recording has stopped by itself: length, silence,
	// or the end of the call.
	Done() <-chan struct{}
	// Stop ends the recording if it still runs, waits until the file is whole and
	// gives its final record; it may be called again for the same answer.
	Stop() (call.Recording, error)
}

// Dialer places further legs and connects them.
type Dialer interface {
	// Dial rings the targets, connects the first to answer, and returns when the
	// connection has ended. An error means that nothing was tried; otherwise the
	// outcome is in the result.
	Dial(ctx context.Context, d *Dial) (DialResult, error)
}

// Prompts makes sounds. The clips are ready to play.
type Prompts interface {
	// Open gives the sound at an absolute URL or, behind FileScheme, one of the
	// sounds that lie on the box.
	Open(ctx context.Context, url string) (media.Clip, error)
	// Speak gives a spoken text. ErrNoSpeech when the box has no voice.
	Speak(ctx context.Context, s Speech) (media.Clip, error)
}

// FileScheme begins the address of a sound that lies on the box: "file:welcome.wav"
// is welcome.wav in its folder of sounds, and nothing outside that can be named.
const FileScheme = "file:"

// Speech is a text to be spoken.
type Speech struct {
	Text     string // plain text; SSML if it starts with <speak
	Voice    string // as the dialect names it; empty: the call's, else the box's
	Language string // BCP 47; empty: the call's, else the box's
	Vendor   string // who should speak it, as the dialect names them; empty: the call's, else the box
}

// Fetcher asks a hook for the next document.
type Fetcher interface {
	// Fetch asks h, telling it of the call and, for an action hook, the result of
	// a verb (nil otherwise). An error is or wraps a *FetchError.
	Fetch(ctx context.Context, h call.Hook, rec call.Record, res *Result) (Document, error)
	// Decode reads a document that came with a request (ScriptSource.Inline).
	Decode(ctx context.Context, rec call.Record, src call.ScriptSource) (Document, error)
}

// Env is everything that verbs act on.
type Env struct {
	Control
	Audio
	Dialer
	Prompts
	Fetcher
	Rooms
	Streams
	Messenger  // nil: the box sends no text messages
	Recogniser // nil: nobody turns speech into text
	Signaller
	Place   *Place   // where the run stands, for others to see; nil: nobody asks
	Codes   Codes    // of the latest document
	Manners *Manners // what the call's documents have set so far; nil: Run makes one of its own
}

// Target is one party of a Dial.
type Target struct {
	Kind       TargetKind
	To         string // number, "sip:" URI, user name
	Line       string // only on this line, may be empty
	From       string // shown to this party instead of Dial.CallerID, may be empty
	Auth       *call.Credentials
	Headers    []call.Header
	SIP        call.SIP
	SendDigits string          // sent after the answer, before connecting
	Screen     call.Hook       // document run on the callee before connecting; a Hangup in it declines
	Status     call.StatusHook // of the child call; see also Dial.SameStatus
	Timeout    time.Duration   // own ring time, 0: the Dial's
	AMD        *call.AMD       // tell a person from a machine on this party; it never holds up the connection
}

// TargetKind is what Target.To names.
type TargetKind int

const (
	ToNumber TargetKind = iota // digits, placed by the routes
	ToSIP                      // a SIP URI
	ToUser                     // a user, phone or port of the box by name
)

// Dial asks for one or more parties.
type Dial struct {
	Targets        []Target // 1…10
	Sequential     bool     // one after the other instead of all at once
	CallerID       string   // shown to the callees; empty: the caller's number
	CallerName     string
	Reason         string              // shown to the callees where the network can
	Foreign        string              // why callees are not called that would be shown a CallerID which is no number of the account; empty: any may be shown
	Refusals       Refusals            // put behind the warning about a number that the box does not call
	Assert         bool                // tell trusted networks who calls, as the caller's vouched for it
	Tag            string              // Session.Tag of the children; empty: the call's
	SameStatus     bool                // children without a status hook have the call's
	Timeout        time.Duration       // ring time; 0: 30 s
	TimeLimit      time.Duration       // of the connection; 0: 4 h
	AnswerOnBridge bool                // keep the caller ringing until a callee answers
	HangupOnStar   bool                // the caller's * ends the connection
	RingTone       string              // country of the ringback; empty: the box's
	Loudness       *float64            // of what the callee hears, in dB; nil: as it is
	Tracks         []call.Track        // what the callee hears besides
	Music          string              // URL of a sound that the caller hears, again and again, until a callee answers; empty: ringing
	Keys           KeyWatch            // whom to tell of keys during the connection
	Transcribe     *call.Transcription // of the connection; nil: none
	OnHold         call.Hook           // document run on a party that the other one holds
	Transfers      call.Hook           // asked when a far end wants its partner connected with somebody else; none: the call's, else the line decides
	MayIgnore      bool                // an answer of Transfers without verbs leaves the connection as it is
	Record         *call.RecordOptions // nil: no recording
	Path           call.MediaPath      // of the connection's sound; empty: PathThrough
	Stream         *call.StreamOptions // carry the connection's sound to an application; nil: no
}

// Refusal is why the box itself does not call a target of a Dial.
type Refusal int

const (
	NotRefused     Refusal = iota
	RefusedNumber          // it is no number that anybody could be called by
	RefusedDenied          // a guard denies the number
	RefusedCountry         // a guard denies the place that it leads to
)

// Refusals is what a dialect adds to the warnings about refused targets, by why,
// and about transfers that far ends want and that nobody was named to decide about;
// empty: nothing.
type Refusals struct{ Number, Denied, Country, Transfer string }

// Of is what is added for r.
func (x Refusals) Of(r Refusal) string {
	switch r {
	case RefusedNumber:
		return x.Number
	case RefusedDenied:
		return x.Denied
	case RefusedCountry:
		return x.Country
	}
	return ""
}

// KeyWatch names sequences of keys that a hook is told of while two parties are
// connected. A pause of more than 3 s separates sequences.
type KeyWatch struct {
	Hook           call.Hook
	Caller, Callee []string // by who presses them
}

// HoldResult says which call was put on hold by its far end.
type HoldResult struct{ From, To string }

// TransferEvent is the Verb of a Result with a TransferWish.
const TransferEvent = "transfer"

// TransferWish is what a far end wants.
type TransferWish struct {
	To, URI    string // number or user to be called, and the whole address
	By, ByUser string // address of who wants it, and its user part; may be empty
	Referrer   string // id of the call whose far end wants it
	Referred   string // id of the call that is to be transferred; empty: there is none
	Attended   bool   // the far end has spoken with the target already
	Headers    []call.Header
	UserAgent  string
}

// DialResult is how a Dial ended.
type DialResult struct {
	State     call.State    // Completed, Busy, NoAnswer, Failed, Canceled
	Child     string        // id of the child that was connected, else of the last that failed
	Duration  time.Duration // connected time
	Bridged   bool
	Cause     call.Cause
	SIPCallID string
	SIPStatus int
	Recording *call.Recording // when it was recorded
}

// Result is what a verb tells its action hook. Only the part of its verb is set.
type Result struct {
	Verb      string // "gather", "record", "dial", "play", "message", "stream", "error", or ScreenResult
	Digits    string
	Timeout   bool            // gather: no input
	Fault     string          // gather, play: why it could not be done, one sentence
	Played    time.Duration   // play
	Recording *call.Recording // record
	// Speech is what was said: gather, PartialResult, TranscriptResult.
	Speech  *call.Transcript
	Unsure  bool              // gather: Speech has too little confidence
	Number  int               // PartialResult: how many were told before
	Answer  *call.SIPResponse // sip:request
	Refer   *ReferResult      // refer, and the step of one in ReferEvent
	Digit   byte              // record: the key that ended it, 0 when none
	HungUp  bool              // record: the caller hung up
	Dial    *DialResult
	Message *call.Message // message: as it was taken, or with its failure
	// Conference, Queue and Dequeue are how those verbs ended.
	Conference *ConferenceResult
	Queue      *QueueResult
	Dequeue    *DequeueResult
	Hold       *HoldResult   // a document for the party that is held
	Transfer   *TransferWish // a document for the party that is to be transferred
	Stream     *StreamResult
	Waiting    *Waiting         // a document that entertains, or prepares, a waiting call
	Announce   *call.Conference // a document that is played to this conference, or to a party in it
	Error      *FetchError      // sent with the request to the fallback hook
}

// ScreenResult is the Verb of a Result without anything in it: the hook is asked
// for the document of a called party before it is connected.
const ScreenResult = "screen"

// PartialResult and TranscriptResult are the Verbs of Results with nothing but
// Speech: one that may still change, and one of a call that is transcribed.
const (
	PartialResult    = "partial"
	TranscriptResult = "transcribe"
	// ReferEvent is the Verb of a Result with a step of a referral: the status of
	// the call that the far end makes.
	ReferEvent = "refer-event"
)

// FetchError is a failure to get or understand a document. Code is the number
// of call-api.md §1.5 (11200 HTTP status, 12100 bad XML …).
type FetchError struct {
	Code   int
	URL    string // without credentials
	Status int    // of HTTP, where Code says that this was the failure
	Err    error
}

func (e *FetchError) Error() string { return e.Err.Error() }
func (e *FetchError) Unwrap() error { return e.Err }

// Verb is one step of a document.
type Verb interface {
	// Name is the verb's canonical name for logs and events ("gather").
	Name() string
	// Run does the step. A nil Jump goes on to the next verb. The error ends the
	// script; context errors and call.ErrEnded are not failures.
	Run(ctx context.Context, env *Env) (*Jump, error)
}

// Preparer is a Verb that does not answer an arriving call by itself (pause,
// reject, redirect, dial with answerOnBridge, early sound). All others are preceded by Answer.
type Preparer interface {
	// BeforeAnswer reports whether the verb may run on an unanswered call.
	BeforeAnswer() bool
}

// Jump leaves the document for the one at Hook.
type Jump struct {
	Hook   call.Hook
	Result *Result // told to Hook
	// Resume goes on behind the verb when Hook's document holds no verbs.
	Resume bool
	// Wait is what the caller hears while Hook is asked, in place of what the script has set.
	Wait Wait
	// Parting tells Hook also when another document has taken the call; its answer
	// is then not used.
	Parting bool
}

// Document is a decoded script.
type Document struct {
	Verbs    []Verb
	URL      string   // where it came from, absolute; empty for inline ones
	Warnings []string // what the decoder skipped, as sentences
	Codes    Codes    // the dialect's numbers of what may go wrong
	// Orders bring what the application says without being asked; nil: nothing.
	Orders Orders
}
