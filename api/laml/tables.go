package laml

import (
	"slices"
	"strconv"

	"callbox/api/laml/twiml"
	"callbox/call"
)

// The tables of parameters that the family has in common. A dialect adds its own
// by [With]. link is the dialect's code of an address that cannot be, other than
// that of the script; 0 is that of every bad value.

// With is a table with other parameters: those of a name that is there already
// take its place, the others stand at the end.
func With(table []Param, other ...Param) []Param {
	out := slices.Clone(table)
	for _, p := range other {
		if i := slices.IndexFunc(out, func(q Param) bool { return q.Name == p.Name }); i >= 0 {
			out[i] = p
		} else {
			out = append(out, p)
		}
	}
	return out
}

// Values of parameters.
var (
	CallEvents      = []string{"initiated", "ringing", "answered", "completed"}
	RecordingEvents = []string{"in-progress", "completed", "absent"}
	CallStatuses    = []string{"queued", "ringing", "in-progress", "completed", "busy", "failed", "no-answer", "canceled"}
)

// CreateParams are the parameters of Create Call (call-api.md §1.2, §1.4), in the
// order in which their problems are told.
func CreateParams(link Code) []Param {
	return slices.Concat([]Param{
		{Name: "To", Kind: Text, Max: 2048, Code: CodeTo, Required: CodeNoTo},
		{Name: "From", Kind: Text, Max: 2048, Code: CodeFrom, Required: CodeNoFrom},
		{Name: "ApplicationSid", Kind: Match, Pattern: IsSid("AP"), Hint: "AP and 32 hex digits", Code: CodeApplication},
		{Name: "Url", Kind: Link, Code: CodeURL},
		{Name: "Twiml", Kind: Text, Max: 4000, Code: CodeTwimlLong},
		{Name: "Method", Kind: Verb},
		{Name: "FallbackUrl", Kind: Link, Code: link},
		{Name: "FallbackMethod", Kind: Verb},
		{Name: "StatusCallback", Kind: Link, Code: link},
		{Name: "StatusCallbackEvent", Kind: Choices, Enum: CallEvents},
		{Name: "StatusCallbackMethod", Kind: Verb},
		{Name: "SendDigits", Kind: Match, Pattern: IsDigits, Hint: "made of at most 32 of 0-9 # * A-D w W", Code: CodeSendDigits},
		{Name: "Timeout", Kind: Integer, Min: 1, Max: 600, Code: CodeTimeout},
		{Name: "CallerId", Kind: Text, Max: 512, Code: CodeFrom},
		{Name: "Record", Kind: Bool},
	}, recordingParams(link), []Param{
		{Name: "SipAuthUsername", Kind: Text, Max: 255, Code: CodeUserLong},
		{Name: "SipAuthPassword", Kind: Text, Max: 255, Code: CodePasswordLong},
		{Name: "MachineDetection", Kind: Choice, Enum: []string{"Enable", "DetectMessageEnd"}, Code: CodeAMD},
		{Name: "MachineDetectionTimeout", Kind: Integer, Min: 3, Max: 59, Code: CodeAMD},
		{Name: "MachineDetectionSpeechThreshold", Kind: Integer, Min: 1000, Max: 6000, Code: CodeAMD},
		{Name: "MachineDetectionSpeechEndThreshold", Kind: Integer, Min: 500, Max: 5000, Code: CodeAMD},
		{Name: "MachineDetectionSilenceTimeout", Kind: Integer, Min: 2000, Max: 10000, Code: CodeAMD},
		{Name: "AsyncAmd", Kind: Bool, Code: CodeAMD},
		{Name: "AsyncAmdStatusCallback", Kind: Link, Code: link},
		{Name: "AsyncAmdStatusCallbackMethod", Kind: Verb},
	})
}

// UpdateParams are the parameters of a change of a call (§2.3).
func UpdateParams(link Code) []Param {
	return []Param{
		{Name: "Status", Kind: Choice, Enum: []string{"canceled", "completed"}},
		{Name: "Url", Kind: Link, Code: CodeURL},
		{Name: "Method", Kind: Verb},
		{Name: "FallbackUrl", Kind: Link, Code: link},
		{Name: "FallbackMethod", Kind: Verb},
		{Name: "StatusCallback", Kind: Link, Code: link},
		{Name: "StatusCallbackMethod", Kind: Verb},
	}
}

// ListParams are the filters of a list of calls (§2.2).
func ListParams() []Param {
	return WithPaging(
		Param{Name: "To", Kind: Text, Max: 2048},
		Param{Name: "From", Kind: Text, Max: 2048},
		Param{Name: "ParentCallSid", Kind: Text, Max: 64},
		Param{Name: "Status", Kind: Choice, Enum: CallStatuses},
		Param{Name: "StartTime", Kind: Day}, Param{Name: "StartTime<", Kind: Day}, Param{Name: "StartTime>", Kind: Day},
		Param{Name: "EndTime", Kind: Day}, Param{Name: "EndTime<", Kind: Day}, Param{Name: "EndTime>", Kind: Day},
	)
}

// ListRecordingParams are the filters of a list of recordings (§2.4).
func ListRecordingParams() []Param {
	return WithPaging(
		Param{Name: "CallSid", Kind: Text, Max: 64},
		Param{Name: "DateCreated", Kind: Day}, Param{Name: "DateCreated<", Kind: Day}, Param{Name: "DateCreated>", Kind: Day},
		Param{Name: "ConferenceSid", Kind: Text, Max: 64},
	)
}

// recordingParams are the parameters that say how to record.
func recordingParams(link Code) []Param {
	return []Param{
		{Name: "RecordingChannels", Kind: Choice, Enum: []string{"mono", "dual"}},
		{Name: "RecordingTrack", Kind: Choice, Enum: []string{"inbound", "outbound", "both"}},
		{Name: "RecordingStatusCallback", Kind: Link, Code: link},
		{Name: "RecordingStatusCallbackMethod", Kind: Verb},
		{Name: "RecordingStatusCallbackEvent", Kind: Choices, Enum: RecordingEvents},
		{Name: "Trim", Kind: Choice, Enum: []string{"trim-silence", "do-not-trim"}},
	}
}

// StartRecordingParams are the parameters of a recording of a live call (§2.4).
func StartRecordingParams(link Code) []Param {
	return With(recordingParams(link), Param{Name: "RecordingConfigurationId", Kind: Ignored})
}

// UpdateRecordingParams are the parameters of a change of a recording of a live call.
func UpdateRecordingParams() []Param {
	return []Param{
		{Name: "Status", Kind: Choice, Enum: []string{call.RecordingPaused, call.RecordingRunning, call.RecordingStopped}, Required: CodeInvalid},
		{Name: "PauseBehavior", Kind: Choice, Enum: []string{"skip", "silence"}},
	}
}

// StartStreamParams are the parameters of a stream of a live call.
func StartStreamParams(link Code) []Param {
	list := []Param{
		{Name: "Url", Kind: Match, Pattern: func(s string) bool { return twiml.BadStreamURL(s) == "" }, Hint: "an absolute wss or ws address without a query", Code: CodeURL, Required: CodeURL},
		{Name: "Name", Kind: Text, Max: 64},
		{Name: "Track", Kind: Choice, Enum: []string{"inbound_track", "outbound_track", "both_tracks"}},
		{Name: "StatusCallback", Kind: Link, Code: link},
		{Name: "StatusCallbackMethod", Kind: Verb},
	}
	for n := range maxParameters {
		name, value := parameterNames(n + 1)
		list = append(list, Param{Name: name, Kind: Text, Max: 256}, Param{Name: value, Kind: Text, Max: 4096})
	}
	return list
}

// parameterNames are the names of the n-th parameter that a stream hands on.
func parameterNames(n int) (name, value string) {
	p := "Parameter" + strconv.Itoa(n)
	return p + ".Name", p + ".Value"
}

// hookParams are the parameters that applications and numbers have in common.
func hookParams(link Code) []Param {
	return []Param{
		{Name: "VoiceUrl", Kind: Link, Code: link},
		{Name: "VoiceMethod", Kind: Verb},
		{Name: "VoiceFallbackUrl", Kind: Link, Code: link},
		{Name: "VoiceFallbackMethod", Kind: Verb},
		{Name: "StatusCallback", Kind: Link, Code: link},
		{Name: "StatusCallbackMethod", Kind: Verb},
		{Name: "SmsUrl", Kind: Link, Code: link},
		{Name: "SmsMethod", Kind: Verb},
		{Name: "SmsFallbackUrl", Kind: Link, Code: link},
		{Name: "SmsFallbackMethod", Kind: Verb},
		{Name: "FriendlyName", Kind: Text, Max: 64},
		{Name: "VoiceCallerIdLookup", Kind: Ignored},
		{Name: "ApiVersion", Kind: Ignored},
	}
}

// ApplicationParams are the parameters of an application.
func ApplicationParams(link Code) []Param {
	return With(hookParams(link),
		Param{Name: "MessageStatusCallback", As: "SmsStatusCallback", Kind: Link, Code: link},
		Param{Name: "SmsStatusCallback", Kind: Link, Code: link},
		Param{Name: "PublicApplicationConnectEnabled", Kind: Ignored},
	)
}

// NumberParams are the parameters of a number.
func NumberParams(link Code) []Param {
	return With(hookParams(link),
		Param{Name: "PhoneNumber", Kind: Text, Max: 64, Code: CodeNumber},
		Param{Name: "VoiceApplicationSid", Kind: Match, Pattern: IsSid("AP"), Hint: "AP and 32 hex digits", Code: CodeApplication},
		Param{Name: "TrunkSid", Kind: Match, Pattern: func(s string) bool { return IsSid("TK")(s) || IsSid("BY")(s) }, Hint: "TK and 32 hex digits"},
		Param{Name: "AreaCode", Kind: Ignored}, Param{Name: "SmsApplicationSid", Kind: Ignored}, Param{Name: "AccountSid", Kind: Ignored},
		Param{Name: "AddressSid", Kind: Ignored}, Param{Name: "IdentitySid", Kind: Ignored}, Param{Name: "BundleSid", Kind: Ignored},
		Param{Name: "EmergencyStatus", Kind: Ignored}, Param{Name: "EmergencyAddressSid", Kind: Ignored},
		Param{Name: "VoiceReceiveMode", Kind: Ignored},
	)
}

// KeyParams are the parameters of an API key.
func KeyParams() []Param { return []Param{{Name: "FriendlyName", Kind: Text, Max: 64}} }

// CallerIDParams are the parameters of a number that calls may show.
func CallerIDParams() []Param {
	return []Param{
		{Name: "PhoneNumber", Kind: Text, Max: 64, Code: CodeNumber, Required: CodeNumber},
		{Name: "FriendlyName", Kind: Text, Max: 64},
		{Name: "CallDelay", Kind: Ignored}, {Name: "Extension", Kind: Ignored}, {Name: "StatusCallback", Kind: Ignored},
		{Name: "StatusCallbackMethod", Kind: Ignored},
	}
}

// DomainParams are the parameters of a SIP domain.
func DomainParams(link Code) []Param {
	return []Param{
		{Name: "DomainName", Kind: Match, Pattern: isHost, Hint: "a host name", Required: CodeInvalid},
		{Name: "FriendlyName", Kind: Text, Max: 64},
		{Name: "VoiceUrl", Kind: Link, Code: link},
		{Name: "VoiceMethod", Kind: Verb},
		{Name: "VoiceFallbackUrl", Kind: Link, Code: link},
		{Name: "VoiceFallbackMethod", Kind: Verb},
		{Name: "VoiceStatusCallbackUrl", As: "StatusCallback", Kind: Link, Code: link},
		{Name: "VoiceStatusCallbackMethod", As: "StatusCallbackMethod", Kind: Verb},
		{Name: "SipRegistration", Kind: Bool},
		{Name: "Secure", Kind: Bool},
		{Name: "EmergencyCallingEnabled", Kind: Ignored}, {Name: "EmergencyCallerSid", Kind: Ignored}, {Name: "ByocTrunkSid", Kind: Ignored},
	}
}

// CredentialListParams are the parameters of a credential list.
func CredentialListParams() []Param {
	return []Param{{Name: "FriendlyName", Kind: Text, Max: 64, Required: CodeInvalid}}
}

// CredentialParams are the parameters of a credential of a SIP phone.
func CredentialParams() []Param {
	return []Param{
		{Name: "Username", Kind: Match, Pattern: isUserName, Hint: "1 to 32 letters, digits and . _ -, beginning with a letter or digit", Required: CodeInvalid},
		{Name: "Password", Kind: Match, Pattern: isPassword, Hint: "at least 12 characters with a digit, a small and a capital letter", Required: CodeInvalid},
	}
}

// ClientParams are the parameters of a SIP phone that registers by itself.
func ClientParams() []Param {
	return []Param{
		{Name: "Login", Kind: Match, Pattern: isUserName, Hint: "1 to 32 letters, digits and . _ -, beginning with a letter or digit", Required: CodeInvalid},
		{Name: "Password", Kind: Match, Pattern: isPassword, Hint: "at least 12 characters with a digit, a small and a capital letter", Required: CodeInvalid},
		{Name: "FriendlyName", Kind: Text, Max: 64},
		{Name: "VoiceApplicationSid", Kind: Match, Pattern: IsSid("AP"), Hint: "AP and 32 hex digits", Code: CodeApplication},
		{Name: "VoiceUrl", Kind: Ignored}, {Name: "VoiceMethod", Kind: Ignored}, {Name: "VoiceFallbackUrl", Kind: Ignored},
		{Name: "VoiceFallbackMethod", Kind: Ignored}, {Name: "Status", Kind: Ignored},
	}
}
