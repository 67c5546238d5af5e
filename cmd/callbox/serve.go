package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"
)

// serveCmd runs the gateway.
type serveCmd struct {
	dataDir
	HTTP     string `default:"0.0.0.0:8080" help:"Address of the call API."`
	HTTPS    string `default:"0.0.0.0:8443" help:"Address of the call API over TLS; empty: none."`
	SIP      string `default:"0.0.0.0:5060" help:"Address of SIP over UDP and TCP; TLS is one port above."`
	Board    string `default:"auto" help:"auto, sim, or the name of a board profile."`
	LogLevel string `default:"info" enum:"debug,info,warn,error" help:"debug, info, warn or error."`
}

// garbagePercent is how much garbage the gateway lets gather, in percent of what
// it uses, unless GOGC says otherwise. Go's own 100 is for machines with memory
// to spare: 25 saves a fifth of the memory of a busy gateway, and costs a seventh
// of the processor time of setting calls up and none of carrying them, because
// that makes no garbage (make bench).
const garbagePercent = 25

// ballastSize is memory that is set aside and never touched, so that it takes no
// room: the percentage counts from it too. Without it a gateway that holds little
// collects garbage every 2 MB, which is a sixth of the processor time of a call
// made now and then; with it every 10 MB, however little it holds (make bench).
const ballastSize = 32 << 20

// Run runs the gateway until ctx ends.
func (c *serveCmd) Run(ctx context.Context) error {
	began := time.Now()
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
		ballast := make([]byte, ballastSize)
		defer runtime.KeepAlive(ballast)
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	return serve(ctx, appConfig{Data: c.Data, HTTP: c.HTTP, HTTPS: c.HTTPS, SIP: c.SIP, Board: c.Board, Log: log, Out: os.Stdout}, began, nil)
}

// serve builds and runs the app; started, when not nil, is told the app once it
// is ready. After a reset the app is built anew.
func serve(ctx context.Context, cfg appConfig, began time.Time, started func(*app)) error {
	for {
		a, err := newApp(ctx, cfg)
		if err != nil {
			return err
		}
		err = a.run(ctx, func() {
			io.WriteString(cfg.Out, a.banner(time.Since(began))) //nolint:errcheck // a closed terminal is no reason to stop
			if started != nil {
				started(a)
			}
		})
		var reset *resetError
		if !errors.As(err, &reset) {
			return err
		}
		if err := reset.do(ctx, cfg.Data, cfg.Log); err != nil {
			return err
		}
		began, cfg.Fresh = time.Now(), true
	}
}

// defaultData is /var/lib/callbox for root, else a folder in the user's home.
func defaultData() string {
	if os.Geteuid() == 0 {
		return "/var/lib/callbox"
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "callbox-data"
	}
	return filepath.Join(home, ".local", "share", "callbox")
}
