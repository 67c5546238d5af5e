package restcomm

import (
	"errors"
	"net/http"
	"strings"

	"callbox/api"
	"callbox/api/laml"
	"callbox/call"
)

// Name is the dialect's name in call.Request.API and call.Record.API.
const Name = "restcomm"

const (
	version = "2012-04-24"
	base    = "/call/" + version
)

// New makes the dialect.
func New(c laml.Config) *laml.Dialect {
	return laml.New(laml.Profile{
		Name:          Name,
		Version:       version,
		Bases:         []string{base, "/restcomm/" + version},
		Realm:         "Restcomm realm",
		CreatedStatus: http.StatusOK,
		Claims:        func(account string) bool { return strings.HasPrefix(account, "AC") },
		NewID:         laml.NewSid,
		Formats: laml.Formats{
			Root: "RestcommResponse", Names: map[string]string{"ring_duration": "Ring_duration"}, OmitNull: true, OpenSound: true, Date: date, Numbers: true,
		},
		Tables: laml.Tables{
			Create: createParams, Update: updateParams, List: listParams, ListRecordings: listRecordingParams,
			StartRecording: laml.StartRecordingParams(0), UpdateRecording: laml.UpdateRecordingParams(),
			Application: applicationParams, Number: numberParams, Client: clientParams, Participant: participantParams, Message: laml.MessageParams(), MessagePath: "SMS/Messages",
			NumberedPages: true, KeepCalls: true, NumberHeaders: true,
		},
		Shapes: shapes,
		Messages: laml.Messages{
			Common: common, Document: document, Statuses: statuses, Final: final, Machine: machine,
		},
	}, c)
}

// message is the error of something that is not the client's fault.
type message struct {
	Message string `json:"message"`
}

// renderError writes an error (call-api.md §1.3, §2.3): sentences as plain text
// for what the client did wrong, nothing for what is not there.
func renderError(p *laml.Problem, r *http.Request) laml.Answer {
	switch {
	case errors.Is(p, call.ErrNotFound) && r.Method == http.MethodPost:
		return laml.Answer{Status: http.StatusNotAcceptable, Body: p.Message}
	case errors.Is(p, call.ErrEnded):
		return laml.Answer{Status: http.StatusGone, Body: p.Message}
	case errors.Is(p, call.ErrWrongState), errors.Is(p, laml.ErrNothing):
		return laml.Answer{Status: http.StatusConflict, Body: p.Message}
	case p.Status() == http.StatusNotFound && !errors.Is(p, api.ErrNotRecorded):
		return laml.Answer{Status: http.StatusNotFound}
	case p.Status() >= 500, p.Status() == http.StatusTooManyRequests:
		return laml.Answer{Status: p.Status(), Body: message{p.Message}}
	}
	return laml.Answer{Status: p.Status(), Body: p.Message}
}

// createParams are the parameters of a call (call-api.md §1.3), in the order in
// which their problems are told.
var createParams = []laml.Param{
	{Name: "From", Kind: laml.Text, Max: 2048, Code: laml.CodeFrom, Required: laml.CodeNoFrom},
	{Name: "To", Kind: laml.Text, Max: 2048, Code: laml.CodeTo, Required: laml.CodeNoTo},
	{Name: "Url", Kind: laml.Link, Code: laml.CodeURL, Required: laml.CodeURL},
	{Name: "Method", Kind: laml.Verb},
	{Name: "FallbackUrl", Kind: laml.Link},
	{Name: "FallbackMethod", Kind: laml.Verb},
	{Name: "StatusCallback", Kind: laml.Link},
	{Name: "StatusCallbackMethod", Kind: laml.Verb},
	{Name: "StatusCallbackEvent", Kind: laml.Choices, Enum: laml.CallEvents},
	{Name: "Timeout", Kind: laml.Integer, Min: 1, Max: 600, Code: laml.CodeTimeout},
	{Name: "DetectVoicemail", Kind: laml.Bool},
	{Name: "Username", As: "SipAuthUsername", Kind: laml.Text, Max: 255, Code: laml.CodeUserLong},
	{Name: "Password", As: "SipAuthPassword", Kind: laml.Text, Max: 255, Code: laml.CodePasswordLong},
}

// updateParams are the parameters of a change of a call (§2.3).
var updateParams = laml.With(laml.UpdateParams(0),
	laml.Param{Name: "Mute", Kind: laml.Bool},
	laml.Param{Name: "MoveConnectedCallLeg", Kind: laml.Bool},
)

// listParams are the filters of a list of calls (§2.2), newest first unless SortBy
// says otherwise.
var listParams = laml.With(laml.ListParams(),
	laml.Param{Name: "ConferenceSid", Kind: laml.Text, Max: 64},
	laml.Param{Name: "SubAccounts", Kind: laml.Ignored},
	laml.Param{Name: "localOnly", Kind: laml.Ignored},
	laml.Param{Name: "Reverse", Kind: laml.Ignored},
	laml.Param{Name: "SortBy", Kind: laml.Match, Pattern: laml.IsOrder, Hint: "DateCreated, From, To, Direction, Status, Duration or Price, with :asc or :desc behind it"},
)

// listRecordingParams are the filters of a list of recordings.
var listRecordingParams = laml.WithPaging(
	laml.Param{Name: "CallSid", Kind: laml.Text, Max: 64},
	laml.Param{Name: "StartTime", As: "DateCreated>", Kind: laml.Day},
	laml.Param{Name: "EndTime", As: "DateCreated<", Kind: laml.Day},
	laml.Param{Name: "SortBy", Kind: laml.Ignored},
)

// applicationParams are the parameters of an application (§2.4).
var applicationParams = []laml.Param{
	{Name: "FriendlyName", Kind: laml.Text, Max: 64, Required: laml.CodeInvalid},
	{Name: "RcmlUrl", As: "VoiceUrl", Kind: laml.Link},
	{Name: "Kind", Kind: laml.Choice, Enum: []string{"voice"}},
	{Name: "ApiVersion", Kind: laml.Ignored},
	{Name: "VoiceCallerIdLookup", Kind: laml.Ignored},
	{Name: "HasVoiceCallerIdLookup", Kind: laml.Ignored},
}

// numberParams are the parameters of a number.
var numberParams = laml.NumberParams(0)

// clientParams are the parameters of a client, a SIP phone that registers.
var clientParams = laml.ClientParams()

// participantParams are the parameters of a change of a conference's participant.
var participantParams = []laml.Param{
	{Name: "Mute", As: "Muted", Kind: laml.Bool, Required: laml.CodeInvalid},
}
