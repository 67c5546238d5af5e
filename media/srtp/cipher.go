package srtp

import (
	"fmt"
	"strings"
	"sync"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// replayWindow is how many packets back one may come late (RFC 3711 §3.3.2
// wants at least 64).
const replayWindow = 128

// Overhead is the most that sealing adds to a packet, in bytes, without a master
// key identifier: the tag of GCM and the index of SRTCP.
const Overhead = 16 + 4

// Cipher protects one direction of one stream. All methods may be called from
// any goroutine. The slices that they return share dst's memory.
type Cipher struct {
	mu     sync.Mutex
	ctx    *srtp.Context
	header rtp.Header
	rtcp   rtcp.Header
	stats  Stats
}

// Stats count what a cipher did since it was made.
type Stats struct {
	Sealed, Opened uint64 // packets
	Forged         uint64 // packets refused because their tag is wrong: other keys, or somebody else
	Replayed       uint64 // packets refused because they came before
}

// NewCipher makes a cipher. The error is or wraps ErrSuite.
func NewCipher(k Keys) (*Cipher, error) {
	p, err := k.Suite.profile()
	if err != nil {
		return nil, err
	}
	options := []srtp.ContextOption{srtp.SRTPReplayProtection(replayWindow), srtp.SRTCPReplayProtection(replayWindow)}
	if len(k.mki) > 0 {
		options = append(options, srtp.MasterKeyIndicator(k.mki))
	}
	ctx, err := srtp.CreateContext(k.key, k.salt, p, options...)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", k.Suite, err)
	}
	return &Cipher{ctx: ctx}, nil
}

// Seal protects an RTP packet into dst, which is overwritten and should have
// room for [Overhead] more. It must not overlap packet.
func (c *Cipher) Seal(dst, packet []byte) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	out, err := c.ctx.EncryptRTP(dst[:0], packet, &c.header)
	if err == nil {
		c.stats.Sealed++
	}
	return out, err
}

// Open checks and decrypts an RTP packet into dst, which is overwritten. An
// error means that the packet must be thrown away; it was counted.
func (c *Cipher) Open(dst, packet []byte) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	out, err := c.ctx.DecryptRTP(dst[:0], packet, &c.header)
	c.count(err)
	return out, err
}

// SealReport is Seal for RTCP.
func (c *Cipher) SealReport(dst, packet []byte) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	out, err := c.ctx.EncryptRTCP(dst[:0], packet, &c.rtcp)
	if err == nil {
		c.stats.Sealed++
	}
	return out, err
}

// OpenReport is Open for RTCP.
func (c *Cipher) OpenReport(dst, packet []byte) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	out, err := c.ctx.DecryptRTCP(dst[:0], packet, &c.rtcp)
	c.count(err)
	return out, err
}

// count enters the outcome of opening a packet. The caller holds c.mu.
func (c *Cipher) count(err error) {
	switch {
	case err == nil:
		c.stats.Opened++
	case strings.Contains(err.Error(), "duplicated"): // the library's type is not exported
		c.stats.Replayed++
	default:
		c.stats.Forged++
	}
}

// Stats gives the counters.
func (c *Cipher) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}
