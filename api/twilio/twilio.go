package twilio

import (
	"net/http"
	"strings"

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
		IsConference:    laml.IsSid("CF"),
		Formats:         laml.Formats{Root: "TwilioResponse", BareURIs: true, BareSound: true, CallToken: true},
		Tables: laml.Tables{
			Create: createParams, Update: updateParams, List: laml.ListParams(), ListRecordings: listRecordingParams,
			StartRecording: laml.StartRecordingParams(0), UpdateRecording: laml.UpdateRecordingParams(), StartStream: laml.StartStreamParams(0),
			Application: laml.ApplicationParams(0), Number: laml.NumberParams(0), Key: laml.KeyParams(),
			CallerID: laml.CallerIDParams(), Message: laml.MessageParams(), Domain: laml.DomainParams(0), CredentialList: laml.CredentialListParams(), Credential: laml.CredentialParams(),
			Participant: laml.ParticipantParams(), Invite: laml.InviteParams(0), Queue: laml.QueueParams(),
		},
		Shapes: shapes,
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

// createParams are the parameters of Create Call (call-api.md §1.4).
var createParams = laml.With(laml.CreateParams(0),
	laml.Param{Name: "TimeLimit", Kind: laml.Integer, Min: 1, Max: 14400},
	laml.Param{Name: "CallReason", Kind: laml.Text, Max: 50},
	laml.Param{Name: "CallToken", Kind: laml.Text, Max: 4096},
	laml.Param{Name: "Byoc", Kind: laml.Match, Pattern: laml.IsSid("BY"), Hint: "BY and 32 hex digits"},
	laml.Param{Name: "ClientNotificationUrl", Kind: laml.Ignored},
	laml.Param{Name: "RecordingConfigurationId", Kind: laml.Ignored},
	laml.Param{Name: "Passports", Kind: laml.Ignored},
)

// updateParams are the parameters of a change of a call (§2.3).
var updateParams = laml.With(laml.UpdateParams(0),
	laml.Param{Name: "Twiml", Kind: laml.Text, Max: 4000, Code: laml.CodeTwimlLong},
	laml.Param{Name: "TimeLimit", Kind: laml.Integer, Min: 1, Max: 14400},
)

// listRecordingParams are the filters of a list of recordings (§2.4).
var listRecordingParams = laml.With(laml.ListRecordingParams(), laml.Param{Name: "IncludeSoftDeleted", Kind: laml.Ignored})
