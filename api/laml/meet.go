package laml

import (
	"net/http"
	"strconv"

	"callbox/api"
	"callbox/call"
	"callbox/call/script"
)

// What applications are told of conferences and queues (call-api.md §5.4).

// addMeeting adds what the verbs of conferences and queues tell their actions, and
// what a document for a waiting call is told.
func (d *Dialect) addMeeting(f *Form, res *script.Result) {
	switch {
	case res.Conference != nil:
		r := res.Conference
		status := "answered" // that is what a Dial into a conference says
		if r.Conference == "" {
			status = call.Failed.String()
		}
		f.Add("DialCallStatus", status)
		if r.Conference != "" {
			f.Add("DialCallDuration", WholeSeconds(r.Duration))
			f.Add("ConferenceSid", r.Conference)
		}
		if r.Recording != nil {
			d.addRecording(f, *r.Recording)
		}
	case res.Queue != nil:
		f.Add("QueueResult", string(res.Queue.Outcome))
		if res.Queue.Queue != "" {
			f.Add("QueueSid", res.Queue.Queue)
			f.Add("QueueTime", WholeSeconds(res.Queue.Waited))
		}
	case res.Dequeue != nil:
		d.addDial(f, res.Dequeue.DialResult)
		f.Some("QueueSid", res.Dequeue.Queue)
	case res.Waiting != nil:
		w := res.Waiting
		f.Add("QueueSid", w.Queue.ID)
		f.Add("QueueTime", WholeSeconds(w.Waited))
		if w.Peer != "" {
			f.Add("DequeingCallSid", w.Peer) // as the family spells it
			return
		}
		f.Add("QueuePosition", strconv.Itoa(w.Position))
		f.Add("AvgQueueTime", WholeSeconds(w.Queue.Wait))
		f.Add("CurrentQueueSize", strconv.Itoa(w.Queue.Size))
		f.Add("MaxQueueSize", strconv.Itoa(w.Queue.Max))
	case res.Announce != nil:
		f.Add("ConferenceSid", res.Announce.ID)
		f.Add("FriendlyName", res.Announce.Name)
	}
}

// announcement is the request for a document that is played to a whole conference:
// there is no call that it could tell of.
func (d *Dialect) announcement(h call.Hook, rec call.Record, c *call.Conference) api.Outgoing {
	var f Form
	f.Add("AccountSid", d.sid(rec.Account))
	f.Add("ApiVersion", d.p.Version)
	f.Add("ConferenceSid", c.ID)
	f.Add("FriendlyName", c.Name)
	return d.outgoing(h, rec, f)
}

// endReasons are why a conference ended, for programs and for people.
var endReasons = map[call.ConferenceEnd][2]string{
	call.EndedByRequest:  {"conference-ended-via-api", "Conference ended via API"},
	call.EndedEmpty:      {"last-participant-left", "The last participant left the conference"},
	call.EndedByKick:     {"last-participant-kicked", "The last participant was removed from the conference"},
	call.EndedWithMember: {"participant-with-end-conference-on-exit-left", "A participant with endConferenceOnExit=true left the conference"},
	call.EndedWithKicked: {"participant-with-end-conference-on-exit-kicked", "A participant with endConferenceOnExit=true was removed from the conference"},
}

// leftReasons are why a party left, for programs and for people.
var leftReasons = map[call.Departure][2]string{
	call.LeftByHangup:   {"participant_hung_up", "Participant hung up"},
	call.LeftByStar:     {"participant_pressed_star", "Participant left by pressing *"},
	call.LeftByLimit:    {"time_limit_reached", "The time limit of the participant's Dial was reached"},
	call.LeftByRedirect: {"participant_updated_via_api", "The participant's call was given another document"},
	call.LeftByKick:     {"participant_removed_via_api", "Participant was removed via API"},
	call.LeftAtEnd:      {"conference_ended", "Conference ended"},
}

// conferenceCallback is the message that an event of a conference owes to the
// hook of its first party.
func (d *Dialect) conferenceCallback(ev call.Event) []api.Outgoing {
	n := ev.Conference
	if !n.Conference.Hook.Wants(ev.Type) {
		return nil
	}
	var f Form
	f.Add("ConferenceSid", n.Conference.ID)
	f.Add("FriendlyName", n.Conference.Name)
	f.Add("AccountSid", d.sid(n.Conference.Account))
	f.Add("SequenceNumber", strconv.Itoa(ev.Seq))
	f.Add("Timestamp", RFC2822(ev.At))
	f.Add("StatusCallbackEvent", string(ev.Type))
	if p := n.Participant; p != nil {
		f.Add("CallSid", p.Call)
		f.Add("Muted", strconv.FormatBool(p.Muted))
		f.Add("Hold", strconv.FormatBool(p.Held))
		f.Add("Coaching", strconv.FormatBool(p.Coach != ""))
		f.Some("CallSidToCoach", p.Coach)
		f.Add("EndConferenceOnExit", strconv.FormatBool(p.EndOnExit))
		f.Add("StartConferenceOnEnter", strconv.FormatBool(p.StartOnEnter))
		f.Some("ParticipantLabel", p.Label)
	}
	switch ev.Type {
	case call.EventConferenceEnd:
		why := endReasons[n.Conference.Reason]
		f.Some("CallSidEndingConference", n.Conference.EndedBy)
		f.Add("ReasonConferenceEnded", why[0])
		f.Add("Reason", why[1])
	case call.EventLeave:
		why := leftReasons[n.Left]
		f.Add("ParticipantCallStatus", StatusName(*ev.Record))
		f.Add("ReasonParticipantLeft", why[0])
		f.Add("Reason", why[1])
	case call.EventAnnouncementEnd, call.EventAnnouncementFail:
		f.Add("AnnounceUrl", n.URL)
		f.Some("ReasonAnnouncementFailed", n.Fault)
	}
	o := d.outgoing(n.Conference.Hook.Hook, call.Record{Account: n.Conference.Account}, f)
	o.Token = eventToken(n.Conference.ID, string(ev.Type), strconv.Itoa(ev.Seq))
	return []api.Outgoing{o}
}

// conferenceFields are the family's fields of a conference.
var conferenceFields = map[string]func(View[call.Conference]) any{
	"sid":           func(v View[call.Conference]) any { return v.X.ID },
	"account_sid":   func(v View[call.Conference]) any { return v.Account },
	"friendly_name": func(v View[call.Conference]) any { return v.X.Name },
	"status":        func(v View[call.Conference]) any { return string(v.X.State) },
	"date_created":  func(v View[call.Conference]) any { return v.Date(&v.X.Created) },
	"date_updated":  func(v View[call.Conference]) any { return v.Date(&v.X.Updated) },
	"api_version":   func(v View[call.Conference]) any { return v.p.Version },
	"uri":           func(v View[call.Conference]) any { return v.Path + ".json" },
	"reason_conference_ended": func(v View[call.Conference]) any {
		return v.Text(endReasons[v.X.Reason][0])
	},
	"call_sid_ending_conference": func(v View[call.Conference]) any { return v.Text(v.X.EndedBy) },
}

// Party is a participant with its call, which may be unknown.
type Party struct {
	call.Participant
	Status string // of its call, as the family sees it
}

// participantFields are the family's fields of a participant.
var participantFields = map[string]func(View[Party]) any{
	"call_sid":                  func(v View[Party]) any { return v.X.Call },
	"sid":                       func(v View[Party]) any { return v.X.Call },
	"conference_sid":            func(v View[Party]) any { return v.X.Conference },
	"account_sid":               func(v View[Party]) any { return v.Account },
	"label":                     func(v View[Party]) any { return v.Text(v.X.Label) },
	"muted":                     func(v View[Party]) any { return v.X.Muted },
	"hold":                      func(v View[Party]) any { return v.X.Held },
	"coaching":                  func(v View[Party]) any { return v.X.Coach != "" },
	"call_sid_to_coach":         func(v View[Party]) any { return v.Text(v.X.Coach) },
	"start_conference_on_enter": func(v View[Party]) any { return v.X.StartOnEnter },
	"end_conference_on_exit":    func(v View[Party]) any { return v.X.EndOnExit },
	"status":                    func(v View[Party]) any { return v.X.Status },
	"queue_time": func(v View[Party]) any {
		if !v.Created {
			return nil
		}
		return "0"
	},
	"date_created": func(v View[Party]) any { return v.Date(&v.X.Created) },
	"date_updated": func(v View[Party]) any { return v.Date(&v.X.Updated) },
	"uri":          func(v View[Party]) any { return v.Path + ".json" },
}

// queueFields are the family's fields of a queue.
var queueFields = map[string]func(View[call.Queue]) any{
	"sid":               func(v View[call.Queue]) any { return v.X.ID },
	"account_sid":       func(v View[call.Queue]) any { return v.Account },
	"friendly_name":     func(v View[call.Queue]) any { return v.X.Name },
	"current_size":      func(v View[call.Queue]) any { return v.X.Size },
	"max_size":          func(v View[call.Queue]) any { return v.X.Max },
	"average_wait_time": func(v View[call.Queue]) any { return Seconds(v.X.Wait) },
	"date_created":      func(v View[call.Queue]) any { return v.Date(&v.X.Created) },
	"date_updated":      func(v View[call.Queue]) any { return v.Date(&v.X.Updated) },
	"uri":               func(v View[call.Queue]) any { return v.Path + ".json" },
}

// memberFields are the family's fields of a call in a queue.
var memberFields = map[string]func(View[call.QueueMember]) any{
	"call_sid":      func(v View[call.QueueMember]) any { return v.X.Call },
	"queue_sid":     func(v View[call.QueueMember]) any { return v.X.Queue },
	"account_sid":   func(v View[call.QueueMember]) any { return v.Account },
	"position":      func(v View[call.QueueMember]) any { return v.X.Position },
	"wait_time":     func(v View[call.QueueMember]) any { return Seconds(v.X.Wait) },
	"date_enqueued": func(v View[call.QueueMember]) any { return v.Date(&v.X.Enqueued) },
	"uri":           func(v View[call.QueueMember]) any { return v.Path + ".json" },
}

// partyOf adds what is known of a participant's call.
func (s rest) partyOf(q *api.Request, p call.Participant) Party {
	out := Party{Participant: p, Status: "connected"}
	if p.Joined != nil {
		return out
	}
	rec, err := s.h.Calls.Call(q.Context(), q.Account.ID, p.Call)
	switch {
	case err != nil, rec.State == call.Queued:
		out.Status = "queued"
	case rec.State == call.Ringing:
		out.Status = "ringing"
	case rec.State == call.Dialing, rec.State == call.InProgress:
		out.Status = "connecting"
	case rec.State == call.Completed:
		out.Status = "complete"
	default:
		out.Status = "failed"
	}
	return out
}

func (s rest) conferenceItem(c call.Conference) any {
	return s.p.Shapes.Conference.render(conferenceFields, viewOf(s.Dialect, c, c.Account, "/Conferences/"+c.ID))
}

func (s rest) partyItem(p Party, created bool) any {
	v := viewOf(s.Dialect, p, p.Account, "/Conferences/"+p.Conference+"/Participants/"+p.Call)
	v.Created = created
	return s.p.Shapes.Participant.render(participantFields, v)
}

func (s rest) memberItem(account string, m call.QueueMember) any {
	return s.p.Shapes.Member.render(memberFields, viewOf(s.Dialect, m, account, "/Queues/"+m.Queue+"/Members/"+m.Call))
}

// The acts on conferences.

func (s rest) listConferences(w http.ResponseWriter, q *api.Request) {
	v, p, err := s.readList(w, q, conferenceFilters)
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	f := call.ConferenceFilter{Account: q.Account.ID, Name: v.Text("FriendlyName"), State: call.ConferenceState(v.Text("Status")), Limit: p.size, Cursor: p.cursor}
	f.CreatedAfter, f.CreatedUntil = readSpan(v, "DateCreated")
	f.UpdatedAfter, f.UpdatedUntil = readSpan(v, "DateUpdated")
	render := func(list []call.Conference) []any {
		items := make([]any, len(list))
		for i, c := range list {
			items[i] = s.conferenceItem(c)
		}
		return items
	}
	if s.p.Tables.NumberedPages {
		numberedPage(w, s, q, conferenceFilters, listing[call.Conference]{"Conference", "conferences", func(cursor string) ([]call.Conference, string, error) {
			f.Cursor, f.Limit = cursor, maxPageSize
			page, err := s.h.Conferences.Conferences(f)
			return page.Conferences, page.Next, err
		}, render})
		return
	}
	page, err := s.h.Conferences.Conferences(f)
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	s.writePage(w, q, "Conference", "conferences", render(page.Conferences),
		s.envelopeOf(q.Request, conferenceFilters, len(page.Conferences), page.Next, page.Previous))
}

func (s rest) answerConference(w http.ResponseWriter, q *api.Request, c call.Conference, err error) {
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	s.write(w, q.Request, Answer{http.StatusOK, "Conference", s.conferenceItem(c)})
}

func (s rest) fetchConference(w http.ResponseWriter, q *api.Request) {
	c, err := s.h.Conferences.Conference(q.Account.ID, q.Item)
	s.answerConference(w, q, c, err)
}

// changeConference plays an announcement to a conference, or ends it. One that
// has ended can be ended again, but not spoken to.
func (s rest) changeConference(w http.ResponseWriter, q *api.Request) {
	c, err := s.h.Conferences.Conference(q.Account.ID, q.Item)
	var v Values
	if err == nil {
		v, err = s.readTable(q, conferenceParams)
	}
	s.h.TellWarnings(w, q)
	ctx, cancel := api.ActContext(q)
	defer cancel()
	if err == nil && v.Has("AnnounceUrl") {
		if c.State == call.ConferenceEnded {
			err = refuse(CodeState, "the conference has ended")
		} else {
			c, err = s.h.Conferences.Announce(ctx, q.Account.ID, q.Item, call.Hook{URL: v.Text("AnnounceUrl"), Method: v.method("AnnounceMethod")})
		}
	}
	if err == nil && v.Has("Status") && c.State != call.ConferenceEnded {
		c, err = s.h.Conferences.EndConference(ctx, q.Account.ID, q.Item)
	}
	s.answerConference(w, q, c, err)
}

// conferenceRecordings lists the recordings of a conference.
func (s rest) conferenceRecordings(w http.ResponseWriter, q *api.Request) {
	id := q.Call
	if _, err := s.h.Conferences.Conference(q.Account.ID, id); err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	f, err := s.ReadRecordings(q)
	s.h.TellWarnings(w, q)
	if err == nil {
		f.Account, f.Call = q.Account.ID, id // a recording of a conference has its id in place of a call's
		var page call.RecordingPage
		if page, err = s.h.Recordings.Recordings(q.Context(), f); err == nil {
			s.WriteRecordings(w, q, f, page)
			return
		}
	}
	s.WriteError(w, q.Request, err)
}
