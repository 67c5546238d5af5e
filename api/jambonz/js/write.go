package js

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Object builds a Map. The zero value is an empty one.
type Object struct{ members []Member }

// Text adds a text.
func (o *Object) Text(name, s string) { o.Add(name, Value{Kind: Text, Text: s}) }

// Some adds a text unless it is empty.
func (o *Object) Some(name, s string) {
	if s != "" {
		o.Text(name, s)
	}
}

// Number adds a number.
func (o *Object) Number(name string, f float64) { o.Add(name, Value{Kind: Number, Number: f}) }

// Bool adds a truth value.
func (o *Object) Bool(name string, b bool) { o.Add(name, Value{Kind: Bool, Bool: b}) }

// Object adds another object.
func (o *Object) Object(name string, inner Object) { o.Add(name, inner.Value()) }

// Add adds a member. A name must not be added twice.
func (o *Object) Add(name string, v Value) { o.members = append(o.members, Member{name, v}) }

// Set adds a member in place of one of the same name.
func (o *Object) Set(name string, v Value) {
	for i := range o.members {
		if o.members[i].Name == name {
			o.members[i].Value = v
			return
		}
	}
	o.Add(name, v)
}

// ObjectOf is a Map as an object.
func ObjectOf(v Value) Object { return Object{members: v.Members} }

// Value is the object as a value.
func (o Object) Value() Value { return Value{Kind: Map, Members: o.members} }

// Members are what was added, in order.
func (o Object) Members() []Member { return o.members }

// Append writes v to b as JSON.stringify does (ECMA-262 §25.5.2): no white space,
// members in order with integer names first, numbers in their shortest form, and
// nothing escaped in texts that need not be.
func Append(b []byte, v Value) []byte {
	switch v.Kind {
	case Bool:
		return strconv.AppendBool(b, v.Bool)
	case Number:
		return appendNumber(b, v.Number)
	case Text:
		return appendText(b, v.Text)
	case List:
		b = append(b, '[')
		for i, e := range v.List {
			if i > 0 {
				b = append(b, ',')
			}
			b = Append(b, e)
		}
		return append(b, ']')
	case Map:
		b = append(b, '{')
		for i, m := range ordered(v.Members) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendText(b, m.Name), ':')
			b = Append(b, m.Value)
		}
		return append(b, '}')
	}
	return append(b, "null"...)
}

// ordered gives members in the order of JavaScript's own keys: integers rising,
// then the rest as added (ECMA-262 §10.1.11).
func ordered(members []Member) []Member {
	if !slices.ContainsFunc(members, func(m Member) bool { _, ok := index(m.Name); return ok }) {
		return members
	}
	var first, rest []Member
	for _, m := range members {
		if _, ok := index(m.Name); ok {
			first = append(first, m)
		} else {
			rest = append(rest, m)
		}
	}
	slices.SortStableFunc(first, func(a, b Member) int {
		x, _ := index(a.Name)
		y, _ := index(b.Name)
		return cmp.Compare(x, y)
	})
	return append(first, rest...)
}

// index reports whether name is an array index: 0 to 2³²-2 as written by
// JavaScript (ECMA-262 §6.1.7).
func index(name string) (uint32, bool) {
	if name == "" || len(name) > 10 || name[0] == '0' && name != "0" {
		return 0, false
	}
	n, err := strconv.ParseUint(name, 10, 32)
	return uint32(n), err == nil && n != math.MaxUint32 && name[0] != '+'
}

// appendNumber writes a number as ECMA-262 §6.1.6.1.20 does.
func appendNumber(b []byte, f float64) []byte {
	switch {
	case math.IsInf(f, 0) || math.IsNaN(f):
		return append(b, "null"...)
	case f == 0:
		return append(b, '0') // also for -0
	}
	if abs := math.Abs(f); abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(b, f, 'f', -1, 64)
	}
	b = strconv.AppendFloat(b, f, 'e', -1, 64)
	// Go writes two digits of the exponent at least: 1e-07.
	if n := len(b); n >= 4 && b[n-2] == '0' && (b[n-3] == '-' || b[n-3] == '+') {
		b[n-2] = b[n-1]
		b = b[:n-1]
	}
	return b
}

// appendText writes a text as ECMA-262 §25.5.2.3 does.
func appendText(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, r := range s {
		switch r {
		case '"', '\\':
			b = append(b, '\\', byte(r))
		case '\b':
			b = append(b, '\\', 'b')
		case '\f':
			b = append(b, '\\', 'f')
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			if r < ' ' {
				b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
				continue
			}
			b = utf8.AppendRune(b, r) // what is no UTF-8 becomes U+FFFD
		}
	}
	return append(b, '"')
}

// String is v written by Append.
func (v Value) String() string { return string(Append(nil, v)) }
