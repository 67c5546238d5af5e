package mailbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"

	"callbox/api"
	"callbox/call"
)

// Prefix is where everything of this package stands.
const Prefix = "/api/users/"

// path is that of a user's messages.
const path = Prefix + "{name}/messages"

// Failure is the body of every answer that is not a success.
type Failure struct {
	Error string `json:"error"`
}

type handler struct {
	auth  *api.Auth
	boxes api.Mailboxes
	log   *slog.Logger
}

// Mount serves the messages of users.
func Mount(auth *api.Auth, boxes api.Mailboxes, log *slog.Logger) api.Mount {
	h := &handler{auth: auth, boxes: boxes, log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+path, h.get)
	mux.HandleFunc("PUT "+path, h.put)
	mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", "GET, PUT")
		h.fail(w, r, api.ErrMethod)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { h.fail(w, r, api.ErrNoPath) })
	return api.Mount{Name: "mailbox", Prefix: Prefix, Handler: mux, Fail: h.fail}
}

// account is whom the request acts for; false when it was answered.
func (h *handler) account(w http.ResponseWriter, r *http.Request) (string, bool) {
	user, _, _ := r.BasicAuth()
	acc, err := h.auth.Basic(r, user)
	if err != nil {
		h.fail(w, r, err)
		return "", false
	}
	return acc.ID, true
}

func (h *handler) get(w http.ResponseWriter, r *http.Request) {
	account, ok := h.account(w, r)
	if !ok {
		return
	}
	n, err := h.boxes.Waiting(account, r.PathValue("name"))
	if err != nil {
		h.fail(w, r, err)
		return
	}
	write(w, http.StatusOK, n)
}

func (h *handler) put(w http.ResponseWriter, r *http.Request) {
	account, ok := h.account(w, r)
	if !ok {
		return
	}
	var n api.Waiting
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&n); err != nil {
		h.fail(w, r, &api.InvalidError{Text: fmt.Sprintf("the body is not a count of messages in JSON: %v", err)})
		return
	}
	if err := h.boxes.SetWaiting(r.Context(), account, r.PathValue("name"), n); err != nil {
		h.fail(w, r, err)
		return
	}
	write(w, http.StatusOK, n)
}

// fail says what went wrong.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusInternalServerError
	var invalid *api.InvalidError
	var wait *api.ThrottledError
	switch {
	case errors.Is(err, api.ErrUnauthorized):
		w.Header().Set("WWW-Authenticate", `Basic realm="Callbox"`)
		status = http.StatusUnauthorized
	case errors.As(err, &wait):
		w.Header().Set("Retry-After", strconv.Itoa(wait.Seconds()))
		status = http.StatusTooManyRequests
	case errors.Is(err, call.ErrNotFound):
		status, err = http.StatusNotFound, errors.New("the account has no such user")
	case errors.Is(err, api.ErrNoPath):
		status = http.StatusNotFound
	case errors.Is(err, api.ErrMethod):
		status = http.StatusMethodNotAllowed
	case errors.As(err, &invalid):
		status = http.StatusBadRequest
	case errors.Is(err, api.ErrCrossOrigin), errors.Is(err, api.ErrSuspended):
		status = http.StatusForbidden
	case errors.Is(err, api.ErrOverload):
		status = http.StatusServiceUnavailable
	default:
		h.log.Error("a user's messages", "path", r.URL.Path, "err", err)
		err = api.ErrInternal
	}
	write(w, status, Failure{Error: err.Error()})
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) //nolint:errcheck // the client went away
}

// Describe tells what is served here.
func Describe() []api.Operation {
	most, none := api.MaxMessages, 0
	number := func(says string) *api.Schema {
		return &api.Schema{Type: "integer", Min: &none, Max: &most, Says: says}
	}
	count := &api.Schema{Name: "MessagesWaiting", Type: "object", Strict: true, Says: "Voice messages that wait for a user.", Fields: []api.Field{
		{Name: "new", Schema: number("not heard yet: the lamp is lit")}, {Name: "old", Schema: number("heard and kept")},
		{Name: "urgent_new", Schema: number("those of new that are urgent")}, {Name: "urgent_old", Schema: number("those of old that are urgent")},
	}}
	failure := &api.Schema{Name: "Failure", Type: "object", Fields: []api.Field{{Name: "error", Required: true, Schema: &api.Schema{Type: "string"}}}}
	answers := []api.Answer{{Status: http.StatusOK, Type: "application/json", Schema: count}, {Says: "What went wrong", Type: "application/json", Schema: failure}}
	return []api.Operation{
		{API: "box", Method: http.MethodGet, Path: path, Summary: "Tell how many voice messages wait for a user", Auth: api.AuthBasic, Answers: answers},
		{API: "box", Method: http.MethodPut, Path: path, Summary: "Say how many voice messages wait for a user, which lights the lamp of its telephones",
			Auth: api.AuthBasic, Body: count, Answers: answers},
	}
}
