//go:build e2e

package e2e

import (
	"encoding/json"
	"net/url"
	"testing"
)

// TestQuality: how a call sounds is in its record while it is up and after its end,
// in the list for people, and in the metrics.
func TestQuality(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newApp(t)
	question, answer := speak(t, "Please say something for as long as you like."), speak(t, "I am glad to speak to the machine for some time, and to be measured while I do.")
	phone := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: answer})
	a.wav("/question.wav", question)
	a.doc("/voice", `<Response><Play loop="0">/question.wav</Play></Response>`)
	sid := g.create(url.Values{"To": {"client:bob"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
	phone.wait("CALL_ESTABLISHED")
	type loudness struct {
		Speech  float64 `json:"speech_dbov"`
		Clipped int     `json:"clipped"`
	}
	type record struct {
		ID    string `json:"id"`
		Media struct {
			PacketsIn, RemoteLost, Lost int
			RTT                         int64
		} `json:"media"`
		Quality *struct {
			MOS float64   `json:"mos"`
			In  *loudness `json:"in"`
			Out *loudness `json:"out"`
		} `json:"quality"`
	}
	read := func() record {
		var list []record
		if err := json.Unmarshal([]byte(g.run("calls", "-o", "json")), &list); err != nil || len(list) != 1 || list[0].ID != sid {
			t.Fatalf("calls -o json: %v, %+v", err, list)
		}
		return list[0]
	}
	check := func(r record, when string) {
		q := r.Quality
		if q == nil || q.In == nil || q.Out == nil {
			t.Fatalf("%s: %+v", when, r)
		}
		if q.MOS < 3 || q.MOS > 4.5 || q.In.Speech < -45 || q.In.Speech > -5 || q.Out.Speech < -45 || q.Out.Speech > -5 || q.In.Clipped > 0 {
			t.Errorf("%s: MOS %.2f, in %+v, out %+v", when, q.MOS, *q.In, *q.Out)
		}
	}
	poll(t, "both have spoken and the far end has reported", func() bool {
		r := read()
		return r.Media.PacketsIn > 100 && r.Media.RTT > 0 && r.Quality != nil && r.Quality.In.Speech > -45 && r.Quality.Out.Speech > -45
	})
	check(read(), "while the call is up")
	m := g.metrics()
	if m["callbox_mos_worst"] < 3 || m["callbox_mos_mean"] < 3 || m["callbox_media_packets_total"] < 100 {
		t.Errorf("metrics: %v %v %v", m["callbox_mos_worst"], m["callbox_mos_mean"], m["callbox_media_packets_total"])
	}
	phone.do("hangup", "")
	g.until(sid, "completed")
	check(read(), "after the end")
	if m := g.metrics(); m["callbox_mos_worst"] != 0 || m["callbox_media_packets_total"] < 100 {
		t.Errorf("metrics after the end: %v %v", m["callbox_mos_worst"], m["callbox_media_packets_total"])
	}
}
