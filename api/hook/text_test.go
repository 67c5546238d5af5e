package hook

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"callbox/api"
	"callbox/call"
	"callbox/call/script"
)

// letters is a toy whose applications are told of text messages. In its documents
// "reply X" sends a message and "go URL" redirects; "say X" is text without mark-up.
type letters struct{ toy }

func (letters) TextRequest(h call.Hook, m call.Message) api.Outgoing {
	return api.Outgoing{URL: h.URL, Params: []api.Param{{Name: "Body", Value: m.Body}}}
}

func (letters) TextCallback(m call.Message) []api.Outgoing {
	return []api.Outgoing{{URL: m.Hook.URL, Params: []api.Param{{Name: "Status", Value: string(m.Status)}}}}
}

func (letters) Decode(body []byte, contentType, url string) (script.Document, error) {
	var doc script.Document
	for line := range strings.Lines(string(body)) {
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch verb {
		case "reply":
			doc.Verbs = append(doc.Verbs, &script.Message{Body: rest})
		case "go":
			doc.Verbs = append(doc.Verbs, &script.Redirect{Hook: call.Hook{URL: rest}})
		case "hangup":
			doc.Verbs = append(doc.Verbs, script.Hangup{})
		default:
			return toy{}.Decode(body, contentType, url)
		}
	}
	return doc, nil
}

// replies keeps what applications answer.
type replies struct {
	mu   sync.Mutex
	list []string
	fail error
}

func (r *replies) Reply(_ context.Context, id string, m call.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, id+" "+m.Body)
	return r.fail
}

// TestTextAnswers: what an application answers to a text message is done; when it
// cannot be asked, or not be read, the fallback is, with the reason.
func TestTextAnswers(t *testing.T) {
	app := server(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		switch r.URL.Path {
		case "/good":
			plain(w, "reply you said "+r.FormValue("Body")+"\nhangup now\nreply bye")
		case "/plain":
			plain(w, "say thank you")
		case "/on":
			plain(w, "reply first\ngo http://"+r.Host+"/good")
		case "/circle":
			plain(w, "go http://"+r.Host+"/circle")
		case "/odd":
			plain(w, "nonsense")
		case "/error":
			w.WriteHeader(http.StatusInternalServerError)
		case "/fallback":
			plain(w, "reply fallback "+r.FormValue("ErrorCode")+" "+strings.TrimPrefix(r.FormValue("ErrorUrl"), "http://"+r.Host))
		}
	})
	for _, tc := range []struct {
		path, fallback, want string
		fails                bool
	}{
		{"/good", "", "SM1 you said hi|SM1 bye", false},
		{"/plain", "", "SM1 thank you", false},
		{"/silent", "", "", false},
		{"/on", "", "SM1 first|SM1 you said hi|SM1 bye", false},
		{"/circle", "", "", true},
		{"/odd", "", "", true},
		{"/error", "", "", true},
		{"/odd", "/fallback", "SM1 fallback 12100 /odd", false},
		{"/error", "/fallback", "SM1 fallback 11200 /error", false},
		{"/error", "/error", "", true},
		{"/good", "/fallback", "SM1 you said hi|SM1 bye", false},
	} {
		t.Run(tc.path+tc.fallback, func(t *testing.T) {
			c := client(t, func(c *Config) { c.Dialects = []api.Dialect{letters{}} })
			var watched int
			d := NewDeliverer(c, &outbox{}, nil)
			d.Watch(func(api.Outgoing, error) { watched++ })
			got := &replies{}
			d.AnswerTexts(got)
			m := call.Message{ID: "SM1", API: "toy", Account: "AC1", From: "+15550199", Body: "hi"}
			var fallback call.Hook
			if tc.fallback != "" {
				fallback.URL = app + tc.fallback
			}
			notices := d.TextArrived(m, call.Hook{URL: app + tc.path}, fallback)
			if len(notices) != 1 {
				t.Fatalf("%d notices", len(notices))
			}
			o, err := unpack(notices[0].Payload)
			if err != nil {
				t.Fatal(err)
			}
			if err := d.send(t.Context(), o); (err != nil) != tc.fails {
				t.Errorf("error %v", err)
			}
			if s := strings.Join(got.list, "|"); s != tc.want {
				t.Errorf("replies %q, want %q", s, tc.want)
			}
			if tc.fallback != "" && tc.path != "/good" && watched != 1 {
				t.Errorf("the failure was told %d times", watched)
			}
		})
	}
}

// TestReplyFails: a reply that cannot be sent is told, and not asked for again.
func TestReplyFails(t *testing.T) {
	app := server(t, func(w http.ResponseWriter, _ *http.Request) { plain(w, "reply x") })
	c := client(t, func(c *Config) { c.Dialects = []api.Dialect{letters{}} })
	d := NewDeliverer(c, &outbox{}, nil)
	var why error
	d.Watch(func(_ api.Outgoing, err error) { why = err })
	d.AnswerTexts(&replies{fail: call.ErrNoMessenger})
	o, _ := unpack(d.TextArrived(call.Message{ID: "SM1", API: "toy", Account: "AC1"}, call.Hook{URL: app}, call.Hook{})[0].Payload)
	if err := d.send(t.Context(), o); err != nil || !errors.Is(why, call.ErrNoMessenger) {
		t.Errorf("%v; told %v", err, why)
	}
}

// TestTextNotices: a status is told to its hook, nothing without one, and by nobody
// whose dialect knows no text messages.
func TestTextNotices(t *testing.T) {
	c := client(t, func(c *Config) { c.Dialects = []api.Dialect{letters{}} })
	d := NewDeliverer(c, &outbox{}, nil)
	m := call.Message{ID: "SM1", API: "toy", Account: "AC1", Status: call.MessageSent, Hook: call.Hook{URL: "http://app/x"}}
	n := d.TextStatus(m)
	if len(n) != 1 || n[0].Key != "SM1" || !strings.Contains(string(n[0].Payload), `"sent"`) {
		t.Errorf("%v", n)
	}
	m.Hook = call.Hook{}
	other := client(t, nil)
	if n := d.TextStatus(m); len(n) != 0 {
		t.Errorf("%v", n)
	}
	m.Hook.URL = "http://app/x"
	if n := NewDeliverer(other, &outbox{}, nil).TextStatus(m); len(n) != 0 {
		t.Errorf("%v", n)
	}
	if n := d.TextArrived(m, call.Hook{URL: "http://app/" + strings.Repeat("x", MaxPayload)}, call.Hook{}); len(n) != 0 {
		t.Error("a notice that is too long was made")
	}
}
