package at

import (
	"slices"
	"strings"
	"testing"
)

const recorded = `# a start with a PIN
0.000000 > "ATE0"
0.010000 < "ATE0"
0.020000 < "OK"
0.020000 > "AT+CPIN?"
0.040000 < "+CPIN: SIM PIN"
0.041000 < "OK"
0.041000 > "AT+CPIN=****"
0.090000 < "OK"
1.500000 < "+CPIN: READY"
1.500000 > "AT+CMGS=3"
1.600000 < "> "
1.600000 > "001122\x1a"
3.600000 < "+CMGS: 7"
3.600000 < "OK"
`

// startUp is the driver that the trace was recorded with.
func startUp(t *testing.T, e *Engine) {
	must(t, e, Command{Text: "ATE0"})
	if r := must(t, e, Command{Text: "AT+CPIN?", Answers: []string{"+CPIN:"}}); r.Value("+CPIN:") != "SIM PIN" {
		t.Errorf("got %q", r.Lines)
	}
	must(t, e, Command{Text: `AT+CPIN="4711"`, Secret: true, Class: Radio})
	if u := <-e.URCs(); u.Line != "+CPIN: READY" {
		t.Errorf("got %q", u.Line)
	}
	must(t, e, Command{Text: "AT+CMGS=3", Answers: []string{"+CMGS:"}, Payload: "001122", Class: Network})
}

// What was recorded plays back, and records the same again.
func TestTraceRoundTrip(t *testing.T) {
	bubble(t, func(t *testing.T) {
		list, err := ReadTrace(strings.NewReader(recorded))
		if err != nil {
			t.Fatal(err)
		}
		p := NewPlayer(list)
		var again strings.Builder
		r := NewRecorder(&again, 100)
		e := New(p, Config{Trace: r.Record})
		startUp(t, e)
		_ = e.Close()
		if p.Err() != nil || p.Left() != 0 {
			t.Errorf("played with %v, %d left", p.Err(), p.Left())
		}
		_, want, _ := strings.Cut(recorded, "\n")
		if again.String() != want {
			t.Errorf("recorded\n%s", again.String())
		}
	})
}

func TestPlayerMinds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		list, _ := ReadTrace(strings.NewReader(recorded))
		p := NewPlayer(list)
		e := New(p, Config{})
		if _, err := e.Do(t.Context(), Command{Text: "ATE1"}); err == nil {
			t.Error("something else was taken")
		}
		_ = e.Close()
		if p.Err() == nil || !strings.Contains(p.Err().Error(), `"ATE1" was written, the trace has "ATE0"`) {
			t.Errorf("got %v", p.Err())
		}
	})
}

// A trace may say how polls are answered, whenever they come.
func TestPlayerAlways(t *testing.T) {
	bubble(t, func(t *testing.T) {
		list, err := ReadTrace(strings.NewReader(`0 > "ATE0"
0 < "OK"
0 = "AT+CREG?" "+CREG: 2,2" "OK"
5 < "+CREG: 1"
5 = "AT+CREG?" "+CREG: 2,1" "OK"
`))
		if err != nil {
			t.Fatal(err)
		}
		p := NewPlayer(list)
		e := New(p, Config{})
		must(t, e, Command{Text: "ATE0"})
		ask := Command{Text: "AT+CREG?", Answers: []string{"+CREG:"}}
		for range 2 {
			if r := must(t, e, ask); r.Value("+CREG:") != "2,2" {
				t.Errorf("got %q", r.Lines)
			}
		}
		if u := <-e.URCs(); u.Line != "+CREG: 1" {
			t.Errorf("got %q", u.Line)
		}
		if r := must(t, e, ask); r.Value("+CREG:") != "2,1" {
			t.Errorf("got %q", r.Lines)
		}
		_ = e.Close()
		if p.Err() != nil || p.Left() != 0 {
			t.Errorf("played with %v, %d left", p.Err(), p.Left())
		}
	})
	for _, wrong := range []string{`0 = "AT"`, `0 > "AT" "OK"`, `0 > "AT" x`, `0 = `} {
		if _, err := ReadTrace(strings.NewReader(wrong)); err == nil {
			t.Errorf("%s was read", wrong)
		}
	}
}

func TestRecorderLimit(t *testing.T) {
	var b strings.Builder
	r := NewRecorder(&b, 2)
	for range 5 {
		r.Record(Entry{Text: "OK"})
	}
	if r.Dropped() != 3 || strings.Count(b.String(), "\n") != 2 {
		t.Errorf("dropped %d, wrote %q", r.Dropped(), b.String())
	}
}

func TestConcealed(t *testing.T) {
	for in, want := range map[string]string{
		"+CMGR: 1,,22": "+CMGR: ****", "0791AABB": masked, "OK": "OK", "+CMS ERROR: 38": "+CMS ERROR: 38",
		`AT+CPIN="1234"`: "AT+CPIN=****", "1234": masked,
	} {
		if got := concealed(in); got != want {
			t.Errorf("concealed(%q) = %q", in, got)
		}
	}
}

// FuzzReadTrace: whatever file comes, it is read or refused.
func FuzzReadTrace(f *testing.F) {
	f.Add(recorded)
	f.Add("1e309 > \"\"\n")
	f.Fuzz(func(_ *testing.T, s string) { _, _ = ReadTrace(strings.NewReader(s)) })
}

// FuzzSplitter: however the stream is cut, the same tokens come, and no line is
// empty, too long, or has an end in it.
func FuzzSplitter(f *testing.F) {
	f.Add("\r\n+CSQ: 1\r\n\r\nOK\r\n", 3, false)
	f.Add("\r\r\n> \x10R\x10", 1, true)
	f.Fuzz(func(t *testing.T, s string, cut int, shield bool) {
		tokens := func(parts ...string) []token {
			sp := splitter{asked: true, shield: shield}
			var list []token
			for _, p := range parts {
				b := []byte(p)
				for len(b) > 0 {
					tok, rest, ok := sp.feed(b)
					if b = rest; ok {
						list = append(list, tok)
					}
				}
			}
			return list
		}
		cut = max(0, min(cut, len(s)))
		whole := tokens(s)
		if !slices.Equal(whole, tokens(s[:cut], s[cut:])) {
			t.Error("the cut made a difference")
		}
		for _, x := range whole {
			if len(x.line) > maxLine || strings.ContainsAny(x.line, "\r\n") && !strings.HasPrefix(x.line, "+CUSD:") || x == (token{}) && !shield {
				t.Errorf("token %+v", x)
			}
			if f, _, ok := final(x.line); ok && f == "" || len(Fields(x.line)) == 0 {
				t.Errorf("line %q", x.line)
			}
		}
	})
}
