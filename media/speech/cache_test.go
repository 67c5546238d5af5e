package speech

import (
	"fmt"
	"testing"
)

func TestCacheDropsTheLeastRecentlyUsed(t *testing.T) {
	t.Parallel()
	sound := make([]int16, 1000)
	k := func(i int) key { return key{voice: "en-us+f3", text: fmt.Sprintf("text %d", i)} }
	one := (&entry{k(0), sound}).bytes()
	c := newCache(3 * one)
	for i := range 3 {
		c.put(k(i), sound)
	}
	if _, ok := c.get(k(0)); !ok {
		t.Fatal("the first is gone before the cache is full")
	}
	c.put(k(3), sound)
	for i, want := range []bool{true, false, true, true} {
		if _, ok := c.peek(k(i)); ok != want {
			t.Errorf("text %d is there: %v", i, ok)
		}
	}
	c.put(k(3), sound) // again
	if s := c.stats(); s.Entries != 3 || s.Bytes != 3*one || s.Evicted != 1 || s.Hits != 1 || s.Misses != 0 {
		t.Errorf("stats %+v", s)
	}
	c.put(k(4), make([]int16, 2000))
	if s := c.stats(); s.Refused != 1 || s.Entries != 3 {
		t.Errorf("stats %+v", s)
	}
	if _, ok := c.get(k(9)); ok || c.stats().Misses != 1 {
		t.Errorf("stats %+v", c.stats())
	}
}

func TestNoCache(t *testing.T) {
	t.Parallel()
	c := newCache(-1)
	c.put(key{text: "a"}, nil)
	if _, ok := c.get(key{text: "a"}); ok || c.stats().Bytes != 0 {
		t.Errorf("stats %+v", c.stats())
	}
}
