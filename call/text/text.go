package text

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"callbox/call"
)

// Line is a line that sends text messages.
type Line interface {
	call.Line
	call.Texter
}

// Store keeps the office's entries.
type Store interface {
	// LoadTexts gives all of them.
	LoadTexts() ([]Entry, error)
	// SaveTexts replaces entries by key, those with a nil Value go, and adds notices to
	// the outbox: all of it is on disk when it returns, or nothing.
	SaveTexts(ctx context.Context, entries []Entry, notices []call.Notice) error
}

// Entry is something that is kept.
type Entry struct {
	Key   string
	Value []byte
}

// Teller makes the notices that applications are owed.
type Teller interface {
	// TextStatus tells the message's hook of its status.
	TextStatus(m call.Message) []call.Notice
	// TextArrived asks the application what to do about a message.
	TextArrived(m call.Message, p Plan) []call.Notice
}

// Plan says whose a message is that arrived.
type Plan struct {
	Account, API   string
	Application    string // its id, may be empty
	Hook, Fallback call.Hook
	Why            string // no application gets it, one sentence; only if Hook is empty
}

// Config is what a [House] needs. Alert, Admit and Log may be nil.
type Config struct {
	Store  Store
	Teller Teller
	Lines  func() []Line
	// Plan finds who gets a message that arrived on a line for a number.
	Plan func(line, to string) Plan
	// Owned reports whether the number arrives on the line by the configuration, for
	// lines that do not know their number.
	Owned func(line, number string) bool
	// Same reports whether two ways of writing are one number.
	Same func(a, b string) bool
	// Join puts the PDUs of a message together, Count counts the messages that a text takes.
	Join  func(pdus []string) (string, error)
	Count func(body string) int
	NewID func(api string) string
	// Admit asks the guards of the costs for so many messages of the network.
	Admit func(account, line string, segments int, now time.Time) error
	// Alert tells of what went wrong, for people.
	Alert func(account, text string)
	Log   *slog.Logger
}

// Limits.
const (
	maxKept  = 4000 // messages; the oldest that are over go first
	maxQueue = 500  // messages that wait for one line
	maxEarly = 200  // reports before their message is sent; the oldest go
	maxParts = 2000 // parts that wait for others, of all senders

	partsFor = 24 * time.Hour   // parts wait for the others
	sendFor  = 30 * time.Minute // a message is tried
	saveFor  = 10 * time.Second // the disk may take
	lookAt   = 10 * time.Minute // for parts that are too old
)

// Errors of [House.SendMessage], besides call.ErrNoMessenger.
var (
	ErrQueue = fmt.Errorf("too many text messages wait for this line; send it later: %w", call.ErrLimit)
	ErrLong  = fmt.Errorf("the text is too long for this line: %w", call.ErrLimit)
)
