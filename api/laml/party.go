package laml

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strings"

	"callbox/api"
	"callbox/api/laml/twiml"
	"callbox/call"
)

// The tables of conferences and queues.
var (
	conferenceFilters = WithPaging(
		Param{Name: "FriendlyName", Kind: Text, Max: 128},
		Param{Name: "Status", Kind: Choice, Enum: []string{"init", "in-progress", "completed"}},
		Param{Name: "DateCreated", Kind: Day}, Param{Name: "DateCreated<", Kind: Day}, Param{Name: "DateCreated>", Kind: Day},
		Param{Name: "DateUpdated", Kind: Day}, Param{Name: "DateUpdated<", Kind: Day}, Param{Name: "DateUpdated>", Kind: Day},
	)
	conferenceParams = []Param{
		{Name: "Status", Kind: Choice, Enum: []string{"completed"}},
		{Name: "AnnounceUrl", Kind: Link},
		{Name: "AnnounceMethod", Kind: Verb},
	}
	participantFilters = WithPaging(
		Param{Name: "Muted", Kind: Bool}, Param{Name: "Hold", Kind: Bool}, Param{Name: "Coaching", Kind: Bool},
	)
	memberParams = []Param{
		{Name: "Url", Kind: Link, Code: CodeURL, Required: CodeURL},
		{Name: "Method", Kind: Verb},
	}
	memberFilters = WithPaging()
)

// QueueParams are the parameters of a queue.
func QueueParams() []Param {
	return []Param{
		{Name: "FriendlyName", Kind: Text, Max: call.MaxQueueName, Required: CodeInvalid},
		{Name: "MaxSize", Kind: Integer, Min: 1, Max: call.MaxQueueSize},
	}
}

// ParticipantParams are the parameters of a change of a participant.
func ParticipantParams() []Param {
	return []Param{
		{Name: "Muted", Kind: Bool},
		{Name: "Hold", Kind: Bool},
		{Name: "HoldUrl", Kind: Link},
		{Name: "HoldMethod", Kind: Verb},
		{Name: "AnnounceUrl", Kind: Link},
		{Name: "AnnounceMethod", Kind: Verb},
		{Name: "WaitUrl", Kind: Link},
		{Name: "WaitMethod", Kind: Verb},
		{Name: "BeepOnExit", Kind: Bool},
		{Name: "EndConferenceOnExit", Kind: Bool},
		{Name: "Coaching", Kind: Bool},
		{Name: "CallSidToCoach", Kind: Text, Max: 64},
	}
}

// InviteParams are the parameters of a call into a conference: those of a call,
// but for its script, and what Conference has as attributes.
func InviteParams(link Code) []Param {
	table := slices.DeleteFunc(CreateParams(link), func(p Param) bool {
		return slices.Contains([]string{"ApplicationSid", "Url", "Twiml", "Method", "FallbackUrl", "FallbackMethod", "SendDigits",
			"AsyncAmd", "AsyncAmdStatusCallback", "AsyncAmdStatusCallbackMethod", "MachineDetection"}, p.Name) ||
			strings.HasPrefix(p.Name, "MachineDetection")
	})
	events := []string{"start", "end", "join", "leave", "mute", "hold", "modify", "speaker", "announcement"}
	return With(table,
		Param{Name: "Label", Kind: Text, Max: 128},
		Param{Name: "Muted", Kind: Bool},
		Param{Name: "Beep", Kind: Choice, Enum: []string{"true", "false", "onEnter", "onExit"}},
		Param{Name: "StartConferenceOnEnter", Kind: Bool},
		Param{Name: "EndConferenceOnExit", Kind: Bool},
		Param{Name: "WaitUrl", Kind: Link, Code: link},
		Param{Name: "WaitMethod", Kind: Verb},
		Param{Name: "MaxParticipants", Kind: Integer, Min: 2, Max: 250},
		Param{Name: "ConferenceRecord", Kind: Choice, Enum: []string{"true", "false", "record-from-start", "do-not-record"}},
		Param{Name: "ConferenceTrim", Kind: Choice, Enum: []string{"trim-silence", "do-not-trim"}},
		Param{Name: "ConferenceStatusCallback", Kind: Link, Code: link},
		Param{Name: "ConferenceStatusCallbackMethod", Kind: Verb},
		Param{Name: "ConferenceStatusCallbackEvent", Kind: Choices, Enum: events},
		Param{Name: "ConferenceRecordingStatusCallback", Kind: Link, Code: link},
		Param{Name: "ConferenceRecordingStatusCallbackMethod", Kind: Verb},
		Param{Name: "ConferenceRecordingStatusCallbackEvent", Kind: Choices, Enum: RecordingEvents},
		Param{Name: "Coaching", Kind: Bool},
		Param{Name: "CallSidToCoach", Kind: Text, Max: 64},
		Param{Name: "TimeLimit", Kind: Integer, Min: 1, Max: 14400},
		Param{Name: "CallReason", Kind: Text, Max: 50},
		Param{Name: "Byoc", Kind: Match, Pattern: IsSid("BY"), Hint: "BY and 32 hex digits"},
		Param{Name: "EarlyMedia", Kind: Ignored},
		Param{Name: "JitterBufferSize", Kind: Text, Max: 16}, // the box's own adapts itself
		Param{Name: "Region", Kind: Ignored},
		Param{Name: "RecordingConfigurationId", Kind: Ignored},
	)
}

// listParticipants answers with a page of the parties of a conference; one that
// has ended has none.
func (s rest) listParticipants(w http.ResponseWriter, q *api.Request) {
	list, err := s.h.Participants.Participants(q.Account.ID, q.Parent)
	if err != nil {
		if _, known := s.h.Conferences.Conference(q.Account.ID, q.Parent); known != nil {
			s.WriteError(w, q.Request, err)
			return
		}
	}
	parties := make([]Party, len(list))
	for i, p := range list {
		parties[i] = s.partyOf(q, p)
	}
	is := func(v Values, name string, on bool) bool { return !v.Has(name) || v.Bool(name) == on }
	writeFiltered(s, w, q, participantFilters, "Participant", "participants", parties, func(v Values, p Party) bool {
		return is(v, "Muted", p.Muted) && is(v, "Hold", p.Held) && is(v, "Coaching", p.Coach != "")
	}, func(p Party) any { return s.partyItem(p, false) })
}

func (s rest) fetchParticipant(w http.ResponseWriter, q *api.Request) {
	p, err := s.h.Participants.Participant(q.Account.ID, q.Parent, q.Item)
	s.answerParticipant(w, q, http.StatusOK, p, err)
}

func (s rest) answerParticipant(w http.ResponseWriter, q *api.Request, status int, p call.Participant, err error) {
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	s.write(w, q.Request, Answer{status, "Participant", s.partyItem(s.partyOf(q, p), status == s.p.CreatedStatus && p.Joined == nil)})
}

// changeParticipant changes a party.
func (s rest) changeParticipant(w http.ResponseWriter, q *api.Request) {
	p, err := s.h.Participants.Participant(q.Account.ID, q.Parent, q.Item)
	var v Values
	if err == nil {
		v, err = s.readTable(q, s.p.Tables.Participant)
	}
	s.h.TellWarnings(w, q)
	var ch call.ParticipantChange
	if err == nil {
		ch, err = readParticipantChange(v)
	}
	if err == nil {
		ctx, cancel := api.ActContext(q)
		defer cancel()
		p, err = s.h.Participants.ChangeParticipant(ctx, q.Account.ID, q.Parent, q.Item, ch)
	}
	s.answerParticipant(w, q, http.StatusOK, p, err)
}

// readParticipantChange reads a change of a party.
func readParticipantChange(v Values) (call.ParticipantChange, error) {
	flag := func(name string) *bool {
		if !v.Has(name) {
			return nil
		}
		return new(v.Bool(name))
	}
	ch := call.ParticipantChange{Muted: flag("Muted"), Held: flag("Hold"), BeepOnExit: flag("BeepOnExit"), EndOnExit: flag("EndConferenceOnExit")}
	sound := func(name, method string) *call.WaitSound {
		if !v.Given(name) {
			return nil
		}
		return &call.WaitSound{Hook: call.Hook{URL: v.Text(name), Method: v.Text(method)}, Silent: v.Text(name) == ""}
	}
	ch.Wait, ch.Hold = sound("WaitUrl", "WaitMethod"), sound("HoldUrl", "HoldMethod")
	if ch.Hold != nil && ch.Hold.Method == "" {
		ch.Hold.Method = http.MethodGet
	}
	if ch.Hold == nil && v.Has("Hold") && v.Bool("Hold") {
		ch.Hold = &call.WaitSound{} // the box's music
	}
	if v.Has("AnnounceUrl") {
		ch.Announce = &call.Hook{URL: v.Text("AnnounceUrl"), Method: v.method("AnnounceMethod")}
	}
	switch {
	case v.Has("Coaching") && !v.Bool("Coaching"):
		ch.Coach = new("")
	case v.Has("CallSidToCoach"):
		ch.Coach = new(v.Text("CallSidToCoach"))
	case v.Bool("Coaching"):
		return ch, refuse(CodeInvalid, "Coaching needs CallSidToCoach, the call that alone hears this one")
	}
	return ch, nil
}

// kickParticipant takes a party out of its conference, and answers 204.
func (s rest) kickParticipant(w http.ResponseWriter, q *api.Request) {
	ctx, cancel := api.ActContext(q)
	defer cancel()
	if _, err := s.h.Participants.ChangeParticipant(ctx, q.Account.ID, q.Parent, q.Item, call.ParticipantChange{Kick: true}); err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// inviteParticipant places a call that enters a conference when it is answered.
// The path names a live conference, or has the name of one to be made.
func (s rest) inviteParticipant(w http.ResponseWriter, q *api.Request) {
	v, err := s.readTable(q, s.p.Tables.Invite)
	var req call.Request
	if err == nil {
		req, err = s.readInvite(v, q.Warn)
	}
	name := q.Parent
	if err == nil {
		var c call.Conference
		if c, err = s.h.Conferences.Conference(q.Account.ID, q.Parent); err == nil {
			if name = c.Name; c.State == call.ConferenceEnded {
				err = refuse(CodeState, "the conference has ended")
			}
		} else if s.p.IsConference != nil && !s.p.IsConference(q.Parent) {
			err = nil // a name
		}
	}
	s.h.TellWarnings(w, q)
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	req.Script.Inline = conferenceDocument(name, v)
	p := call.Participant{Call: req.ID, API: s.p.Name, Label: v.Text("Label"), Muted: v.Bool("Muted"), EndOnExit: v.Bool("EndConferenceOnExit"),
		StartOnEnter: !v.Has("StartConferenceOnEnter") || v.Bool("StartConferenceOnEnter"), Coach: v.Text("CallSidToCoach")}
	p, err = s.h.InviteParticipant(q, req, name, p, conferenceHook(v))
	s.answerParticipant(w, q, s.p.CreatedStatus, p, err)
}

// readInvite makes the request for the call of the parameters of an invitation.
func (s rest) readInvite(v Values, warn func(string)) (call.Request, error) {
	req := call.Request{
		ID: s.p.NewID(api.CallID), API: s.p.Name, RingTimeout: seconds(v.Int("Timeout", 0)), TimeLimit: seconds(v.Int("TimeLimit", 0)),
		Reason: v.Text("CallReason"), Status: statusHook(v, "StatusCallback", twiml.CallEvents), Record: readRecord(v, warn),
	}
	kind, err := s.readParties(v, &req)
	if err != nil {
		return req, err
	}
	if kind == twiml.NumberAddress {
		req.Line = v.Text("Byoc") // without meaning for anything but numbers
	}
	if v.Bool("Coaching") && !v.Has("CallSidToCoach") {
		return req, refuse(CodeInvalid, "Coaching needs CallSidToCoach, the call that alone hears this one")
	}
	req.Auth, err = readAuth(v)
	return req, err
}

// conferenceHook is the hook that an invitation gives to its conference.
func conferenceHook(v Values) call.StatusHook {
	if !v.Has("ConferenceStatusCallback") {
		return call.StatusHook{}
	}
	h := call.StatusHook{Hook: call.Hook{URL: v.Text("ConferenceStatusCallback"), Method: v.method("ConferenceStatusCallbackMethod")}}
	for _, word := range v.List("ConferenceStatusCallbackEvent") {
		h.Events = append(h.Events, twiml.ConferenceEvents[word]...)
	}
	if len(h.Events) == 0 {
		h.Events = twiml.DefaultConferenceEvents()
	}
	return h
}

// conferenceDocument is the document of a call into a conference.
func conferenceDocument(name string, v Values) string {
	var b strings.Builder
	b.WriteString("<Response><Dial><Conference")
	for _, a := range []struct{ attr, param string }{
		{"muted", "Muted"}, {"beep", "Beep"}, {"startConferenceOnEnter", "StartConferenceOnEnter"}, {"endConferenceOnExit", "EndConferenceOnExit"},
		{"waitUrl", "WaitUrl"}, {"waitMethod", "WaitMethod"}, {"maxParticipants", "MaxParticipants"}, {"record", "ConferenceRecord"},
		{"trim", "ConferenceTrim"}, {"coach", "CallSidToCoach"}, {"participantLabel", "Label"},
		{"statusCallback", "ConferenceStatusCallback"}, {"statusCallbackMethod", "ConferenceStatusCallbackMethod"},
		{"statusCallbackEvent", "ConferenceStatusCallbackEvent"},
		{"recordingStatusCallback", "ConferenceRecordingStatusCallback"},
		{"recordingStatusCallbackMethod", "ConferenceRecordingStatusCallbackMethod"},
		{"recordingStatusCallbackEvent", "ConferenceRecordingStatusCallbackEvent"},
	} {
		if v.Given(a.param) {
			b.WriteString(" " + a.attr + `="`)
			_ = xml.EscapeText(&b, []byte(v.Text(a.param))) // a builder never fails
			b.WriteByte('"')
		}
	}
	b.WriteByte('>')
	_ = xml.EscapeText(&b, []byte(name))
	b.WriteString("</Conference></Dial></Response>")
	return b.String()
}

// The acts on queues.

// queues are settings like others, which live with the calls in them.
func queues(p Profile) setting[call.Queue] {
	return setting[call.Queue]{
		element: "Queue", key: "queues", params: p.Tables.Queue,
		store: func(h *api.Handlers) api.Settings[call.Queue] { return h.Queues },
		id:    func(x call.Queue) string { return x.ID },
		name:  func(x call.Queue) (string, string) { return x.Name, "" },
		read: func(s rest, _ *api.Request, v Values, x *call.Queue, fresh bool) error {
			if fresh {
				x.API = s.p.Name
			}
			if v.Has("FriendlyName") {
				x.Name = v.Text("FriendlyName")
			}
			x.Max = v.Int("MaxSize", x.Max)
			return nil
		},
		show: func(s rest, x call.Queue) any {
			return p.Shapes.Queue.render(queueFields, viewOf(s.Dialect, x, x.Account, "/Queues/"+x.ID))
		},
	}
}

// queueMembers gives the calls in the queue that the path names.
func (s rest) queueMembers(q *api.Request) ([]call.QueueMember, error) {
	return s.h.QueueMembers.QueueMembers(q.Account.ID, q.Parent)
}

func (s rest) listMembers(w http.ResponseWriter, q *api.Request) {
	list, err := s.queueMembers(q)
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	writeFiltered(s, w, q, memberFilters, "QueueMember", "queue_members", list, func(Values, call.QueueMember) bool { return true },
		func(m call.QueueMember) any { return s.memberItem(q.Account.ID, m) })
}

// member gives the call in a queue that the path names: by its id, or the front.
func (s rest) member(q *api.Request) (call.QueueMember, error) {
	list, err := s.queueMembers(q)
	if err != nil {
		return call.QueueMember{}, err
	}
	for _, m := range list {
		if m.Call == q.Item || q.Item == "Front" {
			return m, nil
		}
	}
	return call.QueueMember{}, call.ErrNotFound
}

func (s rest) fetchMember(w http.ResponseWriter, q *api.Request) {
	m, err := s.member(q)
	s.answerMember(w, q, m, err)
}

func (s rest) answerMember(w http.ResponseWriter, q *api.Request, m call.QueueMember, err error) {
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	s.write(w, q.Request, Answer{http.StatusOK, "QueueMember", s.memberItem(q.Account.ID, m)})
}

// dequeueMember gives a waiting call another document, which takes it out of the
// queue.
func (s rest) dequeueMember(w http.ResponseWriter, q *api.Request) {
	m, err := s.member(q)
	var v Values
	if err == nil {
		v, err = s.readTable(q, memberParams)
	}
	s.h.TellWarnings(w, q)
	if err == nil {
		ctx, cancel := api.ActContext(q)
		defer cancel()
		src := call.ScriptSource{Main: call.Hook{URL: v.Text("Url"), Method: v.method("Method")}}
		_, err = s.h.Calls.Modify(ctx, q.Account.ID, m.Call, call.Change{Script: &src})
	}
	s.answerMember(w, q, m, err)
}

// meetingRoutes are the paths of conferences and queues, as far as a dialect and
// the box have them.
func meetingRoutes(p Profile, plain, record, sound []string) []route {
	var list []route
	has := func(do act) act {
		return func(s rest, w http.ResponseWriter, q *api.Request) {
			if s.h.Conferences == nil {
				s.WriteError(w, q.Request, api.ErrNoPath)
				return
			}
			do(s, w, q)
		}
	}
	if p.Shapes.Conference.Keys != nil {
		parties := route{path: "Conferences/{parent}/Participants", suffixes: plain, acts: map[string]act{"GET": has(rest.listParticipants)},
			about: map[string]operation{"GET": {summary: "List the participants of a conference", params: participantFilters, element: "Participant", list: "participants"}}}
		if p.Tables.Invite != nil {
			parties.acts["POST"] = has(rest.inviteParticipant)
			parties.about["POST"] = operation{summary: "Call a participant into a conference", params: p.Tables.Invite, element: "Participant", created: true}
		}
		recordings := route{path: "Conferences/{call}/Recordings", suffixes: plain, acts: map[string]act{"GET": has(rest.conferenceRecordings)}, about: map[string]operation{
			"GET": {summary: "List the recordings of a conference", params: p.Tables.ListRecordings, element: "Recording", list: "recordings"},
		}}
		if p.Tables.StartRecording != nil {
			recordings.acts["POST"] = has(func(s rest, w http.ResponseWriter, q *api.Request) { s.h.StartConferenceRecording(w, q, tapes{s}) })
			recordings.about["POST"] = operation{summary: "Record a conference that is going on", params: conferenceTape(p.Tables.StartRecording), element: "Recording", created: true}
		}
		list = append(list, parties, recordings,
			route{path: "Conferences", suffixes: plain, acts: map[string]act{"GET": has(rest.listConferences)}, about: map[string]operation{
				"GET": {summary: "List conferences, the newest first", params: conferenceFilters, element: "Conference", list: "conferences"},
			}},
			route{path: "Conferences/{item}", suffixes: plain, acts: map[string]act{"GET": has(rest.fetchConference), "POST": has(rest.changeConference)},
				about: map[string]operation{
					"GET":  {summary: "Fetch a conference", element: "Conference"},
					"POST": {summary: "Play an announcement to a conference, or end it", params: conferenceParams, element: "Conference"},
				}},
			route{path: "Conferences/{parent}/Participants/{item}", suffixes: plain, acts: map[string]act{
				"GET": has(rest.fetchParticipant), "POST": has(rest.changeParticipant), "DELETE": has(rest.kickParticipant),
			}, about: map[string]operation{
				"GET":    {summary: "Fetch a participant", element: "Participant"},
				"POST":   {summary: "Mute, hold, coach or speak to a participant", params: p.Tables.Participant, element: "Participant"},
				"DELETE": {summary: "Remove a participant from a conference"},
			}},
			// A recording of a conference has its id in place of a call's.
			route{path: "Conferences/{call}/Recordings/{recording}", suffixes: record, acts: steered(p), about: map[string]operation{
				"GET": {summary: "Fetch a recording of a conference", element: "Recording"}, "DELETE": {summary: "Delete a recording of a conference"},
				"POST": {summary: "Pause, resume or stop a recording of a conference; Twilio.CURRENT is the latest", params: p.Tables.UpdateRecording, element: "Recording"},
			}},
			route{path: "Conferences/{call}/Recordings/{recording}", suffixes: sound, acts: recordingSound, sound: true},
		)
	}
	if p.Tables.Queue != nil {
		list = append(list, settingRoutes(queues(p), "Queues", plain)...)
		list = append(list,
			route{path: "Queues/{parent}/Members", suffixes: plain, acts: map[string]act{"GET": has(rest.listMembers)}, about: map[string]operation{
				"GET": {summary: "List the calls in a queue, the front first", params: memberFilters, element: "QueueMember", list: "queue_members"},
			}},
			route{path: "Queues/{parent}/Members/{item}", suffixes: plain, acts: map[string]act{"GET": has(rest.fetchMember), "POST": has(rest.dequeueMember)},
				about: map[string]operation{
					"GET":  {summary: "Fetch a call in a queue, or its front", element: "QueueMember"},
					"POST": {summary: "Take a call out of a queue and give it a document", params: memberParams, element: "QueueMember"},
				}},
		)
	}
	return list
}
