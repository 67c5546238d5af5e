package socket

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"callbox/api"
	"callbox/call/script"

	"github.com/coder/websocket"
)

// protocol is the name of the messages' language in the handshake (RFC 6455 §1.9).
const protocol = "ws.jambonz.org"

// connect makes the connection, in several attempts if need be. The error is a
// *script.FetchError.
func (s *session) connect(ctx context.Context) (*websocket.Conn, error) {
	bare, fragment, _ := strings.Cut(s.hook.URL, "#")
	retries, on := retries(fragment)
	wait := s.h.times.backoff
	for try := 0; ; try++ {
		c, class, err := s.attempt(ctx, bare)
		if err == nil {
			return c, nil
		}
		s.h.cfg.Log.Debug("an application cannot be reached", "call", s.call, "url", public(bare), "try", try+1, "err", err)
		if try >= retries || !slices.Contains(on, class) && !slices.Contains(on, "all") || !s.pause(ctx, wait) {
			return nil, err
		}
		wait = min(2*wait, wait+4*s.h.times.backoff)
	}
}

// retries reads how often and after what a connection is tried again from a
// URL's fragment (call-api.md §3.5): #rc=0..5&rp=4xx|5xx|ct|rt|all.
func retries(fragment string) (n int, on []string) {
	n, on = MaxAttempts-1, []string{"ct"}
	q, err := url.ParseQuery(fragment)
	if err != nil {
		return n, on
	}
	if rc, err := strconv.Atoi(q.Get("rc")); err == nil && rc >= 0 {
		n = min(rc, MaxAttempts)
	}
	if rp := q.Get("rp"); rp != "" {
		on = strings.Split(rp, ",")
	}
	return n, on
}

// attempt makes the connection once, and names the class of its failure.
func (s *session) attempt(ctx context.Context, raw string) (c *websocket.Conn, class string, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.h.times.handshake)
	defer cancel()
	u, err := url.Parse(raw)
	if err != nil {
		return nil, "", &script.FetchError{Code: codeURL, URL: public(raw), Err: fmt.Errorf("connecting to the application: not a websocket address")}
	}
	header := http.Header{"User-Agent": {s.h.cfg.UserAgent}}
	user, pass := s.hook.Username, s.hook.Password
	if user == "" && pass == "" && u.User != nil {
		user = u.User.Username()
		pass, _ = u.User.Password()
	}
	u.User = nil
	if user != "" || pass != "" {
		r := http.Request{Header: header}
		r.SetBasicAuth(user, pass)
	}
	if secret := s.h.cfg.Secret(s.account); secret != "" {
		// The handshake has no body; a verifier reads that as an empty object.
		if name, value := s.h.cfg.Dialect.Sign(secret, api.Outgoing{Method: http.MethodPost, JSON: []byte("{}")}); name != "" {
			header.Set(name, value)
		}
	}
	client := &http.Client{Transport: s.h.cfg.Transport, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	c, resp, err := websocket.Dial(ctx, u.String(), &websocket.DialOptions{HTTPClient: client, HTTPHeader: header,
		Subprotocols: []string{protocol}, CompressionMode: websocket.CompressionDisabled})
	if err == nil {
		c.SetReadLimit(MaxFrame)
		return c, "", nil
	}
	if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
		class = strconv.Itoa(resp.StatusCode/100) + "xx"
		return nil, class, &script.FetchError{Code: codeStatus, URL: public(raw),
			Err: fmt.Errorf("connecting to %s: the answer is HTTP status %d instead of a websocket", public(raw), resp.StatusCode)}
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return nil, "ct", s.h.cfg.Explain("connecting to", raw, err)
}
