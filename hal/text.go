package hal

import (
	"context"
	"errors"
	"time"
)

// Texter is a modem that sends text messages and talks to its network by USSD.
// Methods may be called from any goroutine.
type Texter interface {
	// SendText sends body to a number, in as many messages as it takes, and returns
	// when the network has all of them. What fails for the moment is tried again
	// until ctx ends. The error is ErrNotReady, or a *TextError.
	SendText(ctx context.Context, to, body string) (TextSent, error)
	// USSD sends a code ("*100#"), or an answer to a network that waits for one, and
	// gives what the network says to it.
	USSD(ctx context.Context, code string) (USSDAnswer, error)
	// CancelUSSD ends a session in which the network waits for an answer.
	CancelUSSD(ctx context.Context) error
}

// TextSent is a message that the network has taken.
type TextSent struct {
	Segments int   // messages of the network that it took
	Refs     []int // their references, 0…255, by which reports name them
}

// TextError says why a text message was not sent, or not whole.
type TextError struct {
	Code      int    // of TS 27.005 §3.2.5; 0: none
	Text      string // one sentence
	Transient bool   // it may work later
	Sent      int    // messages of the network that it has taken all the same
}

func (e *TextError) Error() string { return e.Text }

// Errors of USSD.
var (
	ErrUSSDBusy    = errors.New("another USSD session is open on this line")
	ErrUSSDRefused = errors.New("the network does not take this USSD code")
	ErrUSSDTimeout = errors.New("the network did not answer the USSD code in time")
)

// USSDAnswer is what a network said to a USSD code.
type USSDAnswer struct {
	Text string
	More bool // the network waits for an answer
}

// TextReceiver takes what a modem's network brings. Methods are called from one
// goroutine, and return nil when what they got is safe on disk: only then it is
// deleted on the SIM.
type TextReceiver interface {
	// TextArrived brings a message of the network, which may be a part of a longer
	// one. The same may be brought twice.
	TextArrived(p TextPart) error
	// TextReported tells what became of a message that was sent.
	TextReported(r TextReport) error
}

// TextPart is an arriving message of the network.
type TextPart struct {
	From string // a number, or a name
	At   time.Time
	// Ref, Total and Seq (1…Total) are those of a part of a longer message, whose
	// parts have the same Ref and Total; Total is 1 when it is whole.
	Ref, Total, Seq int
	PDU             string // what arrived, in hexadecimal digits
	Problem         string // why it cannot be read, one sentence; empty: it can
}

// TextReport is the network's word on a message that was sent.
type TextReport struct {
	Ref  int    // as in TextSent
	To   string // its receiver
	At   time.Time
	Done bool // delivered
	// Final says that nothing more comes; a report that is neither Done nor Final
	// says that the network still tries.
	Final bool
	Code  int    // TP-Status of TS 23.040 §9.2.3.15
	Text  string // one sentence, when it is not delivered
}
