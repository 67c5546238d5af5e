package twilio

import (
	"net/http"
	"strings"

	"callbox/api"
	"callbox/api/laml"
)

// Name is the dialect's name in call.Request.API and call.Record.API.
const Name = "twilio"

// version is the API's version, which is also the first part of its paths.
const version = "2010-04-01"

// New makes the dialect.
func New(c laml.Config) *laml.Dialect {
	return laml.New(laml.Profile{
		Name:            Name,
		Version:         version,
		Bases:           []string{"/" + version},
		Realm:           "Twilio API",
		SignatureHeader: "X-Twilio-Signature",
		CreatedStatus:   201,
		Claims:          func(account string) bool { return strings.HasPrefix(account, "AC") },
		NewID:           laml.NewSid,
		Formats:         laml.Formats{Root: "TwilioResponse", BareSound: true},
		Tables: laml.Tables{
			Create: createParams, Update: updateParams, List: listParams, ListRecordings: listRecordingParams,
			Application: laml.ApplicationParams(0), Key: laml.KeyParams(),
			Number: laml.NumberParams(0, laml.IsSid("AP"), "AP and 32 hex digits"),
		},
		Shapes: laml.Shapes{
			Call: renderCall, Recording: renderRecording, Account: renderAccount, Error: renderError,
			Application: func(a api.Application) any { return laml.NewApplicationJSON(a, version, accountPath(a.Account)) },
			Number: func(n api.Number, trunk string) any {
				return laml.NewNumberJSON(n, version, accountPath(n.Account), trunk)
			},
			Key: func(k api.Key) any { return laml.NewKeyJSON(k) },
		},
	}, c)
}

// renderError writes an error. The cloud has no codes of its own for paging.
func renderError(p *laml.Problem, r *http.Request) laml.Answer {
	if p.Code == laml.CodePageAlone || p.Code == laml.CodePageToken {
		q := *p
		q.Code, p = laml.CodeInvalid, &q
	}
	return laml.FlatError("https://www.twilio.com/docs/errors/")(p, r)
}

// Values of parameters.
var (
	callEvents      = []string{"initiated", "ringing", "answered", "completed"}
	recordingEvents = []string{"in-progress", "completed", "absent"}
	statuses        = []string{"queued", "ringing", "in-progress", "completed", "busy", "failed", "no-answer", "canceled"}
)

// createParams are the parameters of Create Call (call-api.md §1.4), in the
// order in which their problems are told.
var createParams = []laml.Param{
	{Name: "To", Kind: laml.Text, Max: 2048, Code: laml.CodeTo, Required: laml.CodeNoTo},
	{Name: "From", Kind: laml.Text, Max: 2048, Code: laml.CodeFrom, Required: laml.CodeNoFrom},
	{Name: "ApplicationSid", Kind: laml.Match, Pattern: laml.IsSid("AP"), Hint: "AP and 32 hex digits", Code: laml.CodeApplication},
	{Name: "Url", Kind: laml.Link, Code: laml.CodeURL},
	{Name: "Twiml", Kind: laml.Text, Max: 4000, Code: laml.CodeTwimlLong},
	{Name: "Method", Kind: laml.Verb},
	{Name: "FallbackUrl", Kind: laml.Link},
	{Name: "FallbackMethod", Kind: laml.Verb},
	{Name: "StatusCallback", Kind: laml.Link},
	{Name: "StatusCallbackEvent", Kind: laml.Choices, Enum: callEvents},
	{Name: "StatusCallbackMethod", Kind: laml.Verb},
	{Name: "SendDigits", Kind: laml.Match, Pattern: laml.IsDigits, Hint: "made of at most 32 of 0-9 # * A-D w W", Code: laml.CodeSendDigits},
	{Name: "Timeout", Kind: laml.Integer, Min: 1, Max: 600, Code: laml.CodeTimeout},
	{Name: "TimeLimit", Kind: laml.Integer, Min: 1, Max: 14400},
	{Name: "CallerId", Kind: laml.Text, Max: 512, Code: laml.CodeFrom},
	{Name: "CallReason", Kind: laml.Text, Max: 50},
	{Name: "CallToken", Kind: laml.Text, Max: 4096},
	{Name: "Byoc", Kind: laml.Match, Pattern: laml.IsSid("BY"), Hint: "BY and 32 hex digits"},
	{Name: "Record", Kind: laml.Bool},
	{Name: "RecordingChannels", Kind: laml.Choice, Enum: []string{"mono", "dual"}},
	{Name: "RecordingTrack", Kind: laml.Choice, Enum: []string{"inbound", "outbound", "both"}},
	{Name: "RecordingStatusCallback", Kind: laml.Link},
	{Name: "RecordingStatusCallbackMethod", Kind: laml.Verb},
	{Name: "RecordingStatusCallbackEvent", Kind: laml.Choices, Enum: recordingEvents},
	{Name: "Trim", Kind: laml.Choice, Enum: []string{"trim-silence", "do-not-trim"}},
	{Name: "SipAuthUsername", Kind: laml.Text, Max: 255, Code: laml.CodeUserLong},
	{Name: "SipAuthPassword", Kind: laml.Text, Max: 255, Code: laml.CodePasswordLong},
	{Name: "MachineDetection", Kind: laml.Choice, Enum: []string{"Enable", "DetectMessageEnd"}, Code: laml.CodeAMD},
	{Name: "MachineDetectionTimeout", Kind: laml.Integer, Min: 3, Max: 59, Code: laml.CodeAMD},
	{Name: "MachineDetectionSpeechThreshold", Kind: laml.Integer, Min: 1000, Max: 6000, Code: laml.CodeAMD},
	{Name: "MachineDetectionSpeechEndThreshold", Kind: laml.Integer, Min: 500, Max: 5000, Code: laml.CodeAMD},
	{Name: "MachineDetectionSilenceTimeout", Kind: laml.Integer, Min: 2000, Max: 10000, Code: laml.CodeAMD},
	{Name: "AsyncAmd", Kind: laml.Bool, Code: laml.CodeAMD},
	{Name: "AsyncAmdStatusCallback", Kind: laml.Link},
	{Name: "AsyncAmdStatusCallbackMethod", Kind: laml.Verb},
	{Name: "ClientNotificationUrl", Kind: laml.Ignored},
	{Name: "RecordingConfigurationId", Kind: laml.Ignored},
	{Name: "Passports", Kind: laml.Ignored},
}

// updateParams are the parameters of a change of a call (§2.3).
var updateParams = []laml.Param{
	{Name: "Status", Kind: laml.Choice, Enum: []string{"canceled", "completed"}},
	{Name: "Url", Kind: laml.Link, Code: laml.CodeURL},
	{Name: "Twiml", Kind: laml.Text, Max: 4000, Code: laml.CodeTwimlLong},
	{Name: "Method", Kind: laml.Verb},
	{Name: "FallbackUrl", Kind: laml.Link},
	{Name: "FallbackMethod", Kind: laml.Verb},
	{Name: "StatusCallback", Kind: laml.Link},
	{Name: "StatusCallbackMethod", Kind: laml.Verb},
	{Name: "TimeLimit", Kind: laml.Integer, Min: 1, Max: 14400},
}

// listParams are the filters of a list of calls (§2.2).
var listParams = laml.WithPaging(
	laml.Param{Name: "To", Kind: laml.Text, Max: 2048},
	laml.Param{Name: "From", Kind: laml.Text, Max: 2048},
	laml.Param{Name: "ParentCallSid", Kind: laml.Text, Max: 64},
	laml.Param{Name: "Status", Kind: laml.Choice, Enum: statuses},
	laml.Param{Name: "StartTime", Kind: laml.Day},
	laml.Param{Name: "StartTime<", Kind: laml.Day},
	laml.Param{Name: "StartTime>", Kind: laml.Day},
	laml.Param{Name: "EndTime", Kind: laml.Day},
	laml.Param{Name: "EndTime<", Kind: laml.Day},
	laml.Param{Name: "EndTime>", Kind: laml.Day},
)

// listRecordingParams are the filters of a list of recordings (§2.4).
var listRecordingParams = laml.WithPaging(
	laml.Param{Name: "CallSid", Kind: laml.Text, Max: 64},
	laml.Param{Name: "DateCreated", Kind: laml.Day},
	laml.Param{Name: "DateCreated<", Kind: laml.Day},
	laml.Param{Name: "DateCreated>", Kind: laml.Day},
	laml.Param{Name: "ConferenceSid", Kind: laml.Text, Max: 64},
	laml.Param{Name: "IncludeSoftDeleted", Kind: laml.Ignored},
)
