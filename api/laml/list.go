package laml

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"callbox/api/laml/twiml"
	"callbox/call"
)

// maxPageSize is the most that a page holds; larger requests get this.
const maxPageSize = 1000

// paging is where a list stands.
type paging struct {
	page, size int
	cursor     string
}

// pagingParams are the rows that every list's table ends with.
func pagingParams() []Param {
	return []Param{
		{Name: "PageSize", Kind: Integer, Min: 1, Max: 1 << 30},
		{Name: "Page", Kind: Integer, Min: 0, Max: 1 << 20},
		{Name: "PageToken", Kind: Text, Max: 1000},
	}
}

// WithPaging adds the parameters of paging to a list's table.
func WithPaging(table ...Param) []Param { return append(table, pagingParams()...) }

// readPaging reads PageSize, Page and PageToken.
func (d *Dialect) readPaging(v Values) (paging, error) {
	p := paging{page: v.Int("Page", 0), size: min(v.Int("PageSize", 50), maxPageSize)}
	token := v.Text("PageToken")
	if token == "" {
		if p.page > 0 && !d.p.Tables.NumberedPages {
			return p, refuse(CodePageAlone, "Page %d needs the PageToken that next_page_uri of the page before it holds", p.page)
		}
		return p, nil
	}
	if cursor, ok := strings.CutPrefix(token, "PA"); ok {
		if b, err := hex.DecodeString(cursor); err == nil && len(b) > 0 {
			p.cursor = string(b)
			return p, nil
		}
	}
	return p, refuse(CodePageToken, "PageToken is not one that this box gave out")
}

// pageToken is the PageToken of a cursor. It is hex, because twilio-go cuts dots
// followed by digits out of what it sends.
func pageToken(cursor string) string { return "PA" + hex.EncodeToString([]byte(cursor)) }

// readPage reads the parameters of a list by its table, and which page is asked for.
func (d *Dialect) readPage(form url.Values, table []Param, warn func(string)) (v Values, p paging, err error) {
	v, unknown, err := readValues(form, table)
	if err != nil {
		return v, p, err
	}
	d.warnUnused(table, v, unknown, warn)
	p, err = d.readPaging(v)
	return v, p, err
}

// readFilter reads what a list of calls asks for.
func (d *Dialect) readFilter(form url.Values, warn func(string)) (call.Filter, error) {
	v, p, err := d.readPage(form, d.p.Tables.List, warn)
	if err != nil {
		return call.Filter{}, err
	}
	f := call.Filter{
		From: filterParty(v.Text("From")), To: filterParty(v.Text("To")),
		Parent: v.Text("ParentCallSid"), Limit: p.size, Cursor: p.cursor,
	}
	if v.Has("ConferenceSid") {
		f.Conference = v.Text("ConferenceSid")
	}
	if name := v.Text("Status"); name != "" {
		var s call.State
		if err := s.UnmarshalText([]byte(name)); err != nil {
			return f, refuse(CodeInvalid, "Status %q is not the status of a call", name)
		}
		f.State = &s
	}
	f.StartedAfter, f.StartedUntil = readSpan(v, "StartTime")
	f.EndedAfter, f.EndedUntil = readSpan(v, "EndTime")
	return f, nil
}

// readRecordingFilter reads what a list of recordings asks for.
func (d *Dialect) readRecordingFilter(form url.Values, warn func(string)) (call.RecordingFilter, error) {
	v, p, err := d.readPage(form, d.p.Tables.ListRecordings, warn)
	if err != nil {
		return call.RecordingFilter{}, err
	}
	f := call.RecordingFilter{Call: v.Text("CallSid"), Limit: p.size, Cursor: p.cursor}
	if v.Has("ConferenceSid") {
		f.Call = v.Text("ConferenceSid") // which a recording of a conference has in place of a call's
	}
	f.CreatedAfter, f.CreatedBefore = readSpan(v, "DateCreated")
	return f, nil
}

// filterParty writes a party as readParties does, so that a filter finds what a
// create stored.
func filterParty(s string) string {
	if e, problem := twiml.ParseAddress(s); problem == nil && e.Kind != twiml.NoAddress {
		return e.Value
	}
	return s
}

// readSpan joins name, "name>" and "name<" (both inclusive; a date stands for the
// whole day). Together they narrow each other.
func readSpan(v Values, name string) (after, until time.Time) {
	if s, ok := v.spans[name]; ok {
		after, until = s.from, s.until
	}
	if s, ok := v.spans[name+">"]; ok && (after.IsZero() || s.from.After(after)) {
		after = s.from
	}
	if s, ok := v.spans[name+"<"]; ok && (until.IsZero() || s.until.Before(until)) {
		until = s.until
	}
	return after, until
}

// envelope is what surrounds every page of a list.
type envelope struct {
	FirstPageURI    string  `json:"first_page_uri"`
	PreviousPageURI *string `json:"previous_page_uri"`
	NextPageURI     *string `json:"next_page_uri"`
	Page            int     `json:"page"`
	PageSize        int     `json:"page_size"`
	Start           int     `json:"start"`
	End             int     `json:"end"`
	URI             string  `json:"uri"`
}

// kept are the parameters of a list's request, to ask for other pages of it.
func kept(v Values, table []Param) url.Values {
	keep := url.Values{}
	for i := range table {
		if key := table[i].key(); v.Has(key) {
			keep.Set(table[i].Name, v.Text(key))
		}
	}
	return keep
}

// envelopeOf describes the page that r asked for and that holds count items.
func (d *Dialect) envelopeOf(r *http.Request, table []Param, count int, next, previous string) envelope {
	form, _ := parseForm(r.URL.RawQuery) // it was read before
	v, _, _ := readValues(form, table)
	p, _ := d.readPaging(v)
	keep := kept(v, table)
	at := func(page int, token string) string {
		keep.Set("PageSize", strconv.Itoa(p.size))
		keep.Set("Page", strconv.Itoa(page))
		keep.Del("PageToken")
		if token != "" {
			keep.Set("PageToken", token)
		}
		return r.URL.Path + "?" + keep.Encode()
	}
	e := envelope{Page: p.page, PageSize: p.size, Start: p.page * p.size, FirstPageURI: at(0, "")}
	e.End = e.Start + max(count-1, 0)
	e.URI = at(p.page, v.Text("PageToken"))
	if next != "" {
		u := at(p.page+1, pageToken(next))
		e.NextPageURI = &u
	}
	if previous != "" {
		u := at(max(p.page-1, 0), pageToken(previous))
		e.PreviousPageURI = &u
	}
	return e
}
