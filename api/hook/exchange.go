package hook

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"callbox/api"
	"callbox/call/script"
)

// exchange is one request whose answer's body is open. It must be ended.
type exchange struct {
	resp   *http.Response
	url    string // that gave the answer, after redirects; for relative addresses
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer // ends the exchange when connection or answer take too long
}

// end frees the exchange, and keeps the connection for the next request when
// the rest of the body is short.
func (x *exchange) end() {
	if n := x.resp.ContentLength; n >= 0 && n <= 4<<10 {
		_, _ = io.CopyN(io.Discard, x.resp.Body, n)
	}
	_ = x.resp.Body.Close()
	x.timer.Stop()
	x.cancel(nil)
}

// readAll gives the body, which may be at most limit bytes.
func (x *exchange) readAll(limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(x.resp.Body, limit+1))
	if err != nil {
		return nil, x.failure(err)
	}
	if int64(len(b)) > limit {
		return nil, errTooBig
	}
	return b, nil
}

// failure explains an error of the body: our own timers by what they mean.
func (x *exchange) failure(err error) error {
	return &wireError{true, causeOf(x.ctx, err)}
}

// causeOf is why ctx ended, or else err.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// begin makes the request o, follows redirects, and gives the answer whatever
// its status. The jar may be nil.
func (c *Client) begin(ctx context.Context, o api.Outgoing, t tuning, jar http.CookieJar) (*exchange, error) {
	o.URL, _ = splitFragment(o.URL)
	for hop := 0; ; hop++ {
		x, err := c.once(ctx, o, t, jar)
		if err != nil {
			return nil, err
		}
		next, err := redirected(x.resp, o)
		if err != nil || next == nil {
			if err != nil {
				x.end()
				return nil, err
			}
			return x, nil
		}
		x.end()
		if hop == MaxRedirects {
			return nil, errRedirects
		}
		o = *next
	}
}

// once makes the request o and gives the answer, redirect or not.
func (c *Client) once(ctx context.Context, o api.Outgoing, t tuning, jar http.CookieJar) (*exchange, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	x := &exchange{url: o.URL, ctx: ctx, cancel: cancel}
	var connected atomic.Bool
	x.timer = time.AfterFunc(t.connect, func() {
		if connected.Load() {
			cancel(errReadTime)
		} else {
			cancel(errConnectTime)
		}
	})
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		connected.Store(true)
		x.timer.Reset(t.read)
	}}
	ctx = httptrace.WithClientTrace(context.WithValue(ctx, connectKey{}, t.connect), trace)
	fail := func(err error) (*exchange, error) {
		err = causeOf(x.ctx, err)
		x.timer.Stop()
		cancel(nil)
		return nil, err
	}
	req, err := c.request(ctx, o)
	if err != nil {
		return fail(err)
	}
	if jar != nil {
		for _, k := range jar.Cookies(req.URL) {
			req.AddCookie(k)
		}
	}
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		_, err = fail(err)
		return nil, &wireError{connected.Load(), err}
	}
	if jar != nil {
		if k := resp.Cookies(); len(k) > 0 {
			jar.SetCookies(req.URL, k)
		}
	}
	x.resp = resp
	return x, nil
}

// request makes the HTTP request of o, signed.
func (c *Client) request(ctx context.Context, o api.Outgoing) (*http.Request, error) {
	var body []byte
	var kind string
	switch {
	case o.Method == http.MethodGet: // the parameters are in the URL
	case o.JSON != nil:
		body, kind = o.JSON, "application/json"
	default:
		body, kind = []byte(api.EncodeParams(o.Params)), "application/x-www-form-urlencoded; charset=UTF-8"
	}
	u, err := url.Parse(o.WireURL())
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, errURL // err would repeat the password
	}
	user, pass := o.Username, o.Password
	if user == "" && pass == "" && u.User != nil {
		user = u.User.Username()
		pass, _ = u.User.Password()
	}
	u.User = nil
	req, err := http.NewRequestWithContext(ctx, o.Method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, errURL
	}
	if user != "" || pass != "" {
		req.SetBasicAuth(user, pass)
	}
	req.Header.Set("User-Agent", c.agent)
	req.Header.Set("Accept", "*/*")
	if v, ok := ctx.Value(validatorsKey{}).(validators); ok {
		v.set(req.Header)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if o.Trace != "" {
		req.Header.Set("b3", o.Trace)
	}
	if o.Token != "" {
		req.Header.Set("I-Twilio-Idempotency-Token", o.Token)
		// Not sent; it lets net/http repeat the request on a fresh connection
		// when the server closes an idle one under it.
		req.Header["Idempotency-Key"] = []string{}
	}
	if d, ok := c.dialects[o.API]; ok {
		if secret := c.Secret(d, o.Account); secret != "" {
			if name, value := d.Sign(secret, o); name != "" {
				req.Header.Set(name, value)
			}
		}
	}
	return req, nil
}

// redirected gives the request that follows o when resp is a redirect, nil when
// it is none. 301, 302 and 303 turn a POST into a GET without parameters, 307
// and 308 repeat it (RFC 9110 §15.4). Credentials stay with their origin.
func redirected(resp *http.Response, o api.Outgoing) (*api.Outgoing, error) {
	keep := false
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther:
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		keep = true
	default:
		return nil, nil
	}
	where := resp.Header.Get("Location")
	if where == "" {
		return nil, nil
	}
	from, err := url.Parse(o.URL)
	if err != nil {
		return nil, errURL
	}
	to, err := from.Parse(where)
	if err != nil {
		return nil, fmt.Errorf("redirected: %w", errURL)
	}
	to.Fragment, to.RawFragment = "", ""
	next := o
	own := to.User != nil && to.User != from.User
	if from.Scheme != to.Scheme || from.Host != to.Host {
		next.Username, next.Password = "", ""
	} else if to.User == nil {
		to.User = from.User
	}
	next.URL = to.String()
	if !own {
		next.URL = script.SameUser(next.URL, o.URL)
	}
	if !keep || o.Method == http.MethodGet {
		next.Method, next.Params, next.JSON = http.MethodGet, nil, nil
	}
	return &next, nil
}
