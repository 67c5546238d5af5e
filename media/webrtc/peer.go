package webrtc

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/logging"

	"callbox/media/ice"
	"callbox/media/srtp"
)

// handshakeTime bounds a handshake that has begun.
const handshakeTime = 20 * time.Second

// Errors of a handshake; both mean that there can be no sound.
var (
	// ErrIdentity means that the far end's certificate is not the one that its
	// session description announced: somebody else answered.
	ErrIdentity = errors.New("the far end has another certificate than its session description says")
	// ErrHandshake is wrapped by every other failure.
	ErrHandshake = errors.New("the keys for the sound could not be agreed on")
	// ErrChanged means that a later session description has another fingerprint,
	// which would take a new handshake.
	ErrChanged = errors.New("the fingerprint has changed within the call")

	errNoKeys = errors.New("there are no keys yet")
)

// Port is the RTP port that a peer lives on; *rtp.Stream is one.
type Port interface {
	// Send sends a datagram from the port.
	Send(b []byte, to netip.AddrPort) error
	// Aim makes the sound go to an address from now on.
	Aim(to netip.AddrPort)
}

// Config is what a Peer needs.
type Config struct {
	Identity *Identity
	Port     Port
	// Keyed is told once that there are keys, Failed why there will be none. They
	// are called on a goroutine of the peer's and must not block.
	Keyed  func()
	Failed func(error)
}

// Far is what the far end's session description says.
type Far struct {
	Ufrag       string // its ICE user fragment
	Fingerprint string // "sha-256 1F:…"
	// Passive says that the far end waits for our handshake; else we wait for its.
	Passive bool
}

// Peer is a far end. All methods may be called from any goroutine.
type Peer struct {
	cfg   Config
	agent *ice.Agent
	in    atomic.Pointer[srtp.Cipher] // nil: no keys yet
	out   atomic.Pointer[srtp.Cipher]
	wire  *wire
	ctx   context.Context // ends with Close
	stop  context.CancelFunc
	wg    sync.WaitGroup
	heard atomic.Int64 // Unix nanoseconds of the last packet that could be opened

	mu     sync.Mutex // guards what follows
	far    Far
	shakes bool // the handshake has begun
	closed bool
}

// New makes a peer. It answers checks from Start on.
func New(cfg Config) *Peer {
	p := &Peer{cfg: cfg, agent: ice.NewAgent()}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.wire = newWire(p)
	return p
}

// Credentials are our ICE user fragment and password, for the session description.
func (p *Peer) Credentials() ice.Credentials { return p.agent.Local() }

// Fingerprint is that of our certificate, for the session description.
func (p *Peer) Fingerprint() string { return p.cfg.Identity.Fingerprint() }

// Restart takes the user fragment of an offer that is about to be answered: a
// new one makes new Credentials.
func (p *Peer) Restart(ufrag string) { p.agent.Remote(ufrag) }

// Start takes what the far end's session description says, at first and after a
// re-INVITE. The error is ErrChanged.
func (p *Peer) Start(far Far) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shakes && (far.Fingerprint != p.far.Fingerprint || far.Passive != p.far.Passive) {
		return ErrChanged
	}
	p.far = far
	p.agent.Remote(far.Ufrag)
	return nil
}

// Selected is where the sound goes; invalid before the far end has said so.
func (p *Peer) Selected() netip.AddrPort { return p.agent.Selected() }

// Keyed reports whether there are keys.
func (p *Peer) Keyed() bool { return p.out.Load() != nil }

// Heard is when the far end last showed that it is there, by a check or by a
// packet with the right keys; zero: never.
func (p *Peer) Heard() time.Time {
	at := p.agent.Heard()
	if n := p.heard.Load(); n != 0 && time.Unix(0, n).After(at) {
		return time.Unix(0, n)
	}
	return at
}

// Take takes a datagram of the port that is neither RTP nor RTCP. It does not
// block and keeps nothing of b.
func (p *Peer) Take(b []byte, from netip.AddrPort, now time.Time) {
	if !ice.Is(b) {
		// Whoever has passed no check gets no handshake either, which would send
		// much for little to whom the datagram only seems to come from.
		if isDTLS(b) && p.agent.Proven(from) {
			p.begin(from)
			p.wire.deliver(b, from)
		}
		return
	}
	answer, chosen := p.agent.Take(b, from, now)
	if answer != nil {
		_ = p.cfg.Port.Send(answer, from) // the far end asks again
	}
	if chosen {
		p.cfg.Port.Aim(from)
		p.mu.Lock()
		active := p.far.Passive
		p.mu.Unlock()
		if active {
			p.begin(from)
		}
	}
}

// isDTLS tells by the first byte (RFC 7983 §7).
func isDTLS(b []byte) bool { return len(b) > 0 && b[0] >= 20 && b[0] <= 63 }

// begin starts the handshake, once.
func (p *Peer) begin(with netip.AddrPort) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shakes || p.closed || p.far.Fingerprint == "" {
		return
	}
	p.shakes = true
	p.wire.aim(with)
	far := p.far
	p.wg.Go(func() {
		if err := p.shake(far); err != nil && p.ctx.Err() == nil {
			p.cfg.Failed(err)
		}
	})
}

// shake is the goroutine of the handshake and of what follows it.
func (p *Peer) shake(far Far) error {
	forged := false
	conn, err := p.open(far, &forged)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(p.ctx, handshakeTime)
	defer cancel()
	err = conn.HandshakeContext(ctx)
	switch {
	case forged:
		return ErrIdentity
	case err != nil:
		return fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	if err := p.key(conn, far.Passive); err != nil {
		return fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	p.cfg.Keyed()
	// The library answers repetitions of the handshake for as long as it is read.
	buf := make([]byte, 1024)
	stop := context.AfterFunc(p.ctx, func() { _ = conn.Close() })
	defer stop()
	for {
		if _, err := conn.Read(buf); err != nil {
			return nil // the far end's goodbye, or ours; the signalling says the rest
		}
	}
}

// open makes the connection of the handshake; forged is set when the far end
// shows another certificate than it should.
func (p *Peer) open(far Far, forged *bool) (*dtls.Conn, error) {
	both := []dtls.Option{
		dtls.WithCertificates(p.cfg.Identity.cert),
		dtls.WithSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80),
		dtls.WithExtendedMasterSecret(dtls.RequireExtendedMasterSecret),
		// There is no CA: the fingerprint is checked in its place (RFC 5763 §5).
		dtls.WithInsecureSkipVerify(true),
		dtls.WithVerifyPeerCertificate(func(certs [][]byte, _ [][]*x509.Certificate) error {
			if *forged = len(certs) == 0 || !matches(far.Fingerprint, certs[0]); *forged {
				return ErrIdentity
			}
			return nil
		}),
		dtls.WithLoggerFactory(&logging.DefaultLoggerFactory{}), // silent
	}
	if far.Passive {
		var options []dtls.ClientOption
		for _, o := range both {
			options = append(options, o)
		}
		return dtls.ClientWithOptions(p.wire, p.wire.to(), options...)
	}
	options := []dtls.ServerOption{dtls.WithClientAuth(dtls.RequireAnyClientCert)}
	for _, o := range both {
		options = append(options, o)
	}
	return dtls.ServerWithOptions(p.wire, p.wire.to(), options...)
}

// key makes the ciphers of what was agreed on.
func (p *Peer) key(conn *dtls.Conn, client bool) error {
	profile, ok := conn.SelectedSRTPProtectionProfile()
	suite := suites[profile]
	if !ok || suite == "" {
		return errors.New("there is no crypto suite in common")
	}
	n, err := suite.Material()
	if err != nil {
		return err
	}
	state, ok := conn.ConnectionState()
	if !ok {
		return errors.New("the connection has no state")
	}
	material, err := state.ExportKeyingMaterial("EXTRACTOR-dtls_srtp", nil, n)
	if err != nil {
		return err
	}
	ours, theirs, err := suite.Split(material)
	if err != nil {
		return err
	}
	if !client {
		ours, theirs = theirs, ours
	}
	in, err := srtp.NewCipher(theirs)
	if err != nil {
		return err
	}
	out, err := srtp.NewCipher(ours)
	if err != nil {
		return err
	}
	p.in.Store(in)
	p.out.Store(out)
	return nil
}

// suites are the protection profiles of DTLS (RFC 5764 §4.1.2, RFC 7714 §14.2).
var suites = map[dtls.SRTPProtectionProfile]srtp.Suite{
	dtls.SRTP_AEAD_AES_128_GCM:       srtp.AES128GCM,
	dtls.SRTP_AEAD_AES_256_GCM:       srtp.AES256GCM,
	dtls.SRTP_AES128_CM_HMAC_SHA1_80: srtp.AES128Tag80,
}

// Close says goodbye and waits for the goroutines. Repeated calls do nothing.
func (p *Peer) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.stop()
	p.wg.Wait()
	_ = p.wire.Close()
}

// The cipher of the leg: refusals until there are keys.

// Seal protects an RTP packet.
func (p *Peer) Seal(dst, packet []byte) ([]byte, error) {
	if c := p.out.Load(); c != nil {
		return c.Seal(dst, packet)
	}
	return nil, errNoKeys
}

// Open opens an RTP packet.
func (p *Peer) Open(dst, packet []byte) ([]byte, error) {
	c := p.in.Load()
	if c == nil {
		return nil, errNoKeys
	}
	plain, err := c.Open(dst, packet)
	if err == nil {
		p.heard.Store(time.Now().UnixNano())
	}
	return plain, err
}

// SealReport protects an RTCP packet.
func (p *Peer) SealReport(dst, packet []byte) ([]byte, error) {
	if c := p.out.Load(); c != nil {
		return c.SealReport(dst, packet)
	}
	return nil, errNoKeys
}

// OpenReport opens an RTCP packet.
func (p *Peer) OpenReport(dst, packet []byte) ([]byte, error) {
	if c := p.in.Load(); c != nil {
		return c.OpenReport(dst, packet)
	}
	return nil, errNoKeys
}
