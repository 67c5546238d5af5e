package jambonz_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"callbox/api"
	"callbox/api/apitest"
	"callbox/call"
)

// TestSettingsGolden plays testdata/settings/NAME.txt: lines "> METHOD path body"
// (below /v1/), each with the status, warnings and answer that it gets. SID1, SID2 …
// stand for the ids that the box makes, in order.
func TestSettingsGolden(t *testing.T) {
	for _, name := range files(t, "settings", ".txt") {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, (*apitest.Box).TakeMessages)
			g.Box.Register("alice", api.Registration{Contact: "sip:alice@192.0.2.7:5060", Source: "192.0.2.7:5060", Transport: "udp", UserAgent: "phone", Expires: noon.Add(2 * time.Hour)})
			for i, a := range []call.Alert{
				{Type: call.AlertHookStatus, Text: "asking http://app.lan/call: the answer is HTTP status 500", Call: "8d0f0e5c", URL: "http://app.lan/call", Status: 500, Count: 3},
				{Type: call.AlertHookSilent, Text: "asking http://app.lan/call: no connection in time", URL: "http://app.lan/call"},
				{Type: call.AlertDocument, Text: "the document is not JSON", URL: "http://app.lan/call"}, {Type: call.AlertSpeech, Text: "speech vendor not available"},
				{Type: call.AlertRoute, Text: "No route to 1"}, {Type: call.AlertLimit, Text: "too many calls at once"}, {Type: call.AlertSound, Text: "no such sound"},
				{Type: call.AlertHookAddress, Text: "not an absolute http or https URL"},
			} {
				a.Account, a.Time, a.Count = account, noon.Add(time.Duration(i)*24*time.Hour), max(a.Count, 1)
				g.Box.AddAlert(a)
			}
			g.Box.AddAlert(call.Alert{Account: "another"})
			var ids []string
			named := func(s string) string {
				for _, id := range randomID.FindAllString(s, -1) {
					if id != appID && id != project && id != provider && !slices.Contains(ids, id) {
						ids = append(ids, id)
					}
				}
				for i, id := range ids {
					s = strings.ReplaceAll(s, id, fmt.Sprintf("SID%d", i+1))
				}
				return s
			}
			meant := func(s string) string {
				for i := len(ids) - 1; i >= 0; i-- {
					s = strings.ReplaceAll(s, fmt.Sprintf("SID%d", i+1), ids[i])
				}
				return s
			}
			var out strings.Builder
			for line := range strings.Lines(read(t, "settings", name+".txt")) {
				if strings.HasPrefix(line, "#") {
					out.WriteString(line)
				}
				ask, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "> ")
				if !ok {
					continue
				}
				method, rest, _ := strings.Cut(ask, " ")
				path, body, _ := strings.Cut(rest, " ")
				resp, answer := g.do(t, method, "/v1/"+meant(path), meant(body))
				fmt.Fprintf(&out, "> %s\n%d\n", ask, resp.StatusCode)
				for _, w := range resp.Header.Values("Callbox-Warning") {
					fmt.Fprintln(&out, "warning: "+w)
				}
				if answer != "" {
					out.WriteString(strings.TrimSuffix(named(apitest.Indent(answer)), "\n") + "\n")
				}
			}
			apitest.Golden(t, "settings/"+name+".txt", out.String())
		})
	}
}

// TestMessageWithoutLine: a box without a line for messages says so, and what was
// sent says what was asked for.
func TestMessageWithoutLine(t *testing.T) {
	const path, body = "/v1/Accounts/" + project + "/Messages", `{"from":"15550100100","to":"+15550100199","text":"Your parcel is here"}`
	resp, answer := newGateway(t).do(t, "POST", path, body)
	if resp.StatusCode != 480 || !strings.Contains(answer, "no line of this box sends text messages") {
		t.Errorf("%s %s", resp.Status, answer)
	}
	g := newGateway(t, (*apitest.Box).TakeMessages)
	g.do(t, "POST", path, body)
	if sent := g.Box.SentMessages(); len(sent) != 1 || sent[0].From != "15550100100" || sent[0].To != "+15550100199" || sent[0].Body != "Your parcel is here" ||
		sent[0].Account != account || sent[0].API != "jambonz" || sent[0].Direction != call.OutboundAPI {
		t.Errorf("%+v", sent)
	}
}

// provider is the id of the only service provider.
const provider = "2708b1b3-2736-40ea-b502-c53d8396247f"
