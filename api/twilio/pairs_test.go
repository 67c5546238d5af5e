package twilio_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"callbox/api"
	"callbox/api/apitest"
	"callbox/api/laml"
	"callbox/api/twilio"
	"callbox/call"
)

// TestCreatePairs holds, for every parameter of Create Call, what is made of it.
func TestCreatePairs(t *testing.T) {
	g := newGateway(t)
	g.Create(t, calls+".json", good(), call.Request{}, stable)
	plain := g.box.Requests()[0]
	seen := apitest.Pairs(t, "create.pairs", func(t *testing.T, in []string) []string {
		return g.Create(t, calls+".json", good(in...), plain, stable)
	})
	for _, p := range twilio.CreateParams {
		if !seen[p.Name] {
			t.Errorf("%s has no pair", p.Name)
		}
	}
}

// TestErrorPairs holds an answer for every code that the box gives (§1.5), and
// that there is one for each.
func TestErrorPairs(t *testing.T) {
	const gone = calls + "/CA00000000000000000000000000000000.json"
	cause := func(q850 int) error { return call.Cause{Q850: q850, SIP: 404, Who: call.Box, Text: "the reason"} }
	post := func(pairs ...string) func(gateway) (string, string, string) {
		return func(gateway) (string, string, string) { return "POST", calls + ".json", good(pairs...) }
	}
	failing := func(err error) func(gateway) (string, string, string) {
		return func(g gateway) (string, string, string) {
			g.box.FailNext(err)
			return "POST", calls + ".json", good()
		}
	}
	live := func(method, form string, edit func(*call.Record)) func(gateway) (string, string, string) {
		return func(g gateway) (string, string, string) {
			id := createCall(t, g, "To", "+15550100199", "From", "+15550100100", "Url", "http://pbx.lan/voice")
			if edit != nil {
				g.box.Edit(id, edit)
			}
			return method, calls + "/" + id + ".json", form
		}
	}
	setting := func(path, form string) func(gateway) (string, string, string) {
		return func(gateway) (string, string, string) { return "POST", base + path + ".json", form }
	}
	ended := func(r *call.Record) { r.State = call.Completed; r.Ended = &noon }
	list := []struct {
		code laml.Code
		what string
		ask  func(gateway) (method, path, form string)
	}{
		{laml.CodeInvalid, "a parameter that cannot be", post("Record", "yes")},
		{laml.CodeInvalid, "a page without its token", func(gateway) (string, string, string) { return "GET", calls + ".json?Page=1", "" }},
		{laml.CodeUnauthorized, "a wrong token", nil},
		{laml.CodeMethod, "a method that is not there", func(gateway) (string, string, string) { return "PUT", calls + ".json", "" }},
		{laml.CodeInactive, "a suspended account", nil},
		{laml.CodeNotEnded, "deleting a live call", live("DELETE", "", nil)},
		{laml.CodeForbidden, "verifying a number by a call", setting("/OutgoingCallerIds", "PhoneNumber=%2B15550100199")},
		{laml.CodeNotFound, "a call that is not there", func(gateway) (string, string, string) { return "GET", gone, "" }},
		{laml.CodeNotFound, "what the box does not have", func(gateway) (string, string, string) { return "GET", base + "/Addresses.json", "" }},
		{laml.CodeInUse, "deleting what is in use", nil},
		{laml.CodeTooMany, "too many calls", failing(call.ErrLimit)},
		{laml.CodeInternal, "a failure of the box", failing(errors.New("the disk is full"))},
		{laml.CodeUnavailable, "a box that stops", failing(call.ErrStopping)},
		{laml.CodeUnavailable, "a line that is down", failing(cause(call.Q850OutOfOrder))},
		{laml.CodeNoTo, "no To", post("To", "")},
		{laml.CodeURL, "no Url", post("Url", "")},
		{laml.CodeURL, "a Url that cannot be", post("Url", "voice.xml")},
		{laml.CodeSendDigits, "SendDigits", post("SendDigits", "12x")},
		{laml.CodeTimeout, "Timeout", post("Timeout", "601")},
		{laml.CodeHTTPMethod, "Method", post("Method", "PUT")},
		{laml.CodeNotOwned, "a From that is not the account's", nil},
		{laml.CodeTo, "To", post("To", "nobody!")},
		{laml.CodeFrom, "From", post("From", "<script>")},
		{laml.CodeNoFrom, "no From", post("From", "")},
		{laml.CodeUnreachable, "no route", failing(cause(call.Q850NoRoute))},
		{laml.CodeGeo, "a country that is not allowed", failing(&call.TollError{Reason: call.TollCountry, Text: "+442071838750 may not be called: this account may call US only"})},
		{laml.CodeGeo, "an hour that is not allowed", failing(&call.TollError{Reason: call.TollHours, Text: "this account may call from 07:00 to 19:30 only, and it is 22:10"})},
		{laml.CodeBlocked, "a number that is denied", failing(&call.TollError{Reason: call.TollNumber, Text: "+19005550123 may not be called: +1900 is denied to this box"})},
		{laml.CodeTooMany, "the minutes of a day", failing(&call.TollError{Reason: call.TollMinutes, Text: "this account has used its 60 minutes of today; they begin anew at midnight"})},
		{laml.CodeNotANumber, "a number that cannot be", failing(cause(call.Q850InvalidNumber))},
		{laml.CodeApplication, "ApplicationSid", post("Url", "", "ApplicationSid", "APffffffffffffffffffffffffffffffff")},
		{laml.CodeState, "changing a call that is over", live("POST", "Status=completed", ended)},
		{laml.CodeUserLong, "a long SIP user", post("SipAuthUsername", strings.Repeat("x", 256), "SipAuthPassword", "x")},
		{laml.CodeUserChars, "an odd SIP user", post("SipAuthUsername", "a b", "SipAuthPassword", "x")},
		{laml.CodePasswordLong, "a long SIP password", post("SipAuthUsername", "a", "SipAuthPassword", strings.Repeat("x", 256))},
		{laml.CodePasswordChars, "an odd SIP password", post("SipAuthUsername", "a", "SipAuthPassword", "x\ny")},
		{laml.CodeNoPassword, "no SIP password", post("SipAuthUsername", "a")},
		{laml.CodeHeadersLong, "long headers", post("To", "sip:a@b.example?X-A="+strings.Repeat("1", 1100))},
		{laml.CodeHeaderName, "a header's name", post("To", "sip:a@b.example?Via=x")},
		{laml.CodeHeaderValue, "a header's value", post("To", "sip:a@b.example?X-A=%0d%0aVia:x")},
		{laml.CodeAMD, "MachineDetection", post("MachineDetection", "yes")},
		{laml.CodeNoAMDCallback, "AsyncAmd without a callback", post("MachineDetection", "Enable", "AsyncAmd", "true")},
		{laml.CodeAMDCombination, "AsyncAmd alone", post("AsyncAmd", "true", "AsyncAmdStatusCallback", "http://pbx.lan/amd")},
		{laml.CodeNumber, "a number to set up", setting("/IncomingPhoneNumbers", "PhoneNumber=x")},
		{laml.CodeTaken, "a number that is there", nil},
		{laml.CodeNoNumbers, "no number to set up", setting("/IncomingPhoneNumbers", "AreaCode=415")},
		{laml.CodeSameParties, "a message to oneself", setting("/Messages", "To=%2B15550100100&From=%2B15550100100&Body=x")},
		{laml.CodeNoBody, "a message without a text", setting("/Messages", "To=%2B15550100199&From=%2B15550100100")},
		{laml.CodeNoMessageFrom, "a message from nobody", setting("/Messages", "To=%2B15550100199&Body=x")},
		{laml.CodeNoMessageTo, "a message to nobody", setting("/Messages", "From=%2B15550100100&Body=x")},
		{laml.CodeNoMessenger, "a message without a line", setting("/Messages", "To=%2B15550100199&From=%2B15550100100&Body=x")},
		{laml.CodeMessageCallback, "a message's callback", setting("/Messages", "To=%2B15550100199&From=%2B15550100100&Body=x&StatusCallback=x")},
		{laml.CodeBodyLong, "a long message", setting("/Messages", "To=%2B15550100199&From=%2B15550100100&Body="+strings.Repeat("x", 1601))},
		{laml.CodeMedia, "a message with a picture", setting("/Messages", "To=%2B15550100199&From=%2B15550100100&Body=x&MediaUrl=http://x.lan/")},
		{laml.CodeTwimlLong, "a long Twiml", post("Url", "", "Twiml", "<Response>"+strings.Repeat(" ", 4000)+"</Response>")},
		{12100, "a Twiml that is no XML", post("Url", "", "Twiml", "<Response>")},
		{12102, "a Twiml of another root", post("Url", "", "Twiml", "<Answer/>")},
		{laml.CodeTwimlAndURL, "Twiml beside Url", post("Twiml", "<Response/>")},
	}
	var out strings.Builder
	seen := map[laml.Code]bool{}
	for _, tc := range list {
		resp, body := askProblem(t, tc.code, tc.ask)
		seen[tc.code] = true
		text := stable(strings.TrimSpace(randomCall.ReplaceAllString(body, "CA00112233445566778899aabbccddeeff")))
		if tc.code == laml.CodeTwimlAndURL { // a warning only
			text = resp.Header.Get("Callbox-Warning")
		}
		if !strings.Contains(text, fmt.Sprint(int(tc.code))) {
			t.Errorf("%s: %d %s, want %d", tc.what, resp.StatusCode, text, tc.code)
		}
		fmt.Fprintf(&out, "=== %d %s\n%d %s\n\n", tc.code, tc.what, resp.StatusCode, text)
	}
	golden(t, "errors.txt", out.String())
	for _, c := range laml.Codes {
		if !seen[c] && c != laml.CodePrice && c != laml.CodePageAlone && c != laml.CodePageToken { // other dialects'
			t.Errorf("code %d has no pair", c)
		}
	}
}

// askProblem makes a request that is refused. Those that need a box of their own
// have no ask.
func askProblem(t *testing.T, code laml.Code, ask func(gateway) (method, path, form string)) (*http.Response, string) {
	t.Helper()
	box := newBox()
	switch code {
	case laml.CodeNotOwned:
		box.Own("+15550100123")
	case laml.CodeInactive:
		box = apitest.New(noon, api.Account{ID: account, Token: token, Suspended: true})
	}
	g := serveBox(t, box)
	method, path, body := "POST", calls+".json", good()
	switch {
	case ask != nil:
		method, path, body = ask(g)
	case code == laml.CodeUnauthorized:
		g.Password = "wrong"
	case code == laml.CodeTaken:
		box.FailSettings(api.ErrTaken)
		path, body = base+"/IncomingPhoneNumbers.json", "PhoneNumber=%2B15550100101"
	case code == laml.CodeInUse:
		box.FailSettings(&api.InUseError{By: "number +15550100101"})
		method, path, body = "DELETE", base+"/Applications/"+appID+".json", ""
	}
	return g.do(t, method, path, body)
}
