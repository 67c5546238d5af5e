package engine

import (
	"testing"
	"testing/synctest"
)

func TestNewsKeepsTheLatest(t *testing.T) {
	n, a, b := newNews(), &live{}, &live{}
	for range 1000 {
		n.tell(a, standing{stage: childRinging})
		n.tell(b, standing{stage: childEarly, attempt: 1})
	}
	n.tell(a, standing{stage: childEnded, attempt: 2})
	for _, want := range []struct {
		c *live
		s standing
	}{{b, standing{stage: childEarly, attempt: 1}}, {a, standing{stage: childEnded, attempt: 2}}} {
		<-n.more
		if c, s, ok := n.take(); c != want.c || s != want.s || !ok {
			t.Errorf("took %p %v %v, want %p %v", c, s, ok, want.c, want.s)
		}
	}
	if _, _, ok := n.take(); ok || len(n.more) != 0 || len(n.at) != 0 {
		t.Error("something is left")
	}
}

func TestTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var k tasks
		<-k.idle()
		quit := make(chan struct{})
		k.Go(func() { <-quit })
		k.add()
		one, two := k.idle(), k.idle()
		close(quit)
		synctest.Wait()
		select {
		case <-one:
			t.Error("idle while something is left")
		default:
		}
		k.done()
		<-one
		<-two
		k.Go(func() {}) // also after somebody waited
		synctest.Wait()
		<-k.idle()
	})
}
