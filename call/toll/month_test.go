package toll

import (
	"errors"
	"strings"
	"testing"
	"time"

	"callbox/call"
)

// refusedFor checks that err is a refusal for this reason.
func refusedFor(t *testing.T, err error, reason call.TollReason, text string) {
	t.Helper()
	var e *call.TollError
	if !errors.As(err, &e) || e.Reason != reason || !strings.Contains(e.Text, text) {
		t.Errorf("got %v, want a refusal with %q", err, text)
	}
}

func TestTexts(t *testing.T) {
	b := NewBook()
	b.Set([]Rule{{Line: "gsm1", Texts: 5, MonthTexts: 8}}, "US")
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	b.RememberTexts("AC1", "gsm1", 1, now.AddDate(0, 0, -25), now) // last month
	b.RememberTexts("AC1", "gsm1", 1, now.AddDate(0, 0, -2), now)
	b.RememberTexts("AC1", "gsm2", 9, now, now)
	if err := b.AdmitTexts("AC1", "gsm1", 3, now); err != nil {
		t.Error(err)
	}
	refusedFor(t, b.AdmitTexts("AC1", "gsm1", 3, now), call.TollMessages, "line gsm1 has sent 3 of its 5 text messages of today and this one takes 3")
	if err := b.AdmitTexts("AC1", "gsm1", 2, now); err != nil {
		t.Error(err)
	}
	if err := b.AdmitTexts("AC1", "gsm2", 100, now); err != nil {
		t.Error(err)
	}
	next := now.AddDate(0, 0, 1)
	if err := b.AdmitTexts("AC1", "gsm1", 2, next); err != nil {
		t.Error(err)
	}
	refusedFor(t, b.AdmitTexts("AC1", "gsm1", 1, next), call.TollMessages, "8 text messages of this month")
	u := b.Uses(next)[0]
	if u.Texts != 2 || u.MonthTexts != 8 || u.MaxTexts != 5 || u.MaxMonthTexts != 8 || b.Refused() != 2 {
		t.Errorf("%+v", u)
	}
	if err := b.AdmitTexts("AC1", "gsm1", 1, now.AddDate(0, 1, 0)); err != nil {
		t.Error(err)
	}
}

func TestMonthMinutes(t *testing.T) {
	b := NewBook()
	b.Set([]Rule{{Line: "gsm1", MonthTime: 10 * time.Minute}}, "US")
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)                                                // the day is the month
	b.Remember("AC1", "", "gsm1", 0, now.Add(-13*time.Hour), now.Add(-12*time.Hour+4*time.Minute), now) // four minutes of it today
	p := &Party{Name: "x"}
	if err := b.Admit("CA1", "AC1", "", "gsm1", p, now); err != nil {
		t.Fatal(err)
	}
	if left, err := b.Answered("CA1", now); err != nil || left <= 0 || left > recheck {
		t.Errorf("left %v, %v", left, err)
	}
	if _, err := b.Left("CA1", now.Add(5*time.Minute)); err != nil {
		t.Error(err)
	}
	_, err := b.Left("CA1", now.Add(6*time.Minute))
	refusedFor(t, err, call.TollMinutes, "10 minutes of this month")
	b.Release("CA1", now.Add(6*time.Minute))
	refusedFor(t, b.Check("AC1", "", "gsm1", p, now.AddDate(0, 0, 20)), call.TollMinutes, "begin anew on the first")
	if err := b.Check("AC1", "", "gsm1", p, now.AddDate(0, 1, 0)); err != nil {
		t.Error(err)
	}
}
