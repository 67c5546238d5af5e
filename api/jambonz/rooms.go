package jambonz

import (
	"net/http"
	"strings"

	"callbox/api"
	"callbox/api/jambonz/js"
	"callbox/api/jambonz/verbs"
	"callbox/call"
	"callbox/call/script"
)

// Conferences and queues are known by their accounts and names (call-api.md §6).
func (d *Dialect) conferenceSID(account, name string) string {
	return "conf:" + d.sid(account) + ":" + name
}

func (d *Dialect) queueSID(account, name string) string {
	return "queue:" + d.sid(account) + ":" + name
}

// addMeeting adds what the verbs of conferences and queues tell their actions, and
// what a document for a waiting call is told.
func (d *Dialect) addMeeting(o *js.Object, rec call.Record, res *script.Result) {
	switch {
	case res.Queue != nil:
		if res.Queue.Name != "" {
			o.Text("queue_sid", d.queueSID(rec.Account, res.Queue.Name))
		}
		o.Number("queue_time", wholeSeconds(res.Queue.Waited))
		o.Text("queue_result", queueResults[res.Queue.Outcome])
	case res.Dequeue != nil:
		result := "complete"
		switch {
		case res.Dequeue.Timeout:
			result = "timeout"
		case !res.Dequeue.Bridged:
			result = "hangup"
		}
		o.Text("dequeue_result", result)
	case res.Waiting != nil:
		w := res.Waiting
		o.Text("queue_sid", d.queueSID(rec.Account, w.Queue.Name))
		o.Number("queue_time", wholeSeconds(w.Waited))
		o.Number("queue_size", float64(w.Queue.Size))
		o.Number("queue_position", float64(max(w.Position-1, 0)))
	case res.Announce != nil:
		o.Text("conference_sid", d.conferenceSID(rec.Account, res.Announce.Name))
		o.Text("friendly_name", res.Announce.Name)
	}
}

// queueResults are the ways out of a queue in this API's words, which are fewer.
var queueResults = map[call.QueueOutcome]string{
	call.QueueBridged: "bridged", call.QueueTakenAway: "bridged", call.QueueHangup: "hangup", call.QueueLeave: "leave", call.QueueRedirected: "leave",
	call.QueueFull: "error", call.QueueError: "error",
}

// conferenceCallback is the message that an event of a conference owes to its
// status hook.
func (d *Dialect) conferenceCallback(ev call.Event) []api.Outgoing {
	n := ev.Conference
	name := verbs.ConferenceEvent(ev.Type)
	if name == "" || !n.Conference.Hook.Wants(ev.Type) {
		return nil
	}
	var o js.Object
	if ev.Record.ID != "" {
		o = d.common(*ev.Record)
	} else {
		o.Text("account_sid", d.sid(n.Conference.Account))
	}
	o.Text("event", name)
	o.Text("conference_sid", d.conferenceSID(n.Conference.Account, n.Conference.Name))
	o.Text("friendly_name", n.Conference.Name)
	began := n.Conference.Created
	if n.Conference.Started != nil {
		began = *n.Conference.Started
	}
	o.Number("duration", max(ev.At.Sub(began), 0).Round(1e6).Seconds())
	o.Text("time", isoTime(ev.At))
	o.Number("members", float64(n.Conference.Members))
	if n.Participant != nil {
		o.Some("member_tag", n.Participant.Tag)
	}
	out := d.outgoing(n.Conference.Hook.Hook, call.Record{ID: ev.Record.ID, Account: n.Conference.Account}, o)
	out.Token = eventToken(call.Record{ID: n.Conference.ID}, ev)
	return []api.Outgoing{out}
}

// listConferences answers with the names of the conferences that are going on.
func (s rest) listConferences(w http.ResponseWriter, q request) {
	list := js.Value{Kind: js.List}
	f := call.ConferenceFilter{Account: q.Account.ID, Limit: listLimit}
	for _, f.State = range []call.ConferenceState{call.ConferenceRunning, call.ConferenceInit} {
		if s.h.Conferences == nil {
			break
		}
		page, err := s.h.Conferences.Conferences(f)
		if err != nil {
			s.WriteError(w, q.Request.Request, err)
			return
		}
		for _, c := range page.Conferences {
			list.List = append(list.List, js.Value{Kind: js.Text, Text: c.Name})
		}
	}
	writeJSON(w, http.StatusOK, list)
}

// listQueues answers with the queues in which calls wait; search is a part of
// their names, with * for anything.
func (s rest) listQueues(w http.ResponseWriter, q request) {
	list := js.Value{Kind: js.List}
	var queues []call.Queue
	if s.h.Queues != nil {
		queues = s.h.Queues.List(q.Account.ID)
	}
	search := strings.Trim(q.URL.Query().Get("search"), "*")
	for _, x := range queues {
		if x.Size == 0 || !strings.Contains(x.Name, search) {
			continue
		}
		var o js.Object
		o.Text("name", x.Name)
		o.Number("length", float64(x.Size))
		list.List = append(list.List, o.Value())
	}
	writeJSON(w, http.StatusOK, list)
}

// queueCallback is the message about a call that has come into a queue or left it,
// to the hook of its account (call-api.md §6, enqueue).
func (d *Dialect) queueCallback(ev call.Event) []api.Outgoing {
	rec := *ev.Record
	if d.cfg.Accounts == nil {
		return nil
	}
	account, ok := d.cfg.Accounts.Account(rec.Account)
	if !ok || account.QueueHook.IsZero() {
		return nil
	}
	o := d.common(rec)
	o.Text("queue", ev.Queue.Queue.Name)
	o.Number("length", float64(ev.Queue.Queue.Size))
	o.Number("join_time", float64(ev.Queue.Joined.UnixMilli()))
	if ev.Type == call.EventQueueJoin {
		o.Text("event", "join")
	} else {
		o.Text("event", "leave")
		reason := "abandoned"
		if ev.Queue.Taken {
			reason = "dequeued"
		}
		o.Text("leave_reason", reason)
		o.Number("leave_time", float64(ev.At.UnixMilli()))
		o.Some("dequeuer", ev.Queue.By)
	}
	out := d.outgoing(account.QueueHook, rec, o)
	ev.Note = ev.At.String() // a call may come more than once
	out.Token = eventToken(rec, ev)
	return []api.Outgoing{out}
}
