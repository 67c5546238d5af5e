package js

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// TestStringify holds texts and what JSON.stringify(JSON.parse(text)) of Node 20
// makes of them.
func TestStringify(t *testing.T) {
	body, err := os.ReadFile("testdata/stringify.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")
	if len(lines) < 40 || len(lines)%2 != 0 {
		t.Fatalf("%d lines", len(lines))
	}
	for i := 0; i < len(lines); i += 2 {
		v, err := Parse([]byte(lines[i]))
		if err != nil {
			t.Errorf("%s: %v", lines[i], err)
			continue
		}
		if got := v.String(); got != lines[i+1] {
			t.Errorf("%s becomes\n%s, want\n%s", lines[i], got, lines[i+1])
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]error{
		"": ErrEmpty, " \n": ErrEmpty, "[": nil, `{"a"`: nil, `{"a":1`: nil, "[1,]": nil, "{a:1}": nil, `{"a":1}{}`: errRest, "[] x": errRest, "nul": nil,
		"\"\xff\"": errUTF8, `"` + "\n" + `"`: nil, "01": nil, "+1": nil, ".5": nil, "NaN": nil, "]": nil, `{1:2}`: nil, `{"a" 1}`: nil, "'a'": nil,
		strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1): errDepth,
		"[" + strings.Repeat("1,", MaxValues) + "1]":                      errMany,
	} {
		if len(text) > 100 {
			t.Logf("%s… (%d)", text[:20], len(text))
		}
		v, err := Parse([]byte(text))
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%.60q: %v, %v, want %v", text, v, err, want)
		}
	}
	if _, err := Parse([]byte(strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth))); err != nil {
		t.Error(err)
	}
}

func TestGet(t *testing.T) {
	v, err := Parse([]byte(`{"a":1,"b":null,"a":"two","c":[true]}`))
	if err != nil || len(v.Members) != 3 {
		t.Fatal(v, err)
	}
	if a, ok := v.Get("a"); !ok || a.Kind != Text || a.Text != "two" {
		t.Errorf("a: %+v", a)
	}
	if _, ok := v.Get("b"); ok {
		t.Error("null is there")
	}
	if _, ok := v.Get("d"); ok {
		t.Error("d is there")
	}
	if c, ok := v.Get("c"); !ok || len(c.List) != 1 || !c.List[0].Bool {
		t.Errorf("c: %+v", c)
	}
}

func TestObject(t *testing.T) {
	var inner, o Object
	inner.Text("x", "")
	o.Text("a<b", "c&d\u2028")
	o.Some("empty", "")
	o.Some("some", "thing")
	o.Number("n", 7)
	o.Bool("t", true)
	o.Object("inner", inner)
	o.Add("null", Value{})
	o.Set("n", Value{Kind: Number, Number: 200})
	o.Set("set", Value{Kind: Bool})
	const want = `{"a<b":"c&d` + "\u2028" + `","some":"thing","n":200,"t":true,"inner":{"x":""},"null":null,"set":false}`
	if got := o.Value().String(); got != want || len(o.Members()) != 7 {
		t.Errorf("%s, want %s", got, want)
	}
	if s := (Value{Kind: Text, Text: "a\xffb"}).String(); s != "\"a\ufffdb\"" {
		t.Errorf("not UTF-8: %s", s)
	}
	for k, want := range map[Kind]string{Null: "null", Map: "object", List: "array", 9: "kind(9)", -1: "kind(-1)"} {
		if k.String() != want {
			t.Errorf("%d is %s", int(k), k)
		}
	}
}

// FuzzParse: what was written reads back to the same text.
func FuzzParse(f *testing.F) {
	body, err := os.ReadFile("testdata/stringify.txt")
	if err != nil {
		f.Fatal(err)
	}
	for l := range strings.Lines(string(body)) {
		f.Add([]byte(l))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := Parse(text)
		if err != nil {
			return
		}
		first := v.String()
		again, err := Parse([]byte(first))
		if err != nil || again.String() != first {
			t.Errorf("%q becomes %q, then %q, %v", text, first, again, err)
		}
	})
}
