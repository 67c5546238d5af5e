package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"

	"callbox/api"
	"callbox/call"
	"callbox/call/trace"
)

// Client speaks to a running gateway over its unix socket. Its methods may be
// called concurrently. Errors are sentences that say what to do.
type Client struct {
	socket string
	http   *http.Client
}

// NewClient makes a client for the socket at this path. It does not connect yet.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	return &Client{socket: socket, http: &http.Client{Transport: &http.Transport{DialContext: dial}}}
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Create places a call.
func (c *Client) Create(ctx context.Context, n NewCall) (call.Record, error) {
	var rec call.Record
	err := c.json(ctx, http.MethodPost, "/v1/calls", n, &rec)
	return rec, err
}

// Call gives one call's record.
func (c *Client) Call(ctx context.Context, id string) (call.Record, error) {
	var rec call.Record
	err := c.json(ctx, http.MethodGet, "/v1/calls/"+url.PathEscape(id), nil, &rec)
	return rec, err
}

// Calls gives the newest calls, at most limit (1…1000).
func (c *Client) Calls(ctx context.Context, limit int) ([]call.Record, error) {
	var p call.Page
	err := c.json(ctx, http.MethodGet, "/v1/calls?limit="+strconv.Itoa(limit), nil, &p)
	return p.Records, err
}

// Trace gives what is remembered of a call, oldest first.
func (c *Client) Trace(ctx context.Context, id string) ([]trace.Entry, error) {
	var l []trace.Entry
	err := c.json(ctx, http.MethodGet, "/v1/calls/"+url.PathEscape(id)+"/trace", nil, &l)
	return l, err
}

// Lines gives the lines.
func (c *Client) Lines(ctx context.Context) ([]Line, error) {
	var l []Line
	err := c.json(ctx, http.MethodGet, "/v1/lines", nil, &l)
	return l, err
}

// Bans lists who gets no answer on SIP, the newest first.
func (c *Client) Bans(ctx context.Context) ([]Ban, error) {
	var l []Ban
	err := c.json(ctx, http.MethodGet, "/v1/bans", nil, &l)
	return l, err
}

// Unban lifts the bans of an address and tells how many there were.
func (c *Client) Unban(ctx context.Context, addr string) (int, error) {
	var n int
	err := c.json(ctx, http.MethodDelete, "/v1/bans/"+url.PathEscape(addr), nil, &n)
	return n, err
}

// Messages tells how many voice messages wait for each user.
func (c *Client) Messages(ctx context.Context) (map[string]api.Waiting, error) {
	var all map[string]api.Waiting
	err := c.json(ctx, http.MethodGet, "/v1/messages", nil, &all)
	return all, err
}

// SetMessages says how many voice messages wait for a user.
func (c *Client) SetMessages(ctx context.Context, user string, n api.Waiting) error {
	return c.json(ctx, http.MethodPut, "/v1/messages/"+url.PathEscape(user), n, &n)
}

// Tolls tells what was used today, of guards first.
func (c *Client) Tolls(ctx context.Context) ([]Toll, error) {
	var l []Toll
	err := c.json(ctx, http.MethodGet, "/v1/tolls", nil, &l)
	return l, err
}

// Explain says how a number would be routed.
func (c *Client) Explain(ctx context.Context, to, from string) ([]string, error) {
	var l []string
	q := url.Values{"to": {to}, "from": {from}}
	err := c.json(ctx, http.MethodGet, "/v1/route?"+q.Encode(), nil, &l)
	return l, err
}

// Export gives the configuration as YAML.
func (c *Client) Export(ctx context.Context, secrets bool) ([]byte, error) {
	res, err := c.do(ctx, http.MethodGet, "/v1/config?secrets="+strconv.FormatBool(secrets), nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return io.ReadAll(res.Body)
}

// Import stores and applies a configuration, or only says what it would change.
func (c *Client) Import(ctx context.Context, yaml []byte, dryRun bool) ([]string, error) {
	res, err := c.do(ctx, http.MethodPut, "/v1/config?dry-run="+strconv.FormatBool(dryRun), bytes.NewReader(yaml))
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var diff []string
	err = json.NewDecoder(res.Body).Decode(&diff)
	return diff, err
}

// Events calls f for every event until f returns false, ctx ends or the gateway
// closes the stream. ready, when not nil, is closed once events flow. A call id
// selects that call and its children.
func (c *Client) Events(ctx context.Context, id string, ready chan<- struct{}, f func(Event) bool) error {
	res, err := c.do(ctx, http.MethodGet, "/v1/events?call="+url.QueryEscape(id), nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if ready != nil {
		close(ready)
	}
	d := json.NewDecoder(res.Body)
	for {
		var ev Event
		if err := d.Decode(&ev); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("read the event stream: %w", err)
		}
		if !f(ev) {
			return nil
		}
	}
}

func (c *Client) json(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	res, err := c.do(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return json.NewDecoder(res.Body).Decode(out)
}

func (c *Client) do(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://callbox"+path, body)
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("no gateway runs on %s; start one with callbox serve, or name its folder with --data", c.socket)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("you may not open %s; run this as root or as the gateway's user", c.socket)
	case err != nil:
		return nil, fmt.Errorf("ask the gateway: %w", err)
	}
	if res.StatusCode < 300 {
		return res, nil
	}
	defer res.Body.Close()
	var f Failure
	if json.NewDecoder(io.LimitReader(res.Body, 64<<10)).Decode(&f) != nil || f.Error == "" {
		f.Error = "the gateway answered " + res.Status
	}
	return nil, errors.New(f.Error)
}
