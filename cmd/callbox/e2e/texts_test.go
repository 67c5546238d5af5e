//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
)

// textConfig gives the SIMs their applications for text messages: one of Twilio's
// shape, one of jambonz', and one of a third that the others have to do without.
func textConfig(twilioHook, jambonzHook, third string) string {
	return `
phones:
- {port: fxs1}
modems:
- {port: gsm1}
- {port: gsm2, number: "+14155550181"}
- {port: gsm3}
routes:
- {name: phone, prefix: "7", lines: [fxs1]}
numbers:
- {number: "+14155550180", line: gsm1, target: fxs1, message: {url: "` + twilioHook + `"}}
- {number: "+14155550181", line: gsm2, target: fxs1, api: jambonz, message: {url: "` + jambonzHook + `"}}
- {number: "+14155550182", line: gsm3, target: fxs1` + third + `}
`
}

// modemsUp waits until the modems are.
func modemsUp(g *gateway, lines ...string) {
	for _, m := range lines {
		g.phone(m).line("registered at Biloxi Mobile")
	}
}

// message waits until a message has a status and gives it.
func (g *gateway) message(sid, status string) map[string]any {
	g.t.Helper()
	var m map[string]any
	poll(g.t, "message "+sid+" is "+status, func() bool {
		_, m = g.get("/Messages/" + sid + ".json")
		return m["status"] == status
	})
	return m
}

// TestTexts sends text messages over the modems as clients of the cloud do, and
// takes those that arrive to the applications of their numbers, whose replies go
// back: short and long ones, of every alphabet.
func TestTexts(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	twiml := a.handle("/sms", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		_, _ = w.Write([]byte(`<Response><Message action="/none" statusCallback="` + a.URL + `/reply">You said: ` + r.FormValue("Body") + `</Message></Response>`))
	})
	bodies := make(chan string, 10)
	verbs := a.handle("/messaging", func(w http.ResponseWriter, r *http.Request) {
		var b json.RawMessage
		_ = json.NewDecoder(r.Body).Decode(&b)
		bodies <- string(b)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`[{"verb":"message","from":"+14155550181","to":"+14155550191","text":"Danke, 😀"}]`))
	})
	g := startGateway(t, textConfig(twiml, verbs, `, api: signalwire, message: {url: "`+a.URL+`/third"}`))
	modemsUp(g, "gsm1", "gsm2", "gsm3")
	one, two := g.phone("gsm1"), g.phone("gsm2")

	long := strings.Repeat("The quick brown fox jumps over the lazy dog. ", 34)[:1500]
	for i, body := range []string{"Your table is ready", "Ваш заказ готов 😀", long} {
		code, m := g.post("/Messages.json", url.Values{"From": {"+14155550180"}, "To": {"+14155550190"}, "Body": {body}, "StatusCallback": {a.URL + "/status"}})
		if code != 201 || m["status"] != "queued" || m["num_segments"] != []string{"1", "1", "10"}[i] {
			t.Fatalf("%d %v", code, m)
		}
		sid := m["sid"].(string)
		g.message(sid, "delivered")
		one.shows("last text", body)
		sent, done := a.until("/status", 2*i+1), a.until("/status", 2*i+2)
		if s := sent.form.Get("MessageStatus") + " " + done.form.Get("MessageStatus"); s != "sent delivered" || sent.form.Get("MessageSid") != sid || done.form.Get("SmsStatus") != "delivered" {
			t.Errorf("told %q: %v", s, sent.form)
		}
	}

	// One arrives, is answered, and the answer's fate is told.
	one.do("text", "Is it open today?")
	r := a.until("/sms", 1)
	if f := r.form; f.Get("Body") != "Is it open today?" || f.Get("From") != "+14155550190" || f.Get("To") != "+14155550180" || !strings.HasPrefix(f.Get("MessageSid"), "SM") ||
		f.Get("NumMedia") != "0" || f.Get("SmsStatus") != "received" || r.header.Get("X-Twilio-Signature") == "" {
		t.Errorf("asked with %v", f)
	}
	one.shows("last text", "You said: Is it open today?")
	if f := a.until("/reply", 2).form; f.Get("MessageStatus") != "delivered" {
		t.Errorf("told %v", f)
	}
	one.do("text", long)
	if got := a.until("/sms", 2).form; got.Get("Body") != long || got.Get("NumSegments") != "10" {
		t.Errorf("the long one came as %q in %s parts", got.Get("Body"), got.Get("NumSegments"))
	}

	// The other dialect.
	two.do("text", "Wie geht's?")
	two.shows("last text", "Danke, 😀")
	if b := <-bodies; !strings.Contains(b, `"text":"Wie geht's?"`) || !strings.Contains(b, `"from":"+14155550191"`) || !strings.Contains(b, `"to":"+14155550181"`) {
		t.Errorf("asked with %s", b)
	}
	if code, m := g.askJSON("POST", "/Messages", `{"from":"+14155550181","to":"+14155550191","text":"by JSON"}`); code != 201 || m["sid"] == "" {
		t.Errorf("%d %v", code, m)
	}
	two.shows("last text", "by JSON")

	checkThirdTexts(t, g, a)

	// A call's script.
	sid := g.create(url.Values{"To": {"client:fxs1"}, "From": {"+14155550180"}, "Twiml": {`<Response><Sms to="+14155550190" from="+14155550180">From the call</Sms><Pause/></Response>`}})
	phone := g.phone("fxs1")
	phone.do("wait-ring")
	phone.do("pick-up")
	one.shows("last text", "From the call")
	g.until(sid, "completed")

	// All of them are listed, and survive a restart.
	if out := g.run("texts", "--limit", "50"); !strings.Contains(out, "From the call") || !strings.Contains(out, "Is it open today?") || !strings.Contains(out, "received") {
		t.Errorf("the list has not all:\n%s", out)
	}
	_, before := g.get("/Messages.json?PageSize=50")
	if err := g.stop(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	g.start()
	_, after := g.get("/Messages.json?PageSize=50")
	if b, a := len(before["messages"].([]any)), len(after["messages"].([]any)); a != b || a < 9 {
		t.Errorf("%d messages before the restart, %d after", b, a)
	}
}

// checkThirdTexts sends and takes messages as the vendors' clients and a program
// with plain forms do: SignalWire's on the third SIM, then Restcomm's on the same.
func checkThirdTexts(t *testing.T, g *gateway, a *app) {
	t.Helper()
	sim := g.phone("gsm3")
	a.handle("/third", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		_, _ = w.Write([]byte(`<Response><Sms>` + r.FormValue("AccountSid")[:2] + " heard: " + r.FormValue("Body") + `</Sms></Response>`))
	})
	for _, vendor := range []string{"twilio", "signalwire"} {
		text := "Sent by the client of " + vendor
		hook := startHookApp(t, "clients-laml", append(g.vendorEnv(vendor, false), "PROMPT=", "OTHER=")...)
		got := runClient(t, "clients-laml", append(g.vendorEnv(vendor, false), "APP="+hook.url, "SIM=+14155550182", "FAR=+14155550192", "TEXT="+text), "messages")
		sim.shows("last text", text)
		sid := object(got["made"])["sid"]
		if m := object(got["made"]); m["status"] != "queued" || m["direction"] != "outbound-api" || m["body"] != text {
			t.Errorf("%s: made %v", vendor, m)
		}
		if m := object(got["done"]); m["status"] != "delivered" || m["sid"] != sid || m["dateSent"] == nil {
			t.Errorf("%s: done %v", vendor, m)
		}
		if l := list(got["found"]); len(l) == 0 || l[0] != sid {
			t.Errorf("%s: found %v, want %v first", vendor, l, sid)
		}
		if e := object(got["refused"]); e["status"] != 400.0 || e["code"] != 21606.0 {
			t.Errorf("%s: a number of nobody: %v", vendor, e)
		}
		if e := object(got["gone"]); got["removed"] != true || e["status"] != 404.0 {
			t.Errorf("%s: removed %v, then %v", vendor, got["removed"], e)
		}
		if s := hook.until("/text", 1).Body["MessageStatus"].(string) + " " + hook.until("/text", 2).Body["MessageStatus"].(string); s != "sent delivered" {
			t.Errorf("%s: told %s", vendor, s)
		}
		hook.verified()
	}
	sim.do("text", "Is it SignalWire?")
	sim.shows("last text", g.project[:2]+" heard: Is it SignalWire?")
	if r := a.until("/third", 1); r.form.Get("AccountSid") != g.project || r.header.Get("X-SignalWire-Signature") == "" {
		t.Errorf("asked with %v %v", r.header, r.form)
	}

	g.change("api: signalwire", "api: restcomm")
	sim.do("text", "Is it Restcomm?")
	sim.shows("last text", "AC heard: Is it Restcomm?")
	if r := a.until("/third", 2); r.form.Get("AccountSid") != g.account || len(r.header["X-Signalwire-Signature"])+len(r.header["X-Twilio-Signature"]) > 0 {
		t.Errorf("asked with %v %v", r.header, r.form)
	}
	form := url.Values{"From": {"+14155550182"}, "To": {"+14155550192"}, "Body": {"By a plain form"}, "StatusCallback": {a.URL + "/formtext"}}
	made := g.plainForm("POST", "/SMS/Messages.json", form)
	sid := text(made.json(t)["sid"])
	if made.status/100 != 2 || !strings.HasPrefix(sid, "SM") {
		t.Fatalf("made: %d %s", made.status, made.body)
	}
	sim.shows("last text", "By a plain form")
	if s := a.until("/formtext", 1).form.Get("SmsStatus") + " " + a.until("/formtext", 2).form.Get("SmsStatus"); s != "sent delivered" {
		t.Errorf("told %s", s)
	}
	if m := g.plainForm("GET", "/SMS/Messages/"+sid, nil); !strings.Contains(string(m.body), "<Sid>"+sid+"</Sid>") || !strings.Contains(string(m.body), "<Status>delivered</Status>") {
		t.Errorf("fetched: %s", m.body)
	}
	if l := g.plainForm("GET", "/SMS/Messages.json?To=%2B14155550192", nil).json(t); !strings.Contains(fmt.Sprint(l["messages"]), sid) {
		t.Errorf("listed: %v", l)
	}
}

// TestTextTrouble: what the network and the guards refuse is told in sentences, what
// came while nobody could take it is not lost.
func TestTextTrouble(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	hook := a.doc("/sms", "<Response/>")
	g := startGateway(t, textConfig(hook, hook, "")+"tolls:\n- {line: gsm3, messages: 2, month_messages: 100}\n")
	modemsUp(g, "gsm1", "gsm3")
	one := g.phone("gsm1")
	send := func(from, body string) (int, map[string]any) {
		return g.post("/Messages.json", url.Values{"From": {from}, "To": {"+14155550190"}, "Body": {body}, "StatusCallback": {a.URL + "/status"}})
	}
	if code, m := send("+14155550123", "x"); code != 400 || m["code"] != 21606.0 {
		t.Errorf("a number of nobody: %d %v", code, m)
	}
	one.fault("text-error", "330")
	_, m := send("+14155550180", "x")
	if m = g.message(m["sid"].(string), "failed"); !strings.Contains(m["error_message"].(string), "message centre is not known") {
		t.Errorf("%v", m)
	}
	if f := a.until("/status", 1).form; f.Get("MessageStatus") != "failed" || f.Get("ErrorCode") == "" {
		t.Errorf("told %v", f)
	}
	one.fault("text-error", "0")
	one.fault("text-undelivered", "on")
	_, m = send("+14155550180", "x")
	if m = g.message(m["sid"].(string), "undelivered"); !strings.Contains(m["error_message"].(string), "expired") {
		t.Errorf("%v", m)
	}
	one.fault("text-undelivered", "off")

	// The budget of a SIM.
	for range 2 {
		if code, m := send("+14155550182", "x"); code != 201 {
			t.Errorf("%d %v", code, m)
		}
	}
	code, m := send("+14155550182", "x")
	if text, _ := m["message"].(string); code/100 != 4 || !strings.Contains(text, "line gsm3 has sent 2 of its 2 text messages of today") {
		t.Errorf("beyond the budget: %d %v", code, m)
	}
	if out := g.run("tolls"); !strings.Contains(out, "2 of 2") {
		t.Errorf("the guards show nothing:\n%s", out)
	}

	// A message that comes while the gateway is killed waits on the SIM, and one
	// whose application is away waits in the outbox.
	one.fault("mute-urcs", "on")
	one.do("text", "nobody was told")
	one.fault("mute-urcs", "off")
	one.do("text", "a second one")
	poll(t, "the second one has come", func() bool { return strings.Contains(g.run("texts"), "a second one") })

	// By hand.
	if out, err := g.tryRun("text", "--from", "gsm1", "--wait", "+14155550190", "by hand"); err != nil || !strings.HasPrefix(out, "SM") {
		t.Errorf("%q, %v", out, err)
	}
	one.shows("last text", "by hand")
}

// TestUSSD asks the networks of all families, with menus.
func TestUSSD(t *testing.T) {
	t.Parallel()
	g := startGateway(t, "")
	modemsUp(g, "gsm1", "gsm2", "gsm3")
	for _, line := range []string{"gsm1", "gsm2", "gsm3"} {
		if out := g.run("ussd", line, "*100#"); !strings.Contains(out, "Your credit is 12.50 EUR") {
			t.Errorf("%s says %q", line, out)
		}
		if out := g.run("ussd", line, "*101#", "1"); !strings.Contains(out, "1 Data\n2 Minutes") || !strings.Contains(out, "3 GB until") {
			t.Errorf("%s says %q", line, out)
		}
		if out, err := g.tryRun("ussd", line, "*999#"); err == nil || !strings.Contains(out, "does not take this USSD code") {
			t.Errorf("%s says %q, %v", line, out, err)
		}
	}
	if out, err := g.tryRun("ussd", "fxs1", "*100#"); err == nil || !strings.Contains(out, "only mobile lines") {
		t.Errorf("a phone says %q, %v", out, err)
	}
}
