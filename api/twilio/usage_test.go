package twilio_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	openapi "github.com/twilio/twilio-go/rest/api/v2010"

	"callbox/api/apitest"
	"callbox/call"
)

// then is when the calls of usedBox were made, whenever the test runs.
var then = time.Date(2020, 1, 2, 12, 0, 0, 0, time.UTC)

// usedBox has two answered calls out, one of them abroad, one answered call in, one
// that was not answered, and a recording.
func usedBox(t *testing.T) gateway {
	t.Helper()
	box := newBox()
	box.SetPrice("+15550100199", 100)
	box.SetPrice("+442071838750", 2500)
	box.SetBudget(account, 12300)
	g := serveBox(t, box)
	talk := func(to string, day int, length time.Duration, way call.Direction) string {
		id := createCall(t, g, "To", to, "From", "+15550100100", "Url", "http://pbx.lan/voice")
		box.Edit(id, func(r *call.Record) {
			began := then.AddDate(0, 0, day)
			r.State, r.Started, r.Created, r.Direction = call.Completed, &began, began, way
			if length > 0 {
				end := began.Add(length)
				r.Answered, r.Ended = &began, &end
			}
		})
		return id
	}
	talk("+15550100199", 0, 61*time.Second, call.OutboundAPI)
	id := talk("+442071838750", 1, 30*time.Second, call.OutboundAPI)
	talk("+15550100199", 1, 90*time.Second, call.Inbound)
	talk("+15550100199", 31, time.Minute, call.OutboundDial)
	talk("+15550100199", 31, 0, call.OutboundAPI)
	r := recording("RE00000000000000000000000000000009", id)
	r.Duration, r.Created = 30*time.Second, then.AddDate(0, 0, 1)
	box.AddRecording(r, []byte("RIFF....WAVE"))
	return g
}

// TestUsage adds up what calls and recordings have used, in each of the lists.
func TestUsage(t *testing.T) {
	g := usedBox(t)
	asOf := regexp.MustCompile(`"as_of": "[^"]*"`)
	var out strings.Builder
	for _, list := range []string{
		".json?StartDate=2020-01-01&EndDate=2020-02-28", ".json?Category=calls&StartDate=2020-01-03&EndDate=2020-01-03",
		"/AllTime.json?Category=totalprice&EndDate=2020-02-28", "/Daily.json?Category=calls-outbound&StartDate=2020-01-01&EndDate=2020-02-28",
		"/Monthly.json?Category=calls&StartDate=2020-01-02&EndDate=2020-02-10", "/Yearly.json?Category=recordings&StartDate=2020-01-01&EndDate=2020-02-28",
	} {
		_, body := g.do(t, "GET", base+"/Usage/Records"+list, "")
		out.WriteString("=== " + list + "\n" + asOf.ReplaceAllString(pretty(t, body), `"as_of": "{now}"`) + "\n")
	}
	golden(t, "usage.txt", out.String())
	for _, list := range []string{"Today", "Yesterday", "ThisMonth", "LastMonth"} {
		resp, body := g.do(t, "GET", base+"/Usage/Records/"+list+".json?Category=calls", "")
		if resp.StatusCode != 200 || strings.Count(body, `"category":"calls"`) != 1 {
			t.Errorf("%s: %s %s", list, resp.Status, body)
		}
	}
	resp, body := g.do(t, "GET", base+"/Usage/Records.json?StartDate=soon", "")
	wantProblem(t, "a day that is none", resp, body, 400, 20001)
}

// TestSDKUsage asks for the usage, page by page, and for the balance with the real
// client library.
func TestSDKUsage(t *testing.T) {
	g := usedBox(t)
	c := sdk(t, g, account, token).Api
	list, err := c.ListUsageRecord((&openapi.ListUsageRecordParams{}).SetPageSize(2).SetStartDate("2020-01-02").SetEndDate("2020-01-03"))
	if err != nil || len(list) != 5 {
		t.Fatalf("usage: %+v, %v", list, err)
	}
	if u := list[0]; *u.Category != "calls" || *u.Count != "3" || *u.Usage != "5" || *u.Price < 0.2699 || *u.Price > 0.2701 {
		t.Errorf("calls: %+v", u)
	}
	days, err := c.ListUsageRecordDaily((&openapi.ListUsageRecordDailyParams{}).SetCategory("calls-inbound").SetStartDate("2020-01-02"))
	if err != nil || len(days) != 3 || *days[1].Count != "1" || *days[1].StartDate != "2020-01-03" {
		t.Errorf("days: %+v, %v", days, err)
	}
	if b, err := c.FetchBalance(&openapi.FetchBalanceParams{}); err != nil || *b.Balance != "1.2300" || *b.Currency != "USD" || *b.AccountSid != account {
		t.Errorf("balance: %+v, %v", b, err)
	}
	wantError(t, second(sdk(t, newGateway(t), account, token).Api.FetchBalance(&openapi.FetchBalanceParams{})), 404, 20404)
}

// TestStreamList: there is no such request in the library; the addresses are
// those of the call's subresources.
func TestStreamList(t *testing.T) {
	g := newGateway(t)
	id := upCall(t, g)
	for _, name := range []string{"ears", "mouth"} {
		g.do(t, "POST", calls+"/"+id+"/Streams.json", apitest.Form("Url", "wss://app.lan/audio", "Name", name))
	}
	_, body := g.do(t, "GET", calls+"/"+id+"/Streams.json", "")
	golden(t, "streams.json", pretty(t, body))
	if resp, body := g.do(t, "GET", calls+"/"+id+"/Streams/mouth.json", ""); resp.StatusCode != 200 || !strings.Contains(body, `"name":"mouth"`) {
		t.Errorf("%s %s", resp.Status, body)
	}
	resp, body := g.do(t, "GET", calls+"/"+id+"/Streams/nose.json", "")
	wantProblem(t, "a stream that is not there", resp, body, 404, 20404)
}
