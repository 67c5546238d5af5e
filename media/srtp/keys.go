package srtp

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pion/srtp/v3"
)

// Suite is a set of algorithms, named as in SDP.
type Suite string

// The suites (RFC 4568 §6.2, RFC 6188 §4, RFC 7714 §14.2).
const (
	AES128Tag80 Suite = "AES_CM_128_HMAC_SHA1_80"
	AES128Tag32 Suite = "AES_CM_128_HMAC_SHA1_32"
	AES256Tag80 Suite = "AES_256_CM_HMAC_SHA1_80"
	AES256Tag32 Suite = "AES_256_CM_HMAC_SHA1_32"
	AES128GCM   Suite = "AEAD_AES_128_GCM"
	AES256GCM   Suite = "AEAD_AES_256_GCM"
)

// Suites lists what the box can do, in the order in which it offers them: the
// one that everybody has first, since many telephones look at one line only.
func Suites() []Suite {
	return []Suite{AES128Tag80, AES256Tag80, AES128GCM, AES256GCM, AES128Tag32, AES256Tag32}
}

// ErrSuite says that a suite is not one of [Suites].
var ErrSuite = errors.New("the crypto suite is not known")

func (s Suite) profile() (srtp.ProtectionProfile, error) {
	switch s {
	case AES128Tag80:
		return srtp.ProtectionProfileAes128CmHmacSha1_80, nil
	case AES128Tag32:
		return srtp.ProtectionProfileAes128CmHmacSha1_32, nil
	case AES256Tag80:
		return srtp.ProtectionProfileAes256CmHmacSha1_80, nil
	case AES256Tag32:
		return srtp.ProtectionProfileAes256CmHmacSha1_32, nil
	case AES128GCM:
		return srtp.ProtectionProfileAeadAes128Gcm, nil
	case AES256GCM:
		return srtp.ProtectionProfileAeadAes256Gcm, nil
	}
	return 0, ErrSuite
}

// lengths are those of the master key and salt, in bytes.
func (s Suite) lengths() (key, salt int, err error) {
	p, err := s.profile()
	if err != nil {
		return 0, 0, err
	}
	if key, err = p.KeyLen(); err != nil {
		return 0, 0, err
	}
	salt, err = p.SaltLen()
	return key, salt, err
}

// Keys are a suite with its secrets. Its String shows none of them.
type Keys struct {
	Suite Suite
	key   []byte
	salt  []byte
	mki   []byte // master key identifier in every packet; nil: none
}

// NewKeys makes random keys. The error is ErrSuite.
func NewKeys(s Suite) (Keys, error) {
	k, n, err := s.lengths()
	if err != nil {
		return Keys{}, err
	}
	b := make([]byte, k+n)
	rand.Read(b) // never fails (crypto/rand since Go 1.24)
	return Keys{Suite: s, key: b[:k], salt: b[k:]}, nil
}

// RawKeys are keys that another protocol agreed on, DTLS-SRTP (RFC 5764 §4.2).
// The error says which length is wrong.
func RawKeys(s Suite, key, salt []byte) (Keys, error) {
	k, n, err := s.lengths()
	if err != nil {
		return Keys{}, err
	}
	if len(key) != k || len(salt) != n {
		return Keys{}, fmt.Errorf("%s needs a key of %d and a salt of %d bytes, not %d and %d", s, k, n, len(key), len(salt))
	}
	return Keys{Suite: s, key: key, salt: salt}, nil
}

// IsZero reports whether there are no keys.
func (k Keys) IsZero() bool { return k.Suite == "" }

// Equal reports whether o are the same keys, in constant time.
func (k Keys) Equal(o Keys) bool {
	return k.Suite == o.Suite && subtle.ConstantTimeCompare(k.key, o.key)&subtle.ConstantTimeCompare(k.salt, o.salt)&
		subtle.ConstantTimeCompare(k.mki, o.mki) == 1
}

// String names the suite; the secrets stay out of logs.
func (k Keys) String() string { return string(k.Suite) }

// GoString is String, for %#v.
func (k Keys) GoString() string { return string(k.Suite) }

// Param is the key parameter of an a=crypto line: "inline:" and the base64 of
// key and salt (RFC 4568 §6.1).
func (k Keys) Param() string {
	return inline + base64.StdEncoding.EncodeToString(append(append([]byte{}, k.key...), k.salt...))
}

const inline = "inline:"

// ParseKeys reads the key parameter of an a=crypto line: one inline key, with an
// optional lifetime, which is longer than any call, and an optional master key
// identifier of up to 128 bytes. Several keys in one line are refused. The error
// is or wraps ErrSuite, or says what is wrong without the key.
func ParseKeys(s Suite, param string) (Keys, error) {
	k, n, err := s.lengths()
	if err != nil {
		return Keys{}, err
	}
	text, ok := strings.CutPrefix(param, inline)
	if !ok {
		return Keys{}, errors.New("the key is not given inline")
	}
	if strings.Contains(text, ";") {
		return Keys{}, errors.New("there is more than one key in the line")
	}
	parts := strings.Split(text, "|")
	b, err := base64.StdEncoding.DecodeString(parts[0])
	if err != nil {
		b, err = base64.RawStdEncoding.DecodeString(parts[0]) // some leave the padding out
	}
	if err != nil {
		return Keys{}, errors.New("the key is not base64")
	}
	if len(b) != k+n {
		return Keys{}, fmt.Errorf("%s needs %d bytes of key and salt, not %d", s, k+n, len(b))
	}
	keys := Keys{Suite: s, key: b[:k], salt: b[k:]}
	for i, p := range parts[1:] {
		id, length, isMKI := strings.Cut(p, ":")
		switch {
		case isMKI:
			if keys.mki, err = parseMKI(id, length); err != nil {
				return Keys{}, err
			}
		case i > 0 || !isLifetime(p):
			return Keys{}, errors.New("the part after the key is neither a lifetime nor a key identifier")
		}
	}
	if len(parts) > 3 {
		return Keys{}, errors.New("there are too many parts after the key")
	}
	return keys, nil
}

// isLifetime reports whether p is a lifetime in packets, "2^20" or decimal.
func isLifetime(p string) bool {
	p = strings.TrimPrefix(p, "2^")
	_, err := strconv.ParseUint(p, 10, 64)
	return err == nil
}

// parseMKI makes the bytes of a master key identifier.
func parseMKI(id, length string) ([]byte, error) {
	v, err := strconv.ParseUint(id, 10, 64)
	n, err2 := strconv.ParseUint(length, 10, 8)
	if err != nil || err2 != nil || n < 1 || n > 128 || n < 8 && v>>(8*n) != 0 {
		return nil, errors.New("the key identifier makes no sense")
	}
	b := make([]byte, n)
	for i := len(b) - 1; i >= 0 && v > 0; i, v = i-1, v>>8 {
		b[i] = byte(v)
	}
	return b, nil
}
