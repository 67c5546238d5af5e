package script

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"callbox/call"
)

// TestInterruptingVerbs: keys interrupt what the caller hears, and the answer of
// the hook takes its place. A word takes a second.
func TestInterruptingVerbs(t *testing.T) {
	const s = time.Second
	one := Gather{Action: action, NumDigits: 1, Resume: true}
	two := Gather{Action: action, NumDigits: 2, Resume: true}
	late := two
	late.PromptsFirst = true
	long := []Verb{word("a"), word("b"), word("c")}
	for _, tc := range []struct {
		name   string
		barge  Barge
		verbs  []Verb
		keys   string
		at     []float64
		answer []Verb
		want   []string
	}{
		{"a key", Barge{Gather: one}, long, "5", []float64{1.5}, []Verb{word("x")},
			[]string{"0 speak a", "1 speak b", "1.5 asked 5", "1.5 speak x"}},
		{"keys in two verbs", Barge{Gather: late}, long, "56", []float64{0.5, 1.5}, []Verb{word("x")},
			[]string{"0 speak a", "1 speak b", "1.5 asked 56", "1.5 speak x"}},
		{"the first key hushes", Barge{Gather: two}, long, "56", []float64{0.5, 2.5}, []Verb{word("x")},
			[]string{"0 speak a", "2.5 asked 56", "2.5 speak x"}},
		{"an empty answer", Barge{Gather: one}, long, "5", []float64{1.5}, nil,
			[]string{"0 speak a", "1 speak b", "1.5 asked 5", "1.5 speak c"}},
		{"once", Barge{Gather: one}, long, "57", []float64{0.5, 1}, nil,
			[]string{"0 speak a", "0.5 asked 5", "0.5 speak b", "1.5 speak c"}},
		{"sticky", Barge{Gather: one, Sticky: true}, long, "57", []float64{0.5, 1}, nil,
			[]string{"0 speak a", "0.5 asked 5", "0.5 speak b", "1 asked 7", "1 speak c"}},
		{"too few keys", Barge{Gather: Gather{Action: action, NumDigits: 4, MinDigits: 2, Resume: true, BetweenKeys: s, Timeout: s}}, long, "5", []float64{0.5}, nil,
			[]string{"0 speak a", "1.5 speak b", "2.5 speak c"}},
		{"off", Barge{Off: true}, long, "5", []float64{0.5}, nil, []string{"0 speak a", "1 speak b", "2 speak c"}},
		{"a gather of its own", Barge{Gather: one, Sticky: true}, []Verb{Gather{Action: action, NumDigits: 1, Resume: true, Prompts: []Verb{word("a")}}, word("b")}, "57", []float64{0.5, 1}, nil,
			[]string{"0 speak a", "0.5 asked 5", "0.5 speak b", "1 asked 7"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
				c.typeAt(tc.keys, tc.at...)
				c.fetch = func(_ call.Hook, _ call.Record, res *Result) (Document, error) {
					if res == nil {
						return Document{Verbs: append([]Verb{tc.barge}, tc.verbs...)}, nil
					}
					c.logf("asked %s", res.Digits)
					return Document{Verbs: tc.answer}, nil
				}
				if got := (Runner{}).Run(ctx, new(c.env()), &call.ScriptSource{Main: main}); got != Finished {
					t.Errorf("outcome %s", got)
				}
				var got []string
				for _, l := range c.lines {
					if strings.Contains(l, " speak") || strings.Contains(l, " asked") {
						got = append(got, l)
					}
				}
				if !slices.Equal(got, tc.want) {
					t.Errorf("happened %q, wanted %q\n%s", got, tc.want, fmt.Sprint(c.lines))
				}
			})
		})
	}
}
