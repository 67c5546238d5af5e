package laml

import (
	"net/http"
	"strconv"
	"time"

	"callbox/api"
	"callbox/api/laml/twiml"
	"callbox/call"
	"callbox/call/script"
)

// Profile is one member of the family. All functions are pure.
type Profile struct {
	Name    string // of the dialect, "twilio"
	Version string // "2010-04-01", the value of ApiVersion
	// Bases are the paths before "/Accounts/…"; the first one is in the addresses
	// that the box gives out.
	Bases []string
	Realm string // of WWW-Authenticate
	// SignatureHeader is the name of the header that Sign makes; empty: unsigned.
	SignatureHeader string
	CreatedStatus   int // HTTP status of a successful create
	// Claims reports whether an account id has this dialect's form.
	Claims func(account string) bool
	// AccountID is the id by which this dialect's clients know an account; nil: ID.
	AccountID func(a api.Account) string
	NewID     func(k api.IDKind) string
	// IsConference reports whether an id has the form of a conference's; nil: all
	// may.
	IsConference func(id string) bool

	Formats  Formats
	Tables   Tables
	Shapes   Shapes
	Messages Messages
}

// Formats say in which forms answers are written.
type Formats struct {
	// Date writes a time; nil: as RFC 2822 wants it.
	Date func(t time.Time) string
	// Numbers writes durations as numbers instead of texts.
	Numbers bool
	// Root is the outermost element of XML answers; empty: there is only JSON.
	Root string
	// BareURIs leaves the suffix ".json" out of the addresses in XML.
	BareURIs bool
	// Names are the XML names of JSON keys where they do not follow from them.
	Names map[string]string
	// OmitNull leaves out of JSON what is null.
	OmitNull bool
	// CallToken tells a token with an arriving call, with which it may be forwarded.
	CallToken bool
	// BareSound makes the path of a recording without a suffix mean its sound.
	BareSound bool
	// OpenSound lets anybody fetch the sound of this dialect's recordings who
	// knows its id, an unguessable number of 128 bits.
	OpenSound bool
}

// Tables are the parameters of a dialect's requests.
type Tables struct {
	Create, Update, List, ListRecordings []Param
	// StartRecording and UpdateRecording steer the recordings of a live call,
	// StartStream its streams; nil: this dialect cannot.
	StartRecording, UpdateRecording, StartStream []Param
	// Application, Number and Key are the parameters of what customers set up;
	// nil: this dialect has no such resource. Required counts for creation only.
	Application, Number, Key, CallerID []Param
	// Domain, List and Credential are those of SIP phones.
	Domain, CredentialList, Credential []Param
	Client                             []Param // a SIP phone without a list
	// Message are those of a text message, whose path is MessagePath; empty: Messages.
	Message     []Param
	MessagePath string
	// Participant is of a change of a party of a conference, Invite of a call into
	// one, Queue of a queue. There are conferences if there is their shape.
	Participant, Invite, Queue []Param
	// NumberedPages makes lists go by the number of a page alone, and tell how
	// many there are.
	NumberedPages bool
	// KeepCalls leaves calls without a DELETE.
	KeepCalls bool
	// NumberHeaders lets a phone number in To have headers after a "?".
	NumberHeaders bool
}

// Shapes give the JSON of a dialect's resources; XML follows from it.
type Shapes struct {
	Call        Resource[call.Record]
	Recording   Resource[call.Recording]
	Stream      Resource[call.Stream]
	Account     Resource[api.Account]
	Application Resource[api.Application]
	Number      Resource[api.Number]
	Key         Resource[api.Key]
	CallerID    Resource[api.CallerID]
	Domain      Resource[api.SIPDomain]
	List        Resource[api.CredentialList]
	Credential  Resource[api.User]
	Client      Resource[api.User]
	Message     Resource[call.Message]
	Mapping     Resource[api.CredentialList] // of a credential list to a domain
	Conference  Resource[call.Conference]
	Participant Resource[Party]
	Queue       Resource[call.Queue]
	Member      Resource[call.QueueMember]
	// Bare lists the recordings of one call without an envelope.
	Bare bool
	// Error writes an error: its status, and a body as for [Answer].
	Error func(p *Problem, r *http.Request) Answer
	// ErrorSchema describes the JSON of an error; nil: most errors are plain text.
	ErrorSchema *api.Schema
}

// Answer is what is said to a client.
type Answer struct {
	Status int
	// Element is the XML element around Body; empty: none but the root.
	Element string
	// Body is nil for nothing, a string for plain text, else what encoding/json
	// can write.
	Body any
}

// Messages are what a dialect's messages to applications say. Nil functions
// stand for what most of the family does.
type Messages struct {
	// Common begins every message about a call.
	Common func(f *Form, rec call.Record, status string)
	// Document adds to a request for a document.
	Document func(f *Form, rec call.Record)
	// Statuses are the messages that an event of a call's progress makes.
	Statuses func(ev call.Event) []Status
	// Final adds to the last message of a call.
	Final func(f *Form, ev call.Event)
	// StreamVersion is that of the protocol of media streams; empty: "1.0.0".
	StreamVersion string
	// KeyLengths makes media streams tell how long a key was pressed.
	KeyLengths bool
	// Machine is the message about a verdict of machine detection.
	Machine func(ev call.Event) (h call.Hook, add []api.Param)
}

// Status is the CallStatus of a message and its SequenceNumber.
type Status struct {
	Name string
	Seq  int
}

// Config is what a dialect needs to know of the box.
type Config struct {
	// BaseURL gives the address at which others reach the box ("http://192.0.2.7:8080",
	// no slash at the end). It makes the absolute addresses in callbacks. Nil, or
	// an empty answer: the addresses are relative.
	BaseURL func() string
	// Accounts gives accounts their other ids; nil: they have none.
	Accounts interface {
		Account(id string) (a api.Account, ok bool)
	}
}

// Dialect makes a Profile work. It is immutable and may be used concurrently.
type Dialect struct {
	p      Profile
	cfg    Config
	routes []route
}

var _ api.Dialect = (*Dialect)(nil)

// New makes the dialect of p.
func New(p Profile, c Config) *Dialect {
	if c.BaseURL == nil {
		c.BaseURL = func() string { return "" }
	}
	if p.Messages.Common == nil {
		p.Messages.Common = func(f *Form, rec call.Record, status string) { commonParams(f, rec, status, p.Version) }
	}
	if p.Messages.Document == nil {
		p.Messages.Document = documentParams
	}
	if p.Messages.Statuses == nil {
		p.Messages.Statuses = Statuses
	}
	if p.Messages.Final == nil {
		p.Messages.Final = finalParams
	}
	if p.Messages.Machine == nil {
		p.Messages.Machine = machineParams
	}
	return &Dialect{p: p, cfg: c, routes: routesOf(p)}
}

// Name is the profile's name.
func (d *Dialect) Name() string { return d.p.Name }

// NewID makes a fresh random id.
func (d *Dialect) NewID(k api.IDKind) string { return d.p.NewID(k) }

// Decode reads a document into verbs, see [twiml.Decode].
func (d *Dialect) Decode(body []byte, contentType, url string) (script.Document, error) {
	return twiml.Decode(body, contentType, url)
}

// sid is the id by which this dialect's clients know an account of the box.
func (d *Dialect) sid(account string) string {
	if d.p.AccountID == nil || d.cfg.Accounts == nil {
		return account
	}
	if a, ok := d.cfg.Accounts.Account(account); ok {
		if id := d.p.AccountID(a); id != "" {
			return id
		}
	}
	return account
}

// shown is a call as this dialect's clients see it.
func (d *Dialect) shown(rec call.Record) call.Record {
	rec.Account = d.sid(rec.Account)
	return rec
}

// accountPath is the path of an account's resources, without a slash at the end.
func (d *Dialect) accountPath(account string) string {
	return d.p.Bases[0] + "/Accounts/" + d.sid(account)
}

// recordingURL is the address of a recording's sound below base.
func (d *Dialect) recordingURL(base string, r call.Recording) string {
	u := base + d.accountPath(r.Account) + "/Recordings/" + r.ID
	if !d.p.Formats.BareSound {
		u += ".wav"
	}
	return u
}

// FlatError is the family's usual JSON of an error; info is the address of its
// description, to which the code is appended.
func FlatError(info string) func(*Problem, *http.Request) Answer {
	return func(p *Problem, _ *http.Request) Answer {
		return Answer{p.Status(), "RestException", errorBody{p.Code, p.Message, info + strconv.Itoa(int(p.Code)), p.Status()}}
	}
}

// errorBody is the JSON of a Problem.
type errorBody struct {
	Code     Code   `json:"code"`
	Message  string `json:"message"`
	MoreInfo string `json:"more_info"`
	Status   int    `json:"status"`
}
