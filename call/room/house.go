package room

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/media"
	"callbox/media/session"
)

// The bounds of a house.
const (
	// MaxParties can be in one conference.
	MaxParties = 250
	// MaxConferences can be live at the same time.
	MaxConferences = 250
	// MaxPast finished conferences are remembered, the latest.
	MaxPast = 1000
	// MaxQueues can exist.
	MaxQueues = 1000
	// MaxName is the length of a conference's name in bytes.
	MaxName = 128
	// maxAnnouncements wait to be played to a conference or a party.
	maxAnnouncements = 8
)

// Config is what a House is made of. All fields without a stated default are
// required.
type Config struct {
	Scheduler media.Scheduler
	Fetcher   script.Fetcher
	Prompts   script.Prompts
	// NewID makes a fresh id in the form of a dialect; what is "conference" or "queue".
	NewID func(api, what string) string
	// Tell takes the events of conferences in order. It must not block.
	Tell func(ev call.Event)
	// Record records a conference, as it sounds inside.
	Record func(inside *session.Session, c call.Conference, o call.RecordOptions) (script.Recording, error)
	// Go runs a goroutine that is waited for when the box stops.
	Go func(f func())
	// Music is what waiting parties hear, without end; nil: silence.
	Music func() media.Clip
	// Bell is the sound that tells of a party that enters, or else leaves; nil: none.
	Bell func(enters bool) media.Clip
	// SaveQueues keeps the queues over a restart; nil: they are forgotten. Queues
	// are those that were kept.
	SaveQueues func(list []call.Queue) error
	Queues     []call.Queue
	// SaveConference keeps a conference over a restart, when it is made and when it
	// has ended; it must not block; nil: they are forgotten. Past are those that were
	// kept, oldest first.
	SaveConference func(c call.Conference)
	Past           []call.Conference
	Now            func() time.Time
	Log            *slog.Logger // nil: discard
}

// Party is a call that enters a room. The methods are called on the goroutine of
// its script, except Leave and what Env gives to know about the call (Record).
type Party interface {
	// Env is what may be done to the call.
	Env() script.Env
	// Enter connects the call's sound with a seat; Leave separates them.
	Enter(ctx context.Context, seat media.Port) error
	Leave(seat media.Port)
	// Bridge connects the sound and the keys of the call with those of another;
	// with star, this call's * is not passed on but told by the Bridge.
	Bridge(ctx context.Context, other Party, star bool) (Bridge, error)
}

// Bridge is the connection of two parties.
type Bridge interface {
	Star() <-chan struct{}
	Close()
}

// House has all conferences and queues. Its methods may be called from any
// goroutine.
type House struct {
	cfg Config

	mu     sync.Mutex             // guards what follows
	names  map[string]*conference // by account and name
	ids    map[string]*conference
	calls  map[string]*conference // by the id of a party's call
	past   []call.Conference      // finished, oldest first
	queues map[string]*queue      // by account and name

	lost atomic.Int64 // keys that were to be shared and were not

	save sync.Mutex // held while the queues are being kept; taken before mu
}

// New makes an empty house with the queues that were kept.
func New(cfg Config) (*House, error) {
	if cfg.Scheduler == nil || cfg.Fetcher == nil || cfg.Prompts == nil || cfg.NewID == nil || cfg.Tell == nil ||
		cfg.Record == nil || cfg.Go == nil || cfg.Now == nil {
		return nil, errors.New("room: a required part of the configuration is missing")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	h := &House{cfg: cfg, names: map[string]*conference{}, ids: map[string]*conference{},
		calls: map[string]*conference{}, queues: map[string]*queue{}}
	if cfg.SaveConference == nil {
		cfg.SaveConference = func(call.Conference) {}
		h.cfg.SaveConference = cfg.SaveConference
	}
	for _, c := range cfg.Past[max(0, len(cfg.Past)-MaxPast):] {
		h.past = append(h.past, h.closeLost(c))
	}
	for _, q := range cfg.Queues {
		h.queues[key(q.Account, q.Name)] = &queue{h: h, q: q}
	}
	return h, nil
}

// closeLost ends a conference that was going on when the box stopped. Nobody
// knows when or why it ended; it counts as ended when it was last heard of.
func (h *House) closeLost(c call.Conference) call.Conference {
	if c.State == call.ConferenceEnded {
		return c
	}
	c.State, c.Members = call.ConferenceEnded, 0
	c.Ended = new(c.Updated)
	h.cfg.SaveConference(c)
	return c
}

// Stats are a house's counters.
type Stats struct {
	Conferences int // live
	Parties     int // in them, those who wait for a start included
	Queues      int
	Waiting     int // calls in queues
	LostKeys    int // shared keys that a party could not be sent in time
}

// Stats gives the counters.
func (h *House) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := Stats{Conferences: len(h.ids), Queues: len(h.queues), LostKeys: int(h.lost.Load())}
	for _, c := range h.ids {
		s.Parties += c.view.Load().conference.Members
	}
	for _, q := range h.queues {
		s.Waiting += len(q.waiting)
	}
	return s
}

// key is an account's name for something.
func key(account, name string) string { return account + "\x00" + name }

// open gives the conference of this name, made if there is none.
func (h *House) open(account, api, name string) (*conference, error) {
	if name == "" || len(name) > MaxName {
		return nil, call.ErrRoomName
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	k := key(account, name)
	if c := h.names[k]; c != nil {
		return c, nil
	}
	if len(h.names) >= MaxConferences {
		return nil, call.ErrRoomLimit
	}
	c := newConference(h, account, api, name)
	h.names[k], h.ids[c.id] = c, c
	h.cfg.SaveConference(c.c)
	h.cfg.Go(c.run)
	return c, nil
}

// close forgets a live conference and remembers that it was.
func (h *House) close(c *conference, last call.Conference) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.names, key(c.account, c.name))
	delete(h.ids, c.id)
	if len(h.past) >= MaxPast {
		h.past = slices.Delete(h.past, 0, len(h.past)-MaxPast+1)
	}
	h.past = append(h.past, last)
	h.cfg.SaveConference(last)
}

// enlist and delist keep which call is in which conference.
func (h *House) enlist(id string, c *conference) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls[id] = c
}

func (h *House) delist(id string, c *conference) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.calls[id] == c {
		delete(h.calls, id)
	}
}

// live gives a live conference by its id.
func (h *House) live(account, id string) (*conference, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.ids[id]; c != nil && c.account == account {
		return c, nil
	}
	return nil, call.ErrNotFound
}

// Conference gives one conference, live or remembered.
func (h *House) Conference(account, id string) (call.Conference, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.ids[id]; c != nil && c.account == account {
		return c.view.Load().conference, nil
	}
	for _, p := range h.past {
		if p.ID == id && p.Account == account {
			return p, nil
		}
	}
	return call.Conference{}, call.ErrNotFound
}

// Conferences lists conferences, live and remembered, newest first. The error is
// call.ErrCursor.
func (h *House) Conferences(f call.ConferenceFilter) (call.ConferencePage, error) {
	h.mu.Lock()
	var all []call.Conference
	for _, c := range h.ids {
		all = append(all, c.view.Load().conference)
	}
	all = append(all, h.past...)
	h.mu.Unlock()
	all = slices.DeleteFunc(all, func(c call.Conference) bool { return !selects(f, c) })
	slices.SortFunc(all, func(a, b call.Conference) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID))
	})
	return page(all, f)
}

// selects reports whether f wants c.
func selects(f call.ConferenceFilter, c call.Conference) bool {
	within := func(t, after, until time.Time) bool {
		return (after.IsZero() || !t.Before(after)) && (until.IsZero() || !t.After(until))
	}
	return c.Account == f.Account && (f.Name == "" || c.Name == f.Name) && (f.State == "" || c.State == f.State) &&
		within(c.Created, f.CreatedAfter, f.CreatedUntil) && within(c.Updated, f.UpdatedAfter, f.UpdatedUntil)
}

// page cuts the page that f asks for out of the sorted list. A cursor is where a
// page begins: the time and id of its first item.
func page(all []call.Conference, f call.ConferenceFilter) (call.ConferencePage, error) {
	limit := f.Limit
	if limit <= 0 {
		limit = 50
	}
	at := 0
	if f.Cursor != "" {
		stamp, id, ok := strings.Cut(f.Cursor, "~")
		n, err := strconv.ParseInt(stamp, 10, 64)
		if !ok || err != nil {
			return call.ConferencePage{}, call.ErrCursor
		}
		from := time.Unix(0, n)
		for at < len(all) && (all[at].Created.After(from) || all[at].Created.Equal(from) && all[at].ID > id) {
			at++
		}
	}
	mark := func(i int) string { return strconv.FormatInt(all[i].Created.UnixNano(), 10) + "~" + all[i].ID }
	p := call.ConferencePage{Conferences: all[at:min(at+limit, len(all))]}
	if at+limit < len(all) {
		p.Next = mark(at + limit)
	}
	if at > 0 {
		p.Previous = mark(max(at-limit, 0))
	}
	return p, nil
}

// Participants lists the parties of a live conference, those whose calls are
// still being placed included, in the order in which they came.
func (h *House) Participants(account, conference string) ([]call.Participant, error) {
	c, err := h.live(account, conference)
	if err != nil {
		return nil, err
	}
	return c.view.Load().parties, nil
}

// Participant gives one party of a live conference by its call's id or its label.
func (h *House) Participant(account, conference, who string) (call.Participant, error) {
	list, err := h.Participants(account, conference)
	if err != nil {
		return call.Participant{}, err
	}
	for _, p := range list {
		if p.Call == who || p.Label == who {
			return p, nil
		}
	}
	return call.Participant{}, call.ErrNotFound
}

// PartyOf gives the live conference that a call is in.
func (h *House) PartyOf(account, id string) (call.Participant, bool) {
	h.mu.Lock()
	c := h.calls[id]
	h.mu.Unlock()
	if c == nil || c.account != account {
		return call.Participant{}, false
	}
	for _, p := range c.view.Load().parties {
		if p.Call == id {
			return p, p.Joined != nil
		}
	}
	return call.Participant{}, false
}

// EndConference ends a live conference for all.
func (h *House) EndConference(ctx context.Context, account, id string) (call.Conference, error) {
	return h.ask(ctx, account, id, func(c *conference) error {
		c.end(call.EndedByRequest, nil)
		return nil
	})
}

// Announce plays a document to a live conference.
func (h *House) Announce(ctx context.Context, account, id string, hook call.Hook) (call.Conference, error) {
	return h.ask(ctx, account, id, func(c *conference) error { return c.announce(hook) })
}

// maxTapes is how many recordings of a conference may be asked for at once.
const maxTapes = 4

// Tape lets make record a live conference as it sounds inside, beside the
// recording that its documents ask for. The error is make's, call.ErrNotFound,
// call.ErrEnded, call.ErrWrongState before its start, or call.ErrTooMany.
func (h *House) Tape(ctx context.Context, account, id string, make func(inside *session.Session, c call.Conference) (script.Recording, error)) error {
	c, err := h.live(account, id)
	if err != nil {
		if _, past := h.Conference(account, id); past == nil {
			return call.ErrEnded
		}
		return err
	}
	var now call.Conference
	_, err = h.ask(ctx, account, id, func(c *conference) error {
		c.tapes = slices.DeleteFunc(c.tapes, stopped)
		switch {
		case c.c.State != call.ConferenceRunning:
			return fmt.Errorf("%w: the conference has not started", call.ErrWrongState)
		case len(c.tapes)+c.taping >= maxTapes:
			return fmt.Errorf("%w: the conference is recorded %d times already", call.ErrTooMany, maxTapes)
		}
		c.taping++
		now = c.c
		return nil
	})
	if err != nil {
		return err
	}
	rec, err := make(c.voice, now) // not on its goroutine: files take time
	if !c.do(context.Background(), func() {
		if c.taping--; err == nil {
			c.tapes = append(c.tapes, rec)
		}
	}) && err == nil {
		_, err = rec.Stop() // it ended meanwhile, and the recording with it
	}
	return err
}

// stopped reports whether a recording has ended.
func stopped(r script.Recording) bool {
	select {
	case <-r.Done():
		return true
	default:
		return false
	}
}

// ask runs f on the goroutine of a live conference, and gives what it is then.
func (h *House) ask(ctx context.Context, account, id string, f func(c *conference) error) (call.Conference, error) {
	c, err := h.live(account, id)
	if err != nil {
		return call.Conference{}, err
	}
	if !c.do(ctx, func() { err = f(c) }) {
		return call.Conference{}, cmp.Or(ctx.Err(), call.ErrNotFound)
	}
	return c.view.Load().conference, err
}

// ChangeParticipant changes one party of a live conference, by its call's id or
// its label. Conference may be empty where who is the id of a call. Errors are
// call.ErrNotFound, call.ErrNoCoached and call.ErrAnnouncing.
func (h *House) ChangeParticipant(ctx context.Context, account, conference, who string, ch call.ParticipantChange) (p call.Participant, err error) {
	h.mu.Lock()
	c := h.ids[conference]
	if conference == "" {
		c = h.calls[who]
	}
	h.mu.Unlock()
	if c == nil || c.account != account {
		return p, call.ErrNotFound
	}
	if !c.do(ctx, func() { p, err = c.change(who, ch) }) {
		return p, cmp.Or(ctx.Err(), call.ErrNotFound)
	}
	return p, err
}

// Invite announces a party whose call is about to be placed. Conference is the id
// of a live one, or the name of one that is made if there is none; status is told
// of its progress if nobody came before.
func (h *House) Invite(ctx context.Context, account, conference string, p call.Participant, status call.StatusHook) (call.Conference, error) {
	for {
		c, err := h.live(account, conference)
		if err != nil {
			c, err = h.open(account, p.API, conference)
		}
		if err != nil {
			return call.Conference{}, err
		}
		if c.do(ctx, func() { err = c.invite(p, status) }) {
			return c.view.Load().conference, err
		}
		if ctx.Err() != nil {
			return call.Conference{}, ctx.Err()
		}
	}
}

// CallEnded tells that a call is over. A party that was invited and never came is
// then no longer expected. It does not block for long: it is meant for goroutines
// beside the call's.
func (h *House) CallEnded(rec call.Record) {
	h.mu.Lock()
	c := h.calls[rec.ID]
	h.mu.Unlock()
	if c != nil {
		c.do(context.Background(), func() { c.uninvite(rec) })
	}
}

// Invited reports whether a call is expected in a conference.
func (h *House) Invited(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.calls[id] != nil
}

// Queues are a house's queues as something that customers set up: what one has
// made, lasts. It satisfies api.Settings.
type Queues struct{ House *House }

// List lists an account's queues, oldest first.
func (x Queues) List(account string) []call.Queue { return x.House.Queues(account) }

// Create makes a queue.
func (x Queues) Create(_ context.Context, account string, q call.Queue) (call.Queue, error) {
	q.Account = account
	return x.House.CreateQueue(q)
}

// Change lets change edit a queue's Name and Max.
func (x Queues) Change(_ context.Context, account, id string, change func(*call.Queue) error) (call.Queue, error) {
	q, err := x.House.Queue(account, id)
	if err == nil {
		err = change(&q)
	}
	if err != nil {
		return q, err
	}
	return x.House.UpdateQueue(account, id, q.Name, q.Max)
}

// Delete forgets a queue in which nobody waits.
func (x Queues) Delete(_ context.Context, account, id string) error {
	return x.House.DeleteQueue(account, id)
}
