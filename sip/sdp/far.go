package sdp

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	pion "github.com/pion/sdp/v3"

	"callbox/media/codec"
)

// ErrNotDirect means that a far end's stream cannot be offered to another far end.
var ErrNotDirect = errors.New("the sound cannot go past the box")

// Far is the audio stream of a far end as another far end can be offered it, so
// that the two exchange their sound without us (RFC 3725).
type Far struct {
	addr    netip.Addr
	port    uint16
	formats []string
	attrs   []pion.Attribute
}

// maxFar bounds the attributes that are passed on.
const maxFar = 64

// Far gives the stream that [Description.Choose] finds with l. It keeps what says
// how the sound is written and how long packets are. The error is
// [ErrNotDirect] for a stream that is encrypted or does not go both ways, else as
// that of Choose.
func (d *Description) Far(l Local) (Far, error) {
	m, index, err := d.Choose(l)
	if err != nil {
		return Far{}, err
	}
	s := d.streams[index]
	if m.Direction != SendRecv || m.Held() || !m.Crypto.IsZero() || s.isSecure() {
		return Far{}, ErrNotDirect
	}
	f := Far{addr: m.Addr.Addr(), port: m.Addr.Port()}
	for _, x := range s.known() {
		// The answer must be one that we understand too.
		if _, ok := x.codec(); ok || strings.EqualFold(x.name, codec.TelephoneEvent) {
			f.formats = append(f.formats, strconv.Itoa(int(x.pt)))
		}
	}
	for _, a := range s.desc.Attributes {
		switch a.Key {
		case "rtpmap", "fmtp":
			if pt, _, _ := strings.Cut(a.Value, " "); !slices.Contains(f.formats, pt) {
				continue
			}
		case "rtcp":
			// The address may only be that of the sound, as for ourselves.
			a.Value, _, _ = strings.Cut(a.Value, " ")
		case "ptime", "maxptime":
		default:
			continue
		}
		if f.attrs = append(f.attrs, a); len(f.attrs) > maxFar {
			return Far{}, ErrNotDirect
		}
	}
	return f, nil
}

// Addr is where the far end receives RTP.
func (f Far) Addr() netip.AddrPort { return netip.AddrPortFrom(f.addr, f.port) }

// Serves reports whether a far end that was offered f can go on now that g took
// its place: the address is the same, and every format of g means what it did.
func (f Far) Serves(g Far) bool {
	if f.Addr() != g.Addr() {
		return false
	}
	for _, pt := range g.formats {
		if !slices.Contains(f.formats, pt) || f.rtpmap(pt) != g.rtpmap(pt) {
			return false
		}
	}
	return true
}

// rtpmap is what the payload type pt means in f, without case; empty for one of
// fixed meaning.
func (f Far) rtpmap(pt string) string {
	n, err := strconv.ParseUint(pt, 10, 7)
	if err != nil || n < 96 {
		return ""
	}
	for _, a := range f.attrs {
		if num, v, ok := strings.Cut(a.Value, " "); ok && a.Key == "rtpmap" && num == pt {
			return strings.ToLower(strings.TrimSuffix(strings.TrimSpace(v), "/1"))
		}
	}
	return ""
}

// Far is the far end's stream as another one can be offered it: that of its last
// description, found with l. The errors are those of [Description.Far], and
// [ErrNoAudio] before it sent one.
func (s *Session) Far(l Local) (Far, error) {
	if s.far == nil {
		return Far{}, ErrNoAudio
	}
	return s.far.Far(l)
}

// Again reports whether offer is the far end's last description once more, as it
// is when a session is only refreshed (RFC 4028 §7.4), and gives ours, which
// answers it.
func (s *Session) Again(offer *Description) ([]byte, bool) {
	if s.far == nil || s.sent == nil || s.far.sessionID != offer.sessionID || s.far.version != offer.version {
		return nil, false
	}
	return s.sent, true
}

// refer offers f in place of a stream of ours. l says who we are.
func (s *Session) refer(l Local, f *Far) ([]byte, error) {
	m := &pion.MediaDescription{MediaName: pion.MediaName{
		Media: "audio", Port: pion.RangedPort{Value: int(f.port)}, Protos: []string{s.proto(Local{})}, Formats: f.formats,
	}, Attributes: append(slices.Clone(f.attrs), pion.Attribute{Key: SendRecv.String()})}
	return s.write(l.Addr.Addr(), f.addr, s.place(m))
}
