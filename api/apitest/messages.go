package apitest

import (
	"context"
	"slices"

	"callbox/api"
	"callbox/call"
)

// messages keeps text messages as a box would that has a line for them.
type messages struct{ b *Box }

var (
	_ api.Messages = messages{}
	_ api.Callers  = (*Box)(nil)
)

// TakeMessages gives the box a line for text messages; call it before the box
// is served.
func (b *Box) TakeMessages() { b.messaging = true }

// SentMessages are those that were taken, oldest first.
func (b *Box) SentMessages() []call.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := slices.Clone(b.messages)
	slices.Reverse(list)
	return list
}

// EditMessage changes a message, as the network's news would.
func (b *Box) EditMessage(id string, f func(*call.Message)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.messages {
		if b.messages[i].ID == id {
			f(&b.messages[i])
		}
	}
}

func (m messages) SendMessage(_ context.Context, x call.Message) (call.Message, error) {
	m.b.mu.Lock()
	defer m.b.mu.Unlock()
	if err := m.b.takeFail(); err != nil {
		return call.Message{}, err
	}
	x.Status, x.Segments, x.Created, x.Updated = call.MessageQueued, 1, m.b.now, m.b.now
	m.b.messages = slices.Insert(m.b.messages, 0, x)
	return x, nil
}

func (m messages) Message(_ context.Context, account, id string) (call.Message, error) {
	m.b.mu.Lock()
	defer m.b.mu.Unlock()
	for _, x := range m.b.messages {
		if x.ID == id && x.Account == account {
			return x, nil
		}
	}
	return call.Message{}, call.ErrNotFound
}

func (m messages) Messages(_ context.Context, f call.MessageFilter) (call.MessagePage, error) {
	m.b.mu.Lock()
	defer m.b.mu.Unlock()
	var list []call.Message
	for _, x := range m.b.messages {
		if x.Account == f.Account && (f.To == "" || x.To == f.To) && (f.From == "" || x.From == f.From) && within(x.Sent, f.SentAfter, f.SentUntil) {
			list = append(list, x)
		}
	}
	items, next, previous, err := page(list, f.Cursor, f.Limit)
	return call.MessagePage{Messages: items, Next: next, Previous: previous}, err
}

func (m messages) DeleteMessage(ctx context.Context, account, id string) error {
	if _, err := m.Message(ctx, account, id); err != nil {
		return err
	}
	m.b.mu.Lock()
	defer m.b.mu.Unlock()
	m.b.messages = slices.DeleteFunc(m.b.messages, func(x call.Message) bool { return x.ID == id })
	return nil
}

// Own makes calls show only these numbers; call it before the box is used.
func (b *Box) Own(numbers ...string) { b.own = numbers }

// MayShow reports whether Own allows the number.
func (b *Box) MayShow(_, number, _, _ string) bool {
	return b.own == nil || slices.Contains(b.own, number)
}
