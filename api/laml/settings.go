package laml

import (
	"net/http"
	"slices"
	"strconv"

	"callbox/api"
	"callbox/call"
)

// setting is one kind of what customers set up: how the shared acts on such a
// resource read, keep and show it.
type setting[T any] struct {
	element, key string // "Application", "applications"
	params       []Param
	store        func(h *api.Handlers) api.Settings[T]
	id           func(x T) string
	name         func(x T) (friendly, number string) // what lists can be filtered by
	// read changes x by the parameters of a request; fresh tells a creation.
	read func(s rest, q *api.Request, v Values, x *T, fresh bool) error
	show func(s rest, x T) any
	// parent gives the id of what x belongs to, for paths with one, and has
	// whether the account has what such an id names; nil: there is none.
	parent func(x T) string
	has    func(h *api.Handlers, account, parent string) bool
}

// all lists those that the path of q is about, oldest first.
func (st setting[T]) all(s rest, q *api.Request) []T {
	list := st.store(s.h).List(q.Account.ID)
	if st.parent != nil {
		list = slices.DeleteFunc(list, func(x T) bool { return st.parent(x) != q.Parent })
	}
	return list
}

// settingRoutes are the paths of a kind of setting; none when the dialect does
// not have it.
func settingRoutes[T any](st setting[T], path string, suffixes []string) []route {
	if st.params == nil {
		return nil
	}
	kept := func(do act) act { // not where the box keeps no such settings
		return func(s rest, w http.ResponseWriter, q *api.Request) {
			if st.store(s.h) == nil || st.has != nil && !st.has(s.h, q.Account.ID, q.Parent) {
				s.WriteError(w, q.Request, api.ErrNoPath)
				return
			}
			do(s, w, q)
		}
	}
	all, one := settingOperations(st.element, st.key, st.params)
	return []route{
		{path: path, suffixes: suffixes, acts: map[string]act{"GET": kept(st.list), "POST": kept(st.create)}, about: all},
		{path: path + "/{item}", suffixes: suffixes, acts: map[string]act{
			"GET": kept(st.fetch), "POST": kept(st.change), "DELETE": kept(st.remove),
		}, about: one},
	}
}

// settingFilters are the filters of every list of settings.
var settingFilters = WithPaging(
	Param{Name: "FriendlyName", Kind: Text, Max: 255},
	Param{Name: "PhoneNumber", Kind: Text, Max: 64},
	Param{Name: "Beta", Kind: Ignored},
	Param{Name: "Origin", Kind: Ignored},
)

// readParams reads the parameters of a request about a setting. Those that a
// creation needs may be left out of a change.
func (st setting[T]) readParams(s rest, q *api.Request, fresh bool) (Values, error) {
	table := st.params
	if !fresh {
		table = slices.Clone(table)
		for i := range table {
			table[i].Required = 0
		}
	}
	return s.readTable(q, table)
}

// readTable reads the parameters of a request and warns of those without effect.
func (s rest) readTable(q *api.Request, table []Param) (Values, error) {
	form, err := readForm(q.Request)
	if err != nil {
		return Values{}, err
	}
	v, unknown, err := readValues(form, table)
	if err == nil {
		s.warnUnused(table, v, unknown, q.Warn)
	}
	return v, err
}

// readList reads the filters of a list, and which page of it is asked for.
func (s rest) readList(w http.ResponseWriter, q *api.Request, table []Param) (v Values, p paging, err error) {
	form, err := readForm(q.Request)
	if err == nil {
		v, p, err = s.readPage(form, table, q.Warn)
	}
	s.h.TellWarnings(w, q)
	return v, p, err
}

func (st setting[T]) create(s rest, w http.ResponseWriter, q *api.Request) {
	var x T
	v, err := st.readParams(s, q, true)
	if err == nil {
		err = st.read(s, q, v, &x, true)
	}
	s.h.TellWarnings(w, q)
	if err == nil {
		ctx, cancel := api.ActContext(q)
		defer cancel()
		x, err = st.store(s.h).Create(ctx, q.Account.ID, x)
	}
	st.answer(s, w, q, s.p.CreatedStatus, x, err)
}

func (st setting[T]) change(s rest, w http.ResponseWriter, q *api.Request) {
	x, err := st.find(s, q)
	var v Values
	if err == nil {
		v, err = st.readParams(s, q, false)
	}
	s.h.TellWarnings(w, q)
	if err == nil {
		ctx, cancel := api.ActContext(q)
		defer cancel()
		x, err = st.store(s.h).Change(ctx, q.Account.ID, q.Item, func(x *T) error { return st.read(s, q, v, x, false) })
	}
	st.answer(s, w, q, http.StatusOK, x, err)
}

func (st setting[T]) fetch(s rest, w http.ResponseWriter, q *api.Request) {
	x, err := st.find(s, q)
	st.answer(s, w, q, http.StatusOK, x, err)
}

// find gives the one that the path names.
func (st setting[T]) find(s rest, q *api.Request) (x T, err error) {
	for _, x := range st.all(s, q) {
		if st.id(x) == q.Item {
			return x, nil
		}
	}
	return x, call.ErrNotFound
}

func (st setting[T]) remove(s rest, w http.ResponseWriter, q *api.Request) {
	ctx, cancel := api.ActContext(q)
	defer cancel()
	_, err := st.find(s, q)
	if err == nil {
		err = st.store(s.h).Delete(ctx, q.Account.ID, q.Item)
	}
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (st setting[T]) answer(s rest, w http.ResponseWriter, q *api.Request, status int, x T, err error) {
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	s.write(w, q.Request, Answer{status, st.element, st.show(s, x)})
}

// list answers with a page, newest first.
func (st setting[T]) list(s rest, w http.ResponseWriter, q *api.Request) {
	list := st.all(s, q)
	slices.Reverse(list)
	writeSettings(s, w, q, st.element, st.key, list, func(v Values, x T) bool {
		friendly, number := st.name(x)
		return matches(v, "FriendlyName", friendly) && (matches(v, "PhoneNumber", number) || filterParty(v.Text("PhoneNumber")) == number)
	}, func(x T) any { return st.show(s, x) })
}

// writeSettings is writeFiltered with the filters of settings.
func writeSettings[T any](s rest, w http.ResponseWriter, q *api.Request, element, key string, list []T, fits func(Values, T) bool, show func(T) any) {
	writeFiltered(s, w, q, settingFilters, element, key, list, fits, show)
}

// writeFiltered answers with a page of those of list that fit the filters.
func writeFiltered[T any](s rest, w http.ResponseWriter, q *api.Request, filters []Param, element, key string, list []T, fits func(Values, T) bool, show func(T) any) {
	v, p, err := s.readList(w, q, filters)
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	list = slices.DeleteFunc(list, func(x T) bool { return !fits(v, x) })
	render := func(list []T) []any {
		items := make([]any, len(list))
		for i, x := range list {
			items[i] = show(x)
		}
		return items
	}
	if s.p.Tables.NumberedPages {
		numberedPage(w, s, q, filters, listing[T]{element, key, func(string) ([]T, string, error) { return list, "", nil }, render})
		return
	}
	start := 0
	if p.cursor != "" {
		if start, err = strconv.Atoi(p.cursor); err != nil || start < 0 {
			s.WriteError(w, q.Request, call.ErrCursor)
			return
		}
	}
	start = min(start, len(list))
	end := min(start+p.size, len(list))
	var next, previous string
	if end < len(list) {
		next = strconv.Itoa(end)
	}
	if start > 0 {
		previous = strconv.Itoa(max(start-p.size, 0))
	}
	s.writePage(w, q, element, key, render(list[start:end]), s.envelopeOf(q.Request, filters, end-start, next, previous))
}

// matches reports whether a filter, when there is one, is text.
func matches(v Values, name, text string) bool { return !v.Has(name) || v.Text(name) == text }

// setHook changes h by the parameters url and method, where they are given.
func setHook(v Values, h *call.Hook, link, method string) {
	if v.Given(link) {
		h.URL = v.Text(link)
	}
	if v.Has(method) || h.Method == "" {
		h.Method = v.method(method)
	}
	if h.URL == "" {
		*h = call.Hook{}
	}
}

// setVoice changes the script and the status hook of x.
func setVoice(v Values, script *call.ScriptSource, status *call.StatusHook) {
	setHook(v, &script.Main, "VoiceUrl", "VoiceMethod")
	setHook(v, &script.Fallback, "VoiceFallbackUrl", "VoiceFallbackMethod")
	setHook(v, &status.Hook, "StatusCallback", "StatusCallbackMethod")
	if v.Has("VoiceUrl") {
		script.Inline = ""
	}
	if status.IsZero() {
		status.Events = nil
	}
}

// setMessaging changes the hooks of text messages.
func setMessaging(v Values, m *api.Messaging) {
	setHook(v, &m.Message, "SmsUrl", "SmsMethod")
	setHook(v, &m.MessageFallback, "SmsFallbackUrl", "SmsFallbackMethod")
	setHook(v, &m.MessageStatus, "SmsStatusCallback", "SmsStatusMethod")
}
