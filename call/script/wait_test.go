package script

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"callbox/call"
)

// slow answers the first request with first, and every action hook after takes
// with a word.
type slow struct {
	*fake
	takes time.Duration
	first []Verb
}

func (s slow) Fetch(ctx context.Context, _ call.Hook, _ call.Record, res *Result) (Document, error) {
	if res == nil {
		return Document{Verbs: s.first}, nil
	}
	return Document{Verbs: []Verb{word("answer")}}, rest(ctx, s.takes)
}

func word(text string) Verb { return Say{Speech: Speech{Text: text}, Loop: 1} }

// TestWaitingForAHook: what the caller hears while the hook of an action takes
// its time. The hook is asked after a second; a word takes another.
func TestWaitingForAHook(t *testing.T) {
	const s = time.Second
	gather := Gather{Action: action, Timeout: s, ActionOnEmpty: true, Resume: true}
	delay := &Delay{After: 2 * s, Retries: 1, Actions: []Verb{word("moment"), word("still")}}
	end := &Delay{GiveUp: 4 * s, After: 2 * s, Actions: []Verb{word("moment")}, Final: []Verb{word("sorry")}}
	noise := &Noise{URL: "http://a/typing.wav", After: 1500 * time.Millisecond}
	for _, tc := range []struct {
		name  string
		wait  Wait
		takes time.Duration
		want  []string
	}{
		{"actions in turn", Wait{Delay: delay}, 9 * s, []string{"3 speak moment", "6 speak still", "10 speak answer"}},
		{"an answer in time", Wait{Delay: delay}, s, []string{"2 speak answer"}},
		{"an answer during an action", Wait{Delay: delay}, 2500 * time.Millisecond, []string{"3 speak moment", "3.5 speak answer"}},
		{"noise", Wait{Noise: noise}, 3 * s,
			[]string{"2.5 open http://a/typing.wav", "3.5 open http://a/typing.wav", "4 speak answer"}},
		{"noise and actions", Wait{Noise: noise, Delay: delay}, 3500 * time.Millisecond,
			[]string{"2.5 open http://a/typing.wav", "3 speak moment", "4 open http://a/typing.wav", "4.5 speak answer"}},
		{"no answer", Wait{Delay: end}, time.Hour,
			[]string{"3 speak moment", "5 warning http://pbx.biloxi.example/next did not answer within 4s; the call ends", "5 speak sorry", "6 hangup 16/0 script"}},
		{"switched off", Wait{Noise: &Noise{}, Delay: &Delay{}}, 3 * s, []string{"4 speak answer"}},
	} {
		own := gather
		own.Wait = tc.wait
		for where, first := range map[string][]Verb{"of the script": {tc.wait, gather}, "of the verb": {Wait{Noise: &Noise{}, Delay: &Delay{}}, own}} {
			t.Run(tc.name+" "+where, func(t *testing.T) {
				bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
					env := c.env()
					env.Fetcher = slow{c, tc.takes, first}
					if got := (Runner{}).Run(ctx, &env, &call.ScriptSource{Main: main}); got != Finished {
						t.Errorf("outcome %s", got)
					}
					var got []string
					for _, l := range c.lines {
						_, what, _ := strings.Cut(l, " ")
						if strings.HasPrefix(what, "speak") || strings.HasPrefix(what, "open") || tc.takes == time.Hour && (strings.HasPrefix(what, "warning") || strings.HasPrefix(what, "hangup")) {
							got = append(got, l)
						}
					}
					if !slices.Equal(got, tc.want) {
						t.Errorf("happened %q, wanted %q", got, tc.want)
					}
				})
			})
		}
	}
}
