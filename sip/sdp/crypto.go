package sdp

import (
	"errors"
	"strconv"
	"strings"

	pion "github.com/pion/sdp/v3"
)

// Security says whether a stream is to be protected by keys in its description
// (RFC 4568).
type Security int

const (
	// Plain neither offers nor takes protection.
	Plain Security = iota
	// Optional offers keys with a stream that may also go in the clear (RTP/AVP
	// with a=crypto, which old telephones pass over), and takes what comes.
	Optional
	// Mandatory offers and takes protected streams only.
	Mandatory
)

// Errors about protection; like the others they mean that there is no session.
var (
	// ErrSecure means that the only audio streams are encrypted ones, which are
	// not taken or not in a way that is known.
	ErrSecure = errors.New("only encrypted audio was offered, which is not taken here")
	// ErrInsecure means that the audio is not encrypted, though it has to be.
	ErrInsecure = errors.New("the audio is not encrypted, which is insisted on here")
	// ErrNoSuite means that the two sides have no crypto suite in common.
	ErrNoSuite = errors.New("no crypto suite in common")
)

// Crypto is one a=crypto line: a suite and a key for what its writer sends.
type Crypto struct {
	Tag   int    // number that ties offer and answer; 1 to 9 digits
	Suite string // AES_CM_128_HMAC_SHA1_80 …
	Key   string // the key parameter, "inline:…"
}

// IsZero reports whether there is no protection.
func (c Crypto) IsZero() bool { return c.Suite == "" }

// String names the suite; the key stays out of logs.
func (c Crypto) String() string { return c.Suite }

// GoString is String, for %#v.
func (c Crypto) GoString() string { return c.Suite }

// maxCrypto bounds the lines that are looked at.
const maxCrypto = 16

// cryptos are the a=crypto lines of an m= section that make sense. Lines with
// session parameters other than the window hint change the packets in ways that
// nobody uses, and are passed over (RFC 4568 §6.3).
func cryptos(m *pion.MediaDescription) (list []Crypto) {
	for _, a := range m.Attributes {
		if a.Key != "crypto" || len(list) == maxCrypto {
			continue
		}
		f := strings.Fields(a.Value)
		if len(f) < 3 || len(f[0]) > 9 {
			continue
		}
		tag, err := strconv.ParseUint(f[0], 10, 32)
		if err != nil {
			continue
		}
		odd := false
		for _, p := range f[3:] {
			odd = odd || !strings.HasPrefix(p, "WSH=")
		}
		if !odd {
			list = append(list, Crypto{Tag: int(tag), Suite: strings.ToUpper(f[1]), Key: f[2]})
		}
	}
	return list
}

// protects is the first of theirs whose suite we have.
func (l Local) protects(theirs []Crypto) (Crypto, bool) {
	if l.Security == Plain {
		return Crypto{}, false
	}
	for _, c := range theirs {
		if _, ok := l.key(c.Suite); ok {
			return c, true
		}
	}
	return Crypto{}, false
}

// key is our line for a suite.
func (l Local) key(suite string) (Crypto, bool) {
	for _, c := range l.Keys {
		if c.Suite == suite {
			return c, true
		}
	}
	return Crypto{}, false
}

// protect decides about the protection of an audio stream that is on, in whatever
// way, and enters it into m.
func (d *Description) protect(l Local, s stream, m *Media) (err error) {
	switch {
	case s.isWeb() && l.Web == nil:
		return ErrSecure
	case s.isWeb():
		m.Web, err = d.web(s)
	case l.Web != nil && l.Web.Offer:
		return ErrInsecure // whoever was offered more may not take less
	default:
		m.Crypto, err = l.secure(s)
	}
	return err
}

// secure decides about the protection of an audio stream that is on, by keys in
// the description.
func (l Local) secure(s stream) (Crypto, error) {
	c, ok := l.protects(cryptos(s.desc))
	switch {
	case ok:
		return c, nil
	case s.isSecure() && l.Security == Plain:
		return Crypto{}, ErrSecure
	case s.isSecure():
		return Crypto{}, ErrNoSuite
	case l.Security == Mandatory:
		return Crypto{}, ErrInsecure
	}
	return Crypto{}, nil
}

// offered are our lines as an offer numbers them.
func (l Local) offered() []Crypto {
	if l.Security == Plain {
		return nil
	}
	list := make([]Crypto, len(l.Keys))
	for i, c := range l.Keys {
		c.Tag = i + 1
		list[i] = c
	}
	return list
}

// write adds the line to m.
func (c Crypto) write(m *pion.MediaDescription) {
	m.WithValueAttribute("crypto", strconv.Itoa(c.Tag)+" "+c.Suite+" "+c.Key)
}
