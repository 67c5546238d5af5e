package room

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/call/script"
)

// TestQueueConnects: who waits hears music, is connected with who wants it, and
// both learn how it ended.
func TestQueueConnects(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		caller, agent := w.dial("caller", 100), w.dial("agent", 1000)
		q := caller.enqueue(script.Enqueue{})
		w.hear(7, 0)
		pass(2900 * time.Millisecond)
		d := agent.dequeue(script.Dequeue{TimeLimit: 10 * time.Second, Record: &call.RecordOptions{}})
		w.hear(1000, 100)
		pass(10 * time.Second)
		if !q.over() || q.res.Outcome != call.QueueBridged || q.res.Waited != 3*time.Second || q.res.Peer != "agent" || q.res.Name != "support" || q.err != nil {
			t.Errorf("caller: %+v, %v", q.res, q.err)
		}
		if !d.over() || d.res.State != call.Completed || !d.res.Bridged || d.res.Child != "caller" || d.res.Duration != 10*time.Second ||
			d.res.Queue != q.res.Queue || d.res.Recording == nil || d.err != nil {
			t.Errorf("agent: %+v, %v", d.res, d.err)
		}
		w.hear(0, 0)
	})
}

// TestWhoGoes: whichever side goes ends the connection for the other.
func TestWhoGoes(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		caller, agent := w.dial("caller", 100), w.dial("agent", 1000)
		d := agent.dequeue(script.Dequeue{Beep: true}) // who wants comes first here
		q := caller.enqueue(script.Enqueue{})
		pass(20 * time.Millisecond)
		w.hear(0, 0) // the bell is over, or not; nobody is connected before
		pass(time.Second)
		w.hear(1000, 100)
		agent.hangup()
		if !q.over() || q.res.Outcome != call.QueueBridged || q.err != nil {
			t.Errorf("caller: %+v, %v", q.res, q.err)
		}
		if !d.over() || !d.res.Bridged || d.err == nil {
			t.Errorf("agent: %+v, %v", d.res, d.err)
		}
		second := w.dial("second", 2000)
		q = caller.enqueue(script.Enqueue{})
		d = second.dequeue(script.Dequeue{})
		caller.stop() // a request redirects the caller
		if !q.over() || q.res.Outcome != call.QueueTakenAway || !d.over() || d.res.State != call.Completed || d.err != nil {
			t.Errorf("caller: %+v, %v; agent %+v", q.res, q.err, d.res)
		}
	})
}

// TestLeavingTheQueue: by hanging up, by redirection, by the document, by there
// being no room.
func TestLeavingTheQueue(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b, c, d := w.dial("a", 1), w.dial("b", 2), w.dial("c", 3), w.dial("d", 4)
		sa, sb := a.enqueue(script.Enqueue{}), b.enqueue(script.Enqueue{})
		var told script.Waiting
		w.docs["wait"] = func(res *script.Result) ([]script.Verb, error) {
			told = *res.Waiting
			if told.Position == 1 {
				return []script.Verb{script.Leave{}}, nil
			}
			return []script.Verb{script.Pause{Length: time.Second}}, nil
		}
		sc := c.enqueue(script.Enqueue{Wait: call.WaitSound{Hook: call.Hook{URL: "wait"}}})
		if told.Position != 3 || told.Queue.Size != 3 || told.Queue.Max != call.DefaultQueueSize || told.Queue.ID == "" {
			t.Errorf("told %+v", told)
		}
		if sd := d.enqueue(script.Enqueue{Max: 3}); !sd.over() || sd.res.Outcome != call.QueueFull || sd.res.Queue != "" || sd.err != nil {
			t.Errorf("no room: %+v, %v", sd.res, sd.err)
		}
		pass(500 * time.Millisecond)
		a.hangup()
		b.stop()
		if !sa.over() || sa.res.Outcome != call.QueueHangup || sa.err == nil || !sb.over() || sb.res.Outcome != call.QueueRedirected {
			t.Errorf("a %+v, b %+v", sa.res, sb.res)
		}
		pass(600 * time.Millisecond)
		if !sc.over() || sc.res.Outcome != call.QueueLeave || sc.err != nil || told.Waited != time.Second || told.Queue.Wait != time.Second {
			t.Errorf("c %+v, %v; told %+v", sc.res, sc.err, told)
		}
		w.docs["bye"] = func(*script.Result) ([]script.Verb, error) { return []script.Verb{script.Hangup{}}, nil }
		if sd := d.enqueue(script.Enqueue{Wait: call.WaitSound{Hook: call.Hook{URL: "bye"}}}); !sd.over() || sd.res.Outcome != call.QueueHangup || sd.err == nil {
			t.Errorf("d %+v, %v", sd.res, sd.err)
		}
		if s := a.enqueue(script.Enqueue{Name: strings.Repeat("x", 65)}); !errors.Is(s.err, call.ErrRoomName) {
			t.Errorf("a long name: %v", s.err)
		}
	})
}

// TestOrder: by priority, then by time; a certain call can be asked for.
func TestOrder(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		for i, x := range []struct {
			id       string
			priority int
		}{{"a", 5}, {"b", 5}, {"c", 1}, {"d", 5}} {
			if i > 0 {
				pass(time.Second)
			}
			w.dial(x.id, 1).enqueue(script.Enqueue{Priority: x.priority, Wait: quiet})
		}
		id := w.h.Queues(account)[0].ID
		list, err := w.h.QueueMembers(account, id)
		var order string
		for i, m := range list {
			order += m.Call
			if m.Position != i+1 || m.Queue != id {
				t.Errorf("%+v", m)
			}
		}
		if order != "cabd" || err != nil || list[1].Wait != 3*time.Second {
			t.Errorf("order %s, %+v, %v", order, list, err)
		}
		agent := w.dial("agent", 9)
		for _, want := range []string{"d", "c", "a", "b"} {
			x := script.Dequeue{TimeLimit: time.Second}
			if want == "d" {
				x.Call = "d"
			}
			s := agent.dequeue(x)
			pass(time.Second)
			if !s.over() || s.res.Child != want {
				t.Errorf("got %q, want %q", s.res.Child, want)
			}
		}
		s := agent.dequeue(script.Dequeue{Timeout: 3 * time.Second, Call: "nobody"})
		pass(2 * time.Second)
		if s.over() {
			t.Error("it did not wait")
		}
		pass(time.Second)
		if !s.over() || !s.res.Timeout || s.res.State != call.NoAnswer || s.err != nil || s.res.Bridged {
			t.Errorf("%+v, %v", s.res, s.err)
		}
	})
}

// TestNotice: a document prepares the waiting call; while it runs either side may
// go: the call goes back to its place, the other gets the next one.
func TestNotice(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b, agent, second := w.dial("a", 1), w.dial("b", 2), w.dial("agent", 1000), w.dial("second", 2000)
		sa := a.enqueue(script.Enqueue{Wait: quiet})
		sb := b.enqueue(script.Enqueue{Wait: quiet})
		var told []script.Waiting
		w.docs["notice"] = func(res *script.Result) ([]script.Verb, error) {
			told = append(told, *res.Waiting)
			return []script.Verb{script.Play{URL: "level:77", Loop: 1}}, nil
		}
		notice := script.Dequeue{Notice: call.Hook{URL: "notice"}}
		d := agent.dequeue(notice)
		w.hear(77, 0, 0, 0)
		if len(told) != 1 || told[0].Peer != "agent" || told[0].Queue.Name != "support" {
			t.Errorf("told %+v", told)
		}
		agent.hangup() // before the two are connected
		pass(2 * time.Second)
		if sa.over() || !d.over() || d.err == nil || d.res.Bridged {
			t.Errorf("agent: %+v, %v", d.res, d.err)
		}
		second.dequeue(notice)
		w.hear(77, 0, 0, 0) // it was put back to the front
		a.hangup()
		pass(100 * time.Millisecond)
		if !sa.over() || sa.res.Outcome != call.QueueHangup {
			t.Errorf("a: %+v, %v", sa.res, sa.err)
		}
		w.hear(77, 77, 0, 0) // a's is the last that it heard
		pass(time.Second)
		w.hear(77, 2000, 0, 2)
		second.hangup()
		if !sb.over() || sb.res.Outcome != call.QueueBridged {
			t.Errorf("b: %+v, %v", sb.res, sb.err)
		}
		// A notice that cannot be had does not keep them apart.
		third := w.dial("third", 3000)
		b.enqueue(script.Enqueue{Wait: quiet})
		third.dequeue(script.Dequeue{Notice: call.Hook{URL: "nowhere"}})
		w.hear(77, 3000, 0, 2, 2)
		if !strings.Contains(b.warned(), "before the connection failed") {
			t.Errorf("warned %s", b.warned())
		}
	})
}

// TestQueueResources: queues are made, changed, deleted and kept; what cannot be
// kept is not done.
func TestQueueResources(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		q, err := w.h.CreateQueue(call.Queue{API: "toy", Account: account, Name: "support"})
		if err != nil || q.Max != call.DefaultQueueSize || q.ID == "" {
			t.Fatalf("%+v, %v", q, err)
		}
		if _, err := w.h.CreateQueue(call.Queue{Account: account, Name: "support"}); !errors.Is(err, call.ErrQueueTaken) {
			t.Errorf("twice: %v", err)
		}
		if _, err := w.h.CreateQueue(call.Queue{Account: account}); !errors.Is(err, call.ErrRoomName) {
			t.Errorf("no name: %v", err)
		}
		pass(time.Second)
		other, err := w.h.CreateQueue(call.Queue{Account: account, Name: "sales", Max: 2})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := w.h.UpdateQueue(account, q.ID, "help", 5); err != nil || got.Name != "help" || got.Max != 5 || got.ID != q.ID || !got.Updated.After(got.Created) {
			t.Errorf("%+v, %v", got, err)
		}
		if _, err := w.h.UpdateQueue(account, q.ID, "sales", 0); !errors.Is(err, call.ErrQueueTaken) {
			t.Errorf("a name that is taken: %v", err)
		}
		if _, err := w.h.UpdateQueue(account, "nothing", "x", 0); !errors.Is(err, call.ErrNotFound) {
			t.Errorf("nothing: %v", err)
		}
		if _, err := w.h.Queue("AC2", q.ID); !errors.Is(err, call.ErrNotFound) {
			t.Errorf("another account: %v", err)
		}
		a := w.dial("a", 1)
		s := a.enqueue(script.Enqueue{Name: "help", Wait: quiet})
		if err := w.h.DeleteQueue(account, q.ID); !errors.Is(err, call.ErrQueueInUse) {
			t.Errorf("deleting a queue with calls: %v", err)
		}
		if got, _ := w.h.Queue(account, q.ID); got.Size != 1 {
			t.Errorf("%+v", got)
		}
		a.hangup()
		<-s.done
		w.saving = errors.New("the disk is full")
		for what, err := range map[string]error{
			"delete": w.h.DeleteQueue(account, q.ID),
			"update": func() error { _, err := w.h.UpdateQueue(account, q.ID, "other", 0); return err }(),
			"create": func() error { _, err := w.h.CreateQueue(call.Queue{Account: account, Name: "new"}); return err }(),
		} {
			if !errors.Is(err, w.saving) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if list := w.h.Queues(account); len(list) != 2 || list[0].Name != "help" || list[1].ID != other.ID {
			t.Errorf("%+v", list)
		}
		w.saving = nil
		if err := w.h.DeleteQueue(account, other.ID); err != nil {
			t.Error(err)
		}
		kept := w.saved[len(w.saved)-1]
		if len(kept) != 1 || kept[0].Name != "help" {
			t.Fatalf("kept %+v", kept)
		}
		w.open(kept)
		if list := w.h.Queues(account); len(list) != 1 || list[0].ID != q.ID {
			t.Errorf("after a restart %+v", list)
		}
	})
}

// TestQueueNews: who comes into a queue and leaves it is told, and for whom.
func TestQueueNews(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var got []string
		w.news = func(ev call.Event) {
			got = append(got, fmt.Sprintf("%s %s %d %t %s", ev.Type, ev.Record.ID, ev.Queue.Queue.Size, ev.Queue.Taken, ev.Queue.By))
		}
		a, b, agent := w.dial("a", 1), w.dial("b", 2), w.dial("agent", 3)
		sa := a.enqueue(script.Enqueue{Wait: quiet})
		synctest.Wait()
		sb := b.enqueue(script.Enqueue{Wait: quiet})
		pass(time.Second)
		b.hangup()
		<-sb.done
		agent.dequeue(script.Dequeue{})
		pass(time.Second)
		agent.hangup()
		<-sa.done
		want := "queue-join a 1 false |queue-join b 2 false |queue-leave b 1 false |queue-leave a 0 true agent"
		if told := strings.Join(got, "|"); told != want {
			t.Errorf("told %s, want %s", told, want)
		}
	})
}

// TestManyAtOnce: callers and agents come and go in any order; nobody is lost and
// nobody is served twice.
func TestManyAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		const n = 20
		served := map[string]int{}
		var queued []*stay[script.QueueResult]
		var agents []*stay[script.DequeueResult]
		for i := range n {
			c, a := w.dial("c"+string(rune('a'+i)), 1), w.dial("x"+string(rune('a'+i)), 2)
			if i%2 == 0 {
				queued = append(queued, c.enqueue(script.Enqueue{Wait: quiet}))
				agents = append(agents, a.dequeue(script.Dequeue{TimeLimit: time.Duration(1+i%3) * time.Second}))
			} else {
				agents = append(agents, a.dequeue(script.Dequeue{TimeLimit: time.Second}))
				queued = append(queued, c.enqueue(script.Enqueue{Wait: quiet}))
			}
		}
		pass(5 * time.Second)
		for _, s := range agents {
			if !s.over() || !s.res.Bridged {
				t.Fatalf("%+v", s.res)
			}
			served[s.res.Child]++
		}
		for _, s := range queued {
			if !s.over() || s.res.Outcome != call.QueueBridged {
				t.Errorf("%+v", s.res)
			}
		}
		if len(served) != n {
			t.Errorf("served %v", served)
		}
	})
}

// TestNewNeeds names what a house cannot do without.
func TestNewNeeds(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("a house of nothing")
	}
	if ended(context.Canceled) || !ended(call.ErrEnded) {
		t.Error("what is an end?")
	}
}
