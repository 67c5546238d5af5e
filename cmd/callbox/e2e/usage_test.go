//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	openapi "github.com/twilio/twilio-go/rest/api/v2010"
)

// TestUsage: what calls have used can be asked for with the vendor's client, as well
// as what the guards leave to be spent; and the streams of a call can be listed.
func TestUsage(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	g, port := trunked(t, a, "")
	c := g.twilio().Api
	if _, err := c.FetchBalance(&openapi.FetchBalanceParams{}); err == nil {
		t.Error("there is a balance without any guard")
	}
	g.change("  lines:\n  - provider\n", "  lines:\n  - provider\n  price: \"0.60\"\n")
	g.configure("tolls:\n- account: " + g.account + "\n  spend: \"5.00\"\n")
	if b, err := c.FetchBalance(&openapi.FetchBalanceParams{}); err != nil || *b.Balance != "5.0000" || *b.Currency != "USD" {
		t.Errorf("the balance before the call: %+v, %v", b, err)
	}
	far := startSIPp(t, port, 1, recv("INVITE")+established+hungUp, "-rtp_echo")
	a.doc("/voice", `<Response><Pause length="600"/></Response>`)
	sid := g.create(url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
	g.until(sid, "in-progress")
	if code, body := g.get("/Calls/" + sid + "/Streams.json"); code != http.StatusOK || len(body["streams"].([]any)) != 0 {
		t.Errorf("streams before there is one: %d %v", code, body)
	}
	w := newSocketApp(t, nil)
	code, made := g.post("/Calls/"+sid+"/Streams.json", url.Values{"Url": {w.at("/audio")}, "Name": {"ears"}})
	if code != http.StatusCreated {
		t.Fatalf("the stream: %d %v", code, made)
	}
	if code, body := g.get("/Calls/" + sid + "/Streams.json"); code != http.StatusOK || fmt.Sprint(body["streams"].([]any)[0]) != fmt.Sprint(made) {
		t.Errorf("streams: %d %v, want %v", code, body, made)
	}
	if code, body := g.get("/Calls/" + sid + "/Streams/ears.json"); code != http.StatusOK || body["sid"] != made["sid"] {
		t.Errorf("the stream: %d %v", code, body)
	}
	g.post("/Calls/"+sid+".json", url.Values{"Status": {"completed"}})
	g.until(sid, "completed")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	far.succeeds(ctx)
	list, err := c.ListUsageRecord((&openapi.ListUsageRecordParams{}).SetCategory("calls-outbound"))
	if err != nil || len(list) != 1 || *list[0].Count != "1" || *list[0].Usage != "1" || *list[0].Price < 0.599 || *list[0].Price > 0.601 {
		b, _ := json.Marshal(list)
		t.Errorf("usage: %s, %v", b, err)
	}
	today, err := c.ListUsageRecordToday(&openapi.ListUsageRecordTodayParams{})
	if err != nil || len(today) != 5 {
		t.Errorf("usage of today: %+v, %v", today, err)
	}
	if b, err := c.FetchBalance(&openapi.FetchBalanceParams{}); err != nil || *b.Balance != "4.4000" {
		t.Errorf("the balance after the call: %+v, %v", b, err)
	}
	if code, body := g.asProject(http.MethodGet, "/Usage/Records.json?Category=calls", nil); code != http.StatusOK || object(body["usage_records"].([]any)[0])["count"] != "1" {
		t.Errorf("as the other dialect shows it: %d %v", code, body)
	}
}
