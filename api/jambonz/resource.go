package jambonz

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"callbox/api"
	"callbox/api/jambonz/js"
	"callbox/api/jambonz/shape"
	"callbox/call"
)

// resource is one kind of what customers set up: how the shared acts on it read,
// keep and show it.
type resource[T any] struct {
	path   string // "Applications"
	title  string // for sentences: "an application"
	props  shape.Props
	filter []string // parameters of its list, besides those of every list
	// needs is a parameter without which there is no list; empty: none.
	needs string
	store func(s rest) api.Settings[T]
	id    func(x T) string
	name  func(x T) string // what lists are filtered by
	// read changes x by the properties of a request; fresh tells a creation.
	read func(s rest, q request, o shape.Object, x *T, fresh bool) error
	// fits reports whether x belongs to the list that q asks for; nil: it does.
	fits func(q request, x T) bool
	show func(s rest, x T) js.Object
	// full has everything that show can tell, and more what it tells besides: for the
	// description of the answers.
	full T
	more []api.Field
	// made adds what is told once, in the answer to the creation; nil: nothing.
	made func(x T, o *js.Object)
}

// ownerProps say in every request whose something is to be.
var ownerProps = shape.Props{"account_sid": {Type: shape.Text}, "service_provider_sid": {Type: shape.Text}}

// routes are the paths of a kind of resource. Where the box keeps none there is
// nothing at them.
func (k resource[T]) routes() []route {
	kept := func(do act) act {
		return func(s rest, w http.ResponseWriter, q request) {
			if k.store(s) == nil {
				s.WriteError(w, q.Request.Request, api.ErrNoPath)
				return
			}
			do(s, w, q)
		}
	}
	return []route{
		{k.path, map[string]act{"GET": kept(k.list), "POST": kept(k.create)}},
		{k.path + "/{item}", map[string]act{"GET": kept(k.fetch), "PUT": kept(k.change), "DELETE": kept(k.remove)}},
	}
}

// all lists those of the account, oldest first.
func (k resource[T]) all(s rest, q request) []T { return k.store(s).List(q.Account.ID) }

// find gives the one that the path names.
func (k resource[T]) find(s rest, q request) (x T, err error) {
	for _, x := range k.all(s, q) {
		if k.id(x) == q.ids["item"] {
			return x, nil
		}
	}
	return x, call.ErrNotFound
}

// body reads a request about one. What a creation needs may be left out of a
// change.
func (k resource[T]) body(q request, fresh bool) (shape.Object, error) {
	props := k.props.With(ownerProps)
	if !fresh {
		for name, p := range props {
			p.Need = false
			props[name] = p
		}
	}
	o, err := readBody(q.Request, props)
	if err == nil && o.Has("account_sid") && !q.owns(o.Text("account_sid")) {
		err = api.ErrForbidden
	}
	return o, err
}

// owns reports whether sid is the account that asks.
func (q request) owns(sid string) bool { return sid == q.Account.ID || sid == q.Account.Project }

func (k resource[T]) create(s rest, w http.ResponseWriter, q request) {
	var x T
	o, err := k.body(q, true)
	if err == nil {
		err = k.read(s, q, o, &x, true)
	}
	s.h.TellWarnings(w, q.Request)
	if err == nil {
		ctx, cancel := api.ActContext(q.Request)
		defer cancel()
		x, err = k.store(s).Create(ctx, q.Account.ID, x)
	}
	if err != nil {
		s.WriteError(w, q.Request.Request, err)
		return
	}
	var out js.Object
	out.Text("sid", k.id(x))
	if k.made != nil {
		k.made(x, &out)
	}
	writeJSON(w, http.StatusCreated, out.Value())
}

func (k resource[T]) change(s rest, w http.ResponseWriter, q request) {
	_, err := k.find(s, q)
	var o shape.Object
	if err == nil {
		o, err = k.body(q, false)
	}
	if err == nil {
		ctx, cancel := api.ActContext(q.Request)
		defer cancel()
		_, err = k.store(s).Change(ctx, q.Account.ID, q.ids["item"], func(x *T) error { return k.read(s, q, o, x, false) })
	}
	s.h.TellWarnings(w, q.Request)
	s.done(w, q, err)
}

func (k resource[T]) remove(s rest, w http.ResponseWriter, q request) {
	ctx, cancel := api.ActContext(q.Request)
	defer cancel()
	s.done(w, q, k.store(s).Delete(ctx, q.Account.ID, q.ids["item"]))
}

// done answers an act that has nothing to tell.
func (s rest) done(w http.ResponseWriter, q request, err error) {
	if err != nil {
		s.WriteError(w, q.Request.Request, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (k resource[T]) fetch(s rest, w http.ResponseWriter, q request) {
	x, err := k.find(s, q)
	if err != nil {
		s.WriteError(w, q.Request.Request, err)
		return
	}
	writeJSON(w, http.StatusOK, k.show(s, x).Value())
}

// listParams are the parameters of every list of settings.
var listParams = []string{"page", "page_size", "name"}

// maxPage is the most that a page of a list of settings holds.
const maxPage = 500

// list answers with all, or with a page when one is asked for.
func (k resource[T]) list(s rest, w http.ResponseWriter, q request) {
	values := q.URL.Query()
	for _, name := range unknownParams(values, append(slices.Clone(k.filter), listParams...)) {
		q.Warn(name + " is not a parameter of this list and was ignored")
	}
	page, err := whole(values, "page", 1, 1<<20)
	var size int
	if err == nil {
		size, err = whole(values, "page_size", 1, maxPage)
	}
	if err == nil && k.needs != "" && values.Get(k.needs) == "" {
		err = shape.Refuse("%s is needed", k.needs)
	}
	s.h.TellWarnings(w, q.Request)
	if err != nil {
		s.WriteError(w, q.Request.Request, err)
		return
	}
	name := strings.ToLower(values.Get("name"))
	rows := js.Value{Kind: js.List}
	for _, x := range k.all(s, q) {
		if strings.Contains(strings.ToLower(k.name(x)), name) && (k.fits == nil || k.fits(q, x)) {
			rows.List = append(rows.List, k.show(s, x).Value())
		}
	}
	if page == 0 && size == 0 {
		writeJSON(w, http.StatusOK, rows)
		return
	}
	page, total := max(page, 1), len(rows.List)
	if size == 0 {
		size = 25
	}
	first := min((page-1)*size, total)
	rows.List = rows.List[first:min(first+size, total)]
	var o js.Object
	o.Number("total", float64(total))
	o.Number("page", float64(page))
	o.Number("page_size", float64(size))
	o.Add("data", rows)
	writeJSON(w, http.StatusOK, o.Value())
}

// textOrNull adds a text that is null when it is empty.
func textOrNull(o *js.Object, name, text string) {
	if text == "" {
		o.Add(name, js.Value{})
		return
	}
	o.Text(name, text)
}

// madeAt adds when something was made, null when that is not known.
func madeAt(o *js.Object, name string, t time.Time) {
	if t.IsZero() {
		o.Add(name, js.Value{})
		return
	}
	o.Text(name, isoTime(t))
}

// setText changes to by a property that is there; null empties it.
func setText(o shape.Object, name string, to *string, most int) error {
	if o.Emptied(name) {
		*to = ""
	}
	if !o.Has(name) {
		return nil
	}
	text := strings.TrimSpace(o.Text(name))
	if len(text) > most || strings.ContainsAny(text, "\r\n") {
		return o.Refuse(name, "is not one line of at most %d bytes", most)
	}
	*to = text
	return nil
}

// setApplication changes to by a property that names an application of the
// account; null empties it.
func (s rest) setApplication(q request, o shape.Object, name string, to *string) error {
	if o.Emptied(name) {
		*to = ""
	}
	id := o.Text(name)
	if id == "" {
		return nil
	}
	if _, ok := s.h.Accounts.Application(q.Account.ID, id); !ok {
		return api.ErrNoApplication
	}
	*to = id
	return nil
}

// setHook changes to by a property that is there; null empties it.
func setHook(o shape.Object, name string, to *call.Hook) error {
	if o.Emptied(name) {
		*to = call.Hook{}
	}
	if !o.Has(name) {
		return nil
	}
	h, err := o.Hook(name, nil)
	if err == nil {
		*to = h
	}
	return err
}

// hookOrNull adds a hook as clients wrote it.
func hookOrNull(o *js.Object, name string, h call.Hook) {
	if h.IsZero() {
		o.Add(name, js.Value{})
		return
	}
	var x js.Object
	x.Text("url", h.URL)
	method := h.Method
	if method == "" {
		method = http.MethodPost
	}
	x.Text("method", method)
	textOrNull(&x, "username", h.Username)
	textOrNull(&x, "password", h.Password)
	o.Object(name, x)
}

// describe tells of the acts on a kind of resource, by method and path.
func (k resource[T]) describe() map[string]operation {
	s, text := rest{New(Config{}), &api.Handlers{}}, &api.Schema{Type: "string"}
	var none T
	item := shownSchema(k.show(s, none), k.show(s, k.full), k.more)
	item.Name = Name + "." + strings.TrimSuffix(k.path, "s")
	size, one := maxPage, 1
	number := &api.Schema{Type: "integer", Min: &one}
	query := []api.Field{{Name: "page", Schema: number}, {Name: "page_size", Schema: &api.Schema{Type: "integer", Min: &one, Max: &size}}, {Name: "name", Schema: text}}
	for _, f := range k.filter {
		query = append(query, api.Field{Name: f, Required: f == k.needs, Schema: text})
	}
	page := strict("Page", fields(&api.Schema{Type: "integer"}, "total", "page", "page_size"), fields(&api.Schema{Type: "array", Items: item}, "data"))
	page.Name = item.Name + "Page"
	made := strict("", fields(text, "sid"), maybe(text, "token"))
	made.Name = item.Name + "Made"
	done := []api.Answer{{Status: http.StatusNoContent}}
	later := k.props.With(ownerProps)
	for name, p := range later {
		p.Need = false
		later[name] = p
	}
	list := &api.Schema{AnyOf: []*api.Schema{{Type: "array", Items: item}, page}}
	return map[string]operation{
		"GET " + k.path: {summary: "List what there is of this kind (" + k.title + " each); with page or page_size a page of them", query: query,
			answers: []api.Answer{{Status: http.StatusOK, Type: "application/json", Schema: list}}},
		"POST " + k.path: {summary: "Make " + k.title, body: k.props.With(ownerProps),
			answers: []api.Answer{{Status: http.StatusCreated, Type: "application/json", Schema: made}}},
		"GET " + k.path + "/{item}":    {summary: "Fetch " + k.title, answers: []api.Answer{{Status: http.StatusOK, Type: "application/json", Schema: item}}},
		"PUT " + k.path + "/{item}":    {summary: "Change " + k.title, body: later, answers: done},
		"DELETE " + k.path + "/{item}": {summary: "Delete " + k.title, answers: done},
	}
}

// shownSchema describes an object by what is shown of something with nothing in it
// and of something with everything.
func shownSchema(none, full js.Object, more []api.Field) *api.Schema {
	out := &api.Schema{Type: "object", Strict: true}
	empty := none.Value()
	for _, m := range full.Value().Members {
		s := kindSchema(m.Value)
		i := slices.IndexFunc(empty.Members, func(x js.Member) bool { return x.Name == m.Name })
		s.Nullable = m.Value.Kind == js.Null || i >= 0 && empty.Members[i].Value.Kind == js.Null
		out.Fields = append(out.Fields, api.Field{Name: m.Name, Required: i >= 0, Schema: s})
	}
	out.Fields = append(out.Fields, more...)
	return out
}

// kindSchema describes a value by its kind.
func kindSchema(v js.Value) *api.Schema {
	switch v.Kind {
	case js.Number:
		return &api.Schema{Type: "number"}
	case js.Bool:
		return &api.Schema{Type: "boolean"}
	case js.List:
		return &api.Schema{Type: "array", Items: &api.Schema{}}
	case js.Map:
		if len(v.Members) == 0 {
			return &api.Schema{Type: "object"} // the customer's own
		}
		s := shownSchema(js.Object{}, js.ObjectOf(v), nil)
		for i := range s.Fields {
			s.Fields[i].Schema.Nullable = true
		}
		return s
	}
	return &api.Schema{Type: "string"}
}
