package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callbox/hal/sim/cell"
)

// TestNewModems plugs modems into a gateway that was never told of any: each gets a
// line, and keeps it when all are plugged in elsewhere while the gateway is off.
func TestNewModems(t *testing.T) {
	t.Parallel()
	usb, err := cell.NewTree(filepath.Join(t.TempDir(), "usb"))
	if err != nil {
		t.Fatal(err)
	}
	network := cell.NewNetwork()
	var modems []*cell.Modem
	for i, f := range []cell.Family{cell.E1550, cell.EC25} {
		m := cell.NewModem(network, cell.Config{Family: f, IMEI: fmt.Sprintf("86000000000003%d", i), Number: fmt.Sprintf("+1415555010%d", i),
			Caller: "+14155550199", Card: cell.Card{ICCID: fmt.Sprintf("890126000000000003%d", i)}})
		modems = append(modems, m)
	}
	t.Cleanup(func() {
		if err := usb.Close(); err != nil {
			t.Error(err)
		}
		for _, m := range modems {
			m.Close()
		}
	})
	data := t.TempDir()
	// run has a gateway run while f looks at it.
	run := func(f func(g gateway, until func(what string, ok func() bool))) {
		t.Helper()
		var log lockedLog
		serving, stop := context.WithCancel(t.Context())
		started, done := make(chan *app, 1), make(chan error, 1)
		go func() {
			done <- serve(serving, appConfig{Data: data, HTTP: "127.0.0.1:0", SIP: "127.0.0.1:0", Board: "pi", USB: usb.Root,
				Log: slog.New(slog.NewTextHandler(&log, nil)), Out: io.Discard}, time.Now(), func(a *app) { started <- a })
		}()
		defer func() {
			stop()
			if err := <-done; err != nil {
				t.Errorf("the gateway: %v", err)
			}
			if t.Failed() {
				t.Log(log.String())
			}
		}()
		select {
		case a := <-started:
			f(gateway{a}, func(what string, ok func() bool) {
				t.Helper()
				limit := time.NewTimer(2 * phoneTime)
				defer limit.Stop()
				tick := time.NewTicker(50 * time.Millisecond)
				defer tick.Stop()
				for !ok() {
					select {
					case <-tick.C:
					case <-limit.C:
						t.Fatalf("not in time: %s; lines %+v", what, gateway{a}.Lines())
					}
				}
			})
		case err := <-done:
			done <- err
			t.Fatalf("the gateway did not start: %v", err)
		}
	}
	owners := map[string]string{} // IMEI → line
	run(func(g gateway, until func(string, func() bool)) {
		for i, m := range modems {
			if err := usb.Plug(m, fmt.Sprintf("1-1.%d", i+1)); err != nil {
				t.Fatal(err)
			}
		}
		until("both lines are registered", func() bool {
			n := 0
			for _, l := range g.Lines() {
				if strings.HasPrefix(l.ID, "gsm") && l.Status.Ready {
					n++
				}
			}
			return n == len(modems)
		})
		for _, m := range g.Modems() {
			if m.IMEI != "" {
				owners[m.IMEI] = m.Port
			}
		}
	})
	if len(owners) != len(modems) {
		t.Fatalf("owners %v", owners)
	}
	for i, m := range modems {
		usb.Unplug(m)
		if err := usb.Plug(m, fmt.Sprintf("1-1.%d", 9-i)); err != nil {
			t.Fatal(err)
		}
	}
	run(func(g gateway, until func(string, func() bool)) {
		until("both modems are where they were", func() bool {
			n := 0
			for _, m := range g.Modems() {
				if m.IMEI != "" {
					n++
					if owners[m.IMEI] != m.Port {
						t.Fatalf("the modem %s has line %s, had %s", m.IMEI, m.Port, owners[m.IMEI])
					}
				}
			}
			return n == len(modems)
		})
	})
}
