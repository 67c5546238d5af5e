package twilio_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	openapi "github.com/twilio/twilio-go/rest/api/v2010"

	"callbox/api"
	"callbox/api/apitest"
	"callbox/call"
)

const base = "/2010-04-01/Accounts/" + account

var randomSid = regexp.MustCompile(`(AP|PN|SK|SD|CL|CR)[0-9a-f]{32}`)

// stable replaces the random ids of a text.
func stable(s string) string {
	return randomSid.ReplaceAllStringFunc(apitest.Indent(s), func(id string) string {
		if id == appID || id == keyID {
			return id
		}
		return id[:2] + "00112233445566778899aabbccddeeff"
	})
}

func TestSDKApplications(t *testing.T) {
	g := newGateway(t)
	c := sdk(t, g, account, token)
	p := &openapi.CreateApplicationParams{}
	p.SetFriendlyName("sales").SetVoiceUrl("http://pbx.lan/sales").SetVoiceMethod("GET").SetVoiceFallbackUrl("http://pbx.lan/fallback").
		SetVoiceFallbackMethod("GET").SetStatusCallback("http://pbx.lan/status").SetStatusCallbackMethod("GET").
		SetSmsUrl("http://pbx.lan/sms").SetSmsMethod("GET").SetSmsFallbackUrl("http://pbx.lan/sms-fallback").SetMessageStatusCallback("http://pbx.lan/sms-status")
	made, err := c.Api.CreateApplication(p)
	if err != nil || !strings.HasPrefix(*made.Sid, "AP") || len(*made.Sid) != 34 {
		t.Fatalf("create: %+v, %v", made, err)
	}
	list := g.box.Applications().List(account)
	apitest.Golden(t, "application.model.json", stable(apitest.Fields(t, list[len(list)-1])))
	_, body := g.do(t, "GET", base+"/Applications/"+*made.Sid+".json", "")
	apitest.Golden(t, "application.json", stable(body))
	if got, err := c.Api.FetchApplication(*made.Sid, nil); err != nil || *got.VoiceUrl != "http://pbx.lan/sales" || *got.VoiceMethod != "GET" {
		t.Errorf("fetch: %+v, %v", got, err)
	}
	u := &openapi.UpdateApplicationParams{}
	u.SetFriendlyName("service").SetVoiceUrl("http://pbx.lan/service")
	got, err := c.Api.UpdateApplication(*made.Sid, u)
	if err != nil || *got.FriendlyName != "service" || *got.VoiceUrl != "http://pbx.lan/service" || *got.VoiceMethod != "GET" || *got.StatusCallback != "http://pbx.lan/status" {
		t.Errorf("update: %+v, %v", got, err)
	}
	call := &openapi.CreateCallParams{}
	call.SetTo("+15550100199").SetFrom("+15550100100").SetApplicationSid(*made.Sid)
	if _, err := c.Api.CreateCall(call); err != nil {
		t.Errorf("a call that runs it: %v", err)
	}
	if r := g.box.Requests()[0]; r.Script.Main.URL != "http://pbx.lan/service" || r.Application != *made.Sid {
		t.Errorf("the call: %+v", r)
	}
	all, err := c.Api.ListApplication((&openapi.ListApplicationParams{}).SetPageSize(1))
	if err != nil || len(all) != 2 || *all[0].Sid != *made.Sid {
		t.Errorf("list over two pages: %v, %v", all, err)
	}
	if all, err = c.Api.ListApplication((&openapi.ListApplicationParams{}).SetFriendlyName("service")); err != nil || len(all) != 1 {
		t.Errorf("list by name: %v, %v", all, err)
	}
	resp, body := g.do(t, "POST", base+"/Applications/"+*made.Sid+".json", "VoiceUrl=&StatusCallback=")
	if resp.StatusCode != 200 || !strings.Contains(body, `"voice_url":null`) || !strings.Contains(body, `"status_callback":null`) {
		t.Errorf("clear: %s %s", resp.Status, body)
	}
	wantError(t, second(c.Api.CreateCall(call)), 400, 21218)
	if err := c.Api.DeleteApplication(*made.Sid, nil); err != nil {
		t.Error(err)
	}
	wantError(t, second(c.Api.FetchApplication(*made.Sid, nil)), 404, 20404)
	wantError(t, c.Api.DeleteApplication(*made.Sid, nil), 404, 20404)
}

func TestSDKNumbers(t *testing.T) {
	g := newGateway(t)
	c := sdk(t, g, account, token)
	p := &openapi.CreateIncomingPhoneNumberParams{}
	p.SetPhoneNumber("+1 (555) 010-0101").SetVoiceUrl("http://pbx.lan/voice").SetVoiceMethod("GET").SetStatusCallback("http://pbx.lan/status").
		SetTrunkSid("TK" + trunkID[2:])
	made, err := c.Api.CreateIncomingPhoneNumber(p)
	if err != nil || !strings.HasPrefix(*made.Sid, "PN") || *made.PhoneNumber != "+15550100101" || *made.FriendlyName != "(555) 010-0101" {
		t.Fatalf("create: %+v, %v", made, err)
	}
	apitest.Golden(t, "number.model.json", stable(apitest.Fields(t, g.box.Numbers().List(account)[0])))
	_, body := g.do(t, "GET", base+"/IncomingPhoneNumbers/"+*made.Sid+".json", "")
	apitest.Golden(t, "number.json", stable(body))
	u := &openapi.UpdateIncomingPhoneNumberParams{}
	u.SetVoiceApplicationSid(appID).SetFriendlyName("front door")
	got, err := c.Api.UpdateIncomingPhoneNumber(*made.Sid, u)
	if err != nil || *got.VoiceApplicationSid != appID || *got.FriendlyName != "front door" || got.VoiceUrl != nil {
		t.Errorf("to an application: %+v, %v", got, err)
	}
	u = &openapi.UpdateIncomingPhoneNumberParams{}
	u.SetVoiceUrl("http://pbx.lan/again")
	if got, err = c.Api.UpdateIncomingPhoneNumber(*made.Sid, u); err != nil || got.VoiceApplicationSid != nil || *got.VoiceUrl != "http://pbx.lan/again" {
		t.Errorf("back to an address: %+v, %v", got, err)
	}
	for _, filter := range []string{"+15550100101", "+1 555 010 0101"} {
		if all, err := c.Api.ListIncomingPhoneNumber((&openapi.ListIncomingPhoneNumberParams{}).SetPhoneNumber(filter)); err != nil || len(all) != 1 {
			t.Errorf("list by %s: %v, %v", filter, all, err)
		}
	}
	if all, err := c.Api.ListIncomingPhoneNumber((&openapi.ListIncomingPhoneNumberParams{}).SetPhoneNumber("+15550100102")); err != nil || len(all) != 0 {
		t.Errorf("list by another number: %v, %v", all, err)
	}
	id := createCall(t, g, "To", "+15550100199", "From", "+15550100101", "Url", "http://pbx.lan/voice")
	if one, err := c.Api.FetchCall(id, nil); err != nil || *one.PhoneNumberSid != *made.Sid {
		t.Errorf("a call from it: %+v, %v", one, err)
	}
	for body, code := range map[string]int{
		"": 21452, "AreaCode=415": 21452, "PhoneNumber=x": 21421, "PhoneNumber=sip:a@b": 21421, "PhoneNumber=%2B15550100102&VoiceUrl=x": 20001,
		"PhoneNumber=%2B15550100102&VoiceApplicationSid=AP1":                                21218,
		"PhoneNumber=%2B15550100102&VoiceApplicationSid=APffffffffffffffffffffffffffffffff": 21218,
		"PhoneNumber=%2B15550100102&TrunkSid=TKffffffffffffffffffffffffffffffff":            20001,
		"PhoneNumber=%2B15550100102&VoiceMethod=PUT":                                        21209,
	} {
		resp, answer := g.do(t, "POST", base+"/IncomingPhoneNumbers.json", body)
		wantProblem(t, body, resp, answer, 400, code)
	}
	if n := len(g.box.Numbers().List(account)); n != 1 {
		t.Errorf("%d numbers", n)
	}
	if err := c.Api.DeleteIncomingPhoneNumber(*made.Sid, nil); err != nil {
		t.Error(err)
	}
	wantError(t, second(c.Api.FetchIncomingPhoneNumber(*made.Sid, nil)), 404, 20404)
}

func TestSDKKeys(t *testing.T) {
	g := newGateway(t)
	c := sdk(t, g, account, token)
	made, err := c.Api.CreateNewKey((&openapi.CreateNewKeyParams{}).SetFriendlyName("laptop"))
	if err != nil || len(*made.Secret) != 32 || strings.Trim(*made.Secret, "0123456789abcdef") != "" || !strings.HasPrefix(*made.Sid, "SK") {
		t.Fatalf("create: %+v, %v", made, err)
	}
	if got, err := c.Api.UpdateKey(*made.Sid, (&openapi.UpdateKeyParams{}).SetFriendlyName("desk")); err != nil || *got.FriendlyName != "desk" {
		t.Errorf("update: %+v, %v", got, err)
	}
	_, body := g.do(t, "GET", base+"/Keys.json", "")
	apitest.Golden(t, "keys.json", stable(body))
	if strings.Contains(body, *made.Secret) {
		t.Error("the list tells the secret")
	}
	if signing, err := c.Api.ListSigningKey(nil); err != nil || len(signing) != 1 {
		t.Errorf("signing keys: %v, %v", signing, err)
	}
	if err := c.Api.DeleteKey(*made.Sid, nil); err != nil {
		t.Error(err)
	}
	wantError(t, second(c.Api.FetchKey(*made.Sid, nil)), 404, 20404)
}

func TestAbsent(t *testing.T) {
	g := newGateway(t)
	id := createCall(t, g, "To", "+15550100199", "From", "+15550100100", "Url", "http://pbx.lan/voice")
	for _, path := range []string{
		"/Messages/SM1/Media.json",
		"/SIP/IpAccessControlLists.json", "/SIP/Domains/SD1/IpAccessControlListMappings.json", "/Addresses.json", "/AvailablePhoneNumbers/US/Local.json", "/Calls/" + id + "/Events.json",
	} {
		for _, method := range []string{"GET", "POST"} {
			resp, body := g.do(t, method, base+path, "")
			wantProblem(t, path, resp, body, 404, 20404)
			if !strings.Contains(body, "This box has no ") {
				t.Errorf("%s: %s", path, body)
			}
		}
	}
	resp, body := g.do(t, "GET", base+"/Nothing.json", "")
	wantProblem(t, "an unknown path", resp, body, 404, 20404)
}

// TestXML asks without ".json": resources, lists, errors.
func TestXML(t *testing.T) {
	g := newGateway(t)
	id := createCall(t, g, "To", "sip:alice@biloxi.example", "From", "+15550100100", "Url", "http://pbx.lan/voice")
	check := func(name, path string, status int, header ...string) {
		t.Helper()
		resp, body := g.do(t, "GET", base+path, "", header...)
		if resp.StatusCode != status || resp.Header.Get("Content-Type") != "application/xml" {
			t.Errorf("%s: %s %s", path, resp.Status, resp.Header.Get("Content-Type"))
		}
		apitest.Golden(t, name, localHost.ReplaceAllString(randomCall.ReplaceAllString(body, "CA00112233445566778899aabbccddeeff"), "box.lan:8080"))
	}
	check("call.xml", "/Calls/"+id, 200)
	check("call.xml", "/Calls/"+id+".xml", 200, "Accept", "application/json")
	check("list.xml", "/Calls?PageSize=1", 200)
	check("notfound.xml", "/Calls/CA00000000000000000000000000000000", 404)
	check("applications.xml", "/Applications", 200)
	resp, body := g.do(t, "GET", base+"/Calls/"+id, "", "Accept", "application/json")
	if resp.StatusCode != 200 || !strings.HasPrefix(body, "{") {
		t.Errorf("a client that accepts JSON: %s %s", resp.Status, body)
	}
	g.box.AddRecording(recording("RE00112233445566778899aabbccddeeff", id), []byte("RIFF"))
	check("recording.xml", "/Recordings/RE00112233445566778899aabbccddeeff.xml", 200)
	resp, body = g.do(t, "POST", base+"/Calls", good())
	if resp.StatusCode != http.StatusCreated || !strings.Contains(body, "<TwilioResponse><Call><Sid>CA") {
		t.Errorf("create: %s %s", resp.Status, body)
	}
}

// TestForeignSettings keeps accounts apart.
func TestForeignSettings(t *testing.T) {
	g := newGateway(t)
	foreign, err := g.box.Applications().Create(t.Context(), other, api.Application{ID: "APeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee", Script: call.ScriptSource{Main: call.Hook{URL: "http://x/"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"GET", "POST", "DELETE"} {
		resp, body := g.do(t, method, fmt.Sprintf("%s/Applications/%s.json", base, foreign.ID), "")
		wantProblem(t, method, resp, body, 404, 20404)
	}
	resp, body := g.do(t, "POST", calls+".json", form("To", "+15550100199", "From", "+15550100100", "ApplicationSid", foreign.ID))
	wantProblem(t, "a call", resp, body, 400, 21218)
}
