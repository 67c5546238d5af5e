package room

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/media/mix"
	"callbox/media/session"
)

// conference is one conference.
type conference struct {
	h                      *House
	id, account, api, name string
	inbox                  chan func()   // functions to run on its goroutine
	gone                   chan struct{} // closed when that has ended
	view                   atomic.Pointer[view]
	room                   *mix.Room
	voice, bell            *session.Session // speak into the room; voice hears it too

	// Owned by run.
	c         call.Conference
	members   []*member // in the order in which they came
	joined    int       // of them, those who are in it
	came      bool      // somebody was in it
	record    *call.RecordOptions
	recording script.Recording
	tapes     []script.Recording // that were asked for
	taping    int                // of those, how many are being made
	grace     *time.Timer        // the conference ends when it fires; nil: none
	ender     *member            // whose leaving started grace
	told      []call.Hook        // announcements that wait; the first is being played
	hush      context.CancelFunc
	over      bool
}

// view is what others see of a conference.
type view struct {
	conference call.Conference
	parties    []call.Participant
}

func newConference(h *House, account, api, name string) *conference {
	now := h.cfg.Now()
	c := &conference{h: h, id: h.cfg.NewID(api, "conference"), account: account, api: api, name: name,
		inbox: make(chan func()), gone: make(chan struct{}), room: mix.New()}
	c.c = call.Conference{ID: c.id, API: api, Account: account, Name: name, State: call.ConferenceInit, Created: now, Updated: now, Seq: 1}
	c.publish()
	return c
}

// do runs f on the conference's goroutine and waits for it. It reports false, and
// f did not run, when the conference or ctx ended first.
func (c *conference) do(ctx context.Context, f func()) bool {
	done := make(chan struct{})
	select {
	case c.inbox <- func() { f(); close(done) }:
		<-done
		return true
	case <-c.gone:
	case <-ctx.Done():
	}
	return false
}

// lonely is how long a conference without anybody, invited ones included, may
// exist: whoever made it is about to enter.
const lonely = 10 * time.Second

// run is the conference's goroutine.
func (c *conference) run() {
	c.h.cfg.Scheduler.Add(c.room)
	c.voice = session.New(c.h.cfg.Scheduler, c.room.Inside())
	c.bell = session.New(c.h.cfg.Scheduler, c.room.Inside())
	c.voice.SetSilence(false)
	c.bell.SetSilence(false)
	alone := time.NewTimer(lonely)
	defer alone.Stop()
	for !c.over {
		select {
		case f := <-c.inbox:
			f()
		case <-c.room.Talk():
			c.talk()
		case <-graceOver(c.grace):
			c.grace = nil
			c.end(call.EndedWithMember, c.ender)
		case <-alone.C:
			if len(c.members) == 0 {
				c.end(call.EndedEmpty, nil)
			}
		}
	}
	c.h.close(c, c.c)
	close(c.gone)
	if c.grace != nil {
		c.grace.Stop()
	}
	if c.hush != nil {
		c.hush()
	}
	if c.recording != nil {
		c.recording.Stop() //nolint:errcheck // the recording has told its own failure
	}
	for _, t := range c.tapes {
		t.Stop() //nolint:errcheck // as above
	}
	c.voice.Close()
	c.bell.Close()
	c.h.cfg.Scheduler.Remove(c.room)
}

// graceOver is the timer's channel, nil (never ready) without one.
func graceOver(t *time.Timer) <-chan time.Time {
	if t == nil {
		return nil
	}
	return t.C
}

// publish makes the present state what others see.
func (c *conference) publish() {
	c.c.Members = c.joined
	v := &view{conference: c.c}
	for _, m := range c.members {
		v.parties = append(v.parties, m.p)
	}
	c.view.Store(v)
}

// tell tells of something that has happened to m.
func (c *conference) tell(t call.EventType, m *member, news call.ConferenceNews) {
	p := m.p
	news.Participant = &p
	c.tellAll(t, m, news)
}

// tellAll tells of something that concerns all; by is who brought it about, nil
// when that was no party.
func (c *conference) tellAll(t call.EventType, by *member, news call.ConferenceNews) {
	now := c.h.cfg.Now()
	c.c.Updated = now
	ev := call.Event{Type: t, Seq: c.c.Seq, At: now, Record: &call.Record{API: c.api, Account: c.account}}
	c.c.Seq++
	c.publish()
	news.Conference = c.c
	if by != nil {
		ev.Record = by.record()
	}
	ev.Conference = &news
	c.h.cfg.Log.Info("conference", "conference", c.id, "call", ev.Record.ID, "event", string(t))
	c.h.cfg.Tell(ev)
}

// find gives the party whose call has this id, or that has this label.
func (c *conference) find(who string) *member {
	for _, m := range c.members {
		if m.p.Call == who || m.p.Label == who && who != "" {
			return m
		}
	}
	return nil
}

// admit lets a party in. Nil: the conference is full.
func (c *conference) admit(party Party, w script.Conference) *member {
	limit := w.Max
	if limit <= 0 || limit > MaxParties {
		limit = MaxParties
	}
	if c.joined >= limit {
		return nil
	}
	now := c.h.cfg.Now()
	rec := party.Env().Control.Record()
	m := c.find(rec.ID)
	if m == nil {
		m = &member{p: call.Participant{Conference: c.id, Call: rec.ID, API: rec.API, Account: rec.Account, Created: now}}
		c.members = append(c.members, m)
		c.h.enlist(rec.ID, c)
	}
	m.conf, m.party, m.seat = c, party, c.room.Seat()
	m.news, m.out = make(chan struct{}, 1), make(chan struct{})
	m.quorum, m.wait, m.hold, m.grace = w.StartWith, w.Wait, call.WaitSound{Silent: true}, w.Grace
	m.p.Joined, m.p.Updated, m.p.Waiting = &now, now, true
	m.p.Muted, m.p.StartOnEnter, m.p.EndOnExit, m.p.BeepOnExit = w.Muted, w.StartOnEnter, w.EndOnExit, w.BeepOnExit
	m.p.Coach, m.p.Tag, m.p.SpeakTo = w.Coach, w.Tag, w.SpeakTo
	if w.Label != "" {
		m.p.Label = w.Label
	}
	c.joined++
	c.remember(rec.ID)
	if !c.came {
		c.came = true
		c.c.Hook, c.c.Tag = w.Status, rec.Session.Tag
	}
	if c.record == nil {
		c.record = w.Record
	}
	if c.grace != nil && w.EndOnExit { // somebody with whom it ends is there again
		c.grace.Stop()
		c.grace = nil
	}
	c.begin(m)
	c.tell(call.EventJoin, m, call.ConferenceNews{})
	if w.BeepOnEnter {
		c.ring(true)
	}
	c.arrange()
	return m
}

// remember notes that a call is in the conference.
func (c *conference) remember(id string) {
	if !slices.Contains(c.c.Calls, id) {
		c.c.Calls = append(slices.Clone(c.c.Calls[max(0, len(c.c.Calls)+1-call.MaxConferenceCalls):]), id)
	}
}

// begin starts the conference when all that it takes is there; m has just come.
func (c *conference) begin(m *member) {
	if c.c.State == call.ConferenceInit && slices.ContainsFunc(c.members, func(m *member) bool {
		return m.party != nil && m.p.StartOnEnter && c.joined >= m.quorum
	}) {
		now := c.h.cfg.Now()
		c.c.State, c.c.Started = call.ConferenceRunning, &now
		for _, m := range c.members {
			m.p.Waiting = false
		}
		c.tellAll(call.EventConferenceStart, m, call.ConferenceNews{})
	}
	if c.c.State != call.ConferenceRunning {
		return
	}
	for _, m := range c.members {
		m.p.Waiting = false
	}
	if c.record != nil && c.recording == nil {
		c.startRecording()
	}
}

// startRecording records the conference from now on. Files are made on a
// goroutine beside: a slow disk must not hold up anybody.
func (c *conference) startRecording() {
	o, now := *c.record, c.c
	c.recording = &pending{made: make(chan struct{})}
	p := c.recording.(*pending) //nolint:forcetypeassert // made the line before
	c.h.cfg.Go(func() {
		defer close(p.made)
		if p.rec, p.err = c.h.cfg.Record(c.voice, now, o); p.err != nil {
			c.h.cfg.Log.Error("a conference is not recorded", "conference", c.id, "err", p.err)
		}
	})
}

// pending is a recording that is being made.
type pending struct {
	made chan struct{} // closed when rec or err is set
	rec  script.Recording
	err  error
}

// Done is closed when it was made; nobody asks for more.
func (p *pending) Done() <-chan struct{} { return p.made }

// Stop ends the recording, and waits until it is whole.
func (p *pending) Stop() (call.Recording, error) {
	<-p.made
	if p.err != nil {
		return call.Recording{}, p.err
	}
	return p.rec.Stop()
}

// ring sounds the bell, if the conference is in progress and anybody is there.
func (c *conference) ring(enters bool) {
	if c.h.cfg.Bell != nil && c.c.State == call.ConferenceRunning && c.joined > 0 {
		c.bell.Play(c.h.cfg.Bell(enters))
	}
}

// arrange makes every party hear and be heard as it should now.
func (c *conference) arrange() {
	for _, m := range c.members {
		if m.party == nil {
			continue
		}
		m.seat.Mute(m.p.Muted)
		m.seat.Hold(m.p.Waiting || m.p.Held)
		m.seat.SpeakTo(c.audience(m))
		switch {
		case m.p.Waiting:
			m.entertain(duty{on: true, sound: m.wait})
		case m.p.Held:
			m.entertain(duty{on: true, sound: m.hold})
		default:
			m.entertain(duty{})
		}
	}
	c.publish()
}

// audience is who hears m; nil: everybody.
func (c *conference) audience(m *member) []*mix.Seat {
	if m.p.Coach == "" && m.p.SpeakTo == "" {
		return nil
	}
	list := []*mix.Seat{}
	for _, o := range c.members {
		if o != m && o.party != nil && (o.p.Call == m.p.Coach || m.p.SpeakTo != "" && o.p.Tag == m.p.SpeakTo) {
			list = append(list, o.seat)
		}
	}
	return list
}

// talk tells who began or stopped talking.
func (c *conference) talk() {
	for _, m := range c.members {
		if m.party == nil || m.seat.Talking() == m.talking {
			continue
		}
		m.talking = !m.talking
		t := call.EventSpeechStop
		if m.talking {
			t = call.EventSpeechStart
		}
		if c.c.Hook.Wants(t) {
			c.tell(t, m, call.ConferenceNews{})
		}
	}
}

// leave takes a party out.
func (c *conference) leave(m *member, why call.Departure) {
	if !c.remove(m, why) {
		return
	}
	if m.p.BeepOnExit {
		c.ring(false)
	}
	kicked := why == call.LeftByKick
	switch {
	case m.p.EndOnExit && c.joined > 0 && m.grace > 0 && !kicked:
		if c.grace != nil {
			c.grace.Stop()
		}
		c.grace, c.ender = time.NewTimer(m.grace), m
	case m.p.EndOnExit && kicked:
		c.end(call.EndedWithKicked, m)
	case m.p.EndOnExit:
		c.end(call.EndedWithMember, m)
	case c.joined == 0 && kicked:
		c.end(call.EndedByKick, m)
	case c.joined == 0:
		c.end(call.EndedEmpty, m)
	default:
		c.arrange()
	}
}

// remove forgets a party and tells so; it reports whether it was there.
func (c *conference) remove(m *member, why call.Departure) bool {
	i := slices.Index(c.members, m)
	if i < 0 {
		return false
	}
	c.members = slices.Delete(c.members, i, i+1)
	c.h.delist(m.p.Call, c)
	if m.party != nil {
		c.joined--
		m.seat.Leave()
		m.left = why
		close(m.out)
	}
	m.p.Updated = c.h.cfg.Now()
	c.tell(call.EventLeave, m, call.ConferenceNews{Left: why})
	return true
}

// end ends the conference for all; by is whose leaving did it, nil: nobody's.
func (c *conference) end(why call.ConferenceEnd, by *member) {
	if c.over {
		return
	}
	c.over = true
	now := c.h.cfg.Now()
	c.c.State, c.c.Ended, c.c.Updated, c.c.Reason = call.ConferenceEnded, &now, now, why
	if by != nil {
		c.c.EndedBy = by.p.Call
	}
	for _, m := range slices.Clone(c.members) {
		if m.party != nil {
			c.remove(m, call.LeftAtEnd)
		} else {
			c.h.delist(m.p.Call, c) // it will find another conference of this name
		}
	}
	c.members = nil
	c.tellAll(call.EventConferenceEnd, by, call.ConferenceNews{})
}

// invite expects a party.
func (c *conference) invite(p call.Participant, status call.StatusHook) error {
	if len(c.members) >= MaxParties {
		return call.ErrRoomLimit
	}
	if !c.came && c.c.Hook.IsZero() {
		c.c.Hook = status
	}
	now := c.h.cfg.Now()
	p.Conference, p.Account, p.Created, p.Updated = c.id, c.account, now, now
	c.members = append(c.members, &member{conf: c, p: p})
	c.h.enlist(p.Call, c)
	c.publish()
	return nil
}

// uninvite no longer expects the party of a call that has ended.
func (c *conference) uninvite(rec call.Record) {
	m := c.find(rec.ID)
	if m == nil || m.party != nil {
		return
	}
	m.rec = &rec
	c.remove(m, call.LeftByHangup)
	if len(c.members) == 0 {
		c.end(call.EndedEmpty, m)
	}
}
