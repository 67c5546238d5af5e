package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"callbox/api"
	"callbox/api/openapi"
)

// described is the description of the HTTP interface, read and validated by a
// library that other programs use.
func described(t *testing.T) (*openapi3.T, []api.Operation) {
	t.Helper()
	ops := newDialects(func() string { return "http://box.lan:8080" }, &accounts{}).describe()
	text, err := openapi.Document(description(), ops)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d operations, %d bytes", len(ops), len(text))
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return doc, ops
}

// TestDescriptionIsWhole: whatever a dialect serves says what it does.
func TestDescriptionIsWhole(t *testing.T) {
	t.Parallel()
	_, ops := described(t)
	where := map[string]string{"jambonz": "operations of api/jambonz/describe.go", "box": "describe of cmd/callbox/openapi.go"}
	for _, op := range ops {
		add := where[op.API]
		if add == "" {
			add = "operations of api/laml/describe.go (or to settingOperations, for what customers set up)"
		}
		switch {
		case op.Summary == "":
			t.Errorf("%s serves %s %s and does not say what it does: add it to %s", op.API, op.Method, op.Path, add)
		case len(op.Answers) < 2:
			t.Errorf("%s %s of %s does not say what it answers: add that to %s", op.Method, op.Path, op.API, add)
		}
		for _, a := range op.Answers {
			if s := a.Schema; s != nil && s.Type == "object" && len(s.Fields) == 0 {
				t.Errorf("%s %s of %s answers with %s, whose keys nobody knows: add them to elements of api/laml/describe.go", op.Method, op.Path, op.API, s.Name)
			}
		}
	}
}

// TestSharedAddressIsDescribedForBoth: what two APIs have at one address shows the
// parameters and answers of both.
func TestSharedAddressIsDescribedForBoth(t *testing.T) {
	t.Parallel()
	doc, _ := described(t)
	op := doc.Paths.Value("/2010-04-01/Accounts/{AccountSid}/Calls.json").Post
	if !slices.Equal(op.Tags, []string{"twilio", "signalwire"}) {
		t.Errorf("tags %v", op.Tags)
	}
	forms := op.RequestBody.Value.Content["application/x-www-form-urlencoded"].Schema.Value.AnyOf
	if len(forms) != 2 || forms[0].Value.Properties["Byoc"] == nil || forms[1].Value.Properties["MaxPricePerMinute"] == nil {
		t.Errorf("%d forms", len(forms))
	}
	for _, status := range []string{"200", "201"} { // which differs
		if op.Responses.Value(status) == nil {
			t.Errorf("answer %s is not described", status)
		}
	}
}

// startApp runs the gateway on the sim board until the end of the test.
func startApp(t *testing.T) *app {
	t.Helper()
	a, err := newApp(context.Background(), appConfig{Data: t.TempDir(), HTTP: "127.0.0.1:0", HTTPS: "127.0.0.1:0", SIP: "127.0.0.1:0",
		Board: "sim", Log: slog.New(slog.DiscardHandler), Out: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- a.run(ctx, func() { close(ready) }) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	<-ready
	return a
}

// TestEveryRouteIsDescribed asks the server of the gateway at every described
// address with a method that nobody has: it must name the methods that are
// described, no more and no less. And every part of the address space is described.
func TestEveryRouteIsDescribed(t *testing.T) {
	t.Parallel()
	a := startApp(t)
	_, ops := described(t)
	acct := a.config().Accounts[0]
	type place struct{ api, path string }
	methods := map[place][]string{}
	for _, op := range ops {
		at := place{op.API, op.Path}
		methods[at] = append(methods[at], op.Method)
	}
	for at, want := range methods {
		id, path := acct.ID, at.path
		if at.api == "signalwire" {
			id = acct.Project
		}
		r := httptest.NewRequest("BREW", fill(path, id), nil)
		if r.SetBasicAuth(id, acct.Token.Reveal()); strings.HasPrefix(path, "/v1/") {
			r.Header.Set("Authorization", "Bearer "+acct.Token.Reveal())
		}
		w := httptest.NewRecorder()
		a.server.ServeHTTP(w, r)
		got := strings.Split(w.Header().Get("Allow"), ", ")
		slices.Sort(want)
		slices.Sort(got)
		if strings.HasPrefix(path, "/healthz") || path == "/"+caFile || path == openapiPath {
			want = []string{"GET", "HEAD"}
		}
		if w.Code != http.StatusMethodNotAllowed || !slices.Equal(got, want) {
			t.Errorf("%s of %s: described are %v, the server says %d and has %v", path, at.api, want, w.Code, got)
		}
	}
	for _, m := range a.dialects.mounts(&api.Handlers{}) {
		below := func(path string) bool { return strings.HasPrefix(path, m.Prefix) }
		if !slices.ContainsFunc(ops, func(op api.Operation) bool { return op.API == m.Name && below(op.Path) }) {
			t.Errorf("nothing of %s below %s is described: add a Describe to it", m.Name, m.Prefix)
		}
	}
}

// fill puts ids into a path.
func fill(path, account string) string {
	path = strings.Replace(path, "{AccountSid}", account, 1)
	for strings.Contains(path, "{") {
		before, rest, _ := strings.Cut(path, "{")
		_, after, _ := strings.Cut(rest, "}")
		path = before + "x1" + after
	}
	return path
}

// TestGoldensFitTheDescription: each answer that the dialects' golden files hold
// is one of those described.
func TestGoldensFitTheDescription(t *testing.T) {
	t.Parallel()
	doc, ops := described(t)
	schemas := map[string][]*openapi3.SchemaRef{}
	for _, op := range ops {
		for _, answer := range doc.Paths.Value(op.Path).GetOperation(op.Method).Responses.Map() {
			for _, m := range answer.Value.Content {
				if m.Schema != nil && m.Schema.Value.Format != "binary" {
					schemas[op.API] = append(schemas[op.API], m.Schema)
				}
			}
		}
	}
	var files []string
	for _, pattern := range []string{"twilio/testdata/*.json", "signalwire/testdata/*.json", "restcomm/testdata/*.json", "jambonz/testdata/answers/*.json"} {
		list, err := filepath.Glob(filepath.Join("..", "..", "api", pattern))
		if err != nil || len(list) == 0 {
			t.Fatalf("%s: %v, %v", pattern, list, err)
		}
		files = append(files, list...)
	}
	for _, file := range files {
		if strings.HasSuffix(file, ".model.json") || strings.HasSuffix(file, ".request.json") {
			continue // how a request was understood
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var value any
		if err := json.Unmarshal(text, &value); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		dialect := strings.Split(filepath.ToSlash(file), "/")[3]
		fits := func(s *openapi3.SchemaRef) bool { return s.Value.VisitJSON(value) == nil }
		if !slices.ContainsFunc(schemas[dialect], fits) {
			t.Errorf("%s is none of the answers that are described for %s; correct elements or kinds of its describe.go", file, dialect)
			for _, s := range schemas[dialect] {
				if err := s.Value.VisitJSON(value); err != nil && testing.Verbose() {
					t.Logf("not %s: %.300s", s.Ref, err)
				}
			}
		}
	}
}

// TestAnswersFitTheDescription uses the running gateway by all four APIs, and
// lets the library judge each answer by the description of its address.
func TestAnswersFitTheDescription(t *testing.T) {
	t.Parallel()
	a := startApp(t)
	doc, _ := described(t)
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	acct := a.config().Accounts[0]
	judge := &answerJudge{t: t, a: a, router: router, seen: map[string]bool{}}
	form := url.Values{"To": {"client:fxs1"}, "From": {"+14155550100"}, "Url": {"http://127.0.0.1:9/voice"}}
	for base, id := range map[string]string{
		"/2010-04-01/Accounts/" + acct.ID: acct.ID, "/api/laml/2010-04-01/Accounts/" + acct.Project: acct.Project,
		"/2010-04-01/Accounts/" + acct.Project: acct.Project,
		"/call/2012-04-24/Accounts/" + acct.ID: acct.ID, "/restcomm/2012-04-24/Accounts/" + acct.ID: acct.ID,
	} {
		ask := func(method, path string, form url.Values) map[string]any {
			t.Helper()
			r := httptest.NewRequest(method, base+path, strings.NewReader(form.Encode()))
			if form != nil {
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			r.SetBasicAuth(id, acct.Token.Reveal())
			return judge.ask(r)
		}
		ask("GET", ".json", nil)
		sid := fmt.Sprint(ask("POST", "/Calls.json", form)["sid"])
		ask("GET", "/Calls/"+sid+".json", nil)
		ask("GET", "/Calls.json?PageSize=1", nil)
		ask("POST", "/Calls/"+sid+".json", url.Values{"Status": {"completed"}})
		ask("GET", "/Recordings.json", nil)
		ask("GET", "/Calls/"+sid+"/Recordings.json", nil)
		ask("POST", "/Calls.json", url.Values{})
		ask("GET", "/Calls/nobody.json", nil)
		if app, ok := ask("POST", "/Applications.json", url.Values{"FriendlyName": {"menu"}})["sid"]; ok {
			ask("GET", fmt.Sprintf("/Applications/%v.json", app), nil)
			ask("GET", "/Applications.json", nil)
			ask("DELETE", fmt.Sprintf("/Applications/%v.json", app), nil)
		}
	}
	talk := func(method, path, body string) map[string]any {
		t.Helper()
		r := httptest.NewRequest(method, "/v1/Accounts/"+acct.Project+path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+acct.Token.Reveal())
		return judge.ask(r)
	}
	sid := fmt.Sprint(talk("POST", "/Calls", `{"from":"1","to":{"type":"user","name":"fxs2"},"call_hook":"http://127.0.0.1:9/","call_status_hook":"http://127.0.0.1:9/"}`)["sid"])
	talk("GET", "/Calls", "")
	talk("GET", "/Calls/"+sid, "")
	talk("GET", "/CallCount", "")
	talk("GET", "/RecentCalls?page=1&count=5", "")
	talk("GET", "/WebhookSecret", "")
	talk("POST", "/Calls", `{}`)
	talk("GET", "", "")
	talk("GET", "/RegisteredSipUsers", "")
	for path, body := range map[string]string{
		"/Applications": `{"name":"menu","call_hook":"http://127.0.0.1:9/"}`, "/Clients": `{"username":"alice","password":"open sesame"}`,
		"/PhoneNumbers": `{"number":"+14155550100"}`, "/ApiKeys": `{}`, "/VoipCarriers": `{"name":"biloxi"}`,
	} {
		made := talk("POST", path, body)
		talk("GET", path, "")
		talk("GET", path+"?page=1&page_size=5", "")
		talk("GET", fmt.Sprintf("%s/%v", path, made["sid"]), "")
		talk("PUT", fmt.Sprintf("%s/%v", path, made["sid"]), `{}`)
		if path == "/VoipCarriers" {
			talk("POST", "/SipGateways", fmt.Sprintf(`{"voip_carrier_sid":"%v","ipv4":"192.0.2.1"}`, made["sid"]))
			talk("GET", fmt.Sprintf("/SipGateways?voip_carrier_sid=%v", made["sid"]), "")
		}
		talk("DELETE", fmt.Sprintf("%s/%v", path, made["sid"]), "")
	}
	talk("DELETE", "/Calls/"+sid, "")
	if len(judge.seen) < 25 {
		t.Errorf("only %d operations were used", len(judge.seen))
	}
}

// answerJudge asks the gateway and judges its answers.
type answerJudge struct {
	t      *testing.T
	a      *app
	router routers.Router
	seen   map[string]bool // operations used
}

func (j *answerJudge) ask(r *http.Request) map[string]any {
	j.t.Helper()
	route, params, err := j.router.FindRoute(r)
	if err != nil {
		w := httptest.NewRecorder()
		if j.a.server.ServeHTTP(w, r); w.Code != http.StatusNotFound { // a resource that this dialect has not
			j.t.Errorf("%s %s is not described and answers %d", r.Method, r.URL, w.Code)
		}
		return nil
	}
	j.seen[route.Operation.OperationID] = true
	w := httptest.NewRecorder()
	j.a.server.ServeHTTP(w, r)
	res := w.Result()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		j.t.Fatal(err)
	}
	in := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route},
		Status:                 res.StatusCode, Header: res.Header, Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}
	in.SetBodyBytes(body)
	plain := res.StatusCode >= 400 && !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json")
	if err := openapi3filter.ValidateResponse(j.t.Context(), in); err != nil && !plain {
		j.t.Errorf("%s %s: %d: %.600s", r.Method, r.URL, res.StatusCode, err)
	}
	var m map[string]any
	_ = json.Unmarshal(body, &m) // some answers are lists or text
	return m
}
