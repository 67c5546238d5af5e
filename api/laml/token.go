package laml

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"callbox/call"
)

// A CallToken is told with an arriving call. A call that is created with it may
// show the number of that call's caller, because the call is being forwarded.

// tokenTime is how long after its call arrived a token is good for.
const tokenTime = 24 * time.Hour

// token is what a CallToken says. Its second half is a MAC of the first with the
// account's token.
type token struct {
	Call string `json:"call_sid"`
	From string `json:"from"`
	At   int64  `json:"at"` // seconds since 1970
}

// callToken makes the token of an arriving call; empty when there is nothing to
// sign it with.
func (d *Dialect) callToken(rec call.Record) string {
	if rec.Direction != call.Inbound || rec.From == "" || d.cfg.Accounts == nil {
		return ""
	}
	a, ok := d.cfg.Accounts.Account(rec.Account)
	if !ok || a.Token == "" {
		return ""
	}
	b, err := json.Marshal(token{rec.ID, rec.From, rec.Created.Unix()})
	if err != nil {
		return ""
	}
	body := base64.RawURLEncoding.EncodeToString(b)
	return body + "." + tokenMAC(a.Token, body)
}

func tokenMAC(secret, body string) string {
	m := hmac.New(sha256.New, []byte("call token "+secret))
	m.Write([]byte(body))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// tokenCaller is the caller's number that a CallToken lets an account show now;
// ok is false for a token that is not the account's, or is too old.
func tokenCaller(secret, text string, now time.Time) (from string, ok bool) {
	body, mac, found := strings.Cut(text, ".")
	if !found || secret == "" || !hmac.Equal([]byte(mac), []byte(tokenMAC(secret, body))) {
		return "", false
	}
	b, err := base64.RawURLEncoding.DecodeString(body)
	var t token
	if err != nil || json.Unmarshal(b, &t) != nil || now.Sub(time.Unix(t.At, 0)).Abs() > tokenTime {
		return "", false
	}
	return t.From, true
}
