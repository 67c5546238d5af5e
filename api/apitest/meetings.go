package apitest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"callbox/api"
	"callbox/call"
)

// Meetings are conferences and queues as a test lays them out. Acts are kept, and
// change what is shown as far as a test can see.
type Meetings struct {
	box    *Box
	queues *settings[call.Queue]

	mu          sync.Mutex // guards what follows
	Live        []call.Conference
	Parties     []call.Participant
	Waiting     []call.QueueMember
	Changes     []call.ParticipantChange
	Announced   []call.Hook
	Invitations []call.Participant
	Statuses    []call.StatusHook // given with the invitations
	Gone        []string          // calls of which it was told that they will not come
}

var (
	_ api.Conferences  = (*Meetings)(nil)
	_ api.Participants = (*Meetings)(nil)
	_ api.QueueMembers = (*Meetings)(nil)
)

// Conference gives one.
func (m *Meetings) Conference(account, id string) (call.Conference, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.Live {
		if c.ID == id && c.Account == account {
			return c, nil
		}
	}
	return call.Conference{}, call.ErrNotFound
}

// Conferences lists them as they were laid out; a page is cut by numbers.
func (m *Meetings) Conferences(f call.ConferenceFilter) (call.ConferencePage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := slices.DeleteFunc(slices.Clone(m.Live), func(c call.Conference) bool {
		return c.Account != f.Account || f.Name != "" && c.Name != f.Name || f.State != "" && c.State != f.State ||
			!f.CreatedAfter.IsZero() && c.Created.Before(f.CreatedAfter)
	})
	at := 0
	if f.Cursor != "" {
		if _, err := fmt.Sscan(f.Cursor, &at); err != nil || at > len(all) {
			return call.ConferencePage{}, call.ErrCursor
		}
	}
	p := call.ConferencePage{Conferences: all[at:min(at+f.Limit, len(all))]}
	if at+f.Limit < len(all) {
		p.Next = fmt.Sprint(at + f.Limit)
	}
	if at > 0 {
		p.Previous = fmt.Sprint(max(at-f.Limit, 0))
	}
	return p, nil
}

// EndConference ends one.
func (m *Meetings) EndConference(_ context.Context, account, id string) (call.Conference, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.Live {
		if c := &m.Live[i]; c.ID == id && c.Account == account {
			c.State, c.Reason = call.ConferenceEnded, call.EndedByRequest
			return *c, nil
		}
	}
	return call.Conference{}, call.ErrNotFound
}

// Announce keeps what is to be played.
func (m *Meetings) Announce(_ context.Context, account, id string, h call.Hook) (call.Conference, error) {
	c, err := m.Conference(account, id)
	if err == nil {
		err = m.box.takeFailure()
	}
	if err == nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.Announced = append(m.Announced, h)
	}
	return c, err
}

// Participants lists the parties of a conference that has not ended.
func (m *Meetings) Participants(account, conference string) ([]call.Participant, error) {
	c, err := m.Conference(account, conference)
	if err != nil || c.State == call.ConferenceEnded {
		return nil, call.ErrNotFound
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.Parties), func(p call.Participant) bool { return p.Conference != conference }), nil
}

// Participant gives one party.
func (m *Meetings) Participant(account, conference, who string) (call.Participant, error) {
	list, err := m.Participants(account, conference)
	for _, p := range list {
		if p.Call == who || p.Label == who {
			return p, err
		}
	}
	return call.Participant{}, call.ErrNotFound
}

// ChangeParticipant keeps a change, and shows it.
func (m *Meetings) ChangeParticipant(_ context.Context, account, conference, who string, ch call.ParticipantChange) (call.Participant, error) {
	p, err := m.Participant(account, conference, who)
	if err == nil {
		err = m.box.takeFailure()
	}
	if err != nil {
		return p, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Changes = append(m.Changes, ch)
	i := slices.IndexFunc(m.Parties, func(x call.Participant) bool { return x.Call == p.Call })
	if ch.Kick {
		m.Parties = slices.Delete(m.Parties, i, i+1)
		return p, nil
	}
	for to, from := range map[*bool]*bool{&m.Parties[i].Muted: ch.Muted, &m.Parties[i].Held: ch.Held, &m.Parties[i].EndOnExit: ch.EndOnExit} {
		if from != nil {
			*to = *from
		}
	}
	if ch.Coach != nil {
		m.Parties[i].Coach = *ch.Coach
	}
	return m.Parties[i], nil
}

// Invite keeps an invitation, and shows the party.
func (m *Meetings) Invite(_ context.Context, account, conference string, p call.Participant, status call.StatusHook) (call.Conference, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Invitations, m.Statuses = append(m.Invitations, p), append(m.Statuses, status)
	i := slices.IndexFunc(m.Live, func(c call.Conference) bool { return c.Name == conference && c.State != call.ConferenceEnded })
	if i < 0 {
		i = len(m.Live)
		m.Live = append(m.Live, call.Conference{ID: "CF" + fmt.Sprintf("%032d", i), Account: account, API: p.API, Name: conference, State: call.ConferenceInit})
	}
	p.Conference, p.Account = m.Live[i].ID, account
	m.Parties = append(m.Parties, p)
	return m.Live[i], nil
}

// CallEnded keeps which call will not come.
func (m *Meetings) CallEnded(rec call.Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Gone = append(m.Gone, rec.ID)
	m.Parties = slices.DeleteFunc(m.Parties, func(p call.Participant) bool { return p.Call == rec.ID })
}

// QueueMembers lists the calls in a queue that was made.
func (m *Meetings) QueueMembers(account, queue string) ([]call.QueueMember, error) {
	if !slices.ContainsFunc(m.queues.List(account), func(q call.Queue) bool { return q.ID == queue }) {
		return nil, call.ErrNotFound
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.Waiting), func(w call.QueueMember) bool { return w.Queue != queue }), nil
}

// Queues are the queues.
func (m *Meetings) Queues() api.Settings[call.Queue] { return queueSettings{m.queues} }

// queueSettings give queues their ids.
type queueSettings struct{ *settings[call.Queue] }

// Create makes a queue, whose name must be new.
func (s queueSettings) Create(ctx context.Context, account string, q call.Queue) (call.Queue, error) {
	list := s.List(account)
	if slices.ContainsFunc(list, func(x call.Queue) bool { return x.Name == q.Name }) {
		return q, call.ErrQueueTaken
	}
	q.ID = "QU" + fmt.Sprintf("%032d", len(list))
	if q.Max == 0 {
		q.Max = call.DefaultQueueSize
	}
	return s.settings.Create(ctx, account, q)
}
