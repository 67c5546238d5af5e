package sdp

import (
	"errors"
	"slices"
	"strings"

	pion "github.com/pion/sdp/v3"
)

// ErrWeb means that a stream for browsers lacks something without which it
// cannot be had: ICE (RFC 8839), the fingerprint of DTLS (RFC 8122), or RTCP on
// the port of RTP (RFC 5761).
var ErrWeb = errors.New("the stream for browsers has no ICE, no usable fingerprint or no multiplexed RTCP")

// Web is our side of streams that are keyed as browsers want it, with DTLS (RFC
// 5763) over ICE, of which we are the lite side.
type Web struct {
	// Offer makes our offers such streams. Answers are what was offered.
	Offer           bool
	Ufrag, Password string // ICE credentials
	Fingerprint     string // "sha-256 1F:…"
	Candidates      []string
	// Active says that we began the handshake of this session, which later
	// answers must keep.
	Active bool
}

// String names the user fragment; the password stays out of logs.
func (w Web) String() string { return w.Ufrag }

// GoString is String, for %#v.
func (w Web) GoString() string { return w.Ufrag }

// FarWeb is the far end's side; zero: the stream is no such one.
type FarWeb struct {
	Ufrag       string
	Fingerprint string
	// Passive says that the far end waits for our handshake.
	Passive bool
}

// IsZero reports whether the stream is keyed in another way, or not at all.
func (w FarWeb) IsZero() bool { return w.Fingerprint == "" }

// webProto is the profile of our offers (RFC 8829 §5.1.2).
const webProto = "UDP/TLS/RTP/SAVPF"

// isWeb reports whether s is keyed by DTLS. Some old programs write so without
// the first part of the profile.
func (s stream) isWeb() bool {
	if !s.isSecure() || s.desc == nil {
		return false
	}
	_, prints := s.desc.Attribute("fingerprint")
	return strings.HasPrefix(s.proto, "UDP/TLS/") || prints && len(cryptos(s.desc)) == 0
}

// bounds of what is looked at, in characters (RFC 8839 §5.4).
const (
	minUfrag = 4
	maxUfrag = 256
)

// web reads the far end's side of a stream for browsers.
func (d *Description) web(s stream) (FarWeb, error) {
	var w FarWeb
	for _, v := range d.values(s, "fingerprint") {
		algorithm, value, ok := strings.Cut(strings.TrimSpace(v), " ")
		if algorithm = strings.ToLower(algorithm); ok && slices.Contains([]string{"sha-256", "sha-384", "sha-512"}, algorithm) && w.Fingerprint == "" {
			w.Fingerprint = algorithm + " " + strings.ToUpper(strings.TrimSpace(value))
		}
	}
	if list := d.values(s, "ice-ufrag"); len(list) > 0 {
		w.Ufrag = list[0]
	}
	setup := ""
	if list := d.values(s, "setup"); len(list) > 0 {
		setup = strings.ToLower(strings.TrimSpace(list[0]))
	}
	w.Passive = setup == "passive"
	_, mux := s.desc.Attribute("rtcp-mux")
	if w.Fingerprint == "" || len(w.Ufrag) < minUfrag || len(w.Ufrag) > maxUfrag || !mux || setup == "holdconn" {
		return FarWeb{}, ErrWeb
	}
	return w, nil
}

// values are those of an attribute of the stream, else of the session.
func (d *Description) values(s stream, name string) (list []string) {
	for _, attrs := range [][]pion.Attribute{s.desc.Attributes, d.session.Attributes} {
		for _, a := range attrs {
			if a.Key == name {
				list = append(list, a.Value)
			}
		}
		if len(list) > 0 {
			return list
		}
	}
	return nil
}

// bundles reports whether the far end would put streams together (RFC 9143):
// only then may an answer.
func (d *Description) bundles() bool {
	return slices.ContainsFunc(d.session.Attributes, func(a pion.Attribute) bool { return a.Key == "group" && strings.HasPrefix(a.Value, "BUNDLE") })
}

// write adds our side to m. setup is our part in the handshake.
func (w *Web) write(m *pion.MediaDescription, mid, setup string) {
	if mid != "" {
		m.WithValueAttribute("mid", mid)
	}
	// Pages look for the sound in a stream of media; it needs some name.
	m.WithValueAttribute("msid", "callbox callbox-audio").WithPropertyAttribute("rtcp-mux")
	m.WithValueAttribute("ice-ufrag", w.Ufrag).WithValueAttribute("ice-pwd", w.Password)
	m.WithValueAttribute("fingerprint", w.Fingerprint).WithValueAttribute("setup", setup)
	for _, c := range w.Candidates {
		m.WithValueAttribute("candidate", c)
	}
	m.WithPropertyAttribute("end-of-candidates")
}

// setup is our part in the handshake when the far end has offered.
func (w *Web) setup(far FarWeb) string {
	if far.Passive || w.Active {
		return "active"
	}
	return "passive"
}

// offerWeb makes m an offer for browsers. Its name stays that of the first offer.
func (s *Session) offerWeb(w *Web, m *pion.MediaDescription) {
	mid := &s.layout[s.at].mid
	if *mid == "" {
		*mid = "0"
	}
	w.write(m, *mid, "actpass")
	s.head = webHead(*mid, true)
}

// webHead are the lines of the description as a whole.
func webHead(mid string, bundle bool) []pion.Attribute {
	list := []pion.Attribute{{Key: "ice-lite"}}
	if bundle && mid != "" {
		list = append(list, pion.Attribute{Key: "group", Value: "BUNDLE " + mid})
	}
	return append(list, pion.Attribute{Key: "msid-semantic", Value: "WMS *"})
}
