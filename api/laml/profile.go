package laml

import (
	"strconv"
	"strings"
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
	Base    string // path before "/Accounts/…", "/2010-04-01"
	Realm   string // of WWW-Authenticate
	// MoreInfo is the address of the errors' descriptions; the code is appended.
	MoreInfo string
	// SignatureHeader is the name of the header that Sign makes; empty: unsigned.
	SignatureHeader string
	CreatedStatus   int // HTTP status of a successful create
	// Claims reports whether an account id has this dialect's form.
	Claims func(account string) bool
	NewID  func(k api.IDKind) string

	Create, Update, List, ListRecordings []Param

	// Call, Recording and Account give the JSON of a resource. created tells the
	// answer to a create; media is the absolute address of the sound.
	Call      func(rec call.Record, created bool) any
	Recording func(r call.Recording, media string) any
	Account   func(a api.Account) any
}

// Config is what a dialect needs to know of the box.
type Config struct {
	// BaseURL gives the address at which others reach the box ("http://192.0.2.7:8080",
	// no slash at the end). It makes the absolute addresses in callbacks. Nil, or
	// an empty answer: the addresses are relative.
	BaseURL func() string
}

// Dialect makes a Profile work. It is immutable and may be used concurrently.
type Dialect struct {
	p    Profile
	base func() string
}

var _ api.Dialect = (*Dialect)(nil)

// New makes the dialect of p.
func New(p Profile, c Config) *Dialect {
	if c.BaseURL == nil {
		c.BaseURL = func() string { return "" }
	}
	return &Dialect{p: p, base: c.BaseURL}
}

// Name is the profile's name.
func (d *Dialect) Name() string { return d.p.Name }

// NewID makes a fresh random id.
func (d *Dialect) NewID(k api.IDKind) string { return d.p.NewID(k) }

// Decode reads a document into verbs, see [twiml.Decode].
func (d *Dialect) Decode(body []byte, contentType, url string) (script.Document, error) {
	return twiml.Decode(body, contentType, url)
}

// accountPath is the path of an account's resources, without a slash at the end.
func (d *Dialect) accountPath(account string) string {
	return d.p.Base + "/Accounts/" + account
}

// recordingURL is the address of a recording's sound below base.
func (d *Dialect) recordingURL(base string, r call.Recording) string {
	return base + d.accountPath(r.Account) + "/Recordings/" + r.ID
}

// The pieces that the profiles build their JSON of.

// RFC2822 writes a time as the family does, in UTC.
func RFC2822(t time.Time) string { return t.UTC().Format("Mon, 02 Jan 2006 15:04:05 +0000") }

// Time writes a time that may be missing.
func Time(t *time.Time) *string {
	if t == nil || t.IsZero() {
		return nil
	}
	s := RFC2822(*t)
	return &s
}

// Some is nil for an empty string.
func Some(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// WholeSeconds writes a duration in seconds, rounded to the nearest.
func WholeSeconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second/2)/time.Second), 10)
}

// StatusName is the status of a call as the family calls it: an attempt that
// has not rung yet is queued, an arriving call that is being looked at rings.
func StatusName(rec call.Record) string {
	if rec.State != call.Dialing {
		return rec.State.String()
	}
	if rec.Direction == call.Inbound {
		return call.Ringing.String()
	}
	return call.Queued.String()
}

// Formatted is a number for display: North American numbers in the national
// style, everything else as it is.
func Formatted(s string) string {
	n, ok := strings.CutPrefix(s, "+1")
	if !ok || len(n) != 10 || strings.Trim(n, "0123456789") != "" {
		return s
	}
	return "(" + n[:3] + ") " + n[3:6] + "-" + n[6:]
}
