//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	twilioclient "github.com/twilio/twilio-go/client"
	openapi "github.com/twilio/twilio-go/rest/api/v2010"
)

const oneTrunk = `
trunks:
- name: provider
  host: 127.0.0.1
  port: %d
  inbound: [127.0.0.1]
`

// arriving is SIPp's call to the box, answered and hung up by the caller.
const arriving = invite + `<recv response="100" optional="true"></recv><recv response="180" optional="true"></recv><recv response="200" crlf="true"></recv>
`

// TestNumberAnswersCalls sets up a number with the vendor's client: first with
// an address of its own, then with an application. Calls that arrive run it at
// once, without a restart.
func TestNumberAnswersCalls(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	port := freePorts(t, 1)
	g := startGateway(t, fmt.Sprintf(oneTrunk, port))
	c := g.twilio().Api
	a.doc("/own", `<Response><Play digits="1"/><Pause length="1"/></Response>`)
	a.doc("/app", `<Response><Play digits="1"/><Pause length="1"/></Response>`)
	arrive := func(scenario string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		startSIPp(t, port, 1, scenario, g.sip).succeeds(ctx)
	}
	served := arriving + callerRequest("ACK", 1, "[branch]") + recv("BYE") + replyInDialog("200 OK", "")
	refused := invite + optional(100) + expect(404) + callerRequest("ACK", 1, "[branch-2]")

	arrive(refused)
	made, err := c.CreateIncomingPhoneNumber((&openapi.CreateIncomingPhoneNumberParams{}).SetPhoneNumber("+14155550100").
		SetVoiceUrl(a.URL + "/own").SetStatusCallback(a.URL + "/own-status"))
	if err != nil {
		t.Fatal(err)
	}
	arrive(served)
	if r := a.until("/own", 1); r.form.Get("To") != "+14155550100" || r.form.Get("Direction") != "inbound" {
		t.Errorf("the number's address was told %v", r.form)
	}
	if r := a.until("/own-status", 1); r.form.Get("CallStatus") != "completed" {
		t.Errorf("the number's status callback was told %v", r.form)
	}
	app, err := c.CreateApplication((&openapi.CreateApplicationParams{}).SetFriendlyName("front door").SetVoiceUrl(a.URL + "/app"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.UpdateIncomingPhoneNumber(*made.Sid, (&openapi.UpdateIncomingPhoneNumberParams{}).SetVoiceApplicationSid(*app.Sid)); err != nil {
		t.Fatal(err)
	}
	arrive(served)
	if r := a.until("/app", 1); r.form.Get("To") != "+14155550100" {
		t.Errorf("the application was told %v", r.form)
	}
	var inUse *twilioclient.TwilioRestError
	if err := c.DeleteApplication(*app.Sid, nil); !errors.As(err, &inUse) || inUse.Status != 409 {
		t.Errorf("deleting an application that a number runs: %v", err)
	}
	if err := c.DeleteIncomingPhoneNumber(*made.Sid, nil); err != nil {
		t.Error(err)
	}
	arrive(refused)
	if n := len(a.requests("/own")); n != 1 {
		t.Errorf("%d requests of the number's own address", n)
	}
}

// TestKeyOverREST: a key that was made with the vendor's client opens the API at
// once, and after a restart; its secret is nowhere in the data folder.
func TestKeyOverREST(t *testing.T) {
	t.Parallel()
	g := startGateway(t, "")
	key, err := g.twilio().Api.CreateNewKey((&openapi.CreateNewKeyParams{}).SetFriendlyName("laptop"))
	if err != nil {
		t.Fatal(err)
	}
	c := g.twilioAs(*key.Sid, *key.Secret).Api
	if _, err := c.FetchKey(*key.Sid, nil); err != nil {
		t.Errorf("the new key: %v", err)
	}
	if out := g.run("config", "export", "--secrets"); strings.Contains(out, *key.Secret) || !strings.Contains(out, *key.Sid) {
		t.Errorf("the configuration tells the secret, or knows no key:\n%s", out)
	}
	if err := c.DeleteKey(*key.Sid, nil); err != nil {
		t.Error(err)
	}
	var refused *twilioclient.TwilioRestError
	if _, err := c.ListKey(nil); !errors.As(err, &refused) || refused.Status != 401 {
		t.Errorf("the deleted key: %v", err)
	}
}

// TestCredentialRegisters: a phone registers with a credential that was made
// with the vendor's client, is called and calls.
func TestCredentialRegisters(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	g := startGateway(t, "")
	c := g.twilio().Api
	a.doc("/domain", `<Response><Play digits="1"/><Pause length="1"/></Response>`)
	a.doc("/voice", `<Response><Pause length="30"/></Response>`)
	list, err := c.CreateSipCredentialList((&openapi.CreateSipCredentialListParams{}).SetFriendlyName("phones"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateSipCredential(*list.Sid, (&openapi.CreateSipCredentialParams{}).SetUsername("alice").SetPassword("IWasAtSignal2018")); err != nil {
		t.Fatal(err)
	}
	domain, err := c.CreateSipDomain((&openapi.CreateSipDomainParams{}).SetDomainName("office.sip.example").SetVoiceUrl(a.URL + "/domain").SetSipRegistration(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateSipAuthRegistrationsCredentialListMapping(*domain.Sid,
		(&openapi.CreateSipAuthRegistrationsCredentialListMappingParams{}).SetCredentialListSid(*list.Sid)); err != nil {
		t.Fatal(err)
	}
	alice := startBaresip(t, phone{name: "alice", password: "IWasAtSignal2018", registrar: g.sip, answer: "auto"})
	sid := g.create(url.Values{"To": {"sip:alice@office.sip.example"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
	alice.wait("CALL_ESTABLISHED")
	g.until(sid, "in-progress")
	alice.do("hangup", "")
	alice.wait("CALL_CLOSED")
	g.until(sid, "completed")

	alice.do("dial", "sip:+14155550123@"+g.sip)
	if ev := alice.wait("CALL_CLOSED"); !strings.Contains(ev.Param, "403") {
		t.Errorf("a call before the list was mapped for calls: %+v", ev)
	}
	if _, err := c.CreateSipAuthCallsCredentialListMapping(*domain.Sid,
		(&openapi.CreateSipAuthCallsCredentialListMappingParams{}).SetCredentialListSid(*list.Sid)); err != nil {
		t.Fatal(err)
	}
	alice.do("dial", "sip:+14155550123@"+g.sip)
	alice.wait("CALL_ESTABLISHED")
	if r := a.until("/domain", 1); r.form.Get("To") != "+14155550123" {
		t.Errorf("the domain's address was told %v", r.form)
	}
	alice.wait("CALL_CLOSED")
	if err := c.DeleteSipAuthRegistrationsCredentialListMapping(*domain.Sid, *list.Sid, nil); err != nil {
		t.Error(err)
	}
	sid = g.create(url.Values{"To": {"client:alice"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
	g.until(sid, "failed")
}
