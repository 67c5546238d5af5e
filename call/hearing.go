package call

import "errors"

// ErrNoRecogniser says that nobody turns speech into text here: no speech vendor
// is set up, or not the one that was asked for.
var ErrNoRecogniser = errors.New("speech vendor not available")

// Hearing asks for speech to be turned into text.
type Hearing struct {
	Vendor      string      `json:"vendor,omitempty"`   // as the box knows it; empty: the call's, else the box's
	Language    string      `json:"language,omitempty"` // BCP 47; empty: the call's, else en-US
	Languages   []string    `json:"languages,omitempty"`
	Hints       []string    `json:"hints,omitempty"` // words that are likely to be said
	HintsBoost  float64     `json:"hints_boost,omitempty"`
	Model       string      `json:"model,omitempty"`
	NoProfanity bool        `json:"no_profanity,omitempty"` // rude words are to be masked
	Interim     bool        `json:"interim,omitempty"`      // results that may still change are wanted too
	Track       RecordTrack `json:"track,omitempty"`        // whose voice; empty: TrackInbound
	Options     string      `json:"options,omitempty"`      // a JSON object for the vendor
}

// Transcript is one result of a recogniser.
type Transcript struct {
	Final        bool // it will not change any more
	Language     string
	Channel      int // from 1
	Alternatives []Alternative
	Vendor       string // who heard it
	Raw          string // the vendor's own message, JSON; may be empty
}

// Text is what was most likely said.
func (t Transcript) Text() string {
	if len(t.Alternatives) == 0 {
		return ""
	}
	return t.Alternatives[0].Text
}

// Confidence is how sure that is, 0…1.
func (t Transcript) Confidence() float64 {
	if len(t.Alternatives) == 0 {
		return 0
	}
	return t.Alternatives[0].Confidence
}

// Alternative is one reading of a speech.
type Alternative struct {
	Text       string
	Confidence float64 // 0…1
}

// Transcription tells a hook of what is said on a call from now on.
type Transcription struct {
	Hook    Hook    // told of every result; no hook ends the transcription
	Hearing Hearing // Track both: both voices, each with its own results
}
