package trunk

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"callbox/call"
	"callbox/call/line/sipleg"
	"callbox/sip"
	"callbox/sip/sdp"
)

// Config describes a trunk.
type Config struct {
	// ID is the line's name.
	ID string
	// Host is where numbers are dialled: "biloxi.example", "192.0.2.7:5062". Empty:
	// the far end registers with the box as InUsername, and is called there.
	Host string
	// Proxy is the next hop when it is not Host: "sip:proxy.biloxi.example:5060;transport=tcp".
	Proxy string
	// Transport is "udp", "tcp" or "tls"; empty: as Proxy says, else as the records
	// of the host's name say (RFC 3263), else UDP.
	Transport string
	// Username and Password answer challenges, for calls and registration.
	Username, Password string
	// Register keeps a registration of Username at Host alive; Expires is the
	// wished time, 0: 5 min.
	Register bool
	Expires  time.Duration
	// FromUser replaces the caller's number in From, for providers that want the
	// account there; the number then goes into the headers of Identity, or, when that
	// names none, into P-Asserted-Identity. FromHost is the host part of From; empty: Host without its port when registering, else
	// the local address.
	FromUser, FromHost string
	// Identity says how callers are shown.
	Identity Identity
	// Allow are the addresses that calls may come from besides those of Host and
	// Proxy, which are looked up again every few minutes.
	Allow []netip.Prefix
	// AllowHosts are names and addresses of further such hosts.
	AllowHosts []string
	// AllowOnly lets calls come from Allow and AllowHosts only; without any, none come.
	AllowOnly bool
	// Realm is the domain of the registration; empty: Host.
	Realm string
	// Diversion is a number that outgoing calls claim to be diverted from (RFC
	// 5806); empty: none.
	Diversion string
	// ContactHost is the name that stands in our Contact, and in From of what is asked
	// besides calls, instead of our address.
	ContactHost string
	// AllowPort narrows that to one source port, to tell two trunks on one address
	// apart; 0: any.
	AllowPort uint16
	// InUsername and InPassword are what the far end must prove to us, for calls and
	// to register; empty: it is known by its addresses.
	InUsername, InPassword string
	// KeepAlive is how often the far end is asked whether it is there, 10 s to 1 h;
	// 0: never. As long as it is not, calls fail at once, so that a route takes its
	// next line.
	KeepAlive time.Duration
	// Patience is how long a call waits for any word of the host, or of the last of
	// its servers, before it fails; 0: 8 s.
	Patience time.Duration
	// Channels bounds the calls at one time, In those that arrive, Out those that are
	// dialled; 0: no limit.
	Channels, In, Out int
	// Codecs are those of the line, best first; empty: PCMU and PCMA.
	Codecs []string
	// InbandDigits uses tones instead of telephone events.
	InbandDigits bool
	// Security says whether sound is protected (SRTP): the zero value is not.
	Security sdp.Security
	// Silence is after how long without RTP the far end is asked whether it still has
	// the call; 0: never.
	Silence time.Duration
	// Onward lets whom is called send calls on to others (3xx).
	Onward bool
	// Terms are how calls are kept.
	Terms sip.Terms
	// Transfers lets the far end have its calls transferred by the box.
	Transfers bool
	// Advertise gives the address for sound that is shown to far ends outside of our
	// network instead of the local one; the zero Addr, or nil: the local one.
	Advertise func() netip.Addr
}

// Validate reports the first thing wrong with the configuration.
func (c Config) Validate() error {
	var problem error
	switch {
	case c.ID == "":
		return errors.New("trunk: no name")
	case c.Host == "" && c.InUsername == "":
		problem = errors.New("it has neither a host nor a user name that registers with the box")
	case c.Host == "" && (c.Register || c.KeepAlive != 0 || len(c.Allow) > 0):
		problem = errors.New("without a host it can neither be registered with, nor asked, nor have addresses")
	case (c.InUsername == "") != (c.InPassword == ""):
		problem = errors.New("a user name for calls from it needs a password, and the other way round")
	case strings.ContainsAny(c.Host, " @;<>/?\"\r\n"):
		problem = fmt.Errorf("host %q is not a host or host:port", c.Host)
	case c.Proxy != "" && sipleg.HostOf(c.Proxy) == "":
		problem = fmt.Errorf("proxy %q is not a sip: URI", c.Proxy)
	case c.Register && c.Username == "":
		problem = errors.New("it registers without a user name")
	case c.Transport != "" && c.Transport != "udp" && c.Transport != "tcp" && c.Transport != "tls":
		problem = fmt.Errorf("transport %q is not udp, tcp or tls", c.Transport)
	case c.KeepAlive != 0 && (c.KeepAlive < 10*time.Second || c.KeepAlive > time.Hour):
		problem = fmt.Errorf("it is asked every %s, which must be between 10 s and 1 h", c.KeepAlive)
	case c.Channels < 0 || c.In < 0 || c.Out < 0 || c.Silence < 0 || c.Expires < 0 || c.Patience < 0:
		problem = errors.New("a limit is negative")
	}
	if problem == nil {
		problem = c.Identity.validate()
	}
	if problem != nil {
		return fmt.Errorf("trunk %s: %w", c.ID, problem)
	}
	return nil
}

func (c Config) credentials() *call.Credentials {
	if c.Username == "" {
		return nil
	}
	return &call.Credentials{Username: c.Username, Password: c.Password}
}

// target is the request URI for a number, or for a whole URI that a route
// gives this trunk.
func (c Config) target(to string) string {
	if isURI(to) {
		return to
	}
	return "sip:" + sipleg.EscapeUser(to) + "@" + c.Host + c.transportParam()
}

// domain is Host for From and for identities, where no port belongs (RFC 3261
// §19.1.1, table 1).
func (c Config) domain() string {
	if c.Realm != "" {
		return c.Realm
	}
	host, _, err := net.SplitHostPort(c.Host)
	switch {
	case err != nil:
		return c.Host
	case strings.Contains(host, ":"):
		return "[" + host + "]"
	}
	return host
}

func (c Config) transportParam() string {
	if c.Transport == "" || c.Transport == "udp" {
		return ""
	}
	return ";transport=" + c.Transport
}

func isURI(s string) bool {
	scheme, _, ok := strings.Cut(s, ":")
	return ok && (strings.EqualFold(scheme, "sip") || strings.EqualFold(scheme, "sips"))
}
