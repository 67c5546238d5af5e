package laml

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"callbox/api"
	"callbox/call"
)

// Orders of a list of calls other than by time, for dialects whose lists go by
// numbers. Only what is compared is kept of each call until the page is known.

// ranked is a call in such an order.
type ranked struct {
	id     string
	text   string
	number float64
	at     time.Time
}

// ranks are what calls can be ordered by.
var ranks = map[string]func(call.Record) ranked{
	"DateCreated": func(r call.Record) ranked { return ranked{at: r.Created} },
	"From":        func(r call.Record) ranked { return ranked{text: r.From} },
	"To":          func(r call.Record) ranked { return ranked{text: r.To} },
	"Direction":   func(r call.Record) ranked { return ranked{text: string(r.Direction)} },
	"Status":      func(r call.Record) ranked { return ranked{text: StatusName(r)} },
	"Duration":    func(r call.Record) ranked { return ranked{number: r.Duration(r.Updated).Seconds()} },
	"Price":       func(call.Record) ranked { return ranked{} }, // the box knows none
}

// IsOrder checks an order of calls: a key, and asc or desc behind a colon.
func IsOrder(s string) bool {
	key, way, _ := strings.Cut(s, ":")
	return ranks[key] != nil && slices.Contains([]string{"", "asc", "desc"}, way)
}

// sortedCalls lists the calls that f selects in an order.
func (s rest) sortedCalls(q *api.Request, f call.Filter, order string) listing[ranked] {
	key, way, _ := strings.Cut(order, ":")
	next := func(string) ([]ranked, string, error) {
		var list []ranked
		for f.Cursor, f.Limit = "", maxPageSize; ; {
			p, err := s.h.Calls.Calls(q.Context(), f)
			if err != nil {
				return nil, "", err
			}
			for _, rec := range p.Records {
				r := ranks[key](rec)
				r.id = rec.ID
				list = append(list, r)
			}
			if f.Cursor = p.Next; f.Cursor == "" {
				break
			}
		}
		slices.SortStableFunc(list, func(a, b ranked) int {
			c := cmp.Or(strings.Compare(a.text, b.text), cmp.Compare(a.number, b.number), a.at.Compare(b.at))
			if way == "desc" {
				return -c
			}
			return c
		})
		return list, "", nil
	}
	render := func(list []ranked) []any {
		var records []call.Record
		for _, r := range list {
			if rec, err := s.h.Calls.Call(q.Context(), q.Account.ID, r.id); err == nil { // else it was deleted just now
				records = append(records, rec)
			}
		}
		return s.callItems(q, records)
	}
	return listing[ranked]{"Call", "calls", next, render}
}
