//go:build bench

package bench

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"callbox/media/codec"
	"callbox/media/srtp"
)

const (
	packetBytes = 160 // µ-law, 20 ms
	headerBytes = 12  // of RTP
	packetTime  = 20 * time.Millisecond
	sampleTime  = 125 * time.Microsecond
	// readEvery is how often what has arrived is read. The kernel notes the times
	// of arrival, so reading late costs no precision and saves wake-ups.
	readEvery = 4 * time.Millisecond
	// lateSend is what counts as the measuring side's own lateness.
	lateSend = time.Millisecond
)

// ear is a pair of UDP sockets, RTP and RTCP, for the sound of all calls of one
// side. Only the sending goroutine of a talk writes, only its reading one reads.
type ear struct {
	rtp, rtcp int
	addr      netip.AddrPort // of RTP
	buf, oob  []byte
	tails     map[uint16]*tail // by the far end's port
}

// tail is the end of a stream's last packet: a mark may lie across two.
type tail struct {
	b  []byte // the last packet's end and the new packet
	at int64  // arrival of the last packet
}

func newEar(host string) (*ear, error) {
	ip := netip.MustParseAddr(host).As4()
	e := &ear{rtp: -1, rtcp: -1, buf: make([]byte, 2048), oob: make([]byte, 128)}
	for range 100 {
		fd, port, err := openUDP(ip, 0)
		if err != nil {
			return nil, err
		}
		other, _, err := openUDP(ip, port^1)
		if err != nil {
			syscall.Close(fd)
			continue
		}
		if port%2 == 1 {
			fd, other, port = other, fd, port^1
		}
		e.rtp, e.rtcp, e.addr = fd, other, netip.AddrPortFrom(netip.AddrFrom4(ip), uint16(port))
		return e, nil
	}
	return nil, errors.New("no pair of ports for RTP was found")
}

func openUDP(ip [4]byte, port int) (fd, bound int, err error) {
	fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, 0, err
	}
	err = errors.Join(
		syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<20),
		syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_SNDBUF, 1<<20),
		stampArrivals(fd),
	)
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrInet4{Addr: ip, Port: port})
	}
	var name syscall.Sockaddr
	if err == nil {
		name, err = syscall.Getsockname(fd)
	}
	if err != nil {
		syscall.Close(fd)
		return -1, 0, err
	}
	return fd, name.(*syscall.SockaddrInet4).Port, nil
}

func (e *ear) close() {
	syscall.Close(e.rtp)
	syscall.Close(e.rtcp)
}

// flush forgets what arrived before.
func (e *ear) flush() {
	e.tails = map[uint16]*tail{}
	for _, fd := range []int{e.rtp, e.rtcp} {
		for {
			if _, _, err := syscall.Recvfrom(fd, e.buf, syscall.MSG_DONTWAIT); err != nil {
				break
			}
		}
	}
}

// leg is one direction of one call: what side says goes to to.
type leg struct {
	side int // index of the ear that sends
	to   netip.AddrPort
}

// heard is one mark that arrived.
type heard struct {
	sent  int64         // ns since 1970
	delay time.Duration // from the sender's call of the system to the receiver's kernel
}

// talk is all legs speaking, 50 packets a second each, evenly spread.
type talk struct {
	ears [2]*ear
	legs []leg

	pts  [2]uint8        // payload type of each side
	seal [2]*srtp.Cipher // nil: in the clear

	stopping atomic.Bool
	arrived  atomic.Int64 // packets of RTP, whatever is in them
	wg       sync.WaitGroup
	said     []said  // owned by speak
	marks    []heard // owned by listen
	err      error   // owned by speak
}

// said is one packet that was sent.
type said struct {
	at   int64 // ns since 1970
	late bool  // sent more than lateSend after its time
}

// newTalk begins to talk; end ends it.
func newTalk(ears [2]*ear, legs []leg) *talk {
	t := &talk{ears: ears, legs: legs}
	t.begin()
	return t
}

// begin begins to talk.
func (t *talk) begin() {
	for _, e := range t.ears {
		e.flush()
	}
	t.wg.Go(t.speak)
	t.wg.Go(t.listen)
}

// end stops talking; then what was said and heard can be looked at.
func (t *talk) end() error {
	t.stopping.Store(true)
	t.wg.Wait()
	return t.err
}

// speak sends until end. It has a thread of its own, because Go's timers are
// coarser than the 100 µs between two of 10,000 packets a second.
func (t *talk) speak() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	packets := make([][]byte, len(t.legs))
	to := make([]syscall.SockaddrInet4, len(t.legs))
	sound := filler()
	var sealed []byte
	for i, l := range t.legs {
		packets[i] = make([]byte, headerBytes+packetBytes)
		packets[i][0] = 0x80 // version 2, payload type 0
		binary.BigEndian.PutUint32(packets[i][8:], uint32(1000+i))
		copy(packets[i][headerBytes:], sound)
		to[i] = syscall.SockaddrInet4{Addr: l.to.Addr().As4(), Port: int(l.to.Port())}
	}
	began := time.Now()
	gap := packetTime / time.Duration(len(t.legs))
	for k := 0; !t.stopping.Load(); k++ {
		i, round := k%len(t.legs), k/len(t.legs)
		due := began.Add(time.Duration(round)*packetTime + time.Duration(i)*gap)
		if d := time.Until(due); d > 0 {
			ts := syscall.NsecToTimespec(int64(d))
			_ = syscall.Nanosleep(&ts, nil) // a signal may end it early, by a few µs at most
		}
		p := packets[i]
		side := t.legs[i].side
		if p[1] = t.pts[side]; round == 0 {
			p[1] |= 0x80 // the marker bit: a talk spurt begins
		}
		binary.BigEndian.PutUint16(p[2:], uint16(round))
		binary.BigEndian.PutUint32(p[4:], uint32(round)*packetBytes)
		now := time.Now()
		putMark(p[headerBytes:], i, now.UnixNano())
		if t.seal[side] != nil {
			var err error
			if sealed, err = t.seal[side].Seal(sealed[:0], p); err != nil {
				t.err = fmt.Errorf("protect sound: %w", err)
				return
			}
			p = sealed
		}
		if err := syscall.Sendto(t.ears[side].rtp, p, 0, &to[i]); err != nil && err != syscall.ECONNREFUSED {
			t.err = fmt.Errorf("send sound: %w", err)
			return
		}
		t.said = append(t.said, said{now.UnixNano(), now.Sub(due) > lateSend})
	}
}

// listen reads what arrives until end.
func (t *talk) listen() {
	tick := time.NewTicker(readEvery)
	defer tick.Stop()
	for {
		<-tick.C
		last := t.stopping.Load()
		for _, e := range t.ears {
			t.marks = e.read(t.marks, &t.arrived)
		}
		if last {
			return
		}
	}
}

// read takes all that has arrived and appends the marks in it.
func (e *ear) read(marks []heard, arrived *atomic.Int64) []heard {
	for {
		if _, _, err := syscall.Recvfrom(e.rtcp, e.buf, syscall.MSG_DONTWAIT); err != nil {
			break
		}
	}
	for {
		n, o, _, from, err := syscall.Recvmsg(e.rtp, e.buf, e.oob, syscall.MSG_DONTWAIT)
		if err != nil {
			return marks
		}
		arrived.Add(1)
		a, ok := from.(*syscall.SockaddrInet4)
		if !ok || n != headerBytes+packetBytes || e.buf[1]&0x7F != 0 {
			continue
		}
		if h, ok := e.take(uint16(a.Port), e.buf[headerBytes:n], arrivalOf(e.oob[:o])); ok {
			marks = append(marks, h)
		}
	}
}

// take looks for a mark in a packet and the end of the one before it.
func (e *ear) take(port uint16, sound []byte, at int64) (heard, bool) {
	s := e.tails[port]
	if s == nil {
		s = &tail{at: at}
		e.tails[port] = s
	}
	old := len(s.b)
	s.b = append(s.b, sound...)
	place, _, sent := findMark(s.b)
	// A mark that began in the packet before counts from that one's arrival. The
	// sound in front of a mark is heard before it.
	arrived, offset := at, place-old
	if offset < 0 {
		arrived, offset = s.at, packetBytes+offset
	}
	keep := min(len(s.b), markBytes-1)
	if place >= 0 {
		keep = min(keep, len(s.b)-place-markBytes) // it is not to be found again
	}
	s.b = append(s.b[:0], s.b[len(s.b)-keep:]...)
	s.at = at
	if place < 0 {
		return heard{}, false
	}
	return heard{sent: sent, delay: time.Duration(arrived-sent) + time.Duration(offset)*sampleTime}, true
}

// between gives the delays of what was said from one moment to another, and how
// many packets that were and how many of them late.
func (t *talk) between(from, to time.Time) (delays []time.Duration, sent, late int) {
	for _, m := range t.marks {
		if m.sent >= from.UnixNano() && m.sent < to.UnixNano() {
			delays = append(delays, m.delay)
		}
	}
	for _, p := range t.said {
		if p.at >= from.UnixNano() && p.at < to.UnixNano() {
			sent++
			if p.late {
				late++
			}
		}
	}
	return delays, sent, late
}

// A mark is a time and a call, written into the µ-law sound itself:
//
//	sync 6 | call 2 | time 11 | check 1        bytes, at the start of a packet
//
// The time is in ns since 1970. Each byte after sync carries six
// bits as 0xC0 + value: these 64 codes of µ-law come back unchanged when a
// gateway decodes and encodes them (0x7F, the negative zero, would not), so a
// mark passes a decoded path too, at whatever place in a packet.
const (
	markSync  = "\x52\x4D\x45\x5A\x4B\x56"
	markCall  = len(markSync)
	markTime  = markCall + 2
	markCheck = markTime + 11
	markBytes = markCheck + 1
	sixBits   = 0x3F
)

// putMark writes a mark to the start of b.
func putMark(b []byte, call int, ns int64) {
	copy(b, markSync)
	put := func(at, n int, v int64) {
		for i := range n {
			b[at+i] = 0xC0 | byte(v>>(6*i))&sixBits
		}
	}
	put(markCall, 2, int64(call))
	put(markTime, 11, ns)
	b[markCheck] = markSum(b)
}

func markSum(b []byte) byte {
	sum := byte(0)
	for _, v := range b[markCall:markCheck] {
		sum = sum*5 + v
	}
	return 0xC0 | sum&sixBits
}

// findMark looks for a whole mark in b and gives its place, -1 without one.
func findMark(b []byte) (at, call int, ns int64) {
	for from := 0; ; {
		i := bytes.Index(b[from:], []byte(markSync))
		if i < 0 || len(b)-from-i < markBytes {
			return -1, 0, 0
		}
		m := b[from+i : from+i+markBytes]
		if markSum(m) == m[markCheck] {
			get := func(at, n int) (v int64) {
				for k := range n {
					v |= int64(m[at+k]&sixBits) << (6 * k)
				}
				return v
			}
			return from + i, int(get(markCall, 2)), get(markTime, 11)
		}
		from += i + 1
	}
}

// filler is 20 ms of a tone, a packet's sound behind the mark.
func filler() []byte {
	out := make([]byte, packetBytes)
	var s [packetBytes]int16
	for i := range s {
		s[i] = int16(6000 * math.Sin(2*math.Pi*300*float64(i)/8000))
	}
	codec.PCMU.Encode(out, s[:])
	return out
}

// TestMark holds the judge of sound to its word: a mark is found wherever it
// lies, passes decoding and encoding, and is not seen in plain sound.
func TestMark(t *testing.T) {
	quiet := append(filler(), filler()...)
	if at, _, _ := findMark(quiet); at >= 0 {
		t.Errorf("a mark was seen in plain sound at %d", at)
	}
	for shift := range packetBytes {
		sound := append(filler(), filler()...)
		call, ns := shift*13%4096, 1_700_000_000_000_000_000+int64(shift)*987_654_321_987
		putMark(sound[shift:], call, ns)
		var pcm [2 * packetBytes]int16
		codec.PCMU.Decode(pcm[:], sound)
		codec.PCMU.Encode(sound, pcm[:])
		at, gotCall, gotNS := findMark(sound)
		if at != shift || gotCall != call || gotNS != ns {
			t.Fatalf("the mark of call %d, %d ns at %d was read as call %d, %d ns at %d", call, ns, shift, gotCall, gotNS, at)
		}
		sound[shift+markTime] ^= 1
		if at, _, _ := findMark(sound); at >= 0 {
			t.Fatalf("a damaged mark was taken for a whole one")
		}
	}
}
