package main

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"

	"callbox/sip"
	"callbox/storage/config"
)

// outside keeps the address that peers outside of a NAT are shown: the one of the
// configuration, or what a STUN server tells.
type outside struct {
	stack *sip.Stack
	log   *slog.Logger

	mu      sync.Mutex // guards the rest
	media   config.Media
	changed chan struct{} // closed when media has changed
}

func newOutside(stack *sip.Stack, log *slog.Logger) *outside {
	return &outside{stack: stack, log: log, changed: make(chan struct{})}
}

// use takes another configuration.
func (o *outside) use(m config.Media) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if m.External == o.media.External && m.STUN == o.media.STUN {
		return
	}
	o.media = m
	close(o.changed)
	o.changed = make(chan struct{})
	addr, _ := netip.ParseAddr(m.External) // the configuration was checked; empty: none
	o.stack.SetExternal(addr, 0)
}

// run asks the STUN server of the present configuration until ctx ends.
func (o *outside) run(ctx context.Context) error {
	for ctx.Err() == nil {
		o.mu.Lock()
		media, changed := o.media, o.changed
		o.mu.Unlock()
		host, port, ok := media.STUNServer()
		if host == "" || !ok {
			select {
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		inner, stop := context.WithCancel(ctx)
		watched := make(chan struct{})
		go func() { // ends with inner, and is waited for below
			defer close(watched)
			select {
			case <-changed:
				stop()
			case <-inner.Done():
			}
		}()
		err := o.stack.Discover(inner, sip.DiscoverConfig{Host: host, Port: port, OnChange: func(d sip.Discovery) { o.tell(media.STUN, d) }})
		stop()
		<-watched
		if err != nil {
			return err
		}
	}
	return nil
}

// tell logs what a STUN server said.
func (o *outside) tell(server string, d sip.Discovery) {
	switch {
	case d.Err != nil:
		o.log.Warn("the address outside of the NAT is not known anew", "server", server, "err", d.Err)
	case d.External.IsValid():
		o.log.Info("the box is behind a NAT", "server", server, "external", d.External)
	default:
		o.log.Info("there is no NAT in front of the box", "server", server)
	}
}
