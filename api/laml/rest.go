package laml

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"callbox/api"
)

// rest is a dialect's REST face: a path table, and the shapes that the shared
// handlers read and write through.
type rest struct {
	*Dialect
	h *api.Handlers
}

var (
	_ api.CallShape      = rest{}
	_ api.RecordingShape = rest{}
)

// Mounts gives the dialect's parts of the address space, served by h.
func (d *Dialect) Mounts(h *api.Handlers) []api.Mount {
	s := rest{d, h}
	var list []api.Mount
	for _, base := range d.p.Bases {
		list = append(list, api.Mount{
			Name:    d.p.Name,
			Prefix:  base + "/",
			Claims:  func(r *http.Request) bool { return d.p.Claims(d.pathAccount(r.URL.Path)) },
			Handler: http.HandlerFunc(s.serve),
			Fail:    s.WriteError,
		})
	}
	return list
}

// act is what a route does.
type act func(s rest, w http.ResponseWriter, q *api.Request)

// route is one row of the path table: what follows "Accounts/{account}", with
// {call}, {recording}, {parent} and {item} standing for ids, and the suffixes it is known by.
type route struct {
	path     string
	suffixes []string
	acts     map[string]act       // by method
	about    map[string]operation // by method, where describe.go does not tell
	sound    bool                 // it answers with sound
}

// routesOf is the path table of a dialect. A path without a suffix means the
// dialect's first format; that of a recording may mean its sound.
func routesOf(p Profile) []route {
	plain, record, sound := []string{"", ".json"}, []string{".json"}, []string{".wav"}
	if p.Formats.Root != "" {
		plain, record = append(plain, ".xml"), append(record, ".xml")
	}
	if p.Formats.BareSound {
		sound = append(sound, "")
	} else {
		record = append(record, "")
	}
	oneCall := map[string]act{
		"GET":  func(s rest, w http.ResponseWriter, q *api.Request) { s.h.FetchCall(w, q, s) },
		"POST": func(s rest, w http.ResponseWriter, q *api.Request) { s.h.UpdateCall(w, q, s) },
	}
	if !p.Tables.KeepCalls {
		oneCall["DELETE"] = func(s rest, w http.ResponseWriter, q *api.Request) { s.h.DeleteCall(w, q, s) }
	}
	ofCall := map[string]act{"GET": rest.listRecordings}
	if p.Tables.StartRecording != nil {
		ofCall["POST"] = func(s rest, w http.ResponseWriter, q *api.Request) { s.h.StartRecording(w, q, s) }
	}
	list := []route{
		{path: "", suffixes: plain, acts: map[string]act{"GET": rest.account}},
		{path: "Calls", suffixes: plain, acts: map[string]act{
			"POST": func(s rest, w http.ResponseWriter, q *api.Request) { s.h.CreateCall(w, q, s) },
			"GET":  rest.listCalls,
		}},
		{path: "Calls/{call}", suffixes: plain, acts: oneCall},
		{path: "Calls/{call}/Recordings", suffixes: plain, acts: ofCall},
		{path: "Calls/{call}/Recordings/{recording}", suffixes: record, acts: steered(p)},
		{path: "Calls/{call}/Recordings/{recording}", suffixes: sound, acts: recordingSound, sound: true},
		{path: "Recordings", suffixes: plain, acts: map[string]act{"GET": rest.listRecordings}},
		{path: "Recordings/{recording}", suffixes: record, acts: oneRecording},
		{path: "Recordings/{recording}", suffixes: sound, acts: recordingSound, sound: true},
	}
	list = append(list, liveRoutes(p, plain)...)
	list = append(list, settingRoutes(applications(p), "Applications", plain)...)
	list = append(list, settingRoutes(numbers(p), "IncomingPhoneNumbers", plain)...)
	list = append(list, settingRoutes(keys(p, "Key", "keys"), "Keys", plain)...)
	list = append(list, settingRoutes(keys(p, "SigningKey", "signing_keys"), "SigningKeys", plain)...)
	list = append(list, messageRoutes(p, plain)...)
	list = append(list, settingRoutes(callerIDs(p), "OutgoingCallerIds", plain)...)
	list = append(list, notificationRoutes(plain)...)
	list = append(list, usageRoutes(plain)...)
	list = append(list, meetingRoutes(p, plain, record, sound)...)
	return append(list, sipRoutes(p, plain)...)
}

// steered are the acts of a recording that may still be made.
func steered(p Profile) map[string]act {
	acts := maps.Clone(oneRecording)
	if p.Tables.UpdateRecording != nil {
		acts["POST"] = func(s rest, w http.ResponseWriter, q *api.Request) { s.h.ChangeRecording(w, q, s) }
	}
	return acts
}

var (
	oneRecording = map[string]act{
		"GET":    func(s rest, w http.ResponseWriter, q *api.Request) { s.h.FetchRecording(w, q, s) },
		"DELETE": func(s rest, w http.ResponseWriter, q *api.Request) { s.h.DeleteRecording(w, q, s) },
	}
	recordingSound = map[string]act{
		"GET":    rest.recordingAudio,
		"HEAD":   rest.recordingAudio,
		"DELETE": func(s rest, w http.ResponseWriter, q *api.Request) { s.h.DeleteRecording(w, q, s) },
	}
)

// afterBase is what follows the dialect's base in a path.
func (d *Dialect) afterBase(path string) (rest string, ok bool) {
	for _, base := range d.p.Bases {
		if rest, ok = strings.CutPrefix(path, base+"/Accounts/"); ok {
			return rest, true
		}
	}
	return "", false
}

// pathAccount is the account id in a path, empty when there is none.
func (d *Dialect) pathAccount(path string) string {
	rest, _ := d.afterBase(path)
	id, _, below := strings.Cut(rest, "/")
	if !below {
		id, _ = splitSuffix(id)
	}
	return id
}

// splitSuffix cuts the suffix off a path. It stands at the end; before the last
// id it is taken too, as in "Calls.json/CA…".
func splitSuffix(path string) (bare, suffix string) {
	dir, last := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		dir, last = path[:i], path[i:]
	}
	if i := strings.LastIndexByte(last, '.'); i >= 0 {
		return dir + last[:i], last[i:]
	}
	for _, s := range []string{".json", ".xml"} {
		if d, ok := strings.CutSuffix(dir, s); ok {
			return d + last, s
		}
	}
	return path, ""
}

// serve answers one request: first who asks, then what for.
func (s rest) serve(w http.ResponseWriter, r *http.Request) {
	id := s.pathAccount(r.URL.Path)
	if id == "" {
		s.WriteError(w, r, api.ErrNoPath)
		return
	}
	q := &api.Request{Request: r}
	rest, _ := s.afterBase(r.URL.Path)
	rest, suffix := splitSuffix(rest)
	rest = strings.TrimPrefix(strings.TrimPrefix(rest, id), "/")
	rt := s.findRoute(rest, suffix, q)
	var err error
	if q.Account, err = s.whoAsks(id, rt, q); err != nil {
		s.WriteError(w, r, err)
		return
	}
	if rt == nil {
		s.WriteError(w, r, absentOf(rest, suffix))
		return
	}
	do, ok := rt.acts[r.Method]
	if !ok {
		var allow []string
		for m := range rt.acts {
			allow = append(allow, m)
		}
		slices.Sort(allow)
		w.Header().Set("Allow", strings.Join(allow, ", "))
		s.WriteError(w, r, api.ErrMethod)
		return
	}
	do(s, w, q)
}

// whoAsks is the account that q acts for.
func (s rest) whoAsks(id string, rt *route, q *api.Request) (api.Account, error) {
	if s.p.Formats.OpenSound && rt != nil && rt.sound && q.Header.Get("Authorization") == "" && q.Method != http.MethodDelete {
		if r, err := s.h.Recordings.Recording(q.Context(), id, q.Recording); err == nil && r.API == s.p.Name {
			return api.Account{ID: id}, nil
		}
	}
	return s.h.Auth.Basic(q.Request, id)
}

// findRoute finds the row for what follows the account in a path, and puts the
// ids into q. Nil: there is none.
func (s rest) findRoute(path, suffix string, q *api.Request) *route {
	for i := range s.routes {
		if slices.Contains(s.routes[i].suffixes, suffix) && matchPath(s.routes[i].path, path, q) {
			return &s.routes[i]
		}
	}
	return nil
}

// maxPathID is the longest id in a path: the name of a conference.
const maxPathID = 128

// matchPath matches a path with a row of the table.
func matchPath(pattern, path string, q *api.Request) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	var callID, recordingID, parent, item string
	for i := range want {
		switch want[i] {
		case "{call}":
			callID = got[i]
		case "{recording}":
			recordingID = got[i]
		case "{parent}":
			parent = got[i]
		case "{item}":
			item = got[i]
		default:
			if want[i] != got[i] {
				return false
			}
			continue
		}
		if got[i] == "" || len(got[i]) > maxPathID {
			return false
		}
	}
	q.Call, q.Recording, q.Parent, q.Item = callID, recordingID, parent, item
	return true
}

// account answers with the account; clients fetch it to test their credentials.
func (s rest) account(w http.ResponseWriter, q *api.Request) {
	a := q.Account
	s.write(w, q.Request, Answer{http.StatusOK, "Account", s.p.Shapes.Account.render(accountFields, viewOf(s.Dialect, a, a.ID, ""))})
}
