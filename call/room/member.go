package room

import (
	"context"
	"sync"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/media"
	"callbox/media/mix"
)

// member is a party of a conference, or one that is expected.
type member struct {
	conf  *conference
	party Party // nil: its call is still being placed
	seat  *mix.Seat
	news  chan struct{}  // holds a token when there may be something else to hear
	out   chan struct{}  // closed when it is no longer in the conference
	left  call.Departure // why; set before out is closed

	// Owned by the conference's goroutine.
	p          call.Participant
	wait, hold call.WaitSound
	quorum     int
	grace      time.Duration
	talking    bool
	rec        *call.Record // of a call that ended before it came
	keys       chan byte    // to be sent to the party; made when the first comes

	mu   sync.Mutex // guards what follows
	duty duty
	says []call.Hook // announcements to it that wait, at most maxAnnouncements
}

// duty is what a party hears apart from the others.
type duty struct {
	on    bool
	sound call.WaitSound
}

// record is the party's call.
func (m *member) record() *call.Record {
	switch {
	case m.party != nil:
		return m.party.Env().Control.Record()
	case m.rec != nil:
		return m.rec
	}
	return &call.Record{ID: m.p.Call, API: m.p.API, Account: m.p.Account}
}

// entertain sets what the party hears from now on.
func (m *member) entertain(d duty) {
	m.mu.Lock()
	changed := m.duty != d
	m.duty = d
	m.mu.Unlock()
	if changed {
		m.signal()
	}
}

// announce plays a document to the party alone; false: too many wait.
func (m *member) announce(h call.Hook) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.says) >= maxAnnouncements {
		return false
	}
	m.says = append(m.says, h)
	m.signal()
	return true
}

func (m *member) signal() {
	select {
	case m.news <- struct{}{}:
	default:
	}
}

// next is what the party is to hear now: an announcement, or else its duty.
func (m *member) next() (announcement *call.Hook, d duty) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.says) > 0 {
		return &m.says[0], m.duty
	}
	return nil, m.duty
}

// announced forgets the announcement that was played.
func (m *member) announced() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.says = m.says[1:]
}

// Confer brings party into a conference and returns when it has left it, see
// script.Rooms.
func (h *House) Confer(ctx context.Context, party Party, w script.Conference) (res script.ConferenceResult, err error) {
	env := party.Env()
	if !w.Before.IsZero() {
		if err := (script.Runner{}).Aside(ctx, env, w.Before, &script.Result{Verb: "enter"}); err != nil {
			if over(ctx, err) {
				return res, err
			}
			env.Tell(call.EventWarning, "the document before the conference failed: "+err.Error())
		}
	}
	m, err := h.enter(ctx, party, w)
	if err != nil || m == nil {
		res.Full = err == nil
		return res, err
	}
	began := h.cfg.Now()
	res.Conference = m.conf.id
	if err = party.Enter(ctx, m.seat); err != nil {
		m.conf.do(context.Background(), func() { m.conf.leave(m, call.LeftByHangup) })
		return res, err
	}
	var rec script.Recording
	if w.RecordParty != nil {
		var rerr error
		if rec, rerr = env.Audio.Record(*w.RecordParty); rerr != nil && !over(ctx, rerr) {
			env.Tell(call.EventWarning, "the call is not recorded in the conference: "+rerr.Error())
		}
	}
	res.Left, err = m.stay(ctx, w)
	party.Leave(m.seat)
	m.conf.do(context.Background(), func() { m.conf.leave(m, res.Left) })
	res.Duration = h.cfg.Now().Sub(began)
	if rec != nil {
		if r, rerr := rec.Stop(); rerr == nil {
			res.Recording = &r
		}
	}
	return res, err
}

// over reports whether err, got under ctx, only says that the script is over.
func over(ctx context.Context, err error) bool {
	return ctx.Err() != nil || ended(err)
}

// enter finds or makes the conference and lets the party in. Nil: it is full.
func (h *House) enter(ctx context.Context, party Party, w script.Conference) (m *member, err error) {
	rec := party.Env().Control.Record()
	for {
		c, err := h.open(rec.Account, rec.API, w.Name)
		if err != nil {
			return nil, err
		}
		if c.do(ctx, func() { m = c.admit(party, w) }) {
			return m, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

// stay sees to what the party hears until it leaves, and says why.
func (m *member) stay(ctx context.Context, w script.Conference) (call.Departure, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var limit <-chan time.Time
	if w.TimeLimit > 0 {
		t := time.NewTimer(w.TimeLimit)
		defer t.Stop()
		limit = t.C
	}
	star := make(chan struct{})
	listened := m.listen(ctx, w, star)
	defer func() { cancel(); <-listened }()
	for {
		hook, d := m.next()
		act, stop := m.play(ctx, hook, d)
		for again := false; !again; {
			select {
			case err := <-act:
				act = nil
				if hook != nil {
					m.announced()
					m.tellAnnounced(*hook, err)
					again = true
				} else if ended(err) { // a waiting document hung up, or the caller did
					return call.LeftByHangup, err
				}
			case <-m.news:
				now, nd := m.next()
				again = hook == nil && (now != nil || nd != d)
			case <-m.out:
				stop()
				return m.left, nil
			case <-star:
				stop()
				return call.LeftByStar, nil
			case <-limit:
				stop()
				return call.LeftByLimit, nil
			case <-ctx.Done():
				stop()
				return m.departure(), ctx.Err()
			}
		}
		stop()
	}
}

// departure is why a party leaves whose script was cancelled.
func (m *member) departure() call.Departure {
	if m.record().State.Final() {
		return call.LeftByHangup
	}
	return call.LeftByRedirect
}

// play plays an announcement, or sees to a duty, on a goroutine that gives its
// end to act and that stop ends and waits for.
func (m *member) play(ctx context.Context, hook *call.Hook, d duty) (act <-chan error, stop func()) {
	if hook == nil && !d.on {
		return nil, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done, quit := make(chan error, 1), make(chan struct{})
	h, env := m.conf.h, m.party.Env()
	h.cfg.Go(func() { // ended by cancel, waited for by stop
		defer close(quit)
		if hook != nil {
			c := m.conf.view.Load().conference
			done <- script.Runner{}.Aside(ctx, env, *hook, &script.Result{Verb: "announce", Announce: &c})
			return
		}
		done <- h.entertain(ctx, env, d.sound, func() *script.Result {
			c := m.conf.view.Load().conference
			return &script.Result{Verb: "wait", Announce: &c}
		})
	})
	return done, func() { cancel(); <-quit }
}

// tellAnnounced tells how an announcement to the party ended.
func (m *member) tellAnnounced(h call.Hook, err error) {
	m.conf.do(context.Background(), func() { m.conf.announced(h, m, err) })
}

// entertain lets a call hear sound until ctx or the call ends, or until the
// waiting document leaves. A document that fails is replaced by the box's music.
func (h *House) entertain(ctx context.Context, env script.Env, sound call.WaitSound, tell func() *script.Result) error {
	if !sound.Silent && !sound.Hook.IsZero() {
		err := script.Runner{}.Wait(ctx, env, sound.Hook, tell)
		switch {
		case err != nil && (over(ctx, err) || script.Left(err)):
			return err
		case err == nil: // it asks for silence
			sound.Silent = true
		default:
			env.Tell(call.EventWarning, "the waiting document failed, the box's own music is played: "+err.Error())
		}
	}
	for !sound.Silent && h.cfg.Music != nil {
		began := time.Now()
		if err := env.Play(ctx, h.cfg.Music()); err != nil {
			return err
		}
		// Something else was played to the call, in place of the music.
		if time.Since(began) < media.FrameDuration {
			break
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

// listen takes the keys of the party where they mean something; the channel that
// it gives is closed when it no longer does.
func (m *member) listen(ctx context.Context, w script.Conference, star chan struct{}) <-chan struct{} {
	done := make(chan struct{})
	if !w.HangupOnStar && !w.ShareKeys {
		close(done)
		return done
	}
	env := m.party.Env()
	env.DropDigits()
	m.conf.h.cfg.Go(func() { // ended with ctx, waited for through done
		defer close(done)
		for {
			d, err := env.Digit(ctx)
			switch {
			case err != nil:
				return
			case w.HangupOnStar && d == '*':
				close(star)
				return
			case w.ShareKeys:
				m.conf.do(ctx, func() { m.conf.share(m, d) })
			}
		}
	})
	return done
}
