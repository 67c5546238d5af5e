package js

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"unicode/utf8"
)

// Kind is the type of a value.
type Kind int

const (
	Null Kind = iota
	Bool
	Number
	Text
	List
	Map
)

// String gives the kind's name for sentences.
func (k Kind) String() string {
	names := [...]string{"null", "boolean", "number", "string", "array", "object"}
	if k < 0 || int(k) >= len(names) {
		return fmt.Sprintf("kind(%d)", int(k))
	}
	return names[k]
}

// Value is one JSON value. The zero value is null. Only the field of its kind is
// set.
type Value struct {
	Kind    Kind
	Bool    bool
	Number  float64
	Text    string
	List    []Value
	Members []Member // of a Map, in order, no name twice
}

// Member is a name and its value.
type Member struct {
	Name  string
	Value Value
}

// Get gives a member of a Map; ok is false when there is none or when it is
// null, which means the same to the clients of this family.
func (v Value) Get(name string) (Value, bool) {
	for _, m := range v.Members {
		if m.Name == name {
			return m.Value, m.Value.Kind != Null
		}
	}
	return Value{}, false
}

// Limits of a text.
const (
	// MaxDepth is how deep arrays and objects may be nested.
	MaxDepth = 32
	// MaxValues is how many values a text may hold.
	MaxValues = 20000
)

// Errors of Parse, besides those of encoding/json.
var (
	ErrEmpty = errors.New("there is no JSON")
	errDepth = fmt.Errorf("the JSON is nested more than %d deep", MaxDepth)
	errMany  = fmt.Errorf("the JSON holds more than %d values", MaxValues)
	errUTF8  = errors.New("the JSON is not UTF-8")
	errRest  = errors.New("something follows the JSON")
)

// Parse reads one JSON text (RFC 8259). Of a name that stands twice in an object
// the last value counts, as in JavaScript.
func Parse(text []byte) (Value, error) {
	if !utf8.Valid(text) {
		return Value{}, errUTF8
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	p := parser{dec: dec}
	v, err := p.value(0)
	if errors.Is(err, io.EOF) {
		if p.count == 0 {
			return Value{}, ErrEmpty
		}
		return Value{}, io.ErrUnexpectedEOF
	}
	if err != nil {
		return Value{}, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Value{}, errRest
	}
	return v, nil
}

type parser struct {
	dec   *json.Decoder
	count int
}

// value reads the next value.
func (p *parser) value(depth int) (Value, error) {
	tok, err := p.dec.Token()
	if err != nil {
		return Value{}, err
	}
	if p.count++; p.count > MaxValues {
		return Value{}, errMany
	}
	switch t := tok.(type) {
	case bool:
		return Value{Kind: Bool, Bool: t}, nil
	case json.Number:
		return number(t.String())
	case string:
		return Value{Kind: Text, Text: t}, nil
	case json.Delim:
		if depth >= MaxDepth {
			return Value{}, errDepth
		}
		if t == '[' {
			return p.list(depth + 1)
		}
		return p.object(depth + 1)
	}
	return Value{}, nil
}

// number reads a number as JavaScript does: to the nearest double. What is too
// large is infinite there and written as null.
func number(s string) (Value, error) {
	f, err := strconv.ParseFloat(s, 64)
	if math.IsInf(f, 0) {
		return Value{}, nil
	}
	if err != nil {
		return Value{}, fmt.Errorf("%q is not a number", s)
	}
	return Value{Kind: Number, Number: f}, nil
}

func (p *parser) list(depth int) (Value, error) {
	v := Value{Kind: List}
	for p.dec.More() {
		e, err := p.value(depth)
		if err != nil {
			return Value{}, err
		}
		v.List = append(v.List, e)
	}
	_, err := p.dec.Token() // the bracket
	return v, err
}

func (p *parser) object(depth int) (Value, error) {
	v := Value{Kind: Map}
	at := map[string]int{}
	for p.dec.More() {
		tok, err := p.dec.Token()
		if err != nil {
			return Value{}, err
		}
		name, ok := tok.(string)
		if !ok {
			return Value{}, fmt.Errorf("%v is not a member's name", tok)
		}
		e, err := p.value(depth)
		if err != nil {
			return Value{}, err
		}
		if i, twice := at[name]; twice {
			v.Members[i].Value = e
			continue
		}
		at[name] = len(v.Members)
		v.Members = append(v.Members, Member{name, e})
	}
	_, err := p.dec.Token() // the brace
	return v, err
}
