package hook

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/api"
	"callbox/call"
)

const (
	hostA = "http://a.biloxi.example/status"
	hostB = "http://b.biloxi.example/status"
)

func count(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

func equal(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %q, wanted %q", got, want)
	}
}

func TestDeliverInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &outbox{})
		w.answer = func(context.Context, arrival) error { pass(100 * time.Millisecond); return nil }
		defer w.run()()
		for i := range 10 {
			w.tell(fmt.Sprint("CA", i), hostA, count(5)...)
		}
		pass(time.Minute)
		for i := range 10 {
			got := w.got(fmt.Sprint("CA", i))
			for j, g := range got {
				if !strings.HasSuffix(g, fmt.Sprint(" ", j)) {
					t.Errorf("call %d got %q", i, got)
				}
			}
			if len(got) != 5 {
				t.Errorf("call %d got %q", i, got)
			}
		}
		if w.most["http://a.biloxi.example"] != PerReceiver {
			t.Errorf("%d at once", w.most["http://a.biloxi.example"])
		}
		if s := w.Stats(); s.Delivered != 50 || s.Repeated+s.Refused+s.GivenUp+s.Outbox != 0 || s.Loaded+s.InFlight != 0 || w.box.len() != 0 {
			t.Errorf("%+v, %d left", s, w.box.len())
		}
	})
}

func TestRepeatHoldsUpOnlyItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &outbox{})
		w.answer = func(_ context.Context, a arrival) error {
			if a.key == "CA1" && a.at < 7*time.Second {
				return errServer
			}
			return nil
		}
		defer w.run()()
		w.tell("CA1", hostA, "x", "y")
		w.tell("CA2", hostA, "x", "y")
		pass(time.Minute)
		equal(t, w.got("CA1"), "0 x", "1 x", "3 x", "7 x", "7 y")
		equal(t, w.got("CA2"), "0 x", "0 y")
		tokens := map[string]bool{}
		for _, a := range w.arrivals {
			tokens[a.token] = true
		}
		if len(tokens) != 4 {
			t.Errorf("%d tokens for 4 notices", len(tokens))
		}
	})
}

func TestDeadReceiverIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &outbox{})
		w.answer = func(ctx context.Context, a arrival) error {
			if a.url == hostA && a.at < time.Hour {
				pass(5 * time.Second)
				return errDown
			}
			return nil
		}
		defer w.run()()
		for i := range 200 {
			w.tell(fmt.Sprint("A", i), hostA, count(3)...)
			w.tell(fmt.Sprint("B", i), hostB, count(3)...)
		}
		pass(time.Minute)
		for i := range 200 {
			if got := w.got(fmt.Sprint("B", i)); len(got) != 3 || strings.TrimSuffix(got[2], " 2") > "6" {
				t.Errorf("B%d got %q", i, got)
			}
		}
		down := w.Stats().Down
		if len(down) != 1 || down[0].Receiver != "http://a.biloxi.example" || down[0].Error != "connection refused" || down[0].Since.IsZero() {
			t.Errorf("down %+v", down)
		}
		// At first as many as may fly, then one at a time.
		if n := int(w.Stats().Repeated); n < PerReceiver || n > PerReceiver+5 {
			t.Errorf("%d attempts in a minute", n)
		}
		pass(2 * time.Hour)
		for i := range 200 {
			got := w.got(fmt.Sprint("A", i))
			if n := len(got); n < 3 || !strings.HasSuffix(got[n-1], " 2") || !strings.HasSuffix(got[n-2], " 1") {
				t.Errorf("A%d got %q", i, got)
			}
		}
		if w.box.len() != 0 || len(w.Stats().Down) != 0 || w.loaded > Window {
			t.Errorf("%d left, down %v, %d loaded", w.box.len(), w.Stats().Down, w.loaded)
		}
	})
}

func TestSlowReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &outbox{})
		w.answer = func(_ context.Context, a arrival) error {
			if a.url == hostA {
				pass(14 * time.Second)
			}
			return nil
		}
		defer w.run()()
		for i := range 1000 {
			w.tell(fmt.Sprint("A", i), hostA, "x")
		}
		pass(time.Second)
		w.tell("B", hostB, "x", "y")
		pass(time.Second)
		equal(t, w.got("B"), "1 x", "1 y")
		if s := w.Stats(); s.Loaded > share {
			t.Errorf("%d of a slow receiver in memory", s.Loaded)
		}
		pass(1000 / PerReceiver * 14 * time.Second)
		if w.box.len() != 0 {
			t.Errorf("%d left", w.box.len())
		}
	})
}

func TestVerdicts(t *testing.T) {
	refused := &wireError{false, &RefusedError{Why: "it is a link-local address"}}
	for _, tc := range []struct {
		name string
		url  string
		err  error
		want verdict
	}{
		{"delivered", hostA, nil, vDelivered},
		{"not found", hostA, status(404, 0), vRefused},
		{"not found, to be repeated", hostA + "#rp=4xx", status(404, 0), vRepeat},
		{"not found, all to be repeated", hostA + "#rp=all", status(404, 0), vRepeat},
		{"request timeout", hostA, status(408, 0), vRepeat},
		{"too early", hostA, status(425, 0), vRepeat},
		{"too many requests", hostA, status(429, time.Second), vRepeat},
		{"server error", hostA, status(503, 0), vRepeat},
		{"not modified", hostA, status(304, 0), vRefused},
		{"redirects", hostA, errRedirects, vRefused},
		{"bad address", hostA, errURL, vRefused},
		{"forbidden address", hostA, refused, vRefused},
		{"no connection", hostA, errDown, vUnreachable},
		{"no answer", hostA, &wireError{true, errReadTime}, vUnreachable},
	} {
		if got, _ := judge(api.Outgoing{URL: tc.url}, tc.err); got != tc.want {
			t.Errorf("%s: %d", tc.name, got)
		}
	}
}

func TestRefusedIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &outbox{})
		w.answer = func(_ context.Context, a arrival) error {
			if a.note == "x" {
				return status(404, 0)
			}
			return nil
		}
		defer w.run()()
		w.tell("CA1", hostA, "x", "y")
		pass(time.Hour)
		equal(t, w.got("CA1"), "0 x", "0 y")
		if s := w.Stats(); s.Refused != 1 || s.Delivered != 1 || w.box.len() != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &outbox{})
		w.answer = func(_ context.Context, a arrival) error {
			if a.at < 30*time.Second {
				return status(429, 20*time.Second)
			}
			return nil
		}
		defer w.run()()
		w.tell("CA1", hostA, "x")
		pass(time.Hour)
		equal(t, w.got("CA1"), "0 x", "20 x", "40 x")
	})
}

func TestGiveUp(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
	}{{"server error", errServer}, {"unreachable", errDown}} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, &outbox{})
				w.answer = func(context.Context, arrival) error { return tc.err }
				defer w.run()()
				for i := range 120 {
					w.tell(fmt.Sprint("CA", i), hostA, "x", "y")
				}
				pass(GiveUpAge - time.Second)
				if w.box.len() != 240 || w.Stats().GivenUp != 0 {
					t.Errorf("%d left, %d given up", w.box.len(), w.Stats().GivenUp)
				}
				pass(2 * time.Hour)
				if s := w.Stats(); w.box.len() != 0 || s.GivenUp != 240 || s.Delivered != 0 {
					t.Errorf("%d left, %+v", w.box.len(), s)
				}
				pass(time.Hour)
				if s := w.Stats(); len(s.Down) != 0 {
					t.Errorf("down %v", s.Down)
				}
			})
		})
	}
}

func TestWrongClockGivesNothingUpAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &outbox{})
		w.answer = func(_ context.Context, a arrival) error {
			if a.at < time.Minute {
				return errDown
			}
			return nil
		}
		defer w.run()()
		w.Offer(w.box.add(notices(t, time.Unix(0, 0), "CA1", hostA, "x")...))
		pass(time.Hour)
		if s := w.Stats(); s.Delivered != 1 || s.GivenUp != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := &outbox{}
		all := map[string][]string{}
		for round := 0; round == 0 || box.len() > 0; round++ {
			if round > 500 {
				t.Fatal("it never ends")
			}
			w := newWorld(t, box)
			w.answer = func(ctx context.Context, _ arrival) error {
				select {
				case <-time.After(30 * time.Millisecond):
					return nil
				case <-ctx.Done():
					return &wireError{true, ctx.Err()}
				}
			}
			if round == 0 {
				for i := range 40 {
					w.tell(fmt.Sprint("CA", i), hostA, count(4)...)
				}
			}
			stop := w.run()
			pass(100 * time.Millisecond)
			stop()
			if s := w.Stats(); s.Repeated != 0 || s.Loaded != 0 || s.InFlight != 0 {
				t.Errorf("after the end: %+v", s)
			}
			for _, a := range w.arrivals {
				if got := all[a.key]; len(got) == 0 || got[len(got)-1] != a.note {
					all[a.key] = append(all[a.key], a.note)
				}
			}
		}
		for i := range 40 {
			equal(t, all[fmt.Sprint("CA", i)], count(4)...)
		}
	})
}

func TestOutboxFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &outbox{})
		w.box.set(errors.New("disk"), nil)
		defer w.run()()
		w.tell("CA1", hostA, "x")
		pass(10 * time.Second)
		if s := w.Stats(); s.Outbox < 5 || s.Outbox > 15 || len(w.got("CA1")) != 0 {
			t.Errorf("%+v", s)
		}
		w.box.set(nil, errors.New("disk"))
		pass(time.Hour)
		if got := w.got("CA1"); len(got) != 1 || w.Stats().Delivered != 1 {
			t.Errorf("sent %q", got)
		}
		w.tell("CA1", hostA, "y")
		w.box.set(nil, nil)
		pass(time.Hour)
		if got := w.got("CA1"); len(got) != 2 || w.box.len() != 0 || w.Stats().Delivered != 2 {
			t.Errorf("sent %q, %d left, %+v", got, w.box.len(), w.Stats())
		}
	})
}

func TestForeignNoticeIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &outbox{})
		w.box.add(call.Notice{Key: "CA1", Created: time.Now(), Payload: []byte("{")})
		defer w.run()()
		w.tell("CA1", hostA, "x")
		pass(time.Minute)
		if s := w.Stats(); s.Unreadable != 1 || s.Delivered != 1 || w.box.len() != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestIdleReadsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &outbox{})
		w.answer = func(context.Context, arrival) error { return errDown }
		stop := w.run()
		w.tell("CA1", hostA, "x")
		w.Offer(nil)
		pass(10 * time.Hour)
		stop()
		if n := w.box.reads; n > 10*120*3+100 {
			t.Errorf("%d readings in ten hours", n)
		}
	})
}

// TestAnyWeather delivers through random failures and restarts and checks that
// everything arrives, in order, and that memory stays bounded.
func TestAnyWeather(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			box := &outbox{}
			hosts := []string{hostA, hostB, "http://c.biloxi.example/x", "http://d.biloxi.example/y"}
			var w *world
			weather := func(_ context.Context, a arrival) error {
				w.mu.Lock()
				n, d := rnd.IntN(100), time.Duration(rnd.IntN(3000))*time.Millisecond
				w.mu.Unlock()
				pass(d)
				down := int(a.at/(10*time.Minute))%2 == 0 // each in turn
				switch {
				case down && a.url == hosts[int(a.at/time.Hour)%4], n < 5:
					return errDown
				case n < 15:
					return errServer
				case n < 18:
					return status(429, time.Minute)
				}
				w.mu.Lock()
				defer w.mu.Unlock()
				w.arrivals = append(w.arrivals, arrival{key: "ok " + a.key + a.url, note: a.note})
				return nil
			}
			const calls, each = 60, 6
			ok := map[string][]string{}
			for i := range calls {
				url := hosts[i%4]
				box.add(notices(t, time.Now(), fmt.Sprint("CA", i), url, count(each)...)...)
			}
			for range 3 {
				w = newWorld(t, box)
				w.answer = weather
				stop := w.run()
				pass(3 * time.Hour)
				stop()
				for _, a := range w.arrivals {
					if strings.HasPrefix(a.key, "ok ") {
						ok[a.key] = append(ok[a.key], a.note)
					}
				}
				if w.loaded > Window {
					t.Errorf("%d in memory", w.loaded)
				}
			}
			for i := range calls {
				equal(t, ok[fmt.Sprint("ok CA", i)+hosts[i%4]], count(each)...)
			}
			if box.len() != 0 {
				t.Errorf("seed %d: %d left", seed, box.len())
			}
		})
	}
}

func TestBackOff(t *testing.T) {
	d := &Deliverer{jitter: func(d time.Duration) time.Duration { return d }}
	var w wait
	now := time.Now()
	var total time.Duration
	for _, want := range []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900} {
		d.backOff(&w, now, 0)
		if got := w.next.Sub(now); got != time.Duration(want)*time.Second {
			t.Errorf("wait %s, wanted %d s", got, want)
		}
		total += w.next.Sub(now)
		now = w.next
	}
	if w.since.IsZero() || now.Sub(w.since) != total {
		t.Errorf("since %s", w.since)
	}
	d.backOff(&w, now, time.Hour)
	if w.next.Sub(now) != LongestWait {
		t.Errorf("a receiver's wish is not bounded: %s", w.next.Sub(now))
	}
	for range 1000 {
		if j := jitter(time.Second); j < 800*time.Millisecond || j > 1200*time.Millisecond {
			t.Fatalf("jitter %s", j)
		}
	}
}

func TestBoundsOfState(t *testing.T) {
	d := NewDeliverer(client(t, nil), &outbox{}, nil)
	s := newDispatcher(d, nil, nil)
	now := time.Now()
	for i := range maxWaits + 50 {
		s.evict()
		s.waits[lane{fmt.Sprint(i), "x"}] = &wait{fails: 1, next: now.Add(time.Duration(i))}
		s.receiver(fmt.Sprint("http://", i))
	}
	if len(s.waits) != maxWaits || len(s.receivers) != maxWaits || s.waits[lane{fmt.Sprint(maxWaits + 49), "x"}] == nil {
		t.Errorf("%d lanes, %d receivers", len(s.waits), len(s.receivers))
	}
	s.sweep()
	if len(s.waits)+len(s.receivers) != 0 {
		t.Errorf("%d lanes, %d receivers after the sweep", len(s.waits), len(s.receivers))
	}
}

func TestRender(t *testing.T) {
	c := client(t, nil)
	d := NewDeliverer(c, &outbox{}, nil)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	rec := record()
	rec.Status = call.StatusHook{Hook: call.Hook{URL: hostA}}
	ns := d.Render(call.Event{Type: call.EventEnded, At: at, Record: &rec})
	if len(ns) != 1 || ns[0].Key != "CA1" || !ns[0].Created.Equal(at) {
		t.Fatalf("notices %+v", ns)
	}
	o, err := unpack(ns[0].Payload)
	if err != nil || o.URL != hostA || o.Method != "POST" || o.API != "toy" || o.Account != "AC1" || len(o.Token) != 36 || o.Params[0].Value != "completed" {
		t.Errorf("%+v, %v", o, err)
	}
	if ns := d.Render(call.Event{Type: call.EventRinging, Record: &rec}); len(ns) != 0 {
		t.Errorf("not asked for: %+v", ns)
	}
	if ns := d.Render(call.Event{Type: call.EventEnded, Record: &call.Record{API: "other"}}); len(ns) != 0 {
		t.Errorf("of no dialect: %+v", ns)
	}
	ns = d.Render(call.Event{Record: &call.Record{}, Recording: &call.Recording{ID: "RE1", Call: "CA9", API: "toy", Account: "AC1", Hook: call.StatusHook{Hook: call.Hook{URL: hostB}}}})
	if len(ns) != 1 || ns[0].Key != "CA9" {
		t.Errorf("of a recording: %+v", ns)
	}
	if ns := d.Render(call.Event{Type: call.EventEnded, Record: &rec, Note: strings.Repeat("x", MaxPayload)}); len(ns) != 0 || d.Stats().Oversize != 1 {
		t.Errorf("oversize: %d notices, %+v", len(ns), d.Stats())
	}
}
