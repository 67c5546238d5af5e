package laml_test

import (
	"testing"

	"callbox/api"
)

// The vectors of call-api.md §3.6, checked there with the vendor's validator.
func TestSign(t *testing.T) {
	const (
		token = "0123456789abcdef0123456789abcdef"
		voice = "http://192.168.10.20:8080/voice?tenant=7"
		call  = "CallSid=CA00112233445566778899aabbccddeeff"
	)
	form := []api.Param{
		{Name: "To", Value: "sip:201@pbx.lan"},
		{Name: "From", Value: "+33123456789"},
		{Name: "CallSid", Value: "CA00112233445566778899aabbccddeeff"},
		{Name: "AccountSid", Value: "AC0123456789abcdef0123456789abcdef"},
		{Name: "ApiVersion", Value: "2010-04-01"},
		{Name: "CallStatus", Value: "in-progress"},
		{Name: "Direction", Value: "outbound-api"},
	}
	repeated := []api.Param{{Name: "A", Value: "b"}, {Name: "A", Value: "a"}, {Name: "A", Value: "b"}, {Name: "C", Value: "x"}}
	for name, tc := range map[string]struct {
		o    api.Outgoing
		want string
	}{
		"form":                   {api.Outgoing{URL: voice, Method: "POST", Params: form}, "sHq/y1VUUxAcqi73zl3MGcbsTBc="},
		"fragment is not signed": {api.Outgoing{URL: voice + "#rc=2", Method: "POST", Params: form}, "sHq/y1VUUxAcqi73zl3MGcbsTBc="},
		"GET, query in the URL":  {api.Outgoing{URL: voice + "&" + call, Method: "GET"}, "FVjdNXHmh6u6kZWEGhdQJjJ9b3g="},
		"GET, query from params": {api.Outgoing{URL: voice, Method: "GET", Params: form[2:3]}, "FVjdNXHmh6u6kZWEGhdQJjJ9b3g="},
		"repeated names":         {api.Outgoing{URL: voice, Method: "POST", Params: repeated}, "ofsQQXXFplyeWeIrEnCuP5jj9lE="},
		"JSON": {
			api.Outgoing{URL: "http://192.168.10.20:8080/json", Method: "POST", JSON: []byte(`{"a":1,"b":"é"}`)},
			"PsHZcQUJzX5U9RES/qgXb9BlEHM=",
		},
		"JSON, hash in the URL": {
			api.Outgoing{
				URL:    "http://192.168.10.20:8080/json?bodySHA256=09ad9fd2fb648cb2f62141215828ea00a62c299db05d20aa9ade2f527a301cc6",
				Method: "POST", JSON: []byte(`{"a":1,"b":"é"}`),
			},
			"PsHZcQUJzX5U9RES/qgXb9BlEHM=",
		},
	} {
		header, got := dialect().Sign(token, tc.o)
		if header != "X-Twilio-Signature" || got != tc.want {
			t.Errorf("%s: %s: %s, want %s", name, header, got, tc.want)
		}
	}
	if len(repeated) != 4 || repeated[0].Value != "b" {
		t.Error("signing changed the parameters")
	}
}
