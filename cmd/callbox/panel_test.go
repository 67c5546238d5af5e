package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"callbox/board"
)

// TestProbe: the probe behind the watchdog is content with a box that works, and not
// with one that has stopped answering.
func TestProbe(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	up, done := make(chan *app, 1), make(chan error, 1)
	go func() {
		done <- serve(ctx, appConfig{Data: t.TempDir(), HTTP: "127.0.0.1:0", SIP: "127.0.0.1:0", Board: "sim",
			Log: slog.New(slog.DiscardHandler), Out: io.Discard}, time.Now(), func(a *app) { up <- a })
	}()
	var a *app
	select {
	case a = <-up:
	case err := <-done:
		t.Fatal(err)
	}
	p := newProbe(a)
	defer p.close()
	asked, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	if err := p.check(asked); err != nil {
		t.Errorf("a box that works: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := p.check(asked); err == nil {
		t.Error("a box that has stopped works")
	}
}

// TestPanelButton: what holding the button asks for, and what its light says meanwhile.
func TestPanelButton(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	for _, tt := range []struct {
		held time.Duration
		want string
	}{
		{4 * time.Second, ""},
		{6 * time.Second, "the configuration is set back"},
		{12 * time.Second, "everything is set back"},
	} {
		a.panel.pressed(board.Press{})
		a.panel.pressed(board.Press{Held: tt.held, Released: true})
		got := ""
		select {
		case r := <-a.panel.reset:
			got = r.Error()
		default:
		}
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("held for %v: %q", tt.held, got)
		}
	}
}

// TestPanelWarnings: what the machine complains of is noted until it is over.
func TestPanelWarnings(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	a.panel.root = fstest.MapFS{"sys/class/thermal/thermal_zone0/temp": {Data: []byte("85000\n")}}
	a.panel.inspect()
	if len(a.panel.warns) != 1 || len((gateway{a}).Board().Warnings) != 1 {
		t.Errorf("hot: %v", a.panel.warns)
	}
	a.panel.root = fstest.MapFS{}
	a.panel.inspect()
	if len(a.panel.warns) != 0 {
		t.Errorf("cool again: %v", a.panel.warns)
	}
}

// TestResetOfNothing: a folder that is not there is set back too.
func TestResetOfNothing(t *testing.T) {
	t.Parallel()
	for _, everything := range []bool{true, false} {
		r := &resetError{Everything: everything}
		if err := r.do(t.Context(), t.TempDir(), slog.New(slog.DiscardHandler)); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}
