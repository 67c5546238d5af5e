package signalwire

import (
	"strings"

	"callbox/api"
	"callbox/api/laml"
	"callbox/call"
)

// callJSON is a call as clients see it (call-api.md §1.2): the duration is a
// number, and the formatted numbers stand under both of their names.
type callJSON struct {
	Sid             string            `json:"sid"`
	AccountSid      string            `json:"account_sid"`
	Annotation      *string           `json:"annotation"`
	AnsweredBy      *string           `json:"answered_by"`
	APIVersion      string            `json:"api_version"`
	CallerName      *string           `json:"caller_name"`
	DateCreated     *string           `json:"date_created"`
	DateUpdated     *string           `json:"date_updated"`
	Direction       string            `json:"direction"`
	Duration        int64             `json:"duration"`
	EndTime         *string           `json:"end_time"`
	ForwardedFrom   *string           `json:"forwarded_from"`
	From            string            `json:"from"`
	FormattedFrom   string            `json:"formatted_from"`
	FromFormatted   string            `json:"from_formatted"`
	GroupSid        *string           `json:"group_sid"`
	ParentCallSid   *string           `json:"parent_call_sid"`
	PhoneNumberSid  *string           `json:"phone_number_sid"`
	Price           *float64          `json:"price"`
	PriceUnit       string            `json:"price_unit"`
	SIPResultCode   *string           `json:"sip_result_code"`
	StartTime       *string           `json:"start_time"`
	Status          string            `json:"status"`
	To              string            `json:"to"`
	FormattedTo     string            `json:"formatted_to"`
	ToFormatted     string            `json:"to_formatted"`
	URI             string            `json:"uri"`
	SubresourceURIs map[string]string `json:"subresource_uris"`
}

// renderCall writes a call.
func renderCall(rec call.Record, _ bool) any {
	path := accountPath(rec.Account) + "/Calls/" + rec.ID
	c := callJSON{
		Sid: rec.ID, AccountSid: rec.Account, AnsweredBy: laml.Some(answeredBy(rec.AnsweredBy)), APIVersion: version,
		CallerName: laml.Some(rec.CallerName), DateCreated: laml.Time(&rec.Created), DateUpdated: laml.Time(&rec.Updated),
		Direction: direction(rec.Direction), EndTime: laml.Time(rec.Ended), ForwardedFrom: laml.Some(rec.Forwarded),
		From: rec.From, FormattedFrom: laml.Formatted(rec.From), FromFormatted: laml.Formatted(rec.From),
		ParentCallSid: laml.Some(rec.Parent), PriceUnit: "USD", StartTime: laml.Time(rec.Started),
		Status: laml.StatusName(rec), To: rec.To, FormattedTo: laml.Formatted(rec.To), ToFormatted: laml.Formatted(rec.To),
		URI: path + ".json",
		SubresourceURIs: map[string]string{
			"notifications": path + "/Notifications.json", "recordings": path + "/Recordings.json",
		},
	}
	if rec.Ended != nil {
		c.Duration = laml.Seconds(rec.Duration(*rec.Ended))
		c.SIPResultCode = laml.Some(laml.SIPResult(rec))
	}
	return c
}

// answeredBy is a verdict as the resource tells it: human or machine.
func answeredBy(verdict string) string {
	switch {
	case strings.HasPrefix(verdict, "machine"), verdict == "fax":
		return "machine"
	case verdict == "human":
		return verdict
	}
	return ""
}

// direction is a call's direction as the resource tells it; messages tell more.
func direction(d call.Direction) string {
	if d == call.Inbound {
		return "inbound"
	}
	return "outbound"
}

// recordingJSON is a recording as clients see it.
type recordingJSON struct {
	Sid             string            `json:"sid"`
	AccountSid      string            `json:"account_sid"`
	APIVersion      string            `json:"api_version"`
	CallSid         string            `json:"call_sid"`
	ConferenceSid   *string           `json:"conference_sid"`
	Channels        int               `json:"channels"`
	DateCreated     *string           `json:"date_created"`
	DateUpdated     *string           `json:"date_updated"`
	StartTime       *string           `json:"start_time"`
	Duration        int64             `json:"duration"`
	Price           *float64          `json:"price"`
	PriceUnit       string            `json:"price_unit"`
	Source          string            `json:"source"`
	Status          string            `json:"status"`
	ErrorCode       *int              `json:"error_code"`
	Track           string            `json:"track"`
	MediaURL        string            `json:"media_url"`
	URI             string            `json:"uri"`
	SubresourceURIs map[string]string `json:"subresource_uris"`
}

// renderRecording writes a recording, whose sound is at the address media.
func renderRecording(r call.Recording, media string) any {
	path := accountPath(r.Account) + "/Recordings/" + r.ID
	j := recordingJSON{
		Sid: r.ID, AccountSid: r.Account, APIVersion: version, CallSid: r.Call, Channels: max(r.Channels, 1),
		DateCreated: laml.Time(&r.Created), DateUpdated: laml.Time(&r.Updated), StartTime: laml.Time(&r.Started),
		Duration: laml.Seconds(r.Duration), PriceUnit: "USD", Source: r.Source, Status: r.Status, Track: string(r.Track),
		MediaURL: media, URI: path + ".json",
		SubresourceURIs: map[string]string{"transcriptions": path + "/Transcriptions.json"},
	}
	if r.Status == "absent" {
		code := failedCode
		j.ErrorCode = &code
	}
	return j
}

// failedCode is the error_code of a recording that could not be kept (§1.5).
const failedCode = 12400

// accountJSON is a project. Its token is never told.
type accountJSON struct {
	Sid             string            `json:"sid"`
	FriendlyName    string            `json:"friendly_name"`
	Status          string            `json:"status"`
	Type            string            `json:"type"`
	DateCreated     *string           `json:"date_created"`
	DateUpdated     *string           `json:"date_updated"`
	URI             string            `json:"uri"`
	SubresourceURIs map[string]string `json:"subresource_uris"`
}

// renderAccount writes a project.
func renderAccount(a api.Account) any {
	path := accountPath(a.ID)
	return accountJSON{
		Sid: a.ID, FriendlyName: a.Name, Status: "active", Type: "Full", URI: path + ".json",
		SubresourceURIs: map[string]string{"calls": path + "/Calls.json", "recordings": path + "/Recordings.json"},
	}
}

func accountPath(account string) string { return base + "/Accounts/" + account }
