package sipleg

import (
	"callbox/media/rtp"
	"callbox/media/srtp"
	"callbox/sip/sdp"
)

// keyring is what protects a leg's sound: keys of ours for every suite, which
// all branches offer, and the ciphers in use.
type keyring struct {
	keys  []srtp.Keys
	lines []sdp.Crypto // of keys, for the session descriptions

	theirs srtp.Keys
	in     *srtp.Cipher // of theirs
	// out keeps every cipher of ours that was used: a key that comes into use
	// again must not begin anew, or it would protect two packets alike.
	out map[srtp.Suite]*srtp.Cipher
}

// newKeyring makes keys where the line protects its sound at all.
func newKeyring(s sdp.Security) (keyring, error) {
	var k keyring
	if s == sdp.Plain {
		return k, nil
	}
	for _, suite := range srtp.Suites() {
		keys, err := srtp.NewKeys(suite)
		if err != nil {
			return keyring{}, err
		}
		k.keys = append(k.keys, keys)
		k.lines = append(k.lines, sdp.Crypto{Suite: string(suite), Key: keys.Param()})
	}
	return k, nil
}

// suites are the lines of a keyring without keys: enough to look at an offer.
func suites() (list []sdp.Crypto) {
	for _, s := range srtp.Suites() {
		list = append(list, sdp.Crypto{Suite: string(s)})
	}
	return list
}

// security gives the ciphers for what was agreed on. Ciphers whose keys stay, as
// in most re-INVITEs, go on.
func (k *keyring) security(far sdp.Crypto) (rtp.Security, error) {
	if far.IsZero() {
		return rtp.Security{}, nil
	}
	suite := srtp.Suite(far.Suite)
	theirs, err := srtp.ParseKeys(suite, far.Key)
	if err != nil {
		return rtp.Security{}, err
	}
	if k.in == nil || !theirs.Equal(k.theirs) {
		if k.in, err = srtp.NewCipher(theirs); err != nil {
			return rtp.Security{}, err
		}
		k.theirs = theirs
	}
	out, ok := k.out[suite]
	if !ok {
		if out, err = k.newOut(suite); err != nil {
			return rtp.Security{}, err
		}
	}
	return rtp.Security{In: k.in, Out: out}, nil
}

// newOut makes the cipher of our key for a suite.
func (k *keyring) newOut(suite srtp.Suite) (*srtp.Cipher, error) {
	for _, keys := range k.keys {
		if keys.Suite != suite {
			continue
		}
		c, err := srtp.NewCipher(keys)
		if err != nil {
			return nil, err
		}
		if k.out == nil {
			k.out = map[srtp.Suite]*srtp.Cipher{}
		}
		k.out[suite] = c
		return c, nil
	}
	return nil, srtp.ErrSuite
}
