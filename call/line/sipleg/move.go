package sipleg

import (
	"context"
	"time"

	"callbox/sip/sdp"
)

// moveTime bounds how long a far end is asked to follow the box to its new address.
const moveTime = time.Minute

// moved has the far end of an answered branch follow the box to its new address,
// which the branch has already: by a re-INVITE with the sound there. A far end that
// talks to another one past the box, or over ICE, learns only where we are called.
func (l *Leg) moved(b *branch) {
	t := &l.talk
	if !t.answered {
		return // what we say next shows it
	}
	if t.released != nil || b.web != nil {
		b.d.Renew()
		return
	}
	take := func(m sdp.Media) error {
		if f := l.talk.fax; f != nil {
			f.way.Aim(f.side, m.Fax.Addr, b.addr)
			return nil
		}
		return l.agree(b, m)
	}
	l.errands.Go(func() {
		ctx, cancel := context.WithTimeout(l.life, moveTime)
		defer cancel()
		if err := l.Reoffer(ctx, Reoffer{Change: func(*sdp.Local) {}, Take: take}); err != nil {
			l.log.Info("the far end did not follow the box to its new address", "err", err)
		}
	})
}
