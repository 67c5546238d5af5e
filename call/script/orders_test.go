package script

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"callbox/call"
)

// timed are orders by the time at which they come.
type timed struct {
	list []timedOrder
	err  error // after the last
}

type timedOrder struct {
	after time.Duration // since the one before
	Order
}

func (o *timed) Next(ctx context.Context) (Order, error) {
	if len(o.list) == 0 {
		if o.err == nil {
			<-ctx.Done()
			return Order{}, ctx.Err()
		}
		return Order{}, o.err
	}
	next := o.list[0]
	t := time.NewTimer(next.after)
	defer t.Stop()
	select {
	case <-t.C:
		o.list = o.list[1:]
		return next.Order, nil
	case <-ctx.Done():
		return Order{}, ctx.Err()
	}
}

func order(after time.Duration, way Way, verbs ...Verb) timedOrder {
	return timedOrder{after, Order{Way: way, Document: Document{Verbs: verbs}}}
}

// mark is a verb that only tells that it ran.
type mark struct{}

func (mark) Name() string { return "mark" }
func (mark) Run(_ context.Context, env *Env) (*Jump, error) {
	env.Tell(call.EventWarning, "mark")
	return nil, nil
}

func TestOrders(t *testing.T) {
	var errGone = errors.New("gone")
	const s = time.Second
	for _, tc := range []struct {
		name    string
		verbs   []Verb
		orders  timed
		outcome Outcome
		want    []string // behind the fetch
	}{
		{"the script waits for them", []Verb{hello("a")}, timed{[]timedOrder{order(3*s, Instead, hello("b")), order(4*s, After, Hangup{})}, nil}, Finished,
			[]string{"0 verb say", "0 speak a", "1 played 50 frames, 0", "3 verb say", "3 speak b", "4 played 50 frames, 0", "7 verb hangup", "7 hangup 16/0 script"}},
		{"in place of what runs and waits", []Verb{Pause{9 * s}, hello("dead")},
			timed{[]timedOrder{order(s, After, hello("dead")), order(s, Instead, hello("b")), order(0, After, Hangup{})}, nil}, Finished,
			[]string{"0 verb pause", "2 verb say", "2 speak b", "3 played 50 frames, 0", "3 verb hangup", "3 hangup 16/0 script"}},
		{"behind what runs", []Verb{Pause{2 * s}, hello("a")}, timed{[]timedOrder{order(s, After, hello("b"))}, ErrNoMore}, Finished,
			[]string{"0 verb pause", "2 verb say", "2 speak a", "3 played 50 frames, 0", "3 verb say", "3 speak b", "4 played 50 frames, 0", "4 hangup 16/0 script"}},
		{"beside what runs", []Verb{Pause{2 * s}}, timed{[]timedOrder{order(s, Beside, mark{})}, ErrNoMore}, Finished,
			[]string{"0 verb pause", "1 warning mark", "2 hangup 16/0 script"}},
		{"nothing in place of everything", []Verb{Pause{9 * s}}, timed{[]timedOrder{order(s, Instead), order(s, Instead, Hangup{})}, nil}, Finished,
			[]string{"0 verb pause", "2 verb hangup", "2 hangup 16/0 script"}},
		{"a lost application ends the script when that has no more to do", []Verb{Pause{2 * s}}, timed{nil, errGone}, Broken,
			[]string{"0 verb pause", "2 warning the script cannot go on: gone", "2 hangup 41/500 box"}},
		{"too many wait", []Verb{Pause{2 * s}}, timed{[]timedOrder{order(s, After, make([]Verb, MaxWaiting+1)...)}, ErrNoMore}, Finished,
			[]string{"0 verb pause", "1 warning 201 verbs would wait to be run, at most 200 may: the last order was dropped", "2 hangup 16/0 script"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
				c.fetch = serve(map[string]any{main.URL: Document{Verbs: tc.verbs, Orders: &tc.orders}})
				if got := (Runner{}).Run(ctx, new(c.env()), &call.ScriptSource{Main: main}); got != tc.outcome {
					t.Errorf("outcome %s", got)
				}
				c.want(append([]string{"0 fetch " + main.URL}, tc.want...)...)
			})
		})
	}
}

// TestOrdersDuringAction: verbs that come while an action is asked for run behind
// those of its answer; those that waited before are dropped.
func TestOrdersDuringAction(t *testing.T) {
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		c.typeAt("5", 2)
		orders := &timed{[]timedOrder{order(time.Second, After, hello("dead")), order(1500*time.Millisecond, After, Hangup{})}, nil}
		docs := serve(map[string]any{
			main.URL:   Document{Verbs: []Verb{Gather{Action: action, NumDigits: 1, Timeout: 9 * time.Second}}, Orders: orders},
			action.URL: Document{Verbs: []Verb{hello("b")}, Orders: orders},
		})
		c.fetch = func(h call.Hook, rec call.Record, res *Result) (Document, error) {
			if h == action {
				<-time.After(time.Second)
			}
			return docs(h, rec, res)
		}
		if got := (Runner{}).Run(ctx, new(c.env()), &call.ScriptSource{Main: main}); got != Finished {
			t.Errorf("outcome %s", got)
		}
		c.want("0 fetch "+main.URL, "0 verb gather", "2 fetch "+action.URL, "3 verb say", "3 speak b", "4 played 50 frames, 0",
			"4 verb hangup", "4 hangup 16/0 script")
	})
}

// TestOrdersEndWithCall: a call that ends while its script waits.
func TestOrdersEndWithCall(t *testing.T) {
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		c.fetch = serve(map[string]any{main.URL: Document{Orders: &timed{}}})
		if got := (Runner{}).Run(ctx, new(c.env()), &call.ScriptSource{Main: main}); got != Interrupted {
			t.Errorf("outcome %s", got)
		}
		c.want("0 fetch " + main.URL)
	})
}

// recital is an utterance of some sentences.
type recital struct {
	sentences []string
	dropped   chan struct{}
	ended     []bool
}

func (r *recital) Next(ctx context.Context) (string, error) {
	if len(r.sentences) == 0 {
		return "", io.EOF
	}
	text := r.sentences[0]
	r.sentences = r.sentences[1:]
	if text == "" {
		<-ctx.Done()
		return "", ctx.Err()
	}
	return text, nil
}

func (r *recital) Dropped() <-chan struct{} { return r.dropped }
func (r *recital) End(early bool)           { r.ended = append(r.ended, early) }

// TestRecite: an utterance is spoken sentence by sentence; one that is dropped ends
// in the middle of one, and one that the script leaves says so.
func TestRecite(t *testing.T) {
	for _, tc := range []struct {
		name      string
		sentences []string
		drop      time.Duration
		leave     time.Duration
		spoken    int
		early     bool
	}{
		{"to its end", []string{"a", "b"}, 0, 0, 2, false},
		{"dropped", []string{"a", "b", "c"}, 1500 * time.Millisecond, 0, 2, false},
		{"dropped while it is written", []string{"a", ""}, 5 * time.Second, 0, 1, false},
		{"left", []string{"a", "b", "c"}, 0, 1500 * time.Millisecond, 2, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
				r := &recital{sentences: tc.sentences, dropped: make(chan struct{})}
				if tc.drop > 0 {
					time.AfterFunc(tc.drop, func() { close(r.dropped) })
				}
				if tc.leave > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tc.leave)
					defer cancel()
				}
				_, err := Recite{Utterance: r}.Run(ctx, new(c.env()))
				spoken := strings.Count(strings.Join(c.lines, "|"), " speak ")
				if (err != nil) != tc.early || spoken != tc.spoken || len(r.ended) != 1 || r.ended[0] != tc.early {
					t.Errorf("%v, ended %v, spoken %d: %q", err, r.ended, spoken, c.lines)
				}
			})
		})
	}
}
