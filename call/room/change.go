package room

import (
	"context"
	"errors"
	"slices"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/media"
)

// ended reports whether err says that the call has ended.
func ended(err error) bool { return errors.Is(err, call.ErrEnded) }

// change changes a party, and gives what it is then.
func (c *conference) change(who string, ch call.ParticipantChange) (call.Participant, error) {
	m := c.find(who)
	if m == nil || m.party == nil {
		return call.Participant{}, call.ErrNotFound
	}
	if ch.Coach != nil && *ch.Coach != "" {
		if o := c.find(*ch.Coach); o == nil || o == m || o.party == nil {
			return m.p, call.ErrNoCoached
		}
	}
	if ch.Announce != nil && !m.announce(*ch.Announce) {
		return m.p, call.ErrAnnouncing
	}
	modified := c.set(m, ch)
	m.p.Updated = c.h.cfg.Now()
	c.arrange()
	if modified {
		c.tell(call.EventModify, m, call.ConferenceNews{})
	}
	if ch.Muted != nil && m.p.Muted != *ch.Muted {
		m.p.Muted = *ch.Muted
		c.switched(m, m.p.Muted, call.EventMute, call.EventUnmute)
	}
	if ch.Held != nil && m.p.Held != *ch.Held {
		m.p.Held = *ch.Held
		c.switched(m, m.p.Held, call.EventHold, call.EventUnhold)
	}
	if ch.Kick {
		c.leave(m, call.LeftByKick)
	}
	return m.p, nil
}

// switched makes a switch of the party take effect, and tells so.
func (c *conference) switched(m *member, on bool, yes, no call.EventType) {
	c.arrange()
	if on {
		no = yes
	}
	c.tell(no, m, call.ConferenceNews{})
}

// set changes what has no event of its own, and reports whether anything did.
func (c *conference) set(m *member, ch call.ParticipantChange) bool {
	before := m.p
	if ch.Tag != nil {
		m.p.Tag = *ch.Tag
	}
	if ch.EndOnExit != nil {
		m.p.EndOnExit = *ch.EndOnExit
	}
	if ch.BeepOnExit != nil {
		m.p.BeepOnExit = *ch.BeepOnExit
	}
	if ch.Coach != nil {
		m.p.Coach = *ch.Coach
	}
	if ch.SpeakTo != nil {
		m.p.SpeakTo = *ch.SpeakTo
	}
	if ch.Wait != nil {
		m.wait = *ch.Wait
	}
	if ch.Hold != nil {
		m.hold = *ch.Hold
	}
	return m.p != before
}

// announce plays a document to all, after those that wait.
func (c *conference) announce(h call.Hook) error {
	if len(c.told) >= maxAnnouncements {
		return call.ErrAnnouncing
	}
	c.told = append(c.told, h)
	if len(c.told) == 1 {
		c.speak()
	}
	return nil
}

// speak plays the first of the announcements that wait.
func (c *conference) speak() {
	ctx, cancel := context.WithCancel(context.Background())
	c.hush = cancel
	h, now := c.told[0], c.c
	c.h.cfg.Go(func() { // ended by hush
		defer cancel()
		env := script.Env{Control: chair{c}, Audio: chairVoice{c}, Prompts: c.h.cfg.Prompts, Fetcher: c.h.cfg.Fetcher}
		err := script.Runner{}.Aside(ctx, env, h, &script.Result{Verb: "announce", Announce: &now})
		c.do(context.Background(), func() {
			c.announced(h, nil, err)
			if c.told = c.told[1:]; len(c.told) > 0 && !c.over {
				c.speak()
			}
		})
	})
}

// announced tells how an announcement ended.
func (c *conference) announced(h call.Hook, m *member, err error) {
	if m != nil && !slices.Contains(c.members, m) || c.over {
		return
	}
	news := call.ConferenceNews{URL: h.URL}
	t := call.EventAnnouncementEnd
	if err != nil {
		t, news.Fault = call.EventAnnouncementFail, err.Error()
	}
	if m == nil {
		c.tellAll(t, nil, news)
		return
	}
	c.tell(t, m, news)
}

// chair is the control of a document that is played to a conference.
type chair struct{ c *conference }

// Record says no more than whose the conference is.
func (k chair) Record() *call.Record {
	v := k.c.view.Load().conference
	return &call.Record{ID: v.ID, API: v.API, Account: v.Account, State: call.InProgress, Session: call.Session{Tag: v.Tag}}
}

// Answer has nothing to do.
func (chair) Answer(context.Context) error { return nil }

// Early has nothing to do.
func (chair) Early(context.Context) error { return nil }

// Hangup ends nothing but the document.
func (chair) Hangup(call.Cause) {}

// Tell writes warnings to the log: there is no call that they belong to.
func (k chair) Tell(t call.EventType, note string) {
	if t == call.EventWarning {
		k.c.h.cfg.Log.Warn("announcement to a conference", "conference", k.c.id, "text", note)
	}
}

// Change changes nothing.
func (chair) Change(context.Context, call.Change) error { return nil }

// chairVoice is the sound of such a document.
type chairVoice struct{ c *conference }

// Play plays a clip to all.
func (k chairVoice) Play(ctx context.Context, clip media.Clip) error {
	p := k.c.voice.Play(clip)
	select {
	case <-p.Done():
		return nil
	case <-ctx.Done():
		p.Stop()
		return ctx.Err()
	}
}

var errNoKeys = errors.New("a conference as a whole has no keys and no recording of this kind")

// SendDigits refuses.
func (chairVoice) SendDigits(context.Context, string, time.Duration) error { return errNoKeys }

// Digit waits for ctx.
func (chairVoice) Digit(ctx context.Context) (byte, error) { <-ctx.Done(); return 0, ctx.Err() }

// DropDigits has nothing to do.
func (chairVoice) DropDigits() {}

// Record refuses.
func (chairVoice) Record(call.RecordOptions) (script.Recording, error) { return nil, errNoKeys }

var (
	_ script.Control = chair{}
	_ script.Audio   = chairVoice{}
)

const (
	// maxShared bounds the keys that wait to be sent to a party; later ones are
	// dropped and counted.
	maxShared = 32
	// keyPatience bounds the sending of one of them.
	keyPatience = 3 * time.Second
)

// share sends a key that from pressed to all others.
func (c *conference) share(from *member, d byte) {
	for _, m := range c.members {
		if m == from || m.party == nil || m.p.Waiting || m.p.Held {
			continue
		}
		if m.keys == nil {
			m.keys = make(chan byte, maxShared)
			c.h.cfg.Go(m.sendKeys)
		}
		select {
		case m.keys <- d:
		default:
			c.h.lost.Add(1)
		}
	}
}

// sendKeys sends keys to the party until it leaves.
func (m *member) sendKeys() {
	env := m.party.Env()
	for {
		select {
		case d := <-m.keys:
			ctx, cancel := context.WithTimeout(context.Background(), keyPatience)
			env.SendDigits(ctx, string(d), 0) //nolint:errcheck // a party that has ended refuses; nobody is left to tell
			cancel()
		case <-m.out:
			return
		}
	}
}
