package config

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"callbox/call"
)

// Problem is one thing wrong in a configuration.
type Problem struct {
	Field string // "trunks[0].host"
	Text  string // what is wrong and what to do
}

// InvalidError lists what is wrong in a configuration.
type InvalidError struct{ Problems []Problem }

func (e *InvalidError) Error() string {
	lines := make([]string, 0, len(e.Problems))
	for _, p := range e.Problems {
		lines = append(lines, p.Field+": "+p.Text)
	}
	return "invalid configuration: " + strings.Join(lines, "; ")
}

// Limits of a configuration.
const (
	maxEntries = 1000     // of each list
	maxName    = 64       // characters of a name
	maxEnv     = 16 << 10 // bytes
)

var (
	nameSyntax = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)
	hostSyntax = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?\.?$`)
	uuidSyntax = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	hashSyntax = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	hexSyntax  = regexp.MustCompile(`^[0-9a-f]{32,64}$`)
)

// codecs that the box can speak, and those that it can only pass on from one SIP
// party to another.
var (
	codecs        = []string{"PCMU", "PCMA", "G722"}
	foreignCodecs = []string{"opus", "G729"}
)

// statusEvents are those that an application may ask for.
var statusEvents = []call.EventType{call.EventInitiated, call.EventRinging, call.EventAnswered, call.EventEnded}

// validator collects problems.
type validator struct {
	problems []Problem
	names    map[string]string // name of a line or phone, lower case → field
	lines    map[string]bool   // ids of lines
	apps     map[string]bool
	ids      map[string]bool // of what the call APIs know by one
	accts    map[string]bool
}

func (v *validator) bad(field, format string, args ...any) {
	if len(v.problems) < 100 { // nobody reads more
		v.problems = append(v.problems, Problem{field, fmt.Sprintf(format, args...)})
	}
}

// Validate checks a snapshot whose defaults are filled in. The error is an
// *InvalidError that names each field and the remedy.
func (s Snapshot) Validate() error {
	v := &validator{names: map[string]string{}, lines: map[string]bool{}, apps: map[string]bool{}, ids: map[string]bool{}, accts: map[string]bool{}}
	if len(s.Country) != 2 || strings.ToUpper(s.Country) != s.Country {
		v.bad("country", "%q is not a country code of two capital letters, such as US or DE", s.Country)
	}
	for i, d := range s.Domains {
		v.host(fmt.Sprintf("domains[%d]", i), d)
	}
	v.counts(s)
	v.accounts(s.Accounts)
	v.applications(s)
	for i, a := range s.Accounts {
		v.application(fmt.Sprintf("accounts[%d].application", i), a.Application)
	}
	for i, t := range s.Trunks {
		v.trunk(fmt.Sprintf("trunks[%d]", i), t)
		v.proof(s, i)
	}
	for i, u := range s.Users {
		v.user(fmt.Sprintf("users[%d]", i), u)
	}
	for i, p := range s.Phones {
		v.phone(fmt.Sprintf("phones[%d]", i), p)
	}
	for i, m := range s.Modems {
		v.modem(fmt.Sprintf("modems[%d]", i), m)
	}
	for i, l := range s.ExchangeLines {
		v.exchangeLine(fmt.Sprintf("exchange_lines[%d]", i), l)
	}
	v.groups(s.Groups)
	v.dialling(s.Dialling)
	v.routes(s.Routes)
	v.numbers(s.Numbers)
	v.tolls(s.Tolls)
	v.callerIDs(s.CallerIDs)
	v.sipDomains(s)
	v.speechVendors(s.SpeechVendors)
	v.media(s.Media)
	v.believed("webhooks", s.Webhooks)
	v.believed("sip_tls", s.SIPTLS)
	v.limits(s.Limits, s.Retention)
	if len(v.problems) > 0 {
		return &InvalidError{v.problems}
	}
	return nil
}

func (v *validator) counts(s Snapshot) {
	for _, l := range []struct {
		field string
		n     int
	}{
		{"accounts", len(s.Accounts)}, {"applications", len(s.Applications)}, {"trunks", len(s.Trunks)}, {"users", len(s.Users)},
		{"phones", len(s.Phones)}, {"exchange_lines", len(s.ExchangeLines)}, {"modems", len(s.Modems)}, {"groups", len(s.Groups)}, {"routes", len(s.Routes)}, {"numbers", len(s.Numbers)}, {"tolls", len(s.Tolls)},
		{"caller_ids", len(s.CallerIDs)}, {"credential_lists", len(s.CredentialLists)}, {"sip_domains", len(s.SIPDomains)}, {"speech_vendors", len(s.SpeechVendors)}, {"domains", len(s.Domains)}, {"webhooks.trust", len(s.Webhooks.Trust)}, {"webhooks.pins", len(s.Webhooks.Pins)}, {"sip_tls.trust", len(s.SIPTLS.Trust)}, {"sip_tls.pins", len(s.SIPTLS.Pins)},
	} {
		if l.n > maxEntries {
			v.bad(l.field, "%d entries, at most %d", l.n, maxEntries)
		}
	}
}

func (v *validator) accounts(list []Account) {
	seen := map[string]bool{}
	for i, a := range list {
		f := fmt.Sprintf("accounts[%d]", i)
		if !nameSyntax.MatchString(a.ID) || seen[a.ID] {
			v.bad(f+".id", "%q is empty, has other characters than letters, digits and . _ -, or is used twice", a.ID)
		}
		seen[a.ID], v.accts[a.ID] = true, true
		if !uuidSyntax.MatchString(a.Project) || seen[a.Project] {
			v.bad(f+".project", "%q is not a UUID in small letters, or is used twice; leave it empty to get one", a.Project)
		}
		seen[a.Project] = true
		// Client libraries accept nothing else as a token: see hex form.
		if !hexSyntax.MatchString(a.Token.Reveal()) {
			v.bad(f+".token", "must be 32 to 64 digits 0-9 a-f, client libraries refuse anything else; make a new one")
		}
		v.hook(f+".queue_hook", a.QueueHook)
		v.holdMusic(f+".hold_music", a.HoldMusic)
		if len(a.Keys) > maxEntries {
			v.bad(f+".keys", "%d keys, at most %d", len(a.Keys), maxEntries)
		}
		for j, k := range a.Keys {
			kf := fmt.Sprintf("%s.keys[%d]", f, j)
			if !nameSyntax.MatchString(k.ID) || seen[k.ID] {
				v.bad(kf+".id", "%q is empty, has odd characters, or is used twice", k.ID)
			}
			seen[k.ID] = true
			if !hashSyntax.MatchString(k.Secret.Reveal()) {
				v.bad(kf+".secret", "must have at least %d characters; make a new one", minSecret)
			}
		}
	}
}

func (v *validator) applications(s Snapshot) {
	for i, a := range s.Applications {
		f := fmt.Sprintf("applications[%d]", i)
		if !nameSyntax.MatchString(a.ID) || v.apps[a.ID] {
			v.bad(f+".id", "%q is empty, has odd characters, or is used twice", a.ID)
		}
		v.apps[a.ID] = true
		if !v.accts[a.Account] {
			v.bad(f+".account", "there is no account %q", a.Account)
		}
		v.api(f+".api", a.API)
		v.hook(f+".script.main", a.Script.Main)
		v.hook(f+".script.fallback", a.Script.Fallback)
		v.hook(f+".status", a.Status.Hook)
		for j, e := range a.Status.Events {
			if !slices.Contains(statusEvents, e) {
				v.bad(fmt.Sprintf("%s.status.events[%d]", f, j), "%q is not initiated, ringing, answered or completed", e)
			}
		}
		v.messaging(f, a.Messaging)
		if a.Env != "" && (len(a.Env) > maxEnv || !strings.HasPrefix(a.Env, "{") || !json.Valid([]byte(a.Env))) {
			v.bad(f+".env", "is not a JSON object of at most %d bytes", maxEnv)
		}
	}
}

func (v *validator) hook(field string, h call.Hook) {
	if h.IsZero() {
		return
	}
	u, err := url.Parse(h.URL)
	if err != nil || !slices.Contains([]string{"http", "https", "ws", "wss"}, u.Scheme) || u.Hostname() == "" {
		v.bad(field+".url", "is not an absolute http, https, ws or wss address")
	}
	if h.Method != "" && h.Method != "GET" && h.Method != "POST" {
		v.bad(field+".method", "%q is neither GET nor POST", h.Method)
	}
}

// line takes the id of a line.
func (v *validator) line(field, name string) {
	v.name(field, name)
	v.lines[name] = true
}

// name takes a name in the name space that lines and phones share.
func (v *validator) name(field, name string) {
	if !nameSyntax.MatchString(name) {
		v.bad(field, "%q must be 1 to %d letters, digits and . _ -, beginning with a letter or digit", name, maxName)
		return
	}
	key := strings.ToLower(name)
	if other, taken := v.names[key]; taken {
		v.bad(field, "%q is already the name in %s, choose another", name, other)
		return
	}
	v.names[key] = field
}

func (v *validator) host(field, host string) {
	if _, err := netip.ParseAddr(host); err != nil && !hostSyntax.MatchString(host) {
		v.bad(field, "%q is not a host name or address", host)
	}
}

func (v *validator) between(field string, n, lo, hi int) {
	if n < lo || n > hi {
		v.bad(field, "%d is not between %d and %d", n, lo, hi)
	}
}

func (v *validator) period(field string, d Duration, lo, hi time.Duration) {
	if d.Std() < lo || d.Std() > hi {
		v.bad(field, "%s is not between %s and %s", d, Duration(lo), Duration(hi))
	}
}

func (v *validator) codecs(field string, list []string) {
	for i, c := range list {
		if !slices.Contains(slices.Concat(codecs, foreignCodecs), c) || slices.Contains(list[:i], c) {
			v.bad(field, "%q is unknown or named twice; the box speaks %s and passes %s on", c, strings.Join(codecs, ", "), strings.Join(foreignCodecs, " and "))
		}
	}
	if len(list) > 0 && !slices.ContainsFunc(list, func(c string) bool { return slices.Contains(codecs, c) }) {
		v.bad(field, "none of them is one that the box speaks itself: add one of %s", strings.Join(codecs, ", "))
	}
}

func (v *validator) digits(field, s string) {
	if len(s) > 32 || strings.Trim(s, "+0123456789*#") != "" || strings.LastIndexByte(s, '+') > 0 {
		v.bad(field, "%q must be at most 32 digits, * and #, with at most a plus in front", s)
	}
}

func (v *validator) user(f string, u User) {
	v.dialogs(f, u.Dialogs)
	v.line(f+".name", u.Name)
	if len(u.Password) < 8 {
		v.bad(f+".password", "must have at least 8 characters: guessed passwords are the first thing that toll fraud tries")
	}
	if strings.EqualFold(u.Password.Reveal(), u.Name) {
		v.bad(f+".password", "is the user's name, choose another")
	}
	v.digits(f+".number", u.Number)
	v.codecs(f+".codecs", u.Codecs)
	v.protection(f+".srtp", u.SRTP)
	v.application(f+".application", u.Application)
	v.oneLine(f+".display_name", u.DisplayName)
	v.identity(f, u.ID, u.Account)
}

func (v *validator) oneLine(field, s string) {
	if len(s) > maxName || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == '"' || r == 0x7f }) {
		v.bad(field, "must be one line of at most %d bytes without quotes", maxName)
	}
}

func (v *validator) application(field, id string) {
	if id != "" && !v.apps[id] {
		v.bad(field, "there is no application %q", id)
	}
}

func (v *validator) knownLine(field, name string) {
	if !v.lines[name] {
		v.bad(field, "there is no trunk, user, group, phone port, exchange line or modem %q", name)
	}
}

func (v *validator) routes(list []Route) {
	seen := map[string]bool{}
	for i, r := range list {
		f := fmt.Sprintf("routes[%d]", i)
		if r.Name == "" || len(r.Name) > maxName || seen[r.Name] {
			v.bad(f+".name", "%q is empty, too long or used twice", r.Name)
		}
		seen[r.Name] = true
		v.digits(f+".prefix", r.Prefix)
		if r.Prefix != "" && r.Pattern != "" {
			v.bad(f+".pattern", "a route has a prefix or a pattern, not both")
		}
		if _, err := regexp.Compile(r.Pattern); err != nil || len(r.Pattern) > 256 {
			v.bad(f+".pattern", "%q is not a regular expression of at most 256 characters (RE2 syntax)", r.Pattern)
		}
		if len(r.Lines) == 0 || len(r.Lines) > 32 {
			v.bad(f+".lines", "names %d lines, it must be 1 to 32", len(r.Lines))
		}
		for j, l := range r.Lines {
			v.knownLine(fmt.Sprintf("%s.lines[%d]", f, j), l)
			if slices.Contains(r.Lines[:j], l) {
				v.bad(f+".lines", "%q is named twice", l)
			}
		}
		if !slices.Contains([]string{"", "e164", "plain", "national", "dialled"}, r.Form) {
			v.bad(f+".form", "%q is not e164, plain, national, dialled or empty", r.Form)
		}
		v.between(f+".strip", r.Strip, 0, 32)
		v.digits(f+".add", r.Add)
		for j, c := range r.Failover {
			if !failoverSyntax.MatchString(c) {
				v.bad(fmt.Sprintf("%s.failover[%d]", f, j), "%q is not default, any, none, busy, no-answer, sip:503, sip:5xx or q850:34", c)
			}
		}
	}
}

var failoverSyntax = regexp.MustCompile(`^(default|any|none|busy|no-answer|sip:[3-6]([0-9]{2}|xx)|q850:([1-9]|[1-9][0-9]|1[01][0-9]|12[0-7]))$`)

func (v *validator) numbers(list []Number) {
	for i, n := range list {
		f := fmt.Sprintf("numbers[%d]", i)
		d := strings.TrimSuffix(n.Number, "*")
		if n.Number == "" {
			v.bad(f+".number", "is empty, use * for all numbers")
		}
		v.digits(f+".number", d)
		if n.Line != "" {
			v.knownLine(f+".line", n.Line)
		}
		if n.Application != "" && n.Target != "" || !n.Script.IsZero() && n.Application+n.Target != "" {
			v.bad(f+".application", "set at most one of application, target and script")
		}
		if n.ID == "" && n.Application+n.Target == "" && n.Script.IsZero() { // the call APIs know numbers that nobody answers
			v.bad(f+".application", "set application, target or script")
		}
		v.application(f+".application", n.Application)
		v.oneLine(f+".target", n.Target)
		v.api(f+".api", n.API)
		v.oneLine(f+".name", n.Name)
		v.identity(f, n.ID, n.Account)
		v.hook(f+".script.main", n.Script.Main)
		v.hook(f+".script.fallback", n.Script.Fallback)
		v.hook(f+".status", n.Status.Hook)
		v.messaging(f, n.Messaging)
	}
}

// identity checks the id under which the call APIs know something, and whose it is.
func (v *validator) identity(f, id, account string) {
	if id != "" && (!nameSyntax.MatchString(id) || v.ids[id]) {
		v.bad(f+".id", "%q has odd characters, or is used twice", id)
	}
	v.ids[id] = true
	if account != "" && !v.accts[account] {
		v.bad(f+".account", "there is no account %q", account)
	}
}

// messaging checks the hooks of text messages.
func (v *validator) messaging(f string, m Messaging) {
	v.hook(f+".message", m.Message)
	v.hook(f+".message_fallback", m.MessageFallback)
	v.hook(f+".message_status", m.MessageStatus)
}

func (v *validator) api(field, name string) {
	if name != "" && !slices.Contains(APIs, name) {
		v.bad(field, "%q is none of %s", name, strings.Join(APIs, ", "))
	}
}

func (v *validator) media(m Media) {
	v.between("media.port_min", m.PortMin, 1024, 65534)
	v.between("media.port_max", m.PortMax, 1025, 65535)
	if m.PortMax-m.PortMin < 3 {
		v.bad("media.port_max", "leaves fewer than 4 ports, a bridged call needs 4: make the range larger")
	}
	if m.STUN != "" {
		v.stun(m)
	}
	if m.External != "" {
		if _, err := netip.ParseAddr(m.External); err != nil {
			v.bad("media.external", "%q is not an address; names are not allowed because they cost a look-up per call", m.External)
		}
	}
}

func (v *validator) limits(l Limits, r Retention) {
	v.between("limits.calls", l.Calls, 1, 10_000)
	v.period("limits.ring_timeout", l.RingTimeout, time.Second, time.Hour)
	v.period("limits.time_limit", l.TimeLimit, time.Second, 48*time.Hour)
	v.period("limits.recording_max", l.RecordingMax, time.Second, 48*time.Hour)
	const years = 20 * 366 * day
	v.period("retention.calls", r.Calls, day, years)
	v.between("retention.call_count", r.CallCount, 100, 1_000_000)
	v.period("retention.recordings", r.Recordings, time.Minute, years)
	if r.RecordingBytes < 1<<20 {
		v.bad("retention.recording_bytes", "%d is less than 1 MiB, a minute of sound", r.RecordingBytes)
	}
}

// protection checks how sound is protected.
func (v *validator) protection(field, srtp string) {
	switch srtp {
	case "", SRTPOff, SRTPOptional, SRTPMandatory:
	default:
		v.bad(field, "%q is not off, optional or mandatory", srtp)
	}
}
