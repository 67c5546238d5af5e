package sipleg

import (
	"bytes"
	"testing"

	"callbox/media/rtp"
	"callbox/media/srtp"
	"callbox/sip/sdp"
)

// keyed is a keyring and one line of a far end for each suite.
func keyed(t *testing.T) (k keyring, far map[srtp.Suite]sdp.Crypto) {
	t.Helper()
	k, err := newKeyring(sdp.Mandatory)
	if err != nil {
		t.Fatal(err)
	}
	far = map[srtp.Suite]sdp.Crypto{}
	for _, s := range srtp.Suites() {
		keys, err := srtp.NewKeys(s)
		if err != nil {
			t.Fatal(err)
		}
		far[s] = sdp.Crypto{Tag: 1, Suite: string(s), Key: keys.Param()}
	}
	return k, far
}

func (k *keyring) must(t *testing.T, c sdp.Crypto) rtp.Security {
	t.Helper()
	s, err := k.security(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestKeysThatStayKeepTheirCiphers goes through re-INVITEs: ciphers begin anew
// only with new keys, and ours never does.
func TestKeysThatStayKeepTheirCiphers(t *testing.T) {
	k, far := keyed(t)
	first := k.must(t, far[srtp.AES128Tag80])
	if again := k.must(t, far[srtp.AES128Tag80]); again != first {
		t.Error("the same keys made new ciphers")
	}
	fresh, err := srtp.NewKeys(srtp.AES128Tag80)
	if err != nil {
		t.Fatal(err)
	}
	changed := k.must(t, sdp.Crypto{Tag: 1, Suite: string(fresh.Suite), Key: fresh.Param()})
	if changed.In == first.In || changed.Out != first.Out {
		t.Error("a new key of the far end must change the way in only")
	}
	other := k.must(t, far[srtp.AES256GCM])
	if other.In == changed.In || other.Out == first.Out {
		t.Error("another suite has the same ciphers")
	}
	if back := k.must(t, far[srtp.AES128Tag80]); back.Out != first.Out {
		t.Error("our key began anew when its suite came back")
	}
	if clear := k.must(t, sdp.Crypto{}); clear != (rtp.Security{}) {
		t.Error("there is protection without keys")
	}
}

func TestOurLinesAreOurKeys(t *testing.T) {
	k, far := keyed(t)
	if len(k.lines) != len(srtp.Suites()) {
		t.Fatalf("%d lines", len(k.lines))
	}
	packet := append([]byte{0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5}, make([]byte, 160)...)
	for _, l := range k.lines {
		out := k.must(t, far[srtp.Suite(l.Suite)]).Out
		sealed, err := out.Seal(nil, packet)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := srtp.ParseKeys(srtp.Suite(l.Suite), l.Key)
		if err != nil {
			t.Fatal(err)
		}
		in, err := srtp.NewCipher(keys)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := in.Open(nil, sealed); err != nil || !bytes.Equal(got, packet) {
			t.Errorf("%s: the far end cannot open what we send: %v", l.Suite, err)
		}
	}
}

func TestKeysThatCannotBeUsed(t *testing.T) {
	k, far := keyed(t)
	for _, c := range []sdp.Crypto{
		{Suite: "F8_128_HMAC_SHA1_80", Key: "inline:AAAA"},
		{Suite: string(srtp.AES128Tag80), Key: "inline:AAAA"},
	} {
		if s, err := k.security(c); err == nil || s != (rtp.Security{}) {
			t.Errorf("%v: %v, %v", c, s, err)
		}
	}
	none, err := newKeyring(sdp.Plain)
	if err != nil || len(none.lines) != 0 {
		t.Errorf("a line without protection has keys: %v, %v", none.lines, err)
	}
	if _, err := none.security(far[srtp.AES128Tag80]); err == nil {
		t.Error("protected without a key of ours")
	}
}
