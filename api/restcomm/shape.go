package restcomm

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"callbox/api"
	"callbox/api/laml"
	"callbox/call"
)

// shapes are the resources as clients see them (call-api.md §1.3, §2.4). What is
// null is left out of JSON, and an empty element in XML.
var shapes = laml.Shapes{
	Call: laml.Resource[call.Record]{
		Keys: []string{
			"sid", "InstanceId", "date_created", "date_updated", "parent_call_sid", "account_sid", "to", "from", "phone_number_sid",
			"status", "start_time", "end_time", "duration", "price_unit", "direction", "answered_by", "api_version", "forwarded_from",
			"caller_name", "uri", "ring_duration", "subresource_uris",
		},
		Own: map[string]func(laml.View[call.Record]) any{
			"InstanceId":    func(v laml.View[call.Record]) any { return instance(v.Account) },
			"start_time":    func(v laml.View[call.Record]) any { return iso(v.X.Started) },
			"end_time":      func(v laml.View[call.Record]) any { return iso(v.X.Ended) },
			"ring_duration": func(v laml.View[call.Record]) any { return rang(v.X) },
			"subresource_uris": func(v laml.View[call.Record]) any {
				return subresources{v.Path + "/Notifications", v.Path + "/Recordings"}
			},
		},
	},
	Recording: laml.Resource[call.Recording]{
		Keys: []string{"sid", "date_created", "date_updated", "account_sid", "call_sid", "duration", "api_version", "uri", "file_uri"},
		Own: map[string]func(laml.View[call.Recording]) any{
			"duration": func(v laml.View[call.Recording]) any { return v.X.Duration.Round(10 * time.Millisecond).Seconds() },
			"file_uri": func(v laml.View[call.Recording]) any { return v.Media },
		},
	},
	Account: laml.Resource[api.Account]{
		Keys:  []string{"sid", "friendly_name", "type", "status", "uri", "subresource_uris"},
		Below: []string{"calls", "recordings", "applications", "conferences"},
	},
	Application: laml.Resource[api.Application]{
		Keys: []string{
			"sid", "date_created", "date_updated", "friendly_name", "account_sid", "api_version", "voice_caller_id_lookup", "uri",
			"rcml_url", "kind",
		},
		Own: map[string]func(laml.View[api.Application]) any{
			"rcml_url": func(v laml.View[api.Application]) any { return v.Text(v.X.Script.Main.URL) },
			"kind":     func(laml.View[api.Application]) any { return "voice" }, // there are none but for calls
		},
	},
	Number: laml.Resource[api.Number]{Keys: []string{
		"sid", "account_sid", "friendly_name", "phone_number", "voice_url", "voice_method", "voice_fallback_url", "voice_fallback_method",
		"status_callback", "status_callback_method", "voice_caller_id_lookup", "voice_application_sid", "date_created", "date_updated",
		"sms_url", "sms_method", "sms_fallback_url", "sms_fallback_method", "capabilities", "api_version", "uri",
	}},
	Client: laml.Resource[api.User]{
		Keys: []string{
			"sid", "date_created", "date_updated", "account_sid", "api_version", "friendly_name", "login", "status", "voice_application_sid", "uri",
		},
		Own: map[string]func(laml.View[api.User]) any{"status": func(laml.View[api.User]) any { return "1" }}, // enabled
	},
	Message: laml.Resource[call.Message]{Keys: []string{
		"sid", "date_created", "date_updated", "date_sent", "account_sid", "from", "to", "body", "status", "direction", "price",
		"price_unit", "api_version", "uri",
	}},
	Conference: laml.Resource[call.Conference]{
		Keys: []string{"sid", "date_created", "date_updated", "account_sid", "status", "friendly_name", "api_version", "uri", "subresource_uris"},
		Own: map[string]func(laml.View[call.Conference]) any{
			"status": func(v laml.View[call.Conference]) any { return conferenceStatuses[v.X.State] },
		},
		Below: []string{"participants"},
	},
	Participant: laml.Resource[laml.Party]{Keys: []string{
		"sid", "conference_sid", "date_created", "date_updated", "account_sid", "muted", "hold", "start_conference_on_enter",
		"end_conference_on_exit", "uri",
	}},
	Bare:  true,
	Error: renderError,
}

// conferenceStatuses are the states of a conference in this API's words.
var conferenceStatuses = map[call.ConferenceState]string{
	call.ConferenceInit: "RUNNING_MODERATOR_ABSENT", call.ConferenceRunning: "RUNNING_MODERATOR_PRESENT", call.ConferenceEnded: "COMPLETED",
}

type subresources struct {
	Notifications string `json:"notifications"`
	Recordings    string `json:"recordings"`
}

// rang is how long a call rang, in seconds.
func rang(rec call.Record) any {
	until := rec.Answered
	if until == nil {
		until = rec.Ended
	}
	if rec.Rang == nil || until == nil {
		return nil
	}
	return laml.Seconds(max(until.Sub(*rec.Rang), 0))
}

// date writes a time as the resources' dates: the day is not padded.
func date(t time.Time) string { return t.UTC().Format("Mon, 2 Jan 2006 15:04:05 -0700") }

// iso writes a time that may be missing in ISO 8601.
func iso(t *time.Time) *string {
	if t == nil {
		return nil
	}
	s := t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	return &s
}

// instance is the id of the box as one machine of the service.
func instance(account string) string {
	sum := sha256.Sum256([]byte("instance " + account))
	return "ID" + hex.EncodeToString(sum[:16])
}
