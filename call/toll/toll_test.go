package toll

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"callbox/call"
	"callbox/call/number"
)

// noon of a day without a change of the clock.
var noon = time.Date(2025, 5, 14, 12, 0, 0, 0, time.UTC)

func party(t *testing.T, to, country string) *Party {
	t.Helper()
	a, err := number.ParseAddress(to)
	if err != nil {
		t.Fatal(err)
	}
	p := &Party{Name: to, SIP: a.Kind == number.SIP}
	if a.Kind == number.Phone {
		if p.Number, err = number.Parse(a.User, country); err != nil {
			t.Fatal(err)
		}
		p.Emergency = p.Number.Kind == number.EmergencyService
	}
	return p
}

// wants fails unless err refuses for the reason, in a sentence with the text; an
// empty text wants no error.
func wants(t *testing.T, what string, err error, reason call.TollReason, text string) {
	t.Helper()
	var e *call.TollError
	switch {
	case text == "" && err == nil:
	case text == "" || !errors.As(err, &e) || e.Reason != reason || !strings.Contains(e.Text, text):
		t.Errorf("%s: %v, want %d %q", what, err, reason, text)
	}
	if err != nil {
		if c := call.CauseOf(err); c.Q850 != call.Q850Rejected || c.SIP != 403 || c.Who != call.Box || c.Text == "" {
			t.Errorf("%s: cause %+v", what, c)
		}
	}
}

func TestUses(t *testing.T) {
	t.Parallel()
	b := NewBook()
	b.Set([]Rule{{Line: "trunk", Calls: 2, Time: time.Hour}, {Account: "AC1", Spend: 20000}}, "DE")
	admit := func(id, account, from, out string, price int64, at time.Time) {
		t.Helper()
		p := party(t, "+493012345678", "DE")
		p.Price = price
		wants(t, id, b.Admit(id, account, from, out, p, at), 0, "")
	}
	admit("1", "AC1", "", "trunk", 1000, noon)
	if _, err := b.Answered("1", noon); err != nil {
		t.Fatal(err)
	}
	b.Release("1", noon.Add(90*time.Second))
	admit("2", "AC2", "fxs1", "mobile", 500, noon)
	if _, err := b.Answered("2", noon.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	got := b.Uses(noon.Add(2 * time.Minute))
	want := []Use{
		{Line: "trunk", Time: 90 * time.Second, Spend: 2000, Guard: true, MaxCalls: 2, MaxTime: time.Hour},
		{Account: "AC1", Time: 90 * time.Second, Spend: 2000, Guard: true, MaxSpend: 20000},
		{Account: "AC2", Calls: 1, Time: time.Minute, Spend: 500},
		{Line: "fxs1", Calls: 1, Time: time.Minute, Spend: 500},
		{Line: "mobile", Calls: 1, Time: time.Minute, Spend: 500},
	}
	for i := range want {
		want[i].MonthTime = want[i].Time
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for _, u := range b.Uses(noon.AddDate(0, 0, 1).Truncate(24 * time.Hour)) {
		if u.Account == "AC1" && u.Spend != 0 {
			t.Errorf("yesterday counts today: %+v", u)
		}
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		to          string
		allow, deny string
		reason      call.TollReason
		text        string
	}{
		{"+493012345678", "", "", 0, ""},
		{"+493012345678", "DE", "", 0, ""},
		{"030 12345678", "DE", "", 0, ""},
		{"+442071234567", "DE", "", call.TollCountry, "+442071234567 may not be called: this box may call DE only"},
		{"+442071234567", "", "GB", call.TollCountry, "GB is denied to this box"},
		{"+442071234567", "DE +4420", "", 0, ""},
		{"+442081234567", "DE +44207", "", call.TollCountry, "DE, +44207 only"},
		{"0900 1234567", "DE", "0900", call.TollNumber, "0900 is denied"},
		{"+499001234567", "DE", "+49900", call.TollNumber, "+49900 is denied"},
		{"+493012345678", "+4930", "DE", 0, ""}, // the longer prefix decides
		{"+493012345678", "DE", "DE", call.TollCountry, "denied"},
		{"12345", "DE", "", 0, ""}, // a short number stays in the country
		{"12345", "GB", "", call.TollCountry, "GB only"},
		{"sip:bob@biloxi.example", "DE", "", call.TollCountry, "sip:bob@biloxi.example may not be called"},
		{"sip:bob@biloxi.example", "DE sip", "", 0, ""},
		{"sip:bob@biloxi.example", "", "sip", call.TollNumber, "sip is denied"},
		{"112", "GB", "112", 0, ""}, // emergencies always pass
	} {
		b := NewBook()
		b.Set([]Rule{{Allow: strings.Fields(c.allow), Deny: strings.Fields(c.deny)}}, "DE")
		wants(t, c.to+" allow "+c.allow+" deny "+c.deny, b.Check("AC1", "", "trunk", party(t, c.to, "DE"), noon), c.reason, c.text)
	}
}

func TestHours(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		open, until, at time.Duration // minutes after midnight
		in              bool
	}{
		{7 * 60, 19*60 + 30, 7 * 60, true}, {7 * 60, 19*60 + 30, 19*60 + 29, true}, {7 * 60, 19*60 + 30, 19*60 + 30, false}, {7 * 60, 19*60 + 30, 6*60 + 59, false},
		{22 * 60, 6 * 60, 23 * 60, true}, {22 * 60, 6 * 60, 0, true}, {22 * 60, 6 * 60, 5*60 + 59, true}, {22 * 60, 6 * 60, 6 * 60, false}, {22 * 60, 6 * 60, 12 * 60, false},
		{0, 0, 12 * 60, true}, {8 * 60, 24 * 60, 23*60 + 59, true}, {8 * 60, 24 * 60, 0, false},
	} {
		b := NewBook()
		b.Set([]Rule{{Line: "trunk", Open: c.open * time.Minute, Close: c.until * time.Minute}}, "DE")
		text := ""
		if !c.in {
			text = "line trunk may call from "
		}
		now := midnight(noon).Add(c.at * time.Minute)
		wants(t, now.Format("15:04"), b.Check("AC1", "", "trunk", party(t, "+493012345678", "DE"), now), call.TollHours, text)
		wants(t, "an emergency", b.Check("AC1", "", "trunk", party(t, "110", "DE"), now), 0, "")
		wants(t, "another line", b.Check("AC1", "", "other", party(t, "+493012345678", "DE"), now), 0, "")
	}
}

func TestCallsAtATime(t *testing.T) {
	t.Parallel()
	b := NewBook()
	b.Set([]Rule{{Account: "AC1", Calls: 2}, {Line: "alice", Calls: 1}}, "DE")
	p := party(t, "+493012345678", "DE")
	wants(t, "first", b.Admit("1", "AC1", "alice", "trunk", p, noon), 0, "")
	wants(t, "the phone's second", b.Admit("2", "AC1", "alice", "trunk", p, noon), call.TollCalls, "line alice has 1 of 1 calls up")
	wants(t, "second", b.Admit("2", "AC1", "", "trunk", p, noon), 0, "")
	wants(t, "again by another line", b.Admit("2", "AC1", "", "trunk2", p, noon), 0, "")
	wants(t, "third", b.Admit("3", "AC1", "", "trunk", p, noon), call.TollCalls, "this account has 2 of 2 calls up")
	wants(t, "an emergency", b.Admit("4", "AC1", "alice", "trunk", party(t, "112", "DE"), noon), 0, "")
	wants(t, "another account", b.Admit("5", "AC2", "", "trunk", p, noon), 0, "")
	b.Release("4", noon)
	b.Release("1", noon)
	wants(t, "after an end", b.Admit("3", "AC1", "alice", "trunk", p, noon), 0, "")
	if n := b.Refused(); n != 2 {
		t.Errorf("%d refused", n)
	}
}

// TestMinutes: the time of a day is shared by calls that are up, and those over
// it are ended.
func TestMinutes(t *testing.T) {
	t.Parallel()
	b := NewBook()
	b.Set([]Rule{{Account: "AC1", Time: 3 * time.Minute}}, "DE")
	p := party(t, "+493012345678", "DE")
	now := noon
	for _, id := range []string{"1", "2"} {
		wants(t, id, b.Admit(id, "AC1", "", "trunk", p, now), 0, "")
		if d, err := b.Answered(id, now); d <= 0 || d > recheck || err != nil {
			t.Fatalf("%s: %s, %v", id, d, err)
		}
	}
	for {
		d, err := b.Left("1", now)
		if err != nil {
			wants(t, "the end", err, call.TollMinutes, "has used its 3 minutes of today")
			break
		}
		if d <= 0 || now.Sub(noon) > 5*time.Minute {
			t.Fatalf("after %s: %s", now.Sub(noon), d)
		}
		now = now.Add(d)
	}
	if up := now.Sub(noon); up < 89*time.Second || up > 91*time.Second {
		t.Errorf("two calls had 3 minutes for %s", up)
	}
	b.Release("1", now)
	b.Release("2", now)
	wants(t, "one more", b.Admit("3", "AC1", "", "trunk", p, now), call.TollMinutes, "begin anew at midnight")
	wants(t, "an emergency", b.Admit("4", "AC1", "", "trunk", party(t, "112", "DE"), now), 0, "")
	wants(t, "tomorrow", b.Admit("3", "AC1", "", "trunk", p, now.Add(12*time.Hour)), 0, "")
}

func TestSpend(t *testing.T) {
	t.Parallel()
	b := NewBook()
	b.Set([]Rule{{Account: "AC1", Spend: 10_000}}, "DE")
	dear, free := party(t, "+493012345678", "DE"), party(t, "+493012345679", "DE")
	dear.Price = 4_000
	wants(t, "first", b.Admit("1", "AC1", "", "trunk", dear, noon), 0, "")
	now := noon
	d, err := b.Answered("1", now)
	for err == nil && now.Sub(noon) < 5*time.Minute {
		if d <= 0 {
			t.Fatalf("after %s: no bound", now.Sub(noon))
		}
		now = now.Add(d)
		d, err = b.Left("1", now)
	}
	wants(t, "the end", err, call.TollSpend, "has spent 0.80 of 1.00 today and a minute costs 0.40")
	if up := now.Sub(noon); up <= 118*time.Second || up > 2*time.Minute {
		t.Errorf("0.40 a minute lasted %s of 1.00", up)
	}
	b.Release("1", now)
	wants(t, "one more", b.Admit("2", "AC1", "", "trunk", dear, now), call.TollSpend, "a minute costs 0.40")
	wants(t, "one that costs nothing", b.Admit("3", "AC1", "", "trunk", free, now), 0, "")
	if d, err := b.Answered("3", now); d != 0 || err != nil {
		t.Errorf("it is bounded: %s, %v", d, err)
	}
}

// TestRemember counts what was before a restart: only today's part.
func TestRemember(t *testing.T) {
	t.Parallel()
	b := NewBook()
	b.Set([]Rule{{Line: "alice", Time: 10 * time.Minute}}, "DE")
	at := midnight(noon)
	b.Remember("AC1", "alice", "trunk", 0, at.Add(-2*time.Hour), at.Add(-time.Hour), noon)
	b.Remember("AC1", "alice", "trunk", 0, at.Add(-time.Hour), at.Add(6*time.Minute), noon)
	b.Remember("AC1", "bob", "trunk", 0, at, at.Add(time.Hour), noon)
	p := party(t, "+493012345678", "DE")
	wants(t, "6 of 10 minutes", b.Check("AC1", "alice", "trunk", p, noon), 0, "")
	b.Remember("AC1", "alice", "trunk2", 0, at.Add(time.Hour), at.Add(time.Hour+4*time.Minute), noon)
	wants(t, "10 of 10 minutes", b.Check("AC1", "alice", "trunk", p, noon), call.TollMinutes, "line alice")
}
