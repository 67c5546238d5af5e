package socket_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// sent is a message of the box.
type sent struct {
	Type, Msgid, Hook string
	CallSid           string `json:"call_sid"`
	B3                string
	Data              map[string]any
}

// application is a websocket server that the test plays.
type application struct {
	t     *testing.T
	url   string
	conns chan *peer
	mu    sync.Mutex
	heads []http.Header
	deny  int // HTTP status instead of a websocket
}

// peer is one connection.
type peer struct {
	t  *testing.T
	c  *websocket.Conn
	in chan sent
}

func newApplication(t *testing.T) *application {
	a := &application{t: t, conns: make(chan *peer, 16)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.heads = append(a.heads, r.Header.Clone())
		deny := a.deny
		a.mu.Unlock()
		if deny != 0 {
			w.WriteHeader(deny)
			return
		}
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/app", http.StatusTemporaryRedirect)
			return
		}
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"ws.jambonz.org"}})
		if err != nil {
			return
		}
		p := &peer{t, c, make(chan sent, 64)}
		a.conns <- p
		for {
			_, b, err := c.Read(context.Background())
			if err != nil {
				close(p.in)
				return
			}
			var m sent
			if err := json.Unmarshal(b, &m); err != nil {
				t.Errorf("%v in %s", err, b)
			}
			p.in <- m
		}
	}))
	t.Cleanup(srv.Close)
	a.url = "ws" + strings.TrimPrefix(srv.URL, "http")
	return a
}

func (a *application) next() *peer {
	a.t.Helper()
	select {
	case p := <-a.conns:
		return p
	case <-time.After(time.Minute):
		a.t.Fatal("no connection")
		return nil
	}
}

// want takes the next message, which must be of this type.
func (p *peer) want(typ string) sent {
	p.t.Helper()
	select {
	case m, ok := <-p.in:
		if !ok || m.Type != typ {
			p.t.Fatalf("got %+v, want %s", m, typ)
		}
		return m
	case <-time.After(time.Minute):
		p.t.Fatalf("no %s", typ)
		return sent{}
	}
}

func (p *peer) say(format string, args ...any) {
	p.t.Helper()
	if err := p.c.Write(context.Background(), websocket.MessageText, fmt.Appendf(nil, format, args...)); err != nil {
		p.t.Error(err)
	}
}

// closed waits for the end of the connection.
func (p *peer) closed() {
	p.t.Helper()
	for {
		select {
		case _, ok := <-p.in:
			if !ok {
				return
			}
		case <-time.After(time.Minute):
			p.t.Fatal("the connection stays open")
		}
	}
}
