package laml

import (
	"net/http"

	"callbox/api"
	"callbox/api/laml/twiml"
	"callbox/call"
)

// Text messages (call-api.md §2.4). They are sent by lines of the box; without
// such a line a request is still checked, and then refused.

// messageRoutes are the paths of messages; none when the dialect has none.
func messageRoutes(p Profile, suffixes []string) []route {
	if p.Tables.Message == nil {
		return nil
	}
	path := p.Tables.MessagePath
	if path == "" {
		path = "Messages"
	}
	return []route{
		{
			path: path, suffixes: suffixes, acts: map[string]act{"GET": rest.listMessages, "POST": rest.createMessage},
			about: map[string]operation{
				"GET":  {summary: "List text messages, the newest first", params: messageFilters, element: "Message", list: "messages"},
				"POST": {summary: "Send a text message over a line of the box", params: p.Tables.Message, element: "Message", created: true},
			},
		},
		{
			path: path + "/{item}", suffixes: suffixes, acts: map[string]act{"GET": rest.fetchMessage, "DELETE": rest.deleteMessage},
			about: map[string]operation{
				"GET": {summary: "Fetch a text message", element: "Message"}, "DELETE": {summary: "Delete the record of a text message"},
			},
		},
	}
}

// MessageParams are the parameters of a message.
func MessageParams() []Param {
	return []Param{
		{Name: "To", Kind: Text, Max: 2048, Code: CodeTo, Required: CodeNoMessageTo},
		{Name: "From", Kind: Text, Max: 2048, Code: CodeFrom},
		{Name: "MessagingServiceSid", Kind: Text, Max: 64},
		{Name: "Body", Kind: Text, Max: 1600, Code: CodeBodyLong},
		{Name: "MediaUrl", Kind: Text, Max: 2048, Code: CodeMedia},
		{Name: "ContentSid", Kind: Text, Max: 64},
		{Name: "ScheduleType", Kind: Text, Max: 64}, {Name: "SendAt", Kind: Text, Max: 64},
		{Name: "StatusCallback", Kind: Link, Code: CodeMessageCallback},
		{Name: "ApplicationSid", Kind: Text, Max: 64, Code: CodeApplication},
		{Name: "MaxPrice", Kind: Ignored}, {Name: "ProvideFeedback", Kind: Ignored}, {Name: "Attempt", Kind: Ignored},
		{Name: "ValidityPeriod", Kind: Ignored}, {Name: "ForceDelivery", Kind: Ignored}, {Name: "ContentRetention", Kind: Ignored},
		{Name: "AddressRetention", Kind: Ignored}, {Name: "SmartEncoded", Kind: Ignored}, {Name: "PersistentAction", Kind: Ignored},
		{Name: "TrafficType", Kind: Ignored}, {Name: "ShortenUrls", Kind: Ignored}, {Name: "SendAsMms", Kind: Ignored},
		{Name: "ContentVariables", Kind: Ignored}, {Name: "RiskCheck", Kind: Ignored}, {Name: "FallbackFrom", Kind: Ignored},
	}
}

// messageFilters are the filters of a list of messages.
var messageFilters = WithPaging(
	Param{Name: "To", Kind: Text, Max: 2048},
	Param{Name: "From", Kind: Text, Max: 2048},
	Param{Name: "DateSent", Kind: Day}, Param{Name: "DateSent<", Kind: Day}, Param{Name: "DateSent>", Kind: Day},
)

// readMessage reads a request for a message.
func (s rest) readMessage(q *api.Request) (call.Message, error) {
	v, err := s.readTable(q, s.p.Tables.Message)
	if err != nil {
		return call.Message{}, err
	}
	m := call.Message{ID: s.p.NewID(api.MessageID), API: s.p.Name, Account: q.Account.ID, Direction: call.OutboundAPI, Body: v.Text("Body")}
	to, problem := twiml.ParseAddress(v.Text("To"))
	if problem != nil || to.Kind != twiml.NumberAddress {
		return m, refuse(CodeTo, "To %q is not a phone number; messages go to nothing else", v.Text("To"))
	}
	from, problem := twiml.ParseAddress(v.Text("From"))
	switch {
	case v.Has("MessagingServiceSid"):
		return m, refuse(CodeInvalid, "this box has no messaging services: give the number in From instead of MessagingServiceSid")
	case !v.Has("From"):
		return m, refuse(CodeNoMessageFrom, "From is missing: it is the number of the line that is to send the message")
	case problem != nil || from.Kind != twiml.NumberAddress:
		return m, refuse(CodeFrom, "From %q is not a phone number", v.Text("From"))
	case from.Value == to.Value:
		return m, refuse(CodeSameParties, "To and From are the same number")
	case v.Has("MediaUrl"):
		return m, refuse(CodeMedia, "this box sends text only: leave MediaUrl out")
	case v.Has("ContentSid"):
		return m, refuse(CodeInvalid, "this box has no content templates: give the text in Body instead of ContentSid")
	case v.Has("ScheduleType"), v.Has("SendAt"):
		return m, refuse(CodeInvalid, "this box sends messages at once: leave ScheduleType and SendAt out")
	case !v.Has("Body"):
		return m, refuse(CodeNoBody, "Body is missing: it is the text of the message")
	}
	m.To, m.From = to.Value, from.Value
	if u := v.Text("StatusCallback"); u != "" {
		m.Hook = call.Hook{URL: u, Method: http.MethodPost}
	}
	if id := v.Text("ApplicationSid"); id != "" { // its address wins
		app, ok := s.h.Accounts.Application(q.Account.ID, id)
		if !ok {
			return m, api.ErrNoApplication
		}
		m.Hook = app.MessageStatus
	}
	return m, nil
}

func (s rest) createMessage(w http.ResponseWriter, q *api.Request) {
	m, err := s.readMessage(q)
	s.h.TellWarnings(w, q)
	if err == nil && s.h.Messages == nil {
		err = call.ErrNoMessenger
	}
	if err == nil {
		ctx, cancel := api.ActContext(q)
		defer cancel()
		m, err = s.h.Messages.SendMessage(ctx, m)
	}
	s.answerMessage(w, q, s.p.CreatedStatus, m, err)
}

func (s rest) fetchMessage(w http.ResponseWriter, q *api.Request) {
	m, err := call.Message{}, error(call.ErrNotFound)
	if s.h.Messages != nil {
		m, err = s.h.Messages.Message(q.Context(), q.Account.ID, q.Item)
	}
	s.answerMessage(w, q, http.StatusOK, m, err)
}

func (s rest) deleteMessage(w http.ResponseWriter, q *api.Request) {
	ctx, cancel := api.ActContext(q)
	defer cancel()
	err := error(call.ErrNotFound)
	if s.h.Messages != nil {
		err = s.h.Messages.DeleteMessage(ctx, q.Account.ID, q.Item)
	}
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s rest) answerMessage(w http.ResponseWriter, q *api.Request, status int, m call.Message, err error) {
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	s.write(w, q.Request, Answer{status, "Message", s.messageItem(m)})
}

func (s rest) messageItem(m call.Message) any {
	path := s.p.Tables.MessagePath
	if path == "" {
		path = "Messages"
	}
	return s.p.Shapes.Message.render(messageFields, viewOf(s.Dialect, m, m.Account, "/"+path+"/"+m.ID))
}

func (s rest) messageItems(list []call.Message) []any {
	items := make([]any, len(list))
	for i, m := range list {
		items[i] = s.messageItem(m)
	}
	return items
}

// listMessages answers with a page of messages, newest first.
func (s rest) listMessages(w http.ResponseWriter, q *api.Request) {
	v, p, err := s.readList(w, q, messageFilters)
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	f := call.MessageFilter{Account: q.Account.ID, To: filterParty(v.Text("To")), From: filterParty(v.Text("From")), Limit: p.size, Cursor: p.cursor}
	f.SentAfter, f.SentUntil = readSpan(v, "DateSent")
	ask := func(f call.MessageFilter) (call.MessagePage, error) {
		if s.h.Messages == nil {
			return call.MessagePage{}, nil // none was ever sent
		}
		return s.h.Messages.Messages(q.Context(), f)
	}
	if s.p.Tables.NumberedPages {
		numberedPage(w, s, q, messageFilters, listing[call.Message]{"Message", "messages", func(cursor string) ([]call.Message, string, error) {
			f.Cursor, f.Limit = cursor, maxPageSize
			page, err := ask(f)
			return page.Messages, page.Next, err
		}, s.messageItems})
		return
	}
	page, err := ask(f)
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	s.writePage(w, q, "Message", "messages", s.messageItems(page.Messages),
		s.envelopeOf(q.Request, messageFilters, len(page.Messages), page.Next, page.Previous))
}
