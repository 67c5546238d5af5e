package call

import (
	"reflect"
	"time"
)

// Hook is an address that the box asks or tells something.
type Hook struct {
	URL    string `json:"url,omitempty"`    // absolute; empty: no hook
	Method string `json:"method,omitempty"` // "GET" or "POST"; empty is POST
	// Username and Password are for HTTP basic authentication.
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
	// Name is how a document wrote the URL. An application that is asked over a
	// connection of its own knows its hooks by it; empty: by the URL.
	Name string `json:"name,omitempty"`
}

// IsZero reports whether there is no hook.
func (h Hook) IsZero() bool { return h.URL == "" }

// StatusHook is a hook that is told of a call's (or a recording's) progress.
type StatusHook struct {
	Hook
	// Events to send; empty: the default (EventEnded, or for recordings
	// EventRecordingDone).
	Events []EventType `json:"events,omitempty"`
}

// Wants reports whether the hook asked for events of type t.
func (h StatusHook) Wants(t EventType) bool {
	if h.IsZero() {
		return false
	}
	if len(h.Events) == 0 {
		return t == EventEnded || t == EventRecordingDone
	}
	for _, e := range h.Events {
		if e == t {
			return true
		}
	}
	return false
}

// ScriptSource says where a call's verbs come from: Inline when set, else Main,
// and Fallback when Main fails.
type ScriptSource struct {
	Main     Hook   `json:"main"`
	Fallback Hook   `json:"fallback"`
	Inline   string `json:"inline,omitempty"` // the document itself, in the dialect's language
	Base     string `json:"base,omitempty"`   // address that relative ones of Inline are taken from; empty: they are errors
}

// IsZero reports whether there is no script.
func (s ScriptSource) IsZero() bool { return s.Main.IsZero() && s.Inline == "" }

// RecordTrack says whose voice a recording keeps.
type RecordTrack string

const (
	TrackBoth     RecordTrack = "both"
	TrackInbound  RecordTrack = "inbound"  // what the box received from the leg
	TrackOutbound RecordTrack = "outbound" // what the box sent to the leg
)

// RecordOptions say how to record a call.
type RecordOptions struct {
	Channels    int           `json:"channels"` // 1 mixed, 2 leg and its peer apart
	Track       RecordTrack   `json:"track,omitempty"`
	Trim        bool          `json:"trim,omitempty"`        // cut leading and trailing silence
	MaxLength   time.Duration `json:"max_length,omitempty"`  // 0: no limit
	MaxSilence  time.Duration `json:"max_silence,omitempty"` // stop after this much silence; 0: never
	FromRinging bool          `json:"from_ringing,omitempty"`
	Source      string        `json:"source,omitempty"` // what asked: "OutboundAPI", "DialVerb", "RecordVerb"
	Name        string        `json:"name,omitempty"`   // by which a document stops it
	Status      StatusHook    `json:"status"`
	// Transcript is to be told what was said, once the recording is whole.
	Transcript Hook `json:"transcript,omitzero"`
}

// AMD asks for answering machine detection.
type AMD struct {
	MessageEnd         bool          `json:"message_end,omitempty"` // wait for the end of the greeting
	Timeout            time.Duration `json:"timeout"`
	SpeechThreshold    time.Duration `json:"speech_threshold,omitempty"`     // speech this long is a machine; 0: the model decides
	SpeechEndThreshold time.Duration `json:"speech_end_threshold,omitempty"` // silence that ends speech; 0: the model decides
	SilenceTimeout     time.Duration `json:"silence_timeout"`
	GreetingEnd        time.Duration `json:"greeting_end,omitempty"` // silence that ends a machine's greeting; 0: SpeechEndThreshold
	ToneTimeout        time.Duration `json:"tone_timeout,omitempty"` // longest wait for the beep after the verdict; 0: Timeout
	Words              int           `json:"words,omitempty"`        // this many spoken words are a machine; 0: not counted
	Async              bool          `json:"async,omitempty"`        // run the script at once instead of after the verdict
	Partial            bool          `json:"partial,omitempty"`      // tell Status of interim results too
	Status             Hook          `json:"status"`
}

// Request asks for a call. It is what every dialect's Create Call becomes.
type Request struct {
	ID      string // the call's id, made by the dialect; empty: the engine makes one
	API     string // the dialect that asked; opaque to everything but the edge
	Account string
	// From and To are as the dialect wrote them: E.164 or local digits,
	// "sip:user@host…", "client:name".
	From, To    string
	CallerID    string // shown to the callee instead of From
	CallerName  string // display name shown to the callee, may be empty
	Line        string // place the call on this line instead of by the routes
	Application string // id of the application whose hooks were used, may be empty
	Script      ScriptSource
	Status      StatusHook
	RingTimeout time.Duration // 0: 60 s
	TimeLimit   time.Duration // of the answered call; 0: 4 h
	SendDigits  string        // played after the answer; w is 0.5 s, W is 1 s
	Record      *RecordOptions
	AMD         *AMD
	Auth        *Credentials
	Headers     []Header
	SIP         SIP
	Session     Session
	Reason      string
	MaxPrice    *int64 // most that a minute may cost, in 1/10,000 of the currency's unit; nil: anything
	Token       string // an arriving call's token, to keep its caller number
	// Idempotency, when set, makes a second request of the same account with the
	// same value return the first call.
	Idempotency string
	Warnings    []string // what of the request has no effect, as sentences; the record's begin with them
}

// Session is what a call carries for its scripts. Tag and Env are the
// customer's own: nothing but the edge looks into them.
type Session struct {
	Tag    string `json:"tag,omitempty"` // a JSON object told with every message about the call
	Env    string `json:"env,omitempty"` // a JSON object told to the hook that is asked for the first document
	Speech Speech `json:"speech,omitzero"`
	Notify bool   `json:"notify,omitempty"` // tell the application of the start and the end of every verb
	// Messages is told of requests within the call (EventMessage).
	Messages Hook `json:"messages,omitzero"`
	// Transfers is asked when the far end wants the call transferred.
	Transfers Hook `json:"transfers,omitzero"`
	// HoldMusic is the URL of a sound for a party that the other one holds.
	HoldMusic string `json:"hold_music,omitempty"`
}

// Speech are a call's own settings for verbs that leave them open; empty: the
// box's.
type Speech struct {
	Vendor             string `json:"vendor,omitempty"`
	Label              string `json:"label,omitempty"`    // which of the vendor's accounts
	Language           string `json:"language,omitempty"` // BCP 47
	Voice              string `json:"voice,omitempty"`    // as the dialect names it
	Recognizer         string `json:"recognizer,omitempty"`
	RecognizerLabel    string `json:"recognizer_label,omitempty"`
	RecognizerLanguage string `json:"recognizer_language,omitempty"`
	// What is used when the above fails.
	FallbackVendor             string `json:"fallback_vendor,omitempty"`
	FallbackLabel              string `json:"fallback_label,omitempty"`
	FallbackLanguage           string `json:"fallback_language,omitempty"`
	FallbackVoice              string `json:"fallback_voice,omitempty"`
	FallbackRecognizer         string `json:"fallback_recognizer,omitempty"`
	FallbackRecognizerLabel    string `json:"fallback_recognizer_label,omitempty"`
	FallbackRecognizerLanguage string `json:"fallback_recognizer_language,omitempty"`
}

// With is s with the set fields of t in place of its own.
func (s Speech) With(t Speech) Speech {
	to, from := reflect.ValueOf(&s).Elem(), reflect.ValueOf(t)
	for i := range from.NumField() {
		if f := from.Field(i); !f.IsZero() {
			to.Field(i).Set(f)
		}
	}
	return s
}

// Split gives the part of s that speaks and the part that listens.
func (s Speech) Split() (voice, ears Speech) {
	voice = s
	voice.Recognizer, voice.RecognizerLabel, voice.RecognizerLanguage = "", "", ""
	voice.FallbackRecognizer, voice.FallbackRecognizerLabel, voice.FallbackRecognizerLanguage = "", "", ""
	ears = Speech{
		Recognizer: s.Recognizer, RecognizerLabel: s.RecognizerLabel, RecognizerLanguage: s.RecognizerLanguage,
		FallbackRecognizer: s.FallbackRecognizer, FallbackRecognizerLabel: s.FallbackRecognizerLabel,
		FallbackRecognizerLanguage: s.FallbackRecognizerLanguage,
	}
	return voice, ears
}

// MediaPath says which way the sound of two connected parties takes.
type MediaPath string

const (
	// PathThrough is through the box.
	PathThrough MediaPath = "through"
	// PathDirect is past the box while nothing in it needs the sound: the two far
	// ends, on SIP lines, exchange it themselves. Where they cannot, it is PathThrough.
	PathDirect MediaPath = "direct"
	// PathAnchored is PathThrough, and no request changes that. It is a Dial's only.
	PathAnchored MediaPath = "anchored"
)

// Change modifies a live call. Exactly the set parts are done, in this order.
type Change struct {
	Tag *string // replace Session.Tag
	// ResetVoice and ResetRecognizer bring back what Session.Speech said of them
	// when the call began; Speech comes behind.
	ResetVoice, ResetRecognizer bool

	Speech    *Speech        // replace the set fields of Session.Speech
	Notify    *bool          // replace Session.Notify
	HoldMusic *string        // replace Session.HoldMusic
	Status    *StatusHook    // replace the status hook
	TimeLimit *time.Duration // replace the time limit, counted from the answer
	Child     *ScriptSource  // run by the other party, which leaves the Dial that has connected it with this call
	AnyChild  bool           // that there is no other party is then no error
	// Participant changes the call's part in the conference that it is in.
	Participant *ParticipantChange
	Messages    *Hook            // replace Session.Messages
	Transfers   *Hook            // replace Session.Transfers
	Muted       *bool            // nobody hears what the far end says
	Loudness    *float64         // of what the far end hears, tracks apart, in dB: MinLoudness…MaxLoudness
	Path        MediaPath        // of the call's connection with another; empty: as it is
	Keys        *Keys            // send these to the far end, behind those that are being sent
	Tracks      []Track          // change what the far end hears besides
	Tell        *SIPMessage      // send this to the far end; what becomes of it is a warning, if anything
	Recording   *RecordingChange // start, pause, resume or stop a recording
	Streams     *StreamChange    // what all its streams carry
	// Ringing are headers with which the caller of a call that is not answered is
	// told once more that it rings; Ending are those of the message that will end the
	// call. A far end without headers is a warning.
	Ringing, Ending []Header

	Script   *ScriptSource // drop the running document and run this one
	Cancel   bool          // end it only if it has not been answered
	Complete bool          // end it in any state
	// Transcribe replaces the transcription of the call; without a Hook it ends.
	Transcribe       *Transcription
	TranscribePaused *bool // leave out what is said meanwhile
	// AMD listens for an answering machine from now on, or from the answer. It never
	// holds up the script.
	AMD *AMD
}

// IsZero reports whether nothing is to be changed.
func (c Change) IsZero() bool { return reflect.ValueOf(c).IsZero() }

// Bounds of loudness, in dB.
const (
	MinLoudness = -40
	MaxLoudness = 24
)

// Keys are keys to be sent.
type Keys struct {
	Keys   string        // 0-9 * # A-D
	Length time.Duration // of each, 40 ms to 8 s; 0: 100 ms
}

// Sound is something to be heard: a file, or a text to be spoken.
type Sound struct {
	URL string // absolute, or one of the box's own sounds; empty: Text
	// Text is spoken as call/script has it; what the others leave open is the call's.
	Text, Voice, Language, Vendor string
}

// MaxTracks bounds the named tracks of a call.
const MaxTracks = 2

// Track changes one of a call's tracks: what its far end hears beside everything
// else.
type Track struct {
	// Name is the track's; the empty one is always there, for what is whispered once.
	Name     string
	Act      TrackAct
	Sounds   []Sound
	Loop     int      // rounds of Sounds; 0: until something takes their place
	Loudness *float64 // in dB; nil: that with which the track was made
}

// TrackAct is what to do with a track.
type TrackAct int

const (
	TrackAdd     TrackAct = iota // make it, and play Sounds, if there are any
	TrackPlay                    // play Sounds in place of what it plays
	TrackSilence                 // play nothing
	TrackRemove
)

// Recording is a recording's record.
type Recording struct {
	ID   string `json:"id"`
	Call string `json:"call"` // Record.ID; of a conference: Conference
	// Conference is the id of the conference that it is of, empty for that of a call.
	Conference string        `json:"conference,omitempty"`
	Account    string        `json:"account"`
	API        string        `json:"api"`
	Status     string        `json:"status"` // in-progress paused stopped processing completed absent
	Source     string        `json:"source"`
	Track      RecordTrack   `json:"track"`
	Channels   int           `json:"channels"`
	Created    time.Time     `json:"created"`
	Started    time.Time     `json:"started"`
	Updated    time.Time     `json:"updated"`
	Duration   time.Duration `json:"duration"`
	Size       int64         `json:"size"` // bytes of the file
	File       string        `json:"file"` // name below the recordings folder
	SHA256     string        `json:"sha256,omitempty"`
	Error      string        `json:"error,omitempty"`
	Hook       StatusHook    `json:"hook"`
	// Transcript is who waits to be told what was said; it learns that there is no
	// text of it, because nobody turns whole recordings into text.
	Transcript Hook `json:"transcript,omitzero"`
	BySilence  bool `json:"by_silence,omitempty"` // ended by MaxSilence
}
