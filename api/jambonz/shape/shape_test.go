package shape

import (
	"errors"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"callbox/api/jambonz/js"
	"callbox/call"
	"callbox/call/script"
)

func parse(t *testing.T, text string) js.Value {
	t.Helper()
	v, err := js.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// problem checks that err is a Problem with this text, and no error when the
// text is empty.
func problem(t *testing.T, what string, err error, want string) {
	t.Helper()
	var p *Problem
	switch {
	case err == nil && want == "":
	case err == nil || !errors.As(err, &p):
		t.Errorf("%s: %v, want %q", what, err, want)
	case p.Text != want:
		t.Errorf("%s: %q, want %q", what, p.Text, want)
	}
}

var props = Props{
	"text":   {Type: Text, Need: true},
	"number": {Type: Number},
	"flag":   {Type: Bool},
	"hook":   HookProp(),
	"enum":   {Type: Text, Enum: []string{"a", "b", "c"}},
	"either": {Type: Text | List},
	"object": {Type: Map, Props: Props{"inner": {Type: Number, Need: true}}},
	"list":   {Type: List, Props: Props{"inner": {Type: Text}}},
	"idle":   {Type: Bool | Text | List | Map, Idle: "nobody listens"},
	"unable": {Type: Bool, Unable: "there is none"},
}

func TestRead(t *testing.T) {
	for text, want := range map[string]string{
		`{"text":"x"}`: "",
		`{"text":"","number":1.5,"flag":false,"hook":"/a","enum":"b","either":["x"],"object":{"inner":1},"list":[{},{"inner":"x"}]}`: "",
		`{"text":"x","number":null,"flag":null,"object":null,"unknown":null,"unable":null}`:                                          "",
		`{"text":"x","unable":false,"idle":false}`:                                                                                   "",
		`[]`:                         "the body is an array, it must be an object",
		`{}`:                         "text is missing",
		`{"text":null}`:              "text is missing",
		`{"text":1}`:                 "text is a number, it must be a string",
		`{"text":"a\u0000b"}`:        "text holds control characters",
		`{"text":"x","number":"1"}`:  "number is a string, it must be a number",
		`{"text":"x","flag":"true"}`: "flag is a string, it must be a boolean",
		`{"text":"x","hook":[]}`:     "hook is an array, it must be a string or an object",
		`{"text":"x","hook":{}}`:     "hook.url is missing",
		`{"text":"x","hook":{"url":"a","verb":1}}`:   `"verb" is not a property of hook`,
		`{"text":"x","hook":{"url":"a","method":1}}`: "hook.method is a number, it must be a string",
		`{"text":"x","enum":"d"}`:                    `enum is "d", it must be a, b or c`,
		`{"text":"x","either":{}}`:                   "either is an object, it must be a string or an array",
		`{"text":"x","object":{}}`:                   "object.inner is missing",
		`{"text":"x","object":{"inner":true}}`:       "object.inner is a boolean, it must be a number",
		`{"text":"x","list":[{},{"inner":1}]}`:       "list[1].inner is a number, it must be a string",
		`{"text":"x","list":["y"]}`:                  "list[0] is a string, it must be an object",
		`{"text":"x","other":1}`:                     `"other" is not a property of this request`,
		`{"text":"x","unable":true}`:                 "unable cannot be used here: there is none",
	} {
		_, err := Read(parse(t, text), "", props, Options{})
		problem(t, text, err, want)
	}
	_, err := Read(parse(t, `{"unable":true}`), "it", Props{"unable": props["unable"]}, Options{})
	var p *Problem
	if !errors.As(err, &p) || !p.Unable || p.Text != "it.unable cannot be used here: there is none" {
		t.Errorf("unable: %+v", p)
	}
}

func TestWarnings(t *testing.T) {
	var got []string
	warn := func(s string) { got = append(got, s) }
	if _, err := Read(parse(t, `{"text":"x","idle":true,"strange":1,"gone":null}`), "verb", props, Options{Warn: warn, Lax: true}); err != nil {
		t.Fatal(err)
	}
	want := []string{"verb.idle has no effect: nobody listens", `"strange" is not a property of verb and was ignored`}
	if !slices.Equal(got, want) {
		t.Errorf("warnings %q, want %q", got, want)
	}
	got = nil
	for _, no := range []string{`false`, `""`, `[]`, `{}`, `null`} {
		if _, err := Read(parse(t, `{"text":"x","idle":`+no+`}`), "", props, Options{Warn: warn}); err != nil || got != nil {
			t.Errorf("%s: %v %v", no, err, got)
		}
	}
}

// TestGetters takes properties out of a checked object.
func TestGetters(t *testing.T) {
	o, err := Read(parse(t, `{"text":"x","number":2.5,"flag":true,"either":["a","b"],"object":{"inner":7},"list":[{"inner":"y"}]}`), "it", props, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !o.Has("text") || o.Has("hook") || o.Text("text") != "x" || o.Text("hook") != "" || !o.Is("flag") || !o.Flag("flag", false) || !o.Flag("unable", true) || o.Is("unable") {
		t.Error("texts and flags")
	}
	if in := o.Object("object"); in.Path != "it.object" || in.Get("inner").Number != 7 {
		t.Errorf("object %+v", in)
	}
	if l := o.Objects("list"); len(l) != 1 || l[0].Path != "it.list[0]" || l[0].Text("inner") != "y" {
		t.Errorf("list %+v", l)
	}
	if s, err := o.Texts("either"); err != nil || !slices.Equal(s, []string{"a", "b"}) {
		t.Errorf("texts %q %v", s, err)
	}
	if s, err := o.Texts("text"); err != nil || !slices.Equal(s, []string{"x"}) {
		t.Errorf("text %q %v", s, err)
	}
	_, err = o.Texts("list")
	problem(t, "texts", err, "it.list[0] is not a text")
	_, _, err = o.Whole("number", 0, 9)
	problem(t, "whole", err, "it.number is 2.5, it must be a whole number from 0 to 9")
	_, _, err = o.Object("object").Whole("inner", 8, 9)
	problem(t, "range", err, "it.object.inner is 7, it must be a whole number from 8 to 9")
	if n, ok, err := o.Object("object").Whole("inner", 7, 7); n != 7 || !ok || err != nil {
		t.Errorf("whole %d %v %v", n, ok, err)
	}
	if _, ok, err := o.Whole("gone", 0, 1); ok || err != nil {
		t.Errorf("gone %v %v", ok, err)
	}
	if d, ok, err := o.Duration("number", time.Second, 0, time.Minute); d != 2500*time.Millisecond || !ok || err != nil {
		t.Errorf("duration %v %v %v", d, ok, err)
	}
	_, _, err = o.Duration("number", time.Second, 0, 2*time.Second)
	problem(t, "duration", err, "it.number is 2.5, it must be from 0 to 2")
	if _, ok, err := o.Duration("gone", time.Second, 0, 1); ok || err != nil {
		t.Errorf("gone %v %v", ok, err)
	}
}

func TestHook(t *testing.T) {
	base, _ := url.Parse("https://app.lan/calls/hook?x=1")
	socket, _ := url.Parse("ws://app.lan:3000/calls/ws")
	for text, tc := range map[string]struct {
		base *url.URL
		hook call.Hook
		err  string
	}{
		`{}`:                            {},
		`{"h":""}`:                      {},
		`{"h":null}`:                    {},
		`{"h":"http://app.lan/a#rc=2"}`: {hook: call.Hook{URL: "http://app.lan/a#rc=2"}},
		`{"h":"HTTP://u:p@app.lan/a"}`:  {hook: call.Hook{URL: "http://u:p@app.lan/a"}},
		`{"h":"/b"}`:                    {base: base, hook: call.Hook{URL: "https://app.lan/b"}},
		`{"h":"b?y=2"}`:                 {base: base, hook: call.Hook{URL: "https://app.lan/calls/b?y=2"}},
		`{"h":"/b"}` + " ":              {err: `h is "/b", it must be an absolute http, https, ws or wss address`},
		`{"h":{"url":"/b","method":"get","username":"u","password":"p"}}`:          {base: base, hook: call.Hook{URL: "https://app.lan/b", Method: "GET", Username: "u", Password: "p"}},
		`{"h":{"url":"http://a.lan","basicAuth":{"username":"u","password":"p"}}}`: {hook: call.Hook{URL: "http://a.lan", Username: "u", Password: "p"}},
		`{"h":{"url":"ftp://a.lan"}}`:                                              {err: `h.url is "ftp://a.lan", it must be an http, https, ws or wss address`},
		`{"h":"http://"}`:                                                          {err: `h is "http://", which names no host`},
		`{"h":"http://a b/"}`:                                                      {err: `h is not an address: "http://a b/"`},
		`{"h":"wss://app.lan/ws"}`:                                                 {hook: call.Hook{URL: "wss://app.lan/ws"}},
		`{"h":"/c"}`:                                                               {base: socket, hook: call.Hook{URL: "ws://app.lan:3000/c", Name: "/c"}},
		`{"h":{"url":"c"}}`:                                                        {base: socket, hook: call.Hook{URL: "ws://app.lan:3000/calls/c", Name: "c"}},
		`{"h":"http://other.lan/"}`:                                                {base: socket, hook: call.Hook{URL: "http://other.lan/"}},
		`{"h":"http://` + strings.Repeat("a", 2048) + `"}`:                         {err: "h is longer than 2048 bytes"},
	} {
		o, err := Read(parse(t, strings.TrimSpace(text)), "", Props{"h": HookProp()}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		h, err := o.Hook("h", tc.base)
		problem(t, text, err, tc.err)
		if h != tc.hook {
			t.Errorf("%s: %+v, want %+v", text, h, tc.hook)
		}
	}
}

// TestAddress: what is fetched over HTTP, also for a document that came over a
// websocket.
func TestAddress(t *testing.T) {
	var o Object
	for base, want := range map[string]string{"ws://app.lan/calls/ws": "http://app.lan/a.wav", "wss://app.lan:1/ws": "https://app.lan:1/a.wav"} {
		u, _ := url.Parse(base)
		if got, err := o.Address("url", "/a.wav", u); err != nil || got != want {
			t.Errorf("%s: %s, %v", base, got, err)
		}
	}
	_, err := o.Address("url", "ws://app.lan/a.wav", nil)
	problem(t, "socket", err, `url is "ws://app.lan/a.wav", it must be an http or https address`)
}

func TestTarget(t *testing.T) {
	base, _ := url.Parse("http://app.lan/")
	for text, want := range map[string]script.Target{
		`{"type":"teams","number":"+1 617 237 5080"}`: {Kind: script.ToNumber, To: "+16172375080", Line: "teams/"},
		`{"type":"teams","number":"+16172375080","tenant":"sbc.biloxi.example","vmail":true}`: {Kind: script.ToNumber, To: "+16172375080", Line: "teams/sbc.biloxi.example",
			SIP: call.SIP{URIParams: "opaque=app:voicemail"}},
		`{"type":"teams","number":"+16172375080","voicemail":true}`:        {Kind: script.ToNumber, To: "+16172375080", Line: "teams/", SIP: call.SIP{URIParams: "opaque=app:voicemail"}},
		`{"type":"phone","number":"+1 (617) 237-5080","trunk":"provider"}`: {To: "+16172375080", Line: "provider"},
		`{"type":"phone","number":"16172375080","proxy":"192.0.2.1:5062","overrideTo":"sip:5080@biloxi.example"}`: {To: "16172375080",
			SIP: call.SIP{Proxy: "sip:192.0.2.1:5062", ToURI: "sip:5080@biloxi.example"}},
		`{"type":"phone","number":"*72#","headers":{"X-A":"1","X-B":2,"X-C":true,"X-D":null,"P-Asserted-Identity":"<sip:a@b>"}}`: {To: "*72#",
			Headers: []call.Header{{Name: "X-A", Value: "1"}, {Name: "X-B", Value: "2"}, {Name: "X-C", Value: "true"}, {Name: "P-Asserted-Identity", Value: "<sip:a@b>"}}},
		`{"type":"sip","sipUri":"sip:alice@biloxi.example;transport=tcp","auth":{"username":"u","password":"p"},"proxy":"sips:proxy.biloxi.example"}`: {
			Kind: script.ToSIP, To: "sip:alice@biloxi.example;transport=tcp", Auth: &call.Credentials{Username: "u", Password: "p"}, SIP: call.SIP{Proxy: "sips:proxy.biloxi.example"}},
		`{"type":"sip","sipUri":"SIP:alice@[2001:db8::1]:5062","name":"Alice"}`: {Kind: script.ToSIP, To: "sip:alice@[2001:db8::1]:5062"},
		`{"type":"sip","sipUri":"alice@biloxi.example"}`:                        {Kind: script.ToSIP, To: "sip:alice@biloxi.example"},
		`{"type":"user","name":"joeb@sip.example.com"}`:                         {Kind: script.ToUser, To: "joeb"},
		`{"type":"user","name":"joeb","from":{"user":"reception","host":"atlanta.example"}}`: {Kind: script.ToUser, To: "joeb", From: "reception",
			SIP: call.SIP{FromHost: "atlanta.example"}},
		`{"type":"user","name":"joeb","confirmHook":"/confirm","method":"GET"}`:                           {Kind: script.ToUser, To: "joeb", Screen: call.Hook{URL: "http://app.lan/confirm", Method: "GET"}},
		`{"type":"user","name":"joeb","confirmHook":{"url":"http://b.lan/","method":"POST"},"number":""}`: {Kind: script.ToUser, To: "joeb", Screen: call.Hook{URL: "http://b.lan/", Method: "POST"}},
	} {
		o, err := Read(parse(t, text), "to", TargetProps, Options{})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, err := o.Target(base)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%+v, %v, want\n%+v", text, got, err, want)
		}
	}
}

func TestTargetRefused(t *testing.T) {
	for text, want := range map[string]string{
		`{"number":"1"}`:                                                                "to.type is missing",
		`{"type":"fax","number":"1"}`:                                                   `to.type is "fax", it must be phone, sip, user or teams`,
		`{"type":"phone"}`:                                                              "to.number is missing: a target of type phone needs it",
		`{"type":"phone","number":"bob"}`:                                               `to.number is "bob", which is not a phone number`,
		`{"type":"phone","number":"+1"}`:                                                `to.number is "+1", which is not a phone number`,
		`{"type":"phone","number":1}`:                                                   "to.number is a number, it must be a string",
		`{"type":"sip","name":"x"}`:                                                     "to.sipUri is missing: a target of type sip needs it",
		`{"type":"sip","sipUri":"sip:"}`:                                                `to.sipUri is "sip:", which is not a SIP address (sip:user@host)`,
		`{"type":"sip","sipUri":"sip:a@b\r\nVia: x"}`:                                   `to.sipUri is "sip:a@b\r\nVia: x", which is not a SIP address (sip:user@host)`,
		`{"type":"sip","sipUri":"http://a.lan/"}`:                                       `to.sipUri is "http://a.lan/", which is not a SIP address (sip:user@host)`,
		`{"type":"user","name":""}`:                                                     "to.name is missing: a target of type user needs it",
		`{"type":"user","name":"a b"}`:                                                  `to.name is "a b", which is not the name of a user (name or name@realm)`,
		`{"type":"user","name":"` + strings.Repeat("a", 257) + `"}`:                     "to.name is longer than 256 bytes",
		`{"type":"user","name":"a","trunk":"provider"}`:                                 "to.trunk goes with a phone number only",
		`{"type":"user","name":"a","auth":{"username":"u"}}`:                            "to.auth.password is missing",
		`{"type":"user","name":"a","auth":{"username":"u\"","password":"p"}}`:           "to.auth holds quotes or line ends",
		`{"type":"user","name":"a","proxy":"nowhere at all"}`:                           `to.proxy is "nowhere at all", which is not a SIP address (sip:user@host)`,
		`{"type":"user","name":"a","overrideTo":"<sip:a@b>"}`:                           `to.overrideTo is "<sip:a@b>", which is not a SIP address (sip:user@host)`,
		`{"type":"user","name":"a","headers":{"Via":"x"}}`:                              "to.headers holds the header Via, which the box writes itself",
		`{"type":"user","name":"a","headers":{"X A":"x"}}`:                              `to.headers holds "X A", which is not the name of a header`,
		`{"type":"user","name":"a","headers":{"X-A":"x\r\ny"}}`:                         "to.headers holds the header X-A, whose value is not one line of at most 1024 bytes",
		`{"type":"user","name":"a","headers":{"X-A":[1]}}`:                              `to.headers holds the header "X-A", whose value is not a text`,
		`{"type":"user","name":"a","headers":{` + many(33) + `}}`:                       "to.headers holds more than 32 headers",
		`{"type":"user","name":"a","from":{"host":"a/b"}}`:                              `to.from.host is "a/b", which is not the name or address of a host`,
		`{"type":"user","name":"a","from":{"user":"` + strings.Repeat("a", 257) + `"}}`: "to.from.user is longer than 256 bytes",
		`{"type":"user","name":"a","confirmHook":"/relative"}`:                          `to.confirmHook is "/relative", it must be an absolute http, https, ws or wss address`,
		`{"type":"user","name":"a","color":"red"}`:                                      `"color" is not a property of to`,
		`{"type":"teams","number":"bob"}`:                                               `to.number is "bob", which is not a phone number`,
		`{"type":"teams","number":"+16172375080","tenant":"a b"}`:                       `to.tenant is "a b", which is not the name or address of a host`,
		`{"type":"teams","number":"+16172375080","trunk":"x"}`:                          "to.trunk goes with a phone number only",
	} {
		o, err := Read(parse(t, text), "to", TargetProps, Options{})
		if err == nil {
			_, err = o.Target(nil)
		}
		problem(t, text, err, want)
	}
}

func many(n int) string {
	var list []string
	for i := range n {
		list = append(list, `"X-`+strings.Repeat("a", i+1)+`":"1"`)
	}
	return strings.Join(list, ",")
}

func TestTypeString(t *testing.T) {
	if s := (Text | Map | List).String(); s != "a string or an object or an array" {
		t.Error(s)
	}
	if p := (Props{"a": {Type: Text}}).With(Props{"a": {Type: Map}, "b": {Type: Bool}}); len(p) != 2 || p["a"].Type != Map {
		t.Errorf("%v", p)
	}
}

// TestSentences: what stands in several forms.
func TestSentences(t *testing.T) {
	_, err := Read(parse(t, `{}`), "", Props{"b": {Need: true}, "a": {Need: true}}, Options{})
	problem(t, "two", err, "a and b are missing")
	_, err = Read(parse(t, `{"h":{"url":"a","method":"Put"}}`), "", Props{"h": HookProp()}, Options{})
	problem(t, "method", err, `h.method is "Put", it must be GET or POST`)
}
