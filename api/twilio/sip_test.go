package twilio_test

import (
	"strings"
	"testing"

	openapi "github.com/twilio/twilio-go/rest/api/v2010"

	"callbox/api"
	"callbox/api/apitest"
)

// TestSDKSIP makes with the vendor's client what a phone needs to register.
func TestSDKSIP(t *testing.T) {
	g := newGateway(t)
	c := sdk(t, g, account, token)
	list, err := c.Api.CreateSipCredentialList((&openapi.CreateSipCredentialListParams{}).SetFriendlyName("phones"))
	if err != nil || !strings.HasPrefix(*list.Sid, "CL") || *list.FriendlyName != "phones" {
		t.Fatalf("list: %+v, %v", list, err)
	}
	cred, err := c.Api.CreateSipCredential(*list.Sid, (&openapi.CreateSipCredentialParams{}).SetUsername("alice").SetPassword("IWasAtSignal2018"))
	if err != nil || !strings.HasPrefix(*cred.Sid, "CR") || *cred.Username != "alice" || *cred.CredentialListSid != *list.Sid {
		t.Fatalf("credential: %+v, %v", cred, err)
	}
	p := &openapi.CreateSipDomainParams{}
	p.SetDomainName("biloxi.sip.example").SetVoiceUrl("http://pbx.lan/voice").SetVoiceMethod("GET").SetVoiceFallbackUrl("http://pbx.lan/fallback").
		SetVoiceStatusCallbackUrl("http://pbx.lan/status").SetSipRegistration(true)
	domain, err := c.Api.CreateSipDomain(p)
	if err != nil || !strings.HasPrefix(*domain.Sid, "SD") || *domain.FriendlyName != "biloxi.sip.example" || !*domain.SipRegistration {
		t.Fatalf("domain: %+v, %v", domain, err)
	}
	if m, err := c.Api.CreateSipAuthRegistrationsCredentialListMapping(*domain.Sid,
		(&openapi.CreateSipAuthRegistrationsCredentialListMappingParams{}).SetCredentialListSid(*list.Sid)); err != nil || *m.Sid != *list.Sid {
		t.Fatalf("mapping for registrations: %+v, %v", m, err)
	}
	if m, err := c.Api.CreateSipAuthCallsCredentialListMapping(*domain.Sid,
		(&openapi.CreateSipAuthCallsCredentialListMappingParams{}).SetCredentialListSid(*list.Sid)); err != nil || *m.Sid != *list.Sid {
		t.Fatalf("mapping for calls: %+v, %v", m, err)
	}
	apitest.Golden(t, "domain.model.json", stable(apitest.Fields(t, g.box.Domains().List(account)[0])))
	apitest.Golden(t, "credential.model.json", stable(apitest.Fields(t, g.box.Users().List(account)[0])))
	lists, dom := "/SIP/CredentialLists/"+*list.Sid, "/SIP/Domains/"+*domain.Sid
	for name, path := range map[string]string{
		"domain.json": dom + ".json", "domain.xml": dom, "credentiallist.json": lists + ".json",
		"credentials.json": lists + "/Credentials.json", "credentials.xml": lists + "/Credentials", "mappings.json": dom + "/CredentialListMappings.json",
		"mapping.json": dom + "/Auth/Registrations/CredentialListMappings/" + *list.Sid + ".json",
	} {
		resp, body := g.do(t, "GET", base+path, "")
		if resp.StatusCode != 200 || strings.Contains(body, "IWasAtSignal2018") {
			t.Errorf("%s: %s %s", path, resp.Status, body)
		}
		apitest.Golden(t, name, stable(body))
	}
	if all, err := c.Api.ListSipAuthRegistrationsCredentialListMapping(*domain.Sid, nil); err != nil || len(all) != 1 {
		t.Errorf("mappings for registrations: %v, %v", all, err)
	}
	if all, err := c.Api.ListSipCredentialListMapping(*domain.Sid, nil); err != nil || len(all) != 1 {
		t.Errorf("mappings by the old path: %v, %v", all, err)
	}
	if _, err := c.Api.UpdateSipCredential(*list.Sid, *cred.Sid, (&openapi.UpdateSipCredentialParams{}).SetPassword("AnotherSignal2019")); err != nil {
		t.Error(err)
	}
	if u := g.box.Users().List(account)[0]; u.Password != "AnotherSignal2019" || u.Name != "alice" {
		t.Errorf("after the change: %+v", u)
	}
	got, err := c.Api.UpdateSipDomain(*domain.Sid, (&openapi.UpdateSipDomainParams{}).SetSipRegistration(false).SetVoiceUrl("http://pbx.lan/other"))
	if err != nil || *got.SipRegistration || *got.VoiceUrl != "http://pbx.lan/other" || *got.DomainName != "biloxi.sip.example" {
		t.Errorf("update: %+v, %v", got, err)
	}
	if got, err = c.Api.UpdateSipDomain(*domain.Sid, (&openapi.UpdateSipDomainParams{}).SetFriendlyName("office")); err != nil || *got.SipRegistration || *got.FriendlyName != "office" {
		t.Errorf("update of the name: %+v, %v", got, err)
	}
	if err := c.Api.DeleteSipAuthRegistrationsCredentialListMapping(*domain.Sid, *list.Sid, nil); err != nil {
		t.Error(err)
	}
	wantError(t, c.Api.DeleteSipAuthRegistrationsCredentialListMapping(*domain.Sid, *list.Sid, nil), 404, 20404)
	if d := g.box.Domains().List(account)[0]; len(d.Registrations) != 0 || len(d.Calls) != 1 {
		t.Errorf("after the delete: %+v", d)
	}
	if err := c.Api.DeleteSipCredential(*list.Sid, *cred.Sid, nil); err != nil || len(g.box.Users().List(account)) != 0 {
		t.Error(err)
	}
	if err := c.Api.DeleteSipDomain(*domain.Sid, nil); err != nil {
		t.Error(err)
	}
	wantError(t, second(c.Api.ListSipAuthCallsCredentialListMapping(*domain.Sid, nil)), 404, 20404)
}

func TestSIPRefuses(t *testing.T) {
	g := newGateway(t)
	list, err := g.box.Lists().Create(t.Context(), account, api.CredentialList{ID: "CL0123456789abcdef0123456789abcdef", Name: "phones"})
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := g.box.Lists().Create(t.Context(), other, api.CredentialList{ID: "CLfedcba9876543210fedcba9876543210", Name: "theirs"})
	if err != nil {
		t.Fatal(err)
	}
	domain, err := g.box.Domains().Create(t.Context(), account, api.SIPDomain{ID: "SD0123456789abcdef0123456789abcdef", Host: "biloxi.example"})
	if err != nil {
		t.Fatal(err)
	}
	creds, maps := "/SIP/CredentialLists/"+list.ID+"/Credentials", "/SIP/Domains/"+domain.ID+"/Auth/Calls/CredentialListMappings"
	for _, tc := range []struct {
		path, body   string
		status, code int
	}{
		{"/SIP/CredentialLists", "", 400, 20001},
		{creds, "Username=alice", 400, 20001},
		{creds, "Password=IWasAtSignal2018", 400, 20001},
		{creds, "Username=alice&Password=short1A", 400, 20001},
		{creds, "Username=alice&Password=alllowercase12", 400, 20001},
		{creds, "Username=alice&Password=ALLUPPERCASE12", 400, 20001},
		{creds, "Username=alice&Password=NoDigitsAtAll", 400, 20001},
		{creds, "Username=a%20b&Password=IWasAtSignal2018", 400, 20001},
		{creds, "Username=" + strings.Repeat("a", 33) + "&Password=IWasAtSignal2018", 400, 20001},
		{"/SIP/CredentialLists/" + foreign.ID + "/Credentials", "Username=alice&Password=IWasAtSignal2018", 404, 20404},
		{"/SIP/Domains", "", 400, 20001},
		{"/SIP/Domains", "DomainName=a_b", 400, 20001},
		{"/SIP/Domains", "DomainName=sip.example&VoiceUrl=x", 400, 20001},
		{"/SIP/Domains", "DomainName=sip.example&VoiceMethod=PUT", 400, 21209},
		{"/SIP/Domains", "DomainName=sip.example&Secure=true", 400, 20001},
		{maps, "", 400, 20001},
		{maps, "CredentialListSid=CL1", 400, 20001},
		{maps, "CredentialListSid=" + foreign.ID, 400, 20001},
		{"/SIP/Domains/SD1/Auth/Calls/CredentialListMappings", "CredentialListSid=" + list.ID, 404, 20404},
	} {
		resp, body := g.do(t, "POST", base+tc.path+".json", tc.body)
		wantProblem(t, tc.path+" "+tc.body, resp, body, tc.status, tc.code)
	}
	if len(g.box.Users().List(account)) != 0 || len(g.box.Domains().List(account)) != 1 {
		t.Error("something was made")
	}
}

// TestCallerIDs: numbers that may be shown are listed and renamed, and added by
// whoever runs the box.
func TestCallerIDs(t *testing.T) {
	g := newGateway(t)
	c := sdk(t, g, account, token)
	const id = "PN0123456789abcdef0123456789abcdef"
	if _, err := g.box.CallerIDs().Create(t.Context(), account, api.CallerID{ID: id, Name: "+15550100177", Number: "+15550100177"}); err != nil {
		t.Fatal(err)
	}
	wantError(t, second(c.Api.CreateValidationRequest((&openapi.CreateValidationRequestParams{}).SetPhoneNumber("+15550100178"))), 403, 20403)
	all, err := c.Api.ListOutgoingCallerId((&openapi.ListOutgoingCallerIdParams{}).SetPhoneNumber("+15550100177"))
	if err != nil || len(all) != 1 || *all[0].Sid != id {
		t.Errorf("list: %v, %v", all, err)
	}
	if got, err := c.Api.UpdateOutgoingCallerId(id, (&openapi.UpdateOutgoingCallerIdParams{}).SetFriendlyName("desk")); err != nil || *got.FriendlyName != "desk" || *got.PhoneNumber != "+15550100177" {
		t.Errorf("update: %+v, %v", got, err)
	}
	_, body := g.do(t, "GET", base+"/OutgoingCallerIds.json", "")
	apitest.Golden(t, "callerids.json", apitest.Indent(body))
	if err := c.Api.DeleteOutgoingCallerId(id, nil); err != nil {
		t.Error(err)
	}
	wantError(t, second(c.Api.FetchOutgoingCallerId(id, nil)), 404, 20404)
}
