package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"callbox/api"
	"callbox/api/apitest"
	"callbox/call"
	"callbox/call/script"
)

// application is a websocket server: handle is what it does with a connection.
func application(t *testing.T, handle func(c *websocket.Conn, r *http.Request)) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"audio.example"}})
		if err != nil {
			return
		}
		defer c.CloseNow()
		handle(c, r)
	}))
	t.Cleanup(srv.Close)
	return strings.Replace(srv.URL, "http://", "ws://", 1)
}

// message reads a message of JSON.
func message(t *testing.T, c *websocket.Conn) map[string]any {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, b, err := c.Read(ctx)
	if err != nil {
		t.Errorf("the application reads: %v", err)
		return nil
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Errorf("%s: %v", b, err)
	}
	return m
}

func say(t *testing.T, c *websocket.Conn, msg string) {
	t.Helper()
	if err := c.Write(context.Background(), websocket.MessageText, []byte(msg)); err != nil {
		t.Errorf("the application says %s: %v", msg, err)
	}
}

// until asks f until it is true.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not in time: %s", what)
		}
	}
}

// begin starts a stream; over gives how it ended.
func begin(t *testing.T, c *Client, s call.Stream, end *callEnd) (over chan error) {
	t.Helper()
	over = make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go func() { over <- c.Stream(ctx, s, call.Record{ID: s.Call}, end, func() { end.note("connected") }) }()
	return over
}

// ended waits for the end.
func ended(t *testing.T, over chan error) error {
	t.Helper()
	select {
	case err := <-over:
		return err
	case <-time.After(time.Minute):
		t.Fatal("the stream does not end")
		return nil
	}
}

func TestConversation(t *testing.T) {
	t.Parallel()
	header := make(chan http.Header, 1)
	url := application(t, func(c *websocket.Conn, r *http.Request) {
		header <- r.Header
		if m := message(t, c); m["event"] != "connected" || m["version"] != "1.0.0" {
			t.Errorf("%v", m)
		}
		if m := message(t, c); m["event"] != "start" || m["sequenceNumber"] != "1" || m["streamSid"] != "MZ1" {
			t.Errorf("%v", m)
		}
		for _, want := range []string{"2", "3"} {
			if m := message(t, c); m["event"] != "media" || m["sequenceNumber"] != want {
				t.Errorf("%v", m)
			}
		}
		say(t, c, `{"event":"media","media":{"payload":"//8="}}`)
		say(t, c, `{"event":"mark","mark":{"name":"a"}}`)
		if m := message(t, c); m["event"] != "mark" || m["sequenceNumber"] != "4" {
			t.Errorf("%v", m)
		}
		if m := message(t, c); m["event"] != "stop" || m["sequenceNumber"] != "5" {
			t.Errorf("%v", m)
		}
		if _, _, err := c.Read(context.Background()); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
			t.Errorf("the connection ended with %v", err)
		}
	})
	end := newEnd()
	s := theCall(strings.Replace(url, "ws://", "ws://app:a1p2p3@", 1) + "/audio#x")
	s.TwoWay = true
	over := begin(t, client(t, api.StreamOpening{Version: "1.0.0", Signed: true, Subprotocols: []string{"audio.example"}}), s, end)
	h := <-header
	signed := strings.TrimSuffix(s.URL, "#x")
	if h.Get("X-Signature") != "s3cret GET "+signed || h.Get("Authorization") != "Basic YXBwOmExcDJwMw==" || h.Get("User-Agent") != "callbox/test" ||
		h.Get("Sec-Websocket-Protocol") != "audio.example" {
		t.Errorf("header %v", h)
	}
	end.pieces <- *sound(0, 1, 1)
	end.pieces <- *sound(20*time.Millisecond, 1, 1)
	var log string
	until(t, "the application has spoken", func() bool { log += end.take(); return strings.Contains(log, "mark") })
	if strings.ReplaceAll(log, "; ", "") != `connectedplay 2 samples, the first is 0mark "a"` {
		t.Errorf("done: %s", log)
	}
	end.pieces <- script.StreamPiece{Kind: script.StreamMark, Mark: "a"}
	close(end.pieces)
	if err := ended(t, over); err != nil {
		t.Error(err)
	}
}

// TestEnds: how a stream ends, by what the application does.
func TestEnds(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	codes := map[string]int{}
	t.Cleanup(func() { // all of them have ended
		var out strings.Builder
		for _, name := range slices.Sorted(maps.Keys(codes)) {
			fmt.Fprintf(&out, "%d %s\n", codes[name], name)
		}
		apitest.Golden(t, "ends.txt", out.String())
	})
	for name, tc := range map[string]struct {
		hello  string
		handle func(c *websocket.Conn)
		code   int // 0: no error
	}{
		"closed":     {"", func(c *websocket.Conn) { c.Close(websocket.StatusNormalClosure, "") }, 0},
		"going away": {"", func(c *websocket.Conn) { c.Close(websocket.StatusGoingAway, "") }, 0},
		"failed":     {"", func(c *websocket.Conn) { c.Close(websocket.StatusInternalError, "oh no") }, codeClosed},
		"lost":       {"", func(c *websocket.Conn) { c.CloseNow() }, codeClosed},
		"disconnect": {"{}", func(c *websocket.Conn) { say(t, c, `{"type":"disconnect"}`); c.Read(context.Background()) }, 0},
		"too long": {"", func(c *websocket.Conn) {
			c.Write(context.Background(), websocket.MessageText, make([]byte, maxMessage+1))
			c.Read(context.Background())
		}, codeTooLong},
		"nonsense": {"", func(c *websocket.Conn) {
			for range maxFaults {
				say(t, c, "{")
			}
			c.Read(context.Background())
		}, codeMessage},
		"much that is ignored": {"", func(c *websocket.Conn) {
			for range 2 * maxFaults {
				say(t, c, `{"event":"dance"}`)
			}
			c.Close(websocket.StatusNormalClosure, "")
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := application(t, func(c *websocket.Conn, _ *http.Request) {
				message(t, c)
				tc.handle(c)
			})
			o := api.StreamOpening{}
			s := theCall(url)
			s.TwoWay = true
			if tc.hello != "" {
				o.Hello, s.Rate = []byte(tc.hello), 8000
			}
			err := ended(t, begin(t, client(t, o), s, newEnd()))
			var e *script.StreamError
			if errors.As(err, &e) != (tc.code != 0) || e != nil && e.Code != tc.code {
				t.Errorf("ended with %v, want code %d", err, tc.code)
			}
			mu.Lock()
			defer mu.Unlock()
			if codes[name] = 0; e != nil {
				codes[name] = e.Code
			}
		})
	}
}

// TestSlowApplication: one that does not read is left after a while.
func TestSlowApplication(t *testing.T) {
	t.Parallel()
	free := make(chan struct{})
	url := application(t, func(*websocket.Conn, *http.Request) { <-free })
	defer close(free)
	end := newEnd()
	over := begin(t, client(t, api.StreamOpening{}), theCall(url), end)
	for {
		select {
		case end.pieces <- *sound(0, 1, 1):
			continue
		case err := <-over:
			var e *script.StreamError
			if !errors.As(err, &e) || e.Code != codeTimeout {
				t.Errorf("ended with %v", err)
			}
		}
		return
	}
}

// TestStuckAtTheEnd: an application that does not answer a close is left when the
// context ends, or after the 5 s that the library waits.
func TestStuckAtTheEnd(t *testing.T) {
	t.Parallel()
	free := make(chan struct{})
	url := application(t, func(*websocket.Conn, *http.Request) { <-free })
	defer close(free)
	end := newEnd()
	close(end.pieces)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := client(t, api.StreamOpening{}).Stream(ctx, theCall(url), call.Record{}, end, func() {}); err != nil {
		t.Error(err)
	}
	if d := time.Since(began); d > 8*time.Second {
		t.Errorf("left after %v", d)
	}
}

// TestNotConnected: why an application cannot be reached, without its secrets.
func TestNotConnected(t *testing.T) {
	t.Parallel()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := "ws://app:pw@" + gone.Addr().String() + "/x?key=pw"
	gone.Close()
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	places := strings.NewReplacer(gone.Addr().String(), "gone.lan", mute.Addr().String(), "mute.lan", strings.TrimPrefix(plain.URL, "http://"), "plain.lan")
	var out strings.Builder
	for _, tc := range []struct {
		url  string
		want int
	}{
		{refused, codeRefused}, {"ws://" + mute.Addr().String(), codeTimeout}, {strings.Replace(plain.URL, "http", "ws", 1), codeHandshake},
		{"http://app.lan/", codeScheme}, {"ws://", codeScheme}, {"%", codeScheme},
	} {
		url, want := tc.url, tc.want
		end := newEnd()
		err := ended(t, begin(t, client(t, api.StreamOpening{}), theCall(url), end))
		var e *script.StreamError
		if !errors.As(err, &e) || e.Code != want || strings.Contains(err.Error(), "pw") || end.take() != "" {
			t.Errorf("%s: %v", url, err)
			continue
		}
		fmt.Fprintf(&out, "%s\n%d %s\n", places.Replace(strings.Replace(url, "app:pw@", "app:…@", 1)), e.Code, places.Replace(err.Error()))
	}
	apitest.Golden(t, "codes.txt", out.String())
	s := theCall("ws://app.lan/")
	s.API = "other"
	if err := client(t, api.StreamOpening{}).Stream(context.Background(), s, call.Record{}, newEnd(), func() {}); err == nil {
		t.Error("a dialect without streams has one")
	}
}
