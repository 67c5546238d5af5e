package socket_test

import (
	"strings"
	"testing"
	"time"

	"callbox/call"
	"callbox/call/script"
)

// TestStatus: what an application is told of its call, of the calls that it
// dials, and of verbs.
func TestStatus(t *testing.T) {
	a := newApplication(t)
	h, c := newHub(t, patient)
	p, orders := begin(t, h, a)
	rec := record()
	h.Publish(call.Event{Type: call.EventVerb, Record: &rec, Note: "say"}) // nobody asked
	rec.Session.Notify = true
	h.Publish(call.Event{Type: call.EventVerb, Record: &rec, Note: "say"})
	if m := p.want("verb:status"); m.Data["event"] != "starting" || m.Data["name"] != "say" {
		t.Errorf("%+v", m)
	}
	h.Publish(call.Event{Type: call.EventVerbDone, Record: &rec, Note: "say the greeting"})
	if m := p.want("verb:status"); m.Data["event"] != "finished" || m.Data["name"] != "say" || m.Data["id"] != "the greeting" {
		t.Errorf("%+v", m)
	}
	child := call.Record{ID: "child", Parent: "c1", API: "jambonz", Account: "AC1", Direction: call.OutboundDial, State: call.Ringing}
	h.Publish(call.Event{Type: call.EventRinging, Record: &child})
	if m := p.want("call:status"); m.CallSid != "c1" || m.Data["call_sid"] != "child" || m.Data["call_status"] != "ringing" {
		t.Errorf("%+v", m)
	}
	child.Early = true
	h.Publish(call.Event{Type: call.EventEarly, Record: &child})
	if m := p.want("call:status"); m.Data["call_sid"] != "child" || m.Data["call_status"] != "early-media" || m.Data["sip_status"] != float64(183) || !strings.HasPrefix(m.B3, m.Data["trace_id"].(string)+"-") {
		t.Errorf("%+v", m)
	}
	child.AnsweredBy, child.AMD = "human", &call.AMD{Status: call.Hook{URL: a.url + "/amd", Name: "/amd"}}
	h.Publish(call.Event{Type: call.EventMachine, Record: &child})
	m := p.want("verb:hook")
	if m.Hook != "/amd" || m.Data["type"] != "amd_human_detected" {
		t.Errorf("%+v", m)
	}
	p.say(`{"type":"ack","msgid":%q,"data":[{"verb":"hangup"}]}`, m.Msgid) // takes the child over
	if got := <-c.changes; !strings.Contains(got, `AC1 child`) || !strings.Contains(got, `"inline":"[{\"verb\":\"hangup\"}]","base":"`+a.url) {
		t.Errorf("%s", got)
	}
	if m := p.want("verb:hook"); m.Data["type"] != "amd_stopped" {
		t.Errorf("%+v", m)
	}
	rec.AnsweredBy, rec.AMD = "human", child.AMD
	h.Publish(call.Event{Type: call.EventMachine, Record: &rec})
	p.say(`{"type":"ack","msgid":%q,"data":[{"verb":"hangup"}]}`, p.want("verb:hook").Msgid)
	if o, err := orders.Next(t.Context()); err != nil || o.Way != script.Instead || len(o.Document.Verbs) != 1 {
		t.Errorf("%+v, %v", o, err)
	}
	p.want("verb:hook")
	h.Publish(call.Event{Type: call.EventEnded, Record: &call.Record{ID: "else", API: "twilio"}})
	now := time.Now()
	rec.State, rec.Ended, rec.Answered = call.Completed, &now, &now
	h.Publish(call.Event{Type: call.EventEnded, Record: &rec})
	if m := p.want("call:status"); m.Data["call_status"] != "completed" {
		t.Errorf("%+v", m)
	}
	if !rec.Status.IsZero() {
		t.Errorf("the shared record was changed: %+v", rec.Status)
	}
	p.closed()
}
