package call

import "time"

// Queue is a queue of calls that wait for somebody. It is a value: a snapshot.
type Queue struct {
	ID      string        `json:"id"`
	API     string        `json:"api"` // the dialect in which it was made
	Account string        `json:"account"`
	Name    string        `json:"name"` // unique among the account's queues
	Max     int           `json:"max"`  // most calls that may wait
	Created time.Time     `json:"created"`
	Updated time.Time     `json:"updated"`
	Size    int           `json:"-"` // calls that wait now
	Wait    time.Duration `json:"-"` // how long they have waited so far, on average
}

// The events of queues. They carry Event.Queue, and Event.Record is the call that
// came or left.
const (
	EventQueueJoin  EventType = "queue-join"
	EventQueueLeave EventType = "queue-leave"
)

// QueueNews is what an event of a queue tells.
type QueueNews struct {
	Queue  Queue // as it was right after the event
	Joined time.Time
	Taken  bool   // EventQueueLeave: somebody wanted the call
	By     string // id of the call that did
}

// The bounds of a queue.
const (
	DefaultQueueSize = 1000
	MaxQueueSize     = 5000
	MaxQueueName     = 64 // characters
)

// QueueMember is a call that waits in a queue. It is a value.
type QueueMember struct {
	Queue    string // Queue.ID
	Call     string // Record.ID
	Position int    // 1 is the front
	Enqueued time.Time
	Wait     time.Duration // how long it has waited so far
}

// QueueOutcome is how a call left a queue.
type QueueOutcome string

const (
	QueueBridged    QueueOutcome = "bridged"                 // it was connected with somebody, which is over
	QueueFull       QueueOutcome = "queue-full"              // there was no room
	QueueHangup     QueueOutcome = "hangup"                  // its call ended while it waited
	QueueLeave      QueueOutcome = "leave"                   // its waiting document left
	QueueRedirected QueueOutcome = "redirected"              // another document took the waiting call
	QueueTakenAway  QueueOutcome = "redirected-from-bridged" // another document took the connected call
	QueueError      QueueOutcome = "error"
)
