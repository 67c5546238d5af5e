//go:build bench

package bench

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/emiago/sipgo"
	gosip "github.com/emiago/sipgo/sip"
)

// childEnv names the port on which this program, started anew, is the bare user
// agent instead of the measurement.
const childEnv = "CALLBOX_BENCH_UAS"

// serveUAS is the bare user agent: sipgo's server as its documentation shows it,
// which answers every call and does nothing else.
func serveUAS(port string) error {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	gosip.SetDefaultLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))
	ua, err := sipgo.NewUA()
	if err != nil {
		return err
	}
	defer ua.Close()
	srv, err := sipgo.NewServer(ua)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	contact := gosip.ContactHeader{Address: gosip.Uri{User: "uas", Host: "127.0.0.1", Port: n}}
	body := []byte(session("127.0.0.1", 9, 0))
	srv.OnInvite(func(req *gosip.Request, tx gosip.ServerTransaction) {
		res := gosip.NewSDPResponseFromRequest(req, body)
		res.AppendHeader(&contact)
		if err := tx.Respond(res); err != nil {
			fmt.Println("respond:", err)
		}
	})
	srv.OnAck(func(*gosip.Request, gosip.ServerTransaction) {})
	srv.OnBye(func(req *gosip.Request, tx gosip.ServerTransaction) {
		if err := tx.Respond(gosip.NewResponseFromRequest(req, 200, "OK", nil)); err != nil {
			fmt.Println("respond:", err)
		}
	})
	cert, err := ownCertificate()
	if err != nil {
		return err
	}
	go func() { // ends with ctx
		_ = srv.ListenAndServeTLS(ctx, "tls", loopback(n+1).String(), &tls.Config{Certificates: []tls.Certificate{cert}})
	}()
	ready := sipgo.ListenReadyFuncCtxValue(func(string, string) { fmt.Println("ready") })
	//lint:ignore SA1029 sipgo wants this key
	err = srv.ListenAndServe(context.WithValue(ctx, sipgo.ListenReadyCtxKey, ready), "udp", loopback(n).String())
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// startUAS starts the bare user agent as a process of its own.
func startUAS(dir string) (*subject, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := os.Setenv(childEnv, strconv.Itoa(port)); err != nil {
		return nil, err
	}
	defer os.Unsetenv(childEnv)
	dir = filepath.Join(dir, "uas")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	p, err := startProcess(dir, self)
	if err != nil {
		return nil, err
	}
	if err := until(10*time.Second, "the user agent is ready", func() bool { return strings.Contains(p.output(), "ready") }); err != nil {
		p.stop()
		return nil, p.failure(err.Error())
	}
	return &subject{process: p, sip: loopback(port)}, nil
}
