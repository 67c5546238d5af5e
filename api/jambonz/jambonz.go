package jambonz

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"callbox/api"
	"callbox/api/jambonz/verbs"
	"callbox/call"
	"callbox/call/script"
)

// Name is the dialect's name.
const Name = "jambonz"

// Config is what the dialect needs to know of the box.
type Config struct {
	// BaseURL gives the address at which others reach the box ("http://192.0.2.7:8080",
	// no slash at the end); nil or empty: not told.
	BaseURL func() string
	// Accounts gives an account's project id; nil: accounts are told by their id.
	Accounts interface {
		Account(id string) (a api.Account, ok bool)
	}
	// Now is the time of signatures and lists; nil: time.Now.
	Now func() time.Time
}

// Dialect is the JSON family. It is immutable and may be used concurrently.
type Dialect struct{ cfg Config }

var (
	_ api.Dialect   = (*Dialect)(nil)
	_ api.KeyHolder = (*Dialect)(nil)
)

// New makes the dialect.
func New(c Config) *Dialect {
	if c.BaseURL == nil {
		c.BaseURL = func() string { return "" }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Dialect{c}
}

// Name is the dialect's name.
func (*Dialect) Name() string { return Name }

// NewID makes a random UUID.
func (*Dialect) NewID(api.IDKind) string { return api.NewUUID() }

// sid is the id by which this dialect's clients know an account.
func (d *Dialect) sid(account string) string {
	if d.cfg.Accounts == nil {
		return account
	}
	if a, ok := d.cfg.Accounts.Account(account); ok && a.Project != "" {
		return a.Project
	}
	return account
}

// Decode reads a document: an array of verbs. What calls itself something
// else than JSON is not looked at, and what is no array holds no verbs (call-api.md §3.5, §6).
func (*Dialect) Decode(body []byte, contentType, url string) (script.Document, error) {
	if contentType != "" && len(body) > 0 && !strings.Contains(strings.ToLower(contentType), "json") {
		kind, _, _ := strings.Cut(contentType, ";")
		return script.Document{URL: url, Warnings: []string{
			"the answer is " + strings.TrimSpace(kind) + ", not application/json, and was not looked at"}}, nil
	}
	return verbs.Decode(body, url)
}

// SigningKey is the account's webhook secret.
func (*Dialect) SigningKey(a api.Account) string {
	if a.WebhookSecret != "" {
		return a.WebhookSecret
	}
	mac := hmac.New(sha256.New, []byte(a.Token))
	mac.Write([]byte("webhook secret"))
	return "wh_secret_" + hex.EncodeToString(mac.Sum(nil)[:16])
}

// Sign gives the header that proves a JSON body, by call-api.md §3.7. A GET has no
// body to prove and is not signed.
func (d *Dialect) Sign(secret string, o api.Outgoing) (name, value string) {
	if o.JSON == nil || o.Method == http.MethodGet {
		return "", ""
	}
	return "Jambonz-Signature", signature(secret, d.cfg.Now(), o.JSON)
}

// signature is the value of the header.
func signature(secret string, now time.Time, body []byte) string {
	t := strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// eventToken is the same for the same event whenever it is made, so that a
// receiver can drop repeats even across a restart of the box. It has the form of
// a UUID, version 8 (RFC 9562 §5.8).
func eventToken(rec call.Record, ev call.Event) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{rec.ID, string(ev.Type), strconv.Itoa(ev.Seq), ev.Note}, "\x00")))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	return api.FormatUUID([16]byte(sum[:]))
}

// traceID is a call's id in tracing, 32 hex digits that follow from its sid.
func traceID(rec call.Record) string {
	sum := traceSum(rec)
	return hex.EncodeToString(sum[:16])
}

// b3 is the trace context of a call's hooks (call-api.md §3.5): its trace, the call's
// own span in it, and that it is sampled. Empty where no call is concerned.
func b3(rec call.Record) string {
	if rec.ID == "" {
		return ""
	}
	sum := traceSum(rec)
	return hex.EncodeToString(sum[:16]) + "-" + hex.EncodeToString(sum[16:24]) + "-1"
}

func traceSum(rec call.Record) [sha256.Size]byte { return sha256.Sum256([]byte("trace " + rec.ID)) }
