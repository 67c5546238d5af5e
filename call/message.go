package call

import (
	"errors"
	"time"
)

// ErrNoMessenger says that no line of the box can send the text message.
var ErrNoMessenger = errors.New("no line of this box sends text messages from this number")

// MessageStatus is how far a text message has come.
type MessageStatus string

// The statuses of text messages.
const (
	MessageQueued      MessageStatus = "queued"      // waits for its line
	MessageSending     MessageStatus = "sending"     // the network is being asked
	MessageSent        MessageStatus = "sent"        // the network has it
	MessageDelivered   MessageStatus = "delivered"   // the receiver has it
	MessageUndelivered MessageStatus = "undelivered" // the network gave it up
	MessageFailed      MessageStatus = "failed"      // the network did not take it
	MessageReceived    MessageStatus = "received"    // it arrived here
)

// OutboundReply is the direction of a message that answers one that arrived.
const OutboundReply Direction = "outbound-reply"

// Message is a text message. It is a value, as Record is.
type Message struct {
	ID        string        `json:"id"`
	API       string        `json:"api"`
	Account   string        `json:"account"`
	Call      string        `json:"call,omitempty"` // Record.ID of the call whose script sent it
	Direction Direction     `json:"direction"`      // Inbound, OutboundAPI, OutboundDial for one of a script, or OutboundReply
	From      string        `json:"from"`           // a number
	To        string        `json:"to"`             // a number
	Body      string        `json:"body,omitempty"`
	Segments  int           `json:"segments,omitempty"` // messages of the network that it takes
	Line      string        `json:"line,omitempty"`     // the line that sent or received it
	Status    MessageStatus `json:"status"`
	Error     string        `json:"error,omitempty"` // why it failed, one sentence
	Created   time.Time     `json:"created"`
	Updated   time.Time     `json:"updated"`
	Sent      *time.Time    `json:"sent,omitempty"`
	Hook      Hook          `json:"hook,omitzero"` // told of every change of Status
}

// MessageFilter selects messages of one account, newest first.
type MessageFilter struct {
	Account, From, To    string
	SentAfter, SentUntil time.Time // inclusive; zero: open
	Limit                int       // page size, 1…1000; 0: 50
	Cursor               string    // MessagePage.Next or .Previous of an earlier answer; empty: the newest
}

// MessagePage is one page of messages.
type MessagePage struct {
	Messages       []Message
	Next, Previous string // cursors, empty at the ends
}
