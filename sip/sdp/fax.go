package sdp

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	pion "github.com/pion/sdp/v3"
)

// ErrNoFax means that a description is not about a fax as data.
var ErrNoFax = errors.New("no fax stream in the session description")

// The limits of what is passed on of a fax stream; T.38 has a dozen short attributes.
const (
	maxFaxLines = 24
	maxFaxLine  = 128
)

// Fax is a stream of fax as data over UDP (ITU-T T.38 annex D, RFC 7345 §3.1), which
// takes the place of the sound.
type Fax struct {
	// Addr is where it is received. Of ours only the port counts.
	Addr netip.AddrPort
	// Attributes are the lines a=T38… as the far end wrote them, with their ends: what
	// two far ends agree on is between them.
	Attributes string
}

// isFax reports whether s is fax over UDPTL.
func (s stream) isFax() bool {
	return s.media == "image" && strings.EqualFold(s.proto, "udptl") &&
		slices.ContainsFunc(s.formats, func(f string) bool { return strings.EqualFold(f, "t38") })
}

// Fax gives the first stream of fax that is on, where no audio is on beside it. The
// error is or wraps [ErrNoFax] or [ErrMalformed].
func (d *Description) Fax() (Fax, error) {
	f, _, err := d.fax()
	return f, err
}

func (d *Description) fax() (f Fax, index int, err error) {
	if slices.ContainsFunc(d.streams, func(s stream) bool { return s.media == "audio" && s.port != 0 }) {
		return Fax{}, -1, ErrNoFax
	}
	index = slices.IndexFunc(d.streams, func(s stream) bool { return s.isFax() && s.port != 0 })
	if index < 0 {
		return Fax{}, -1, ErrNoFax
	}
	s := d.streams[index]
	addr, err := d.faxAddress(s.lines)
	if err != nil {
		return Fax{}, -1, err
	}
	f.Addr = netip.AddrPortFrom(addr, s.port)
	for i, a := range s.lines.attrs {
		if len(a) < 5 || !strings.EqualFold(a[:5], "a=T38") {
			continue
		}
		if i >= maxFaxLines || len(a) > maxFaxLine {
			return Fax{}, -1, malformed("a fax stream has too many or too long attributes")
		}
		f.Attributes += a + "\r\n"
	}
	return f, index, nil
}

// faxAddress is the stream's own c= line, else the session's.
func (d *Description) faxAddress(lines *section) (netip.Addr, error) {
	text := ""
	if w := strings.Fields(strings.TrimPrefix(lines.conn, "c=")); len(w) == 3 {
		text = w[2]
	} else if ci := d.session.ConnectionInformation; ci != nil && ci.Address != nil {
		text = ci.Address.Address
	}
	a, err := parseAddr(text)
	if err == nil && a.IsUnspecified() {
		err = fmt.Errorf("%w: it has no address", ErrNoFax)
	}
	return a, err
}

// image is the m= section of a fax stream of ours.
func (f Fax) image() *pion.MediaDescription {
	m := &pion.MediaDescription{MediaName: pion.MediaName{
		Media: "image", Port: pion.RangedPort{Value: int(f.Addr.Port())}, Protos: []string{"udptl"}, Formats: []string{"t38"},
	}}
	for line := range strings.Lines(f.Attributes) {
		key, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimRight(line, "\r\n"), "a="), ":")
		m.Attributes = append(m.Attributes, pion.Attribute{Key: key, Value: value})
	}
	return m
}

// offerFax offers l.Fax in the place of the sound (RFC 3264 §8.3.3).
func (s *Session) offerFax(l Local) ([]byte, error) {
	if s.layout == nil {
		return nil, ErrNoAudio // it is the sound that it replaces
	}
	s.head = nil
	return s.write(l.Addr.Addr(), l.Addr.Addr(), s.place(l.Fax.image()))
}

// AnswerFax answers an offer of fax with f, whose stream [Description.Fax] has found.
func (s *Session) AnswerFax(l Local, offer *Description, f Fax) ([]byte, error) {
	_, index, err := offer.fax()
	if err != nil {
		return nil, err
	}
	s.silence(offer.streams, index)
	s.far, s.head = offer, nil
	return s.write(l.Addr.Addr(), l.Addr.Addr(), s.place(f.image()))
}

// acceptFax reads the answer to an offer of fax.
func (s *Session) acceptFax(d *Description) (Media, error) {
	f, index, err := d.fax()
	if err != nil {
		return Media{}, err
	}
	if index != s.at {
		return Media{}, fmt.Errorf("%w: the answer has another stream than was offered", ErrNoFax)
	}
	layout := slices.Clone(s.layout)
	layout[index] = d.streams[index]
	s.silence(layout, index)
	s.far = d
	return Media{Addr: f.Addr, Fax: f}, nil
}

// silence makes the stream at index of layout, which is a fax, the one in use, and
// remembers what sound there was.
func (s *Session) silence(layout []stream, index int) {
	if s.layout != nil && s.layout[s.at].isAudio() {
		s.sound = s.layout[s.at].proto
	}
	s.layout, s.at = layout, index
}

// resound makes a stream of sound the one in use again, in its old place if that is
// still there, else in that of the fax.
func (s *Session) resound() {
	if s.layout == nil || !s.layout[s.at].isFax() {
		return
	}
	if i := slices.IndexFunc(s.layout, stream.isAudio); i >= 0 {
		s.at = i
		return
	}
	s.layout = slices.Clone(s.layout)
	s.layout[s.at] = stream{media: "audio", proto: s.sound}
}
