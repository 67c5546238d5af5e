package stun

import (
	"encoding/hex"
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

// The responses of RFC 5769 §2.2 and §2.3, with their text and integrity.
const (
	sampleIPv4 = "0101003c2112a442b7e7a701bc34d686fa87dfae" +
		"8022000b7465737420766563746f7220" + "002000080001a147e112a643" +
		"000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7" + "80280004c07d4c96"
	sampleIPv6 = "010100482112a442b7e7a701bc34d686fa87dfae" +
		"8022000b7465737420766563746f7220" + "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9" +
		"00080014a382954e4be67bf11784c97c8292c275bfe3ed41" + "80280004c8fb0b4c"
)

func TestVectors(t *testing.T) {
	t.Parallel()
	for sample, want := range map[string]string{sampleIPv4: "192.0.2.1:32853", sampleIPv6: "[2001:db8:1234:5678:11:2233:4455:6677]:32853"} {
		b, err := hex.DecodeString(sample)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Parse(b)
		if err != nil || m.Kind != Success || m.Mapped.String() != want {
			t.Errorf("%+v, %v, want %s", m, err, want)
		}
		b[20] ^= 1
		if _, err := Parse(b); err == nil {
			t.Error("a wrong fingerprint was not noticed")
		}
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	req := Message{Kind: Request, ID: NewID()}
	for _, m := range []Message{
		req, {Kind: Indication, ID: NewID()},
		Answer(req, netip.MustParseAddrPort("198.51.100.7:5060")), Answer(req, netip.MustParseAddrPort("[2001:db8::7]:5060")),
		{Kind: Error, ID: NewID(), Status: 420},
	} {
		b := m.Encode()
		got, err := Parse(b)
		if err != nil || !Is(b) || !reflect.DeepEqual(got, m) {
			t.Errorf("%+v became %+v, %v", m, got, err)
		}
	}
	odd := req
	odd.Unknown = []uint16{0x0003}
	if a := Answer(odd, netip.AddrPort{}); a.Kind != Error || a.Status != 420 {
		t.Errorf("an attribute that nobody knows is answered with %+v", a)
	}
	cut, _ := hex.DecodeString("010100082112a442b7e7a701bc34d686fa87dfae" + "00010008" + "0001e95c")
	if _, err := Parse(cut); err == nil {
		t.Error("a message that is cut off was read")
	}
	plain, _ := hex.DecodeString("0101000c2112a442b7e7a701bc34d686fa87dfae" + "00010008" + "000113c4" + "c6336407")
	if m, err := Parse(plain); err != nil || m.Mapped.String() != "198.51.100.7:5060" {
		t.Errorf("an address that is not hidden: %+v, %v", m, err)
	}
}

func TestIs(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "REGISTER sip:biloxi.example SIP/2.0\r\n", "\r\n\r\n", "\x00\x01\x00\x00", strings.Repeat("\x00", 40)} {
		if Is([]byte(s)) {
			t.Errorf("%q passes for STUN", s)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{sampleIPv4, sampleIPv6} {
		b, err := hex.DecodeString(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(Message{Kind: Request, ID: NewID()}.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			return
		}
		if again, err := Parse(m.Encode()); err != nil || again.ID != m.ID || again.Kind != m.Kind {
			t.Errorf("%+v becomes %+v, %v", m, again, err)
		}
	})
}
