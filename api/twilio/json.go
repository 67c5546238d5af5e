package twilio

import (
	"callbox/api"
	"callbox/api/laml"
	"callbox/call"
)

// shapes are the resources as clients see them (call-api.md §1.4, §2.4). Every
// number in them is a text, and what is not known is null.
var shapes = laml.Shapes{
	Call: laml.Resource[call.Record]{
		Keys: []string{
			"sid", "date_created", "date_updated", "parent_call_sid", "account_sid", "to", "to_formatted", "from", "from_formatted",
			"phone_number_sid", "status", "start_time", "end_time", "duration", "price", "price_unit", "direction", "answered_by",
			"annotation", "api_version", "forwarded_from", "group_sid", "caller_name", "queue_time", "trunk_sid", "uri", "subresource_uris",
		},
		Own: map[string]func(laml.View[call.Record]) any{
			"date_created": func(v laml.View[call.Record]) any { return dated(v, v.Date(&v.X.Created)) },
			"date_updated": func(v laml.View[call.Record]) any { return dated(v, v.Date(&v.X.Updated)) },
		},
		Below: []string{
			"events", "notifications", "payments", "recordings", "siprec", "streams", "transcriptions",
			"user_defined_message_subscriptions", "user_defined_messages",
		},
	},
	Recording: laml.Resource[call.Recording]{
		Keys: []string{
			"account_sid", "api_version", "call_sid", "conference_sid", "channels", "date_created", "date_updated", "start_time", "duration",
			"sid", "price", "price_unit", "status", "source", "error_code", "track", "media_url", "encryption_details", "uri", "subresource_uris",
		},
		Below: []string{"add_on_results", "transcriptions"},
	},
	Stream: laml.Resource[call.Stream]{Keys: []string{"sid", "account_sid", "call_sid", "name", "status", "date_updated", "uri"}},
	Account: laml.Resource[api.Account]{
		Keys: []string{
			"sid", "friendly_name", "status", "type", "owner_account_sid", "date_created", "date_updated", "uri", "subresource_uris",
		},
		Below: []string{"applications", "calls", "conferences", "incoming_phone_numbers", "keys", "outgoing_caller_ids", "queues", "recordings", "signing_keys"},
	},
	Application: laml.Resource[api.Application]{Keys: laml.ApplicationKeys},
	Number:      laml.Resource[api.Number]{Keys: laml.NumberKeys},
	Key:         laml.Resource[api.Key]{Keys: []string{"sid", "friendly_name", "date_created", "date_updated"}},
	Message:     laml.Resource[call.Message]{Keys: laml.MessageKeys, Below: []string{"media"}},
	CallerID:    laml.Resource[api.CallerID]{Keys: laml.CallerIDKeys},
	Domain: laml.Resource[api.SIPDomain]{
		Keys: []string{
			"sid", "account_sid", "api_version", "auth_type", "date_created", "date_updated", "domain_name", "friendly_name", "voice_url",
			"voice_method", "voice_fallback_url", "voice_fallback_method", "voice_status_callback_url", "voice_status_callback_method",
			"sip_registration", "secure", "emergency_calling_enabled", "emergency_caller_sid", "byoc_trunk_sid", "uri", "subresource_uris",
		},
		Below: []string{"credential_list_mappings"},
	},
	List: laml.Resource[api.CredentialList]{
		Keys:  []string{"sid", "account_sid", "date_created", "date_updated", "friendly_name", "uri", "subresource_uris"},
		Below: []string{"credentials"},
	},
	Credential: laml.Resource[api.User]{Keys: []string{"sid", "account_sid", "credential_list_sid", "username", "date_created", "date_updated", "uri"}},
	Conference: laml.Resource[call.Conference]{
		Keys: []string{
			"account_sid", "date_created", "date_updated", "api_version", "friendly_name", "region", "sid", "status", "uri",
			"subresource_uris", "reason_conference_ended", "call_sid_ending_conference",
		},
		Below: []string{"participants", "recordings"},
	},
	Participant: laml.Resource[laml.Party]{Keys: []string{
		"account_sid", "call_sid", "label", "call_sid_to_coach", "coaching", "conference_sid", "date_created", "date_updated",
		"end_conference_on_exit", "muted", "hold", "start_conference_on_enter", "status", "queue_time", "uri",
	}},
	Queue: laml.Resource[call.Queue]{Keys: []string{
		"date_updated", "current_size", "friendly_name", "uri", "account_sid", "average_wait_time", "sid", "date_created", "max_size", "subresource_uris",
	}, Below: []string{"members"}},
	Member:  laml.Resource[call.QueueMember]{Keys: []string{"call_sid", "date_enqueued", "position", "uri", "wait_time", "queue_sid"}},
	Mapping: laml.Resource[api.CredentialList]{Keys: []string{"sid", "account_sid", "date_created", "date_updated", "friendly_name", "uri"}},
	Error:   renderError, ErrorSchema: laml.FlatErrorSchema(Name),
}

// dated is a date of a call; the answer to a create has none yet.
func dated(v laml.View[call.Record], date any) any {
	if v.Created && v.X.State == call.Queued {
		return nil
	}
	return date
}
