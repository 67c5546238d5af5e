package script

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"callbox/call"
)

// meeting is a fake of conferences and queues.
type meeting struct {
	c       *fake
	confer  func(context.Context) (ConferenceResult, error)
	enqueue func(context.Context) (QueueResult, error)
	dequeue func(context.Context) (DequeueResult, error)
}

func (m meeting) Confer(ctx context.Context, x Conference) (ConferenceResult, error) {
	m.c.logf("confer %s", x.Name)
	return m.confer(ctx)
}

func (m meeting) Enqueue(ctx context.Context, x Enqueue) (QueueResult, error) {
	m.c.logf("enqueue %s", x.Name)
	return m.enqueue(ctx)
}

func (m meeting) Dequeue(ctx context.Context, x Dequeue) (DequeueResult, error) {
	m.c.logf("dequeue %s", x.Name)
	return m.dequeue(ctx)
}

// TestConferenceVerb: the action learns how the stay ended, also of a call that
// has; without one the document goes on.
func TestConferenceVerb(t *testing.T) {
	in := ConferenceResult{Conference: "CF1", Duration: time.Minute}
	for _, tc := range []struct {
		name string
		res  ConferenceResult
		err  error
		end  bool
		want []string
	}{
		{"left", in, nil, false, []string{"0 confer sales", "0 fetch http://app.lan/action", "0 hangup 16/0 script"}},
		{"full", ConferenceResult{Full: true}, nil, false, []string{"0 confer sales", "0 warning the conference sales is full", "0 fetch http://app.lan/action", "0 hangup 16/0 script"}},
		{"failed", ConferenceResult{}, errOdd, false, []string{"0 confer sales", "0 warning cannot enter the conference: odd failure", "0 fetch http://app.lan/action", "0 hangup 16/0 script"}},
		{"hung up", in, call.ErrEnded, true, []string{"0 confer sales", "0 fetch http://app.lan/action"}},
		{"hung up before", ConferenceResult{}, call.ErrEnded, true, []string{"0 confer sales"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
				hook := call.Hook{URL: "http://app.lan/action"}
				c.fetch = serve(map[string]any{hook.URL: []Verb{}})
				c.decode = func(string) (Document, error) {
					return Document{Verbs: []Verb{ConferenceVerb{Conference: Conference{Name: "sales"}, Action: hook}}}, nil
				}
				env := c.env()
				env.Rooms = meeting{c: c, confer: func(context.Context) (ConferenceResult, error) {
					if tc.end {
						c.end()
					}
					return tc.res, tc.err
				}}
				Runner{}.Run(ctx, &env, &call.ScriptSource{Inline: "x"})
				c.want(append([]string{"0 verb conference"}, tc.want...)...)
				if n := len(c.asked); n > 0 && *c.asked[n-1].Conference != tc.res {
					t.Errorf("told %+v", c.asked[n-1].Conference)
				}
			})
		})
	}
}

// TestQueueVerbs: who waited in a queue is asked for whatever ended it; when
// another document took the call, the answer is not used.
func TestQueueVerbs(t *testing.T) {
	hook := call.Hook{URL: "http://app.lan/action"}
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		ctx, replace := context.WithCancel(ctx)
		c.fetch = serve(map[string]any{hook.URL: []Verb{hello("never")}})
		env := c.env()
		env.Rooms = meeting{c: c, enqueue: func(ctx context.Context) (QueueResult, error) {
			replace()
			return QueueResult{Queue: "QU1", Outcome: call.QueueRedirected}, ctx.Err()
		}}
		r := run{env: &env, answered: true}
		c.decode = func(string) (Document, error) {
			return Document{Verbs: []Verb{EnqueueVerb{Enqueue: Enqueue{Name: "support"}, Action: hook}}}, nil
		}
		if err := r.run(ctx, &call.ScriptSource{Inline: "x"}); !errors.Is(err, context.Canceled) {
			t.Errorf("the script ended with %v", err)
		}
		c.want("0 verb enqueue", "0 enqueue support", "0 fetch "+hook.URL)
		if got := c.asked[0].Queue; got == nil || got.Outcome != call.QueueRedirected {
			t.Errorf("told %+v", c.asked[0])
		}
	})
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		env := c.env()
		m := meeting{c: c}
		m.enqueue = func(context.Context) (QueueResult, error) { return QueueResult{Outcome: call.QueueFull}, nil }
		m.dequeue = func(context.Context) (DequeueResult, error) { return DequeueResult{}, errOdd }
		env.Rooms = m
		if jump, err := (EnqueueVerb{Enqueue: Enqueue{Name: "support"}}).Run(ctx, &env); jump != nil || err != nil {
			t.Errorf("%+v, %v", jump, err)
		}
		jump, err := DequeueVerb{Dequeue: Dequeue{Name: "support"}, Action: hook}.Run(ctx, &env)
		if err != nil || jump.Result.Dequeue.State != call.Failed {
			t.Errorf("%+v, %v", jump, err)
		}
		if jump, err := (Leave{}).Run(ctx, &env); jump != nil || err != nil {
			t.Errorf("leave: %+v, %v", jump, err)
		}
		c.want("0 enqueue support", "0 warning the queue support is full", "0 dequeue support",
			"0 warning cannot take a call from the queue: odd failure", "0 warning the call cannot leave: it waits in no queue")
	})
}

// TestWait: a waiting document is run again and again, tells where the call
// stands, cannot leave for elsewhere, and ends the waiting with Leave.
func TestWait(t *testing.T) {
	wait := call.Hook{URL: "http://app.lan/wait"}
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		position := 9
		docs := [][]Verb{
			{Pause{Length: 3 * time.Second}, &DialVerb{}, EnqueueVerb{Enqueue: Enqueue{Name: "other"}}},
			{Pause{Length: 200 * time.Millisecond}}, // asked for again a second after it began
			{Leave{}, hello("never")},
		}
		c.fetch = func(_ call.Hook, _ call.Record, res *Result) (Document, error) {
			if res.Waiting.Position != 8-len(c.asked)+1 {
				t.Errorf("round %d: position %d", len(c.asked), res.Waiting.Position)
			}
			return Document{Verbs: docs[len(c.asked)-1]}, nil
		}
		err := Runner{}.Wait(ctx, c.env(), wait, func() *Result {
			position--
			return &Result{Verb: "wait", Waiting: &Waiting{Position: position}}
		})
		if !Left(err) {
			t.Errorf("it ended with %v", err)
		}
		c.want("0 fetch "+wait.URL, "0 verb pause", "3 verb dial", "3 warning "+errWaiting.Error(), "3 verb enqueue",
			"3 warning cannot wait in the queue: "+ErrNoRoom.Error(),
			"3 fetch "+wait.URL, "3 verb pause", "4 fetch "+wait.URL, "4 verb leave")
	})
}

// TestWaitForSound: a hook that is a sound is asked for once and played on; one
// that cannot be played is tried ever less often; an empty document is silence.
func TestWaitForSound(t *testing.T) {
	wait := call.Hook{URL: "http://app.lan/music.wav"}
	sound := Document{URL: wait.URL, Verbs: []Verb{Play{URL: wait.URL, Loop: 1}}}
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, 5500*time.Millisecond)
		defer cancel()
		c.fetch = func(call.Hook, call.Record, *Result) (Document, error) { return sound, nil }
		if err := (Runner{}).Wait(ctx, c.env(), wait, func() *Result { return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it ended with %v", err)
		}
		if len(c.asked) != 1 || strings.Count(strings.Join(c.lines, " "), "played 50 frames") != 5 {
			t.Errorf("asked %d times:\n%s", len(c.asked), strings.Join(c.lines, "\n"))
		}
	})
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		c.openErr = errOdd
		c.fetch = func(call.Hook, call.Record, *Result) (Document, error) { return sound, nil }
		Runner{}.Wait(ctx, c.env(), wait, func() *Result { return nil })
		if len(c.asked) != 6 { // after 0, 1, 3, 7, 15, 31 s
			t.Errorf("asked %d times within a minute", len(c.asked))
		}
	})
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		c.fetch = func(call.Hook, call.Record, *Result) (Document, error) { return Document{}, nil }
		if err := (Runner{}).Wait(ctx, c.env(), wait, func() *Result { return nil }); err != nil {
			t.Errorf("silence: %v", err)
		}
		c.fetch = serve(map[string]any{wait.URL: errOdd})
		if err := (Runner{}).Aside(ctx, c.env(), wait, nil); !errors.Is(err, errOdd) {
			t.Errorf("a hook that fails: %v", err)
		}
		c.fetch = serve(map[string]any{wait.URL: []Verb{hello("hold on")}})
		if err := (Runner{}).Aside(ctx, c.env(), wait, nil); err != nil {
			t.Errorf("once: %v", err)
		}
	})
}
