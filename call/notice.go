package call

import "time"

// Notice is a message to a hook that waits in the durable outbox until it was
// delivered or given up. Notices with the same Key are delivered in order of ID.
type Notice struct {
	ID      uint64    `json:"id"`  // given by the store, rising
	Key     string    `json:"key"` // the call's id
	Created time.Time `json:"created"`
	Payload []byte    `json:"payload"` // the sender's own encoding (api/hook)
}
