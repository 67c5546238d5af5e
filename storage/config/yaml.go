package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

// Hidden stands for a secret in an export. In an import it means the present
// one.
const Hidden = "********"

// Export writes s as YAML, in the order of its fields. Without secrets each of
// them is [Hidden]. Version and Changed stand in a comment only, so that the
// text can be imported anywhere and at any time.
func (s Snapshot) Export(withSecrets bool) ([]byte, error) {
	version, changed := s.Version, s.Changed
	s, err := s.clone()
	if err != nil {
		return nil, err
	}
	if !withSecrets {
		secrets("", reflect.ValueOf(&s).Elem(), reflect.Value{}, func(x secret) { x.now.SetString(hide(x.now.String(), x.address)) })
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("writing the configuration: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	tree, err := ordered(d)
	if err != nil {
		return nil, fmt.Errorf("writing the configuration: %w", err)
	}
	settings := slices.DeleteFunc(tree.(yaml.MapSlice), func(i yaml.MapItem) bool { return i.Key == "version" || i.Key == "changed" })
	var out bytes.Buffer
	fmt.Fprintf(&out, "# Configuration of a Callbox, version %d of %s.\n", version, changed.UTC().Format("2006-01-02 15:04:05 MST"))
	if !withSecrets {
		fmt.Fprintf(&out, "# %s stands for a secret; an import keeps the present one.\n", Hidden)
	}
	write(&out, "", false, settings)
	return out.Bytes(), nil
}

// clone is a copy that shares nothing with s.
func (s Snapshot) clone() (out Snapshot, err error) {
	raw, err := json.Marshal(s)
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		return Snapshot{}, fmt.Errorf("copying the configuration: %w", err)
	}
	return out, nil
}

// ordered reads the next JSON value and keeps the order of its fields.
func ordered(d *json.Decoder) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	if t != json.Delim('{') && t != json.Delim('[') {
		return t, nil
	}
	m, list := yaml.MapSlice{}, []any{}
	for d.More() {
		var key any
		if t == json.Delim('{') {
			if key, err = d.Token(); err != nil {
				return nil, err
			}
		}
		v, err := ordered(d)
		if err != nil {
			return nil, err
		}
		m, list = append(m, yaml.MapItem{Key: key, Value: v}), append(list, v)
	}
	if _, err := d.Token(); err != nil { // the closing one
		return nil, err
	}
	if t == json.Delim('{') {
		return m, nil
	}
	return list, nil
}

// write writes the fields of a struct at an indentation; the first one goes on
// the present line when that is begun. The library's own writer changes texts of
// several lines.
func write(out *bytes.Buffer, indent string, begun bool, m yaml.MapSlice) {
	for i, item := range m {
		if i > 0 || !begun {
			out.WriteString(indent)
		}
		fmt.Fprintf(out, "%s:", item.Key)
		switch v := item.Value.(type) {
		case yaml.MapSlice:
			if len(v) == 0 {
				out.WriteString(" {}")
			}
			out.WriteByte('\n')
			write(out, indent+"  ", false, v)
		case []any:
			if len(v) == 0 {
				out.WriteString(" []")
			}
			out.WriteByte('\n')
			for _, x := range v {
				out.WriteString(indent + "- ")
				if x, ok := x.(yaml.MapSlice); ok {
					write(out, indent+"  ", true, x)
					continue
				}
				out.WriteString(scalar(x, indent+"  ") + "\n")
			}
		default:
			out.WriteString(" " + scalar(v, indent+"  ") + "\n")
		}
	}
}

var (
	// word is a text that YAML reads as itself without quotes, unless it is one of
	// the reserved words: a name, an address, a length of time.
	word     = regexp.MustCompile(`^([A-Za-z][\w./?=&@%*+-]*(:[\w./?=&@%*+-]+)*|(\d+[dhms])+|\d+\.\d+\.\d+\.\d+(/\d+)?)$`)
	reserved = regexp.MustCompile(`^(?i:true|false|null|yes|no|on|off|y|n)$`)
	// document is a text of several lines that YAML reads as itself in a block.
	document = regexp.MustCompile(`^[!-~]([ -~]*[!-~])?(\n([ -~]*[!-~])?)*$`)
)

// scalar writes a text, number or truth; indent is for the lines of a block.
func scalar(v any, indent string) string {
	s, ok := v.(string)
	switch {
	case v == nil:
		return "null"
	case !ok:
		return fmt.Sprint(v)
	case word.MatchString(s) && !reserved.MatchString(s):
		return s
	case strings.Contains(s, "\n") && document.MatchString(s) && !strings.HasSuffix(s, "\n\n"):
		mark, text := "|-\n", s
		if strings.HasSuffix(s, "\n") {
			mark, text = "|\n", strings.TrimSuffix(s, "\n")
		}
		return mark + indent + strings.ReplaceAll(text, "\n", "\n"+indent)
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return strconv.QuoteToASCII(s) // cannot be: every string is JSON
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// userinfo finds the password in an address: "https://user:password@host/".
var userinfo = regexp.MustCompile(`^([A-Za-z]+://[^/?#@:]*:)([^/?#]*)@`)

// hide is what an export shows of a secret, or of an address that may hold one.
func hide(s string, address bool) string {
	switch {
	case s == "":
		return ""
	case address:
		return userinfo.ReplaceAllString(s, "${1}"+Hidden+"@")
	}
	return Hidden
}

// keepSecrets replaces what is hidden in s by what is there in present.
func (s *Snapshot) keepSecrets(present Snapshot) []Problem {
	var out []Problem
	secrets("", reflect.ValueOf(s).Elem(), reflect.ValueOf(present), func(x secret) {
		text := x.now.String()
		if m := userinfo.FindStringSubmatch(text); text != Hidden && (!x.address || m == nil || m[2] != Hidden) {
			return // it says itself
		}
		if x.old.IsValid() && hide(x.old.String(), x.address) == text {
			x.now.SetString(x.old.String())
			return
		}
		out = append(out, Problem{x.path, Hidden + " stands for the present secret, and there is none; write the secret itself"})
	})
	return out
}
