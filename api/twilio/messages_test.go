package twilio_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	openapi "github.com/twilio/twilio-go/rest/api/v2010"

	"callbox/api/apitest"
	"callbox/api/laml"
	"callbox/api/twilio"
	"callbox/call"
)

// messenger is a box that has a line for text messages.
func messenger(t *testing.T) gateway {
	t.Helper()
	box := newBox()
	box.TakeMessages()
	return serveBox(t, box)
}

func TestSDKMessages(t *testing.T) {
	g := messenger(t)
	c := sdk(t, g, account, token)
	p := &openapi.CreateMessageParams{}
	p.SetTo("+1 (555) 010-0199").SetFrom("+15550100100").SetBody("Your order is ready").SetStatusCallback("http://pbx.lan/sms")
	made, err := c.Api.CreateMessage(p)
	if err != nil || !strings.HasPrefix(*made.Sid, "SM") || *made.Status != "queued" || *made.To != "+15550100199" || *made.NumSegments != "1" {
		t.Fatalf("create: %+v, %v", made, err)
	}
	fixed := func(s string) string {
		return strings.ReplaceAll(apitest.Indent(s), *made.Sid, "SM00112233445566778899aabbccddeeff")
	}
	apitest.Golden(t, "message.model.json", fixed(apitest.Fields(t, g.box.SentMessages()[0])))
	sent := noon.Add(time.Minute)
	g.box.EditMessage(*made.Sid, func(m *call.Message) { m.Status, m.Sent = call.MessageSent, &sent })
	for name, path := range map[string]string{"message.json": "/Messages/" + *made.Sid + ".json", "message.xml": "/Messages/" + *made.Sid, "messages.json": "/Messages.json?DateSent%3E=2026-01-02"} {
		resp, body := g.do(t, "GET", base+path, "")
		if resp.StatusCode != 200 {
			t.Errorf("%s: %s", path, resp.Status)
		}
		apitest.Golden(t, name, fixed(body))
	}
	if _, err = c.Api.CreateMessage((&openapi.CreateMessageParams{}).SetTo("+15550100188").SetFrom("+15550100100").SetBody("x").SetApplicationSid(appID)); err != nil {
		t.Error(err)
	}
	for filter, want := range map[string]int{"": 2, "To=%2B15550100199": 1, "From=%2B15550100100": 2, "From=%2B15550100101": 0, "DateSent=2026-01-02": 1, "DateSent%3C=2026-01-01": 0, "PageSize=1": 1} {
		_, body := g.do(t, "GET", base+"/Messages.json?"+filter, "")
		if n := strings.Count(body, `"sid":`); n != want {
			t.Errorf("%q: %d messages, want %d", filter, n, want)
		}
	}
	if all, err := c.Api.ListMessage((&openapi.ListMessageParams{}).SetPageSize(1)); err != nil || len(all) != 2 {
		t.Errorf("list over two pages: %v, %v", all, err)
	}
	g.box.EditMessage(*made.Sid, func(m *call.Message) { m.Status, m.Error = call.MessageFailed, "the network refused it" })
	if got, err := c.Api.FetchMessage(*made.Sid, nil); err != nil || *got.ErrorCode != 30008 || *got.ErrorMessage != "the network refused it" {
		t.Errorf("a failed message: %+v, %v", got, err)
	}
	if err := c.Api.DeleteMessage(*made.Sid, nil); err != nil {
		t.Error(err)
	}
	wantError(t, second(c.Api.FetchMessage(*made.Sid, nil)), 404, 20404)
	wantError(t, c.Api.DeleteMessage(*made.Sid, nil), 404, 20404)
}

func TestMessageRefuses(t *testing.T) {
	g := messenger(t)
	message := func(pairs ...string) string {
		return apitest.FormWith([]string{"To", "+15550100199", "From", "+15550100100", "Body", "hi"}, pairs...)
	}
	for body, code := range map[string]int{
		message("To", ""): 21604, message("To", "alice"): 21211, message("To", "sip:a@b.example"): 21211,
		message("From", ""): 21603, message("From", "alice"): 21212, message("From", "+15550100199"): 21266,
		message("From", "", "MessagingServiceSid", "MG0123"): 20001,
		message("Body", ""): 21602, message("Body", strings.Repeat("x", 1601)): 21617,
		message("MediaUrl", "http://media.lan/cat.jpg"): 21620, message("ContentSid", "HX1"): 20001, message("SendAt", "2026-01-02T12:00:00Z"): 20001,
		message("StatusCallback", "x"): 21609, message("ApplicationSid", "APffffffffffffffffffffffffffffffff"): 21218,
	} {
		resp, answer := g.do(t, "POST", base+"/Messages.json", body)
		wantProblem(t, body[:min(len(body), 100)], resp, answer, 400, code)
	}
	if n := len(g.box.SentMessages()); n != 0 {
		t.Errorf("%d messages were sent", n)
	}
}

// TestNoMessenger: a box without a line for text messages checks a message all
// the same, says that it cannot send it, and has none to show.
func TestNoMessenger(t *testing.T) {
	g := newGateway(t)
	c := sdk(t, g, account, token)
	resp, body := g.do(t, "POST", base+"/Messages.json", form("To", "+15550100199", "From", "+15550100100", "Body", "hi"))
	wantProblem(t, "send", resp, body, 400, 21606)
	if !strings.Contains(body, "no line of this box sends text messages") {
		t.Error(body)
	}
	resp, body = g.do(t, "POST", base+"/Messages.json", form("To", "+15550100199", "From", "+15550100100"))
	wantProblem(t, "without a text", resp, body, 400, 21602)
	if all, err := c.Api.ListMessage(nil); err != nil || len(all) != 0 {
		t.Errorf("list: %v, %v", all, err)
	}
	wantError(t, second(c.Api.FetchMessage("SM00112233445566778899aabbccddeeff", nil)), 404, 20404)
	wantError(t, c.Api.DeleteMessage("SM00112233445566778899aabbccddeeff", nil), 404, 20404)
}

// TestCallerID: once numbers are set up, calls to numbers show one of them, or
// that of the caller whose call is forwarded.
func TestCallerID(t *testing.T) {
	box := newBox()
	box.Own("+15550100100")
	g := serveBox(t, box)
	d := twilio.New(laml.Config{Accounts: box})
	in := call.Record{ID: "CA00112233445566778899aabbccddeeff", Account: account, Direction: call.Inbound, From: "+15550100177", To: "+15550100100", Created: time.Now()}
	callToken := func(rec call.Record) string {
		for _, p := range d.DocumentRequest(call.Hook{URL: "http://pbx.lan/voice"}, rec, nil).Params {
			if p.Name == "CallToken" {
				return p.Value
			}
		}
		return ""
	}
	good1 := callToken(in)
	if good1 == "" || callToken(call.Record{Account: account, Direction: call.OutboundAPI, From: "+15550100177"}) != "" {
		t.Fatalf("tokens: %q", good1)
	}
	old, foreign := in, in
	old.Created, foreign.Account = time.Now().Add(-25*time.Hour), other
	for name, tc := range map[string]struct {
		form    string
		refused bool
	}{
		"own":                      {good(), false},
		"foreign":                  {good("From", "+15550100177"), true},
		"shown instead":            {good("From", "+15550100177", "CallerId", "+15550100100"), false},
		"foreign shown instead":    {good("CallerId", "+15550100177"), true},
		"to a SIP address":         {good("From", "+15550100177", "To", "sip:alice@biloxi.example"), false},
		"a name":                   {good("From", "client:bob", "To", "client:alice"), false},
		"forwarded":                {good("From", "+15550100177", "CallToken", good1), false},
		"forwarded as another":     {good("From", "+15550100178", "CallToken", good1), true},
		"with an old token":        {good("From", "+15550100177", "CallToken", callToken(old)), true},
		"with another's token":     {good("From", "+15550100177", "CallToken", callToken(foreign)), true},
		"with a forged token":      {good("From", "+15550100177", "CallToken", good1[:len(good1)-1]+"_"), true},
		"own with any other token": {good("CallToken", "x"), false},
	} {
		resp, body := g.do(t, "POST", calls+".json", tc.form)
		if tc.refused {
			wantProblem(t, name, resp, body, 400, 21210)
		} else if resp.StatusCode != http.StatusCreated {
			t.Errorf("%s: %s %s", name, resp.Status, body)
		}
		if told := strings.Contains(resp.Header.Get("Callbox-Warning"), "CallToken was ignored"); told != (strings.Contains(name, "with a") || strings.Contains(name, "any other")) {
			t.Errorf("%s: warnings %q", name, resp.Header.Values("Callbox-Warning"))
		}
	}
}
