package engine

import (
	"context"
	"strings"
	"sync"
	"time"

	"callbox/call"
	"callbox/call/script"
)

const (
	// keyGap is the pause between two keys that makes them belong to different
	// sequences (call-api.md §6.1).
	keyGap = 3 * time.Second
	// maxNotices bounds the notices of one connection that wait for their hook;
	// those of more are dropped and counted.
	maxNotices = 16
	// noticeTime bounds the telling of one.
	noticeTime = 10 * time.Second
)

// watch looks for sequences of keys on one side of a connection. It belongs to
// the call's goroutine of that side.
type watch struct {
	sequences []string
	typed     string
	last      time.Time
}

// press takes a key and gives the sequence that it completes, empty when none.
func (w *watch) press(d byte, now time.Time) string {
	if now.Sub(w.last) > keyGap {
		w.typed = ""
	}
	longest := 0
	for _, s := range w.sequences {
		longest = max(longest, len(s))
	}
	w.last = now
	w.typed += string(d)
	w.typed = w.typed[max(0, len(w.typed)-longest):]
	for _, s := range w.sequences {
		if s != "" && strings.HasSuffix(w.typed, s) {
			w.typed = ""
			return s
		}
	}
	return ""
}

// notices tell a hook of what happens to a connection, in order, on a goroutine
// that runs only while there are any.
type notices struct {
	ctx  context.Context // ends with the connection
	c    *live           // whose application is told
	hook call.Hook

	mu      sync.Mutex // guards what follows
	waiting []*script.Result
	telling bool
}

// tell puts a notice behind the others.
func (n *notices) tell(r *script.Result) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.waiting) == maxNotices {
		n.c.e.lostNotices.Add(1)
		return
	}
	n.waiting = append(n.waiting, r)
	if !n.telling {
		n.telling = true
		n.c.e.tasks.Go(n.send)
	}
}

// send tells what there is.
func (n *notices) send() {
	for {
		n.mu.Lock()
		if len(n.waiting) == 0 || n.ctx.Err() != nil {
			n.waiting, n.telling = nil, false
			n.mu.Unlock()
			return
		}
		r := n.waiting[0]
		n.waiting = n.waiting[1:]
		n.mu.Unlock()
		// What is told on the connection's last moment is still told.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(n.ctx), noticeTime)
		_, err := n.c.e.cfg.Fetcher.Fetch(ctx, n.hook, n.c.snapshot(), r)
		cancel()
		if err != nil {
			control{c: n.c}.Tell(call.EventWarning, "a "+r.Verb+" hook could not be told: "+err.Error())
		}
	}
}
