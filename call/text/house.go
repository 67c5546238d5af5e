package text

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"callbox/call"
)

// House is the office. Make it with [New], and Run it. Methods may be called from
// any goroutine.
type House struct {
	cfg Config
	wg  sync.WaitGroup // the lines' goroutines

	saving sync.Mutex // orders changes on their way to the disk

	mu     sync.Mutex // guards all below
	run    context.Context
	list   []*kept          // oldest first
	parts  map[string]*part // by key
	queues map[string]*queue
	early  []early
}

// early is a report that came before the network had taken all of its message.
type early struct {
	line   string
	report call.TextReport
	came   time.Time
}

// kept is a message with what the office needs besides.
type kept struct {
	call.Message
	Refs    []int  `json:"refs,omitempty"`    // of its parts, until they are reported
	Network string `json:"network,omitempty"` // what tells an arrived one from its repetition
}

// part is one that waits for the others.
type part struct {
	Line string        `json:"line"`
	Part call.TextPart `json:"part"`
	Came time.Time     `json:"came"`
}

// queue is what waits for a line.
type queue struct {
	waiting []*kept
	busy    bool // a goroutine sends
}

// New opens the office with what its store has kept. What was on its way to the
// network when the power went is failed, because it may have arrived.
func New(c Config) (*House, error) {
	if c.Alert == nil {
		c.Alert = func(string, string) {}
	}
	if c.Admit == nil {
		c.Admit = func(string, string, int, time.Time) error { return nil }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	h := &House{cfg: c, parts: map[string]*part{}, queues: map[string]*queue{}}
	entries, err := c.Store.LoadTexts()
	if err != nil {
		return nil, fmt.Errorf("read the text messages: %w", err)
	}
	for _, e := range entries {
		switch {
		case strings.HasPrefix(e.Key, messageKey("")):
			m := new(kept)
			if err := json.Unmarshal(e.Value, m); err != nil {
				c.Log.Error("a text message on disk cannot be read", "err", err)
				continue
			}
			h.list = append(h.list, m)
		case strings.HasPrefix(e.Key, partPrefix):
			p := new(part)
			if err := json.Unmarshal(e.Value, p); err != nil {
				c.Log.Error("a part of a text message on disk cannot be read", "err", err)
				continue
			}
			h.parts[e.Key] = p
		}
	}
	slices.SortStableFunc(h.list, func(a, b *kept) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	return h, nil
}

// Each calls f with every message that is kept, oldest first.
func (h *House) Each(f func(call.Message)) {
	h.mu.Lock()
	list := slices.Clone(h.list)
	h.mu.Unlock()
	for _, m := range list {
		h.mu.Lock()
		x := m.Message
		h.mu.Unlock()
		f(x)
	}
}

// Run sends what was left over, and looks for parts that are too old, until ctx
// ends and no line sends any more.
func (h *House) Run(ctx context.Context) error {
	h.mu.Lock()
	h.run = ctx
	left := slices.Clone(h.list)
	h.mu.Unlock()
	for _, m := range left {
		switch m.Status {
		case call.MessageQueued:
			h.mu.Lock()
			h.enqueue(m)
			h.mu.Unlock()
		case call.MessageSending:
			h.change(m, func(m *kept) {
				m.Status, m.Error = call.MessageFailed, "the power was lost while the message was being sent; it may have arrived"
			})
		}
	}
	tick := time.NewTicker(lookAt)
	defer tick.Stop()
	h.expire(time.Now())
	for {
		select {
		case <-ctx.Done():
			h.wg.Wait()
			return nil
		case now := <-tick.C:
			h.expire(now)
		}
	}
}

// save writes entries and notices, in the order of the changes.
func (h *House) save(entries []Entry, notices []call.Notice) error {
	ctx, cancel := context.WithTimeout(context.Background(), saveFor)
	defer cancel()
	return h.cfg.Store.SaveTexts(ctx, entries, notices)
}

func messageKey(id string) string { return "message/" + id }

const partPrefix = "part/"

func entry(key string, v any) (Entry, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return Entry{}, fmt.Errorf("keep a text message: %w", err)
	}
	return Entry{Key: key, Value: b}, nil
}

// change edits a message and writes it with what it owes; the disk's refusal is
// logged, for the network has done what it has done.
func (h *House) change(m *kept, edit func(*kept)) {
	h.saving.Lock()
	defer h.saving.Unlock()
	h.mu.Lock()
	was := m.Status
	edit(m)
	m.Updated = time.Now()
	now := *m
	gone := !slices.Contains(h.list, m)
	h.mu.Unlock()
	if gone { // it was deleted meanwhile
		return
	}
	var notices []call.Notice
	if now.Status != was && over(now.Status) {
		notices = h.cfg.Teller.TextStatus(now.Message)
	}
	e, err := entry(messageKey(now.ID), now)
	if err == nil {
		err = h.save([]Entry{e}, notices)
	}
	if err != nil {
		h.cfg.Log.Error("what became of a text message could not be kept", "message", now.ID, "status", string(now.Status), "err", err)
	}
	if now.Status != was {
		h.cfg.Log.Info("text message", "message", now.ID, "line", now.Line, "status", string(now.Status), "why", now.Error)
	}
}

// add enters a new message, and gives the entries that go for it; h.mu is held.
func (h *House) add(m *kept) (gone []Entry) {
	at, _ := slices.BinarySearchFunc(h.list, m.Created, func(x *kept, t time.Time) int {
		if x.Created.After(t) {
			return 1
		}
		return -1
	})
	h.list = slices.Insert(h.list, at, m)
	for i := 0; len(h.list) > maxKept && i < len(h.list); {
		if over(h.list[i].Status) && h.list[i] != m {
			gone = append(gone, Entry{Key: messageKey(h.list[i].ID)})
			h.list = slices.Delete(h.list, i, i+1)
			continue
		}
		i++
	}
	return gone
}

// over reports whether nothing more becomes of a message by itself.
func over(s call.MessageStatus) bool {
	return s != call.MessageQueued && s != call.MessageSending
}

// Message gives one of an account; call.ErrNotFound.
func (h *House) Message(_ context.Context, account, id string) (call.Message, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.list {
		if m.ID == id && m.Account == account {
			return m.Message, nil
		}
	}
	return call.Message{}, fmt.Errorf("text message %s: %w", id, call.ErrNotFound)
}

// DeleteMessage forgets one; call.ErrNotFound, or call.ErrNotEnded while it waits
// or is being sent.
func (h *House) DeleteMessage(_ context.Context, account, id string) error {
	h.saving.Lock()
	defer h.saving.Unlock()
	h.mu.Lock()
	i := slices.IndexFunc(h.list, func(m *kept) bool { return m.ID == id && m.Account == account })
	var err error
	switch {
	case i < 0:
		err = fmt.Errorf("text message %s: %w", id, call.ErrNotFound)
	case !over(h.list[i].Status):
		err = fmt.Errorf("text message %s is being sent: %w", id, call.ErrNotEnded)
	}
	h.mu.Unlock()
	if err != nil {
		return err
	}
	if err := h.save([]Entry{{Key: messageKey(id)}}, nil); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = slices.DeleteFunc(h.list, func(m *kept) bool { return m.ID == id && m.Account == account })
	return nil
}

// Messages lists those of an account, newest first.
func (h *House) Messages(_ context.Context, f call.MessageFilter) (call.MessagePage, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []call.Message
	for _, m := range slices.Backward(h.list) {
		if m.Account == f.Account && h.fits(m.Message, f) {
			list = append(list, m.Message)
		}
	}
	limit := f.Limit
	if limit <= 0 {
		limit = 50
	}
	start := 0
	if f.Cursor != "" {
		dir, id, _ := strings.Cut(f.Cursor, " ")
		i := slices.IndexFunc(list, func(m call.Message) bool { return m.ID == id })
		switch {
		case i < 0 || dir != "after" && dir != "before":
			return call.MessagePage{}, call.ErrCursor
		case dir == "after":
			start = i + 1
		default:
			start = max(i-limit, 0)
			limit = i - start
		}
	}
	end := min(start+limit, len(list))
	page := call.MessagePage{Messages: list[start:end]}
	if start > 0 && end > start {
		page.Previous = "before " + list[start].ID
	}
	if end < len(list) && end > start {
		page.Next = "after " + list[end-1].ID
	}
	return page, nil
}

// fits reports whether the filter lets m through.
func (h *House) fits(m call.Message, f call.MessageFilter) bool {
	if f.From != "" && !h.cfg.Same(m.From, f.From) || f.To != "" && !h.cfg.Same(m.To, f.To) {
		return false
	}
	if f.SentAfter.IsZero() && f.SentUntil.IsZero() {
		return true
	}
	return m.Sent != nil && !m.Sent.Before(f.SentAfter) && (f.SentUntil.IsZero() || !m.Sent.After(f.SentUntil))
}
