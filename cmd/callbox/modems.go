package main

import (
	"context"
	"slices"

	"callbox/board"
	"callbox/call"
	"callbox/call/line/gsm"
	driver "callbox/hal/gsm"
	"callbox/hal/sms"
	"callbox/storage/config"
)

// simModems is how many modems the sim board has: one of each family.
const simModems = 3

// modemOf is the configuration of a slot.
func modemOf(snap config.Snapshot, port string) (config.Modem, bool) {
	for _, m := range snap.Modems {
		if m.Port == port {
			return m, true
		}
	}
	return config.Modem{Port: port}, false
}

// hasModem reports whether a slot is a line: it is set up, or a modem is or was in it.
func hasModem(p board.Port, snap config.Snapshot) bool {
	_, ok := modemOf(snap, p.Name)
	return ok || p.Far != nil || p.GSM.State().IMEI != ""
}

// useModems gives the slots their configuration.
func (a *app) useModems(snap config.Snapshot) {
	for _, p := range a.board.Ports {
		if p.GSM == nil {
			continue
		}
		m, _ := modemOf(snap, p.Name)
		c := driver.Config{Name: p.Name, IMEI: m.IMEI, ICCID: m.ICCID, Place: m.Place, PIN: m.PIN.Reveal(), Roaming: m.Roaming, VoLTE: m.VoLTE, Card: m.Sound == "card",
			Log: a.log.With("port", p.Name), Trace: a.traceModem(p.Name, p.GSM.Busy),
			Texts: textReceiver{a.texts, p.Name}, Tables: sms.TablesOf(snap.Country)}
		if m.IMEI == "" && m.ICCID == "" && m.Place == "" {
			c.Place = p.Place
		}
		p.GSM.Use(c)
	}
}

// wantedModem is the line of a slot.
func (a *app) wantedModem(p board.Port, snap config.Snapshot) wantedLine {
	m, _ := modemOf(snap, p.Name)
	return wantedLine{id: p.Name, print: fingerprint("gsm", m.Number), make: func() (call.Line, error) {
		return gsm.New(gsm.Config{ID: p.Name, Number: m.Number, Log: a.log}, p.GSM, p.PCM)
	}}
}

// watchModems gives every modem that was plugged in for the first time a line, until
// ctx ends. Which slot it has is kept, so that the line has the same name wherever
// the modem is plugged in, also after a restart.
func (a *app) watchModems(ctx context.Context) error {
	if a.board.Modems == nil {
		<-ctx.Done()
		return nil
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.board.Modems.News():
		}
		if len(a.newModems(a.config())) == 0 {
			continue
		}
		err := a.change(ctx, func(s *config.Snapshot) error {
			s.Modems = append(slices.Clone(s.Modems), a.newModems(*s)...)
			return nil
		})
		if err != nil && ctx.Err() == nil {
			a.log.Error("the line of a new modem cannot be kept", "err", err)
		}
	}
}

// newModems are those in slots that are not set up. Simulated ones have their own.
func (a *app) newModems(snap config.Snapshot) []config.Modem {
	var out []config.Modem
	for _, p := range a.board.Ports {
		if p.GSM == nil || p.Far != nil {
			continue
		}
		if _, ok := modemOf(snap, p.Name); ok {
			continue
		}
		if imei := p.GSM.State().IMEI; imei != "" {
			out = append(out, config.Modem{Port: p.Name, IMEI: imei})
		}
	}
	return out
}

// modemApplication is what runs calls that arrive at a slot and no number claims.
func modemApplication(snap *config.Snapshot, line string) string {
	m, _ := modemOf(*snap, line)
	return m.Application
}
