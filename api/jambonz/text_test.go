package jambonz

import (
	"strings"
	"testing"

	"callbox/call"
)

// TestTextHooks: what a messaging hook is told of a text message, as the API's own
// gateway puts it.
func TestTextHooks(t *testing.T) {
	d := New(Config{})
	m := call.Message{ID: "7d5e8f1c-52a4-4f08-9b7a-1f2e3d4c5b6a", API: Name, Account: "AC1", Direction: call.Inbound, From: "+15550199", To: "+15550123", Body: "ça va? 😀",
		Line: "gsm2", Status: call.MessageReceived}
	o := d.TextRequest(call.Hook{URL: "http://app.lan/messaging"}, m)
	want := `{"carrier":"gsm2","messageSid":"7d5e8f1c-52a4-4f08-9b7a-1f2e3d4c5b6a","message_sid":"7d5e8f1c-52a4-4f08-9b7a-1f2e3d4c5b6a",` +
		`"accountSid":"AC1","account_sid":"AC1","from":"+15550199","to":"+15550123","text":"ça va? 😀"}`
	if string(o.JSON) != want || o.Method != "POST" || o.URL != "http://app.lan/messaging" {
		t.Errorf("%s %s\n%s\nwant\n%s", o.Method, o.URL, o.JSON, want)
	}
	m.Status, m.Error, m.Hook = call.MessageFailed, "no network", call.Hook{URL: "http://app.lan/status"}
	list := d.TextCallback(m)
	if len(list) != 1 || !strings.Contains(string(list[0].JSON), `"message_status":"failed","message_failure_reason":"no network"`) {
		t.Errorf("%+v", list)
	}
}
