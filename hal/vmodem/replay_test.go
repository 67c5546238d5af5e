package vmodem_test

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/hal"
	"callbox/hal/at"
	"callbox/hal/vmodem"
)

// TestReplay plays dialogues with modems of both makes back, written from what is known
// of them: set up, a call that comes in, one that goes out, a dead line. Every line that
// the driver writes must be the one of the dialogue.
func TestReplay(t *testing.T) {
	for name, country := range map[string]string{"cx930xx": "US", "usr5637": "DE"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { replay(t, name, country) })
		})
	}
}

func replay(t *testing.T, name, country string) {
	f, err := os.Open("testdata/" + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	list, err := at.ReadTrace(f)
	if err != nil {
		t.Fatal(err)
	}
	p := at.NewPlayer(list)
	opened := false
	d, err := vmodem.Open(vmodem.Config{Country: country, Open: func(context.Context) (io.ReadWriteCloser, error) {
		if opened {
			return nil, hal.ErrGone
		}
		opened = true
		return p, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close() //nolint:errcheck // played
	var heard []string
	take := func(until hal.ExchangeEventType) hal.ExchangeEvent {
		t.Helper()
		limit := time.After(30 * time.Second)
		for {
			select {
			case e := <-d.Events():
				heard = append(heard, e.Type.String())
				if e.Type == until {
					return e
				}
			case <-limit:
				t.Fatalf("no %v after %v; %v; %d lines left", until, heard, p.Err(), p.Left())
			}
		}
	}
	take(hal.Ring)
	if e := take(hal.Caller); e.Number != "0301234567" || e.Name != "ALICE" {
		t.Errorf("caller %+v", e)
	}
	take(hal.Ring)
	for _, o := range []hal.Seizure{{}, {Digits: "0301234567"}} {
		if err := d.Seize(o); err != nil {
			t.Fatal(err)
		}
		take(hal.Connected)
		<-time.After(time.Second)
		d.Release()
		if e := take(hal.Released); e.Err != nil {
			t.Errorf("released: %v", e.Err)
		}
	}
	if err := d.Seize(hal.Seizure{Digits: "5550123"}); err != nil {
		t.Fatal(err)
	}
	if e := take(hal.Released); !errors.Is(e.Err, hal.ErrNoDialTone) {
		t.Errorf("released: %v", e.Err)
	}
	if err := p.Err(); err != nil || p.Left() > 0 {
		t.Errorf("%v; %d lines left", err, p.Left())
	}
	want := "ring caller ring connected busy-tone loop-break digit underrun released connected dial-tone released released"
	if got := strings.Join(heard, " "); got != want {
		t.Errorf("events %s, want %s", got, want)
	}
	if h := d.Health(); !h.OK || h.Text != "on-hook" {
		t.Errorf("health %+v", h)
	}
}
