package twilio

import (
	"strconv"

	"callbox/api"
	"callbox/api/laml"
	"callbox/call"
)

// callJSON is a call as clients see it (call-api.md §1.4). Every number in it is
// a string, and what is not known is null.
type callJSON struct {
	Sid             string            `json:"sid"`
	DateCreated     *string           `json:"date_created"`
	DateUpdated     *string           `json:"date_updated"`
	ParentCallSid   *string           `json:"parent_call_sid"`
	AccountSid      string            `json:"account_sid"`
	To              string            `json:"to"`
	ToFormatted     string            `json:"to_formatted"`
	From            string            `json:"from"`
	FromFormatted   string            `json:"from_formatted"`
	PhoneNumberSid  *string           `json:"phone_number_sid"`
	Status          string            `json:"status"`
	StartTime       *string           `json:"start_time"`
	EndTime         *string           `json:"end_time"`
	Duration        *string           `json:"duration"`
	Price           *string           `json:"price"`
	PriceUnit       string            `json:"price_unit"`
	Direction       string            `json:"direction"`
	AnsweredBy      *string           `json:"answered_by"`
	Annotation      *string           `json:"annotation"`
	APIVersion      string            `json:"api_version"`
	ForwardedFrom   *string           `json:"forwarded_from"`
	GroupSid        *string           `json:"group_sid"`
	CallerName      *string           `json:"caller_name"`
	QueueTime       string            `json:"queue_time"`
	TrunkSid        *string           `json:"trunk_sid"`
	URI             string            `json:"uri"`
	SubresourceURIs map[string]string `json:"subresource_uris"`
}

// callSubresources are the names below a call, as keys and as they stand in paths.
var callSubresources = map[string]string{
	"events": "Events", "notifications": "Notifications", "payments": "Payments",
	"recordings": "Recordings", "siprec": "Siprec", "streams": "Streams",
	"transcriptions":                     "Transcriptions",
	"user_defined_message_subscriptions": "UserDefinedMessageSubscriptions",
	"user_defined_messages":              "UserDefinedMessages",
}

// renderCall writes a call. The answer to a create has no dates yet.
func renderCall(rec call.Record, created bool) any {
	path := accountPath(rec.Account) + "/Calls/" + rec.ID
	c := callJSON{
		Sid: rec.ID, ParentCallSid: laml.Some(rec.Parent), AccountSid: rec.Account,
		To: rec.To, ToFormatted: laml.Formatted(rec.To),
		From: rec.From, FromFormatted: laml.Formatted(rec.From),
		Status:    laml.StatusName(rec),
		StartTime: laml.Time(rec.Started), EndTime: laml.Time(rec.Ended),
		PriceUnit: "USD", Direction: string(rec.Direction), AnsweredBy: laml.Some(rec.AnsweredBy),
		APIVersion: version, ForwardedFrom: laml.Some(rec.Forwarded), CallerName: laml.Some(rec.CallerName),
		QueueTime: "0", URI: path + ".json", SubresourceURIs: subresources(path, callSubresources),
	}
	if !created || rec.State != call.Queued {
		c.DateCreated, c.DateUpdated = laml.Time(&rec.Created), laml.Time(&rec.Updated)
	}
	if rec.Started != nil {
		c.QueueTime = strconv.FormatInt(max(rec.Started.Sub(rec.Created), 0).Milliseconds(), 10)
	}
	if rec.Ended != nil {
		d := laml.WholeSeconds(rec.Duration(*rec.Ended))
		c.Duration = &d
	}
	return c
}

// recordingJSON is a recording as clients see it (§2.4).
type recordingJSON struct {
	AccountSid        string            `json:"account_sid"`
	APIVersion        string            `json:"api_version"`
	CallSid           string            `json:"call_sid"`
	ConferenceSid     *string           `json:"conference_sid"`
	Channels          int               `json:"channels"`
	DateCreated       *string           `json:"date_created"`
	DateUpdated       *string           `json:"date_updated"`
	StartTime         *string           `json:"start_time"`
	Duration          *string           `json:"duration"`
	Sid               string            `json:"sid"`
	Price             *string           `json:"price"`
	PriceUnit         string            `json:"price_unit"`
	Status            string            `json:"status"`
	Source            string            `json:"source"`
	ErrorCode         *int              `json:"error_code"`
	Track             string            `json:"track"`
	MediaURL          string            `json:"media_url"`
	EncryptionDetails *string           `json:"encryption_details"`
	URI               string            `json:"uri"`
	SubresourceURIs   map[string]string `json:"subresource_uris"`
}

// renderRecording writes a recording, whose sound is at the address media.
func renderRecording(r call.Recording, media string) any {
	path := accountPath(r.Account) + "/Recordings/" + r.ID
	j := recordingJSON{
		AccountSid: r.Account, APIVersion: version, CallSid: r.Call, Channels: max(r.Channels, 1),
		DateCreated: laml.Time(&r.Created), DateUpdated: laml.Time(&r.Updated), StartTime: laml.Time(&r.Started),
		Sid: r.ID, PriceUnit: "USD", Status: r.Status, Source: r.Source, Track: string(r.Track),
		MediaURL: media, URI: path + ".json",
		SubresourceURIs: subresources(path, map[string]string{
			"add_on_results": "AddOnResults", "transcriptions": "Transcriptions",
		}),
	}
	switch r.Status {
	case "completed":
		d := laml.WholeSeconds(r.Duration)
		j.Duration = &d
	case "absent":
		code := failedCode
		j.ErrorCode = &code
	}
	return j
}

// failedCode is the error_code of a recording that could not be kept: an
// internal failure (§1.5).
const failedCode = 12400

// accountJSON is an account. Its secret is never told.
type accountJSON struct {
	Sid             string            `json:"sid"`
	FriendlyName    string            `json:"friendly_name"`
	Status          string            `json:"status"`
	Type            string            `json:"type"`
	OwnerAccountSid string            `json:"owner_account_sid"`
	DateCreated     *string           `json:"date_created"`
	DateUpdated     *string           `json:"date_updated"`
	URI             string            `json:"uri"`
	SubresourceURIs map[string]string `json:"subresource_uris"`
}

// renderAccount writes an account.
func renderAccount(a api.Account) any {
	path := accountPath(a.ID)
	return accountJSON{
		Sid: a.ID, FriendlyName: a.Name, Status: "active", Type: "Full", OwnerAccountSid: a.ID,
		URI: path + ".json",
		SubresourceURIs: subresources(path, map[string]string{
			"calls": "Calls", "recordings": "Recordings", "applications": "Applications",
			"incoming_phone_numbers": "IncomingPhoneNumbers", "keys": "Keys", "signing_keys": "SigningKeys",
		}),
	}
}

func accountPath(account string) string {
	return "/" + version + "/Accounts/" + account
}

// subresources are the addresses of what is below path.
func subresources(path string, names map[string]string) map[string]string {
	m := make(map[string]string, len(names))
	for key, name := range names {
		m[key] = path + "/" + name + ".json"
	}
	return m
}
