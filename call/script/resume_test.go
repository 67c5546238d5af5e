package script

import (
	"context"
	"errors"
	"testing"
	"time"

	"callbox/call"
)

// TestResume: an action that answers without verbs brings the document back, one
// with verbs replaces it, and one that fails ends it.
func TestResume(t *testing.T) {
	silent := Gather{Action: action, Timeout: time.Second, ActionOnEmpty: true, Resume: true}
	for _, tc := range []struct {
		name   string
		answer any
		want   []string
		out    Outcome
	}{
		{"no verbs", []Verb{}, []string{"1 verb say", "1 speak after", "2 played 50 frames, 0", "2 hangup 16/0 script"}, Finished},
		{"verbs", []Verb{hello("instead")}, []string{"1 verb say", "1 speak instead", "2 played 50 frames, 0", "2 hangup 16/0 script"}, Finished},
		{"failure", errOdd, []string{"1 warning the script cannot go on: odd failure", "1 hangup 41/500 box"}, Broken},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
				c.fetch = serve(map[string]any{main.URL: []Verb{silent, hello("after")}, action.URL: tc.answer})
				if got := (Runner{}).Run(ctx, new(c.env()), &call.ScriptSource{Main: main}); got != tc.out {
					t.Errorf("outcome %s", got)
				}
				c.want(append([]string{"0 fetch " + main.URL, "0 verb gather", "1 fetch " + action.URL}, tc.want...)...)
			})
		})
	}
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		silent.Resume = false
		c.fetch = serve(map[string]any{main.URL: []Verb{silent, hello("after")}, action.URL: []Verb{}})
		Runner{}.Run(ctx, new(c.env()), &call.ScriptSource{Main: main})
		c.want("0 fetch "+main.URL, "0 verb gather", "1 fetch "+action.URL, "1 hangup 16/0 script")
	})
}

func TestDialResumes(t *testing.T) {
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		c.dial = func(context.Context, Dial) (DialResult, error) { return DialResult{State: call.Busy}, nil }
		env := c.env()
		v := &DialVerb{Dial: Dial{Targets: []Target{{To: "5550100"}}}, Action: action, Resume: true}
		if jump, err := v.Run(ctx, &env); err != nil || !jump.Resume || jump.Result.Dial.State != call.Busy {
			t.Errorf("jump %+v, %v", jump, err)
		}
	})
}

// TestLists: texts and sounds that are lists are one verb.
func TestLists(t *testing.T) {
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		env := c.env()
		if _, err := (Say{Speech: Speech{Text: "a"}, More: []Speech{{Text: "b"}}, Loop: 2}).Run(ctx, &env); err != nil {
			t.Fatal(err)
		}
		if _, err := (Play{URL: "u", More: []string{"v"}, Loop: 1}).Run(ctx, &env); err != nil {
			t.Fatal(err)
		}
		c.want("0 speak a", "1 played 50 frames, 0", "1 speak b", "2 played 50 frames, 0", "2 speak a", "3 played 50 frames, 0",
			"3 speak b", "4 played 50 frames, 0", "4 open u", "5 played 50 frames, 0", "5 open v", "6 played 50 frames, 0")
	})
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		c.openErr = errOdd
		env := c.env()
		if _, err := (Play{URL: "u", More: []string{"v"}, Loop: 3}).Run(ctx, &env); err != nil {
			t.Fatal(err)
		}
		c.want("0 open u", "0 warning cannot play u: odd failure", "0 open v", "0 warning cannot play v: odd failure")
	})
}

// TestPlayAction: who asked for a sound learns how it went.
func TestPlayAction(t *testing.T) {
	for _, tc := range []struct {
		name   string
		p      Play
		set    func(*fake)
		played time.Duration
		fault  string
		err    error
	}{
		{"to the end", Play{Loop: 3}, nil, 3 * time.Second, "", nil},
		{"cut by its limit", Play{Limit: 1500 * time.Millisecond}, nil, 1500 * time.Millisecond, "", nil},
		{"shorter than its limit", Play{Loop: 1, Limit: time.Minute}, nil, time.Second, "", nil},
		{"no such file", Play{Loop: 2}, func(c *fake) { c.openErr = errOdd }, 0, "cannot play u: odd failure", nil},
		{"broken", Play{Loop: 1}, func(c *fake) { c.playErr = errOdd }, 0, "cannot play the sound: odd failure", nil},
		{"hung up", Play{Limit: time.Minute}, func(c *fake) { c.after(time.Second/2, c.end) }, 0, "", call.ErrEnded},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
				if tc.set != nil {
					tc.set(c)
				}
				tc.p.URL, tc.p.Action = "u", action
				env := c.env()
				jump, err := tc.p.Run(ctx, &env)
				if tc.err != nil {
					if !over(ctx, err) || jump != nil {
						t.Errorf("jump %v, error %v", jump, err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if r := jump.Result; jump.Hook != action || !jump.Resume || r.Verb != "play" || r.Played != tc.played || r.Fault != tc.fault {
					t.Errorf("jump %+v %+v", jump, r)
				}
			})
		})
	}
}

// TestGatherOptions: what only one of the languages knows.
func TestGatherOptions(t *testing.T) {
	prompt := []Verb{Say{Speech: Speech{Text: "p"}, Loop: 2}} // 2 s
	for _, tc := range []struct {
		name    string
		g       Gather
		keys    string
		at      []float64
		digits  string
		timeout bool
		fault   string
		ends    float64
	}{
		{"between keys", Gather{Timeout: 5 * time.Second, BetweenKeys: time.Second}, "12", []float64{3, 3.5}, "12", false, "", 4.5},
		{"between keys, from the second on", Gather{Timeout: 5 * time.Second, BetweenKeys: time.Second, MinDigits: 2}, "12", []float64{1, 4}, "12", false, "", 5},
		{"too few digits", Gather{Timeout: time.Second, MinDigits: 2}, "1", []float64{0.5}, "", true, "", 1.5},
		{"enough digits", Gather{Timeout: time.Second, MinDigits: 2}, "12", []float64{0.5, 1}, "12", false, "", 2},
		{"keys wait for the prompts", Gather{Prompts: prompt, PromptsFirst: true, NumDigits: 2}, "12", []float64{0.5, 3}, "12", false, "", 3},
		{"keys during the prompts are lost", Gather{Prompts: prompt, Deaf: true, NumDigits: 1}, "12", []float64{0.5, 3}, "2", false, "", 3},
		{"input that cannot be had", Gather{Prompts: prompt, Fault: "no recogniser"}, "1", []float64{0.5}, "", false, "no recogniser", 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
				c.typeAt(tc.keys, tc.at...)
				tc.g.Action, tc.g.ActionOnEmpty, tc.g.Resume = action, true, true
				env := c.env()
				jump, err := tc.g.Run(ctx, &env)
				if err != nil || jump == nil {
					t.Fatalf("jump %v, error %v", jump, err)
				}
				if got := time.Since(c.start).Seconds(); got != tc.ends {
					t.Errorf("ended after %g s", got)
				}
				if r := jump.Result; !jump.Resume || r.Digits != tc.digits || r.Timeout != tc.timeout || r.Fault != tc.fault {
					t.Errorf("jump %+v %+v", jump, r)
				}
			})
		})
	}
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		c.after(time.Second/2, c.end)
		env := c.env()
		if _, err := (Gather{Prompts: prompt, PromptsFirst: true, Action: action}).Run(ctx, &env); !over(ctx, err) {
			t.Errorf("hung up during the prompts: %v", err)
		}
	})
}

// TestSmallVerbs: those of a single act.
func TestSmallVerbs(t *testing.T) {
	tag, speech := `{"a":1}`, call.Speech{Voice: "Alice"}
	for _, tc := range []struct {
		verb   Verb
		name   string
		before bool // may run before the answer
		set    func(*fake)
		want   []string
		err    error
	}{
		{Keys{Keys: "12"}, "dtmf", false, nil, []string{"0 sent 12"}, nil},
		{Keys{Keys: "#", Length: time.Second}, "dtmf", false, nil, []string{"0 sent # 1s"}, nil},
		{Keys{Keys: "x"}, "dtmf", false, func(c *fake) { c.digitErr = errOdd }, []string{"0 sent x", "0 warning cannot send digits: odd failure"}, nil},
		{Keys{Keys: "1"}, "dtmf", false, func(c *fake) { c.digitErr = call.ErrEnded }, []string{"0 sent 1"}, call.ErrEnded},
		{Answer{}, "answer", false, nil, nil, nil},
		{Answer{}, "answer", false, (*fake).ringing, []string{"0 answer"}, nil},
		{Answer{}, "answer", false, func(c *fake) { c.answerErr = errOdd }, nil, errOdd},
		{Change{Verb: "tag", Change: call.Change{Tag: &tag}}, "tag", true, nil, nil, nil},
		{Change{Verb: "config", Change: call.Change{Speech: &speech}}, "config", true, nil, nil, nil},
		{Change{Verb: "tag", Change: call.Change{Tag: &tag}}, "tag", true, (*fake).end, nil, call.ErrEnded},
		{Hangup{Decline: true}, "hangup", true, nil, []string{"0 hangup 16/0 script"}, call.ErrEnded},
		{Hangup{Decline: true}, "hangup", true, (*fake).ringing, []string{"0 hangup 21/603 script"}, call.ErrEnded},
		{Reject{Status: 404, Reason: "moved"}, "reject", true, (*fake).ringing, []string{"0 hangup 1/404 script"}, call.ErrEnded},
		{Reject{Status: 404}, "reject", true, nil, []string{"0 hangup 16/0 script"}, call.ErrEnded},
	} {
		bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
			if tc.set != nil {
				tc.set(c)
			}
			env := c.env()
			p, ok := tc.verb.(Preparer)
			if before := ok && p.BeforeAnswer(); tc.verb.Name() != tc.name || before != tc.before {
				t.Errorf("%+v: name %q, before the answer %t", tc.verb, tc.verb.Name(), before)
			}
			jump, err := tc.verb.Run(ctx, &env)
			if jump != nil || !errors.Is(err, tc.err) {
				t.Errorf("%+v: jump %v, error %v", tc.verb, jump, err)
			}
			c.want(tc.want...)
			if ch, ok := tc.verb.(Change); ok && tc.err == nil && c.rec.Session.Tag == "" && c.rec.Session.Speech.Voice == "" {
				t.Errorf("%+v changed nothing", ch)
			}
		})
	}
}
