package restcomm

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"callbox/api"
	"callbox/api/laml"
	"callbox/call"
)

// callJSON is a call as clients see it (call-api.md §1.3). What is null is left
// out of JSON, and an empty element in XML.
type callJSON struct {
	Sid             string       `json:"sid"`
	InstanceID      string       `json:"InstanceId"`
	DateCreated     string       `json:"date_created"`
	DateUpdated     string       `json:"date_updated"`
	ParentCallSid   *string      `json:"parent_call_sid"`
	AccountSid      string       `json:"account_sid"`
	To              string       `json:"to"`
	From            string       `json:"from"`
	PhoneNumberSid  *string      `json:"phone_number_sid"`
	Status          string       `json:"status"`
	StartTime       *string      `json:"start_time"`
	EndTime         *string      `json:"end_time"`
	Duration        *int64       `json:"duration"`
	PriceUnit       string       `json:"price_unit"`
	Direction       string       `json:"direction"`
	AnsweredBy      *string      `json:"answered_by"`
	APIVersion      string       `json:"api_version"`
	ForwardedFrom   *string      `json:"forwarded_from"`
	CallerName      *string      `json:"caller_name"`
	URI             string       `json:"uri"`
	RingDuration    *int64       `json:"ring_duration"`
	SubresourceURIs subresources `json:"subresource_uris"`
}

type subresources struct {
	Notifications string `json:"notifications"`
	Recordings    string `json:"recordings"`
}

// renderCall writes a call.
func renderCall(rec call.Record, _ bool) any {
	path := accountPath(rec.Account) + "/Calls/" + rec.ID
	c := callJSON{
		Sid: rec.ID, InstanceID: instance(rec.Account), DateCreated: date(rec.Created), DateUpdated: date(rec.Updated),
		ParentCallSid: laml.Some(rec.Parent), AccountSid: rec.Account, To: rec.To, From: rec.From, Status: laml.StatusName(rec),
		StartTime: iso(rec.Started), EndTime: iso(rec.Ended), PriceUnit: "USD", Direction: string(rec.Direction),
		AnsweredBy: laml.Some(rec.AnsweredBy), APIVersion: version, ForwardedFrom: laml.Some(rec.Forwarded),
		CallerName: laml.Some(rec.CallerName), URI: path + ".json",
		SubresourceURIs: subresources{path + "/Notifications", path + "/Recordings"},
	}
	if rec.Ended != nil {
		d := laml.Seconds(rec.Duration(*rec.Ended))
		c.Duration = &d
	}
	if rec.Rang != nil {
		until := rec.Answered
		if until == nil {
			until = rec.Ended
		}
		if until != nil {
			d := laml.Seconds(max(until.Sub(*rec.Rang), 0))
			c.RingDuration = &d
		}
	}
	return c
}

// date writes a time as the resources' dates: the day is not padded.
func date(t time.Time) string { return t.UTC().Format("Mon, 2 Jan 2006 15:04:05 -0700") }

// iso writes a time that may be missing in ISO 8601.
func iso(t *time.Time) *string {
	if t == nil {
		return nil
	}
	s := t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	return &s
}

// instance is the id of the box as one machine of the service.
func instance(account string) string {
	sum := sha256.Sum256([]byte("instance " + account))
	return "ID" + hex.EncodeToString(sum[:16])
}

// recordingJSON is a recording as clients see it (§2.4).
type recordingJSON struct {
	Sid         string  `json:"sid"`
	DateCreated string  `json:"date_created"`
	DateUpdated string  `json:"date_updated"`
	AccountSid  string  `json:"account_sid"`
	CallSid     string  `json:"call_sid"`
	Duration    float64 `json:"duration"`
	APIVersion  string  `json:"api_version"`
	URI         string  `json:"uri"`
	FileURI     string  `json:"file_uri"`
}

// renderRecording writes a recording, whose sound is at the address media.
func renderRecording(r call.Recording, media string) any {
	return recordingJSON{
		Sid: r.ID, DateCreated: date(r.Created), DateUpdated: date(r.Updated), AccountSid: r.Account, CallSid: r.Call,
		Duration: r.Duration.Round(10 * time.Millisecond).Seconds(), APIVersion: version,
		URI: accountPath(r.Account) + "/Recordings/" + r.ID + ".json", FileURI: media,
	}
}

// applicationJSON is an application as clients see it (§2.4).
type applicationJSON struct {
	Sid                 string  `json:"sid"`
	DateCreated         *string `json:"date_created"`
	DateUpdated         *string `json:"date_updated"`
	FriendlyName        string  `json:"friendly_name"`
	AccountSid          string  `json:"account_sid"`
	APIVersion          string  `json:"api_version"`
	VoiceCallerIDLookup bool    `json:"voice_caller_id_lookup"`
	URI                 string  `json:"uri"`
	RcmlURL             *string `json:"rcml_url"`
	Kind                string  `json:"kind"`
}

// renderApplication writes an application; there are none but for calls.
func renderApplication(a api.Application) any {
	return applicationJSON{
		Sid: a.ID, DateCreated: some(a.Created), DateUpdated: some(a.Updated), FriendlyName: a.Name, AccountSid: a.Account,
		APIVersion: version, URI: accountPath(a.Account) + "/Applications/" + a.ID + ".json", RcmlURL: laml.Address(a.Script.Main), Kind: "voice",
	}
}

// some is date for a time that may not be known.
func some(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := date(t)
	return &s
}

// accountJSON is an account. Its token is never told.
type accountJSON struct {
	Sid             string       `json:"sid"`
	FriendlyName    string       `json:"friendly_name"`
	Type            string       `json:"type"`
	Status          string       `json:"status"`
	URI             string       `json:"uri"`
	SubresourceURIs accountPaths `json:"subresource_uris"`
}

type accountPaths struct {
	Calls      string `json:"calls"`
	Recordings string `json:"recordings"`
}

// renderAccount writes an account.
func renderAccount(a api.Account) any {
	path := accountPath(a.ID)
	return accountJSON{
		Sid: a.ID, FriendlyName: a.Name, Type: "Full", Status: "active", URI: path + ".json",
		SubresourceURIs: accountPaths{path + "/Calls.json", path + "/Recordings.json"},
	}
}

func accountPath(account string) string { return base + "/Accounts/" + account }
