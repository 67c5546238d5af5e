package hook

import (
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"callbox/api"
	"callbox/call/script"
)

// Accounts gives the secret that signs an account's requests. api.Accounts is one.
type Accounts interface {
	Account(id string) (a api.Account, ok bool)
}

// Config is what a [Client] needs. Dialects and Accounts are required.
type Config struct {
	Dialects  []api.Dialect
	Accounts  Accounts         // asked at the moment of sending
	Own       []netip.AddrPort // admin listeners of the box, refused as targets
	UserAgent string           // empty: "callbox"
	Trust     Trust            // whose certificates are believed
	Log       *slog.Logger     // nil: no log
	// SoundBytes bounds the memory of the sounds that are kept; 0: 16 MiB.
	SoundBytes int
}

// Client makes requests to applications. It may be used concurrently.
type Client struct {
	dialects  map[string]api.Dialect
	accounts  Accounts
	agent     string
	log       *slog.Logger
	policy    policy
	trust     atomic.Pointer[Trust]
	transport *http.Transport
	jars      *jars
	sounds    *sounds
}

var _ script.Fetcher = (*Client)(nil)

// New makes a client. Close it when nothing uses it any more.
func New(c Config) (*Client, error) {
	if len(c.Dialects) == 0 || c.Accounts == nil {
		return nil, errors.New("hook client: dialects and accounts are required")
	}
	h := &Client{dialects: make(map[string]api.Dialect), accounts: c.Accounts, agent: c.UserAgent, log: c.Log, jars: newJars(), sounds: newSounds(c.SoundBytes)}
	for _, d := range c.Dialects {
		h.dialects[d.Name()] = d
	}
	if h.agent == "" {
		h.agent = "callbox"
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	h.policy = policy{own: c.Own, local: localAddrs}
	h.trust.Store(&c.Trust)
	h.transport = &http.Transport{
		Proxy:                  nil, // a proxy would connect past the policy
		DialContext:            h.policy.dial,
		DialTLSContext:         h.dialTLS,
		MaxIdleConns:           32,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
	return h, nil
}

// Transport makes connections under the address policy, for whoever asks
// applications in another way. It follows no redirects.
func (c *Client) Transport() http.RoundTripper { return c.transport }

// Explain is the error of a request to url that was made through Transport and
// failed with err; doing is what it was for, "connecting to".
func (*Client) Explain(doing, url string, err error) *script.FetchError {
	return fetchError(doing, url, err)
}

// Close drops the idle connections. Requests under way go on.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Secret gives the key by which d signs for the account, empty when there is no
// such account.
func (c *Client) Secret(d api.Dialect, account string) string {
	a, ok := c.accounts.Account(account)
	if !ok {
		return ""
	}
	if k, ok := d.(api.KeyHolder); ok {
		return k.SigningKey(a)
	}
	return a.Token
}
