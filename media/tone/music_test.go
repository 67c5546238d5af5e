package tone

import (
	"testing"
	"time"

	"callbox/media"
)

// TestMusic: soft, never silent, never clipped, and it goes round without a click.
func TestMusic(t *testing.T) {
	s := Music()
	if len(s) != 16*media.SampleRate {
		t.Fatalf("%d samples", len(s))
	}
	if l := media.DBm0(s); l < -30 || l > -14 {
		t.Errorf("it is as loud as %.1f dBm0", l)
	}
	for at := 0; at < len(s); at += media.SampleRate / 4 {
		if l := media.DBm0(s[at : at+media.SampleRate/4]); l < -40 {
			t.Errorf("at %d ms it is as soft as %.1f dBm0", at/8, l)
		}
	}
	step, worst := 0, 0
	for i := range s {
		d := int(s[i]) - int(s[(i+1)%len(s)])
		worst = max(worst, d, -d)
		if i == len(s)-1 {
			step = max(d, -d)
		}
		if s[i] > 20000 || s[i] < -20000 {
			t.Fatalf("sample %d is %d", i, s[i])
		}
	}
	if step > worst/2+1 {
		t.Errorf("the seam is a step of %d, the steepest elsewhere is %d", step, worst)
	}
	// The first chord is C major: its tones are there, those between are not.
	bar := s[:barLength]
	if c, cis := media.ToneLevel(bar, middleC), media.ToneLevel(bar, middleC*1.0595); c < cis+10 {
		t.Errorf("c is %.1f dBm0, c sharp %.1f", c, cis)
	}
}

// TestBell: rising for who comes, falling for who goes.
func TestBell(t *testing.T) {
	for _, enters := range []bool{true, false} {
		s, err := media.ReadAll(Bell(enters), time.Second)
		if err != nil || len(s) != 240*8 {
			t.Fatalf("%d samples, %v", len(s), err)
		}
		low, high := media.ToneLevel(s[:960], 587.33), media.ToneLevel(s[960:1920], 587.33)
		if (low > high) != enters {
			t.Errorf("enters %v: the low tone is %.1f dBm0 first, then %.1f", enters, low, high)
		}
	}
}
