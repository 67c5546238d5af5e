package rtp

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Crossing passes datagrams that are no RTP, such as fax as data over UDPTL (ITU-T
// T.38), between two far ends, unread and unchanged. Each far end has a port of ours
// of its own; who is there is decided by the latch, as for sound. Its methods may be
// called from any goroutine.
type Crossing struct {
	sides [2]shore
	all   sync.WaitGroup // one goroutine per side, which Close ends
	once  sync.Once
}

// shore is one side of a crossing.
type shore struct {
	pool    *PortPool
	ports   pair
	conn    *socket
	closing chan struct{}

	mu     sync.Mutex // guards what follows, and the sending
	aimed  bool
	latch  latch
	passed uint64
	lost   uint64 // strangers', too long ones, and those that could not be sent on
}

// OpenCrossing opens a port for each of two far ends, from their pools. Nothing passes
// before both were aimed at. The errors are those of [Listen].
func OpenCrossing(a, b *PortPool) (*Crossing, error) {
	c := &Crossing{}
	for i, pool := range []*PortPool{a, b} {
		s := &c.sides[i]
		ports, err := pool.acquire()
		if err == nil {
			if s.conn, err = newSocket(ports.rtp); err != nil {
				pool.release(ports)
			}
		}
		if err != nil {
			if i == 1 {
				c.sides[0].pool.release(c.sides[0].ports)
			}
			return nil, err
		}
		s.pool, s.ports, s.closing = pool, ports, make(chan struct{})
	}
	for i := range c.sides {
		c.all.Go(func() { c.carry(&c.sides[i], &c.sides[1-i]) })
	}
	return c, nil
}

// Port is our port for the far end of a side, 0 or 1.
func (c *Crossing) Port(side int) uint16 { return c.sides[side].ports.port }

// Aim says where the far end of a side is, and from which address of ours it is sent
// to; the zero Addr leaves that to the system.
func (c *Crossing) Aim(side int, remote netip.AddrPort, local netip.Addr) {
	s := &c.sides[side]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latch.negotiate(unmap(remote))
	s.conn.sendFrom(local)
	s.aimed = true
}

// Passed counts the datagrams of a side's far end that were sent on, and those that
// were not.
func (c *Crossing) Passed(side int) (passed, lost uint64) {
	s := &c.sides[side]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.passed, s.lost
}

// Close stops both directions, waits for their goroutines and gives the ports back.
// Repeated calls do nothing.
func (c *Crossing) Close() {
	c.once.Do(func() {
		for i := range c.sides {
			close(c.sides[i].closing)
			_ = c.sides[i].ports.rtp.SetReadDeadline(time.Unix(1, 0)) // wakes the goroutine
		}
		c.all.Wait()
		for i := range c.sides {
			s := &c.sides[i]
			_ = s.ports.rtp.SetReadDeadline(time.Time{})
			s.pool.release(s.ports)
		}
	})
}

// carry takes what arrives on one side to the other until Close.
func (c *Crossing) carry(from, to *shore) {
	room := &from.pool.room
	for failed := 0; failed < maxReadErrors; {
		b, n, addr, err := from.conn.readLent(room)
		if err != nil {
			select {
			case <-from.closing:
				return
			default:
			}
			if errors.Is(err, net.ErrClosed) {
				return
			}
			failed++ // a far end whose port is shut
			continue
		}
		failed = 0
		if from.admit(unmap(addr), n, time.Now()) {
			from.sent(to.send(b[:n]))
		}
		room.give(b)
	}
}

// admit says whether a datagram is to be passed on.
func (s *shore) admit(from netip.AddrPort, n int, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.aimed || n == maxDatagram || !s.latch.admit(from, now) {
		s.lost++
		return false
	}
	return true
}

func (s *shore) sent(ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ok {
		s.passed++
	} else {
		s.lost++
	}
}

// send sends a datagram to the side's far end.
func (s *shore) send(b []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	to := s.latch.target()
	if !s.aimed || !to.IsValid() {
		return false
	}
	_, err := s.conn.WriteToUDPAddrPort(b, to)
	return err == nil
}
