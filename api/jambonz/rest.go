package jambonz

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	"callbox/api"
	"callbox/api/jambonz/js"
	"callbox/api/jambonz/shape"
)

// rest is the dialect's REST face: a path table, and the shape through which the
// shared handlers read and write.
type rest struct {
	*Dialect
	h *api.Handlers
}

var _ api.CallShape = rest{}

// prefix is where the dialect's addresses begin.
const prefix = "/v1/"

// Mount gives the dialect's part of the address space, served by h.
func (d *Dialect) Mount(h *api.Handlers) api.Mount {
	s := rest{d, h}
	return api.Mount{Name: Name, Prefix: prefix, Handler: http.HandlerFunc(s.serve), Fail: s.WriteError}
}

// request is one request whose account is known, with the ids of its path.
type request struct {
	*api.Request
	ids map[string]string // by the names in the path table
}

// act is what a route does.
type act func(s rest, w http.ResponseWriter, q request)

// route is one row of a path table: the path, and what is done there by method.
type route struct {
	path string
	acts map[string]act
}

// routes are the paths below an account, "Accounts/{account}/…".
var routes = slices.Concat([]route{
	{"Calls", map[string]act{
		"POST": func(s rest, w http.ResponseWriter, q request) { s.h.CreateCall(w, q.Request, s) },
		"GET":  func(s rest, w http.ResponseWriter, q request) { s.h.ListCalls(w, q.Request, s) },
	}},
	{"Calls/{call}", map[string]act{
		"GET":    func(s rest, w http.ResponseWriter, q request) { s.h.FetchCall(w, q.Request, s) },
		"PUT":    rest.updateCall,
		"POST":   rest.updateCall,
		"DELETE": func(s rest, w http.ResponseWriter, q request) { s.h.EndCall(w, q.Request, s) },
	}},
	{"CallCount", map[string]act{"GET": rest.countCalls}},
	{"Conferences", map[string]act{"GET": rest.listConferences}},
	{"Queues", map[string]act{"GET": rest.listQueues}},
	{"RecentCalls", map[string]act{"GET": rest.recentCalls}},
	{"RecentCalls/{call}", map[string]act{"GET": rest.recentCall}},
	{"RecentCalls/{call}/record/{year}/{month}/{day}/{format}", map[string]act{"GET": rest.recording, "HEAD": rest.recording}},
	{"WebhookSecret", map[string]act{"GET": rest.webhookSecret}},
	{"", map[string]act{"GET": rest.fetchAccount, "PUT": rest.changeAccount}},
	{"Messages", map[string]act{"POST": rest.sendMessage}},
	{"Alerts", map[string]act{"GET": rest.listAlerts}},
	{"RegisteredSipUsers", map[string]act{"GET": rest.listRegistered, "POST": rest.listRegistered}},
	{"RegisteredSipUsers/{user}", map[string]act{"GET": rest.fetchRegistered}},
}, settingRoutes)

// settingRoutes are the paths of what customers set up. They are there below an
// account, at the top, where the key alone says whose they are, and to be read below
// the service provider.
var settingRoutes = slices.Concat(applications.routes(), phoneNumbers.routes(), clients.routes(), apiKeys.routes(), voipCarriers.routes(),
	sipGateways.routes(), teamsTenants.routes())

// topRoutes are the paths that name no account.
var topRoutes = slices.Concat([]route{
	{"Accounts", map[string]act{"GET": rest.listAccounts}},
	{"ServiceProviders", map[string]act{"GET": rest.listProviders}},
	{"ServiceProviders/{provider}", map[string]act{"GET": rest.fetchProvider}},
	{"ServiceProviders/{provider}/Accounts", map[string]act{"GET": ofProvider(rest.listAccounts)}},
	{"Users", absent(noPortal)},
	{"Users/{item}", absent(noPortal)},
	{"Lcrs", absent(noLcrs)},
	{"Lcrs/{item}", absent(noLcrs)},
}, settingRoutes, providerRoutes())

// What takes the place of parts of upstream's API that this box does not have.
const (
	noPortal = "this box has no portal and no users of one: phones are Clients, and who may use this API has a key of ApiKeys"
	noLcrs   = "routes by prefix are set up in the box's configuration (routes), not by this API"
)

// absentPaths are their paths.
var absentPaths = map[string]bool{"Users": true, "Users/{item}": true, "Lcrs": true, "Lcrs/{item}": true}

// providerRoutes are the lists below the service provider.
func providerRoutes() (out []route) {
	for _, r := range settingRoutes {
		if list, ok := r.acts["GET"]; ok && !strings.Contains(r.path, "{") {
			out = append(out, route{"ServiceProviders/{provider}/" + r.path, map[string]act{"GET": ofProvider(list)}})
		}
	}
	return out
}

// serve answers one request: first who asks, then what for.
func (s rest) serve(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, prefix), "/") // clients end lists with one
	var account api.Account
	var err error
	table := topRoutes
	if below, ok := strings.CutPrefix(path, "Accounts/"); ok {
		var sid string
		sid, path, _ = strings.Cut(below, "/")
		table = routes
		account, err = s.h.Auth.Bearer(r, sid)
	} else {
		account, err = s.h.Auth.Holder(r)
	}
	if err != nil {
		s.WriteError(w, r, err)
		return
	}
	q := request{Request: &api.Request{Request: r, Account: account}}
	for _, row := range table {
		var ok bool
		if q.ids, ok = matchPath(row.path, path); !ok {
			continue
		}
		q.Call = q.ids["call"]
		do, ok := row.acts[r.Method]
		if !ok {
			w.Header().Set("Allow", strings.Join(slices.Sorted(maps.Keys(row.acts)), ", "))
			s.WriteError(w, r, api.ErrMethod)
			return
		}
		do(s, w, q)
		return
	}
	s.WriteError(w, r, api.ErrNoPath)
}

// maxID is the longest id in a path.
const maxID = 64

// matchPath matches a path with a row and gives the ids in it.
func matchPath(pattern, path string) (map[string]string, bool) {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return nil, false
	}
	ids := map[string]string{}
	for i := range want {
		name, isID := strings.CutPrefix(want[i], "{")
		switch {
		case !isID && want[i] != got[i], isID && (got[i] == "" || len(got[i]) > maxID):
			return nil, false
		case isID:
			ids[strings.TrimSuffix(name, "}")] = got[i]
		}
	}
	return ids, true
}

// readBody reads the JSON object of a request by a table. Unknown properties are
// ignored with a warning, as upstream ignores them.
func readBody(q *api.Request, props shape.Props) (shape.Object, error) {
	v, err := readJSON(q)
	if err != nil {
		return shape.Object{}, err
	}
	return shape.Read(v, "", props, shape.Options{Warn: q.Warn, Lax: true})
}

// readJSON reads the JSON of a request.
func readJSON(q *api.Request) (js.Value, error) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return js.Value{}, err
		}
		return js.Value{}, shape.Refuse("the body could not be read: %s", err)
	}
	if ct := q.Header.Get("Content-Type"); ct != "" {
		if mt, _, err := mime.ParseMediaType(ct); err != nil || mt != "application/json" && !strings.HasSuffix(mt, "+json") {
			return js.Value{}, fmt.Errorf("%w: send application/json, not %q", api.ErrContentType, ct)
		}
	}
	v, err := js.Parse(body)
	if err != nil {
		return js.Value{}, shape.Refuse("the body is not JSON: %s", err)
	}
	return v, nil
}

// webhookSecret answers with the key that callbacks are signed with.
func (s rest) webhookSecret(w http.ResponseWriter, q request) {
	if q.URL.Query().Get("regenerate") == "true" {
		s.WriteError(w, q.Request.Request, shape.Unable("the webhook secret cannot be made anew by request"))
		return
	}
	var o js.Object
	o.Text("webhook_secret", s.SigningKey(q.Account))
	writeJSON(w, http.StatusOK, o.Value())
}
