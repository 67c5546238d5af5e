package gsm

import (
	"testing"
	"time"
)

func TestClockOf(t *testing.T) {
	want := time.Date(2026, 11, 21, 16, 43, 0, 0, time.UTC)
	for answer, utc := range map[string]bool{
		`"26/11/21,17:43:00+04"`: false, `"26/11/21,16:43:00+00"`: false, `"26/11/21,11:43:00-20"`: false, `"26/11/22,06:43:00+56"`: false,
		`"2026/11/21,16:43:00+04,0"`: true, `"2026/11/21,16:43:00-20,1"`: true,
	} {
		if got, ok := clockOf(answer, utc); !ok || !got.Equal(want) {
			t.Errorf("%s: %v, %v", answer, got, ok)
		}
	}
	for _, answer := range []string{"", `""`, `"80/01/06,00:00:12+00"`, `"26/13/21,17:43:00+04"`, `"26/02/30,17:43:00+04"`, `"26/11/21,24:43:00+04"`,
		`"26/11/21,17:43:00+99"`, `"26/11/21"`, `"26/11/21,17:43:00"`} {
		if got, ok := clockOf(answer, false); ok {
			t.Errorf("%s was taken for %v", answer, got)
		}
	}
}

// FuzzClockOf: whatever a modem says, it is a time that can be or none.
func FuzzClockOf(f *testing.F) {
	f.Add(`"26/11/21,17:43:00+04"`, false)
	f.Add(`"2026/11/21,16:43:00-20,1"`, true)
	f.Fuzz(func(t *testing.T, s string, utc bool) {
		if got, ok := clockOf(s, utc); ok && (got.Year() < firstYear-1 || got.Year() > firstYear+41) {
			t.Errorf("%q was taken for %v", s, got)
		}
	})
}
