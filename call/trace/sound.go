package trace

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// DefaultSound is the memory of a Sound, in bytes: the last 20 s of one bridged
// call, the last second of 30.
const DefaultSound = 2 << 20

// soundHeader is what stands before each packet: its whole length (4), when (8), whose
// (8), which way (1), from where and to where (18 each), padded.
const soundHeader = 4 + 8 + 8 + 1 + 18 + 18 + 3

// maxPacket is the longest packet that is kept, in bytes; longer ones are cut.
const maxPacket = 1500

// Sound keeps the newest packets of sound of all calls, as they were on the wire, in
// memory that is taken once. Its methods may be called concurrently; Packet allocates
// nothing and never waits for longer than a copy takes.
type Sound struct {
	seed maphash.Seed

	mu         sync.Mutex // guards what follows
	buf        []byte
	head, tail uint64 // positions since the beginning; the place in buf is the rest by its length
	lost       uint64 // packets that made room
}

// Packet is one that was sent or arrived.
type Packet struct {
	At       time.Time
	From, To netip.AddrPort
	Data     []byte
}

// NewSound makes one of so many bytes; 0 is DefaultSound. It needs room for one
// packet at least.
func NewSound(limit int) *Sound {
	if limit <= 0 {
		limit = DefaultSound
	}
	return &Sound{seed: maphash.MakeSeed(), buf: make([]byte, max(limit, soundHeader+maxPacket))}
}

// Packet files a packet under the dialog whose sound it is. data is not kept.
func (s *Sound) Packet(at time.Time, dialog string, sent bool, local, remote netip.AddrPort, data []byte) {
	data = data[:min(len(data), maxPacket)]
	var h [soundHeader]byte
	binary.LittleEndian.PutUint32(h[0:], uint32(soundHeader+len(data)))
	binary.LittleEndian.PutUint64(h[4:], uint64(at.UnixNano()))
	binary.LittleEndian.PutUint64(h[12:], maphash.String(s.seed, dialog))
	from, to := remote, local
	if sent {
		from, to = to, from
	}
	putAddr(h[21:], from)
	putAddr(h[39:], to)
	s.mu.Lock()
	defer s.mu.Unlock()
	for need := uint64(soundHeader + len(data)); s.tail+need > s.head+uint64(len(s.buf)); s.lost++ {
		s.head += uint64(s.length(s.head))
	}
	s.write(h[:])
	s.write(data)
}

func putAddr(b []byte, a netip.AddrPort) {
	ip := a.Addr().As16()
	copy(b, ip[:])
	binary.LittleEndian.PutUint16(b[16:], a.Port())
}

func addrOf(b []byte) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[:16])).Unmap(), binary.LittleEndian.Uint16(b[16:]))
}

// write appends b. The caller holds s.mu and has made room.
func (s *Sound) write(b []byte) {
	at := s.tail % uint64(len(s.buf))
	copy(s.buf, b[copy(s.buf[at:], b):])
	s.tail += uint64(len(b))
}

// read fills b with what is at pos. The caller holds s.mu.
func (s *Sound) read(pos uint64, b []byte) {
	n := copy(b, s.buf[pos%uint64(len(s.buf)):])
	copy(b[n:], s.buf)
}

// length is that of the packet at pos with its header. The caller holds s.mu.
func (s *Sound) length(pos uint64) uint32 {
	var b [4]byte
	s.read(pos, b[:])
	return binary.LittleEndian.Uint32(b[:])
}

// since gives the packets of a dialog from a position on, oldest first, and the
// position behind the newest of all. From 0 on are all that are kept. It looks at a few
// at a time, so that those who bring sound hardly wait.
func (s *Sound) since(pos uint64, dialog string) ([]Packet, uint64) {
	id := maphash.String(s.seed, dialog)
	var out []Packet
	for more := true; more; {
		out, pos, more = s.some(out, pos, id)
	}
	return out, pos
}

// atOnce is how many packets are looked at under one lock.
const atOnce = 64

// some goes on with since; more is false at the end.
func (s *Sound) some(out []Packet, pos, id uint64) (all []Packet, end uint64, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var h [soundHeader]byte
	at := max(pos, s.head)
	for n := 0; n < atOnce && at < s.tail; n++ {
		s.read(at, h[:])
		size := uint64(binary.LittleEndian.Uint32(h[:]))
		if binary.LittleEndian.Uint64(h[12:]) == id {
			p := Packet{
				At: time.Unix(0, int64(binary.LittleEndian.Uint64(h[4:]))), From: addrOf(h[21:]), To: addrOf(h[39:]),
				Data: make([]byte, size-soundHeader),
			}
			s.read(at+soundHeader, p.Data)
			out = append(out, p)
		}
		at += size
	}
	return out, at, at < s.tail
}

// Stats gives how full it is.
func (s *Sound) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{Bytes: int(s.tail - s.head), Dropped: s.lost}
}
