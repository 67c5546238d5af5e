package call

import (
	"errors"
	"time"
)

// Sentinels of conferences and queues; what does not exist is ErrNotFound.
var (
	ErrRoomLimit  = errors.New("the box has as many conferences and queues, or parties in one, as it can hold")
	ErrRoomName   = errors.New("the name of a conference or queue is missing or too long")
	ErrQueueTaken = errors.New("the account has a queue of this name already")
	ErrQueueInUse = errors.New("calls are waiting in the queue; take them out first")
	ErrAnnouncing = errors.New("too many announcements are waiting to be played; try again when one has ended")
	ErrNoCoached  = errors.New("the call that is to be coached is not in the conference")
)

// ConferenceState is where a conference stands.
type ConferenceState string

const (
	ConferenceInit    ConferenceState = "init"        // nobody who may start it has come
	ConferenceRunning ConferenceState = "in-progress" // its parties hear each other
	ConferenceEnded   ConferenceState = "completed"
)

// Conference is what is known of a conference. It is a value: a snapshot.
type Conference struct {
	ID      string          `json:"id"`
	API     string          `json:"api"` // the dialect of the call that made it
	Account string          `json:"account"`
	Name    string          `json:"name"` // unique among the account's conferences that have not ended
	State   ConferenceState `json:"state"`
	Created time.Time       `json:"created"`
	Updated time.Time       `json:"updated"`
	Started *time.Time      `json:"started,omitempty"`
	Ended   *time.Time      `json:"ended,omitempty"`
	Members int             `json:"members"`            // who is in it now, waiting ones included
	Reason  ConferenceEnd   `json:"reason,omitempty"`   // why it ended
	EndedBy string          `json:"ended_by,omitempty"` // id of the call that ended it
	Hook    StatusHook      `json:"hook"`               // told of its progress; it is that of the first party
	Tag     string          `json:"tag,omitempty"`      // the first party's Session.Tag
	Seq     int             `json:"seq"`                // next sequence number of an event
	Calls   []string        `json:"calls,omitempty"`    // ids of those that were in it, the latest MaxConferenceCalls; never changed, only replaced
}

// MaxConferenceCalls is how many of the calls that were in it a conference remembers.
const MaxConferenceCalls = 1000

// ConferenceEnd is why a conference ended.
type ConferenceEnd string

const (
	EndedByRequest  ConferenceEnd = "request"          // somebody asked for it
	EndedEmpty      ConferenceEnd = "empty"            // the last party left
	EndedByKick     ConferenceEnd = "kicked"           // the last party was thrown out
	EndedWithMember ConferenceEnd = "moderator-left"   // a party left with whom it ends
	EndedWithKicked ConferenceEnd = "moderator-kicked" // such a party was thrown out
)

// Departure is why a party is no longer in a conference.
type Departure string

const (
	LeftByHangup   Departure = "hangup"   // its call ended
	LeftByStar     Departure = "star"     // it pressed *
	LeftByLimit    Departure = "limit"    // its time limit passed
	LeftByRedirect Departure = "redirect" // another document took the call
	LeftByKick     Departure = "kicked"   // somebody threw it out
	LeftAtEnd      Departure = "end"      // the conference ended
)

// Participant is a call in a conference, or on its way there. It is a value.
type Participant struct {
	Conference   string     `json:"conference"` // Conference.ID
	Call         string     `json:"call"`       // Record.ID
	API          string     `json:"api"`
	Account      string     `json:"account"`
	Label        string     `json:"label,omitempty"` // its name within the conference
	Tag          string     `json:"tag,omitempty"`   // what it shares with others
	Created      time.Time  `json:"created"`
	Updated      time.Time  `json:"updated"`
	Joined       *time.Time `json:"joined,omitempty"` // nil: its call is still being placed
	Muted        bool       `json:"muted,omitempty"`
	Held         bool       `json:"held,omitempty"`
	Waiting      bool       `json:"waiting,omitempty"` // for the start of the conference
	StartOnEnter bool       `json:"start_on_enter,omitempty"`
	EndOnExit    bool       `json:"end_on_exit,omitempty"`
	BeepOnExit   bool       `json:"beep_on_exit,omitempty"`
	Coach        string     `json:"coach,omitempty"`    // id of the only call that hears it
	SpeakTo      string     `json:"speak_to,omitempty"` // Tag of those who alone hear it
}

// WaitSound is what a waiting party hears: a document or sound that is asked for
// again and again, the box's music when there is none, or nothing.
type WaitSound struct {
	Hook
	Silent bool `json:"silent,omitempty"`
}

// ParticipantChange changes a party of a conference. Exactly the set parts are
// done, in this order.
type ParticipantChange struct {
	Tag        *string
	EndOnExit  *bool
	BeepOnExit *bool
	Wait       *WaitSound // heard until the conference starts
	Coach      *string    // id of the only call that is to hear it; empty: all do
	SpeakTo    *string    // Tag of those who alone are to hear it; empty: all do
	Muted      *bool
	Hold       *WaitSound // heard while it is on hold
	Held       *bool
	Announce   *Hook // played to it alone
	Kick       bool  // it leaves the conference; its document goes on
}

// The events of conferences. They carry Event.Conference, and Event.Record is the
// call that they are about, if there is one.
const (
	EventConferenceStart  EventType = "conference-start"
	EventConferenceEnd    EventType = "conference-end"
	EventJoin             EventType = "participant-join"
	EventLeave            EventType = "participant-leave"
	EventMute             EventType = "participant-mute"
	EventUnmute           EventType = "participant-unmute"
	EventHold             EventType = "participant-hold"
	EventUnhold           EventType = "participant-unhold"
	EventModify           EventType = "participant-modify"
	EventSpeechStart      EventType = "participant-speech-start"
	EventSpeechStop       EventType = "participant-speech-stop"
	EventAnnouncementEnd  EventType = "announcement-end"
	EventAnnouncementFail EventType = "announcement-fail"
)

// ConferenceNews is what an event of a conference tells.
type ConferenceNews struct {
	Conference  Conference   // as it was right after the event
	Participant *Participant // that the event is about, nil when it is about all
	Left        Departure    // EventLeave
	URL         string       // of an announcement
	Fault       string       // EventAnnouncementFail: why, one sentence
}

// ConferenceFilter selects conferences of one account, newest first.
type ConferenceFilter struct {
	Account, Name              string
	State                      ConferenceState // empty: any
	CreatedAfter, CreatedUntil time.Time       // inclusive; zero: open
	UpdatedAfter, UpdatedUntil time.Time
	Limit                      int    // page size, 1…1000; 0: 50
	Cursor                     string // Next or Previous of an earlier page; empty: the newest
}

// ConferencePage is one page of conferences.
type ConferencePage struct {
	Conferences    []Conference
	Next, Previous string // cursors, empty at the ends
}
