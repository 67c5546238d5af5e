package signalwire

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strconv"

	"callbox/api"
	"callbox/api/laml"
)

// Name is the dialect's name in call.Request.API and call.Record.API.
const Name = "signalwire"

const (
	version = "2010-04-01"
	base    = "/api/laml/" + version
	// moreInfo is where the vendor describes the codes.
	moreInfo = "https://developer.signalwire.com/rest/compatibility-api/error-codes"
)

// New makes the dialect.
func New(c laml.Config) *laml.Dialect {
	return laml.New(laml.Profile{
		Name:            Name,
		Version:         version,
		Bases:           []string{base, "/" + version},
		Realm:           "SignalWire LaML API",
		SignatureHeader: "X-SignalWire-Signature",
		CreatedStatus:   http.StatusOK,
		Claims:          laml.IsUUID,
		AccountID:       func(a api.Account) string { return a.Project },
		NewID:           func(api.IDKind) string { return newUUID() },
		Tables: laml.Tables{
			Create: createParams, Update: updateParams, List: listParams, ListRecordings: listRecordingParams,
			Application: laml.ApplicationParams(codeURL), Number: laml.NumberParams(codeURL, isApplication, "a UUID"),
		},
		Shapes: laml.Shapes{
			Call: renderCall, Recording: renderRecording, Account: renderAccount, Error: renderError,
			Application: func(a api.Application) any { return laml.NewApplicationJSON(a, version, accountPath(a.Account)) },
			Number: func(n api.Number, trunk string) any {
				return laml.NewNumberJSON(n, version, accountPath(n.Account), trunk)
			},
		},
		Messages: laml.Messages{Statuses: statuses, Final: final},
	}, c)
}

// newUUID makes a random UUID, version 4 (RFC 9562 §5.4).
func newUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand since Go 1.24)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// codeInvalid is the vendor's code of an argument that is blank or invalid.
const codeInvalid laml.Code = 10000

// codeURL is the vendor's code of a bad address besides that of the script.
const codeURL laml.Code = 21402

// errorJSON is an error in both of its shapes.
type errorJSON struct {
	Code     laml.Code   `json:"code"`
	Message  string      `json:"message"`
	MoreInfo string      `json:"more_info"`
	Status   int         `json:"status"`
	Errors   []errorItem `json:"errors"`
}

type errorItem struct {
	Code     string `json:"code"`
	Message  string `json:"message"`
	MoreInfo string `json:"more_info"`
}

// renderError writes an error.
func renderError(p *laml.Problem, _ *http.Request) laml.Answer {
	code := p.Code
	if code == laml.CodeInvalid {
		code = codeInvalid
	}
	return laml.Answer{Status: p.Status(), Body: errorJSON{code, p.Message, moreInfo, p.Status(),
		[]errorItem{{strconv.Itoa(int(code)), p.Message, moreInfo}}}}
}

// Values of parameters.
var (
	callEvents      = []string{"initiated", "ringing", "answered", "completed", "ringing_forwarded", "ringing_queued"}
	recordingEvents = []string{"in-progress", "completed", "absent"}
	callStatuses    = []string{"queued", "ringing", "in-progress", "completed", "busy", "failed", "no-answer", "canceled"}
)

// isApplication accepts an application made by this API or by its neighbours.
func isApplication(s string) bool { return laml.IsUUID(s) || laml.IsSid("AP")(s) }

// createParams are the parameters of Create Call (call-api.md §1.2), in the
// order in which their problems are told.
var createParams = []laml.Param{
	{Name: "To", Kind: laml.Text, Max: 2048, Code: laml.CodeTo, Required: laml.CodeNoTo},
	{Name: "From", Kind: laml.Text, Max: 2048, Code: laml.CodeFrom, Required: laml.CodeNoFrom},
	{Name: "ApplicationSid", Kind: laml.Match, Pattern: isApplication, Hint: "a UUID", Code: laml.CodeApplication},
	{Name: "Url", Kind: laml.Link, Code: laml.CodeURL},
	{Name: "Laml", As: "Twiml", Kind: laml.Text, Max: 4000},
	{Name: "Twiml", Kind: laml.Text, Max: 4000},
	{Name: "Method", Kind: laml.Verb},
	{Name: "FallbackUrl", Kind: laml.Link, Code: codeURL},
	{Name: "FallbackMethod", Kind: laml.Verb},
	{Name: "StatusCallback", Kind: laml.Link, Code: codeURL},
	{Name: "StatusCallbackEvent", Kind: laml.Choices, Enum: callEvents},
	{Name: "StatusCallbackMethod", Kind: laml.Verb},
	{Name: "CallerId", Kind: laml.Text, Max: 512, Code: laml.CodeFrom},
	{Name: "SendDigits", Kind: laml.Match, Pattern: laml.IsDigits, Hint: "made of at most 32 of 0-9 # * A-D w W"},
	{Name: "Timeout", Kind: laml.Integer, Min: 1, Max: 600, Code: laml.CodeTimeout},
	{Name: "Record", Kind: laml.Bool},
	{Name: "RecordingChannels", Kind: laml.Choice, Enum: []string{"mono", "dual"}},
	{Name: "RecordingTrack", Kind: laml.Choice, Enum: []string{"inbound", "outbound", "both"}},
	{Name: "RecordingStatusCallback", Kind: laml.Link, Code: codeURL},
	{Name: "RecordingStatusCallbackMethod", Kind: laml.Verb},
	{Name: "RecordingStatusCallbackEvent", Kind: laml.Choices, Enum: recordingEvents},
	{Name: "Trim", Kind: laml.Choice, Enum: []string{"trim-silence", "do-not-trim"}},
	{Name: "SipAuthUsername", Kind: laml.Text, Max: 255},
	{Name: "SipAuthPassword", Kind: laml.Text, Max: 255},
	{Name: "MachineDetection", Kind: laml.Choice, Enum: []string{"Enable", "DetectMessageEnd", "none"}, Code: laml.CodeAMD},
	{Name: "MachineDetectionTimeout", Kind: laml.Integer, Min: 1, Max: 120, Code: laml.CodeAMD},
	{Name: "MachineDetectionSpeechThreshold", Kind: laml.Integer, Min: 1000, Max: 6000, Code: laml.CodeAMD},
	{Name: "MachineDetectionSpeechEndThreshold", Kind: laml.Integer, Min: 500, Max: 5000, Code: laml.CodeAMD},
	{Name: "MachineDetectionSilenceTimeout", Kind: laml.Integer, Min: 2000, Max: 10000, Code: laml.CodeAMD},
	{Name: "MachineWordsThreshold", Kind: laml.Integer, Min: 1, Max: 100, Default: 6, Code: laml.CodeAMD},
	{Name: "AsyncAmd", Kind: laml.Bool, Code: laml.CodeAMD},
	{Name: "AsyncAmdPartialResults", Kind: laml.Bool, Code: laml.CodeAMD},
	{Name: "AsyncAmdStatusCallback", Kind: laml.Link, Code: codeURL},
	{Name: "AsyncAmdStatusCallbackMethod", Kind: laml.Verb},
	{Name: "MaxPricePerMinute", Kind: laml.Text, Max: 20},
}

// updateParams are the parameters of a change of a call (§2.3).
var updateParams = []laml.Param{
	{Name: "Status", Kind: laml.Choice, Enum: []string{"canceled", "completed"}},
	{Name: "Url", Kind: laml.Link, Code: laml.CodeURL},
	{Name: "Method", Kind: laml.Verb},
	{Name: "FallbackUrl", Kind: laml.Link, Code: codeURL},
	{Name: "FallbackMethod", Kind: laml.Verb},
	{Name: "StatusCallback", Kind: laml.Link, Code: codeURL},
	{Name: "StatusCallbackMethod", Kind: laml.Verb},
}

// listParams are the filters of a list of calls (§2.2).
var listParams = laml.WithPaging(
	laml.Param{Name: "To", Kind: laml.Text, Max: 2048},
	laml.Param{Name: "From", Kind: laml.Text, Max: 2048},
	laml.Param{Name: "ParentCallSid", Kind: laml.Text, Max: 64},
	laml.Param{Name: "Status", Kind: laml.Choice, Enum: callStatuses},
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
)
