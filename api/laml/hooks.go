package laml

import "callbox/api"

// VoiceJSON is what applications and numbers say of their calls and messages.
type VoiceJSON struct {
	VoiceURL             *string `json:"voice_url"`
	VoiceMethod          string  `json:"voice_method"`
	VoiceFallbackURL     *string `json:"voice_fallback_url"`
	VoiceFallbackMethod  string  `json:"voice_fallback_method"`
	VoiceCallerIDLookup  bool    `json:"voice_caller_id_lookup"`
	StatusCallback       *string `json:"status_callback"`
	StatusCallbackMethod string  `json:"status_callback_method"`
	SMSURL               *string `json:"sms_url"`
	SMSMethod            string  `json:"sms_method"`
	SMSFallbackURL       *string `json:"sms_fallback_url"`
	SMSFallbackMethod    string  `json:"sms_fallback_method"`
}

// voice makes the part that applications and numbers have in common.
func voice(a api.Application) VoiceJSON {
	return VoiceJSON{
		VoiceURL: Address(a.Script.Main), VoiceMethod: Method(a.Script.Main),
		VoiceFallbackURL: Address(a.Script.Fallback), VoiceFallbackMethod: Method(a.Script.Fallback),
		StatusCallback: Address(a.Status.Hook), StatusCallbackMethod: Method(a.Status.Hook),
		SMSURL: Address(a.Message), SMSMethod: Method(a.Message),
		SMSFallbackURL: Address(a.MessageFallback), SMSFallbackMethod: Method(a.MessageFallback),
	}
}

// ApplicationJSON is an application as the clients of most of the family see it.
type ApplicationJSON struct {
	Sid          string  `json:"sid"`
	AccountSid   string  `json:"account_sid"`
	APIVersion   string  `json:"api_version"`
	DateCreated  *string `json:"date_created"`
	DateUpdated  *string `json:"date_updated"`
	FriendlyName string  `json:"friendly_name"`
	VoiceJSON
	SMSStatusCallback     *string `json:"sms_status_callback"`
	MessageStatusCallback *string `json:"message_status_callback"`
	URI                   string  `json:"uri"`
}

// NewApplicationJSON writes an application; path is that of its account.
func NewApplicationJSON(a api.Application, version, path string) ApplicationJSON {
	return ApplicationJSON{
		Sid: a.ID, AccountSid: a.Account, APIVersion: version, DateCreated: Time(&a.Created), DateUpdated: Time(&a.Updated),
		FriendlyName: a.Name, VoiceJSON: voice(a),
		SMSStatusCallback: Address(a.MessageStatus), MessageStatusCallback: Address(a.MessageStatus),
		URI: path + "/Applications/" + a.ID + ".json",
	}
}

// NumberJSON is a number as the clients of most of the family see it.
type NumberJSON struct {
	Sid                 string          `json:"sid"`
	AccountSid          string          `json:"account_sid"`
	APIVersion          string          `json:"api_version"`
	AddressRequirements string          `json:"address_requirements"`
	AddressSid          *string         `json:"address_sid"`
	Beta                bool            `json:"beta"`
	BundleSid           *string         `json:"bundle_sid"`
	Capabilities        map[string]bool `json:"capabilities"`
	DateCreated         *string         `json:"date_created"`
	DateUpdated         *string         `json:"date_updated"`
	EmergencyAddressSid *string         `json:"emergency_address_sid"`
	EmergencyStatus     string          `json:"emergency_status"`
	FriendlyName        string          `json:"friendly_name"`
	IdentitySid         *string         `json:"identity_sid"`
	Origin              string          `json:"origin"`
	PhoneNumber         string          `json:"phone_number"`
	Status              string          `json:"status"`
	TrunkSid            *string         `json:"trunk_sid"`
	VoiceApplicationSid *string         `json:"voice_application_sid"`
	SMSApplicationSid   *string         `json:"sms_application_sid"`
	VoiceJSON
	URI string `json:"uri"`
}

// NewNumberJSON writes a number; path is that of its account, trunk the "TK…" id
// of its line, if that is a trunk.
func NewNumberJSON(n api.Number, version, path, trunk string) NumberJSON {
	return NumberJSON{
		Sid: n.ID, AccountSid: n.Account, APIVersion: version, AddressRequirements: "none",
		Capabilities: map[string]bool{"voice": true, "sms": false, "mms": false, "fax": false},
		DateCreated:  Time(&n.Created), DateUpdated: Time(&n.Updated), EmergencyStatus: "Inactive", FriendlyName: n.Name,
		Origin: "hosted", PhoneNumber: n.Number, Status: "in-use", TrunkSid: Some(trunk), VoiceApplicationSid: Some(n.Application),
		VoiceJSON: voice(api.Application{Script: n.Script, Status: n.Status, Messaging: n.Messaging}),
		URI:       path + "/IncomingPhoneNumbers/" + n.ID + ".json",
	}
}

// KeyJSON is an API key. Its secret is told once, when it is made.
type KeyJSON struct {
	Sid          string  `json:"sid"`
	FriendlyName string  `json:"friendly_name"`
	DateCreated  *string `json:"date_created"`
	DateUpdated  *string `json:"date_updated"`
	Secret       string  `json:"secret,omitempty"`
}

// NewKeyJSON writes an API key.
func NewKeyJSON(k api.Key) KeyJSON {
	return KeyJSON{k.ID, k.Name, Time(&k.Created), Time(&k.Updated), k.Secret}
}

// The parameters that applications and numbers have in common; link is the code
// of an address that cannot be.
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
		{Name: "VoiceCallerIdLookup", Kind: Ignored},
		{Name: "ApiVersion", Kind: Ignored},
	}
}

// ApplicationParams are the parameters of an application.
func ApplicationParams(link Code) []Param {
	return append(hookParams(link),
		Param{Name: "FriendlyName", Kind: Text, Max: 64},
		Param{Name: "MessageStatusCallback", As: "SmsStatusCallback", Kind: Link, Code: link},
		Param{Name: "SmsStatusCallback", Kind: Link, Code: link},
		Param{Name: "PublicApplicationConnectEnabled", Kind: Ignored},
	)
}

// NumberParams are the parameters of a number; sid checks the id of an
// application, and hint says what it wants.
func NumberParams(link Code, sid func(string) bool, hint string) []Param {
	return append(hookParams(link),
		Param{Name: "PhoneNumber", Kind: Text, Max: 64, Code: CodeNumber},
		Param{Name: "FriendlyName", Kind: Text, Max: 64},
		Param{Name: "VoiceApplicationSid", Kind: Match, Pattern: sid, Hint: hint, Code: CodeApplication},
		Param{Name: "TrunkSid", Kind: Match, Pattern: func(s string) bool { return IsSid("TK")(s) || IsSid("BY")(s) }, Hint: "TK and 32 hex digits"},
		Param{Name: "AreaCode", Kind: Ignored}, Param{Name: "SmsApplicationSid", Kind: Ignored}, Param{Name: "AccountSid", Kind: Ignored},
		Param{Name: "AddressSid", Kind: Ignored}, Param{Name: "IdentitySid", Kind: Ignored}, Param{Name: "BundleSid", Kind: Ignored},
		Param{Name: "EmergencyStatus", Kind: Ignored}, Param{Name: "EmergencyAddressSid", Kind: Ignored},
		Param{Name: "VoiceReceiveMode", Kind: Ignored},
	)
}

// KeyParams are the parameters of an API key.
func KeyParams() []Param { return []Param{{Name: "FriendlyName", Kind: Text, Max: 64}} }
