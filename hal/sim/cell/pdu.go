package cell

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"time"
	"unicode/utf16"
)

// The network's own reading of messages, written apart from the driver's, so that
// a mistake there shows: GSM-7 with its extension table, UCS-2, parts.

var errPDU = errors.New("malformed message")

// submit is a message on its way from a modem (SMS-SUBMIT, TS 23.040 §9.2.2.2).
type submit struct {
	to              string
	address         []byte // as it was sent: length, type, digits
	pid, dcs        byte
	udl             byte
	data            []byte // with its header
	header, report  bool
	ref, total, seq int
	units           []rune // its text, as units of UTF-16 or characters
}

// readSubmit takes a PDU apart.
//
//	00 | first octet, reference | length, type, digits | PID, DCS | [validity] | UDL, data
func readSubmit(pdu string) (s submit, err error) {
	b, err := hex.DecodeString(pdu)
	if err != nil || len(b) < 1 || len(b) < 1+int(b[0])+4 {
		return s, errPDU
	}
	b = b[1+int(b[0]):]
	if b[0]&3 != 1 {
		return s, errPDU
	}
	s.report, s.header = b[0]&0x20 != 0, b[0]&0x40 != 0
	validity := [4]int{0, 7, 1, 7}[b[0]>>3&3]
	digits := (int(b[2]) + 1) / 2
	if len(b) < 4+digits+3+validity {
		return s, errPDU
	}
	s.address = b[2 : 4+digits]
	s.to = number(s.address)
	b = b[4+digits:]
	s.pid, s.dcs = b[0], b[1]
	b = b[2+validity:]
	s.udl, s.data = b[0], b[1:]
	want := int(s.udl)
	if s.dcs == 0 {
		want = (want*7 + 7) / 8
	}
	if len(s.data) != want || want > 140 {
		return s, errPDU
	}
	return s, s.decode()
}

// number reads an address.
func number(a []byte) string {
	var out strings.Builder
	if a[1]&0x70 == 0x10 {
		out.WriteByte('+')
	}
	for i := range int(a[0]) {
		out.WriteByte("0123456789*#abc"[min(a[2+i/2]>>(4*(i%2))&15, 14)])
	}
	return out.String()
}

// decode reads header and text.
func (s *submit) decode() error {
	s.total, s.seq = 1, 1
	head := 0
	if s.header {
		if len(s.data) == 0 || int(s.data[0])+1 > len(s.data) {
			return errPDU
		}
		head = int(s.data[0]) + 1
		for e := s.data[1:head]; len(e) >= 2 && len(e) >= 2+int(e[1]); e = e[2+int(e[1]):] {
			if e[0] == 0 && e[1] == 3 {
				s.ref, s.total, s.seq = int(e[2]), int(e[3]), int(e[4])
			}
		}
	}
	switch s.dcs {
	case 0:
		skip := (head*8 + 6) / 7
		if int(s.udl) < skip {
			return errPDU
		}
		s.units = []rune(decode7(unpack(s.data[head:], skip*7-head*8, int(s.udl)-skip)))
	case 8:
		for d := s.data[head:]; len(d) >= 2; d = d[2:] {
			s.units = append(s.units, rune(binary.BigEndian.Uint16(d)))
		}
	default:
		return errPDU
	}
	return nil
}

// text joins units of UTF-16 to characters.
func (s *submit) text() string {
	if s.dcs == 0 {
		return string(s.units)
	}
	u := make([]uint16, len(s.units))
	for i, r := range s.units {
		u[i] = uint16(r)
	}
	return string(utf16.Decode(u))
}

// deliverPDU is the message as it arrives (SMS-DELIVER, §9.2.2.1).
func (s *submit) deliverPDU(from string) string {
	first := byte(0x04)
	if s.header {
		first |= 0x40
	}
	b := append([]byte{0, first}, addressOf(from)...)
	b = append(b, s.pid, s.dcs)
	b = append(append(b, stamp(time.Now())...), s.udl)
	return strings.ToUpper(hex.EncodeToString(append(b, s.data...)))
}

// reportPDU tells what became of it (SMS-STATUS-REPORT, §9.2.2.3).
func (s *submit) reportPDU(ref, state byte) string {
	b := append([]byte{0, 0x06, ref}, s.address...)
	now := stamp(time.Now())
	b = append(append(append(b, now...), now...), state)
	return strings.ToUpper(hex.EncodeToString(b))
}

func addressOf(n string) []byte {
	digits := strings.TrimPrefix(n, "+")
	kind := byte(0x81)
	if digits != n {
		kind = 0x91
	}
	b := []byte{byte(len(digits)), kind}
	for i := 0; i < len(digits); i += 2 {
		c := digits[i] - '0' | 0xF0
		if i+1 < len(digits) {
			c = digits[i] - '0' | (digits[i+1]-'0')<<4
		}
		b = append(b, c)
	}
	return b
}

// stamp is a time of the message centre (§9.2.3.11), in UTC.
func stamp(t time.Time) []byte {
	t = t.UTC()
	var b []byte
	for _, n := range []int{t.Year() % 100, int(t.Month()), t.Day(), t.Hour(), t.Minute(), t.Second(), 0} {
		b = append(b, byte(n/10|n%10<<4))
	}
	return b
}

// deliverPDUs cuts a text into messages that arrive.
func deliverPDUs(from, body string, ref int) []string {
	s := submit{}
	var units [][]byte // what belongs together
	plain := true
	for _, r := range body {
		u := encode7(string(r))
		plain = plain && u != nil
		units = append(units, u)
	}
	room, part := 160, 153
	if !plain {
		units, room, part, s.dcs = nil, 140, 134, 8
		for _, r := range body {
			var u []byte
			for _, c := range utf16.Encode([]rune{r}) {
				u = binary.BigEndian.AppendUint16(u, c)
			}
			units = append(units, u)
		}
	}
	size := 0
	for _, u := range units {
		size += len(u)
	}
	if size > room {
		room, s.header = part, true
	}
	parts := [][]byte{nil}
	for _, u := range units {
		if last := len(parts) - 1; len(parts[last])+len(u) > room {
			parts = append(parts, u)
		} else {
			parts[last] = append(parts[last], u...)
		}
	}
	var out []string
	for i, p := range parts {
		head := []byte{}
		if s.header {
			head = []byte{5, 0, 3, byte(ref), byte(len(parts)), byte(i + 1)}
		}
		if s.dcs == 8 {
			s.data = append(head, p...)
			s.udl = byte(len(s.data))
		} else {
			skip := (len(head)*8 + 6) / 7
			s.data = append(head, pack(p, skip*7-len(head)*8)...)
			s.udl = byte(skip + len(p))
		}
		out = append(out, s.deliverPDU(from))
	}
	return out
}

// The default alphabet and its extension (TS 23.038 §6.2.1). The escape stands at
// its place in the first.
const (
	alphabet  = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	extension = "\x0a\f\x14^\x28{\x29}\x2f\\\x3c[\x3d~\x3e]\x40|\x65€"
)

// encode7 gives septets, nil when a character has none.
func encode7(s string) []byte {
	letters, ext := []rune(alphabet), []rune(extension)
	var out []byte
next:
	for _, r := range s {
		for i, a := range letters {
			if a == r && r != 0x1B {
				out = append(out, byte(i))
				continue next
			}
		}
		for i := 0; i < len(ext); i += 2 {
			if ext[i+1] == r {
				out = append(out, 0x1B, byte(ext[i]))
				continue next
			}
		}
		return nil
	}
	return out
}

func decode7(septets []byte) string {
	letters, ext := []rune(alphabet), []rune(extension)
	var out []rune
	for i := 0; i < len(septets); i++ {
		if septets[i] != 0x1B || i+1 == len(septets) {
			out = append(out, letters[septets[i]])
			continue
		}
		i++
		r := ' '
		for j := 0; j < len(ext); j += 2 {
			if ext[j] == rune(septets[i]) {
				r = ext[j+1]
			}
		}
		out = append(out, r)
	}
	return string(out)
}

// pack puts septets into octets, behind so many bits.
func pack(septets []byte, fill int) []byte {
	out := make([]byte, (fill+7*len(septets)+7)/8)
	for i, s := range septets {
		at := fill + 7*i
		out[at/8] |= s << (at % 8)
		if at%8 > 1 {
			out[at/8+1] |= s >> (8 - at%8)
		}
	}
	return out
}

// unpack takes n septets out of octets, behind so many bits.
func unpack(b []byte, fill, n int) []byte {
	out := make([]byte, 0, n)
	for i := range n {
		at := fill + 7*i
		if at+7 > 8*len(b) {
			break
		}
		s := b[at/8] >> (at % 8)
		if at%8 > 1 {
			s |= b[at/8+1] << (8 - at%8)
		}
		out = append(out, s&0x7F)
	}
	return out
}
