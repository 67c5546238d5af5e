package socket

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestDecodeGolden: messages of applications, and what they become.
func TestDecodeGolden(t *testing.T) {
	const path = "testdata/messages.txt"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for line := range strings.Lines(string(b)) {
		text, ok := strings.CutPrefix(line, "< ")
		if !ok {
			continue
		}
		c, err := decode([]byte(strings.TrimSuffix(text, "\n")))
		if err != nil {
			fmt.Fprintf(&out, "< %serror: %v\n", text, err)
			continue
		}
		fmt.Fprintf(&out, "< %sname %q msgid %q call %q queue %v data %s\n", text, c.name, c.msgid, c.call, c.queue, c.data)
	}
	if *update {
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(path); err != nil || out.String() != string(want) {
		t.Errorf("got:\n%s", out.String())
	}
}

func TestEncode(t *testing.T) {
	for want, m := range map[string]message{
		`{"type":"session:new","msgid":"1","call_sid":"c","data":{"a":1}}`:             {typ: typeNew, id: "1", call: "c", data: []byte(`{"a":1}`)},
		`{"type":"verb:hook","msgid":"2","call_sid":"c","hook":"/a\"b","data":{}}`:     {typ: typeHook, id: "2", call: "c", hook: `/a"b`},
		`{"type":"call:status","msgid":"4","call_sid":"c","data":{},"b3":"a-b-1"}`:     {typ: typeCall, id: "4", call: "c", trace: "a-b-1"},
		`{"type":"jambonz:error","msgid":"3","call_sid":"c","data":{"msg":"a<b & c"}}`: {typ: typeError, id: "3", call: "c", data: []byte(`{"msg":"a<b & c"}`)},
	} {
		if got := string(m.encode()); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestRetries(t *testing.T) {
	for fragment, want := range map[string]string{
		"": "4 [ct]", "rc=2": "2 [ct]", "rc=0": "0 [ct]", "rc=9": "5 [ct]", "rc=-1": "4 [ct]", "rp=4xx,ct": "4 [4xx ct]", "rc=1&rp=all": "1 [all]", "%": "4 [ct]",
	} {
		if n, on := retries(fragment); fmt.Sprint(n, " ", on) != want {
			t.Errorf("%q: %d %v, want %s", fragment, n, on, want)
		}
	}
}

// FuzzDecode: no message of an application panics.
func FuzzDecode(f *testing.F) {
	b, err := os.ReadFile("testdata/messages.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if text, ok := strings.CutPrefix(line, "< "); ok {
			f.Add([]byte(strings.TrimSuffix(text, "\n")))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := decode(text)
		if err == nil && c.name == "" && c.msgid == "" {
			t.Errorf("%q is neither an ack nor a command", text)
		}
	})
}
