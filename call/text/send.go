package text

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"callbox/call"
)

// SendMessage takes a message on its way: it is on disk when it returns. Without
// an ID it gets one. The error is or wraps call.ErrNoMessenger, [ErrQueue],
// [ErrLong], or is that of the guards or the disk.
func (h *House) SendMessage(_ context.Context, m call.Message) (call.Message, error) {
	line, err := h.lineFor(m.From)
	if err != nil {
		return m, err
	}
	m.Line = line.ID()
	if m.Segments = h.cfg.Count(m.Body); m.Segments == 0 {
		return m, ErrLong
	}
	now := time.Now()
	if err := h.cfg.Admit(m.Account, m.Line, m.Segments, now); err != nil {
		return m, err
	}
	if m.ID == "" {
		m.ID = h.cfg.NewID(m.API)
	}
	m.From = cmp.Or(m.From, line.Number())
	m.Status, m.Created, m.Updated = call.MessageQueued, now, now
	k := &kept{Message: m}

	h.saving.Lock()
	defer h.saving.Unlock()
	h.mu.Lock()
	full := len(h.queueOf(m.Line).waiting) >= maxQueue
	var gone []Entry
	if !full {
		gone = h.add(k)
	}
	h.mu.Unlock()
	if full {
		return m, ErrQueue
	}
	e, err := entry(messageKey(m.ID), k)
	if err == nil {
		err = h.save(append(gone, e), nil)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		h.list = slices.DeleteFunc(h.list, func(x *kept) bool { return x == k })
		return m, fmt.Errorf("keep the text message: %w", err)
	}
	h.enqueue(k)
	return m, nil
}

// Reply answers the message with this id: what r leaves open follows from that.
func (h *House) Reply(ctx context.Context, id string, r call.Message) error {
	h.mu.Lock()
	i := slices.IndexFunc(h.list, func(m *kept) bool { return m.ID == id })
	var m call.Message
	if i >= 0 {
		m = h.list[i].Message
	}
	h.mu.Unlock()
	if i < 0 {
		return fmt.Errorf("text message %s: %w", id, call.ErrNotFound)
	}
	r.Account, r.API, r.Direction = m.Account, m.API, call.OutboundReply
	r.To, r.From = cmp.Or(r.To, m.From), cmp.Or(r.From, m.To)
	_, err := h.SendMessage(ctx, r)
	return err
}

// lineFor is the line that a number sends by.
func (h *House) lineFor(from string) (Line, error) {
	lines := h.cfg.Lines()
	var unknown []Line
	for _, l := range lines {
		switch own := l.Number(); {
		case from == "" && len(lines) == 1, l.ID() == from, own != "" && h.cfg.Same(own, from), h.cfg.Owned(l.ID(), from):
			return l, nil
		case own == "":
			unknown = append(unknown, l)
		}
	}
	if len(unknown) == 1 && len(lines) == 1 { // its SIM does not know its number, and nobody has told
		return unknown[0], nil
	}
	return nil, call.ErrNoMessenger
}

// queueOf is a line's queue; h.mu is held.
func (h *House) queueOf(line string) *queue {
	q := h.queues[line]
	if q == nil {
		q = &queue{}
		h.queues[line] = q
	}
	return q
}

// enqueue has a line send m; h.mu is held.
func (h *House) enqueue(m *kept) {
	q := h.queueOf(m.Line)
	q.waiting = append(q.waiting, m)
	if q.busy || h.run == nil || h.run.Err() != nil {
		return // who sends looks again; Run starts what waits
	}
	q.busy = true
	h.wg.Go(func() { h.work(q) })
}

// work sends what waits for a line, until nothing does.
func (h *House) work(q *queue) {
	for {
		h.mu.Lock()
		if len(q.waiting) == 0 || h.run.Err() != nil {
			q.busy = false
			h.mu.Unlock()
			return
		}
		m := q.waiting[0]
		q.waiting = q.waiting[1:]
		ctx := h.run
		h.mu.Unlock()
		h.deliver(ctx, m)
	}
}

// deliver sends one message.
func (h *House) deliver(ctx context.Context, m *kept) {
	until, cancel := context.WithTimeout(ctx, sendFor)
	defer cancel()
	wait := 5 * time.Second
	for {
		line := h.line(m.Line)
		var sent call.TextSent
		var err error = &call.TextError{Text: "line " + m.Line + " is not there any more"}
		began := time.Now()
		if line != nil {
			h.change(m, func(m *kept) { m.Status = call.MessageSending })
			sent, err = line.SendText(until, m.To, m.Body)
		}
		if err == nil {
			defer h.catchUp(m, began)
			h.change(m, func(m *kept) {
				now := time.Now()
				m.Status, m.Sent, m.Refs, m.Error = call.MessageSent, &now, sent.Refs, ""
				m.Segments = cmp.Or(sent.Segments, m.Segments)
			})
			return
		}
		var te *call.TextError
		again := errors.As(err, &te) && te.Transient && te.Sent == 0
		if ctx.Err() != nil && again { // the gateway stops; it goes out when it is back
			h.change(m, func(m *kept) { m.Status = call.MessageQueued })
			return
		}
		if !again || until.Err() != nil {
			h.fail(m, err)
			return
		}
		h.change(m, func(m *kept) { m.Status, m.Error = call.MessageQueued, err.Error() })
		t := time.NewTimer(wait)
		wait = min(2*wait, 5*time.Minute)
		select {
		case <-t.C:
		case <-until.Done():
			t.Stop()
			if ctx.Err() == nil {
				h.fail(m, err)
			}
			return
		}
	}
}

// catchUp takes the reports on a message that came while it was being sent.
func (h *House) catchUp(m *kept, began time.Time) {
	var mine []call.TextReport
	h.mu.Lock()
	h.early = slices.DeleteFunc(h.early, func(e early) bool {
		fits := e.line == m.Line && !e.came.Before(began) && slices.Contains(m.Refs, e.report.Ref) && h.cfg.Same(m.To, e.report.To)
		if fits {
			mine = append(mine, e.report)
		}
		return fits
	})
	h.mu.Unlock()
	for _, r := range mine {
		_ = h.Reported(m.Line, r) // keeps what it cannot place
	}
}

func (h *House) fail(m *kept, err error) {
	text := err.Error()
	var te *call.TextError
	if errors.As(err, &te) && te.Sent > 0 {
		text += fmt.Sprintf("; the network had taken %d of its %d parts", te.Sent, m.Segments)
	}
	h.change(m, func(m *kept) { m.Status, m.Error = call.MessageFailed, text })
	h.cfg.Alert(m.Account, "a text message to "+m.To+" was not sent: "+text)
}

// line finds a line by its id.
func (h *House) line(id string) Line {
	for _, l := range h.cfg.Lines() {
		if l.ID() == id {
			return l
		}
	}
	return nil
}

// Reported takes the network's word on a message that was sent.
func (h *House) Reported(line string, r call.TextReport) error {
	h.mu.Lock()
	var found *kept
	for _, m := range slices.Backward(h.list) {
		if m.Line == line && m.Status == call.MessageSent && slices.Contains(m.Refs, r.Ref) && h.cfg.Same(m.To, r.To) {
			found = m
			break
		}
	}
	h.mu.Unlock()
	if !r.Done && !r.Final {
		return nil // no news
	}
	if found == nil { // somebody else's, or its other parts are still on their way
		h.mu.Lock()
		defer h.mu.Unlock()
		if len(h.early) >= maxEarly {
			h.early = h.early[1:]
		}
		h.early = append(h.early, early{line, r, time.Now()})
		return nil
	}
	h.change(found, func(m *kept) {
		if i := slices.Index(m.Refs, r.Ref); i >= 0 {
			m.Refs = slices.Delete(m.Refs, i, i+1)
		}
		switch {
		case !r.Done:
			m.Status, m.Error = call.MessageUndelivered, r.Text
		case len(m.Refs) == 0:
			m.Status = call.MessageDelivered
		}
	})
	return nil
}
