package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"callbox/api"
	"callbox/api/admin"
	"callbox/api/twilio"
	"callbox/call"
	"callbox/storage"
	"callbox/storage/config"
)

// gateway is the running app as the control interface sees it.
type gateway struct{ a *app }

var (
	_ admin.Box       = gateway{}
	_ admin.Bans      = gateway{}
	_ admin.Mailboxes = gateway{}
	_ admin.Capturer  = gateway{}
	_ admin.Tolls     = gateway{}
	_ admin.Sims      = gateway{}
	_ admin.Modems    = gateway{}
	_ admin.Hardware  = gateway{}
)

// Lines lists the lines.
func (g gateway) Lines() []admin.Line { return g.a.lines.list() }

// Bans lists who gets no answer on SIP.
func (g gateway) Bans() []admin.Ban {
	list := []admin.Ban{}
	for _, b := range g.a.stack.Bans() {
		list = append(list, admin.Ban(b))
	}
	return list
}

// Unban lifts the bans of an address.
func (g gateway) Unban(addr netip.Addr) int {
	n := g.a.stack.Unban(addr)
	g.a.log.Info("bans lifted by hand", "remote", addr, "bans", n)
	return n
}

// AllWaiting tells how many messages wait for each user.
func (g gateway) AllWaiting() map[string]api.Waiting { return g.a.mailboxes.AllWaiting() }

// SetAnyWaiting says how many messages wait for a user.
func (g gateway) SetAnyWaiting(ctx context.Context, user string, w api.Waiting) error {
	return g.a.mailboxes.SetAnyWaiting(ctx, user, w)
}

// Explain tells how a number would be routed.
func (g gateway) Explain(to, _ string) []string { return g.a.router.explain(to) }

// Account is the first account.
func (g gateway) Account() string { return g.a.config().Accounts[0].ID }

// NewRequest completes a call made by hand.
func (g gateway) NewRequest(n admin.NewCall) (call.Request, error) {
	if n.Timeout < 0 || n.Timeout > 600 {
		return call.Request{}, errors.New("timeout must be 0 to 600 seconds")
	}
	r := call.Request{ID: g.a.dialects.newID(twilio.Name, string(api.CallID)), API: twilio.Name, Account: g.Account(), From: n.From, To: n.To, Line: n.Line,
		Script:      call.ScriptSource{Main: call.Hook{URL: n.URL}, Inline: n.Twiml},
		RingTimeout: time.Duration(n.Timeout) * time.Second}
	if n.Twiml != "" {
		if _, err := g.a.dialects.of(twilio.Name).Decode([]byte(n.Twiml), "text/xml", ""); err != nil {
			return call.Request{}, fmt.Errorf("twiml: %w", err)
		}
	}
	if n.Record {
		r.Record = &call.RecordOptions{Channels: 2, Source: "OutboundAPI"}
	}
	return r, nil
}

// config is the present configuration.
func (a *app) config() config.Snapshot {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.snap
}

// Export gives the configuration as YAML.
func (g gateway) Export(secrets bool) ([]byte, error) { return g.a.config().Export(secrets) }

// Import checks, stores and applies a configuration. A text that says which
// version it was made from is refused when there is a newer one.
func (g gateway) Import(ctx context.Context, text []byte, dryRun bool) ([]string, error) {
	a := g.a
	a.mu.Lock()
	defer a.mu.Unlock()
	next, err := config.Import(text, a.snap)
	if err != nil {
		return nil, err
	}
	switch {
	case next.Version == 0:
		next.Version = a.snap.Version
	case next.Version != a.snap.Version:
		return nil, &admin.ConflictError{Err: fmt.Errorf("%w: it was made from version %d and the present one is %d; export again and repeat the change",
			storage.ErrConflict, next.Version, a.snap.Version)}
	}
	if len(next.Accounts) == 0 {
		return nil, errors.New("accounts: the last account cannot be removed; every call belongs to one")
	}
	if _, err := compileRoutes(next, a.lineIDs(next), true); err != nil {
		return nil, err
	}
	if _, err := tollRules(next); err != nil {
		return nil, err
	}
	diff := later(config.Diff(a.snap, next))
	if dryRun || len(diff) == 0 {
		return diff, nil
	}
	saved, err := a.store.SaveConfig(ctx, next)
	if errors.Is(err, storage.ErrConflict) {
		return nil, &admin.ConflictError{Err: err}
	}
	if err != nil {
		return nil, err
	}
	return diff, a.useConfig(saved)
}

// later marks what counts from the next start on only.
func later(diff []string) []string {
	for i, d := range diff {
		if strings.HasPrefix(d, "media.port_") {
			diff[i] = d + " (from the next start of the gateway on)"
		}
	}
	return diff
}
