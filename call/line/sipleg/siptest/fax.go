package siptest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"callbox/sip/sdp"
)

// Fax is an endpoint's fax machine, which speaks T.38: a port for datagrams, whose
// contents are the test's affair.
type Fax struct {
	conn *net.UDPConn

	mu   sync.Mutex // guards what follows
	body []byte     // the session description of the box that came last
	to   netip.AddrPort
}

// Body is the session description of the box that came last.
func (f *Fax) Body() []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.body
}

// faxBody is a session description with a stream of fax in place of the sound.
func faxBody(at netip.AddrPort, version int, attributes string) []byte {
	return fmt.Appendf(nil, "v=0\r\no=- 4711 %d IN IP4 %v\r\ns=-\r\nc=IN IP4 %v\r\nt=0 0\r\nm=image %d udptl t38\r\na=T38FaxVersion:0\r\n%s",
		version, at.Addr(), at.Addr(), at.Port(), attributes)
}

// attach gives the endpoint a fax machine, once.
func (a *Endpoint) attach() (*Fax, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fax != nil {
		return a.fax, nil
	}
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(a.cfg.Host)})
	if err != nil {
		return nil, err
	}
	a.t.Cleanup(func() { _ = conn.Close() })
	a.fax = &Fax{conn: conn}
	return a.fax, nil
}

// NoStream has an endpoint agree to a fax by an answer whose stream is switched off.
const NoStream = "off"

// TakeFax has the endpoint accept to go on with a fax from now on, with these
// attributes beside the version, or [NoStream].
func (a *Endpoint) TakeFax(attributes string) (*Fax, error) {
	f, err := a.attach()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.takes = attributes
	return f, err
}

// AskFax asks the box to go on with a fax, and sends to where it says.
func (a *Endpoint) AskFax(ctx context.Context, attributes string) (*Fax, error) {
	f, err := a.attach()
	if err != nil {
		return nil, err
	}
	body, err := a.ReofferRaw(ctx, faxBody(f.own(), 1, attributes))
	if err != nil {
		return nil, err
	}
	return f, f.aim(body)
}

func (f *Fax) own() netip.AddrPort { return f.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

// aim reads where the box wants the datagrams.
func (f *Fax) aim(body []byte) error {
	d, err := sdp.Parse(body)
	if err != nil {
		return err
	}
	far, err := d.Fax()
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.body, f.to = body, far.Addr
	return nil
}

// Send sends a datagram.
func (f *Fax) Send(b []byte) error {
	f.mu.Lock()
	to := f.to
	f.mu.Unlock()
	if !to.IsValid() {
		return errors.New("endpoint: no fax was agreed on")
	}
	_, err := f.conn.WriteToUDPAddrPort(b, to)
	return err
}

// Receive waits for a datagram.
func (f *Fax) Receive() ([]byte, error) {
	buf := make([]byte, 2000)
	_ = f.conn.SetReadDeadline(time.Now().Add(patience))
	n, err := f.conn.Read(buf)
	return buf[:n], err
}

// faxed answers an offer of fax, and reports whether body was one that the endpoint
// takes.
func (p *party) faxed(body []byte) (bool, error) {
	p.a.mu.Lock()
	f, attributes := p.a.fax, p.a.takes
	p.a.mu.Unlock()
	if f == nil || attributes == "" || f.aim(body) != nil {
		return false, nil
	}
	if attributes == NoStream {
		return true, p.d.AcceptOffer(faxBody(netip.AddrPortFrom(f.own().Addr(), 0), 2, ""))
	}
	return true, p.d.AcceptOffer(faxBody(f.own(), 2, attributes))
}
