package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// The server's limits.
const (
	// MaxBody is the longest request body in bytes.
	MaxBody = 64 << 10
	// MaxInFlight requests are served at once, further ones get ErrOverload.
	MaxInFlight = 128
	// MaxConns connections are open at once, further ones are closed at once.
	MaxConns = 512
	// ShutdownTime is how long requests may take to finish after the end of Serve's context.
	ShutdownTime = 5 * time.Second
)

// Mount is a part of the address space and who serves it.
type Mount struct {
	Name   string // of the dialect or part, for logs
	Prefix string // begins and ends with a slash
	// Claims reports whether this mount serves r, where several mounts share a
	// prefix; nil: always. When none claims a request, the first one gets it.
	Claims  func(r *http.Request) bool
	Handler http.Handler
	// Fail answers with what err, one of this package's, means; nil: plain text.
	Fail func(w http.ResponseWriter, r *http.Request, err error)
}

// Document is a page of its own, to be read by GET and HEAD.
type Document struct {
	Path string // "/ca.pem"
	Type string // its content type
	Body func() []byte
	Auth *Auth // who may read it: every account; nil: anybody
}

// Upgrade is an address at which a connection becomes that of another protocol.
// Whoever takes it counts it from then on as the server does.
type Upgrade struct {
	Path    string // "/sip", and nothing below it
	Handler http.HandlerFunc
}

// Config is what a Server is made of.
type Config struct {
	Mounts    []Mount
	Documents []Document
	Upgrades  []Upgrade
	// Ready reports whether the box takes calls; nil: always. It is asked by
	// GET /healthz, which tells strangers nothing but yes (200) or no (503).
	Ready func() bool
	Log   *slog.Logger // nil: no log
}

// Server is the HTTP side of the box. Its methods may be called concurrently.
type Server struct {
	handler  http.Handler
	log      *slog.Logger
	inFlight atomic.Int64
	conns    atomic.Int64
	refused  atomic.Uint64 // requests and connections beyond the limits
}

// NewServer assembles the address space. It fails when mounts contradict each other.
func NewServer(c Config) (*Server, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{log: c.Log}
	byPrefix := map[string][]Mount{}
	var order []string
	for _, m := range c.Mounts {
		if !strings.HasPrefix(m.Prefix, "/") || !strings.HasSuffix(m.Prefix, "/") || m.Handler == nil {
			return nil, fmt.Errorf("mount %q at %q: needs a prefix between slashes and a handler", m.Name, m.Prefix)
		}
		if m.Fail == nil {
			m.Fail = FailPlain
		}
		group := byPrefix[m.Prefix]
		if len(group) == 0 {
			order = append(order, m.Prefix)
		} else if group[len(group)-1].Claims == nil {
			return nil, fmt.Errorf("mount %q at %q: %q already takes everything there", m.Name, m.Prefix, group[len(group)-1].Name)
		}
		byPrefix[m.Prefix] = append(group, m)
	}
	mux := http.NewServeMux()
	for _, prefix := range order {
		mux.Handle(prefix, s.serveGroup(byPrefix[prefix]))
	}
	for _, d := range c.Documents {
		mux.Handle("GET "+d.Path, s.serveGroup([]Mount{{Name: "document", Handler: d, Fail: FailPlain}}))
	}
	for _, u := range c.Upgrades {
		mux.Handle("GET "+u.Path, s.serveGroup([]Mount{{Name: "upgrade", Handler: u.Handler, Fail: FailPlain}}))
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if c.Ready != nil && !c.Ready() {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n")) // a client that has left needs no answer
	})
	s.handler = mux
	return s, nil
}

// ServeHTTP answers with the document.
func (d Document) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if d.Auth != nil {
		user, _, _ := r.BasicAuth()
		if _, err := d.Auth.Basic(r, user); err != nil {
			FailPlain(w, r, err)
			return
		}
	}
	w.Header().Set("Content-Type", d.Type)
	_, _ = w.Write(d.Body()) // a client that has left needs no answer
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	s.handler.ServeHTTP(w, r)
}

// serveGroup serves the mounts of one prefix.
func (s *Server) serveGroup(group []Mount) http.Handler {
	origins := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m := group[0]
		for _, candidate := range group {
			if candidate.Claims == nil || candidate.Claims(r) {
				m = candidate
				break
			}
		}
		began := time.Now()
		cw := &countingWriter{ResponseWriter: w}
		defer s.logRequest(m.Name, cw, r, began)
		defer s.recoverPanic(m, cw, r)
		defer s.inFlight.Add(-1)
		if s.inFlight.Add(1) > MaxInFlight {
			s.refused.Add(1)
			w.Header().Set("Retry-After", "1")
			m.Fail(cw, r, ErrOverload)
			return
		}
		// A page of another site must not use the credentials that a browser keeps.
		if err := origins.Check(r); err != nil {
			m.Fail(cw, r, ErrCrossOrigin)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
		m.Handler.ServeHTTP(cw, r)
	})
}

// recoverPanic turns a panic of a handler into a 500 and a log entry.
func (s *Server) recoverPanic(m Mount, w *countingWriter, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler { //nolint:errorlint // net/http's own convention: the value itself
		panic(p)
	}
	s.log.Error("api handler panicked", "dialect", m.Name, "method", r.Method, "path", r.URL.Path,
		"err", fmt.Sprint(p), "stack", string(debug.Stack()))
	if w.status != 0 {
		panic(http.ErrAbortHandler) // too late for an answer: cut it off
	}
	m.Fail(w, r, ErrInternal)
}

// logRequest writes one line per request. The query, headers and bodies may hold
// numbers and secrets, so they are never in it.
func (s *Server) logRequest(name string, w *countingWriter, r *http.Request, began time.Time) {
	level := slog.LevelInfo
	if r.Method == http.MethodGet && w.status < 400 {
		level = slog.LevelDebug // polling clients would fill the log
	}
	s.log.Log(r.Context(), level, "api request", "dialect", name, "method", r.Method, "path", r.URL.Path,
		"status", w.status, "bytes", w.bytes, "ms", time.Since(began).Milliseconds(), "remote", r.RemoteAddr)
}

// Refused is how many requests and connections were turned away at the limits.
func (s *Server) Refused() uint64 { return s.refused.Load() }

// Serve answers requests on ln until ctx ends, lets those under way finish for
// up to ShutdownTime, and closes ln. It returns nil when ctx ended; all its
// goroutines have then ended, except handlers that ignored ShutdownTime. It may
// run for several listeners at once, which share the limits.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	return s.serve(ctx, ln, nil)
}

// ServeTLS is Serve for HTTPS with the certificate that c gives. It speaks
// HTTP/1.1 only: HTTP/2 costs memory for each connection and gains nothing on a
// LAN.
func (s *Server) ServeTLS(ctx context.Context, ln net.Listener, c *tls.Config) error {
	return s.serve(ctx, ln, c)
}

func (s *Server) serve(ctx context.Context, ln net.Listener, c *tls.Config) error {
	srv := &http.Server{
		TLSConfig:         c,
		Protocols:         &http.Protocols{},
		Handler:           s,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	srv.Protocols.SetHTTP1(true)
	done := make(chan error, 1)
	go func() { // ended by Shutdown, waited for through done
		limited := &limitListener{Listener: ln, server: s}
		if c == nil {
			done <- srv.Serve(limited)
		} else {
			done <- srv.ServeTLS(limited, "", "")
		}
	}()
	select {
	case err := <-done:
		return fmt.Errorf("http server on %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), ShutdownTime)
	defer cancel()
	if err := srv.Shutdown(bounded); err != nil {
		s.log.Warn("api requests were cut off at shutdown", "err", err)
		_ = srv.Close() // the listener is already closed
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("http server on %s: %w", ln.Addr(), err)
	}
	return nil
}

// FailPlain answers with what err, one of this package's, means: a sentence, for mounts
// that are no call API.
func FailPlain(w http.ResponseWriter, _ *http.Request, err error) {
	status := http.StatusInternalServerError
	var throttle *ThrottledError
	switch {
	case errors.Is(err, ErrUnauthorized):
		w.Header().Set("WWW-Authenticate", `Basic realm="Callbox"`)
		status = http.StatusUnauthorized
	case errors.As(err, &throttle):
		status = http.StatusTooManyRequests
		w.Header().Set("Retry-After", strconv.Itoa(throttle.Seconds()))
	case errors.Is(err, ErrOverload):
		status = http.StatusServiceUnavailable
	case errors.Is(err, ErrCrossOrigin), errors.Is(err, ErrSuspended):
		status = http.StatusForbidden
	}
	http.Error(w, err.Error(), status)
}

// countingWriter remembers what was answered.
type countingWriter struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *countingWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *countingWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// limitListener closes connections beyond MaxConns as soon as they come.
type limitListener struct {
	net.Listener
	server *Server
}

func (l *limitListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.server.conns.Add(1) <= MaxConns {
			return &countedConn{Conn: c, server: l.server}, nil
		}
		l.server.conns.Add(-1)
		l.server.refused.Add(1)
		_ = c.Close() // nothing was said on it
	}
}

// countedConn takes itself off the count when it is closed.
type countedConn struct {
	net.Conn
	server *Server
	closed atomic.Bool
}

func (c *countedConn) Close() error {
	if c.closed.CompareAndSwap(false, true) {
		c.server.conns.Add(-1)
	}
	return c.Conn.Close()
}
