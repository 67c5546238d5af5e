package laml

import (
	"net/http"
	"strconv"

	"callbox/api"
	"callbox/call"
)

// listCalls answers with a page of calls.
func (s rest) listCalls(w http.ResponseWriter, q *api.Request) {
	if !s.p.Tables.NumberedPages {
		s.h.ListCalls(w, q, s)
		return
	}
	f, err := s.ReadFilter(q)
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	f.Account = q.Account.ID
	form, _ := parseForm(q.URL.RawQuery) // it was read before
	if order := form.Get("SortBy"); order != "" {
		numberedPage(w, s, q, s.p.Tables.List, s.sortedCalls(q, f, order))
		return
	}
	numberedPage(w, s, q, s.p.Tables.List, listing[call.Record]{"Call", "calls", func(cursor string) ([]call.Record, string, error) {
		f.Cursor, f.Limit = cursor, maxPageSize
		p, err := s.h.Calls.Calls(q.Context(), f)
		return p.Records, p.Next, err
	}, func(list []call.Record) []any { return s.callItems(q, list) }})
}

// listRecordings answers with a page of recordings, or with the bare list of
// those of a call.
func (s rest) listRecordings(w http.ResponseWriter, q *api.Request) {
	if !s.p.Tables.NumberedPages {
		s.h.ListRecordings(w, q, s)
		return
	}
	if q.Call != "" {
		if _, err := s.h.Calls.Call(q.Context(), q.Account.ID, q.Call); err != nil {
			s.WriteError(w, q.Request, err)
			return
		}
	}
	f, err := s.ReadRecordings(q)
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	f.Account = q.Account.ID
	if q.Call != "" {
		f.Call = q.Call
	}
	next := func(cursor string) ([]call.Recording, string, error) {
		f.Cursor, f.Limit = cursor, maxPageSize
		p, err := s.h.Recordings.Recordings(q.Context(), f)
		return p.Recordings, p.Next, err
	}
	if q.Call != "" && s.p.Shapes.Bare {
		list, _, err := next("")
		if err != nil {
			s.WriteError(w, q.Request, err)
			return
		}
		s.writePage(w, q, "Recording", "", s.recordingItems(q, list), nil)
		return
	}
	numberedPage(w, s, q, s.p.Tables.ListRecordings, listing[call.Recording]{"Recording", "recordings", next,
		func(list []call.Recording) []any { return s.recordingItems(q, list) }})
}

// listing is a list that is walked from its newest item on.
type listing[T any] struct {
	element, key string
	// next gives the items after a cursor, and the cursor after them.
	next   func(cursor string) (items []T, after string, err error)
	render func([]T) []any
}

// numberedEnvelope is what surrounds a page of a list that goes by numbers.
type numberedEnvelope struct {
	Page            int    `json:"page"`
	NumPages        int    `json:"num_pages"`
	PageSize        int    `json:"page_size"`
	Total           int    `json:"total"`
	Start           string `json:"start"`
	End             string `json:"end"`
	URI             string `json:"uri"`
	FirstPageURI    string `json:"first_page_uri"`
	PreviousPageURI string `json:"previous_page_uri"` // the text "null" where there is none
	NextPageURI     string `json:"next_page_uri"`
	LastPageURI     string `json:"last_page_uri"`
}

// numberedPage answers with the page that q asks for by its number. The whole
// list is counted for it, which the storage's retention bounds.
func numberedPage[T any](w http.ResponseWriter, s rest, q *api.Request, table []Param, l listing[T]) {
	form, _ := parseForm(q.URL.RawQuery) // it was read before
	v, _, _ := readValues(form, table)
	p, _ := s.readPaging(v)
	start, total := p.page*p.size, 0
	var items []T
	for cursor := ""; ; {
		list, after, err := l.next(cursor)
		if err != nil {
			s.WriteError(w, q.Request, err)
			return
		}
		lo, hi := start-total, start+p.size-total
		items = append(items, list[min(max(lo, 0), len(list)):min(max(hi, 0), len(list))]...)
		total += len(list)
		if cursor = after; cursor == "" {
			break
		}
	}
	pages := max((total+p.size-1)/p.size, 1)
	if p.page >= pages {
		s.WriteError(w, q.Request, refuse(CodeInvalid, "Page %d does not exist, the last one is %d", p.page, pages-1))
		return
	}
	keep := kept(v, table)
	at := func(page int) string {
		keep.Set("Page", strconv.Itoa(page))
		keep.Set("PageSize", strconv.Itoa(p.size))
		return q.URL.Path + "?" + keep.Encode()
	}
	e := numberedEnvelope{
		Page: p.page, NumPages: pages, PageSize: p.size, Total: total,
		Start: strconv.Itoa(start), End: strconv.Itoa(start + max(len(items)-1, 0)),
		URI: q.URL.Path, FirstPageURI: at(0), LastPageURI: at(pages - 1), PreviousPageURI: "null", NextPageURI: "null",
	}
	if p.page > 0 {
		e.PreviousPageURI = at(p.page - 1)
	}
	if p.page+1 < pages {
		e.NextPageURI = at(p.page + 1)
	}
	s.writePage(w, q, l.element, l.key, l.render(items), e)
}
