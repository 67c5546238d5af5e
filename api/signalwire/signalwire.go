package signalwire

import (
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
		IsConference:    laml.IsUUID,
		NewID:           func(api.IDKind) string { return api.NewUUID() },
		Formats:         laml.Formats{Numbers: true},
		Tables: laml.Tables{
			Create: createParams, Update: laml.UpdateParams(codeURL), List: laml.ListParams(), ListRecordings: laml.ListRecordingParams(),
			StartRecording: laml.StartRecordingParams(codeURL), UpdateRecording: laml.UpdateRecordingParams(), StartStream: laml.StartStreamParams(codeURL),
			Application: laml.ApplicationParams(codeURL), Number: numberParams, CallerID: laml.CallerIDParams(), Message: laml.MessageParams(),
			Participant: laml.ParticipantParams(), Invite: laml.InviteParams(codeURL), Queue: laml.QueueParams(),
		},
		Shapes:   shapes,
		Messages: laml.Messages{StreamVersion: "0.2.0", KeyLengths: true, Statuses: statuses, Final: final},
	}, c)
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

// isApplication accepts an application made by this API or by its neighbours.
func isApplication(s string) bool { return laml.IsUUID(s) || laml.IsSid("AP")(s) }

// applicationParam is a parameter that names an application.
func applicationParam(name string) laml.Param {
	return laml.Param{Name: name, Kind: laml.Match, Pattern: isApplication, Hint: "a UUID", Code: laml.CodeApplication}
}

// createParams are the parameters of Create Call (call-api.md §1.2).
var createParams = laml.With(laml.CreateParams(codeURL),
	applicationParam("ApplicationSid"),
	laml.Param{Name: "Laml", As: "Twiml", Kind: laml.Text, Max: 4000},
	laml.Param{Name: "Twiml", Kind: laml.Text, Max: 4000},
	laml.Param{Name: "StatusCallbackEvent", Kind: laml.Choices, Enum: append([]string{"ringing_forwarded", "ringing_queued"}, laml.CallEvents...)},
	laml.Param{Name: "SendDigits", Kind: laml.Match, Pattern: laml.IsDigits, Hint: "made of at most 32 of 0-9 # * A-D w W"},
	laml.Param{Name: "SipAuthUsername", Kind: laml.Text, Max: 255},
	laml.Param{Name: "SipAuthPassword", Kind: laml.Text, Max: 255},
	laml.Param{Name: "MachineDetection", Kind: laml.Choice, Enum: []string{"Enable", "DetectMessageEnd", "none"}, Code: laml.CodeAMD},
	laml.Param{Name: "MachineDetectionTimeout", Kind: laml.Integer, Min: 1, Max: 120, Code: laml.CodeAMD},
	// The service counts to 6 when nothing is said; here a rule is one that was asked
	// for, since the model is right more often than counting.
	laml.Param{Name: "MachineWordsThreshold", Kind: laml.Integer, Min: 1, Max: 100, Code: laml.CodeAMD},
	laml.Param{Name: "AsyncAmdPartialResults", Kind: laml.Bool, Code: laml.CodeAMD},
	laml.Param{Name: "MaxPricePerMinute", Kind: laml.Text, Max: 20},
)

// numberParams are the parameters of a number.
var numberParams = laml.With(laml.NumberParams(codeURL), applicationParam("VoiceApplicationSid"))
