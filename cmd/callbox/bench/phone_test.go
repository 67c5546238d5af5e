//go:build bench

package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The far ends have addresses of their own, so that the gateway can tell its
// two trunks apart.
const (
	westHost = "127.0.0.2" // callers
	eastHost = "127.0.0.3" // callees
)

// phone is a UDP socket that speaks SIP.
type phone struct {
	conn *net.UDPConn
	addr netip.AddrPort
	done chan struct{} // closed when the reader has ended
}

// newPhone opens a phone; handle is called for every message, one after the
// other, with the kernel's time of its arrival.
func newPhone(host string, handle func(m message, from netip.AddrPort, at int64)) (*phone, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(host)})
	if err != nil {
		return nil, err
	}
	if err := conn.SetReadBuffer(4 << 20); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if cerr := raw.Control(func(fd uintptr) { err = stampArrivals(int(fd)) }); cerr != nil || err != nil {
		return nil, errors.Join(err, cerr, conn.Close())
	}
	p := &phone{conn: conn, addr: conn.LocalAddr().(*net.UDPAddr).AddrPort(), done: make(chan struct{})}
	go p.read(handle) // ended by close, which waits for it
	return p, nil
}

func (p *phone) read(handle func(message, netip.AddrPort, int64)) {
	defer close(p.done)
	buf, oob := make([]byte, 65536), make([]byte, 128)
	for {
		n, o, _, from, err := p.conn.ReadMsgUDPAddrPort(buf, oob)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		if m, ok := parse(string(buf[:n])); ok {
			handle(m, from, arrivalOf(oob[:o]))
		}
	}
}

func (p *phone) send(to netip.AddrPort, text []byte) {
	_, _ = p.conn.WriteToUDPAddrPort(text, to) // what is lost is repeated, and counted
}

func (p *phone) close() {
	p.conn.Close()
	<-p.done
}

// stampArrivals makes the kernel note the time of arrival of each datagram, so
// that the reader's own waiting is not measured.
func stampArrivals(fd int) error {
	return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TIMESTAMPNS, 1)
}

// arrivalOf is the time of arrival in ns since 1970, the present without one.
func arrivalOf(oob []byte) int64 {
	// struct cmsghdr of a 64-bit system: length, level, type; then struct timespec.
	if len(oob) >= 32 && binary.NativeEndian.Uint32(oob[8:]) == syscall.SOL_SOCKET && binary.NativeEndian.Uint32(oob[12:]) == syscall.SO_TIMESTAMPNS {
		return int64(binary.NativeEndian.Uint64(oob[16:]))*1e9 + int64(binary.NativeEndian.Uint64(oob[24:]))
	}
	return time.Now().UnixNano()
}

// message is a SIP message.
type message struct {
	method string // of a request
	status int    // of a response
	lines  []string
	body   string
}

func parse(text string) (message, bool) {
	head, body, _ := strings.Cut(text, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	m := message{lines: lines[1:], body: body}
	first, rest, ok := strings.Cut(lines[0], " ")
	if !ok {
		return m, false
	}
	if first != "SIP/2.0" {
		m.method = first
		return m, true
	}
	code, _, _ := strings.Cut(rest, " ")
	n, err := strconv.Atoi(code)
	m.status = n
	return m, err == nil
}

// header is the first header of a name, empty without one.
func (m message) header(name string) string {
	for _, l := range m.lines {
		if k, v, ok := strings.Cut(l, ":"); ok && strings.EqualFold(strings.TrimSpace(k), name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// copied gives the header lines of these names as they are, in their order.
func (m message) copied(names ...string) string {
	var b strings.Builder
	for _, l := range m.lines {
		k, _, _ := strings.Cut(l, ":")
		for _, n := range names {
			if strings.EqualFold(strings.TrimSpace(k), n) {
				b.WriteString(l)
				b.WriteString("\r\n")
			}
		}
	}
	return b.String()
}

// cseq is the method that a response answers.
func (m message) cseq() string {
	_, method, _ := strings.Cut(m.header("CSeq"), " ")
	return method
}

// uriOf is what stands between < and >.
func uriOf(header string) string {
	_, u, ok := strings.Cut(header, "<")
	if !ok {
		return header
	}
	u, _, _ = strings.Cut(u, ">")
	return u
}

// userOf is the user part of a URI in a header.
func userOf(header string) string {
	u, _, _ := strings.Cut(strings.TrimPrefix(uriOf(header), "sip:"), "@")
	return u
}

// session is a session description: µ-law and telephone events at host:port,
// and a packet time when it is not 0.
func session(host string, port, ptime int) string {
	s := fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP 0 101\r\n"+
		"a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n", host, host, port)
	if ptime > 0 {
		s += fmt.Sprintf("a=ptime:%d\r\n", ptime)
	}
	return s
}

// soundOf is where a session description wants its sound.
func soundOf(sdp string) (netip.AddrPort, error) {
	var host, port string
	for l := range strings.Lines(sdp) {
		l = strings.TrimSpace(l)
		if h, ok := strings.CutPrefix(l, "c=IN IP4 "); ok {
			host = h
		}
		if f := strings.Fields(l); len(f) > 1 && f[0] == "m=audio" {
			port = f[1]
		}
	}
	a, err := netip.ParseAddrPort(net.JoinHostPort(host, port))
	if err != nil {
		return a, fmt.Errorf("no address for sound in %q: %w", sdp, err)
	}
	return a, nil
}
