package config

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"strings"
	"time"

	"callbox/call"
)

// Snapshot is the configuration of the box: everything that is set up, at one
// moment. It is a value that nobody changes after it was loaded or saved; a
// change is a new snapshot. Names of lines (trunks, users, phones, modems) share one
// name space, because calls are placed on lines by name.
type Snapshot struct {
	// Version counts the saves; 0 is a box that was never set up.
	Version uint64    `json:"version"`
	Changed time.Time `json:"changed"`

	// Country is the ISO 3166-1 alpha-2 code by which local numbers and tones are
	// understood; empty: US.
	Country string `json:"country"`
	// Domains are host names and addresses, besides the box's own, that mean the
	// box in a SIP URI.
	Domains []string `json:"domains,omitempty"`

	Accounts      []Account      `json:"accounts,omitempty"`
	Applications  []Application  `json:"applications,omitempty"`
	Trunks        []Trunk        `json:"trunks,omitempty"`
	Users         []User         `json:"users,omitempty"`
	Phones        []Phone        `json:"phones,omitempty"`
	Dialling      Dialling       `json:"dialling,omitzero"`
	ExchangeLines []ExchangeLine `json:"exchange_lines,omitempty"`
	Modems        []Modem        `json:"modems,omitempty"`
	Groups        []Group        `json:"groups,omitempty"`
	Routes        []Route        `json:"routes,omitempty"`
	Numbers       []Number       `json:"numbers,omitempty"`
	Tolls         []Toll         `json:"tolls,omitempty"`
	// CallerIDs, CredentialLists and SIPDomains are what the call APIs know besides.
	CallerIDs       []CallerID       `json:"caller_ids,omitempty"`
	CredentialLists []CredentialList `json:"credential_lists,omitempty"`
	SIPDomains      []SIPDomain      `json:"sip_domains,omitempty"`
	SpeechVendors   []SpeechVendor   `json:"speech_vendors,omitempty"`
	Media           Media            `json:"media"`
	Limits          Limits           `json:"limits"`
	Retention       Retention        `json:"retention"`
	Webhooks        Believed         `json:"webhooks"`         // when applications are asked over https
	SIPTLS          Believed         `json:"sip_tls,omitzero"` // when trunks are reached over TLS
}

// Account is one customer of the box.
type Account struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
	// Project is the account's other id, a UUID, for the call APIs that know
	// accounts by one; empty: one that follows from ID.
	Project string `json:"project"`
	Token   Secret `json:"token"` // HTTP password and signing key
	// Suspended accounts keep all that they have, but nobody uses the call APIs for
	// them, and their applications answer no calls.
	Suspended bool `json:"suspended,omitempty"`
	// Application runs the calls of users and phones that have none of their own;
	// empty: they are connected.
	Application string `json:"application,omitempty"` // Application.ID
	// HoldMusic is what parties on hold hear in its calls: the URL of a sound, none
	// (what the far end that holds them sends), or, when empty, the box's own music.
	HoldMusic string `json:"hold_music,omitempty"`
	// QueueHook is told of calls that come into the account's queues and leave them.
	QueueHook call.Hook `json:"queue_hook,omitzero"`
	Keys      []Key     `json:"keys,omitempty"`
}

// Key is an API key of an account.
type Key struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
	// Secret is kept as "sha256:" and 64 hex digits, see [HashSecret]; a plain one
	// of an import becomes that. Secrets are random, so that a fast hash does.
	Secret  Secret    `json:"secret"`
	Created time.Time `json:"created,omitzero"`
	Updated time.Time `json:"updated,omitzero"`
}

// Application is a named set of hooks.
type Application struct {
	ID      string            `json:"id"`
	Account string            `json:"account"` // Account.ID
	Name    string            `json:"name"`
	API     string            `json:"api,omitempty"` // the call API whose language it speaks; empty: twilio
	Script  call.ScriptSource `json:"script"`        // empty: it answers no calls
	Status  call.StatusHook   `json:"status"`
	Speech  call.Speech       `json:"speech,omitzero"`
	Env     string            `json:"env,omitempty"` // a JSON object told to Script at the start of a call
	Messaging
	Created time.Time `json:"created,omitzero"`
	Updated time.Time `json:"updated,omitzero"`
}

// Messaging are the hooks of text messages.
type Messaging struct {
	Message         call.Hook `json:"message,omitzero"`
	MessageFallback call.Hook `json:"message_fallback,omitzero"`
	MessageStatus   call.Hook `json:"message_status,omitzero"`
}

// Trunk is a SIP provider or telephone system.
type Trunk struct {
	Name string `json:"name"` // the line's id
	// Host is a name or address; empty: those of Gateways, or the far end registers
	// with the box, see InboundUsername.
	Host string `json:"host"`
	Port int    `json:"port,omitempty"` // 0: as the SRV records of Host say, else 5060, or 5061 with tls
	// Transport is auto (also empty: the NAPTR and SRV records of Host say), udp, tcp
	// or tls.
	Transport string `json:"transport"`
	Username  string `json:"username,omitempty"`
	Password  Secret `json:"password,omitempty"`
	// Register keeps a registration of Username at Host, renewed before Expires.
	Register bool     `json:"register,omitempty"`
	Expires  Duration `json:"expires"` // 0: 1 h
	Proxy    string   `json:"proxy,omitempty"`
	// FromUser and FromDomain stand in From instead of the caller's number and the box.
	FromUser   string `json:"from_user,omitempty"`
	FromDomain string `json:"from_domain,omitempty"`
	// Identity says how callers are shown to the provider, and by it.
	Identity Identity `json:"identity,omitzero"`
	// Inbound are addresses and prefixes (192.0.2.0/24) from which calls of this
	// trunk arrive, besides Host and Proxy.
	Inbound []string `json:"inbound,omitempty"`
	// InboundUsername and InboundPassword are what the far end must prove to us, for
	// its calls and, without Host, to register.
	InboundUsername string `json:"inbound_username,omitempty"`
	InboundPassword Secret `json:"inbound_password,omitempty"`
	// KeepAlive is how often the far end is asked (OPTIONS) whether it is there, 10 s
	// to 1 h; 0: never. While it is not, routes skip the trunk.
	KeepAlive Duration `json:"keep_alive,omitempty"`
	// Patience is how long a call waits for any word of the provider before it fails,
	// so that a route takes its next line, 1 s to 32 s; 0: 8 s.
	Patience Duration `json:"patience,omitempty"`
	Codecs   []string `json:"codecs"` // best first; empty: PCMU, PCMA
	// SRTP protects the sound by keys in the session descriptions: off (also
	// empty), optional, or mandatory. They are worth what Transport is: tls.
	SRTP        string `json:"srtp,omitempty"`
	MaxChannels int    `json:"max_channels"` // 0: no limit of its own
	// MaxInbound and MaxOutbound bound the calls that arrive and that are placed; 0: no limit.
	MaxInbound  int `json:"max_inbound,omitempty"`
	MaxOutbound int `json:"max_outbound,omitempty"`
	// SIPURIs lets calls to SIP addresses of other hosts go out by this trunk.
	SIPURIs bool `json:"sip_uris,omitempty"`
	// Transfers lets the far end have its calls transferred (REFER), and replace them
	// by new ones, at the box's cost. Applications that ask to be asked decide without it.
	Transfers bool `json:"transfers,omitempty"`
	Dialogs
	Carrier
}

// Carrier is what a trunk to a provider has besides: several gateways, and how it
// wants numbers.
type Carrier struct {
	// Numbers lets numbers that no route decides go out by this trunk, if it was
	// asked for by the number that is shown, or is the first such trunk.
	Numbers  bool `json:"numbers,omitempty"`
	Disabled bool `json:"disabled,omitempty"` // it does not exist until this is taken back
	// Gateways are where calls go to and come from, besides Host. Calls go to the
	// first that takes them.
	Gateways []Gateway `json:"gateways,omitempty"`
	// Form is how numbers are written on it: e164 (+14155550100), plain
	// (14155550100), empty: as the route has them. Prefix stands before them.
	Form   string `json:"form,omitempty"`
	Prefix string `json:"prefix,omitempty"`
	// Realm is the domain of the registration where that is not Host.
	Realm        string `json:"realm,omitempty"`
	Diversion    string `json:"diversion,omitempty"`     // a number that calls claim to be diverted from
	InbandDigits bool   `json:"inband_digits,omitempty"` // keys are tones in the sound
	Application  string `json:"application,omitempty"`   // Application.ID: runs calls that arrive and no number claims
	// Tenant makes it a trunk to Microsoft Teams: the box's own name there, which its
	// certificate must have too.
	Tenant string `json:"tenant,omitempty"`

	// What the call APIs know of it besides.
	ID          string    `json:"id,omitempty"`      // empty: one that follows from the name
	Account     string    `json:"account,omitempty"` // Account.ID; empty: the first account
	Title       string    `json:"title,omitempty"`   // its name there; empty: that of the line
	Description string    `json:"description,omitempty"`
	Created     time.Time `json:"created,omitzero"`
	Updated     time.Time `json:"updated,omitzero"`
}

// Gateway is one host of a carrier.
type Gateway struct {
	Host string `json:"host"` // name or address
	Port int    `json:"port,omitempty"`
	// Bits is the length of the network prefix, for a whole network that calls come
	// from; 0: the host alone.
	Bits      int    `json:"bits,omitempty"`
	Transport string `json:"transport,omitempty"` // empty: the trunk's
	Inbound   bool   `json:"inbound,omitempty"`   // calls come from it
	Outbound  bool   `json:"outbound,omitempty"`  // calls go to it
	Disabled  bool   `json:"disabled,omitempty"`
	ID        string `json:"id,omitempty"` // for the call APIs; empty: one that follows from the host
}

// User is a SIP phone or program that registers with the box.
type User struct {
	Name        string   `json:"name"` // the line's id and the user part of its address
	Password    Secret   `json:"password"`
	DisplayName string   `json:"display_name,omitempty"`
	Number      string   `json:"number,omitempty"` // its own number: caller id, and it is called by it
	Codecs      []string `json:"codecs"`
	SRTP        string   `json:"srtp,omitempty"` // as Trunk.SRTP
	Application string   `json:"application,omitempty"`
	Dialogs

	Disabled bool `json:"disabled,omitempty"` // it may neither register nor call
	// Direct connects its calls to other users of the box whatever application runs
	// the others.
	Direct bool `json:"direct,omitempty"`

	// What the call APIs know of it besides.
	ID      string    `json:"id,omitempty"`      // empty: one that follows from Name
	Account string    `json:"account,omitempty"` // Account.ID; empty: the first account
	List    string    `json:"list,omitempty"`    // CredentialList.ID; empty: the name registers by itself
	Created time.Time `json:"created,omitzero"`
	Updated time.Time `json:"updated,omitzero"`
}

// CallerID is a number, besides those of Numbers, that calls of an account may
// show to the called.
type CallerID struct {
	Number  string    `json:"number"`
	Name    string    `json:"name,omitempty"`
	ID      string    `json:"id,omitempty"`      // empty: one that follows from Account and Number
	Account string    `json:"account,omitempty"` // Account.ID; empty: the first account
	Created time.Time `json:"created,omitzero"`
	Updated time.Time `json:"updated,omitzero"`
}

// CredentialList is a group of users. They register once a SIPDomain names the list.
type CredentialList struct {
	ID      string    `json:"id"`
	Account string    `json:"account"` // Account.ID
	Name    string    `json:"name"`
	Created time.Time `json:"created,omitzero"`
	Updated time.Time `json:"updated,omitzero"`
}

// SIPDomain says what the users of credential lists may do.
type SIPDomain struct {
	ID      string            `json:"id"`
	Account string            `json:"account"`       // Account.ID
	Host    string            `json:"host"`          // means the box in a SIP URI, as Domains do
	Name    string            `json:"name"`          // for people
	API     string            `json:"api,omitempty"` // as Application.API
	Script  call.ScriptSource `json:"script"`        // runs the calls of its users; empty: they are connected
	Status  call.StatusHook   `json:"status"`
	// Register lets the users of Registrations register.
	Register      bool      `json:"register,omitempty"`
	Registrations []string  `json:"registrations,omitempty"` // CredentialList.ID
	Calls         []string  `json:"calls,omitempty"`         // CredentialList.ID: their users may call
	Created       time.Time `json:"created,omitzero"`
	Updated       time.Time `json:"updated,omitzero"`
}

// Route is one rule of the ordered list that sends numbers to lines.
type Route struct {
	Name      string   `json:"name"`
	Prefix    string   `json:"prefix,omitempty"`
	Pattern   string   `json:"pattern,omitempty"` // RE2, must match the whole number
	Lines     []string `json:"lines"`             // tried in this order
	Form      string   `json:"form,omitempty"`    // "", e164, plain, national, dialled
	Strip     int      `json:"strip,omitempty"`
	Add       string   `json:"add,omitempty"`
	Emergency bool     `json:"emergency,omitempty"`
	Failover  []string `json:"failover,omitempty"` // default, any, none, busy, no-answer, sip:503, sip:5xx, q850:34
	// Price is what a minute by this route costs, in USD. Requests that set a
	// limit below it are refused.
	Price Price `json:"price,omitempty"`
}

// Number says what happens with calls that arrive for a number or on a line.
// The first entry that fits counts.
type Number struct {
	// Number is the called number ("+14155550100"), a prefix with a star at its
	// end ("+1415555*"), or "*" for all.
	Number string `json:"number"`
	Line   string `json:"line,omitempty"` // only calls that arrive on this line
	// At most one of the three is set; with none of them calls are refused.
	Application string            `json:"application,omitempty"` // Application.ID
	Target      string            `json:"target,omitempty"`      // a user, phone or number to connect to
	Script      call.ScriptSource `json:"script,omitzero"`

	// What the call APIs know of it besides.
	ID      string          `json:"id,omitempty"` // empty: one that follows from Number and Line
	Name    string          `json:"name,omitempty"`
	Account string          `json:"account,omitempty"` // Account.ID; empty: the first account
	API     string          `json:"api,omitempty"`     // as Application.API, for Script
	Status  call.StatusHook `json:"status,omitzero"`   // told of its calls, with Script
	Messaging
	Created time.Time `json:"created,omitzero"`
	Updated time.Time `json:"updated,omitzero"`
}

// Media says where sound is sent and received.
type Media struct {
	PortMin int `json:"port_min"` // UDP ports of RTP and RTCP, both inclusive; 0: 16384
	PortMax int `json:"port_max"` // 0: 17383
	// External is the address that peers outside the network see the box under;
	// empty: the address of the interface that a peer is reached by.
	External string `json:"external,omitempty"`
	// STUN is a server, host or host:port, that tells that address where it is not
	// fixed (RFC 8489); empty: none is asked.
	STUN string `json:"stun,omitempty"`
}

// Believed says whose certificates the box believes.
type Believed struct {
	// Trust are CAs that count besides the system's and the box's own.
	Trust []Authority `json:"trust,omitempty"`
	// Pins are certificates that count by themselves, for one host each.
	Pins []Pin `json:"pins,omitempty"`
}

// Authority is a CA.
type Authority struct {
	Name        string `json:"name"`
	Certificate string `json:"certificate"` // PEM, one or more
}

// Pin is the certificate that a host must show.
type Pin struct {
	Host   string `json:"host"`   // or host:port
	SHA256 string `json:"sha256"` // of the certificate, 64 hex digits; colons do not matter
}

// Sum is the SHA-256 of the pinned certificate; ok is false when it is none.
func (p Pin) Sum() (sum [sha256.Size]byte, ok bool) {
	b, err := hex.DecodeString(strings.ReplaceAll(p.SHA256, ":", ""))
	if err != nil || len(b) != len(sum) {
		return sum, false
	}
	return [sha256.Size]byte(b), true
}

// Limits keep the box from being overloaded or abused.
type Limits struct {
	Calls        int      `json:"calls"`         // at the same time, both legs of a bridge count; 0: 64
	RingTimeout  Duration `json:"ring_timeout"`  // longest that may be asked for; 0: 10 min
	TimeLimit    Duration `json:"time_limit"`    // longest answered call; 0: 4 h
	RecordingMax Duration `json:"recording_max"` // longest recording; 0: 4 h
}

// Retention says how long things are kept.
type Retention struct {
	Calls          Duration `json:"calls"`           // 0: 400 days
	CallCount      int      `json:"call_count"`      // oldest go above this; 0: 25,000, about 30 MB
	Recordings     Duration `json:"recordings"`      // 0: 90 days
	RecordingBytes int64    `json:"recording_bytes"` // oldest go above this; 0: 1 GiB
}

// APIs are the call APIs whose languages applications speak.
var APIs = []string{"twilio", "signalwire", "restcomm", "jambonz"}

// Protection of the sound of a trunk or user.
const (
	SRTPOff       = "off"
	SRTPOptional  = "optional"
	SRTPMandatory = "mandatory"
)

// Transports of a trunk.
const (
	Auto = "auto" // as the records of the host's name say, else UDP
	UDP  = "udp"
	TCP  = "tcp"
	TLS  = "tls"
)

// WithDefaults fills what was left empty. The receiver is not changed.
func (s Snapshot) WithDefaults() Snapshot {
	def(&s.Country, "US")
	def(&s.Media.PortMin, 16384)
	def(&s.Media.PortMax, max(s.Media.PortMin+999, 17383))
	def(&s.Limits.Calls, 64)
	def(&s.Limits.RingTimeout, Duration(10*time.Minute))
	def(&s.Limits.TimeLimit, Duration(4*time.Hour))
	def(&s.Limits.RecordingMax, Duration(4*time.Hour))
	def(&s.Retention.Calls, Duration(400*day))
	def(&s.Retention.CallCount, 25_000)
	def(&s.Retention.Recordings, Duration(90*day))
	def(&s.Retention.RecordingBytes, 1<<30)
	s.Accounts = append([]Account(nil), s.Accounts...)
	for i := range s.Accounts {
		def(&s.Accounts[i].Project, projectOf(s.Accounts[i].ID))
		s.Accounts[i].Keys = append([]Key(nil), s.Accounts[i].Keys...)
		for j := range s.Accounts[i].Keys {
			k := &s.Accounts[i].Keys[j]
			if !hashSyntax.MatchString(k.Secret.Reveal()) && len(k.Secret) >= minSecret {
				k.Secret = HashSecret(k.Secret.Reveal())
			}
		}
	}
	s.Trunks = append([]Trunk(nil), s.Trunks...)
	for i := range s.Trunks {
		t := &s.Trunks[i]
		def(&t.Transport, Auto)
		def(&t.Expires, Duration(time.Hour))
		if len(t.Codecs) == 0 {
			t.Codecs = []string{"PCMU", "PCMA"}
		}
	}
	s.Users = append([]User(nil), s.Users...)
	for i := range s.Users {
		u := &s.Users[i]
		if len(u.Codecs) == 0 {
			u.Codecs = []string{"PCMU", "PCMA"}
		}
	}
	return s
}

// projectOf is the project id of an account that was given none: a UUID of
// version 8 (RFC 9562 §5.8).
func projectOf(account string) string {
	sum := sha256.Sum256([]byte("project of " + account))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// minSecret is how many characters the secret of an API key has at least.
const minSecret = 16

// HashSecret is the secret of an API key as it is kept.
func HashSecret(plain string) Secret {
	sum := sha256.Sum256([]byte(plain))
	return Secret("sha256:" + hex.EncodeToString(sum[:]))
}

// Sum is the hash of the secret, zero when the key can open nothing.
func (k Key) Sum() (sum [sha256.Size]byte) {
	b, err := hex.DecodeString(strings.TrimPrefix(k.Secret.Reveal(), "sha256:"))
	if err == nil && len(b) == len(sum) {
		copy(sum[:], b)
	}
	return sum
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Secret is a password or key. Printing and logging it shows only whether it is
// there; encoding it as JSON shows it, because that is how it is stored: what
// leaves the box is made of other types.
type Secret string

// Reveal gives the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return "(none)"
	}
	return "(hidden)"
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue hides the secret from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
