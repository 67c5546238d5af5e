package call

import (
	"errors"
	"time"
)

// ErrNoStream says that a call has no stream of this name.
var ErrNoStream = errors.New("the call has no stream of this name or id")

// ErrTooMany says that a call has as many streams, or recordings at once, as it may.
var ErrTooMany = errors.New("the call has as many of them at once as it may")

// StreamMix is how the two directions of a call are put into one stream.
type StreamMix string

const (
	StreamApart  StreamMix = ""       // each direction of Track by itself, one after the other
	StreamMono   StreamMix = "mono"   // one channel: what the leg says
	StreamStereo StreamMix = "stereo" // two channels: what the leg says, what it hears
	StreamMixed  StreamMix = "mixed"  // one channel with both
)

// StreamOptions say how to carry a call's sound to an application.
type StreamOptions struct {
	// URL is where the application listens: ws:// or wss://.
	URL      string `json:"url"`
	Username string `json:"username,omitempty"` // for HTTP basic authentication; empty: that of URL
	Password string `json:"password,omitempty"`
	Bearer   string `json:"bearer,omitempty"` // a token in place of those
	// Name is that by which the stream can be stopped, unique in the call; empty: by
	// its id only.
	Name       string        `json:"name,omitempty"`
	Track      RecordTrack   `json:"track,omitempty"`
	Mix        StreamMix     `json:"mix,omitempty"`
	Rate       int           `json:"rate,omitempty"`        // of linear samples in Hz, 8,000 to 64,000; 0: 8,000 Hz µ-law
	Parameters []Parameter   `json:"parameters,omitempty"`  // told to the application when the stream starts
	Metadata   string        `json:"metadata,omitempty"`    // JSON that is told to the application when the stream starts
	Keys       bool          `json:"keys,omitempty"`        // tell the application of pressed keys
	TwoWay     bool          `json:"two_way,omitempty"`     // the application may play sound to the call
	PlayRate   int           `json:"play_rate,omitempty"`   // of the bare samples that the application sends, in Hz; 0: it may send none
	MaxSilence time.Duration `json:"max_silence,omitempty"` // end it when the leg has been silent for so long; 0: never
	Source     string        `json:"source,omitempty"`      // what asked: "Start", "Connect", "listen"
	Status     StatusHook    `json:"status"`                // told of the stream's beginning and end
}

// Parameter is something that a document hands on to an application.
type Parameter struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// StreamState is where a stream stands.
type StreamState string

const (
	StreamRunning StreamState = "in-progress"
	StreamStopped StreamState = "stopped"
)

// Stream is a stream of a call's sound. It is a value: a snapshot.
type Stream struct {
	ID, Call, Account, API string
	State                  StreamState
	Created, Updated       time.Time
	Error                  string        // why it failed, one sentence
	ErrorCode              int           // of Error, call-api.md §1.5; 0: none
	Length                 time.Duration // how long it ran
	Lost                   StreamLoss
	StreamOptions
}

// StreamLoss counts what a stream could not carry.
type StreamLoss struct {
	Frames uint64 // of 20 ms that the application was too slow for
	Played uint64 // of 20 ms that the application sent too much of
	Keys   uint64 // key presses that the application was too slow for
}

// StreamChange changes what running streams carry.
type StreamChange string

const (
	StreamPause   StreamChange = "pause"   // carry nothing
	StreamSilence StreamChange = "silence" // carry silence
	StreamResume  StreamChange = "resume"
)

// The events of streams. They carry Event.Stream.
const (
	EventStreamStarted EventType = "stream-started"
	EventStreamStopped EventType = "stream-stopped"
	EventStreamError   EventType = "stream-error"
)

// The statuses of recordings.
const (
	RecordingRunning = "in-progress"
	RecordingPaused  = "paused"
	RecordingStopped = "stopped"
)

// RecordingChange starts or changes a recording of a live call.
type RecordingChange struct {
	Start *RecordOptions // start one; the rest is then without meaning
	ID    string         // the recording that is meant, or its name; empty: the one that was started last and still runs
	// Status is RecordingPaused, RecordingRunning or RecordingStopped.
	Status string
	// Silence lets a pause be heard as silence; else it is left out.
	Silence bool
}
