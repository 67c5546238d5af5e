package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"callbox/api"
	"callbox/call"
	"callbox/call/script"

	"github.com/coder/websocket"
)

// The limits of one connection.
const (
	handshakeTime = 10 * time.Second
	// writeTime is how long the application may take for one message; what is heard
	// meanwhile waits, and the oldest of it is lost.
	writeTime = 10 * time.Second
	// maxMessage is the longest message of an application in bytes: sound of about
	// a minute.
	maxMessage = 4 << 20
	// maxFaults messages that cannot be read end a stream.
	maxFaults = 20
)

// The codes of streams that fail (call-api.md §1.5).
const (
	codeTimeout   = 31901
	codeRefused   = 31902
	codeHandshake = 31920
	codeClosed    = 31921
	codeScheme    = 31922
	codeTooLong   = 31950
	codeMessage   = 31951
)

// Config is what a Client is made of. All but Log and UserAgent are required.
type Config struct {
	Dialects []api.Dialect // those that are no [api.StreamDialect] cannot stream
	// Transport makes the connections. It follows no redirects.
	Transport http.RoundTripper
	// Secret is the key by which a dialect signs for an account; empty: unsigned.
	Secret    func(d api.Dialect, account string) string
	UserAgent string
	Log       *slog.Logger // nil: no log
}

// Client meets the applications that take the sound of calls. It may be used
// concurrently.
type Client struct {
	cfg      Config
	dialects map[string]api.Dialect
	times    times
}

// times are the limits of one connection; tests have shorter ones.
type times struct{ handshake, write time.Duration }

var _ script.Streamer = (*Client)(nil)

// New makes a client.
func New(cfg Config) *Client {
	c := &Client{cfg: cfg, dialects: map[string]api.Dialect{}, times: times{handshakeTime, writeTime}}
	for _, d := range cfg.Dialects {
		c.dialects[d.Name()] = d
	}
	if c.cfg.Log == nil {
		c.cfg.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// language is what is spoken on a connection. Methods of the first group are
// called by the goroutine that writes, take by the one that reads.
type language interface {
	// begin gives the first messages, farewell the last one (nil: none).
	begin() [][]byte
	farewell() []byte
	// piece gives what is sent for p, reusing the buffer; binary tells the kind.
	piece(buf []byte, p *script.StreamPiece) (messages [][]byte, binary bool)

	// take does what a message says. done: the application takes its leave. An error
	// says why it could not be read.
	take(ctx context.Context, binary bool, msg []byte) (done bool, err error)
}

// Stream carries the sound of a call until its application leaves, end is over or
// something fails.
func (c *Client) Stream(ctx context.Context, s call.Stream, rec call.Record, end script.StreamEnd, connected func()) error {
	d, ok := c.dialects[s.API].(api.StreamDialect)
	if !ok {
		return &script.StreamError{Code: codeMessage, Err: fmt.Errorf("the API %q has no streams", s.API)}
	}
	opening := d.OpenStream(s, rec)
	var l language
	var err error
	if opening.Hello != nil {
		l, err = newBare(s, opening, end)
	} else {
		l, err = newMedia(s, opening, end)
	}
	if err != nil {
		return &script.StreamError{Code: codeMessage, Err: err}
	}
	conn, err := c.connect(ctx, s, opening)
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	c.cfg.Log.Debug("stream connected", "call", s.Call, "stream", s.ID, "url", public(s.URL))
	connected()
	return (&talk{conn, l, end, c.times.write}).run(ctx)
}

// talk is a connection at work.
type talk struct {
	conn     *websocket.Conn
	l        language
	end      script.StreamEnd
	patience time.Duration // for one message
}

// run talks until the connection ends.
func (t *talk) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// Whatever ends the context ends the connection, also one that is being closed.
	defer context.AfterFunc(ctx, func() { t.conn.CloseNow() })()
	read := make(chan struct{})
	go func() { // ended by the connection, waited for through read
		defer close(read)
		cancel(t.readAll(ctx))
	}()
	err := t.writeAll(ctx)
	over := errors.Is(err, errOver)
	if over { // the call's end has nothing more; the application may be gone already
		if last := t.l.farewell(); last == nil || t.write(ctx, false, last) == nil {
			_ = t.conn.Close(websocket.StatusNormalClosure, "")
		}
	}
	cause := context.Cause(ctx) // of the reader's end, if that came first
	t.conn.CloseNow()
	<-read
	if cause == nil && !over && errors.Is(context.Cause(ctx), errLeft) {
		cause = errLeft // what was written found the connection closed before the reader could say by whom
	}
	if cause != nil && !errors.Is(err, errSlow) {
		err = cause
	}
	if over || errors.Is(err, errLeft) {
		return nil
	}
	return err
}

var (
	// errLeft says that the application has taken its leave.
	errLeft = errors.New("the application has left")
	// errSlow says that it does not take what it is sent.
	errSlow = errors.New("the application did not take a message in time")
	// errOver says that the call has nothing more for it.
	errOver = errors.New("the stream is over")
)

// writeAll sends what there is for the application until there is no more, errOver.
func (t *talk) writeAll(ctx context.Context) error {
	for _, msg := range t.l.begin() {
		if err := t.write(ctx, false, msg); err != nil {
			return err
		}
	}
	var p script.StreamPiece
	buf := make([]byte, 0, 4<<10)
	for {
		switch err := t.end.Next(ctx, &p); {
		case errors.Is(err, io.EOF): // a lost connection too is an end, but another
			return errOver
		case err != nil:
			return err
		}
		messages, binary := t.l.piece(buf[:0], &p)
		for _, msg := range messages {
			if err := t.write(ctx, binary, msg); err != nil {
				return err
			}
		}
	}
}

// write sends one message.
func (t *talk) write(ctx context.Context, binary bool, msg []byte) error {
	kind := websocket.MessageText
	if binary {
		kind = websocket.MessageBinary
	}
	one, cancel := context.WithTimeout(ctx, t.patience)
	defer cancel()
	err := t.conn.Write(one, kind, msg)
	switch {
	case err == nil && !errors.Is(one.Err(), context.DeadlineExceeded):
		return nil // a message that went in the very moment at which its time was up has cost the connection all the same
	case errors.Is(one.Err(), context.DeadlineExceeded) && !errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &script.StreamError{Code: codeTimeout, Err: fmt.Errorf("%w: %s", errSlow, t.patience)}
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return closed(err)
}

// readAll does what the application says until the connection ends.
func (t *talk) readAll(ctx context.Context) error {
	t.conn.SetReadLimit(maxMessage)
	faults := 0
	for {
		kind, msg, err := t.conn.Read(ctx)
		if err != nil {
			if errors.Is(err, websocket.ErrMessageTooBig) {
				return &script.StreamError{Code: codeTooLong, Err: fmt.Errorf("the application sent a message of more than %d bytes", maxMessage)}
			}
			return closed(err)
		}
		done, err := t.l.take(ctx, kind == websocket.MessageBinary, msg)
		if done {
			return errLeft
		}
		if err == nil {
			continue
		}
		t.end.Warn(err.Error())
		var bad *unreadableError
		if !errors.As(err, &bad) {
			continue
		}
		if faults++; faults == maxFaults {
			return &script.StreamError{Code: codeMessage, Err: errors.New("the application sent too many messages that cannot be read")}
		}
	}
}

// unreadableError says why a message could not be read at all. A stream ends after
// maxFaults of these, but not for what is merely ignored.
type unreadableError struct{ err error }

func (e *unreadableError) Error() string { return e.err.Error() }
func (e *unreadableError) Unwrap() error { return e.err }

func unreadable(format string, args ...any) error {
	return &unreadableError{fmt.Errorf(format, args...)}
}

// closed is what the end of a connection means: a close without complaint is the
// application's leave.
func closed(err error) error {
	switch code := websocket.CloseStatus(err); code {
	case websocket.StatusNormalClosure, websocket.StatusGoingAway, websocket.StatusNoStatusRcvd:
		return errLeft
	case -1:
		return &script.StreamError{Code: codeClosed, Err: fmt.Errorf("the connection to the application was lost: %w", err)}
	default:
		return &script.StreamError{Code: codeClosed, Err: fmt.Errorf("the application closed the connection with status %d", code)}
	}
}

// connect makes the connection.
func (c *Client) connect(ctx context.Context, s call.Stream, o api.StreamOpening) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.times.handshake)
	defer cancel()
	bare, _, _ := strings.Cut(s.URL, "#")
	u, err := url.Parse(bare)
	if err != nil || u.Host == "" {
		return nil, &script.StreamError{Code: codeScheme, Err: errors.New("the address of the stream is not a URL")}
	}
	if u.Scheme != "ws" && u.Scheme != "wss" {
		return nil, &script.StreamError{Code: codeScheme, Err: fmt.Errorf("the address of the stream begins with %q, not with ws or wss", u.Scheme)}
	}
	options := &websocket.DialOptions{HTTPClient: &http.Client{Transport: c.cfg.Transport},
		HTTPHeader: c.header(s, o, bare, u), CompressionMode: websocket.CompressionDisabled, Subprotocols: o.Subprotocols}
	u.User = nil
	conn, resp, err := websocket.Dial(ctx, u.String(), options)
	if err == nil {
		return conn, nil
	}
	code, text := codeHandshake, "cannot stream to "+public(s.URL)+": "
	var refused *net.OpError
	switch {
	case resp != nil && resp.StatusCode != http.StatusSwitchingProtocols:
		return nil, &script.StreamError{Code: codeHandshake, Err: fmt.Errorf("%sthe answer is HTTP status %d instead of a websocket", text, resp.StatusCode)}
	case ctx.Err() != nil:
		return nil, &script.StreamError{Code: codeTimeout, Err: fmt.Errorf("%sno connection within %s: %w", text, c.times.handshake, ctx.Err())}
	case errors.As(err, &refused):
		code, err = codeRefused, refused
	}
	return nil, &script.StreamError{Code: code, Err: fmt.Errorf("%s%w", text, err)}
}

// header is that of the request to bare, which is u.
func (c *Client) header(s call.Stream, o api.StreamOpening, bare string, u *url.URL) http.Header {
	h := http.Header{}
	if c.cfg.UserAgent != "" {
		h.Set("User-Agent", c.cfg.UserAgent)
	}
	user, pass := s.Username, s.Password
	if user == "" && pass == "" && u.User != nil {
		user = u.User.Username()
		pass, _ = u.User.Password()
	}
	switch {
	case s.Bearer != "":
		h.Set("Authorization", "Bearer "+s.Bearer)
	case user != "" || pass != "":
		r := http.Request{Header: h}
		r.SetBasicAuth(user, pass)
	}
	if d := c.dialects[s.API]; o.Signed {
		if secret := c.cfg.Secret(d, s.Account); secret != "" {
			if name, value := d.Sign(secret, api.Outgoing{URL: bare, Method: http.MethodGet}); name != "" {
				h.Set(name, value)
			}
		}
	}
	return h
}

// public is a URL without user name, password, query and fragment, for people.
func public(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(unreadable URL)"
	}
	u.User, u.RawQuery, u.Fragment, u.RawFragment = nil, "", "", ""
	return u.String()
}
