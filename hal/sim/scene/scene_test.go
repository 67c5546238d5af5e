package scene

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage notes what is done on it, and when.
type stage struct {
	began time.Time

	mu      sync.Mutex // guards what follows
	log     []string
	faults  map[string]string
	country string
}

func newStage() *stage {
	return &stage{began: time.Now(), faults: map[string]string{"gsm1 late": "200ms"}, country: "US"}
}

func (s *stage) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, fmt.Sprintf("%g ", time.Since(s.began).Seconds())+fmt.Sprintf(format, args...))
}

func (s *stage) Act(ctx context.Context, port, act, with string) error {
	s.note("%s %s %s", port, act, with)
	if act == "wait-ring" {
		<-ctx.Done()
		return ctx.Err()
	}
	if act == "sing" {
		return errors.New("a phone cannot sing")
	}
	return nil
}

func (s *stage) SetFault(_ context.Context, port, name, value string) error {
	s.note("%s %s=%s", port, name, value)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[port+" "+name] = value
	return nil
}

func (s *stage) Fault(_ context.Context, port, name string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.faults[port+" "+name]; ok {
		return v, nil
	}
	return "off", nil
}

func (s *stage) Say(_ context.Context, port, file string) error {
	s.note("%s begins %s", port, file)
	<-time.After(3 * time.Second)
	s.note("%s ends %s", port, file)
	return nil
}

func (s *stage) State(context.Context, string, string) (string, error) {
	if time.Since(s.began) >= 10*time.Second {
		return "talking", nil
	}
	return "none", nil
}

func (s *stage) SetCountry(_ context.Context, code string) (string, error) {
	s.note("country %s", code)
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.country
	s.country = code
	return old, nil
}

// play plays a file in a bubble; the result is what was done.
func play(t *testing.T, file string) (log []string, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, bad := Parse([]byte(file))
		if bad != nil {
			t.Fatal(bad)
		}
		on := newStage()
		told := 0
		err = s.Play(t.Context(), on, func(Step) { told++ })
		log = on.log
		if err == nil && told != len(s.Steps) {
			t.Errorf("%d steps told of %d", told, len(s.Steps))
		}
	})
	return log, err
}

func TestPlay(t *testing.T) {
	log, err := play(t, `
title: All there is
country: DE
steps:
- {port: gsm1, fault: late, value: 2s}
- {port: fxs1, do: pick-up, after: 1.5s}
- {port: fxs1, say: hello.wav, beside: true}
- {port: fxs1, do: press, with: "102", after: 1s}
- {port: gsm1, fault: late, value: 3s}
- {port: fxs2, state: call, is: talking}
- {port: gsm1, fault: silent, value: on}
`)
	if err != nil {
		t.Error(err)
	}
	want := []string{"0 country DE", "0 gsm1 late=2s", "1.5 fxs1 pick-up ", "1.5 fxs1 begins hello.wav", "2.5 fxs1 press 102", "2.5 gsm1 late=3s",
		"4.5 fxs1 ends hello.wav", "10 gsm1 silent=on", "10 gsm1 silent=off", "10 gsm1 late=200ms", "10 country US"}
	if !slices.Equal(log, want) {
		t.Errorf("was played as\n%s", strings.Join(log, "\n"))
	}
}

// A step that fails ends the scene, and what was switched is switched back.
func TestPlayFails(t *testing.T) {
	for file, want := range map[string]string{
		"steps:\n- {port: gsm1, fault: silent, value: on}\n- {port: fxs1, do: sing}\n- {port: fxs1, do: pick-up}":                  "step 2 (fxs1 sing): a phone cannot sing",
		"steps:\n- {port: gsm1, fault: silent, value: on}\n- {port: fxs1, do: wait-ring, within: 5s}\n- {port: fxs1, do: pick-up}": "step 2 (fxs1 wait-ring): it has taken longer than 5s",
		"steps:\n- {port: gsm1, fault: silent, value: on}\n- {port: fxs1, state: call, is: ringing}":                               `it has taken longer than 2m0s; call is "talking"`,
		"steps:\n- {port: gsm1, fault: silent, value: on}\n- {port: fxs1, do: wait-ring, within: 4s, beside: true}":                "it has taken longer than 4s",
		"steps:\n- {port: gsm1, fault: silent, value: on}\n- {port: fxs1, do: wait-ring, beside: true}\n- {port: fxs1, do: sing}":  "step 3 (fxs1 sing)",
	} {
		log, err := play(t, file)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		if !strings.HasSuffix(log[len(log)-1], "gsm1 silent=off") || slices.ContainsFunc(log, func(l string) bool { return strings.Contains(l, "pick-up") }) {
			t.Errorf("%s: was played as %q", want, log)
		}
	}
}

func TestPlayKeeps(t *testing.T) {
	log, err := play(t, "country: FR\nkeep: true\nsteps:\n- {port: gsm1, fault: silent, value: on}")
	if want := []string{"0 country FR", "0 gsm1 silent=on"}; err != nil || !slices.Equal(log, want) {
		t.Errorf("%q, %v", log, err)
	}
}

func TestParseRefuses(t *testing.T) {
	for file, want := range map[string]string{
		"":                        "0 steps",
		"steps:\n- {do: pick-up}": "step 1 (pick-up): it names no port",
		"steps:\n- {port: fxs1}":  "one of do, fault, say and state",
		"steps:\n- {port: fxs1, do: pick-up, say: x.wav}": "one of do, fault, say and state",
		"steps:\n- {port: fxs1, fault: dead}":             "a fault needs a value",
		"steps:\n- {port: fxs1, do: x, value: on}":        "a fault needs a value",
		"steps:\n- {port: fxs1, do: x, is: on}":           "is belongs to state",
		"steps:\n- {port: fxs1, do: x, after: soon}":      "soon",
		"steps:\n- {port: fxs1, do: x, within: -2s}":      "-2s",
		"country: Germany\nsteps:\n- {port: fxs1, do: x}": "not the code of a country",
		"steps:\n- {port: fxs1, jump: x}":                 "jump",
		strings.Repeat(" ", maxFile+1):                    "bytes",
	} {
		if _, err := Parse([]byte(file)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", file, err, want)
		}
	}
}

// FuzzParse: whatever file comes, it is read or refused.
func FuzzParse(f *testing.F) {
	f.Add("country: DE\nsteps:\n- {port: fxs1, do: press, with: \"1\", after: 1s, beside: true}")
	f.Fuzz(func(_ *testing.T, s string) { _, _ = Parse([]byte(s)) })
}
