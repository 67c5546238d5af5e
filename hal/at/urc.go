package at

import "time"

// urc hands a URC over; one that has a second line waits for it.
func (l *loop) urc(u URC) {
	u.At = time.Now()
	if u.Line != "" && startsWith(u.Line, doubles) {
		l.twin = &u
		return
	}
	l.hand(u)
}

// twinned completes a URC that waits for its second line, and reports whether s
// was that line.
func (l *loop) twinned(s string) bool {
	if l.twin == nil {
		return false
	}
	u := *l.twin
	l.twin = nil
	mine := isHex(s)
	if mine {
		u.Body = s
	}
	l.hand(u)
	return mine
}

func (l *loop) hand(u URC) {
	u.Lost = l.lost
	select {
	case l.e.urcs <- u:
		l.lost = 0
		l.e.count(func(s *Stats) { s.URCs++ })
	default:
		l.lost++
		l.e.count(func(s *Stats) { s.Lost++ })
	}
}
