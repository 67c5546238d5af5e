package laml

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"callbox/api"
	"callbox/call"
)

// Notifications (call-api.md §2.4) are the warnings of a call: what its documents
// and hooks held that the box could not use, and what went wrong.

// Notification is one warning of a call.
type Notification struct {
	Call call.Record
	N    int // its place among the call's warnings
	Text string
	Code string // of the text's end, "(12200)"; 0 without one
}

// notificationKeys are the keys of a notification, the same in every dialect.
var notificationKeys = []string{
	"sid", "account_sid", "call_sid", "api_version", "log", "error_code", "more_info", "message_text", "message_date",
	"request_url", "request_method", "date_created", "date_updated", "uri",
}

var notificationFields = map[string]func(View[Notification]) any{
	"sid":            func(v View[Notification]) any { return v.X.id() },
	"account_sid":    account[Notification],
	"call_sid":       func(v View[Notification]) any { return v.X.Call.ID },
	"api_version":    version[Notification],
	"log":            func(View[Notification]) any { return "1" }, // a warning
	"error_code":     func(v View[Notification]) any { return v.X.Code },
	"more_info":      func(View[Notification]) any { return nil },
	"message_text":   func(v View[Notification]) any { return v.X.Text },
	"message_date":   func(v View[Notification]) any { return v.Date(&v.X.Call.Updated) },
	"request_url":    func(View[Notification]) any { return nil },
	"request_method": func(View[Notification]) any { return nil },
	"date_created":   func(v View[Notification]) any { return v.Date(&v.X.Call.Updated) },
	"date_updated":   func(v View[Notification]) any { return v.Date(&v.X.Call.Updated) },
	"uri":            uri[Notification],
}

// notificationRoutes are the paths of the warnings of a call.
func notificationRoutes(suffixes []string) []route {
	return []route{
		{
			path: "Calls/{call}/Notifications", suffixes: suffixes, acts: map[string]act{"GET": rest.listNotifications},
			about: map[string]operation{"GET": {
				summary: "List the warnings of a call: what its documents held that was not used, and what went wrong",
				params:  notificationFilters, element: "Notification", list: "notifications",
			}},
		},
		{
			path: "Calls/{call}/Notifications/{item}", suffixes: suffixes, acts: map[string]act{"GET": rest.fetchNotification},
			about: map[string]operation{"GET": {summary: "Fetch a warning of a call", element: "Notification"}},
		},
	}
}

// notificationFilters are the filters of a list of warnings. All that a call has
// are warnings of its last days.
var notificationFilters = WithPaging(
	Param{Name: "Log", Kind: Integer, Min: 0, Max: 3},
	Param{Name: "MessageDate", Kind: Ignored}, Param{Name: "MessageDate<", Kind: Ignored}, Param{Name: "MessageDate>", Kind: Ignored},
)

var codeAtEnd = regexp.MustCompile(`\s*\((\d{5})\)\.?$`)

// notificationsOf are the warnings of a call, oldest first.
func notificationsOf(rec call.Record) []Notification {
	out := make([]Notification, len(rec.Warnings))
	for i, text := range rec.Warnings {
		n := Notification{Call: rec, N: i, Text: text, Code: "0"}
		if m := codeAtEnd.FindStringSubmatchIndex(text); m != nil {
			n.Text, n.Code = text[:m[0]], text[m[2]:m[3]]
		}
		out[i] = n
	}
	if code := failureCode(rec); code != "" {
		out = append(out, Notification{Call: rec, N: len(out), Text: rec.Cause.Error(), Code: code})
	}
	return out
}

// failureCode is the code of why a call failed, for what is told of in the list of
// its warnings only (call-api.md §1.5); empty: none.
func failureCode(rec call.Record) string {
	c := rec.Cause
	switch {
	case c == nil || rec.Answered != nil || rec.Direction == call.Inbound:
	case c.Who == call.Box && c.Q850 == call.Q850Absent:
		return "32009" // the user of the box has no phone registered
	case !strings.HasPrefix(rec.To, "sip"):
	case c.Q850 == call.Q850NoRoute && c.SIP == http.StatusServiceUnavailable && rec.Direction == call.OutboundDial:
		return "13254" // the host of a <Sip> has no address
	case c.Q850 == call.Q850NoRoute && c.SIP == http.StatusServiceUnavailable,
		c.Who == call.Network && c.SIP == http.StatusRequestTimeout:
		return "32011" // nobody answers at the SIP address
	}
	return ""
}

// id follows from the call and the place, so that it stays the same.
func (n Notification) id() string {
	sum := sha256.Sum256([]byte("notification " + n.Call.ID + " " + strconv.Itoa(n.N)))
	if IsUUID(n.Call.ID) {
		return eventToken("notification", n.Call.ID, strconv.Itoa(n.N))
	}
	return "NO" + hex.EncodeToString(sum[:16])
}

func (s rest) notificationItem(n Notification) any {
	v := viewOf(s.Dialect, n, n.Call.Account, "/Calls/"+n.Call.ID+"/Notifications/"+n.id())
	return Resource[Notification]{Keys: notificationKeys}.render(notificationFields, v)
}

// warned is the call of q with its warnings.
func (s rest) warned(q *api.Request) ([]Notification, error) {
	rec, err := s.h.Calls.Call(q.Context(), q.Account.ID, q.Call)
	if err != nil {
		return nil, err
	}
	return notificationsOf(rec), nil
}

func (s rest) listNotifications(w http.ResponseWriter, q *api.Request) {
	list, err := s.warned(q)
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	logged := func(v Values, _ Notification) bool { return v.Int("Log", 1) == 1 }
	writeFiltered(s, w, q, notificationFilters, "Notification", "notifications", list, logged, s.notificationItem)
}

func (s rest) fetchNotification(w http.ResponseWriter, q *api.Request) {
	list, err := s.warned(q)
	for _, n := range list {
		if strings.EqualFold(n.id(), q.Item) {
			s.write(w, q.Request, Answer{http.StatusOK, "Notification", s.notificationItem(n)})
			return
		}
	}
	if err == nil {
		err = call.ErrNotFound
	}
	s.WriteError(w, q.Request, err)
}
