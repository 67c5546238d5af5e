package call

import (
	"errors"
	"fmt"
)

// Who is who ended a leg or a call.
type Who string

const (
	Nobody  Who = ""        // not ended
	Remote  Who = "remote"  // the far end of the leg
	Network Who = "network" // the trunk, exchange or network between
	Script  Who = "script"  // a verb, or the end of the document
	API     Who = "api"     // a request to cancel or complete
	Box     Who = "box"     // the box itself: a timer, a limit, a shutdown, a loss of power
	Peer    Who = "peer"    // the other leg of the bridge
)

// Cause says why a leg or a call ended: for machines the Q.850 value and the
// SIP status, for people who and one plain sentence. It is an error, so that a
// failing Dial carries it: see [CauseOf].
type Cause struct {
	Q850 int    `json:"q850"`           // ITU-T Q.850 value 1…127; 16 is normal clearing
	SIP  int    `json:"sip,omitempty"`  // SIP status 100…699, 0 when no SIP was involved
	Who  Who    `json:"who"`            // who ended it
	Text string `json:"text,omitempty"` // one sentence: what, why, what to do
}

// Q.850 values that the box uses (ITU-T Q.850 table 1).
const (
	Q850Unallocated       = 1
	Q850NoRoute           = 3
	Q850Normal            = 16
	Q850Busy              = 17
	Q850NoResponse        = 18
	Q850NoAnswer          = 19
	Q850Absent            = 20
	Q850Rejected          = 21
	Q850NumberChanged     = 22
	Q850Circles           = 25 // exchange routing error
	Q850OutOfOrder        = 27
	Q850InvalidNumber     = 28
	Q850Unspecified       = 31
	Q850NoCircuit         = 34
	Q850NetworkOutOfOrder = 38
	Q850Temporary         = 41
	Q850Congestion        = 42
	Q850NotAvailable      = 47
	Q850NotImplemented    = 79
	Q850Incompatible      = 88
	Q850TimerExpired      = 102
	Q850Interworking      = 127
)

// Sentinels that callers branch on.
var (
	ErrLegEnded   = errors.New("leg has ended")
	ErrNotFound   = errors.New("no such call")
	ErrEnded      = errors.New("call has ended")
	ErrWrongState = errors.New("call is not in a state that allows this")
	ErrLimit      = errors.New("too many calls at once")
	ErrStopping   = errors.New("the gateway is shutting down")
	ErrNotEnded   = errors.New("call has not ended")
	// ErrCursor says that a Filter's cursor is not one of an earlier Page.
	ErrCursor = errors.New("not a page cursor")
)

// Error is the cause's sentence, with its numbers when it has no sentence.
func (c Cause) Error() string {
	if c.Text != "" {
		return c.Text
	}
	if c.Q850 == Q850Normal && c.SIP == 0 {
		return "normal hang-up" + by[c.Who]
	}
	if c.SIP != 0 {
		return fmt.Sprintf("ended with SIP %d (Q.850 %d)", c.SIP, c.Q850)
	}
	return fmt.Sprintf("ended with Q.850 cause %d", c.Q850)
}

// by ends the sentence of a normal hang-up.
var by = map[Who]string{
	Remote: " by the far end", Network: " by the network", Script: " by the script",
	API: " by request", Box: " by the gateway", Peer: " of the other party",
}

// CauseOf gives the cause that err is or wraps; any other error becomes cause
// 41, temporary failure, of the box, with the error's text.
func CauseOf(err error) Cause {
	var c Cause
	if errors.As(err, &c) {
		return c
	}
	return Cause{Q850: Q850Temporary, SIP: 500, Who: Box, Text: err.Error()}
}

// TollReason is which guard refuses a call.
type TollReason int

// Guards against calls that cost too much.
const (
	TollCountry  TollReason = iota // where it goes
	TollNumber                     // its number
	TollHours                      // the time of the day
	TollCalls                      // too many at a time
	TollMinutes                    // the minutes of a day are used
	TollSpend                      // the money of a day is spent
	TollMessages                   // the text messages of a day or a month are used
)

// TollError says that a guard against calls that cost too much refuses one. It
// wraps its [Cause].
type TollError struct {
	Reason TollReason
	Text   string // one sentence
}

func (e *TollError) Error() string { return e.Text }

// Unwrap is the cause of the call that is refused: Q.850 21, SIP 403.
func (e *TollError) Unwrap() error {
	return Cause{Q850: Q850Rejected, SIP: 403, Who: Box, Text: e.Text}
}

// NormalClearing is the cause of an ordinary hang-up by who.
func NormalClearing(who Who) Cause { return Cause{Q850: Q850Normal, Who: who} }

// Outcome is the final state of a call that ended with c before it was answered
// (the answered one is Completed). The mapping is that of the call APIs: busy
// 17, 486, 600, 603, 607; no answer 18, 19, 20, 408, 480, 487 by timer; canceled
// 487 by request; everything else failed.
func (c Cause) Outcome() State {
	switch c.SIP {
	case 486, 600, 603, 607:
		return Busy
	case 408, 480:
		return NoAnswer
	case 487:
		if c.Who == API || c.Who == Script || c.Who == Peer {
			return Canceled
		}
		return NoAnswer
	}
	if c.SIP >= 300 {
		return Failed
	}
	switch c.Q850 {
	case Q850Busy, Q850Rejected:
		return Busy
	case Q850NoResponse, Q850NoAnswer, Q850Absent:
		return NoAnswer
	case Q850Normal:
		if c.Who == Remote {
			return NoAnswer // the caller gave up
		}
		return Canceled
	}
	return Failed
}

// SIPStatus is the final status that tells a SIP caller about c (RFC 3398
// §7.2.4.1 maps Q.850 to SIP).
func (c Cause) SIPStatus() int {
	if c.SIP >= 300 {
		return c.SIP
	}
	switch c.Q850 {
	case Q850Unallocated, Q850NoRoute, 2:
		return 404
	case Q850Busy:
		return 486
	case Q850NoResponse:
		return 408
	case Q850NoAnswer, Q850Absent, Q850Unspecified:
		return 480
	case Q850Rejected:
		return 603
	case Q850NumberChanged:
		return 410
	case Q850OutOfOrder:
		return 502
	case Q850InvalidNumber:
		return 484
	case Q850NotImplemented:
		return 501
	case Q850Incompatible:
		return 488
	case Q850Circles:
		return 483
	case Q850TimerExpired:
		return 504
	case Q850Normal:
		return 480
	case Q850NoCircuit, Q850NetworkOutOfOrder, Q850Temporary, Q850Congestion, Q850NotAvailable:
		return 503
	}
	return 500
}

// FromSIP is the cause of a leg that ended with a SIP status (RFC 3398 §8.2.6.1).
func FromSIP(status int, who Who, text string) Cause {
	q := Q850Interworking
	switch status {
	case 400, 481, 500, 503:
		q = Q850Temporary
	case 401, 402, 403, 407, 433, 603, 607, 608: // RFC 5079, RFC 8197, RFC 8688
		q = Q850Rejected
	case 404, 485, 604:
		q = Q850Unallocated
	case 405:
		q = 63
	case 406, 415, 488, 606:
		q = Q850Incompatible
	case 408, 504:
		q = Q850TimerExpired
	case 410:
		q = Q850NumberChanged
	case 480:
		q = Q850NoResponse
	case 482, 483:
		q = Q850Circles
	case 484:
		q = Q850InvalidNumber
	case 486, 600:
		q = Q850Busy
	case 487:
		q = Q850Normal
	case 501:
		q = Q850NotImplemented
	case 502:
		q = Q850NetworkOutOfOrder
	}
	return Cause{Q850: q, SIP: status, Who: who, Text: text}
}
