//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
)

// carried is an INVITE that must have these headers (regular expressions by
// name); it replaces recv("INVITE").
func carried(headers ...string) string {
	var b strings.Builder
	b.WriteString("<recv request=\"INVITE\" crlf=\"true\"><action>\n")
	for i := 0; i+1 < len(headers); i += 2 {
		fmt.Fprintf(&b, "<ereg regexp=%q search_in=\"hdr\" header=\"%s:\" check_it=\"true\" assign_to=\"h%d\"/><log message=\"[$h%d]\"/>\n",
			headers[i+1], headers[i], i, i)
	}
	b.WriteString("</action></recv>\n")
	return b.String()
}

// listens reports whether somebody waits for TCP connections on 127.0.0.1:port.
// It does not connect: SIPp would take that for its call.
func listens(t *testing.T, port int) bool {
	t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	const listen = "00000000:0000 0A"
	return strings.Contains(string(table), fmt.Sprintf(" 0100007F:%04X %s", port, listen)) ||
		strings.Contains(string(table), fmt.Sprintf(" 00000000:%04X %s", port, listen))
}

// TestSIPAddress calls a SIP address that belongs to no line, with credentials
// and headers of the request's own.
func TestSIPAddress(t *testing.T) {
	t.Parallel()
	prompt := speak(t, "This call was placed to an address and not to a number.")
	g := startGateway(t, "")
	for name, tc := range map[string]struct {
		to       string // after the port
		scenario string
		args     []string
		form     url.Values
		status   string
	}{
		"asked for credentials": {"?X-Ticket=1&X-Note=two%20words",
			carried("X-Ticket", "^ *1$", "X-Note", "^ *two words$") + strings.TrimPrefix(challenged, recv("INVITE")) + established + hungUp, nil,
			url.Values{"SipAuthUsername": {"box"}, "SipAuthPassword": {"s3cret9"}}, "completed"},
		"wrong credentials": {"", recv("INVITE") + reply("401 Unauthorized", "WWW-Authenticate"+digest, "") + ack +
			`<recv request="INVITE" crlf="true"><action>
<verifyauth assign_to="good" username="box" password="s3cret9"/>
</action></recv>
<nop condexec="good"><action><exec int_cmd="stop_now"/></action></nop>
` + reply("401 Unauthorized", "WWW-Authenticate"+digest, "") + ack, nil,
			url.Values{"SipAuthUsername": {"box"}, "SipAuthPassword": {"guessed"}}, "failed"},
		"over TCP": {";transport=tcp?X-Ticket=1", carried("X-Ticket", "^ *1$", "Via", "SIP/2.0/TCP") + established + hungUp, []string{"-t", "t1"}, nil, "completed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t)
			a.wav("/prompt.wav", prompt)
			a.doc("/voice", `<Response><Play>/prompt.wav</Play><Pause length="1"/></Response>`)
			port := freePorts(t, 1)
			s := startSIPp(t, port, 1, tc.scenario, append(tc.args, "-rtp_echo")...)
			if tc.args != nil {
				poll(t, "SIPp listens", func() bool { return listens(t, port) })
			}
			form := url.Values{"To": {fmt.Sprintf("sip:carol@127.0.0.1:%d%s", port, tc.to)}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"},
				"Record": {"true"}, "RecordingChannels": {"dual"}, "Trim": {"do-not-trim"}, "StatusCallback": {a.URL + "/status"}}
			for k, v := range tc.form {
				form[k] = v
			}
			sid := g.create(form)
			rec := g.until(sid, tc.status)
			if want := fmt.Sprintf("sip:carol@127.0.0.1:%d", port); !strings.HasPrefix(rec["to"].(string), want) || strings.Contains(rec["to"].(string), "X-Ticket") {
				t.Errorf("to %v, want %s", rec["to"], want)
			}
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			s.succeeds(ctx)
			last := a.until("/status", 1)
			if tc.status == "completed" {
				heard, _ := g.recording(sid)
				hears(t, "the box, of its own words in the echo,", channel(heard, 0, 2), prompt)
			} else if last.form.Get("SipResponseCode") != "401" {
				t.Errorf("SipResponseCode %q, want 401", last.form.Get("SipResponseCode"))
			}
		})
	}
}

// TestSIPAddressNobody: an address where nobody is ends as failed with a reason.
func TestSIPAddressNobody(t *testing.T) {
	t.Parallel()
	g := startGateway(t, "")
	sid := g.create(url.Values{"To": {"sip:carol@127.0.0.1:9;transport=tcp"}, "From": {"+14155550100"}, "Twiml": {"<Response/>"}})
	g.until(sid, "failed")
	if out := g.run("calls"); !strings.Contains(out, "refused") {
		t.Errorf("the record does not say why:\n%s", out)
	}
}
