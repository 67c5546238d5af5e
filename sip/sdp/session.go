package sdp

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	pion "github.com/pion/sdp/v3"

	"callbox/media/codec"
)

// Local is what our side of a stream would like.
type Local struct {
	Addr      netip.AddrPort // where we receive RTP
	Codecs    []codec.Codec  // best first; empty: codec.All
	Direction Direction
	NoEvents  bool // do not offer or accept telephone events
	// Far, in an offer, is another far end that is offered in our place; nil: we are.
	Far *Far
	// Fax, in an offer, is offered in place of sound; nil: sound is.
	Fax *Fax
	// Fmtp are parameters to show with codecs; nil: none.
	Fmtp     map[codec.Codec]string
	Security Security
	Keys     []Crypto // our keys, best suite first; their tags do not matter
	Web      *Web     // our side of streams for browsers; nil: there are none
}

func (l Local) codecs() []codec.Codec {
	if len(l.Codecs) == 0 {
		return codec.All()
	}
	return l.Codecs
}

// Session writes our descriptions of one dialog. It belongs to one goroutine.
type Session struct {
	id      uint64
	version uint64
	last    []byte       // without the version, to see whether the content changed
	sent    []byte       // with it
	far     *Description // the far end's last; nil: none yet
	// layout are the m= lines of the session, which keep their places for its whole
	// life (RFC 3264 §8); at is the one that is in use.
	layout []stream
	at     int
	sound  string           // the profile of the sound that a fax has replaced
	head   []pion.Attribute // of the description as a whole
}

// NewSession starts a session with a random id (RFC 8866 §5.2 asks only for
// uniqueness; 62 bits stay positive for readers with signed numbers).
func NewSession() *Session { return newSession(rand.Uint64() >> 2) }

func newSession(id uint64) *Session { return &Session{id: id} }

// Offer writes an offer of one audio stream (RFC 3264 §5). Streams that the
// session has besides stay refused in their places.
func (s *Session) Offer(l Local) ([]byte, error) {
	if l.Far != nil {
		return s.refer(l, l.Far)
	}
	if l.Fax != nil {
		return s.offerFax(l)
	}
	s.resound()
	var formats []format
	for _, c := range l.codecs() {
		formats = append(formats, l.format(c, c.PayloadType))
	}
	event := uint8(codec.TelephoneEventPT)
	if l.NoEvents {
		event = 0
	}
	m := audio(l, s.proto(l), formats, event, l.Direction, 20*time.Millisecond)
	streams := s.place(m)
	if s.head = nil; l.Web != nil && l.Web.Offer {
		s.offerWeb(l.Web, m)
		return s.write(l.Addr.Addr(), l.Addr.Addr(), streams)
	}
	for _, c := range l.offered() {
		c.write(m)
	}
	return s.write(l.Addr.Addr(), l.Addr.Addr(), streams)
}

// proto is the profile to offer: once one was agreed on, that one.
func (s *Session) proto(l Local) string {
	proto := "RTP/AVP"
	switch {
	case l.Web != nil && l.Web.Offer:
		proto = webProto
	case l.Security == Mandatory:
		proto = "RTP/SAVP"
	}
	if s.layout == nil {
		return proto
	}
	if agreed := s.layout[s.at]; !agreed.isSecure() || l.Security != Plain || proto == webProto {
		return agreed.proto
	}
	return proto
}

// place puts our m= section in its place among those of the session.
func (s *Session) place(m *pion.MediaDescription) []*pion.MediaDescription {
	if s.layout == nil {
		s.layout = []stream{{media: m.MediaName.Media, proto: m.MediaName.Protos[0]}}
	}
	streams := make([]*pion.MediaDescription, len(s.layout))
	for i, st := range s.layout {
		if i == s.at {
			streams[i] = m
			continue
		}
		streams[i] = &pion.MediaDescription{MediaName: pion.MediaName{
			Media: st.media, Protos: []string{st.proto}, Formats: st.formats,
		}}
		if st.mid != "" && strings.HasPrefix(m.MediaName.Protos[0], "UDP/TLS/") {
			streams[i].WithValueAttribute("mid", st.mid) // it is offered again by that name (RFC 5888 §9.2)
		}
	}
	return streams
}

// Answer answers offer and says what was agreed (RFC 3264 §6): the first audio
// stream that fits, with the offerer's first codec that we have and its payload
// types; every other stream is refused with port 0. Errors are those of
// [Description.Choose].
func (s *Session) Answer(l Local, offer *Description) ([]byte, Media, error) {
	media, index, err := offer.Choose(l)
	if err != nil {
		return nil, Media{}, err
	}
	if l.NoEvents {
		media.EventPT = 0
	}
	media.LocalEventPT = media.EventPT
	local := l.Direction
	if media.Addr.Addr().IsUnspecified() && media.Web.IsZero() {
		local = local.mute() // there is nowhere to send to, whatever the direction says
	}
	dir := media.Direction.Answer(local)
	s.layout, s.at, s.far = offer.streams, index, offer
	chosen := []format{l.format(media.Codec, media.PayloadType)}
	m := audio(l, offer.streams[index].proto, chosen, media.EventPT, dir, media.Ptime)
	if own, ok := l.key(media.Crypto.Suite); ok && !media.Crypto.IsZero() {
		own.Tag = media.Crypto.Tag
		own.write(m)
	}
	if s.head = nil; !media.Web.IsZero() {
		mid := offer.streams[index].mid
		l.Web.write(m, mid, l.Web.setup(media.Web))
		s.head = webHead(mid, offer.bundles())
	}
	b, err := s.write(l.Addr.Addr(), l.Addr.Addr(), s.place(m))
	if err != nil {
		return nil, Media{}, err
	}
	return b, media, nil
}

// Accept reads the answer to the last offer of ours, which was made with the
// wishes l.
func (s *Session) Accept(l Local, answer []byte) (Media, error) {
	d, err := Parse(answer)
	if err != nil {
		return Media{}, err
	}
	if l.Fax != nil {
		return s.acceptFax(d)
	}
	m, index, err := d.Choose(l)
	if err != nil {
		return Media{}, err
	}
	if index != s.at {
		return Media{}, fmt.Errorf("%w: the answer has another stream than was offered", ErrNoAudio)
	}
	if !m.Crypto.IsZero() && !slices.ContainsFunc(l.offered(), func(c Crypto) bool { return c.Tag == m.Crypto.Tag && c.Suite == m.Crypto.Suite }) {
		return Media{}, fmt.Errorf("%w: the answer's was not offered under its number", ErrNoSuite)
	}
	s.far = d
	m.LocalPT = m.Codec.PayloadType
	switch {
	case l.NoEvents:
		m.EventPT = 0
	case m.EventPT != 0:
		m.LocalEventPT = codec.TelephoneEventPT
	}
	return m, nil
}

// format is a codec as our descriptions show it.
func (l Local) format(c codec.Codec, pt uint8) format {
	return format{name: c.Name, rate: c.ClockRate, channels: c.Channels(), pt: pt, fmtp: l.Fmtp[c]}
}

// audio is one m= section of ours. An event payload type of 0 is none.
func audio(l Local, proto string, formats []format, event uint8, dir Direction, ptime time.Duration) *pion.MediaDescription {
	m := &pion.MediaDescription{MediaName: pion.MediaName{
		Media: "audio", Port: pion.RangedPort{Value: int(l.Addr.Port())}, Protos: []string{proto},
	}}
	if event != 0 {
		formats = append(slices.Clone(formats), format{
			name: codec.TelephoneEvent, rate: codec.TelephoneEventRate, pt: event, fmtp: codec.TelephoneEventFmtp,
		})
	}
	for _, f := range formats {
		pt := strconv.Itoa(int(f.pt))
		m.MediaName.Formats = append(m.MediaName.Formats, pt)
		m.WithValueAttribute("rtpmap", f.rtpmap())
		if f.fmtp != "" {
			m.WithValueAttribute("fmtp", pt+" "+f.fmtp)
		}
	}
	return m.WithValueAttribute("ptime", strconv.Itoa(int(ptime/time.Millisecond))).WithPropertyAttribute(dir.String())
}

// rtpmap is the attribute's value.
func (f format) rtpmap() string {
	v := fmt.Sprintf("%d %s/%d", f.pt, f.name, f.rate)
	if f.channels > 1 {
		v += "/" + strconv.Itoa(f.channels)
	}
	return v
}

// write makes the text; the version rises when the content differs from the
// last one written (RFC 3264 §8). origin is ours, conn that of the sound.
func (s *Session) write(origin, conn netip.Addr, streams []*pion.MediaDescription) ([]byte, error) {
	if !origin.IsValid() || !conn.IsValid() {
		return nil, fmt.Errorf("write session description: no local address")
	}
	from, family := host(origin)
	to, at := host(conn)
	d := pion.SessionDescription{
		Origin: pion.Origin{Username: "-", SessionID: s.id, NetworkType: "IN", AddressType: family, UnicastAddress: from},
		// RFC 3264 §5: a session name of one dash.
		SessionName:           "-",
		ConnectionInformation: &pion.ConnectionInformation{NetworkType: "IN", AddressType: at, Address: &pion.Address{Address: to}},
		TimeDescriptions:      []pion.TimeDescription{{}},
		Attributes:            s.head,
		MediaDescriptions:     streams,
	}
	body, err := d.Marshal()
	if err != nil {
		return nil, fmt.Errorf("write session description: %w", err)
	}
	if s.last == nil || !bytes.Equal(body, s.last) {
		s.last = body
		s.version++
	}
	d.Origin.SessionVersion = s.version
	if body, err = d.Marshal(); err != nil {
		return nil, fmt.Errorf("write session description: %w", err)
	}
	s.sent = body
	return body, nil
}

// host is an address as session descriptions show it.
func host(a netip.Addr) (text, family string) {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		return a.String(), "IP6"
	}
	return a.String(), "IP4"
}
