package fsk

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"callbox/media"
)

var may = time.Date(2026, 5, 17, 9, 41, 0, 0, time.UTC)

// sound is a whole message as samples.
func sound(t testing.TB, std Standard, seizure, mark int, b []byte, level float64) []int16 {
	t.Helper()
	s, err := media.ReadAll(NewSender(std, seizure, mark, b, level), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// receive gives the messages in a sound, and how many were broken.
func receive(samples []int16) (out [][]byte, errs uint64) {
	r := NewReceiver()
	for len(samples) > 0 {
		n := min(len(samples), 160)
		if b := r.Write(samples[:n]); b != nil {
			out = append(out, bytes.Clone(b))
		}
		samples = samples[n:]
	}
	return out, r.Errors()
}

func TestEncode(t *testing.T) {
	for name, tt := range map[string]struct {
		m    Message
		f    Form
		want string
	}{
		"only a number":           {Message{Number: "123"}, Multiple, "8005" + "0203313233" + "e0"},
		"date, number, name":      {Message{Number: "+1 (415) 555-0100", Name: "Alice", When: may}, Multiple, "801e" + "01083035313730393431" + "020b3134313535353530313030" + "0705416c696365" + "9c"},
		"private":                 {Message{NoNumber: Private, NoName: Private}, Multiple, "8006" + "040150" + "080150" + "cc"},
		"unavailable":             {Message{}, Multiple, "8003" + "04014f" + "29"},
		"single":                  {Message{Number: "5550123", When: may}, Single, "040f" + "3035313730393431" + "35353530313233" + "ed"},
		"single, private":         {Message{NoNumber: Private, When: may}, Single, "0409" + "3035313730393431" + "50" + "08"},
		"ETSI":                    {Message{Number: "030123456"}, ETSI, "800e" + "110101" + "0209303330313233343536" + "8c"},
		"lamp on":                 {Message{Waiting: true, Lamp: true}, Multiple, "82030b01ff70"},
		"lamp off":                {Message{Waiting: true}, ETSI, "82030b01006f"},
		"single lamp on":          {Message{Waiting: true, Lamp: true}, Single, "060342424231"},
		"single lamp off":         {Message{Waiting: true}, Single, "06036f6f6faa"},
		"a name with odd letters": {Message{Number: "1", Name: "Jürgen Groß-Łukasik"}, Multiple, ""},
	} {
		b := tt.m.Encode(tt.f)
		sum := byte(0)
		for _, v := range b {
			sum += v
		}
		if sum != 0 {
			t.Errorf("%s: the checksum of % x is wrong", name, b)
		}
		if got := hex.EncodeToString(b); tt.want != "" && got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, tt.want)
		}
		back, err := Parse(b, may)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if back.Number != digits(tt.m.Number) || back.Name != fold(tt.m.Name) || back.Waiting != tt.m.Waiting || back.Lamp != tt.m.Lamp || !back.When.Equal(tt.m.When) && tt.f != Single {
			t.Errorf("%s: read back as %+v", name, back)
		}
	}
	if got := fold("Jürgen Groß-Łukasik"); got != "Juergen Gross-?" {
		t.Errorf("folded: %q", got)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, s := range []string{"", "80", "800502033132e1", "8005020331323300", "0403414243", "8002020479", "4200be"} {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := Parse(b, may); !errors.Is(err, ErrMessage) {
			t.Errorf("%s is read as %+v, %v", s, m, err)
		}
	}
}

// TestLine sends messages over lines: quiet and loud ones, noisy ones, ones whose
// clock is wrong, between ringing and speech.
func TestLine(t *testing.T) {
	m := Message{Number: "4155550100", Name: "Biloxi Office", When: may}
	for name, tt := range map[string]struct {
		std           Standard
		seizure, mark int
		level, noise  float64 // dBm0; noise 0: none
		ppm           float64
	}{
		"Bell 202":               {Bell202, Seizure, Mark, Level, 0, 0},
		"V.23":                   {V23, Seizure, Mark, Level, 0, 0},
		"after an alert tone":    {V23, Seizure, ShortMark, Level, 0, 0},
		"no seizure":             {Bell202, 0, ShortMark, Level, 0, 0},
		"quiet":                  {Bell202, Seizure, Mark, -36, 0, 0},
		"loud":                   {V23, Seizure, Mark, -2, 0, 0},
		"noise, 20 dB below":     {Bell202, Seizure, Mark, Level, -33, 0},
		"noise, V.23":            {V23, Seizure, Mark, Level, -33, 0},
		"a clock 1 % fast":       {Bell202, Seizure, Mark, Level, 0, 10000},
		"a clock 1 % slow, V.23": {V23, Seizure, Mark, Level, 0, -10000},
	} {
		t.Run(name, func(t *testing.T) {
			b := m.Encode(Multiple)
			s := append(make([]int16, 1234), sound(t, tt.std, tt.seizure, tt.mark, b, tt.level)...)
			s = append(s, make([]int16, 800)...)
			if tt.ppm != 0 {
				s = stretch(s, 1+tt.ppm/1e6)
			}
			if tt.noise != 0 {
				r := rand.New(rand.NewPCG(1, 2))
				rms := media.Amplitude(tt.noise) / math.Sqrt2
				for i := range s {
					s[i] = media.Clamp(int32(s[i]) + int32(r.NormFloat64()*rms))
				}
			}
			got, errs := receive(s)
			if len(got) != 1 || !bytes.Equal(got[0], b) || errs != 0 {
				t.Errorf("%d messages, %d broken: % x\nwant % x", len(got), errs, got, b)
			}
		})
	}
}

// stretch plays s faster by a factor.
func stretch(s []int16, by float64) []int16 {
	out := make([]int16, 0, len(s))
	for x := 0.0; int(x)+1 < len(s); x += by {
		i, f := int(x), x-math.Floor(x)
		out = append(out, int16(float64(s[i])*(1-f)+float64(s[i+1])*f))
	}
	return out
}

// TestBrokenLine: what is cut off or changed is no message, and the next one is.
func TestBrokenLine(t *testing.T) {
	b := Message{Number: "5550100"}.Encode(Multiple)
	whole := sound(t, Bell202, Seizure, Mark, b, Level)
	bad := append(bytes.Clone(b[:len(b)-1]), b[len(b)-1]+1)
	s := append([]int16(nil), whole[:len(whole)*3/4]...)
	s = append(s, make([]int16, 400)...)
	s = append(s, sound(t, Bell202, Seizure, Mark, bad, Level)...)
	s = append(s, whole...)
	got, errs := receive(s)
	if len(got) != 1 || !bytes.Equal(got[0], b) || errs != 2 {
		t.Errorf("%d messages, %d broken", len(got), errs)
	}
}

// TestNoise: neither noise nor tones nor speech-like sound is a message.
func TestNoise(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	s := make([]int16, 60*media.SampleRate)
	for i := range s {
		s[i] = int16(r.IntN(20000) - 10000)
	}
	if got, _ := receive(s); len(got) != 0 {
		t.Errorf("%d messages in noise", len(got))
	}
	for _, hz := range []float64{1200, 1300, 2100, 2200, 425} {
		o := media.NewOscillator(hz, 8000)
		for i := range s[:media.SampleRate] {
			s[i] = int16(o.Next())
		}
		if got, _ := receive(s[:media.SampleRate]); len(got) != 0 {
			t.Errorf("%d messages in %g Hz", len(got), hz)
		}
	}
}

func TestNoGarbage(t *testing.T) {
	var f media.Frame
	c, r := NewSender(V23, Seizure, Mark, make([]byte, 1000), Level), NewReceiver()
	if n := testing.AllocsPerRun(200, func() {
		c.ReadFrame(&f)
		r.Write(f[:])
	}); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, m := range []Message{{Number: "1", Name: "A"}, {Waiting: true}, {NoNumber: Private, When: may}} {
		for _, form := range []Form{Multiple, Single, ETSI} {
			f.Add(m.Encode(form))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b, may)
		if err != nil {
			return
		}
		for _, form := range []Form{Multiple, Single, ETSI} {
			if _, err := Parse(m.Encode(form), may); err != nil {
				t.Fatalf("%+v cannot be written again: %v", m, err)
			}
		}
	})
}
