package twilio_test

import (
	"net/url"
	"strings"
	"testing"

	"callbox/api"
	"callbox/api/apitest"
	"callbox/api/laml"
	"callbox/api/twilio"
)

// TestIgnoredParameters: each parameter without effect on this box is told as such
// and does no harm, of every request that makes something.
func TestIgnoredParameters(t *testing.T) {
	needs := map[string][]string{
		"Calls": {"To", "+15550100199", "From", "+15550100100", "Url", "http://pbx.lan/voice"}, "Messages": {"To", "+15550100199", "From", "+15550100100", "Body", "x"},
		"IncomingPhoneNumbers": {"PhoneNumber", "+15550100177"}, "Applications": {"FriendlyName", "menu"},
		"SIP/Domains": {"DomainName", "office.sip.example"}, "Queues": {"FriendlyName", "support"},
		"Conferences/sales/Participants": {"To", "+15550100199", "From", "+15550100100"},
	}
	var out strings.Builder
	told := 0
	for _, op := range twilio.New(laml.Config{}).Describe() {
		name := strings.TrimSuffix(strings.TrimPrefix(op.Path, "/2010-04-01/Accounts/{AccountSid}/"), ".json")
		name = strings.Replace(name, "{ParentSid}", "sales", 1)
		if op.Method != "POST" || needs[name] == nil {
			continue
		}
		out.WriteString(name + "\n")
		for _, f := range op.Body.Fields {
			if !isIdle(f) {
				continue
			}
			told++
			given, _ := url.ParseQuery(form(needs[name]...))
			given.Set(f.Name, "1")
			resp, body := messenger(t).do(t, "POST", "/2010-04-01/Accounts/"+account+"/"+name+".json", given.Encode())
			if resp.StatusCode != 201 {
				t.Errorf("%s of %s: %s %s", f.Name, name, resp.Status, body)
			}
			out.WriteString("  " + strings.Join(resp.Header.Values("Callbox-Warning"), "; ") + "\n")
		}
	}
	apitest.Golden(t, "ignored.txt", out.String())
	if told < 20 {
		t.Errorf("only %d parameters", told)
	}
}

func isIdle(f api.Field) bool { return f.Schema.Says == "It has no effect on this box." }
