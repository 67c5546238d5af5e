package srtp

import "fmt"

// Material is how many bytes of keying material DTLS has to give for a suite:
// two keys and two salts (RFC 5764 §4.2). The error is ErrSuite.
func (s Suite) Material() (int, error) {
	k, n, err := s.lengths()
	return 2 * (k + n), err
}

// Split cuts keying material of DTLS into the keys of its client and of its
// server, each for what that side sends (RFC 5764 §4.2):
//
//	| client key | server key | client salt | server salt |
func (s Suite) Split(material []byte) (client, server Keys, err error) {
	k, n, err := s.lengths()
	if err != nil {
		return Keys{}, Keys{}, err
	}
	if len(material) != 2*(k+n) {
		return Keys{}, Keys{}, fmt.Errorf("%s needs %d bytes of keying material, not %d", s, 2*(k+n), len(material))
	}
	salts := material[2*k:]
	if client, err = RawKeys(s, material[:k], salts[:n]); err != nil {
		return Keys{}, Keys{}, err
	}
	server, err = RawKeys(s, material[k:2*k], salts[n:])
	return client, server, err
}
