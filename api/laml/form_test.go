package laml

import (
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

var testTable = []Param{
	{Name: "Name", Kind: Text, Max: 3, Code: 1, Long: 2, Required: 3},
	{Name: "Url", Kind: Link, Code: 4},
	{Name: "N", Kind: Integer, Min: -1, Max: 10, Code: 5},
	{Name: "Flag", Kind: Bool, Code: 6},
	{Name: "One", Kind: Choice, Enum: []string{"a", "b"}, Code: 7},
	{Name: "Many", Kind: Choices, Enum: []string{"a", "b", "c"}, Code: 8},
	{Name: "When", Kind: Day, Code: 9},
	{Name: "Method", Kind: Verb},
	{Name: "Old", Kind: Ignored},
}

func TestReadValues(t *testing.T) {
	form := func(s string) url.Values {
		v, err := parseForm(s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	v, unknown, err := readValues(form("Name=%C3%A9%C3%A9%C3%A9&Url=http://h/&N=-1&Flag=True&One=B&Many=c+a,b&Many=c&Many=&Method=get&Old=x&Zed=1&Alpha=2&When=2026-01-02"), testTable)
	if err != nil {
		t.Fatal(err)
	}
	if v.Text("Name") != "ééé" || v.Int("N", 7) != -1 || !v.Bool("Flag") || v.Text("One") != "b" || v.method("Method") != "GET" ||
		strings.Join(v.List("Many"), " ") != "c a b" || strings.Join(unknown, " ") != "Alpha Zed" || !v.Has("Old") || v.Has("Nope") {
		t.Errorf("read %+v, unknown %v", v, unknown)
	}
	if v.Int("Nope", 7) != 7 || v.method("Nope") != "POST" || v.Bool("Nope") {
		t.Error("defaults")
	}
	for s, code := range map[string]Code{
		"": 3, "Name=": 3, "Name=abcd": 2, "Name=a&Name=b": 1, "Name=a&Url=h": 4, "Name=a&N=11": 5, "Name=a&N=1x": 5, "Name=a&N=": 0,
		"Name=a&Flag=1": 6, "Name=a&One=c": 7, "Name=a&Many=a+d": 8, "Name=a&When=2026": 9, "Name=a&Method=PUT": CodeHTTPMethod,
		"Name=a&One=a&One=a": 7, "Name=a&Many=a&Many=a": 0,
	} {
		_, _, err := readValues(form(s), testTable)
		var p *Problem
		if errors.As(err, &p) != (code != 0) || p != nil && (p.Code != code || p.Message == "") {
			t.Errorf("%q: %v, want code %d", s, err, code)
		}
	}
}

func TestParseFormBounds(t *testing.T) {
	for _, s := range []string{"a=%", "a=%ff", "%ff=a", "a=%00", "a=%1b", "a;b=1", strings.Repeat("a&", 256), "a=\x7f"} {
		if v, err := parseForm(s); err == nil {
			t.Errorf("%.20q was read as %v", s, v)
		}
	}
	if v, err := parseForm("a=1%0d%0a%09x"); err != nil || v.Get("a") != "1\r\n\tx" {
		t.Errorf("white space: %v, %v", v, err)
	}
}

func TestFormatted(t *testing.T) {
	for in, want := range map[string]string{
		"+15550100199": "(555) 010-0199", "+33123456789": "+33123456789", "+1555": "+1555", "sip:a@b": "sip:a@b", "": "", "+1555010019x": "+1555010019x",
	} {
		if got := Formatted(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzForm(f *testing.F) {
	for _, s := range []string{
		"To=%2B15550100199&From=201&Url=http://h/", "StatusCallbackEvent=a&StatusCallbackEvent=b", "a=%zz", "=&=&", "a;b",
		"Name=a&N=99999999999999999999&When=2026-01-02T10:00:00+02:00&Many=a,b c", "To=sip:a@b?X-A=%0d",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		form, err := parseForm(s)
		var p *Problem
		if err != nil {
			if !errors.As(err, &p) || p.Message == "" {
				t.Fatalf("%v is no problem", err)
			}
			return
		}
		v, _, err := readValues(form, testTable)
		if err != nil && (!errors.As(err, &p) || !utf8.ValidString(p.Message)) {
			t.Fatalf("%v is no problem", err)
		}
		if n := v.Int("N", 0); n < -1 || n > 10 {
			t.Fatalf("N is %d", n)
		}
	})
}

// FuzzFilter reads the query of a list: what is refused is a problem, and the
// addresses of the pages that an answer holds ask for what the query asked for.
func FuzzFilter(f *testing.F) {
	for _, s := range []string{
		"", "StartTime%3E=2026-01-02T10:00:00Z&PageSize=50", "StartTime>=2026-01-02&StartTime<=2026-01-03&EndTime=2026-01-02",
		"EndTime%3C=2026-01-02T10:00:00%2B02:00&Status=No-Answer&To=%2B1+(555)+010-0199&From=sip:alice@192.0.2.1",
		"PageSize=1001&Page=1&PageToken=PA" + hex.EncodeToString([]byte("1767348000.CA1")), "Page=1", "PageToken=PA", "PageToken=CA12", "PageSize=0",
		"DateCreated%3E=2026-01-02&CallSid=CA00112233445566778899aabbccddeeff&ConferenceSid=CF1", "DateCreated=0000-00-00",
		"StartTime=9999-12-31&ParentCallSid=&Status=busy&Unknown=1",
	} {
		f.Add(s)
	}
	d := New(Profile{Tables: Tables{List: ListParams(), ListRecordings: ListRecordingParams()}}, Config{})
	f.Fuzz(func(t *testing.T, query string) {
		form, err := parseForm(query)
		if err != nil {
			return
		}
		calls, err := d.readFilter(form, func(string) {})
		checkFilter(t, d, query, err, calls.Limit, d.p.Tables.List, func(next url.Values) (string, any) {
			again, err := d.readFilter(next, func(s string) { t.Errorf("an own parameter: %s", s) })
			if err != nil {
				t.Fatal(err)
			}
			cursor := again.Cursor
			again.Cursor = calls.Cursor
			return cursor, again
		}, calls)
		recordings, err := d.readRecordingFilter(form, func(string) {})
		checkFilter(t, d, query, err, recordings.Limit, d.p.Tables.ListRecordings, func(next url.Values) (string, any) {
			again, err := d.readRecordingFilter(next, func(s string) { t.Errorf("an own parameter: %s", s) })
			if err != nil {
				t.Fatal(err)
			}
			cursor := again.Cursor
			again.Cursor = recordings.Cursor
			return cursor, again
		}, recordings)
	})
}

// checkFilter checks one reading of a query; again reads the query of another page,
// and gives its cursor and the rest of it.
func checkFilter(t *testing.T, d *Dialect, query string, err error, limit int, table []Param, again func(url.Values) (string, any), read any) {
	t.Helper()
	var p *Problem
	if err != nil {
		if !errors.As(err, &p) || p.Message == "" || !utf8.ValidString(p.Message) {
			t.Fatalf("%v is no problem", err)
		}
		return
	}
	if limit < 1 || limit > maxPageSize {
		t.Fatalf("a page of %d", limit)
	}
	r := &http.Request{URL: &url.URL{Path: "/Calls.json", RawQuery: query}}
	e := d.envelopeOf(r, table, 1, "next", "")
	if e.Page >= 1<<20 {
		return // there is no page after it
	}
	_, rest, _ := strings.Cut(*e.NextPageURI, "?")
	form, err := parseForm(rest)
	if err != nil {
		t.Fatalf("%s: %v", rest, err)
	}
	if cursor, same := again(form); cursor != "next" || !reflect.DeepEqual(same, read) {
		t.Fatalf("the next page of %q asks for %+v from %q, want %+v", query, same, cursor, read)
	}
}
