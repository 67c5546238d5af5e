package api

import (
	"callbox/call"
	"callbox/call/script"
)

// IDKind is what an id is for.
type IDKind string

const (
	CallID      IDKind = "call"
	RecordingID IDKind = "recording"
	StreamID    IDKind = "stream"

	ApplicationID IDKind = "application"
	NumberID      IDKind = "number"
	KeyID         IDKind = "key"
	UserID        IDKind = "user"
	ClientID      IDKind = "client"
	CarrierID     IDKind = "carrier"
	GatewayID     IDKind = "gateway"
	ListID        IDKind = "credential list"
	DomainID      IDKind = "sip domain"
	MessageID     IDKind = "message"

	ConferenceID IDKind = "conference"
	QueueID      IDKind = "queue"
)

// Dialect is what a call API decides about the requests that the box makes.
// Implementations are pure and may be used concurrently.
type Dialect interface {
	// Name is the value of call.Request.API and call.Record.API ("twilio").
	Name() string
	// NewID makes a fresh random id in the dialect's form ("CA" + 32 hex).
	NewID(k IDKind) string
	// DocumentRequest is the request that asks h for verbs; res is the result of
	// the verb whose action h is, nil at the start of a call.
	DocumentRequest(h call.Hook, rec call.Record, res *script.Result) Outgoing
	// Decode reads a document; body may be empty. contentType is what an answer
	// calls itself, empty when it does not say or came with a request. url is what
	// relative addresses are taken from, empty when there may be none. The error is or wraps *script.FetchError.
	Decode(body []byte, contentType, url string) (script.Document, error)
	// Callback gives the messages that an event owes to the record's status hook
	// or to the recording's hook, in order; none when nobody asked for it.
	Callback(ev call.Event) []Outgoing
	// Sign gives the header that proves to the receiver that the box sent o.
	// An empty name means that the dialect does not sign.
	Sign(secret string, o Outgoing) (name, value string)
}

// KeyHolder is a Dialect that signs with another secret than the account's token.
type KeyHolder interface {
	// SigningKey gives the secret for Sign.
	SigningKey(a Account) string
}

// Param is one form parameter.
type Param struct{ Name, Value string }

// Outgoing is a request that the box will make. It can be stored as JSON.
type Outgoing struct {
	URL      string  `json:"url"`              // absolute, as configured, with fragment
	Method   string  `json:"method"`           // GET or POST
	Params   []Param `json:"params,omitempty"` // form body, or query when GET
	JSON     []byte  `json:"json,omitempty"`   // body instead of Params
	Username string  `json:"username,omitempty"`
	Password string  `json:"password,omitempty"`
	// Account and API say whose secret signs it, at the moment it is sent.
	Account string `json:"account"`
	API     string `json:"api"`
	// Name is that of the hook, for applications that know it by that; see call.Hook.
	Name string `json:"name,omitempty"`
	// Token is the same on every attempt, so that receivers can drop repeats.
	Token string `json:"token,omitempty"`
	// Trace is the trace that the request belongs to, as the header b3 writes it (B3
	// Propagation, single header); empty: that header is not sent.
	Trace string `json:"trace,omitempty"`
	// Call is the id of the call whose document the answer replaces if it holds
	// verbs. Empty: nobody looks at the answer's content.
	Call string `json:"call,omitempty"`
	// Text is the id of the text message that the answer may hold replies to.
	Text string `json:"text,omitempty"`
	// Fallback is sent at once when this gets no answer, or none that can be read.
	Fallback *Outgoing `json:"fallback,omitempty"`
}

// TextDialect is a Dialect whose applications are told of text messages.
type TextDialect interface {
	// TextRequest asks h what to do about a message that has arrived. The answer is a
	// document, whose messages are replies.
	TextRequest(h call.Hook, m call.Message) Outgoing
	// TextCallback gives the messages that the status of m owes to its hook.
	TextCallback(m call.Message) []Outgoing
}

// StreamDialect is a Dialect whose applications take the sound of calls.
type StreamDialect interface {
	// OpenStream says how the application of s is met.
	OpenStream(s call.Stream, rec call.Record) StreamOpening
}

// StreamOpening is how an application is met that takes the sound of a call.
type StreamOpening struct {
	Account      string   // the account's id as the application knows it
	Version      string   // of the protocol of media messages
	KeyLengths   bool     // keys are told with their length
	Signed       bool     // Sign makes a header of the request, which has no parameters
	Subprotocols []string // RFC 6455 §1.9, of which the application may choose one
	// Hello is the first message to an application that takes bare samples instead
	// of media messages; nil: media messages.
	Hello []byte
}
