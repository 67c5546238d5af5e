//go:build e2e

package e2e

import (
	"net/url"
	"strings"
	"testing"
)

const modems = `
phones:
- {port: fxs1}
- {port: fxs2}
- {port: fxs3}
modems:
- {port: gsm1}
- {port: gsm2, number: "+14155550181"}
- {port: gsm3}
routes:
- {name: one, prefix: "+1415555019", lines: [gsm1]}
- {name: two, prefix: "+1415555029", lines: [gsm2]}
- {name: three, prefix: "+1415555039", lines: [gsm3]}
numbers:
- {number: "+14155550180", line: gsm1, target: fxs1}
- {number: "+14155550181", line: gsm2, target: fxs2}
- {number: "*", line: gsm3, target: fxs3}
`

// startModems starts a gateway and waits until the modems of all families are
// registered.
func startModems(t *testing.T) *gateway {
	t.Helper()
	g := startGateway(t, modems)
	for _, m := range []string{"gsm1", "gsm2", "gsm3"} {
		g.phone(m).line("registered at Biloxi Mobile")
	}
	return g
}

// TestModemCalls creates calls over modems of each family, which ring a person in
// the simulated network, and connects them with analogue phones; then the person
// calls the SIM. Both sides hear what the other says.
func TestModemCalls(t *testing.T) {
	t.Parallel()
	g := startModems(t)
	question, answer := speak(t, "Hello, is there anybody in the workshop?"), speak(t, "Yes, we are all here today.", "-v", "en-us")
	talk := func(a, b *hand) {
		t.Helper()
		// The sound passes two clocks that follow each other: on a busy machine some of
		// it is lost, and said again.
		between(t, &station{kind: a.name, say: a.say}, &station{kind: b.name, heard: b.heard}, question)
		between(t, &station{kind: b.name, say: b.say}, &station{kind: a.name, heard: a.heard}, answer)
	}
	for i, to := range []string{"+14155550190", "+14155550290", "+14155550390"} {
		person, phone := g.phone([]string{"gsm1", "gsm2", "gsm3"}[i]), g.phone([]string{"fxs1", "fxs2", "fxs3"}[i])
		sid := g.create(url.Values{"To": {to}, "From": {"+14155550100"},
			"Twiml": {"<Response><Dial><Client>" + phone.name + "</Client></Dial></Response>"}})
		person.do("wait-ring")
		g.until(sid, "ringing")
		person.do("pick-up")
		phone.do("wait-ring")
		phone.do("forget")
		phone.do("pick-up")
		phone.line("in a call")
		talk(person, phone)
		if out := g.run("trace", sid); !strings.Contains(out, "ATD"+to) || !strings.Contains(out, person.name+"/AT") {
			t.Errorf("the trace of the call has no dialogue with the modem:\n%s", out)
		}
		phone.do("hang-up")
		person.do("hang-up")
		g.until(sid, "completed")
		phone.line("on-hook")

		person.do("call")
		phone.do("wait-ring")
		phone.do("forget")
		phone.do("pick-up")
		person.shows("call", "talking")
		talk(person, phone)
		phone.do("hang-up")
		person.shows("call", "none")
		phone.line("on-hook")
	}
}

// TestModemTrouble: what the network says of a call, and what is wrong with a modem,
// reaches the record of the call as a sentence.
func TestModemTrouble(t *testing.T) {
	t.Parallel()
	g := startModems(t)
	place := func() string {
		return g.create(url.Values{"To": {"+14155550190"}, "From": {"+14155550100"}, "Twiml": {"<Response><Pause/></Response>"}})
	}
	person := g.phone("gsm1")
	for _, c := range []struct{ cause, status, why string }{
		{"17", "busy", "the far end is busy"},
		{"21", "busy", "the far end refused the call"},
		{"1", "failed", "the number is not in use"},
		{"42", "failed", "the network is congested"},
	} {
		person.do("refuse", c.cause)
		g.until(place(), c.status)
		if out := g.run("calls"); !strings.Contains(out, c.why) {
			t.Errorf("the record does not say %q:\n%s", c.why, out)
		}
	}
	person.do("refuse", "off")

	person.fault("no-sim", "on")
	person.line("no SIM is inserted")
	g.until(place(), "failed")
	if out := g.run("calls"); !strings.Contains(out, "no SIM is inserted") {
		t.Errorf("the record does not name the missing SIM:\n%s", out)
	}
	person.fault("no-sim", "off")
	person.line("registered")

	sid := place()
	person.do("pick-up")
	g.until(sid, "in-progress")
	person.fault("unplugged", "on")
	g.until(sid, "completed")
	if out := g.run("calls"); !strings.Contains(out, "unplugged") {
		t.Errorf("the record does not say that the modem was unplugged:\n%s", out)
	}
	person.fault("unplugged", "off")
	person.line("registered")
}

// TestModemReport: the command line says all that is known of a modem, and why there
// is no sound.
func TestModemReport(t *testing.T) {
	t.Parallel()
	g := startModems(t)
	if out := g.run("modems"); !strings.Contains(out, "SIMCOM_SIM7600E-H") || !strings.Contains(out, "+14155550182") {
		t.Errorf("callbox modems:\n%s", out)
	}
	person := g.phone("gsm1")
	person.fault("dead-downlink", "on")
	sid := g.create(url.Values{"To": {"+14155550190"}, "From": {"+14155550100"}, "Twiml": {"<Response><Pause length=\"60\"/></Response>"}})
	person.do("pick-up")
	g.until(sid, "in-progress")
	poll(t, "the report of a call without sound", func() bool { return strings.Contains(g.run("modems", "gsm1"), "the modem sent silence") })
	out := g.run("modems", "gsm1")
	for _, want := range []string{"EC25EFAR06A06M4G", "860000000000001", "registered Biloxi Mobile", "VoLTE", "the box had nothing to say", "calling …190"} {
		if !strings.Contains(out, want) {
			t.Errorf("callbox modems gsm1 does not say %q:\n%s", want, out)
		}
	}
	person.do("hang-up")
	g.until(sid, "completed")
	if m := g.metrics(); m[`callbox_modem_calls_total{port="gsm1"}`] != 1 || m[`callbox_modem_signal_dbm{port="gsm2"}`] >= 0 {
		t.Errorf("metrics: %v", m)
	}
	if out, err := g.tryRun("modems", "gsm9"); err == nil || !strings.Contains(out, "gsm9") {
		t.Errorf("a slot that is not there: %v %s", err, out)
	}
}
