package rtp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// PoolConfig says which UDP ports a pool may use.
type PoolConfig struct {
	// Bind is the local address of the sockets; the zero Addr binds all of them.
	Bind netip.Addr
	// Min and Max bound the ports, both inclusive; a pair is an even RTP port and
	// the odd RTCP port above it. Both 0: the system chooses.
	Min, Max uint16
	// Quiet is how long a closed port must hear nothing before it is used again.
	// 0: 1 s.
	Quiet time.Duration
	// MaxDrain bounds the wait for that quiet. 0: 30 s.
	MaxDrain time.Duration
	// Watch is shown what is on the wire; nil: nobody is.
	Watch Watcher
}

// Validate reports what is wrong with c.
func (c PoolConfig) Validate() error {
	if c.Min == 0 && c.Max == 0 {
		return nil
	}
	if first := int(c.Min) + int(c.Min)%2; c.Min == 0 || first+1 > int(c.Max) {
		return fmt.Errorf("rtp port range %d to %d holds no even and odd pair", c.Min, c.Max)
	}
	if c.Quiet < 0 || c.MaxDrain < 0 {
		return errors.New("rtp port drain times must not be negative")
	}
	return nil
}

// ExhaustedError says that no pair of ports was left for a stream.
type ExhaustedError struct {
	Min, Max       uint16
	Busy, Draining int // pairs
}

func (e *ExhaustedError) Error() string {
	return fmt.Sprintf("no RTP port left in %d to %d: %d pairs in use, %d draining", e.Min, e.Max, e.Busy, e.Draining)
}

// ErrClosed is the error of a pool or stream that has been closed.
var ErrClosed = errors.New("rtp is closed")

// pair is one RTP socket with its RTCP socket.
type pair struct {
	rtp, rtcp *net.UDPConn
	port      uint16 // of rtp
}

func (p pair) close() {
	_ = p.rtp.Close()
	_ = p.rtcp.Close()
}

// draining is a pair that was given back and waits for late packets to pass.
type draining struct {
	pair
	raw     syscall.RawConn
	since   time.Time
	heard   time.Time // last packet, or since
	discard uint64
}

const (
	sweepEvery      = 250 * time.Millisecond
	defaultQuiet    = time.Second
	defaultMaxDrain = 30 * time.Second
	ephemeralTries  = 64
)

// PortPool owns a range of UDP ports and serves the RTCP of the streams on them
// from one goroutine. Its methods may be called from any goroutine.
type PortPool struct {
	cfg    PoolConfig
	stop   chan struct{}    // closed by Close
	done   chan struct{}    // closed when the sweeping goroutine has ended
	room   lender[datagram] // for what the streams receive
	sounds lender[pcm]      // for what they decode

	mu      sync.Mutex // guards what follows
	free    []uint16   // even ports, oldest given back first
	drains  []draining
	streams map[*Stream]struct{}
	busy    int
	forced  uint64
	closed  bool
}

// NewPortPool makes a pool and starts its goroutine, which Close ends. It opens
// no sockets.
func NewPortPool(cfg PoolConfig) (*PortPool, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Quiet == 0 {
		cfg.Quiet = defaultQuiet
	}
	if cfg.MaxDrain == 0 {
		cfg.MaxDrain = defaultMaxDrain
	}
	p := &PortPool{cfg: cfg, stop: make(chan struct{}), done: make(chan struct{}), streams: map[*Stream]struct{}{}}
	if !p.ephemeral() {
		for port := int(cfg.Min) + int(cfg.Min)%2; port+1 <= int(cfg.Max); port += 2 {
			p.free = append(p.free, uint16(port))
		}
	}
	go p.sweep()
	return p, nil
}

// Close ends the pool's goroutine and closes the draining ports at once. The
// streams must have been closed before.
func (p *PortPool) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	p.mu.Unlock()
	close(p.stop)
	<-p.done
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.drains {
		d.close()
	}
	p.drains = nil
	return nil
}

// Stats says how the pool is used now.
func (p *PortPool) Stats() PoolStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return PoolStats{Total: p.total(), Busy: p.busy, Draining: len(p.drains), Forced: p.forced}
}

func (p *PortPool) ephemeral() bool { return p.cfg.Min == 0 && p.cfg.Max == 0 }

// total is the number of pairs in the range. The caller holds p.mu.
func (p *PortPool) total() int {
	if p.ephemeral() {
		return 0
	}
	return len(p.free) + len(p.drains) + p.busy
}

// acquire opens a pair of sockets. The error is or wraps *ExhaustedError when
// all ports are taken, here or by other programs.
func (p *PortPool) acquire() (pair, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return pair{}, ErrClosed
	}
	if p.ephemeral() {
		return p.acquireEphemeral()
	}
	var last error
	for range len(p.free) {
		port := p.free[0]
		pr, err := p.open(port)
		if err != nil { // another program has it: look again when the rest were tried
			p.free = append(p.free[1:], port)
			last = err
			continue
		}
		p.free = p.free[1:]
		p.busy++
		return pr, nil
	}
	ex := &ExhaustedError{Min: p.cfg.Min, Max: p.cfg.Max, Busy: p.busy, Draining: len(p.drains)}
	if last != nil {
		return pair{}, fmt.Errorf("%w: %w", ex, last)
	}
	return pair{}, ex
}

// acquireEphemeral asks the system for ports until it gives one whose other
// half is free too. The caller holds p.mu.
func (p *PortPool) acquireEphemeral() (pair, error) {
	var last error
	for range ephemeralTries {
		c, err := p.listen(0)
		if err != nil {
			return pair{}, fmt.Errorf("opening an RTP port: %w", err)
		}
		port := c.LocalAddr().(*net.UDPAddr).AddrPort().Port()
		other, err := p.listen(port ^ 1)
		if err != nil {
			last = err
			_ = c.Close()
			continue
		}
		p.busy++
		if port%2 == 0 {
			return pair{rtp: c, rtcp: other, port: port}, nil
		}
		return pair{rtp: other, rtcp: c, port: port ^ 1}, nil
	}
	return pair{}, fmt.Errorf("%w: %w", &ExhaustedError{Busy: p.busy, Draining: len(p.drains)}, last)
}

// open opens the pair at an even port.
func (p *PortPool) open(port uint16) (pair, error) {
	c, err := p.listen(port)
	if err != nil {
		return pair{}, err
	}
	other, err := p.listen(port + 1)
	if err != nil {
		_ = c.Close()
		return pair{}, err
	}
	return pair{rtp: c, rtcp: other, port: port}, nil
}

func (p *PortPool) listen(port uint16) (*net.UDPConn, error) {
	network := "udp"
	if p.cfg.Bind.Is4() {
		network = "udp4"
	}
	var ip net.IP
	if p.cfg.Bind.IsValid() {
		ip = p.cfg.Bind.AsSlice()
	}
	return net.ListenUDP(network, &net.UDPAddr{IP: ip, Port: int(port), Zone: p.cfg.Bind.Zone()})
}

// release takes a pair back. Its RTP socket stays open until nothing has
// arrived for Quiet, or for MaxDrain, so that the next stream on that port does
// not latch onto the far end of this one; the RTCP socket is closed at once.
func (p *PortPool) release(pr pair) {
	_ = pr.rtcp.Close()
	raw, err := pr.rtp.SyscallConn()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy--
	if err != nil || p.closed {
		_ = pr.rtp.Close()
		p.giveBack(pr.port)
		return
	}
	now := time.Now()
	p.drains = append(p.drains, draining{pair: pr, raw: raw, since: now, heard: now})
}

// giveBack makes a port free again. The caller holds p.mu.
func (p *PortPool) giveBack(port uint16) {
	if !p.ephemeral() {
		p.free = append(p.free, port)
	}
}

func (p *PortPool) add(s *Stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.streams[s] = struct{}{}
}

func (p *PortPool) remove(s *Stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.streams, s)
}
