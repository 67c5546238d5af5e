//go:build e2e

package e2e

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// answered is an answer of the box.
type answered struct {
	status int
	kind   string
	body   []byte
}

// json reads the body.
func (a answered) json(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(a.body, &m); err != nil {
		t.Fatalf("%d %s: %v in %s", a.status, a.kind, err, a.body)
	}
	return m
}

// plainForm sends a form as any program without a client library does; below is
// the path below the account in the Restcomm shape.
func (g *gateway) plainForm(method, below string, form url.Values, header ...string) answered {
	g.t.Helper()
	req, err := http.NewRequest(method, g.callPath("restcomm")+below, strings.NewReader(form.Encode()))
	if err != nil {
		g.t.Fatal(err)
	}
	req.SetBasicAuth(g.account, g.token)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return answered{res.StatusCode, res.Header.Get("Content-Type"), b}
}

// TestRestcommForms makes, watches, changes, finds and ends calls with plain
// forms in the Restcomm shape, in JSON and in XML; RCML runs on a real phone, its
// recording is fetched without a key as that cloud allows.
func TestRestcommForms(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newApp(t)
	question := speak(t, "Welcome. Please enter the number of your order.")
	says := speak(t, "I would like to know where my parcel is today.", "-v", "en-us")
	a.wav("/question.wav", question)
	a.doc("/rcml", `<Response><Gather action="/digits" numDigits="2" timeout="20"><Play>`+a.URL+`/question.wav</Play></Gather></Response>`)
	a.doc("/digits", `<Response><Record action="/recorded" maxLength="8" playBeep="false" timeout="5"/></Response>`)
	a.doc("/recorded", `<Response><Pause length="600"/></Response>`)
	a.doc("/other", `<Response><Pause length="600"/></Response>`)
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto",
		says: append(make([]int16, len(question)+4*rate), says...)}) // begins when the digits were pressed
	form := url.Values{"From": {"+14155550100"}, "To": {"client:bob"}, "Url": {a.URL + "/rcml"}, "Method": {"POST"},
		"FallbackUrl": {a.URL + "/other"}, "FallbackMethod": {"GET"}, "StatusCallback": {a.URL + "/status"}, "StatusCallbackMethod": {"GET"},
		"StatusCallbackEvent": {"initiated,ringing answered,completed"}, "Timeout": {"30"}}
	made := g.plainForm("POST", "/Calls.json", form).json(t)
	sid := text(made["sid"])
	if !strings.HasPrefix(sid, "CA") || made["status"] != "queued" || made["api_version"] != "2012-04-24" {
		t.Fatalf("made: %v", made)
	}
	a.until("/question.wav", 1)
	pauseFor(time.Duration(len(question))*time.Second/rate + time.Second)
	bob.press("17")
	if d := a.until("/digits", 1).form; d.Get("Digits") != "17" || d.Get("InstanceId") == "" {
		t.Errorf("gather told %v", d)
	}
	recorded := a.until("/recorded", 1)
	if len(recorded.header["X-Twilio-Signature"]) > 0 {
		t.Error("a request of the Restcomm shape is signed")
	}
	sound, err := http.Get(recorded.form.Get("RecordingUrl"))
	if err != nil {
		t.Fatal(err)
	}
	defer sound.Body.Close()
	b, err := io.ReadAll(sound.Body)
	if err != nil || sound.StatusCode != 200 {
		t.Errorf("the recording without a key: %s, %v", sound.Status, err)
	}
	samples, _, _ := parseWAV(b)
	hears(t, "the recording", samples, says)
	checkRestcommReads(t, g, sid)

	if c := g.plainForm("POST", "/Calls/"+sid+".json", url.Values{"Url": {a.URL + "/other"}, "Method": {"GET"}}); c.status != 200 || c.json(t)["sid"] != sid {
		t.Errorf("redirect: %d %s", c.status, c.body)
	}
	a.until("/other", 1)
	if c := g.plainForm("POST", "/Calls/"+sid+".json", url.Values{"Status": {"completed"}}); c.status != 200 {
		t.Errorf("complete: %d %s", c.status, c.body)
	}
	hears(t, "bob", bob.heard(), question)
	for i, want := range []string{"initiated 0", "ringing 1", "in-progress 2", "completed 3"} {
		f := a.until("/status", i+1).form
		if got := f.Get("CallStatus") + " " + f.Get("SequenceNumber"); got != want {
			t.Errorf("message %d: %s, want %s", i, got, want)
		}
	}
	if c := g.plainForm("POST", "/Calls/"+sid+".json", url.Values{"Status": {"completed"}}); c.status != http.StatusGone || !strings.HasPrefix(c.kind, "text/plain") {
		t.Errorf("complete it again: %d %s %s", c.status, c.kind, c.body)
	}
	checkRestcommRefusals(t, g, form)
	checkRestcommPages(t, g, form)
}

// checkRestcommReads fetches a call under all of its addresses.
func checkRestcommReads(t *testing.T, g *gateway, sid string) {
	t.Helper()
	for _, path := range []string{"/Calls/" + sid + ".json", "/Calls.json/" + sid} {
		if c := g.plainForm("GET", path, nil).json(t); c["sid"] != sid || c["status"] != "in-progress" {
			t.Errorf("%s: %v", path, c)
		}
	}
	if c := g.plainForm("GET", "/Calls/"+sid, nil, "Accept", "application/json").json(t); c["sid"] != sid {
		t.Errorf("by Accept: %v", c)
	}
	for _, path := range []string{"/Calls/" + sid + ".xml", "/Calls/" + sid} {
		var doc struct {
			XMLName xml.Name `xml:"RestcommResponse"`
			Sid     string   `xml:"Call>Sid"`
			Status  string   `xml:"Call>Status"`
		}
		c := g.plainForm("GET", path, nil)
		if err := xml.Unmarshal(c.body, &doc); err != nil || doc.Sid != sid || doc.Status != "in-progress" {
			t.Errorf("%s: %v in %s", path, err, c.body)
		}
	}
	var list []map[string]any
	c := g.plainForm("GET", "/Calls/"+sid+"/Recordings.json", nil)
	if err := json.Unmarshal(c.body, &list); err != nil || len(list) != 1 || list[0]["call_sid"] != sid {
		t.Errorf("recordings of the call: %s, %v", c.body, err)
	}
}

// checkRestcommRefusals: sentences as text, and nothing for what is not there.
func checkRestcommRefusals(t *testing.T, g *gateway, good url.Values) {
	t.Helper()
	unknown := "/Calls/CA" + strings.Repeat("0", 32) + ".json"
	for name, tc := range map[string]struct {
		method, path string
		form         url.Values
		status       int
		says         string
	}{
		"unknown":         {"GET", unknown, nil, 404, ""},
		"change unknown":  {"POST", unknown, url.Values{"Status": {"completed"}}, 406, ""},
		"no From":         {"POST", "/Calls.json", url.Values{"To": good["To"], "Url": good["Url"]}, 400, "From"},
		"no To":           {"POST", "/Calls.json", url.Values{"From": good["From"], "Url": good["Url"]}, 400, "To"},
		"no Url":          {"POST", "/Calls.json", url.Values{"From": good["From"], "To": good["To"]}, 400, "Url"},
		"page beyond all": {"GET", "/Calls.json?Page=9", nil, 400, "Page 9"},
	} {
		c := g.plainForm(tc.method, tc.path, tc.form)
		if c.status != tc.status || !strings.Contains(string(c.body), tc.says) || c.status == 404 && len(c.body) > 0 {
			t.Errorf("%s: %d %q, want %d with %q", name, c.status, c.body, tc.status, tc.says)
		}
	}
	req, err := http.NewRequest("GET", g.callPath("restcomm")+"/Calls.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if h := res.Header.Get("WWW-Authenticate"); res.StatusCode != 401 || h != `Basic realm="Restcomm realm"` {
		t.Errorf("without a key: %s, %s", res.Status, h)
	}
}

// checkRestcommPages finds seven more calls by the numbers of their pages.
func checkRestcommPages(t *testing.T, g *gateway, form url.Values) {
	t.Helper()
	var want []string
	for i := range 7 {
		form.Set("To", fmt.Sprintf("+3315555012%d", i)) // no route
		sid := text(g.plainForm("POST", "/Calls.json", form).json(t)["sid"])
		want = append([]string{sid}, want...)
	}
	poll(t, "the calls are over", func() bool {
		return g.plainForm("GET", "/Calls.json?Status=failed", nil).json(t)["total"] == 7.0
	})
	var got []string
	for next := "/Calls.json?Status=failed&PageSize=3"; ; {
		page := g.plainForm("GET", next, nil).json(t)
		if page["num_pages"] != 3.0 || page["total"] != 7.0 {
			t.Fatalf("page: %v", page)
		}
		for _, c := range page["calls"].([]any) {
			got = append(got, text(object(c)["sid"]))
		}
		if page["next_page_uri"] == "null" {
			break
		}
		next = strings.TrimPrefix(text(page["next_page_uri"]), "/restcomm/2012-04-24/Accounts/"+g.account)
	}
	if !slices.Equal(got, want) {
		t.Errorf("page by page: %v, want %v", got, want)
	}
}
