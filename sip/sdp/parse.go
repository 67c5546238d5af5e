package sdp

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	pion "github.com/pion/sdp/v3"

	"callbox/media/codec"
)

// The limits of what is looked at. A description of a telephone has 20 lines,
// one of a browser 150.
const (
	maxSize    = 16 << 10
	maxLines   = 512
	maxStreams = 16
	maxFormats = 64
)

// Description is a session description of a far end. It is never changed after
// [Parse] made it.
type Description struct {
	session   *pion.SessionDescription
	sessionID uint64
	version   uint64
	streams   []stream
}

// stream is one m= section.
type stream struct {
	media   string
	port    uint16
	proto   string
	formats []string
	mid     string
	desc    *pion.MediaDescription // only for audio that isAudio
	lines   *section               // only of fax
}

// Version is the o= line's session id and version: the same pair again means
// that nothing changed (RFC 3264 §8).
func (d *Description) Version() (id, version uint64) { return d.sessionID, d.version }

// Parse reads an offer or an answer. It is forgiving about the order of lines,
// missing s= and t= lines and line ends, and strict about what matters; what it
// does not need (contacts, bandwidth, streams other than audio) is not looked
// into. Errors wrap [ErrMalformed].
func Parse(b []byte) (*Description, error) {
	lines, err := split(b)
	if err != nil {
		return nil, err
	}
	d := &Description{}
	text, err := d.canonical(lines)
	if err != nil {
		return nil, err
	}
	if err := d.decode(text); err != nil {
		return nil, err
	}
	return d, nil
}

// malformed makes an error that wraps ErrMalformed.
func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// split cuts b into "x=value" lines without line ends.
func split(b []byte) ([]string, error) {
	switch {
	case len(bytes.TrimSpace(b)) == 0:
		return nil, malformed("it is empty")
	case len(b) > maxSize:
		return nil, malformed("%d bytes, the limit is %d", len(b), maxSize)
	}
	raw := strings.Split(strings.TrimRight(string(b), "\r\n"), "\n")
	if len(raw) > maxLines {
		return nil, malformed("%d lines, the limit is %d", len(raw), maxLines)
	}
	for i, l := range raw {
		l = strings.TrimRight(l, "\r")
		if len(l) < 2 || l[1] != '=' {
			return nil, malformed("line %d is not of the form x=value", i+1)
		}
		if strings.ContainsFunc(l, func(r rune) bool { return r < ' ' && r != '\t' }) {
			return nil, malformed("line %d has a control character", i+1)
		}
		raw[i] = l
	}
	if strings.TrimRight(raw[0], " ") != "v=0" {
		return nil, malformed("the first line is not v=0")
	}
	return raw, nil
}

// section collects the lines of one part that the decoder gets to see.
type section struct {
	conn  string
	attrs []string
}

func (s *section) add(l string) {
	switch l[0] {
	case 'c':
		// Several c= lines are for multicast layers only (RFC 8866 §5.7).
		if s.conn == "" {
			s.conn = l
		}
	case 'a':
		if len(l) > 2 {
			s.attrs = append(s.attrs, l)
		}
	}
}

func (s *section) write(b *strings.Builder, between string) {
	if s.conn != "" {
		b.WriteString(s.conn + "\r\n")
	}
	b.WriteString(between)
	for _, a := range s.attrs {
		b.WriteString(a + "\r\n")
	}
}

// canonical fills d.streams and gives the text in the strict order that the
// decoder wants, with the audio streams only: the decoder refuses whole
// descriptions for a fax stream or an unknown bandwidth word.
func (d *Description) canonical(lines []string) (string, error) {
	origin, name := "", "s=-"
	session := &section{}
	current := session
	var sections []*section
	for _, l := range lines[1:] {
		switch l[0] {
		case 'o':
			origin = l
		case 's':
			if current == session && len(l) > 2 {
				name = l
			}
		case 'm':
			s, err := parseStream(l[2:])
			if err != nil {
				return "", err
			}
			if len(d.streams) == maxStreams {
				return "", malformed("more than %d streams", maxStreams)
			}
			d.streams = append(d.streams, s)
			current = &section{}
			sections = append(sections, current)
		default:
			current.add(l)
			if mid, ok := strings.CutPrefix(l, "a=mid:"); ok && len(d.streams) > 0 {
				d.streams[len(d.streams)-1].mid = mid
			}
		}
	}
	if origin == "" {
		return "", malformed("there is no o= line")
	}
	var b strings.Builder
	b.WriteString("v=0\r\n" + origin + "\r\n" + name + "\r\n")
	session.write(&b, "t=0 0\r\n")
	for i, s := range d.streams {
		if s.isAudio() {
			b.WriteString("m=audio " + strconv.Itoa(int(s.port)) + " " + s.proto + " " + strings.Join(s.formats, " ") + "\r\n")
			sections[i].write(&b, "")
		} else if s.isFax() {
			d.streams[i].lines = sections[i]
		}
	}
	return b.String(), nil
}

// isAudio reports whether s is audio over RTP or SRTP.
func (s stream) isAudio() bool {
	switch s.proto {
	case "RTP/AVP", "RTP/AVPF", "RTP/SAVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVP", webProto:
		return s.media == "audio"
	}
	return false
}

// isSecure reports whether s is encrypted audio, in whatever way.
func (s stream) isSecure() bool {
	return s.media == "audio" && strings.Contains(s.proto, "RTP/SAVP")
}

// parseStream reads "audio 49170/2 RTP/AVP 0 8 101".
func parseStream(v string) (stream, error) {
	f := strings.Fields(v)
	if len(f) < 4 {
		return stream{}, malformed("the m= line %q has fewer than 4 fields", v)
	}
	if len(f) > 3+maxFormats {
		return stream{}, malformed("an m= line has more than %d formats", maxFormats)
	}
	port, _, _ := strings.Cut(f[1], "/")
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return stream{}, malformed("the port %q is not a number from 0 to 65535", f[1])
	}
	return stream{media: strings.ToLower(f[0]), port: uint16(n), proto: f[2], formats: f[3:]}, nil
}

// decode runs the decoder. It is somebody else's parser fed by strangers, and
// it has died of bad text before: a panic in it is an error here.
func (d *Description) decode(text string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = malformed("the decoder failed: %v", p)
		}
	}()
	var s pion.SessionDescription
	if err := s.UnmarshalString(text); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	d.session = &s
	d.sessionID, d.version = s.Origin.SessionID, s.Origin.SessionVersion
	next := 0
	for i := range d.streams {
		if d.streams[i].isAudio() {
			d.streams[i].desc = s.MediaDescriptions[next]
			next++
		}
	}
	return nil
}

// Choose finds the first audio stream that is on, has one of l's codecs,
// preferring the order of the description, and is protected as l wants. index is
// the stream's position in the description.
func (d *Description) Choose(l Local) (m Media, index int, err error) {
	reason := ErrNoAudio
	for i, s := range d.streams {
		switch {
		case s.port == 0:
		case s.isAudio():
			m, err := d.media(s, l.codecs())
			if err == nil {
				err = d.protect(l, s, &m)
			}
			if err == nil {
				return m, i, nil
			}
			if !s.isSecure() || reason == ErrNoAudio {
				reason = err
			}
		case s.isSecure() && reason == ErrNoAudio:
			reason = ErrSecure
		}
	}
	return Media{}, -1, reason
}

// media reads one audio stream.
func (d *Description) media(s stream, codecs []codec.Codec) (Media, error) {
	m := Media{Ptime: s.ptime(), Direction: d.direction(s)}
	addr, err := d.address(s)
	if err != nil {
		return Media{}, err
	}
	m.Addr = netip.AddrPortFrom(addr, s.port)
	m.RTCP = rtcpAddr(s, m.Addr)
	formats := s.known()
	reason := ErrNoCodec
	for _, f := range formats {
		c, ok := f.codec()
		if ok && slices.Contains(codecs, c) {
			m.Codec, m.PayloadType, m.LocalPT, m.Fmtp = c, f.pt, f.pt, s.fmtp(f.pt)
			break
		}
		if ok && !c.Decodable() {
			reason = ErrForeign
		}
	}
	if m.Codec.IsZero() {
		return Media{}, reason
	}
	for _, f := range formats {
		if strings.EqualFold(f.name, codec.TelephoneEvent) && f.rate == codec.TelephoneEventRate && f.channels <= 1 {
			m.EventPT = f.pt
			break
		}
	}
	return m, nil
}

// Codecs gives the codecs of the stream that [Description.Choose] finds with l, of
// those that l has, in the order of the description. Only Codec and Fmtp are set.
func (d *Description) Codecs(l Local) (list []Media) {
	_, index, err := d.Choose(l)
	if err != nil {
		return nil
	}
	s := d.streams[index]
	for _, f := range s.known() {
		if c, ok := f.codec(); ok && slices.Contains(l.codecs(), c) {
			list = append(list, Media{Codec: c, Fmtp: s.fmtp(f.pt)})
		}
	}
	return list
}

// The packet times that are sent.
const (
	minPtime = 10 // ms
	maxPtime = 60 // ms
)

// ptime is the packet time to send with.
func (s stream) ptime() time.Duration {
	want, most := s.number("ptime"), s.number("maxptime")
	if want == 0 {
		want = 20
	}
	if most != 0 {
		want = min(want, most)
	}
	return time.Duration(max(min(want, maxPtime)/10*10, minPtime)) * time.Millisecond
}

// number is an attribute that is a number from 1 to 1000, 0 when there is none.
func (s stream) number(attribute string) int {
	v, _ := s.desc.Attribute(attribute)
	n, err := strconv.Atoi(strings.TrimSpace(v))
	if err != nil || n < 1 || n > 1000 {
		return 0
	}
	return n
}

// maxFmtp bounds the parameters that are looked at; telephones send up to 100 bytes.
const maxFmtp = 256

// fmtp are the parameters of a payload type.
func (s stream) fmtp(pt uint8) string {
	for _, a := range s.desc.Attributes {
		if num, v, ok := strings.Cut(strings.TrimSpace(a.Value), " "); ok && a.Key == "fmtp" && num == strconv.Itoa(int(pt)) && len(v) <= maxFmtp {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// format is one entry of an m= line with what its number means.
type format struct {
	name     string
	rate     int // Hz
	channels int // 0: as one
	pt       uint8
	fmtp     string // only of ours
}

// codec is what the format means.
func (f format) codec() (codec.Codec, bool) {
	c, ok := codec.ByName(f.name)
	return c, ok && f.rate == c.ClockRate && max(f.channels, 1) == c.Channels()
}

// known gives the stream's formats whose meaning is known, in its order.
func (s stream) known() []format {
	maps := map[uint8]format{}
	for _, a := range s.desc.Attributes {
		if a.Key != "rtpmap" {
			continue
		}
		if f, ok := parseMap(a.Value); ok {
			if _, twice := maps[f.pt]; !twice {
				maps[f.pt] = f
			}
		}
	}
	var out []format
	for _, v := range s.formats {
		pt, err := strconv.ParseUint(v, 10, 7)
		if err != nil {
			continue
		}
		f, ok := maps[uint8(pt)]
		if !ok {
			// The static types need no a=rtpmap (RFC 3551 §6).
			c, static := codec.ByPayloadType(uint8(pt))
			f, ok = format{name: c.Name, rate: c.ClockRate, pt: c.PayloadType}, static
		}
		if ok {
			out = append(out, f)
		}
	}
	return out
}

// parseMap reads "101 telephone-event/8000"; the number of channels may follow.
func parseMap(v string) (format, bool) {
	num, enc, ok := strings.Cut(strings.TrimSpace(v), " ")
	if !ok {
		return format{}, false
	}
	pt, err := strconv.ParseUint(num, 10, 7)
	if err != nil {
		return format{}, false
	}
	parts := strings.Split(strings.TrimSpace(enc), "/")
	if len(parts) < 2 || len(parts) > 3 {
		return format{}, false
	}
	channels := uint64(1)
	if len(parts) == 3 {
		if channels, err = strconv.ParseUint(parts[2], 10, 4); err != nil || channels == 0 {
			return format{}, false
		}
	}
	rate, err := strconv.ParseUint(parts[1], 10, 20)
	if err != nil {
		return format{}, false
	}
	return format{name: parts[0], rate: int(rate), channels: int(channels), pt: uint8(pt)}, true
}

// direction is the stream's own attribute, else the session's, else sendrecv.
func (d *Description) direction(s stream) Direction {
	for _, attrs := range [][]pion.Attribute{s.desc.Attributes, d.session.Attributes} {
		for _, a := range attrs {
			for i, n := range directionNames {
				if a.Key == n && a.Value == "" {
					return Direction(i)
				}
			}
		}
	}
	return SendRecv
}

// address is the stream's own c= line, else the session's.
func (d *Description) address(s stream) (netip.Addr, error) {
	ci := s.desc.ConnectionInformation
	if ci == nil {
		ci = d.session.ConnectionInformation
	}
	if ci == nil || ci.Address == nil {
		return netip.Addr{}, malformed("there is no connection address")
	}
	return parseAddr(ci.Address.Address)
}

// parseAddr reads a unicast address. Host names are allowed by RFC 8866 §5.7 but
// would make every offer a DNS request by a stranger; no phone sends them.
func parseAddr(v string) (netip.Addr, error) {
	host, _, _ := strings.Cut(v, "/")
	a, err := netip.ParseAddr(host)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, malformed("the connection address %q is not an IP address", v)
	}
	a = a.Unmap()
	if a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return netip.Addr{}, malformed("the connection address %q is not that of one host", v)
	}
	return a, nil
}

// rtcpAddr reads a=rtcp:53020 or a=rtcp:53020 IN IP4 192.0.2.7 (RFC 3605).
func rtcpAddr(s stream, rtp netip.AddrPort) netip.AddrPort {
	port := rtp.Port()
	if port < 65535 {
		port++
	}
	def := netip.AddrPortFrom(rtp.Addr(), port)
	v, ok := s.desc.Attribute("rtcp")
	if !ok {
		return def
	}
	f := strings.Fields(v)
	if len(f) != 1 && len(f) != 4 {
		return def
	}
	n, err := strconv.ParseUint(f[0], 10, 16)
	if err != nil || n == 0 {
		return def
	}
	// RTCP goes to the host that takes the RTP: an address of its own would let a
	// description aim our reports at anybody.
	return netip.AddrPortFrom(rtp.Addr(), uint16(n))
}
