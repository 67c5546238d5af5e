//go:build e2e

package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// tap reads every packet that our network namespace sends, on all interfaces
// that have an address: what goes through a bridge is seen once.
type tap struct {
	fd   int
	on   map[int]bool // indices of interfaces
	udp  bool         // count UDP packets and keep nothing of them
	stop chan struct{}
	done chan struct{}

	mu      sync.Mutex
	packets map[route]int
	dgrams  []datagram
	streams map[route]*bytes.Buffer // bytes of TCP connections, one direction each
}

// route is where a packet goes, and where it comes from.
type route struct {
	from, to netip.AddrPort
	tcp      bool
}

type datagram struct {
	route
	text string
}

const etherAll = 3 // ETH_P_ALL, without which only arriving packets are shown

func newTap(t *testing.T) *tap { return openTap(t, false) }

func openTap(t *testing.T, udp bool) *tap {
	t.Helper()
	proto := etherAll<<8 | etherAll>>8 // in network order
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_DGRAM, proto)
	if err != nil {
		t.Fatal(err)
	}
	_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 8<<20)
	if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Usec: 100_000}); err != nil {
		t.Fatal(err)
	}
	p := &tap{fd: fd, udp: udp, on: map[int]bool{}, stop: make(chan struct{}), done: make(chan struct{}), packets: map[route]int{}, streams: map[route]*bytes.Buffer{}}
	ifs, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range ifs {
		addrs, err := i.Addrs()
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil {
				p.on[i.Index] = true
			}
		}
	}
	go p.read()
	t.Cleanup(func() {
		close(p.stop)
		<-p.done
		syscall.Close(fd)
	})
	return p
}

func (p *tap) read() {
	defer close(p.done)
	buf := make([]byte, 1<<17)
	for {
		select {
		case <-p.stop:
			return
		default:
		}
		n, from, err := syscall.Recvfrom(p.fd, buf, 0)
		ll, ok := from.(*syscall.SockaddrLinklayer)
		if err == nil && ok && ll.Pkttype == syscall.PACKET_OUTGOING && p.on[ll.Ifindex] {
			p.packet(buf[:n])
		}
	}
}

// packet takes an IPv4 packet with UDP or TCP in it.
func (p *tap) packet(b []byte) {
	if len(b) < 20 || b[0]>>4 != 4 {
		return
	}
	head, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if total == 0 || total > len(b) || head+8 > total {
		return
	}
	proto, l4 := b[9], b[head:total]
	addr := func(off, port int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[off:off+4])), binary.BigEndian.Uint16(l4[port:]))
	}
	r := route{from: addr(12, 0), to: addr(16, 2), tcp: proto == syscall.IPPROTO_TCP}
	var body []byte
	switch {
	case proto == syscall.IPPROTO_UDP:
		body = l4[8:]
	case r.tcp && len(l4) >= 20 && int(l4[12]>>4)*4 <= len(l4):
		body = l4[int(l4[12]>>4)*4:]
	default:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.udp && r.tcp {
		return
	}
	p.packets[r]++
	switch {
	case p.udp:
	case r.tcp:
		if p.streams[r] == nil {
			p.streams[r] = &bytes.Buffer{}
		}
		p.streams[r].Write(body)
	case bytes.Contains(body, []byte("SIP/2.0")):
		p.dgrams = append(p.dgrams, datagram{r, string(body)})
	}
}

// messages are the SIP messages sent so far.
func (p *tap) messages() []datagram {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := append([]datagram(nil), p.dgrams...)
	for r, s := range p.streams {
		rest := s.String()
		for {
			rest = strings.TrimLeft(rest, "\r\n")
			head, _, ok := strings.Cut(rest, "\r\n\r\n")
			m := contentLength.FindStringSubmatch(head)
			if !ok || m == nil || !strings.Contains(head, "SIP/2.0") {
				break
			}
			size, _ := strconv.Atoi(m[1])
			end := min(len(head)+4+size, len(rest))
			out = append(out, datagram{r, rest[:end]})
			rest = rest[end:]
		}
	}
	return out
}

var (
	contentLength = regexp.MustCompile(`(?i)\r\nContent-Length: *(\d+)`)
	viaHost       = regexp.MustCompile(`\r\nVia: SIP/2\.0/\w+ ([^:;\s]+)`)
	contactHost   = regexp.MustCompile(`\r\nContact: *<sip:[^>]*?([\d.]+)[:;>]`)
	sdpHost       = regexp.MustCompile(`(?:c=IN IP4 |\no=.* IN IP4 )(\S+)`)
)

// shown is what a peer must see: the address that our packets come from, and
// the one that our messages name.
type shown struct{ from, named string }

// seen counts what a peer was sent.
type seen struct{ requests, responses, sdps, rtp int }

// check compares everything that was sent to the peers in want with what they
// must see, and counts it.
func (p *tap) check(t *testing.T, want map[string]shown) map[string]seen {
	t.Helper()
	got := map[string]seen{}
	bad := func(w shown, format string, args ...any) {
		t.Helper()
		t.Errorf("want %+v: %s", w, fmt.Sprintf(format, args...))
	}
	for _, m := range p.messages() {
		w, ok := want[m.to.Addr().String()]
		if !ok {
			continue
		}
		n := got[m.to.Addr().String()]
		request := !strings.HasPrefix(m.text, "SIP/2.0")
		if request {
			n.requests++
			if v := viaHost.FindStringSubmatch(m.text); v == nil || v[1] != w.named {
				bad(w, "the Via of a request to %s shows %v\n%s", m.to, v, m.text)
			}
		} else {
			n.responses++
		}
		// In the answer to a REGISTER the contacts are the phone's own.
		if c := contactHost.FindStringSubmatch(m.text); c != nil && c[1] != w.named && (request || !strings.Contains(m.text, " REGISTER\r\n")) {
			bad(w, "the Contact to %s shows %v\n%s", m.to, c, m.text)
		}
		hosts := sdpHost.FindAllStringSubmatch(m.text, -1)
		if len(hosts) > 0 {
			n.sdps++
		}
		for _, h := range hosts {
			if h[1] != w.named {
				bad(w, "the session description to %s shows %s\n%s", m.to, h[1], m.text)
			}
		}
		got[m.to.Addr().String()] = n
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for r, count := range p.packets {
		w, ok := want[r.to.Addr().String()]
		if !ok || r.tcp && !bytes.Contains(p.streams[r].Bytes(), []byte("SIP/2.0")) {
			continue
		}
		if r.from.Addr().String() != w.from {
			bad(w, "%d packets from %s to %s, tcp %v", count, r.from, r.to, r.tcp)
		}
		n := got[r.to.Addr().String()]
		if !r.tcp && r.from.Port() >= 16384 && r.from.Port() < 17384 {
			n.rtp += count
		}
		got[r.to.Addr().String()] = n
	}
	return got
}

// settle lets what was just sent reach the tap.
func (p *tap) settle() { <-time.After(300 * time.Millisecond) }
