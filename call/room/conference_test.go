package room

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"callbox/call"
	"callbox/call/script"
)

func ptr[T any](v T) *T { return &v }

var quiet = call.WaitSound{Silent: true}

// TestConferenceLife: the first waits with music, with the second it begins, and
// it ends with the last; who meets hears the others and not itself.
func TestConferenceLife(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		hook := call.StatusHook{Hook: call.Hook{URL: "http://app.lan/conf"}}
		a, b, c := w.dial("a", 100), w.dial("b", 1000), w.dial("c", 10000)
		sa := a.confer(script.Conference{StartOnEnter: true, StartWith: 2, Status: hook, Label: "boss"})
		w.wantTold("1 participant-join a")
		w.hear(7, 0, 0) // the box's music
		sb := b.confer(script.Conference{StartOnEnter: true, StartWith: 2})
		w.wantTold("2 conference-start", "3 participant-join b")
		w.hear(1000, 100, 0)
		sc := c.confer(script.Conference{Muted: true, BeepOnExit: true})
		w.wantTold("4 participant-join c")
		w.hear(1000, 100, 1100)
		list, err := w.h.Conferences(call.ConferenceFilter{Account: account})
		if err != nil || len(list.Conferences) != 1 {
			t.Fatalf("%+v, %v", list, err)
		}
		cf := list.Conferences[0]
		if cf.State != call.ConferenceRunning || cf.Members != 3 || cf.Name != "sales" || cf.Hook.URL != hook.URL || cf.Started == nil {
			t.Errorf("%+v", cf)
		}
		if p, err := w.h.Participant(account, cf.ID, "boss"); err != nil || p.Call != "a" || p.Waiting || p.Conference != cf.ID {
			t.Errorf("%+v, %v", p, err)
		}
		if _, err := w.h.Participants("AC2", cf.ID); !errors.Is(err, call.ErrNotFound) {
			t.Errorf("another account sees it: %v", err)
		}
		c.hangup()
		<-sc.done
		if sc.res.Left != call.LeftByHangup || sc.res.Conference != cf.ID || sc.res.Full {
			t.Errorf("%+v, %v", sc.res, sc.err)
		}
		w.wantTold("5 participant-leave c hangup")
		w.hear(1030, 130, 1100) // the bell
		pass(time.Second)
		b.stop() // another document takes it
		<-sb.done
		w.wantTold("6 participant-leave b redirect")
		w.hear(0, 0, 1100)
		a.hangup()
		<-sa.done
		w.wantTold("7 participant-leave a hangup", "8 conference-end empty a")
		if got, err := w.h.Conference(account, cf.ID); err != nil || got.State != call.ConferenceEnded || got.Ended == nil || got.Members != 0 {
			t.Errorf("%+v, %v", got, err)
		}
		if _, err := w.h.Participants(account, cf.ID); !errors.Is(err, call.ErrNotFound) {
			t.Errorf("parties of a conference that is over: %v", err)
		}
		if _, err := w.h.EndConference(t.Context(), account, cf.ID); !errors.Is(err, call.ErrNotFound) {
			t.Errorf("ending it again: %v", err)
		}
	})
}

// TestModerator: others wait for whoever may start, and all leave with whoever
// ends; those who came alone hear music, silence or a document.
func TestModerator(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b, c, mod := w.dial("a", 100), w.dial("b", 200), w.dial("c", 400), w.dial("mod", 1000)
		w.plays("wait", 55)
		sa := a.confer(script.Conference{})
		sb := b.confer(script.Conference{Wait: quiet})
		c.confer(script.Conference{Wait: call.WaitSound{Hook: call.Hook{URL: "wait"}}})
		w.hear(7, 0, 55, 0)
		if p, _ := w.h.PartyOf(account, "c"); !p.Waiting {
			t.Error("c does not wait")
		}
		sm := mod.confer(script.Conference{StartOnEnter: true, EndOnExit: true, BeepOnEnter: true})
		w.hear(1620, 1520, 1320, 720) // with the bell: 20 on top
		pass(time.Second)
		w.hear(1600, 1500, 1300, 700)
		w.told()
		mod.hangup()
		<-sm.done
		<-sa.done
		<-sb.done
		if sa.res.Left != call.LeftAtEnd || sa.err != nil || sb.res.Left != call.LeftAtEnd {
			t.Errorf("a %+v %v, b %+v", sa.res, sa.err, sb.res)
		}
		w.wantTold("6 participant-leave mod hangup", "7 participant-leave a end", "8 participant-leave b end",
			"9 participant-leave c end", "10 conference-end moderator-left mod")
	})
}

// TestGrace: a conference may outlive whoever ends it, until that one or another
// such party is back.
func TestGrace(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, m1, m2 := w.dial("a", 100), w.dial("m1", 200), w.dial("m2", 400)
		mod := script.Conference{StartOnEnter: true, EndOnExit: true, Grace: 10 * time.Second}
		sa := a.confer(script.Conference{StartOnEnter: true})
		s1 := m1.confer(mod)
		m1.hangup()
		<-s1.done
		pass(5 * time.Second)
		s2 := m2.confer(mod)
		pass(20 * time.Second)
		if sa.over() {
			t.Fatal("it ended although a moderator had come back")
		}
		m2.hangup()
		<-s2.done
		pass(9 * time.Second)
		if sa.over() {
			t.Fatal("it ended at once")
		}
		pass(2 * time.Second)
		if !sa.over() || sa.res.Left != call.LeftAtEnd {
			t.Errorf("it did not end: %+v", sa.res)
		}
	})
}

// TestChanges: what a request changes is heard, told and shown.
func TestChanges(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.nobell = true
		a, b, c := w.dial("a", 100), w.dial("b", 1000), w.dial("c", 10000)
		in := script.Conference{StartOnEnter: true, Label: "x"}
		sa := a.confer(in)
		in.Label = ""
		b.confer(in)
		c.confer(in)
		w.told()
		p, _ := w.h.PartyOf(account, "a")
		change := func(who string, ch call.ParticipantChange) call.Participant {
			t.Helper()
			got, err := w.h.ChangeParticipant(t.Context(), account, p.Conference, who, ch)
			if err != nil {
				t.Errorf("%+v: %v", ch, err)
			}
			return got
		}
		if !change("x", call.ParticipantChange{Muted: ptr(true)}).Muted {
			t.Error("not muted")
		}
		w.hear(11000, 10000, 1000)
		change("a", call.ParticipantChange{Muted: ptr(true)}) // as it is
		w.wantTold("5 participant-mute a")
		change("a", call.ParticipantChange{Muted: ptr(false)})
		hold := w.plays("hold", 60)
		if !change("b", call.ParticipantChange{Held: ptr(true), Hold: &call.WaitSound{Hook: hold}}).Held {
			t.Error("not held")
		}
		w.hear(10000, 60, 100)
		change("b", call.ParticipantChange{Hold: &call.WaitSound{}}) // now the box's music
		w.hear(10000, 7, 100)
		change("b", call.ParticipantChange{Held: ptr(false)})
		w.hear(11000, 10100, 1100)
		w.wantTold("6 participant-unmute a", "7 participant-hold b", "8 participant-unhold b")
		change("c", call.ParticipantChange{Coach: ptr("a")})
		w.hear(11000, 100, 1100)
		change("c", call.ParticipantChange{Coach: ptr("")})
		change("b", call.ParticipantChange{Tag: ptr("agents")})
		change("c", call.ParticipantChange{SpeakTo: ptr("agents")})
		w.hear(1000, 10100, 1100)
		change("c", call.ParticipantChange{SpeakTo: ptr("nobody")})
		w.hear(1000, 100, 1100)
		change("c", call.ParticipantChange{SpeakTo: ptr("")})
		if got := w.told(); strings.Count(got, "participant-modify") != 6 {
			t.Errorf("told %s", got)
		}
		change("a", call.ParticipantChange{Announce: ptr(w.plays("say", 50))})
		w.hear(11050, 10100, 1100)
		pass(time.Second)
		w.hear(11000, 10100, 1100)
		change("a", call.ParticipantChange{Announce: &call.Hook{URL: "nowhere"}})
		w.wantTold("15 announcement-end a", "16 announcement-fail a")
		for _, bad := range []call.ParticipantChange{{Coach: ptr("nobody")}, {Coach: ptr("b")}} {
			if _, err := w.h.ChangeParticipant(t.Context(), account, p.Conference, "b", bad); !errors.Is(err, call.ErrNoCoached) {
				t.Errorf("coaching %q: %v", *bad.Coach, err)
			}
		}
		if _, err := w.h.ChangeParticipant(t.Context(), account, "", "nobody", call.ParticipantChange{}); !errors.Is(err, call.ErrNotFound) {
			t.Errorf("a stranger: %v", err)
		}
		if _, err := w.h.ChangeParticipant(t.Context(), "AC2", "", "a", call.ParticipantChange{Kick: true}); !errors.Is(err, call.ErrNotFound) {
			t.Errorf("another account: %v", err)
		}
		change("c", call.ParticipantChange{EndOnExit: ptr(true), BeepOnExit: ptr(false)})
		if _, err := w.h.ChangeParticipant(t.Context(), account, "", "a", call.ParticipantChange{Kick: true}); err != nil {
			t.Error(err)
		}
		if !sa.over() || sa.res.Left != call.LeftByKick || sa.err != nil {
			t.Errorf("kicked: %+v, %v", sa.res, sa.err)
		}
		change("c", call.ParticipantChange{Kick: true})
		w.wantTold("17 participant-modify c", "18 participant-leave a kicked", "19 participant-leave c kicked",
			"20 participant-leave b end", "21 conference-end moderator-kicked c")
	})
}

// TestAnnouncements: to all, one after the other, at most eight.
func TestAnnouncements(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.dial("a", 0), w.dial("b", 1000)
		a.confer(script.Conference{StartOnEnter: true})
		b.confer(script.Conference{StartOnEnter: true})
		p, _ := w.h.PartyOf(account, "a")
		w.told()
		first, second := w.plays("first", 50), w.plays("second", 60)
		for _, h := range []call.Hook{first, second, {URL: "nowhere"}} {
			if _, err := w.h.Announce(t.Context(), account, p.Conference, h); err != nil {
				t.Fatal(err)
			}
		}
		w.hear(1050, 50)
		pass(time.Second)
		w.hear(1060, 60)
		pass(time.Second)
		w.hear(1000, 0)
		w.wantTold("4 announcement-end", "5 announcement-end", "6 announcement-fail")
		for i := range maxAnnouncements + 1 {
			_, err := w.h.Announce(t.Context(), account, p.Conference, first)
			if full := i == maxAnnouncements; full != errors.Is(err, call.ErrAnnouncing) {
				t.Errorf("announcement %d: %v", i, err)
			}
		}
		if c, err := w.h.EndConference(t.Context(), account, p.Conference); err != nil || c.Reason != call.EndedByRequest || c.State != call.ConferenceEnded {
			t.Errorf("%+v, %v", c, err)
		}
		w.wantTold("7 participant-leave a end", "8 participant-leave b end", "9 conference-end request ")
	})
}

// TestWaysOut: the star, a time limit, and no room at all.
func TestWaysOut(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b, c := w.dial("a", 100), w.dial("b", 200), w.dial("c", 400)
		sa := a.confer(script.Conference{StartOnEnter: true, HangupOnStar: true, RecordParty: &call.RecordOptions{}})
		sb := b.confer(script.Conference{TimeLimit: 5 * time.Second, Max: 2})
		sc := c.confer(script.Conference{Max: 2})
		if !sc.over() || !sc.res.Full || sc.err != nil || sc.res.Conference != "" {
			t.Errorf("full: %+v, %v", sc.res, sc.err)
		}
		a.keys <- '1'
		a.keys <- '*'
		if !sa.over() || sa.res.Left != call.LeftByStar || sa.res.Recording == nil {
			t.Errorf("star: %+v, %v", sa.res, sa.err)
		}
		pass(5 * time.Second)
		if !sb.over() || sb.res.Left != call.LeftByLimit || sb.res.Duration != 5*time.Second {
			t.Errorf("limit: %+v, %v", sb.res, sb.err)
		}
		if s := c.confer(script.Conference{Name: strings.Repeat("x", MaxName+1)}); !s.over() || !errors.Is(s.err, call.ErrRoomName) {
			t.Errorf("a long name: %v", s.err)
		}
	})
}

// TestSharedKeys: keys of a party that shares them reach all others that are not
// apart.
func TestSharedKeys(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b, c := w.dial("a", 100), w.dial("b", 200), w.dial("c", 400)
		in := script.Conference{StartOnEnter: true, ShareKeys: true}
		for _, x := range []*fake{a, b, c} {
			x.confer(in)
		}
		if _, err := w.h.ChangeParticipant(t.Context(), account, "", "c", call.ParticipantChange{Held: ptr(true)}); err != nil {
			t.Fatal(err)
		}
		if s := w.h.Stats(); s.Conferences != 1 || s.Parties != 3 {
			t.Errorf("%+v", s)
		}
		a.keys <- '4'
		a.keys <- '2'
		pass(time.Millisecond)
		if a.sent != "" || b.sent != "42" || c.sent != "" {
			t.Errorf("sent %q %q %q", a.sent, b.sent, c.sent)
		}
	})
}

// TestRecorded: from the start to the end of the conference, and what it was
// asked for by the first who did.
func TestRecorded(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.dial("a", 100), w.dial("b", 200)
		sa := a.confer(script.Conference{StartOnEnter: true, StartWith: 2, Record: &call.RecordOptions{Source: "Conference"}})
		if len(w.tapes) != 0 {
			t.Error("recorded before it began")
		}
		b.confer(script.Conference{Record: &call.RecordOptions{Source: "other"}})
		if len(w.tapes) != 1 || w.tapes[0].opts.Source != "Conference" || w.tapes[0].inside == nil {
			t.Fatalf("%d recordings", len(w.tapes))
		}
		a.hangup()
		<-sa.done
		if w.tapes[0].stopped {
			t.Error("the recording ended early")
		}
		b.hangup()
		pass(time.Millisecond)
		if !w.tapes[0].stopped {
			t.Error("the recording did not end")
		}
	})
}

// TestInvited: who is called into a conference is shown, is told of when it never
// comes, and is the same party when it does.
func TestInvited(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		hook := call.StatusHook{Hook: call.Hook{URL: "http://app.lan/conf"}}
		cf, err := w.h.Invite(t.Context(), account, "sales", call.Participant{Call: "a", API: "toy", Label: "agent"}, hook)
		if err != nil || cf.State != call.ConferenceInit || cf.Hook.URL != hook.URL {
			t.Fatalf("%+v, %v", cf, err)
		}
		if _, err := w.h.Invite(t.Context(), account, cf.ID, call.Participant{Call: "b", API: "toy"}, call.StatusHook{}); err != nil {
			t.Fatal(err)
		}
		pass(20 * time.Second) // they ring
		p, err := w.h.Participant(account, cf.ID, "agent")
		if err != nil || p.Joined != nil || p.Call != "a" {
			t.Errorf("%+v, %v", p, err)
		}
		if _, err := w.h.ChangeParticipant(t.Context(), account, cf.ID, "agent", call.ParticipantChange{Kick: true}); !errors.Is(err, call.ErrNotFound) {
			t.Errorf("changing somebody who is not there: %v", err)
		}
		a := w.dial("a", 100)
		sa := a.confer(script.Conference{StartOnEnter: true})
		if p, _ := w.h.Participant(account, cf.ID, "a"); p.Label != "agent" || p.Joined == nil {
			t.Errorf("%+v", p)
		}
		w.h.CallEnded(call.Record{ID: "a"}) // it is there: nothing happens
		w.h.CallEnded(call.Record{ID: "b", State: call.Busy, API: "toy", Account: account})
		w.h.CallEnded(call.Record{ID: "z"})
		if w.h.Invited("b") || !w.h.Invited("a") {
			t.Error("who is expected?")
		}
		if ev := w.events[len(w.events)-1]; ev.Record.State != call.Busy || ev.Conference.Participant.Call != "b" {
			t.Errorf("%+v", ev)
		}
		w.wantTold("1 conference-start", "2 participant-join a", "3 participant-leave b hangup")
		a.hangup()
		<-sa.done
		// Somebody who never comes leaves nothing behind.
		cf, _ = w.h.Invite(t.Context(), account, "other", call.Participant{Call: "c", API: "toy"}, hook)
		w.h.CallEnded(call.Record{ID: "c", State: call.NoAnswer})
		if got, _ := w.h.Conference(account, cf.ID); got.State != call.ConferenceEnded {
			t.Errorf("%+v", got)
		}
	})
}

// TestWaitingDocuments: one that fails is replaced by music, with a warning; a
// document before the conference comes first.
func TestWaitingDocuments(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.dial("a", 100), w.dial("b", 200)
		a.confer(script.Conference{Before: w.plays("hello", 33), Wait: call.WaitSound{Hook: call.Hook{URL: "nowhere"}}})
		w.hear(33, 0)
		if w.told() != "" {
			t.Error("it is in the conference already")
		}
		pass(time.Second)
		w.hear(7, 0)
		if !strings.Contains(a.warned(), "the box's own music is played") {
			t.Errorf("warned: %s", a.warned())
		}
		w.docs["bye"] = func(*script.Result) ([]script.Verb, error) { return []script.Verb{script.Hangup{}}, nil }
		sb := b.confer(script.Conference{Wait: call.WaitSound{Hook: call.Hook{URL: "bye"}}})
		if !sb.over() || sb.res.Left != call.LeftByHangup || sb.err == nil {
			t.Errorf("%+v, %v", sb.res, sb.err)
		}
	})
}

// TestTalking is told only where it was asked for.
func TestTalking(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.dial("a", 1000), w.dial("b", 0)
		hook := call.StatusHook{Hook: call.Hook{URL: "x"}, Events: []call.EventType{call.EventSpeechStart, call.EventSpeechStop}}
		a.confer(script.Conference{StartOnEnter: true, Status: hook})
		b.confer(script.Conference{StartOnEnter: true})
		pass(time.Second)
		w.wantTold("1 conference-start", "2 participant-join a", "3 participant-join b", "4 participant-speech-start a")
		a.mu.Lock()
		a.says = 0
		a.mu.Unlock()
		pass(2 * time.Second)
		w.wantTold("5 participant-speech-stop a")
	})
}

// TestPages: conferences are listed newest first, by page and by filter, and only
// so many are remembered.
func TestPages(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		for i := range 7 {
			if i > 0 {
				pass(time.Second)
			}
			name := "odd"
			if i%2 == 0 {
				name = "even"
			}
			c := w.dial(name+string(rune('0'+i)), 0)
			s := c.confer(script.Conference{Name: name})
			if i < 6 {
				c.hangup()
				<-s.done
			}
		}
		names := func(f call.ConferenceFilter) (ids []string, p call.ConferencePage) {
			t.Helper()
			f.Account = account
			p, err := w.h.Conferences(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range p.Conferences {
				ids = append(ids, strings.TrimPrefix(c.ID, "conference"))
			}
			return ids, p
		}
		got, p := names(call.ConferenceFilter{Limit: 3})
		if !slices.Equal(got, []string{"7", "6", "5"}) || p.Next == "" || p.Previous != "" {
			t.Errorf("first page %v %+v", got, p)
		}
		got, p = names(call.ConferenceFilter{Limit: 3, Cursor: p.Next})
		if !slices.Equal(got, []string{"4", "3", "2"}) || p.Next == "" || p.Previous == "" {
			t.Errorf("second page %v", got)
		}
		back, _ := names(call.ConferenceFilter{Limit: 3, Cursor: p.Previous})
		last, end := names(call.ConferenceFilter{Limit: 3, Cursor: p.Next})
		if !slices.Equal(back, []string{"7", "6", "5"}) || !slices.Equal(last, []string{"1"}) || end.Next != "" {
			t.Errorf("back %v, last %v", back, last)
		}
		if got, _ := names(call.ConferenceFilter{Name: "odd"}); !slices.Equal(got, []string{"6", "4", "2"}) {
			t.Errorf("by name %v", got)
		}
		if got, _ := names(call.ConferenceFilter{State: call.ConferenceInit}); !slices.Equal(got, []string{"7"}) {
			t.Errorf("by state %v", got)
		}
		if got, _ := names(call.ConferenceFilter{CreatedUntil: time.Now().Add(-4500 * time.Millisecond)}); !slices.Equal(got, []string{"2", "1"}) {
			t.Errorf("by time %v", got)
		}
		if _, err := w.h.Conferences(call.ConferenceFilter{Cursor: "nonsense"}); !errors.Is(err, call.ErrCursor) {
			t.Errorf("a cursor from elsewhere: %v", err)
		}
	})
}
