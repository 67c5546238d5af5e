package sdp

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"

	pion "github.com/pion/sdp/v3"

	"callbox/media/codec"
)

// Local is what our side of a stream would like.
type Local struct {
	Addr      netip.AddrPort // where we receive RTP
	Codecs    []codec.Codec  // best first; empty: codec.All
	Direction Direction
	NoEvents  bool // do not offer or accept telephone events
	Security  Security
	Keys      []Crypto // our keys, best suite first; their tags do not matter
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
	last    []byte // without the version, to see whether the content changed

	// others are the streams of the far end's last offer that we refused: they keep
	// their places in our own offers (RFC 3264 §8). index is that of ours.
	others []stream
	index  int
}

// NewSession starts a session with a random id (RFC 8866 §5.2 asks only for
// uniqueness; 62 bits stay positive for readers with signed numbers).
func NewSession() *Session { return newSession(rand.Uint64() >> 2) }

func newSession(id uint64) *Session { return &Session{id: id} }

// Offer writes an offer of one audio stream (RFC 3264 §5).
func (s *Session) Offer(l Local) ([]byte, error) {
	var formats []format
	for _, c := range l.codecs() {
		formats = append(formats, format{c.Name, c.ClockRate, c.PayloadType})
	}
	event := uint8(codec.TelephoneEventPT)
	if l.NoEvents {
		event = 0
	}
	proto := "RTP/AVP"
	if l.Security == Mandatory {
		proto = "RTP/SAVP"
	}
	m := audio(l, proto, formats, event, l.Direction)
	for _, c := range l.offered() {
		c.write(m)
	}
	return s.write(l, s.among(m))
}

// among puts our stream among the refused ones.
func (s *Session) among(m *pion.MediaDescription) []*pion.MediaDescription {
	if len(s.others) == 0 {
		return []*pion.MediaDescription{m}
	}
	streams := make([]*pion.MediaDescription, len(s.others))
	for i, st := range s.others {
		streams[i] = &pion.MediaDescription{MediaName: pion.MediaName{Media: st.media, Protos: []string{st.proto}, Formats: st.formats}}
	}
	streams[s.index] = m
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
	if media.Addr.Addr().IsUnspecified() {
		local = local.mute() // there is nowhere to send to, whatever the direction says
	}
	dir := media.Direction.Answer(local)
	chosen := []format{{media.Codec.Name, media.Codec.ClockRate, media.PayloadType}}
	m := audio(l, offer.streams[index].proto, chosen, media.EventPT, dir)
	if own, ok := l.key(media.Crypto.Suite); ok && !media.Crypto.IsZero() {
		own.Tag = media.Crypto.Tag
		own.write(m)
	}
	s.others, s.index = offer.places(), index
	b, err := s.write(l, s.among(m))
	if err != nil {
		return nil, Media{}, err
	}
	return b, media, nil
}

// Accept reads the answer to a first offer of ours with the given wishes.
func Accept(l Local, answer []byte) (Media, error) { return NewSession().Accept(l, answer) }

// Accept reads the answer to the last offer of ours.
func (s *Session) Accept(l Local, answer []byte) (Media, error) {
	d, err := Parse(answer)
	if err != nil {
		return Media{}, err
	}
	m, index, err := d.Choose(l)
	if err != nil {
		return Media{}, err
	}
	if index != s.index {
		return Media{}, fmt.Errorf("%w: the answer has it in place %d of %d, which was not offered", ErrNoAudio, index+1, len(d.streams))
	}
	if !m.Crypto.IsZero() && !slices.ContainsFunc(l.offered(), func(c Crypto) bool { return c.Tag == m.Crypto.Tag && c.Suite == m.Crypto.Suite }) {
		return Media{}, fmt.Errorf("%w: the answer's was not offered under its number", ErrNoSuite)
	}
	switch {
	case l.NoEvents:
		m.EventPT = 0
	case m.EventPT != 0:
		m.LocalEventPT = codec.TelephoneEventPT
	}
	return m, nil
}

// audio is one m= section of ours. An event payload type of 0 is none.
func audio(l Local, proto string, formats []format, event uint8, dir Direction) *pion.MediaDescription {
	m := &pion.MediaDescription{MediaName: pion.MediaName{
		Media: "audio", Port: pion.RangedPort{Value: int(l.Addr.Port())}, Protos: []string{proto},
	}}
	if event != 0 {
		formats = append(slices.Clone(formats), format{codec.TelephoneEvent, codec.TelephoneEventRate, event})
	}
	for _, f := range formats {
		pt := strconv.Itoa(int(f.pt))
		m.MediaName.Formats = append(m.MediaName.Formats, pt)
		m.WithValueAttribute("rtpmap", fmt.Sprintf("%s %s/%d", pt, f.name, f.rate))
		if f.name == codec.TelephoneEvent {
			m.WithValueAttribute("fmtp", pt+" "+codec.TelephoneEventFmtp)
		}
	}
	return m.WithValueAttribute("ptime", "20").WithPropertyAttribute(dir.String())
}

// write makes the text; the version rises when the content differs from the
// last one written (RFC 3264 §8).
func (s *Session) write(l Local, streams []*pion.MediaDescription) ([]byte, error) {
	if !l.Addr.IsValid() {
		return nil, fmt.Errorf("write session description: no local address")
	}
	family := "IP4"
	if l.Addr.Addr().Unmap().Is6() {
		family = "IP6"
	}
	host := l.Addr.Addr().Unmap().WithZone("").String()
	d := pion.SessionDescription{
		Origin: pion.Origin{Username: "-", SessionID: s.id, NetworkType: "IN", AddressType: family, UnicastAddress: host},
		// RFC 3264 §5: a session name of one dash.
		SessionName:           "-",
		ConnectionInformation: &pion.ConnectionInformation{NetworkType: "IN", AddressType: family, Address: &pion.Address{Address: host}},
		TimeDescriptions:      []pion.TimeDescription{{}},
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
	return body, nil
}
