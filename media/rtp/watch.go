package rtp

import (
	"net/netip"
	"time"
)

// Watcher is shown every datagram of a pool's streams as it was on the wire: RTP,
// RTCP and what an [Escort] says, protected where it is protected, also what is
// then refused. It is called with a stream's locks held, on the media clock as well:
// it must not block, allocate, call the stream or keep Data.
type Watcher interface {
	Datagram(d Datagram)
}

// Datagram is one datagram of a stream.
type Datagram struct {
	At   time.Time
	Name string // of the stream; see [Stream.SetName]
	Sent bool
	// Local has an unspecified address where the system chose it.
	Local, Remote netip.AddrPort
	Data          []byte
}

// sight shows a Watcher what one stream sends or receives. It is guarded by the
// lock of who has it.
type sight struct {
	to    Watcher // nil: nobody watches
	name  string
	host  netip.Addr // ours
	ports [2]uint16  // of RTP and RTCP
}

func newSight(cfg Config, p pair) sight {
	v := sight{host: netip.IPv4Unspecified(), ports: [2]uint16{p.port, p.port + 1}}
	if cfg.Pool != nil {
		v.to = cfg.Pool.cfg.Watch
	}
	return v
}

// at remembers our address.
func (v *sight) at(host netip.Addr) {
	if host.IsValid() {
		v.host = host.Unmap()
	}
}

// show shows a datagram on the RTP port (0) or the RTCP port (1).
func (v *sight) show(port int, sent bool, remote netip.AddrPort, b []byte, now time.Time) {
	if v.to == nil {
		return
	}
	v.to.Datagram(Datagram{At: now, Name: v.name, Sent: sent, Local: netip.AddrPortFrom(v.host, v.ports[port]), Remote: unmap(remote), Data: b})
}

// SetName says what the pool's Watcher knows the stream by, such as its call. It is
// called before the first Start.
func (s *Stream) SetName(name string) {
	s.mu.Lock()
	s.sight.name = name
	s.mu.Unlock()
	s.send.mu.Lock()
	s.send.sight.name = name
	s.send.mu.Unlock()
}

// saw shows the Watcher what arrived. The caller does not hold s.mu.
func (s *Stream) saw(port int, from netip.AddrPort, b []byte, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sight.show(port, false, from, b, at)
}
