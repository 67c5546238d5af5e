package socket

import "time"

// Timing are the times of sessions.
type Timing struct{ Handshake, Backoff, Ack, Ask, Linger, Ping time.Duration }

// SetTiming changes them; before the first session.
func (h *Hub) SetTiming(t Timing) {
	h.times = timing{t.Handshake, t.Backoff, t.Ack, t.Ask, t.Linger, t.Ping}
}
