package call

import "time"

// TextSent is a text message that the network of a line has taken.
type TextSent struct {
	Segments int   // messages of the network that it took
	Refs     []int // their references, by which reports name them
}

// TextError says why a text message was not sent, or not whole.
type TextError struct {
	Text      string // one sentence
	Transient bool   // it may work later
	Sent      int    // messages of the network that were taken all the same
}

func (e *TextError) Error() string { return e.Text }

// TextPart is a message of the network that arrived on a line: a text message, or a
// part of one.
type TextPart struct {
	From string    `json:"from"` // a number, or a name
	At   time.Time `json:"at"`   // when the network got it
	// Parts of a longer message have the same Ref and Total, and Seq from 1 to Total.
	// Total is 1 when it is whole.
	Ref     int    `json:"ref,omitempty"`
	Total   int    `json:"total"`
	Seq     int    `json:"seq"`
	PDU     string `json:"pdu"`               // its content, in the network's own form
	Problem string `json:"problem,omitempty"` // why it cannot be read, one sentence
}

// TextReport is the network's word on a text message that was sent.
type TextReport struct {
	Ref   int    // as in TextSent
	To    string // its receiver
	Done  bool   // delivered
	Final bool   // nothing more comes
	Text  string // one sentence, when it is not delivered
}

// USSDAnswer is what a network said to a USSD code.
type USSDAnswer struct {
	Text string `json:"text"`
	More bool   `json:"more"` // the network waits for an answer
}
