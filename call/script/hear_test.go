package script

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"callbox/call"
)

// heardAt is a result of a recogniser and the time since the one before.
type heardAt struct {
	after time.Duration
	text  string
	final bool
	err   error
}

// ear is a recogniser of a script for tests.
type ear struct {
	results []heardAt
	refuse  error
	asked   []call.Hearing
	closed  int
}

func (e *ear) Hear(_ context.Context, h call.Hearing) (Transcripts, error) {
	e.asked = append(e.asked, h)
	if e.refuse != nil {
		return nil, e.refuse
	}
	return e, nil
}

func (e *ear) Next(ctx context.Context) (call.Transcript, error) {
	if len(e.results) == 0 {
		<-ctx.Done()
		return call.Transcript{}, ctx.Err()
	}
	r := e.results[0]
	t := time.NewTimer(r.after)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		return call.Transcript{}, ctx.Err()
	}
	e.results = e.results[1:]
	if r.err != nil {
		return call.Transcript{}, r.err
	}
	return call.Transcript{Final: r.final, Channel: 1, Vendor: "v", Alternatives: []call.Alternative{{Text: r.text, Confidence: 0.5}}}, nil
}

func (e *ear) Close() { e.closed++ }

const (
	s     = time.Second
	final = true
)

func TestGatherSpeech(t *testing.T) {
	for _, tc := range []struct {
		name    string
		g       Gather
		ear     ear
		keys    string
		at      []float64
		want    string // the result
		lines   []string
		seconds float64
	}{
		{name: "the first final result ends it", ear: ear{results: []heardAt{{s, "good", false, nil}, {s, "good morning", final, nil}}},
			want: `"good morning" 0.5`, seconds: 2},
		{name: "nothing is said", g: Gather{Timeout: 3 * s}, want: "timeout", seconds: 3},
		{name: "patience counts from the end of the prompts", g: Gather{Timeout: 3 * s, Prompts: []Verb{hello("q")}}, want: "timeout", seconds: 4},
		{name: "no patience is needed once speech has begun", g: Gather{Timeout: 3 * s},
			ear: ear{results: []heardAt{{2 * s, "well", false, nil}, {9 * s, "well yes", final, nil}}}, want: `"well yes" 0.5`, seconds: 11},
		{name: "speech takes so long at most", g: Gather{Timeout: 3 * s, Speech: &GatherSpeech{Longest: 4 * s}},
			ear: ear{results: []heardAt{{2 * s, "well", false, nil}, {9 * s, "well yes", final, nil}}}, want: "timeout", seconds: 6},
		{name: "results are put together until a pause", g: Gather{Speech: &GatherSpeech{Pause: 2 * s}},
			ear: ear{results: []heardAt{{s, "one", final, nil}, {s, "two", false, nil}, {s, "two three", final, nil}}}, want: `"one two three" 0.5`, seconds: 5},
		{name: "empty results are none", g: Gather{Timeout: 3 * s}, ear: ear{results: []heardAt{{s, " ", final, nil}}}, want: "timeout", seconds: 3},
		{name: "too little confidence", g: Gather{Speech: &GatherSpeech{Sure: 0.9}}, ear: ear{results: []heardAt{{s, "hm", final, nil}}}, want: `"hm" 0.5 unsure`, seconds: 1},
		{name: "keys win", g: Gather{NumDigits: 2}, ear: ear{results: []heardAt{{3 * s, "late", final, nil}}}, keys: "42", at: []float64{1, 2}, want: "digits 42", seconds: 2},
		{name: "speech after a key does not count", g: Gather{NumDigits: 2, Timeout: 4 * s}, ear: ear{results: []heardAt{{2 * s, "hm", final, nil}}}, keys: "4", at: []float64{1}, want: "digits 4", seconds: 5},
		{name: "keys that do not count", g: Gather{Timeout: 3 * s, Speech: &GatherSpeech{Only: true}}, keys: "4", at: []float64{1}, want: "timeout", seconds: 3},
		{name: "the finishing key", g: Gather{FinishOnKey: "#"}, keys: "4#", at: []float64{1, 2}, want: "digits 4", seconds: 2},
		{name: "speech stops the prompt", g: Gather{Speech: &GatherSpeech{Interrupts: 2, Pause: 5 * s}, Prompts: []Verb{Say{Speech: Speech{Text: "q"}, Loop: 9}}},
			ear: ear{results: []heardAt{{1500 * time.Millisecond, "no", false, nil}, {s, "no way", final, nil}}}, want: `"no way" 0.5`, seconds: 7.5,
			lines: []string{"2.5 cut after"}},
		{name: "the vendor is not there", g: Gather{Speech: &GatherSpeech{Only: true}, Prompts: []Verb{hello("q")}}, ear: ear{refuse: call.ErrNoRecogniser},
			want: "fault speech vendor not available", seconds: 1, lines: []string{"0 warning speech vendor not available"}},
		{name: "keys without the vendor", g: Gather{NumDigits: 1}, ear: ear{refuse: call.ErrNoRecogniser}, keys: "7", at: []float64{2}, want: "digits 7", seconds: 2,
			lines: []string{"0 warning speech vendor not available"}},
		{name: "the vendor goes away", g: Gather{Speech: &GatherSpeech{Only: true}}, ear: ear{results: []heardAt{{s, "", false, errors.New("gone")}}}, want: "fault gone", seconds: 1},
		{name: "it goes away after speech", g: Gather{Speech: &GatherSpeech{Pause: 9 * s}},
			ear: ear{results: []heardAt{{s, "yes", final, nil}, {s, "", false, errors.New("gone")}}}, want: `"yes" 0.5`, seconds: 2},
		{name: "it goes away and keys go on", g: Gather{NumDigits: 1, Timeout: 5 * s},
			ear: ear{results: []heardAt{{s, "well", false, nil}, {s, "", false, errors.New("gone")}}}, keys: "3", at: []float64{4}, want: "digits 3", seconds: 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
				c.typeAt(tc.keys, tc.at...)
				if tc.g.Speech == nil {
					tc.g.Speech = &GatherSpeech{}
				}
				tc.g.Action, tc.g.ActionOnEmpty = action, true
				env := c.env()
				env.Recogniser = &tc.ear
				jump, err := tc.g.Run(ctx, &env)
				if err != nil {
					t.Fatal(err)
				}
				r := jump.Result
				got := "timeout"
				switch {
				case r.Fault != "":
					got = "fault " + r.Fault
				case r.Digits != "":
					got = "digits " + r.Digits
				case r.Speech != nil:
					got = fmt.Sprintf("%q %g", r.Speech.Text(), r.Speech.Confidence())
					if r.Unsure {
						got += " unsure"
					}
				case !r.Timeout:
					got = "nothing"
				}
				if took := time.Since(c.start).Seconds(); got != tc.want || took != tc.seconds {
					t.Errorf("%s after %g s, want %s after %g s", got, took, tc.want, tc.seconds)
				}
				for _, l := range tc.lines {
					found := false
					for _, x := range c.lines {
						found = found || len(x) >= len(l) && x[:len(l)] == l
					}
					if !found {
						t.Errorf("%q did not happen: %q", l, c.lines)
					}
				}
				if tc.ear.refuse == nil && tc.ear.closed == 0 {
					t.Error("the recogniser was not closed")
				}
			})
		})
	}
}

// TestGatherPartial: results that may still change are told, and asked for.
func TestGatherPartial(t *testing.T) {
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		hook := call.Hook{URL: "http://pbx.biloxi.example/partial"}
		c.fetch = func(h call.Hook, _ call.Record, _ *Result) (Document, error) {
			return Document{Verbs: []Verb{hello("dead")}}, nil
		}
		env := c.env()
		e := &ear{results: []heardAt{{s, "a", false, nil}, {s, "a b", false, nil}, {s, "a b c", final, nil}}}
		env.Recogniser = e
		g := Gather{Speech: &GatherSpeech{Partial: hook}, Action: action}
		jump, err := g.Run(ctx, &env)
		if err != nil || jump.Result.Speech.Text() != "a b c" {
			t.Fatal(jump, err)
		}
		if len(c.asked) != 2 || c.asked[0].Speech.Text() != "a" || c.asked[1].Number != 1 || c.asked[1].Verb != PartialResult || !e.asked[0].Interim {
			t.Errorf("%+v, %+v", c.asked, e.asked)
		}
	})
}

// TestGatherSpeechEnds: the call ends while it listens.
func TestGatherSpeechEnds(t *testing.T) {
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, 2*s)
		defer cancel()
		env := c.env()
		env.Recogniser = &ear{}
		if jump, err := (Gather{Speech: &GatherSpeech{}, Timeout: -1, Prompts: []Verb{Say{Speech: Speech{Text: "q"}, Loop: 0}}}).Run(ctx, &env); jump != nil || err == nil {
			t.Errorf("%v, %v", jump, err)
		}
	})
}

func TestTranscribeVerb(t *testing.T) {
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, 2*s)
		defer cancel()
		env := c.env()
		if jump, err := (Transcribe{}).Run(ctx, &env); jump != nil || err != nil {
			t.Errorf("%v, %v", jump, err)
		}
		if jump, err := (Hold{}).Run(ctx, &env); jump != nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, %v", jump, err)
		}
	})
}
