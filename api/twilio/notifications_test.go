package twilio_test

import (
	"strings"
	"testing"

	"callbox/api/apitest"
	"callbox/call"
)

// TestNotifications holds what the list of a call's warnings makes of them, and of
// why the call failed.
func TestNotifications(t *testing.T) {
	g := newGateway(t)
	var out strings.Builder
	for _, tc := range []struct {
		title string
		edit  func(*call.Record)
	}{
		{"warnings of documents, with numbers and without", func(r *call.Record) {
			r.Warnings = []string{"line 3: <Sing> is not known and was skipped (12200)", "the queue support is full (14207)", "the far end put the call on hold"}
		}},
		{"a client whose phone is away", func(r *call.Record) {
			r.To, r.Cause = "client:alice", &call.Cause{Q850: call.Q850Absent, SIP: 480, Who: call.Box, Text: "user alice has no phone registered"}
		}},
		{"a SIP address where nobody answers", func(r *call.Record) {
			r.To, r.Cause = "sip:bob@192.0.2.1", &call.Cause{Q850: call.Q850Temporary, SIP: 408, Who: call.Network, Text: "the SIP line cannot be reached"}
		}},
		{"a SIP address whose host has no address", func(r *call.Record) {
			r.To, r.Cause = "sip:bob@nosuch.example", &call.Cause{Q850: call.Q850NoRoute, SIP: 503, Who: call.Box, Text: "there is no such host"}
		}},
		{"the same in a Dial", func(r *call.Record) {
			r.Direction, r.To = call.OutboundDial, "sip:bob@nosuch.example"
			r.Cause = &call.Cause{Q850: call.Q850NoRoute, SIP: 503, Who: call.Box, Text: "there is no such host"}
		}},
		{"a busy party, which is no trouble", func(r *call.Record) {
			r.To, r.Cause = "sip:bob@192.0.2.1", &call.Cause{Q850: call.Q850Busy, SIP: 486, Who: call.Remote, Text: "bob is busy"}
		}},
	} {
		id := createCall(t, g, "To", "+15550100199", "From", "+15550100100", "Url", "http://pbx.lan/voice")
		g.box.Edit(id, func(r *call.Record) {
			r.State, r.Ended = call.Failed, &noon
			tc.edit(r)
		})
		_, body := g.do(t, "GET", calls+"/"+id+"/Notifications.json", "")
		out.WriteString("=== " + tc.title + "\n")
		for line := range strings.Lines(apitest.Indent(body)) {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, `"error_code"`) || strings.HasPrefix(line, `"message_text"`) || strings.HasPrefix(line, `"log"`) {
				out.WriteString(line + "\n")
			}
		}
	}
	golden(t, "notifications.txt", out.String())
}
