package laml

import (
	"maps"
	"strconv"

	"callbox/api"
	"callbox/call"
)

// The fields of the family's resources. What is not here is null everywhere.
var (
	callFields = map[string]func(View[call.Record]) any{
		"sid": func(v View[call.Record]) any { return v.X.ID }, "account_sid": account[call.Record],
		"date_created": func(v View[call.Record]) any { return v.Date(&v.X.Created) },
		"date_updated": func(v View[call.Record]) any { return v.Date(&v.X.Updated) },
		"start_time":   func(v View[call.Record]) any { return v.Date(v.X.Started) }, "end_time": func(v View[call.Record]) any { return v.Date(v.X.Ended) },
		"parent_call_sid":  func(v View[call.Record]) any { return v.Text(v.X.Parent) },
		"phone_number_sid": func(v View[call.Record]) any { return v.Text(v.Number) },
		"to":               func(v View[call.Record]) any { return v.X.To }, "from": func(v View[call.Record]) any { return v.X.From },
		"to_formatted":   func(v View[call.Record]) any { return Formatted(v.X.To) },
		"from_formatted": func(v View[call.Record]) any { return Formatted(v.X.From) },
		"status":         func(v View[call.Record]) any { return StatusName(v.X) },
		"duration": func(v View[call.Record]) any {
			if v.X.Ended == nil {
				return nil
			}
			return v.Seconds(v.X.Duration(*v.X.Ended))
		},
		"price_unit": usd[call.Record], "direction": func(v View[call.Record]) any { return v.X.Direction },
		"answered_by": func(v View[call.Record]) any { return v.Text(v.X.AnsweredBy) }, "api_version": version[call.Record],
		"forwarded_from": func(v View[call.Record]) any { return v.Text(v.X.Forwarded) },
		"caller_name":    func(v View[call.Record]) any { return v.Text(v.X.CallerName) },
		"queue_time": func(v View[call.Record]) any { // milliseconds from the request to the first attempt
			if v.X.Started == nil {
				return "0"
			}
			return strconv.FormatInt(max(v.X.Started.Sub(v.X.Created), 0).Milliseconds(), 10)
		},
		"uri": uri[call.Record],
	}
	recordingFields = map[string]func(View[call.Recording]) any{
		"sid": func(v View[call.Recording]) any { return v.X.ID }, "account_sid": account[call.Recording], "api_version": version[call.Recording],
		"call_sid": func(v View[call.Recording]) any {
			if v.X.Conference != "" {
				return nil
			}
			return v.X.Call
		},
		"conference_sid": func(v View[call.Recording]) any { return v.Text(v.X.Conference) },
		"channels":       func(v View[call.Recording]) any { return max(v.X.Channels, 1) },
		"date_created":   func(v View[call.Recording]) any { return v.Date(&v.X.Created) },
		"date_updated":   func(v View[call.Recording]) any { return v.Date(&v.X.Updated) },
		"start_time":     func(v View[call.Recording]) any { return v.Date(&v.X.Started) },
		"duration": func(v View[call.Recording]) any {
			if v.X.Status != "completed" {
				return nil
			}
			return v.Seconds(v.X.Duration)
		},
		"price_unit": usd[call.Recording], "status": func(v View[call.Recording]) any { return v.X.Status },
		"source": func(v View[call.Recording]) any { return v.X.Source }, "track": func(v View[call.Recording]) any { return v.X.Track },
		"error_code": func(v View[call.Recording]) any {
			if v.X.Error == "" {
				return nil
			}
			return failedCode
		},
		"media_url": func(v View[call.Recording]) any { return v.Media }, "uri": uri[call.Recording],
	}
	messageFields = map[string]func(View[call.Message]) any{
		"sid": func(v View[call.Message]) any { return v.X.ID }, "account_sid": account[call.Message], "api_version": version[call.Message],
		"date_created": func(v View[call.Message]) any { return v.Date(&v.X.Created) },
		"date_updated": func(v View[call.Message]) any { return v.Date(&v.X.Updated) },
		"date_sent":    func(v View[call.Message]) any { return v.Date(v.X.Sent) },
		"from":         func(v View[call.Message]) any { return v.X.From }, "to": func(v View[call.Message]) any { return v.X.To },
		"body": func(v View[call.Message]) any { return v.X.Body }, "status": func(v View[call.Message]) any { return v.X.Status },
		"direction": func(v View[call.Message]) any {
			if v.X.Direction == call.OutboundDial {
				return "outbound-call"
			}
			return v.X.Direction
		},
		"num_segments": func(v View[call.Message]) any { return v.number(v.X.Segments) },
		"num_media":    func(v View[call.Message]) any { return v.number(0) },
		"error_code": func(v View[call.Message]) any {
			if v.X.Error == "" {
				return nil
			}
			return messageFailed
		},
		"error_message": func(v View[call.Message]) any { return v.Text(v.X.Error) },
		"price_unit":    usd[call.Message], "uri": uri[call.Message],
	}
	streamFields = map[string]func(View[call.Stream]) any{
		"sid": func(v View[call.Stream]) any { return v.X.ID }, "account_sid": account[call.Stream],
		"call_sid": func(v View[call.Stream]) any { return v.X.Call }, "name": func(v View[call.Stream]) any { return v.Text(v.X.Name) },
		"status":       func(v View[call.Stream]) any { return string(v.X.State) },
		"date_updated": func(v View[call.Stream]) any { return v.Date(&v.X.Updated) }, "uri": uri[call.Stream],
	}
	accountFields = map[string]func(View[api.Account]) any{
		"sid": account[api.Account], "owner_account_sid": account[api.Account], "friendly_name": func(v View[api.Account]) any { return v.X.Name },
		"status": constant[api.Account]("active"), "type": constant[api.Account]("Full"), "uri": uri[api.Account],
	}
	applicationFields = with(hookFields(func(a api.Application) voice { return voice{a.Script, a.Status, a.Messaging} }), map[string]func(View[api.Application]) any{
		"sid": func(v View[api.Application]) any { return v.X.ID }, "account_sid": account[api.Application], "api_version": version[api.Application],
		"date_created":  func(v View[api.Application]) any { return v.Date(&v.X.Created) },
		"date_updated":  func(v View[api.Application]) any { return v.Date(&v.X.Updated) },
		"friendly_name": func(v View[api.Application]) any { return v.X.Name }, "uri": uri[api.Application],
	})
	numberFields = with(hookFields(func(n api.Number) voice { return voice{n.Script, n.Status, n.Messaging} }), map[string]func(View[api.Number]) any{
		"sid": func(v View[api.Number]) any { return v.X.ID }, "account_sid": account[api.Number], "api_version": version[api.Number],
		"date_created":  func(v View[api.Number]) any { return v.Date(&v.X.Created) },
		"date_updated":  func(v View[api.Number]) any { return v.Date(&v.X.Updated) },
		"friendly_name": func(v View[api.Number]) any { return v.X.Name }, "phone_number": func(v View[api.Number]) any { return v.X.Number },
		"address_requirements": constant[api.Number]("none"), "beta": constant[api.Number](false), "origin": constant[api.Number]("hosted"),
		"emergency_status": constant[api.Number]("Inactive"), "status": constant[api.Number]("in-use"),
		"capabilities":          constant[api.Number](object{{"voice", true}, {"sms", false}, {"mms", false}, {"fax", false}}),
		"trunk_sid":             func(v View[api.Number]) any { return v.Text(v.Trunk) },
		"voice_application_sid": func(v View[api.Number]) any { return v.Text(v.X.Application) }, "uri": uri[api.Number],
	})
	callerIDFields = map[string]func(View[api.CallerID]) any{
		"sid": func(v View[api.CallerID]) any { return v.X.ID }, "account_sid": account[api.CallerID],
		"date_created":  func(v View[api.CallerID]) any { return v.Date(&v.X.Created) },
		"date_updated":  func(v View[api.CallerID]) any { return v.Date(&v.X.Updated) },
		"friendly_name": func(v View[api.CallerID]) any { return v.X.Name }, "phone_number": func(v View[api.CallerID]) any { return v.X.Number },
		"uri": uri[api.CallerID],
	}
	domainFields = with(hookFields(func(d api.SIPDomain) voice { return voice{script: d.Script, status: d.Status} }), map[string]func(View[api.SIPDomain]) any{
		"sid": func(v View[api.SIPDomain]) any { return v.X.ID }, "account_sid": account[api.SIPDomain], "api_version": version[api.SIPDomain],
		"date_created": func(v View[api.SIPDomain]) any { return v.Date(&v.X.Created) },
		"date_updated": func(v View[api.SIPDomain]) any { return v.Date(&v.X.Updated) },
		"domain_name":  func(v View[api.SIPDomain]) any { return v.X.Host }, "friendly_name": func(v View[api.SIPDomain]) any { return v.X.Name },
		"auth_type": func(v View[api.SIPDomain]) any {
			if len(v.X.Calls) == 0 {
				return nil
			}
			return "CREDENTIAL_LIST"
		},
		"sip_registration": func(v View[api.SIPDomain]) any { return v.X.Register },
		"secure":           constant[api.SIPDomain](false), "emergency_calling_enabled": constant[api.SIPDomain](false), "uri": uri[api.SIPDomain],
	})
	listFields = map[string]func(View[api.CredentialList]) any{
		"sid": func(v View[api.CredentialList]) any { return v.X.ID }, "account_sid": account[api.CredentialList],
		"date_created":  func(v View[api.CredentialList]) any { return v.Date(&v.X.Created) },
		"date_updated":  func(v View[api.CredentialList]) any { return v.Date(&v.X.Updated) },
		"friendly_name": func(v View[api.CredentialList]) any { return v.X.Name }, "uri": uri[api.CredentialList],
	}
	credentialFields = map[string]func(View[api.User]) any{
		"sid": func(v View[api.User]) any { return v.X.ID }, "account_sid": account[api.User], "api_version": version[api.User],
		"date_created":        func(v View[api.User]) any { return v.Date(&v.X.Created) },
		"date_updated":        func(v View[api.User]) any { return v.Date(&v.X.Updated) },
		"credential_list_sid": func(v View[api.User]) any { return v.Text(v.X.List) },
		"username":            func(v View[api.User]) any { return v.X.Name }, "login": func(v View[api.User]) any { return v.X.Name },
		"friendly_name":         func(v View[api.User]) any { return v.Text(v.X.DisplayName) },
		"voice_application_sid": func(v View[api.User]) any { return v.Text(v.X.Application) }, "uri": uri[api.User],
	}
	keyFields = map[string]func(View[api.Key]) any{
		"sid": func(v View[api.Key]) any { return v.X.ID }, "friendly_name": func(v View[api.Key]) any { return v.X.Name },
		"date_created": func(v View[api.Key]) any { return v.Date(&v.X.Created) }, "date_updated": func(v View[api.Key]) any { return v.Date(&v.X.Updated) },
	}
)

// The keys in most of the family.
var (
	ApplicationKeys = []string{
		"sid", "account_sid", "api_version", "date_created", "date_updated", "friendly_name", "voice_url", "voice_method",
		"voice_fallback_url", "voice_fallback_method", "voice_caller_id_lookup", "status_callback", "status_callback_method",
		"sms_url", "sms_method", "sms_fallback_url", "sms_fallback_method", "sms_status_callback", "message_status_callback", "uri",
	}
	NumberKeys = []string{
		"sid", "account_sid", "api_version", "address_requirements", "address_sid", "beta", "bundle_sid", "capabilities",
		"date_created", "date_updated", "emergency_address_sid", "emergency_status", "friendly_name", "identity_sid", "origin",
		"phone_number", "status", "trunk_sid", "voice_application_sid", "sms_application_sid", "voice_url", "voice_method",
		"voice_fallback_url", "voice_fallback_method", "voice_caller_id_lookup", "status_callback", "status_callback_method",
		"sms_url", "sms_method", "sms_fallback_url", "sms_fallback_method", "uri",
	}
	MessageKeys = []string{
		"sid", "account_sid", "api_version", "body", "num_segments", "num_media", "direction", "from", "to", "date_created", "date_updated",
		"date_sent", "status", "price", "price_unit", "error_code", "error_message", "messaging_service_sid", "uri", "subresource_uris",
	}
	CallerIDKeys = []string{"sid", "account_sid", "date_created", "date_updated", "friendly_name", "phone_number", "uri"}
)

// messageFailed is the error_code of a message that was not delivered: the cause
// is not known to the family's list.
const messageFailed = 30008

// failedCode is the error_code of a recording that could not be kept, or not to its
// end: an internal failure (call-api.md §1.5).
const failedCode = 12400

func account[T any](v View[T]) any { return v.Account }
func version[T any](v View[T]) any { return v.p.Version }
func uri[T any](v View[T]) any     { return v.Path + ".json" }
func usd[T any](View[T]) any       { return "USD" }

func constant[T any](x any) func(View[T]) any { return func(View[T]) any { return x } }

// with joins two tables of fields.
func with[T any](a, b map[string]func(View[T]) any) map[string]func(View[T]) any {
	maps.Copy(a, b)
	return a
}

// voice is what applications and numbers say of their calls and messages.
type voice struct {
	script   call.ScriptSource
	status   call.StatusHook
	messages api.Messaging
}

// hookFields are the fields of what has hooks for calls and messages.
func hookFields[T any](of func(T) voice) map[string]func(View[T]) any {
	out := map[string]func(View[T]) any{"voice_caller_id_lookup": constant[T](false)}
	for _, f := range []struct {
		address, method string
		hook            func(voice) call.Hook
	}{
		{"voice_url", "voice_method", func(a voice) call.Hook { return a.script.Main }},
		{"voice_fallback_url", "voice_fallback_method", func(a voice) call.Hook { return a.script.Fallback }},
		{"status_callback", "status_callback_method", func(a voice) call.Hook { return a.status.Hook }},
		{"voice_status_callback_url", "voice_status_callback_method", func(a voice) call.Hook { return a.status.Hook }},
		{"sms_url", "sms_method", func(a voice) call.Hook { return a.messages.Message }},
		{"sms_fallback_url", "sms_fallback_method", func(a voice) call.Hook { return a.messages.MessageFallback }},
		{"sms_status_callback", "", func(a voice) call.Hook { return a.messages.MessageStatus }},
		{"message_status_callback", "", func(a voice) call.Hook { return a.messages.MessageStatus }},
	} {
		out[f.address] = func(v View[T]) any { return v.Text(f.hook(of(v.X)).URL) }
		out[f.method] = func(v View[T]) any {
			if m := f.hook(of(v.X)).Method; m != "" {
				return m
			}
			return "POST"
		}
	}
	return out
}
