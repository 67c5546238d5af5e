package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"sort"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"callbox/api"
	"callbox/api/admin"
	"callbox/api/twilio"
	"callbox/call"
	"callbox/storage/config"
)

// gateway is the running app as the control interface sees it.
type gateway struct{ a *app }

var _ admin.Box = gateway{}

// Lines lists the lines.
func (g gateway) Lines() []admin.Line { return g.a.lines.list() }

// Explain tells how a number would be routed.
func (g gateway) Explain(to, _ string) []string { return g.a.router.explain(to) }

// Account is the first account.
func (g gateway) Account() string { return g.a.config().Accounts[0].ID }

// NewRequest completes a call made by hand.
func (g gateway) NewRequest(n admin.NewCall) (call.Request, error) {
	if n.Timeout < 0 || n.Timeout > 600 {
		return call.Request{}, errors.New("timeout must be 0 to 600 seconds")
	}
	r := call.Request{ID: g.a.dialect.NewID(api.CallID), API: twilio.Name, Account: g.Account(), From: n.From, To: n.To,
		Script:      call.ScriptSource{Main: call.Hook{URL: n.URL}, Inline: n.Twiml},
		RingTimeout: time.Duration(n.Timeout) * time.Second}
	if n.Twiml != "" {
		if _, err := g.a.dialect.Decode([]byte(n.Twiml), "text/xml", ""); err != nil {
			return call.Request{}, fmt.Errorf("twiml: %w", err)
		}
	}
	if n.Record {
		r.Record = &call.RecordOptions{Channels: 2, Source: "OutboundAPI"}
	}
	return r, nil
}

// config is the present configuration.
func (a *app) config() config.Snapshot {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.snap
}

// hidden stands for a secret in an export; on import it keeps the present one.
const hidden = "********"

// Export gives the configuration as YAML.
func (g gateway) Export(secrets bool) ([]byte, error) {
	tree, err := asTree(g.a.config())
	if err != nil {
		return nil, err
	}
	delete(tree, "version")
	delete(tree, "changed")
	if !secrets {
		walkSecrets(tree, func(m map[string]any, k string) { m[k] = hidden })
	}
	return yaml.Marshal(tree)
}

// Import checks, stores and applies a configuration.
func (g gateway) Import(ctx context.Context, text []byte, dryRun bool) ([]string, error) {
	a := g.a
	a.mu.Lock()
	defer a.mu.Unlock()
	old, err := asTree(a.snap)
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return nil, fmt.Errorf("the configuration is not YAML: %s", yaml.FormatError(err, false, false))
	}
	if tree == nil {
		tree = map[string]any{}
	}
	keepSecrets(tree, old)
	next, err := fromTree(tree)
	if err != nil {
		return nil, err
	}
	next.Version, next.Changed = a.snap.Version, a.snap.Changed
	next = next.WithDefaults()
	if err := next.Validate(); err != nil {
		return nil, err
	}
	if len(next.Accounts) == 0 {
		return nil, errors.New("accounts: the last account cannot be removed; every call belongs to one")
	}
	if _, err := compileRoutes(next, a.lineIDs(next), nil); err != nil {
		return nil, err
	}
	after, err := asTree(next)
	if err != nil {
		return nil, err
	}
	diff := difference(old, after)
	if dryRun || len(diff) == 0 {
		return diff, nil
	}
	saved, err := a.store.SaveConfig(ctx, next)
	if err != nil {
		return nil, err
	}
	return diff, a.useConfig(saved)
}

// asTree is a configuration as YAML writes it.
func asTree(s config.Snapshot) (map[string]any, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	err = json.Unmarshal(b, &tree)
	return wholeNumbers(tree).(map[string]any), err
}

// wholeNumbers makes integers of the numbers that JSON has read as fractions,
// so that YAML writes 5060 and not 5060.0.
func wholeNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			v[k] = wholeNumbers(x)
		}
	case []any:
		for i, x := range v {
			v[i] = wholeNumbers(x)
		}
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v)
		}
	}
	return v
}

// fromTree reads a configuration; an unknown field is an error that names it.
func fromTree(tree map[string]any) (config.Snapshot, error) {
	var s config.Snapshot
	b, err := json.Marshal(tree)
	if err != nil {
		return s, err
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return s, fmt.Errorf("the configuration has a field that does not exist or has the wrong type: %w", err)
	}
	return s, nil
}

// secretKeys are the fields that hold secrets.
var secretKeys = []string{"token", "password", "secret"}

// walkSecrets calls f for every secret below v.
func walkSecrets(v any, f func(m map[string]any, key string)) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range secretKeys {
			if s, ok := v[k].(string); ok && s != "" {
				f(v, k)
			}
		}
		for _, x := range v {
			walkSecrets(x, f)
		}
	case []any:
		for _, x := range v {
			walkSecrets(x, f)
		}
	}
}

// keepSecrets replaces hidden secrets in next by those of the entry with the
// same id or name in old.
func keepSecrets(next, old any) {
	switch n := next.(type) {
	case map[string]any:
		o, _ := old.(map[string]any)
		for _, k := range secretKeys {
			if n[k] == hidden && o != nil {
				n[k] = o[k]
			}
		}
		for k, x := range n {
			keepSecrets(x, o[k])
		}
	case []any:
		list, _ := old.([]any)
		for _, x := range n {
			keepSecrets(x, sameEntry(list, x))
		}
	}
}

// sameEntry finds the entry of list with the id, name or port of x.
func sameEntry(list []any, x any) any {
	m, _ := x.(map[string]any)
	for _, key := range []string{"id", "name", "port"} {
		want, ok := m[key]
		if !ok {
			continue
		}
		for _, o := range list {
			if om, ok := o.(map[string]any); ok && om[key] == want {
				return o
			}
		}
	}
	return nil
}

// difference lists what changes from a to b, one sentence each, without secrets.
func difference(a, b map[string]any) []string {
	var out []string
	keys := map[string]bool{}
	for k := range a {
		keys[k] = true
	}
	for k := range b {
		keys[k] = true
	}
	for k := range keys {
		if k != "version" && k != "changed" {
			out = append(out, differ(k, a[k], b[k])...)
		}
	}
	sort.Strings(out)
	return out
}

func differ(path string, a, b any) []string {
	if reflect.DeepEqual(a, b) {
		return nil
	}
	am, aok := a.(map[string]any)
	bm, bok := b.(map[string]any)
	if aok && bok {
		var out []string
		for _, d := range difference(am, bm) {
			out = append(out, path+"."+d)
		}
		return out
	}
	al, aok := a.([]any)
	bl, bok := b.([]any)
	if aok && (bok || b == nil) || bok && a == nil {
		return differLists(path, al, bl)
	}
	for _, k := range secretKeys {
		if strings.HasSuffix(path, k) {
			return []string{path + ": changed"}
		}
	}
	return []string{fmt.Sprintf("%s: %v → %v", path, show(a), show(b))}
}

// differLists matches entries by id, name or port.
func differLists(path string, a, b []any) []string {
	var out []string
	for _, x := range b {
		o := sameEntry(a, x)
		if o == nil {
			out = append(out, fmt.Sprintf("%s: + %s", path, label(x)))
			continue
		}
		out = append(out, differ(path+"["+label(x)+"]", o, x)...)
	}
	for _, x := range a {
		if sameEntry(b, x) == nil {
			out = append(out, fmt.Sprintf("%s: - %s", path, label(x)))
		}
	}
	if len(out) == 0 {
		out = append(out, path+": other order")
	}
	return out
}

// label names an entry of a list.
func label(x any) string {
	if m, ok := x.(map[string]any); ok {
		for _, k := range []string{"id", "name", "port", "number"} {
			if s, ok := m[k].(string); ok && s != "" {
				return s
			}
		}
	}
	return fmt.Sprint(x)
}

func show(v any) any {
	if v == nil {
		return "nothing"
	}
	return v
}

// advertised is the address for sound that peers outside are shown.
func advertised(s config.Snapshot) netip.Addr {
	a, err := netip.ParseAddr(s.Media.External)
	if err != nil {
		return netip.Addr{}
	}
	return a
}
