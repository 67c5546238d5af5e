package twilio_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/twilio/twilio-go/client"

	"callbox/api"
	"callbox/api/apitest"
	"callbox/api/laml"
	"callbox/api/twilio"
	"callbox/call"
)

// TestTextHooks: what applications are asked and told about text messages, with a
// signature that the vendor's validator accepts.
func TestTextHooks(t *testing.T) {
	d := twilio.New(laml.Config{})
	at := noon
	arrived := call.Message{ID: "SM00112233445566778899aabbccddeeff", API: "twilio", Account: account, Direction: call.Inbound, From: "+15550100199", To: "+15550100100",
		Body: "Ist es noch da? 😀", Segments: 2, Line: "gsm1", Status: call.MessageReceived, Created: at}
	asked := d.TextRequest(call.Hook{URL: "http://pbx.lan/sms?x=1"}, arrived)
	failed := arrived
	failed.Direction, failed.Status, failed.Error, failed.Hook = call.OutboundAPI, call.MessageUndelivered, "the message has expired", call.Hook{URL: "http://pbx.lan/status", Method: http.MethodGet}
	told := d.TextCallback(failed)
	if len(told) != 1 {
		t.Fatalf("%d messages", len(told))
	}
	apitest.Golden(t, "text-hooks.request.json", apitest.Indent(apitest.Fields(t, []api.Outgoing{asked, told[0]})))
	params := map[string]string{}
	for _, p := range asked.Params {
		params[p.Name] = p.Value
	}
	name, signature := d.Sign(token, asked)
	v := client.NewRequestValidator(token)
	if name != "X-Twilio-Signature" || !v.Validate(asked.URL, params, signature) {
		t.Errorf("%s %s does not validate", name, signature)
	}
	if _, err := url.Parse(asked.URL); err != nil {
		t.Error(err)
	}
	waiting := failed
	waiting.Status = call.MessageQueued
	if n := d.TextCallback(waiting); len(n) != 0 {
		t.Errorf("told of what is tried again: %v", n)
	}
}
