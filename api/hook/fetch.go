package hook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"callbox/api"
	"callbox/call"
	"callbox/call/script"
)

// Fetch asks h for a document, as the dialect of rec puts it. The error is a
// *script.FetchError, or wraps one. For a call that has ended the answer's
// content does not matter, and the document is empty.
func (c *Client) Fetch(ctx context.Context, h call.Hook, rec call.Record, res *script.Result) (script.Document, error) {
	d, ok := c.dialects[rec.API]
	if !ok {
		return script.Document{}, &script.FetchError{Code: codeInternal, URL: publicURL(h.URL), Err: fmt.Errorf("no dialect %q", rec.API)}
	}
	o := d.DocumentRequest(h, rec, res)
	began := time.Now()
	a, err := c.ask(ctx, fill(o, rec.Account, rec.API), c.jars.get(rec.ID), MaxBody)
	c.log.Debug("document asked for", "call", rec.ID, "url", publicURL(o.URL), "took", time.Since(began), "err", err)
	if rec.State.Final() {
		c.jars.drop(rec.ID)
	}
	if err != nil {
		return script.Document{}, fetchError("asking", o.URL, err)
	}
	if rec.State.Final() {
		return script.Document{URL: a.url}, nil
	}
	doc, err := d.Decode(a.body, a.kind, a.url)
	if err != nil {
		return script.Document{}, decodeError(a.url, err)
	}
	if doc.URL == "" {
		doc.URL = a.url
	}
	return doc, nil
}

// Decode reads a document that came with a request, src.Inline.
func (c *Client) Decode(_ context.Context, rec call.Record, src call.ScriptSource) (script.Document, error) {
	d, ok := c.dialects[rec.API]
	if !ok {
		return script.Document{}, &script.FetchError{Code: codeInternal, Err: fmt.Errorf("no dialect %q", rec.API)}
	}
	doc, err := d.Decode([]byte(src.Inline), "", src.Base)
	if err != nil {
		return script.Document{}, decodeError("", err)
	}
	return doc, nil
}

// decodeError makes sure that err is or wraps a *script.FetchError with a URL.
func decodeError(url string, err error) error {
	var fe *script.FetchError
	if !errors.As(err, &fe) {
		return &script.FetchError{Code: codeXML, URL: publicURL(url), Err: err}
	}
	if fe.URL == "" && url != "" {
		return &script.FetchError{Code: fe.Code, URL: publicURL(url), Err: err}
	}
	return err
}

// fill sets what a dialect may leave open.
func fill(o api.Outgoing, account, name string) api.Outgoing {
	if o.Account == "" {
		o.Account = account
	}
	if o.API == "" {
		o.API = name
	}
	if o.Method == "" {
		o.Method = http.MethodPost
	}
	if o.Token == "" {
		o.Token = api.NewUUID()
	}
	return o
}

// answer is a complete successful answer.
type answer struct {
	body []byte
	kind string // content type
	url  string // that gave it, without parameters that the box added
}

// ask makes the request o, repeats it as its URL wants, and gives the whole
// answer of a success.
func (c *Client) ask(ctx context.Context, o api.Outgoing, jar http.CookieJar, limit int64) (answer, error) {
	_, fragment := splitFragment(o.URL)
	t := tuned(fragment)
	ctx, cancel := context.WithTimeoutCause(ctx, t.total, errTotalTime)
	defer cancel()
	for try := 0; ; try++ {
		a, err := c.askOnce(ctx, o, t, jar, limit)
		if err == nil || try >= t.retries || ctx.Err() != nil || !t.retry(retryClass(err)) {
			return a, err
		}
		c.log.Debug("request repeated", "url", publicURL(o.URL), "err", err)
	}
}

// askOnce is ask without repeating.
func (c *Client) askOnce(ctx context.Context, o api.Outgoing, t tuning, jar http.CookieJar, limit int64) (answer, error) {
	x, err := c.begin(ctx, o, t, jar)
	if err != nil {
		return answer{}, err
	}
	defer x.end()
	if x.resp.StatusCode/100 != 2 {
		return answer{}, &statusError{x.resp.StatusCode}
	}
	body, err := x.readAll(limit)
	if err != nil {
		return answer{}, err
	}
	return answer{body, x.resp.Header.Get("Content-Type"), x.url}, nil
}

// tell sends a status callback once. The answer's content is only read when it
// may hold a document for a call.
func (c *Client) tell(ctx context.Context, o api.Outgoing) (answer, error) {
	_, fragment := splitFragment(o.URL)
	t := tuned(fragment)
	ctx, cancel := context.WithTimeoutCause(ctx, t.total, errTotalTime)
	defer cancel()
	x, err := c.begin(ctx, o, t, nil)
	if err != nil {
		return answer{}, err
	}
	defer x.end()
	if s := x.resp.StatusCode; s/100 != 2 {
		return answer{}, &repeatError{statusError{s}, retryAfter(x.resp.Header)}
	}
	if o.Call == "" && o.Text == "" {
		return answer{}, nil
	}
	body, err := x.readAll(MaxBody)
	if err != nil {
		// It was delivered; that its document is lost is said where it is missed.
		c.log.Warn("the answer to a callback cannot be read", "call", o.Call, "url", publicURL(o.URL), "err", err)
	}
	return answer{body, x.resp.Header.Get("Content-Type"), x.url}, nil
}

// repeatError is a statusError with the receiver's wish.
type repeatError struct {
	statusError
	after time.Duration
}

func (e *repeatError) Unwrap() error { return &e.statusError }

// retryAfter reads the seconds of a Retry-After header (RFC 9110 §10.2.3); 0
// when there is none, or a date.
func retryAfter(h http.Header) time.Duration {
	n, err := strconv.ParseUint(h.Get("Retry-After"), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}

// statusOf gives the HTTP status that err tells of, 0 when none, and the wish.
func statusOf(err error) (int, time.Duration) {
	var r *repeatError
	if errors.As(err, &r) {
		return r.status, r.after
	}
	var s *statusError
	if errors.As(err, &s) {
		return s.status, 0
	}
	return 0, 0
}

// MaxSound is the size limit of an opened sound, in bytes.
const MaxSound = 32 << 20

// Open gets the sound at url: its bytes as they arrive and its content type
// ("audio/x-wav", "application/octet-stream"). The caller closes the stream. It
// fails when the sound is larger than MaxSound, and when nothing arrives for
// ReadTimeout (or the rt of the URL's fragment); ctx bounds all of it.
//
// What was read whole is kept as the server allows, and where it says nothing else the
// server is asked each time whether the sound has changed (ETag, Last-Modified). A
// server that cannot be asked, or fails, does not silence a sound that is kept, unless
// it has forbidden that.
func (c *Client) Open(ctx context.Context, url string) (io.ReadCloser, string, error) {
	bare, fragment := splitFragment(url)
	t := tuned(fragment)
	o := api.Outgoing{URL: bare, Method: http.MethodGet}
	old, fresh := c.sounds.find(bare)
	if fresh {
		return c.sounds.play(old, false)
	}
	var x *exchange
	var err error
	for try := 0; ; try++ {
		x, err = c.begin(old.ask(ctx), o, t, nil)
		if err == nil || try >= t.retries || ctx.Err() != nil || !t.retry(retryClass(err)) {
			break
		}
	}
	if old != nil && ctx.Err() == nil && !old.strict && (err != nil || x.resp.StatusCode/100 == 5) {
		if err == nil {
			x.end()
		}
		c.log.Warn("a sound is played as it was, because its server does not answer", "url", publicURL(url), "err", err)
		return c.sounds.play(old, true)
	}
	if err != nil {
		return nil, "", fetchError("opening", url, err)
	}
	if old != nil && x.resp.StatusCode == http.StatusNotModified {
		x.end()
		c.sounds.renew(old, x.resp.Header)
		return c.sounds.play(old, false)
	}
	if s := x.resp.StatusCode; s/100 != 2 {
		x.end()
		return nil, "", fetchError("opening", url, &statusError{s})
	}
	kind, ok := soundType(x.resp.Header.Get("Content-Type"))
	if !ok {
		x.end()
		return nil, "", fetchError("opening", url, soundTypeError(kind))
	}
	if x.resp.ContentLength > MaxSound {
		x.end()
		return nil, "", fetchError("opening", url, errTooBig)
	}
	x.timer.Stop()
	return c.sounds.keep(bare, kind, &stream{x: x, patience: t.read, left: MaxSound, url: url}), kind, nil
}

// SoundStats tells of the sounds that are kept.
func (c *Client) SoundStats() SoundStats { return c.sounds.stats() }

// soundType reports whether a content type may be a sound.
func soundType(header string) (string, bool) {
	if header == "" {
		return "", true
	}
	kind, _, err := mime.ParseMediaType(header)
	if err != nil {
		return header, false
	}
	return kind, strings.HasPrefix(kind, "audio/") || kind == "application/octet-stream" || kind == "binary/octet-stream"
}

// stream is an open sound.
type stream struct {
	x        *exchange
	patience time.Duration
	left     int64
	url      string
}

// Read gives what has arrived.
func (s *stream) Read(p []byte) (int, error) {
	s.x.timer.Reset(s.patience)
	n, err := s.x.resp.Body.Read(p)
	s.x.timer.Stop() // the reader may take its time
	s.left -= int64(n)
	if s.left < 0 {
		return 0, fetchError("reading", s.url, errTooBig)
	}
	if err != nil && err != io.EOF {
		err = fetchError("reading", s.url, s.x.failure(err))
	}
	return n, err
}

// Close ends the stream.
func (s *stream) Close() error {
	s.x.timer.Stop()
	s.x.cancel(nil)
	return s.x.resp.Body.Close()
}
