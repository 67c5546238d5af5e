package call

import "time"

// Direction is where a call came from.
type Direction string

const (
	Inbound      Direction = "inbound"
	OutboundAPI  Direction = "outbound-api"
	OutboundDial Direction = "outbound-dial"
)

// Record is all that is remembered of a call. It is a value: a snapshot, safe
// to keep and to send; its slices and maps are never changed after it was made.
type Record struct {
	ID          string     `json:"id"`
	API         string     `json:"api"`
	Account     string     `json:"account"`
	Parent      string     `json:"parent,omitempty"`
	Direction   Direction  `json:"direction"`
	From        string     `json:"from"`
	To          string     `json:"to"`
	CallerName  string     `json:"caller_name,omitempty"`
	Forwarded   string     `json:"forwarded,omitempty"`
	Application string     `json:"application,omitempty"`
	Line        string     `json:"line,omitempty"`  // the line it was last placed on or came from
	Route       string     `json:"route,omitempty"` // why that line, one sentence
	State       State      `json:"state"`
	Created     time.Time  `json:"created"`
	Updated     time.Time  `json:"updated"`
	Started     *time.Time `json:"started,omitempty"` // first attempt on a line
	Rang        *time.Time `json:"rang,omitempty"`
	Early       bool       `json:"early,omitempty"` // a called far end sent sound before its answer
	Answered    *time.Time `json:"answered,omitempty"`
	Ended       *time.Time `json:"ended,omitempty"`
	Cause       *Cause     `json:"cause,omitempty"` // set when ended
	AnsweredBy  string     `json:"answered_by,omitempty"`
	// MachineTime is how long the detection that gave AnsweredBy took, MachineWhy
	// what it heard, one sentence.
	MachineTime time.Duration `json:"machine_time,omitempty"`
	MachineWhy  string        `json:"machine_why,omitempty"`
	MachineSure float64       `json:"machine_sure,omitempty"` // how likely AnsweredBy is, 0 to 1; 0: unknown
	SIPCallID   string        `json:"sip_call_id,omitempty"`
	Remote      string        `json:"remote,omitempty"`  // far address of the leg
	Headers     []Header      `json:"headers,omitempty"` // X- headers of an arriving INVITE
	Seq         int           `json:"seq"`               // next sequence number of a status event
	Status      StatusHook    `json:"status"`
	Session     Session       `json:"session,omitzero"`
	Reason      string        `json:"reason,omitempty"`
	AMD         *AMD          `json:"amd,omitempty"`
	Recordings  []string      `json:"recordings,omitempty"` // ids, oldest first
	Warnings    []string      `json:"warnings,omitempty"`   // at most 20 sentences
	Media       MediaStats    `json:"media"`
	Quality     *Quality      `json:"quality,omitempty"` // nil before there was sound
	Idempotency string        `json:"idempotency,omitempty"`
}

// Quality is how good a leg's sound was or, while the call is up, is.
type Quality struct {
	// MOS is the score, 1 to 4.5, that people would give to what came from the far
	// end (E-model, ITU-T G.107); Rating is its R, 0 to 93.2.
	MOS    float64 `json:"mos"`
	Rating float64 `json:"rating"`
	// In is what the far end said, Out what it was told; nil when that was only
	// passed on, undecoded.
	In  *Loudness `json:"in,omitempty"`
	Out *Loudness `json:"out,omitempty"`
	// ReturnLoss and Enhancement are those of the line's echo, in dB: how much weaker
	// it is than what the line was told, and how much the box takes off that; nil on
	// lines without.
	ReturnLoss  *float64 `json:"echo_return_loss_db,omitempty"`
	Enhancement *float64 `json:"echo_enhancement_db,omitempty"`
	// Fax says that a fax machine or a modem was heard: the sound was left as it is.
	Fax bool `json:"fax,omitempty"`
}

// Loudness is how loud one direction of a leg is.
type Loudness struct {
	Level   float64 `json:"level_dbov"`  // of the last second that was heard, dBov; -100 is silence
	Speech  float64 `json:"speech_dbov"` // of all that was speech, dBov; -100 when there was none
	Clipped uint64  `json:"clipped"`     // samples cut off at full scale
}

// Duration is the answered time: 0 before the answer, up to now while the call
// is up.
func (r Record) Duration(now time.Time) time.Duration {
	if r.Answered == nil {
		return 0
	}
	if r.Ended != nil {
		now = *r.Ended
	}
	return max(now.Sub(*r.Answered), 0)
}

// Filter selects records of one account, newest first.
type Filter struct {
	Account                    string
	From, To, Parent           string
	Conference                 string // those that were in it; the engine looks at this, storage does not
	State                      *State
	StartedAfter, StartedUntil time.Time // inclusive; zero: open
	EndedAfter, EndedUntil     time.Time
	Limit                      int    // page size, 1…1000; 0: 50
	Cursor                     string // Page.Next or Page.Previous of an earlier answer; empty: the newest
}

// Page is one page of records.
type Page struct {
	Records        []Record
	Next, Previous string // cursors, empty at the ends
}

// RecordingFilter selects recordings of one account, newest first.
type RecordingFilter struct {
	Account, Call               string
	CreatedAfter, CreatedBefore time.Time // inclusive; zero: open
	Limit                       int
	Cursor                      string
}

// RecordingPage is one page of recordings.
type RecordingPage struct {
	Recordings     []Recording
	Next, Previous string
}

// EventType is the kind of an Event.
type EventType string

const (
	EventInitiated EventType = "initiated" // the attempt starts
	EventRinging   EventType = "ringing"
	// EventEarly says that a far end whose phone was told to ring now sends sound
	// before its answer, once per call. Where sound is the first that is heard of it,
	// EventRinging alone tells so, with Record.Early.
	EventEarly    EventType = "early"
	EventAnswered EventType = "answered"
	EventEnded    EventType = "completed" // final, whatever the outcome
	// EventRecordingStarted, -Done and -Absent carry Event.Recording.
	EventRecordingStarted EventType = "in-progress"
	EventRecordingDone    EventType = "recording-completed"
	EventRecordingAbsent  EventType = "absent"
	// EventMachine says that answering machine detection came to its last result,
	// EventMachinePartial that a machine was recognised whose greeting still goes
	// on. The result is in Event.Note and in Record.AnsweredBy.
	EventMachine        EventType = "machine"
	EventMachinePartial EventType = "machine-partial"
	EventDigit          EventType = "digit" // Event.Note is the digit
	EventVerb           EventType = "verb"  // a verb starts; Event.Note names it, and behind a space what its Label calls it
	// EventVerbDone says that a verb has ended; told where Session.Notify asks for it.
	EventVerbDone EventType = "verb-done"
	EventFetch    EventType = "fetch"   // a document was asked for; Event.Note is the URL without secrets
	EventWarning  EventType = "warning" // Event.Note is the sentence
	// EventMessage says that the far end sent Event.Message.
	EventMessage EventType = "message"
)

// Event is something that happened to a call, told in order per call.
type Event struct {
	Type   EventType
	Seq    int // Record.Seq at the event, for initiated…completed: 0, 1, 2 …
	At     time.Time
	Record *Record // as it was right after the event; shared, so nobody changes it
	// Recording is the one that the event is about; on EventEnded the call's last
	// that was completed, nil when there is none or it was not whole in time.
	Recording *Recording
	// Conference is what an event of a conference tells; Record is then empty when
	// no call is concerned.
	Conference *ConferenceNews
	Message    *SIPMessage // EventMessage
	Queue      *QueueNews  // that an event of a queue is about
	Stream     *Stream     // that an event of a stream is about
	Note       string
	Tone       float64 // EventMachine: Hz of the beep that ended a greeting, 0 without one
}
