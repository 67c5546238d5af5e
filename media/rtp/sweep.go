package rtp

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"time"
)

// maxPerSweep bounds how many datagrams one socket may cost in one sweep.
const maxPerSweep = 64

// sweep is the pool's goroutine: every 250 ms it reads what RTCP arrived, sends
// the reports that are due, and looks after the draining ports. One goroutine
// for all streams saves a stack per leg; the kernel's receive time keeps the
// round trip exact although the socket is read late.
func (p *PortPool) sweep() {
	defer close(p.done)
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	r := newRawReader()
	var streams []*Stream
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
		}
		p.mu.Lock()
		streams = streams[:0]
		for s := range p.streams {
			streams = append(streams, s)
		}
		p.mu.Unlock()
		for _, s := range streams {
			s.control(r, time.Now())
		}
		clear(streams) // a closed stream must not live on in the spare slots
		p.drain(r, time.Now())
	}
}

// drain reads and discards what arrives on ports that were given back, and
// frees those that have become quiet or have taken too long.
func (p *PortPool) drain(r *rawReader, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := p.drains[:0]
	for _, d := range p.drains {
		for range maxPerSweep {
			if !r.read(d.raw) {
				break
			}
			d.heard = now
			d.discard++
		}
		quiet, late := now.Sub(d.heard) >= p.cfg.Quiet, now.Sub(d.since) >= p.cfg.MaxDrain
		if !quiet && !late {
			kept = append(kept, d)
			continue
		}
		if !quiet {
			p.forced++
		}
		_ = d.rtp.Close()
		p.giveBack(d.port)
	}
	clear(p.drains[len(kept):])
	p.drains = kept
}

// rawReader reads datagrams without waiting, with the time at which the kernel
// received them. It belongs to one goroutine and is reused for every socket.
type rawReader struct {
	buf, oob []byte
	n        int            // length of the datagram in buf
	from     netip.AddrPort // its sender, unmapped
	age      time.Duration  // how long ago the kernel received it
	once     func(fd uintptr) bool
	ok       bool
}

func newRawReader() *rawReader {
	r := &rawReader{buf: make([]byte, maxDatagram), oob: make([]byte, 64)}
	r.once = r.recv // made once: a closure per read would be garbage
	return r
}

// read takes one datagram if there is one.
func (r *rawReader) read(c syscall.RawConn) bool {
	r.ok = false
	if err := c.Read(r.once); err != nil {
		return false
	}
	return r.ok
}

// recv always reports true: it must not be called again when the socket is
// readable, the next sweep does that.
func (r *rawReader) recv(fd uintptr) bool {
	n, oobn, _, from, err := syscall.Recvmsg(int(fd), r.buf, r.oob, syscall.MSG_DONTWAIT)
	if err != nil {
		return true
	}
	r.ok, r.n, r.age = true, n, kernelAge(r.oob[:oobn], time.Now())
	switch a := from.(type) {
	case *syscall.SockaddrInet4:
		r.from = netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *syscall.SockaddrInet6:
		r.from = netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	default:
		r.from = netip.AddrPort{}
	}
	return true
}

// stampArrivals asks the kernel to note when datagrams arrive (socket(7),
// SO_TIMESTAMPNS). Without it the age is 0 and round trips come out up to one
// sweep too long, so an error is not fatal.
func stampArrivals(c syscall.RawConn) {
	_ = c.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_TIMESTAMPNS, 1)
	})
}

// kernelAge reads the age of a datagram from its control messages; 0 when there
// is none or the clock was set in between.
func kernelAge(oob []byte, now time.Time) time.Duration {
	msgs, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return 0
	}
	for _, m := range msgs {
		if m.Header.Level != syscall.SOL_SOCKET || m.Header.Type != syscall.SO_TIMESTAMPNS {
			continue
		}
		var at time.Time
		switch len(m.Data) { // struct timespec of 64-bit and 32-bit systems
		case 16:
			at = time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
		case 8:
			at = time.Unix(int64(int32(binary.NativeEndian.Uint32(m.Data))), int64(int32(binary.NativeEndian.Uint32(m.Data[4:]))))
		default:
			return 0
		}
		if age := now.Sub(at); age > 0 && age < 4*sweepEvery {
			return age
		}
	}
	return 0
}
