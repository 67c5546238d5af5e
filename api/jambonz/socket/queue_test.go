package socket_test

import (
	"callbox/api"
	"callbox/api/jambonz"
	"callbox/call"
	"testing"
	"time"
)

// accounts have each the same hook for the news of queues.
type accounts struct {
	api.Accounts
	hook call.Hook
}

func (a accounts) Account(id string) (api.Account, bool) {
	return api.Account{ID: id, QueueHook: a.hook}, true
}

// TestQueueHook: the account's hook hears of queues over the websocket of the call,
// or, when that has none, over one of its own.
func TestQueueHook(t *testing.T) {
	a := newApplication(t)
	h := newHubOf(t, jambonz.New(jambonz.Config{Accounts: accounts{hook: call.Hook{URL: a.url + "/queues"}}}), patient)
	rec := record()
	at := time.Now()
	news := &call.QueueNews{Queue: call.Queue{Name: "support", Size: 1}, Joined: at}
	h.Publish(call.Event{Type: call.EventQueueJoin, At: at, Record: &rec, Queue: news})
	p := a.next()
	if m := p.want("queue:status"); m.Data["event"] != "join" || m.Data["queue"] != "support" || m.CallSid != "c1" {
		t.Errorf("%+v", m)
	}
	h.Publish(call.Event{Type: call.EventQueueLeave, At: at.Add(time.Second), Record: &rec, Queue: news})
	if m := p.want("queue:status"); m.Data["event"] != "leave" || m.Data["leave_reason"] != "abandoned" {
		t.Errorf("%+v", m)
	}
	rec.State = call.Completed
	h.Publish(call.Event{Type: call.EventEnded, Record: &rec})
	p.closed()
}
