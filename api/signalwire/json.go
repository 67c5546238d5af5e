package signalwire

import (
	"strings"

	"callbox/api"
	"callbox/api/laml"
	"callbox/call"
)

// shapes are the resources as clients see them (call-api.md §1.2): durations are
// numbers, and the formatted numbers stand under both of their names.
var shapes = laml.Shapes{
	Call: laml.Resource[call.Record]{
		Keys: []string{
			"sid", "account_sid", "annotation", "answered_by", "api_version", "caller_name", "date_created", "date_updated", "direction",
			"duration", "end_time", "forwarded_from", "from", "formatted_from", "from_formatted", "group_sid", "parent_call_sid",
			"phone_number_sid", "price", "price_unit", "sip_result_code", "start_time", "status", "to", "formatted_to", "to_formatted",
			"uri", "subresource_uris",
		},
		Own: map[string]func(laml.View[call.Record]) any{
			"answered_by": func(v laml.View[call.Record]) any { return v.Text(answeredBy(v.X.AnsweredBy)) },
			"direction":   func(v laml.View[call.Record]) any { return direction(v.X.Direction) },
			"duration": func(v laml.View[call.Record]) any {
				if v.X.Ended == nil {
					return 0
				}
				return v.Seconds(v.X.Duration(*v.X.Ended))
			},
			"formatted_from": func(v laml.View[call.Record]) any { return laml.Formatted(v.X.From) },
			"formatted_to":   func(v laml.View[call.Record]) any { return laml.Formatted(v.X.To) },
			"sip_result_code": func(v laml.View[call.Record]) any {
				if v.X.Ended == nil {
					return nil
				}
				return v.Text(laml.SIPResult(v.X))
			},
		},
		Below: []string{"notifications", "recordings"},
	},
	Recording: laml.Resource[call.Recording]{
		Keys: []string{
			"sid", "account_sid", "api_version", "call_sid", "conference_sid", "channels", "date_created", "date_updated", "start_time",
			"duration", "price", "price_unit", "source", "status", "error_code", "track", "media_url", "uri", "subresource_uris",
		},
		Own: map[string]func(laml.View[call.Recording]) any{
			"duration": func(v laml.View[call.Recording]) any { return v.Seconds(v.X.Duration) },
		},
		Below: []string{"transcriptions"},
	},
	Stream: laml.Resource[call.Stream]{Keys: []string{"sid", "account_sid", "call_sid", "name", "status", "date_updated", "uri"}},
	Account: laml.Resource[api.Account]{
		Keys:  []string{"sid", "friendly_name", "status", "type", "date_created", "date_updated", "uri", "subresource_uris"},
		Below: []string{"applications", "calls", "conferences", "incoming_phone_numbers", "queues", "recordings"},
	},
	Application: laml.Resource[api.Application]{Keys: laml.ApplicationKeys},
	Number:      laml.Resource[api.Number]{Keys: laml.NumberKeys},
	Message:     laml.Resource[call.Message]{Keys: laml.MessageKeys, Below: []string{"media"}},
	CallerID:    laml.Resource[api.CallerID]{Keys: laml.CallerIDKeys},
	Conference: laml.Resource[call.Conference]{
		Keys: []string{
			"sid", "account_sid", "api_version", "date_created", "date_updated", "friendly_name", "region", "status", "uri", "subresource_uris",
		},
		Below: []string{"participants", "recordings"},
	},
	Participant: laml.Resource[laml.Party]{Keys: []string{
		"account_sid", "call_sid", "call_sid_to_coach", "coaching", "conference_sid", "date_created", "date_updated", "end_conference_on_exit",
		"hold", "label", "muted", "start_conference_on_enter", "status", "uri",
	}},
	Queue: laml.Resource[call.Queue]{Keys: []string{
		"sid", "account_sid", "average_wait_time", "current_size", "date_created", "date_updated", "friendly_name", "max_size", "uri", "subresource_uris",
	}, Below: []string{"members"}},
	Member: laml.Resource[call.QueueMember]{Keys: []string{"call_sid", "queue_sid", "date_enqueued", "position", "wait_time", "uri"}},
	Error:  renderError, ErrorSchema: errorSchema(),
}

// answeredBy is a verdict as the resource tells it: human or machine.
func answeredBy(verdict string) string {
	switch {
	case strings.HasPrefix(verdict, "machine"), verdict == "fax":
		return "machine"
	case verdict == "human":
		return verdict
	}
	return ""
}

// direction is a call's direction as the resource tells it; messages tell more.
func direction(d call.Direction) string {
	if d == call.Inbound {
		return "inbound"
	}
	return "outbound"
}

// errorSchema describes what renderError writes.
func errorSchema() *api.Schema {
	s, text := laml.FlatErrorSchema(Name), &api.Schema{Type: "string"}
	s.Fields = append(s.Fields, api.Field{Name: "errors", Required: true, Schema: &api.Schema{Type: "array", Items: &api.Schema{
		Type: "object", Strict: true, Fields: []api.Field{
			{Name: "code", Required: true, Schema: text}, {Name: "message", Required: true, Schema: text}, {Name: "more_info", Required: true, Schema: text},
		},
	}}})
	return s
}
