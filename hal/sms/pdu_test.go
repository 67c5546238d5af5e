package sms

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"callbox/hal"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The bytes were made by hand from TS 23.038 §6 and TS 23.040 §9.2.
func TestEncodeVectors(t *testing.T) {
	for _, tc := range []struct {
		name, to, body string
		o              Options
		want           string
	}{
		{"default alphabet, report", "+15550100", "hellohello", Options{Report: true}, "00210008915155100000000AE8329BFD4697D9EC37"},
		{"national number, extension table", "5550100", "10€", Options{Report: true}, "00210007815505" + "01F0000004" + "31D8A60C"},
		{"emoji", "+15550100", "😀", Options{Report: true}, "002100089151551000000804D83DDE00"},
		{"Turkish shift table", "+905550100", strings.Repeat("ş", 71), Options{Report: true, Tables: []int{1}},
			"006100099109550501F000009303240101D8CC37F3CD7C33DFCC37F3CD7C33DFCC37F3CD7C33DFCC37F3CD7C33DFCC37F3CD7C33DFCC37F3CD7C33DFCC37F3CD7C33DFCC37F3CD7C33DFCC37F3CD7C33DFCC37F3CD7C33DFCC37F3CD7C33DFCC37F3CD7C33DFCC37F3CD7C33DFCC37F3CD7C33DFCC37F3CD7C33DFCC37F3CD7C33DFCC37F3CD7C33DFCC37F3CD1C"},
		{"Turkish letters elsewhere", "+15550100", "ş", Options{}, "00010008915155100000080" + "2015F"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			list, err := Encode(tc.to, tc.body, tc.o)
			if err != nil || len(list) != 1 {
				t.Fatalf("%v, %v", list, err)
			}
			want := tc.want
			if list[0].Hex != want || list[0].Length != len(want)/2-1 {
				t.Errorf("got %s (%d)\nwant %s", list[0].Hex, list[0].Length, want)
			}
		})
	}
}

// arrives turns what is sent into what arrives: the texts of a PDU are the same.
func arrives(t *testing.T, p PDU) string {
	t.Helper()
	// 00 | first octet, reference | length, type, digits | PID, DCS | UDL …
	digits := 2 * ((int(unhex(p.Hex[6:8])) + 1) / 2)
	head, rest := p.Hex[6:10+digits], p.Hex[10+digits:]
	first := unhex(p.Hex[2:4])&0x40 | 0x04
	return "00" + hexByte(first) + head + rest[:4] + "62111231540080" + rest[4:]
}

func unhex(s string) byte {
	const digits = "0123456789ABCDEF"
	return byte(strings.IndexByte(digits, s[0])<<4 | strings.IndexByte(digits, s[1]))
}

func hexByte(b byte) string {
	const digits = "0123456789ABCDEF"
	return string([]byte{digits[b>>4], digits[b&15]})
}

// What is sent arrives, in as many parts as the network counts.
func TestRoundTrip(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		tables     []int
		parts      int
	}{
		{"160 of GSM-7", strings.Repeat("a", 160), nil, 1},
		{"161 of GSM-7", strings.Repeat("a", 161), nil, 2},
		{"306 of GSM-7", strings.Repeat("a", 306), nil, 2},
		{"307 of GSM-7", strings.Repeat("a", 307), nil, 3},
		{"an escape counts two", strings.Repeat("a", 158) + "€", nil, 1},
		{"an escape is not split", strings.Repeat("a", 152) + "€" + strings.Repeat("b", 20), nil, 2},
		{"70 of UCS-2", strings.Repeat("я", 70), nil, 1},
		{"71 of UCS-2", strings.Repeat("я", 71), nil, 2},
		{"134 of UCS-2", strings.Repeat("я", 134), nil, 2},
		{"135 of UCS-2", strings.Repeat("я", 135), nil, 3},
		{"a pair of surrogates is not split", strings.Repeat("я", 66) + "😀" + strings.Repeat("я", 10), nil, 2},
		{"ten parts of GSM-7", strings.Repeat("0123456789", 153), nil, 10},
		{"ten parts of UCS-2", strings.Repeat("😀你好吗?", 109), nil, 10},
		{"Turkish", strings.Repeat("İstanbul'da şğıç ", 8), []int{1}, 1},
		{"Turkish without tables", strings.Repeat("İstanbul'da şğıç ", 8), nil, 3},
		{"Spanish", strings.Repeat("camión sí ", 12), []int{2}, 1},
		{"Portuguese", strings.Repeat("coração não ", 11), []int{3}, 1},
		{"line ends and an at", "a@b\r\nc\nd", nil, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			list, err := Encode("+15550199", tc.body, Options{Ref: 200, Tables: tc.tables})
			if err != nil || len(list) != tc.parts || Count(tc.body, tc.tables) != tc.parts {
				t.Fatalf("%d parts (%d counted), %v; want %d", len(list), Count(tc.body, tc.tables), err, tc.parts)
			}
			pdus := make([]string, len(list))
			for i, p := range list {
				pdus[i] = arrives(t, p)
				part, report, err := Read(pdus[i])
				if err != nil || report != nil {
					t.Fatalf("%v, %v", report, err)
				}
				want := hal.TextPart{From: "+15550199", Total: tc.parts, Seq: i + 1, Ref: 200, PDU: pdus[i]}
				if tc.parts == 1 {
					want.Ref = 0
				}
				part.At = time.Time{}
				if *part != want {
					t.Errorf("got %+v\nwant %+v", *part, want)
				}
			}
			if got, err := Join(pdus); got != tc.body || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestEncodeRefuses(t *testing.T) {
	for _, tc := range []struct {
		to, body string
		want     error
	}{
		{"+15550100", "", ErrEmpty}, {"+15550100", strings.Repeat("a", MaxParts*153+1), ErrLong}, {"Bank", "x", ErrNumber}, {"", "x", ErrNumber},
		{"+", "x", ErrNumber}, {strings.Repeat("1", 21), "x", ErrNumber},
	} {
		if _, err := Encode(tc.to, tc.body, Options{}); !errors.Is(err, tc.want) {
			t.Errorf("to %q: %v, want %v", tc.to, err, tc.want)
		}
	}
}

func TestReadVectors(t *testing.T) {
	at := time.Date(2026, 11, 21, 13, 45, 0, 0, time.FixedZone("", 2*3600))
	for _, tc := range []struct {
		name string
		pdus []string
		text string
		part hal.TextPart // of the last
	}{
		{"two parts", []string{
			"00440891515510990000621112315400800D050003A50201906536FB0D02",
			"00440891515510990000621112315400800C050003A50202EE6F399B0C",
		}, "Hello world", hal.TextPart{From: "+15550199", Ref: 0xA5, Total: 2, Seq: 2}},
		{"16 bit reference", []string{
			"0044089151551099000862111231540080" + "13060804123402010047007200FC00DF00650020",
			"0044089151551099000862111231540080" + "09060804123402024F60",
		}, "Grüße 你", hal.TextPart{From: "+15550199", Ref: 0x1234, Total: 2, Seq: 2}},
		{"an emoji in two halves", []string{
			"0044089151551099000862111231540080" + "08050003070201D83D", "0044089151551099000862111231540080" + "08050003070202DE00",
		}, "😀", hal.TextPart{From: "+15550199", Ref: 7, Total: 2, Seq: 2}},
		{"with a message centre", []string{"07915155000000F0" + "0408915155109900006211123154008002C834"}, "Hi", hal.TextPart{From: "+15550199", Total: 1, Seq: 1}},
		{"from a name", []string{"000407D0C2B07B0D00006211123154008002C834"}, "Hi", hal.TextPart{From: "Bank", Total: 1, Seq: 1}},
		{"Spanish shift table of the sender", []string{"0044089151551099000062111231540080" + "0803240102D824C5"}, "Íb", hal.TextPart{From: "+15550199", Total: 1, Seq: 1}},
		{"a part of none", []string{"004408915155109900006211123154008009" + "050003A50003" + "9065"}, "", hal.TextPart{From: "+15550199", Total: 1, Seq: 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var last hal.TextPart
			for _, pdu := range tc.pdus {
				p, _, err := Read(pdu)
				if err != nil {
					t.Fatal(err)
				}
				last = *p
			}
			if !last.At.Equal(at) {
				t.Errorf("sent at %v", last.At)
			}
			tc.part.PDU, tc.part.At = tc.pdus[len(tc.pdus)-1], last.At
			if last != tc.part {
				t.Errorf("got %+v\nwant %+v", last, tc.part)
			}
			if tc.text == "" {
				return
			}
			if text, err := Join(tc.pdus); text != tc.text || err != nil {
				t.Errorf("text %q, %v", text, err)
			}
		})
	}
}

func TestReadReports(t *testing.T) {
	for st, want := range map[string]hal.TextReport{
		"00": {Done: true, Final: true},
		"46": {Final: true, Code: 0x46, Text: "the message has expired before the receiver could be reached"},
		"22": {Code: 0x22, Text: "the receiver does not answer; the message centre tries again"},
		"5F": {Final: true, Code: 0x5F, Text: "the network could not deliver the message"},
		"7F": {Final: true, Code: 0x7F, Text: "the network gave up delivering the message"},
	} {
		p, r, err := Read("0006290891515510006211123154000062111231547000" + st)
		if err != nil || p != nil {
			t.Fatalf("%s: %v, %v", st, p, err)
		}
		want.Ref, want.To, want.At = 0x29, "+15550100", r.At
		if *r != want || r.At.IsZero() {
			t.Errorf("got %+v, want %+v", *r, want)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for _, pdu := range []string{"", "0", "zz", "00", "0004", "07915155", "0044089151551099000062111231540080FF05"} {
		if p, r, err := Read(pdu); err == nil {
			t.Errorf("%q was read: %v %v", pdu, p, r)
		}
	}
}

func TestTablesOf(t *testing.T) {
	if !slices.Equal(TablesOf("TR"), []int{1}) || TablesOf("US") != nil {
		t.Error("the tables of countries")
	}
}

// FuzzRead: whatever the SIM holds, it is read or refused.
func FuzzRead(f *testing.F) {
	f.Add("00440891515510990000621112315400800D050003A50201906536FB0D02")
	f.Add("000407D0C2B07B0D00006211123154008002C834")
	f.Add("000629089151551000621112315400006211123154700046")
	f.Fuzz(func(t *testing.T, pdu string) {
		part, report, err := Read(pdu)
		if err == nil && (part == nil) == (report == nil) {
			t.Error("it is both, or neither")
		}
		if part != nil {
			if part.Seq < 1 || part.Seq > part.Total {
				t.Errorf("part %+v", part)
			}
			_, _ = Join([]string{pdu, pdu})
		}
	})
}

// FuzzEncode: whatever is sent arrives as it was.
func FuzzEncode(f *testing.F) {
	f.Add("hello", true)
	f.Add(strings.Repeat("€[", 90), false)
	f.Add(strings.Repeat("😀ş", 90), true)
	f.Fuzz(func(t *testing.T, body string, national bool) {
		o := Options{}
		if national {
			o.Tables = []int{1, 2, 3}
		}
		list, err := Encode("+15550199", body, o)
		if err != nil {
			return
		}
		var pdus []string
		for _, p := range list {
			pdus = append(pdus, arrives(t, p))
		}
		if got, err := Join(pdus); err != nil || got != strings.ToValidUTF8(body, "\uFFFD") {
			t.Errorf("%q arrives as %q, %v", body, got, err)
		}
	})
}
