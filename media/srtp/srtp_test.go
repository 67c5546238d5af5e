package srtp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pion/rtp"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestKnownPacket is the packet by which libsrtp validates itself: the same
// bytes as a telephone makes.
func TestKnownPacket(t *testing.T) {
	k, err := RawKeys(AES128Tag80, unhex(t, "e1f97a0d3e018be0d64fa32c06de4139"), unhex(t, "0ec675ad498afeebb6960b3aabe6"))
	if err != nil {
		t.Fatal(err)
	}
	plain := unhex(t, "800f1234 decafbad cafebabe abababab abababab abababab abababab")
	sealed := unhex(t, "800f1234 decafbad cafebabe 4e55dc4c e79978d8 8ca4d215 949d2402 b78d6acc 99ea179b 8dbb")
	out, in := cipher(t, k), cipher(t, k)
	got, err := out.Seal(make([]byte, 0, 100), plain)
	if err != nil || !bytes.Equal(got, sealed) {
		t.Errorf("sealed to %x, %v", got, err)
	}
	if got, err = in.Open(make([]byte, 0, 100), sealed); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("opened to %x, %v", got, err)
	}
}

func cipher(t testing.TB, k Keys) *Cipher {
	t.Helper()
	c, err := NewCipher(k)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func fresh(t testing.TB, s Suite) Keys {
	t.Helper()
	k, err := NewKeys(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// packet number n of a stream, as plain RTP.
func packet(t testing.TB, n int) []byte {
	t.Helper()
	p := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 8, SequenceNumber: uint16(n), Timestamp: uint32(160 * n), SSRC: 0xdecafbad},
		Payload: bytes.Repeat([]byte{byte(n)}, 160)}
	b, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// report is a receiver report without blocks.
func report() []byte { return []byte{0x80, 201, 0, 1, 0xde, 0xca, 0xfb, 0xad} }

func TestEverySuite(t *testing.T) {
	for _, s := range Suites() {
		t.Run(string(s), func(t *testing.T) {
			k := fresh(t, s)
			again, err := ParseKeys(s, k.Param())
			if err != nil || !again.Equal(k) {
				t.Fatalf("the key does not survive its line: %v", err)
			}
			out, in := cipher(t, k), cipher(t, again)
			const start, count = 65000, 1200 // over the end of the sequence numbers
			var late []byte
			for n := start; n < start+count; n++ {
				sealed, err := out.Seal(nil, packet(t, n))
				if err != nil {
					t.Fatal(err)
				}
				if bytes.Contains(sealed, bytes.Repeat([]byte{byte(n)}, 16)) || len(sealed) > len(packet(t, n))+Overhead {
					t.Fatalf("packet %d is sealed to %x", n, sealed)
				}
				switch {
				case n%100 == 7: // lost
					continue
				case n%100 == 50: // comes after the next
					late = sealed
					continue
				}
				opens(t, in, sealed, packet(t, n))
				if n%100 == 51 {
					opens(t, in, late, packet(t, n-1))
				}
				if n%200 == 3 {
					if _, err := in.Open(nil, sealed); err == nil {
						t.Fatalf("packet %d was taken twice", n)
					}
					sealed[20] ^= 1
					next, err := out.Seal(nil, packet(t, n+1))
					if err != nil {
						t.Fatal(err)
					}
					next[len(next)-1] ^= 1
					if _, err := in.Open(nil, next); err == nil {
						t.Fatalf("a forged packet %d was taken", n+1)
					}
				}
			}
			for range 3 {
				sealed, err := out.SealReport(nil, report())
				if err != nil {
					t.Fatal(err)
				}
				if got, err := in.OpenReport(nil, sealed); err != nil || !bytes.Equal(got, report()) {
					t.Fatalf("report: %x, %v", got, err)
				}
				if _, err := in.OpenReport(nil, sealed); err == nil {
					t.Fatal("a report was taken twice")
				}
			}
			if st := in.Stats(); st.Replayed != count/200+3 || st.Forged != count/200 || st.Opened != count-count/100+3 {
				t.Errorf("%+v", st)
			}
			other := cipher(t, fresh(t, s))
			sealed, _ := other.Seal(nil, packet(t, start))
			if _, err := in.Open(nil, sealed); err == nil {
				t.Error("a packet under other keys was taken")
			}
		})
	}
}

func opens(t *testing.T, c *Cipher, sealed, want []byte) {
	t.Helper()
	got, err := c.Open(nil, sealed)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("opened to %x, %v", got, err)
	}
}

func TestKeyIdentifier(t *testing.T) {
	k := fresh(t, AES128Tag80)
	with, err := ParseKeys(AES128Tag80, k.Param()+"|2^31|258:4")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := cipher(t, with).Seal(nil, packet(t, 1))
	if err != nil || !bytes.Equal(sealed[len(sealed)-14:len(sealed)-10], []byte{0, 0, 1, 2}) {
		t.Fatalf("%x, %v", sealed, err)
	}
	opens(t, cipher(t, with), sealed, packet(t, 1))
}

func TestParseKeys(t *testing.T) {
	good := fresh(t, AES128Tag80).Param()
	for param, want := range map[string]string{
		good:                                  "",
		good + "|2^20":                        "",
		good + "|1048576":                     "",
		good + "|1:1":                         "",
		good + "|2^20|1:4":                    "",
		strings.TrimRight(good, "="):          "",
		"":                                    "not given inline",
		"uri:http://biloxi.example/k":         "not given inline",
		"inline:":                             "needs 30 bytes",
		"inline:AAAA":                         "needs 30 bytes",
		"inline:***":                          "not base64",
		good + ";" + good:                     "more than one",
		good + "|":                            "neither",
		good + "|2^20|2^20":                   "neither",
		good + "|1:0":                         "identifier",
		good + "|300:1":                       "identifier",
		good + "|1:999":                       "identifier",
		good + "|x:4":                         "identifier",
		good + "|1:4|1:4|1:4":                 "too many",
		fresh(t, AES256GCM).Param():           "needs 30 bytes",
		"inline:" + strings.Repeat("A", 4000): "needs 30 bytes",
	} {
		k, err := ParseKeys(AES128Tag80, param)
		switch {
		case want == "" && (err != nil || k.IsZero()):
			t.Errorf("%.40q: %v", param, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !k.IsZero()):
			t.Errorf("%.40q: %v, want %q", param, err, want)
		}
	}
	if _, err := ParseKeys("AES_CM_64", good); !errors.Is(err, ErrSuite) {
		t.Errorf("unknown suite: %v", err)
	}
	if _, err := NewKeys("F8_128_HMAC_SHA1_80"); !errors.Is(err, ErrSuite) {
		t.Errorf("unknown suite: %v", err)
	}
	if _, err := RawKeys(AES256Tag80, make([]byte, 16), make([]byte, 14)); err == nil {
		t.Error("a short key was taken")
	}
	if _, err := NewCipher(Keys{}); !errors.Is(err, ErrSuite) {
		t.Errorf("no keys: %v", err)
	}
}

func TestSecretsStayOutOfLogs(t *testing.T) {
	k := fresh(t, AES256Tag80)
	for _, s := range []string{fmt.Sprint(k), fmt.Sprintf("%+v", k), fmt.Sprintf("%#v", k), fmt.Sprintf("%v", &k)} {
		if s != "AES_256_CM_HMAC_SHA1_80" {
			t.Errorf("shown as %q", s)
		}
	}
}

func TestPacketsAllocateLittle(t *testing.T) {
	for _, s := range []Suite{AES128Tag80, AES256GCM} {
		k := fresh(t, s)
		out, in := cipher(t, k), cipher(t, k)
		sealed, plain := make([]byte, 0, 300), make([]byte, 0, 300)
		n := 0
		p := packet(t, 0)
		got := testing.AllocsPerRun(1000, func() {
			n++
			p[2], p[3] = byte(n>>8), byte(n)
			b, err := out.Seal(sealed, p)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := in.Open(plain, b); err != nil {
				t.Fatal(err)
			}
		})
		if got > 0 && !racing {
			t.Errorf("%s: %v allocations per packet", s, got)
		}
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add("AES_CM_128_HMAC_SHA1_80", "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4")
	f.Add("AEAD_AES_256_GCM", "inline:|")
	f.Fuzz(func(t *testing.T, suite, param string) {
		k, err := ParseKeys(Suite(suite), param)
		if err != nil {
			return
		}
		c, err := NewCipher(k)
		if err != nil {
			t.Fatalf("keys that were read do not work: %v", err)
		}
		if _, err := c.Seal(nil, packet(t, 1)); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzOpen(f *testing.F) {
	f.Add(packet(f, 1))
	f.Add(report())
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := ParseKeys(AES128Tag80, "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz")
		if err != nil {
			t.Fatal(err)
		}
		c := cipher(t, k)
		if _, err := c.Open(nil, b); err == nil {
			t.Fatal("a forged packet was taken")
		}
		if _, err := c.OpenReport(nil, b); err == nil {
			t.Fatal("a forged report was taken")
		}
	})
}

func BenchmarkSealAndOpen(b *testing.B) {
	for _, s := range Suites() {
		b.Run(string(s), func(b *testing.B) {
			k := fresh(b, s)
			out, in := cipher(b, k), cipher(b, k)
			sealed, plain := make([]byte, 0, 300), make([]byte, 0, 300)
			p := packet(b, 0)
			b.ReportAllocs()
			for n := 1; b.Loop(); n++ {
				p[2], p[3] = byte(n>>8), byte(n)
				x, err := out.Seal(sealed, p)
				if err == nil {
					_, err = in.Open(plain, x)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
