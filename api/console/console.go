package console

import (
	"context"
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"
	"time"

	"callbox/api"
	"callbox/call"
)

// Prefix is where everything of this package stands.
const Prefix = "/console/"

// shown is how many calls the page shows, the newest.
const shown = 100

//go:embed page
var files embed.FS

// Calls lists the calls of an account.
type Calls interface {
	Calls(ctx context.Context, f call.Filter) (call.Page, error)
}

// Line is a line and how it is.
type Line struct {
	ID    string    `json:"id"`
	Kind  call.Kind `json:"kind"`
	Ready bool      `json:"ready"`
	Busy  int       `json:"busy"` // calls
	Max   int       `json:"max"`  // calls at a time; 0: as many as come
	Text  string    `json:"text"` // how it is, one sentence
}

// Config is what the page shows.
type Config struct {
	Auth    *api.Auth
	Calls   Calls
	Lines   func() []Line // sorted by id
	Version string
}

// State is the body of state.json.
type State struct {
	Account string    `json:"account"`
	Version string    `json:"version"`
	Now     time.Time `json:"now"`
	Lines   []Line    `json:"lines"`
	Calls   []Call    `json:"calls"` // the newest first
}

// Call is a call as the page shows it.
type Call struct {
	ID         string     `json:"id"`
	Parent     string     `json:"parent,omitempty"`
	Direction  string     `json:"direction"`
	From       string     `json:"from"`
	To         string     `json:"to"`
	Line       string     `json:"line,omitempty"`
	Route      string     `json:"route,omitempty"` // why that line
	State      string     `json:"state"`
	Created    time.Time  `json:"created"`
	Ended      *time.Time `json:"ended,omitempty"`
	Seconds    float64    `json:"seconds"`       // since the answer
	MOS        float64    `json:"mos,omitempty"` // 1 to 4.5
	AnsweredBy string     `json:"answered_by,omitempty"`
	Why        string     `json:"why,omitempty"` // what told who answered
	Cause      string     `json:"cause,omitempty"`
	Recordings int        `json:"recordings,omitempty"`
	Warnings   []string   `json:"warnings,omitempty"`
}

// Mount serves the page.
func Mount(c Config) api.Mount {
	page, err := fs.Sub(files, "page")
	if err != nil {
		panic(err) // the program was built without it
	}
	h := &handler{c, http.StripPrefix(Prefix, http.FileServerFS(page))}
	return api.Mount{Name: "console", Prefix: Prefix, Handler: h}
}

type handler struct {
	Config
	files http.Handler
}

// ServeHTTP lets accounts in. What they get is not kept by the browser, runs no script
// of others and shows in no frame of theirs.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, _, _ := r.BasicAuth()
	acc, err := h.Auth.Basic(r, user)
	if err != nil {
		api.FailPlain(w, r, err)
		return
	}
	w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "the page is only read", http.StatusMethodNotAllowed)
	case r.URL.Path == Prefix+"state.json":
		h.state(w, r, acc)
	default:
		h.files.ServeHTTP(w, r)
	}
}

func (h *handler) state(w http.ResponseWriter, r *http.Request, acc api.Account) {
	p, err := h.Calls.Calls(r.Context(), call.Filter{Account: acc.ID, Limit: shown})
	if err != nil {
		api.FailPlain(w, r, err)
		return
	}
	now := time.Now()
	s := State{Account: acc.ID, Version: h.Version, Now: now, Lines: h.Lines(), Calls: make([]Call, 0, len(p.Records))}
	for _, rec := range p.Records {
		s.Calls = append(s.Calls, callOf(rec, now))
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s) // a browser that has left needs no answer
}

// callOf shows a record.
func callOf(r call.Record, now time.Time) Call {
	c := Call{ID: r.ID, Parent: r.Parent, Direction: string(r.Direction), From: r.From, To: r.To, Line: r.Line, Route: r.Route,
		State: r.State.String(), Created: r.Created, Ended: r.Ended, Seconds: r.Duration(now).Seconds(),
		AnsweredBy: r.AnsweredBy, Why: r.MachineWhy, Recordings: len(r.Recordings), Warnings: r.Warnings}
	if r.Quality != nil {
		c.MOS = r.Quality.MOS
	}
	if r.Cause != nil {
		c.Cause = r.Cause.Error()
	}
	return c
}
