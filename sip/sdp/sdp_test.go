package sdp

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"callbox/media/codec"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

func localV4() Local { return Local{Addr: netip.MustParseAddrPort("192.0.2.1:40000")} }

// describe is a media as text for golden files.
func describe(m Media) string {
	text := fmt.Sprintf("addr %v\nrtcp %v\ncodec %v as %d\nevents %d\nptime %v\ndirection %v\nheld %v\n",
		m.Addr, m.RTCP, m.Codec, m.PayloadType, m.EventPT, m.Ptime, m.Direction, m.Held())
	if m.Fmtp != "" {
		text += "fmtp " + m.Fmtp + "\n"
	}
	if !m.Web.IsZero() {
		text += fmt.Sprintf("browser %+v\n", m.Web)
	}
	if !m.Crypto.IsZero() {
		text += fmt.Sprintf("crypto %v, key %s\n", m.Crypto, m.Crypto.Key)
	}
	return text
}

// TestAnswerGolden answers every testdata/*.offer and compares with *.answer:
// the answer, then what was agreed.
func TestAnswerGolden(t *testing.T) {
	t.Parallel()
	offers, err := filepath.Glob("testdata/*.offer")
	if err != nil || len(offers) < 10 {
		t.Fatalf("found %d offers, %v", len(offers), err)
	}
	for _, name := range offers {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".offer"), func(t *testing.T) {
			t.Parallel()
			in, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := answerText(filepath.Base(name), in)
			golden := strings.TrimSuffix(name, ".offer") + ".answer"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// ours are keys of ours. The parser of sound keys is media/srtp's; here any text
// will do.
func ours() []Crypto {
	return []Crypto{{Suite: "AES_CM_128_HMAC_SHA1_80", Key: "inline:T3VyIGtleQ=="}, {Suite: "AEAD_AES_256_GCM", Key: "inline:T3VyIGJpZyBrZXk="}}
}

// ourWeb is our side of streams for browsers.
func ourWeb() *Web {
	return &Web{Ufrag: "boxu", Password: "box password of twenty-two", Fingerprint: "sha-256 1F:2E", Candidates: []string{"1 1 udp 2130706431 192.0.2.1 40000 typ host"}}
}

// answerText is the answer to an offer. The file's name says how sound is to be
// protected.
func answerText(name string, in []byte) string {
	d, err := Parse(in)
	if err != nil {
		return "error " + err.Error() + "\n"
	}
	l := localV4()
	for word, s := range map[string]Security{"optional-": Optional, "mandatory-": Mandatory} {
		if strings.HasPrefix(name, word) {
			l.Security, l.Keys = s, ours()
		}
	}
	if strings.HasPrefix(name, "web-") {
		l.Web = ourWeb()
	}
	if bytes.Contains(in, []byte("IN IP6")) {
		l.Addr = netip.MustParseAddrPort("[2001:db8::1]:40000")
	}
	if strings.HasPrefix(name, "foreign-") {
		l.Codecs = append(codec.Foreign(), codec.All()...)
		l.Fmtp = map[codec.Codec]string{codec.Opus: "stereo=0"}
	}
	b, m, err := newSession(7).Answer(l, d)
	if err != nil {
		return "error " + err.Error() + "\n"
	}
	return strings.ReplaceAll(string(b), "\r\n", "\n") + "--\n" + describe(m)
}

func TestOffer(t *testing.T) {
	t.Parallel()
	s := newSession(7)
	l := localV4()
	b, err := s.Offer(l)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"v=0", "o=- 7 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0",
		"m=audio 40000 RTP/AVP 0 8 9 101", "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000", "a=rtpmap:9 G722/8000",
		"a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15", "a=ptime:20", "a=sendrecv", "",
	}, "\r\n")
	if string(b) != want {
		t.Fatalf("got\n%s\nwant\n%s", b, want)
	}
	again, err := s.Offer(l)
	if err != nil || !bytes.Equal(b, again) {
		t.Errorf("the same offer again differs (%v):\n%s", err, again)
	}
	l.Direction = SendOnly
	held, err := s.Offer(l)
	if err != nil || !bytes.Contains(held, []byte("o=- 7 2 IN")) || !bytes.Contains(held, []byte("a=sendonly")) {
		t.Errorf("a changed offer must raise the version (%v):\n%s", err, held)
	}
	l.Codecs, l.NoEvents = []codec.Codec{codec.PCMA}, true
	l.Addr = netip.MustParseAddrPort("[2001:db8::1]:40000")
	six, err := s.Offer(l)
	if err != nil || !bytes.Contains(six, []byte("c=IN IP6 2001:db8::1\r\n")) || !bytes.Contains(six, []byte("m=audio 40000 RTP/AVP 8\r\n")) {
		t.Errorf("IPv6 offer of PCMA without events (%v):\n%s", err, six)
	}
	if _, err := s.Offer(Local{}); err == nil {
		t.Error("an offer without an address was written")
	}
}

func TestAccept(t *testing.T) {
	t.Parallel()
	const head = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"
	tests := []struct {
		name, body string
		local      Local
		want       Media
		err        error
	}{
		{"first of two", head + "m=audio 5000 RTP/AVP 8 0 96\r\na=rtpmap:96 telephone-event/8000\r\n", localV4(),
			Media{Codec: codec.PCMA, PayloadType: 8, EventPT: 96, LocalEventPT: 101, Ptime: 20 * time.Millisecond}, nil},
		{"no events wanted", head + "m=audio 5000 RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/8000\r\na=ptime:30\r\n", Local{NoEvents: true},
			Media{Codec: codec.PCMU, Ptime: 30 * time.Millisecond}, nil},
		{"refused", head + "m=audio 0 RTP/AVP 0\r\n", localV4(), Media{}, ErrNoAudio},
		{"not offered", head + "m=audio 5000 RTP/AVP 0\r\n", Local{Codecs: []codec.Codec{codec.PCMA}}, Media{}, ErrNoCodec},
		{"another stream", head + "m=video 5000 RTP/AVP 31\r\nm=audio 5000 RTP/AVP 0\r\n", localV4(), Media{}, ErrNoAudio},
		{"encrypted", head + "m=audio 5000 RTP/SAVP 0\r\n", localV4(), Media{}, ErrSecure},
		{"empty", "", localV4(), Media{}, ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := newSession(7).Accept(tt.local, []byte(tt.body))
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if err == nil {
				tt.want.LocalPT = tt.want.Codec.PayloadType
				tt.want.Addr, tt.want.RTCP = netip.MustParseAddrPort("192.0.2.9:5000"), netip.MustParseAddrPort("192.0.2.9:5001")
			}
			if got != tt.want {
				t.Errorf("got\n%swant\n%s", describe(got), describe(tt.want))
			}
		})
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	const good = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\n"
	for name, body := range map[string]string{
		"first line empty":     "\r\n" + good,
		"only line ends":       "\r\n\r\n",
		"line without equals":  "v=0\r\n\r\no=- 1 1 IN IP4 1.2.3.4\r\n",
		"no origin":            "v=0\r\ns=-\r\n",
		"bad origin":           "v=0\r\no=- x y IN IP4 1.2.3.4\r\nc=IN IP4 1.2.3.4\r\nm=audio 5000 RTP/AVP 0\r\n",
		"origin cut short":     "v=0\r\no=",
		"version 1":            "v=1\r\n",
		"no address":           "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\n",
		"host name":            strings.Replace(good, "c=IN IP4 192.0.2.9", "c=IN IP4 biloxi.example", 1),
		"multicast":            strings.Replace(good, "c=IN IP4 192.0.2.9", "c=IN IP4 224.2.1.1/127", 1),
		"broadcast":            strings.Replace(good, "c=IN IP4 192.0.2.9", "c=IN IP4 255.255.255.255", 1),
		"zone":                 strings.Replace(good, "c=IN IP4 192.0.2.9", "c=IN IP6 fe80::1%eth0", 1),
		"port too large":       strings.Replace(good, "5000", "70000", 1),
		"port missing":         strings.Replace(good, "audio 5000 RTP/AVP 0", "audio", 1),
		"NUL":                  strings.Replace(good, "s=-", "s=\x00", 1),
		"carriage return":      strings.Replace(good, "s=-", "s=a\rb", 1),
		"too long":             good + "a=" + strings.Repeat("x", maxSize) + "\r\n",
		"too many lines":       good + strings.Repeat("a=x\r\n", maxLines),
		"too many streams":     good + strings.Repeat("m=audio 5000 RTP/AVP 0\r\n", maxStreams),
		"too many formats":     strings.Replace(good, "AVP 0", "AVP"+strings.Repeat(" 0", maxFormats+1), 1),
		"network type unknown": strings.Replace(good, "c=IN", "c=ATM", 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := Parse([]byte(body))
			if err == nil {
				_, _, err = d.Choose(Local{})
			}
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("got %v, want ErrMalformed", err)
			}
		})
	}
}

// TestProtectedOffer follows an offer with keys to its answer.
func TestProtectedOffer(t *testing.T) {
	t.Parallel()
	const head = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"
	for s, proto := range map[Security]string{Optional: "RTP/AVP", Mandatory: "RTP/SAVP"} {
		l := localV4()
		l.Security, l.Keys = s, ours()
		b, err := newSession(7).Offer(l)
		if err != nil {
			t.Fatal(err)
		}
		lines := "m=audio 40000 " + proto + " 0 8 9 101\r\n"
		if !bytes.Contains(b, []byte(lines)) || !bytes.Contains(b, []byte("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:T3VyIGtleQ==\r\na=crypto:2 AEAD_AES_256_GCM ")) {
			t.Errorf("offer:\n%s", b)
		}
		stream := head + "m=audio 5000 " + proto + " 0\r\n"
		for line, want := range map[string]error{
			"a=crypto:2 AEAD_AES_256_GCM inline:AAAA":        nil,
			"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA": nil,
			"a=crypto:1 AEAD_AES_256_GCM inline:AAAA":        ErrNoSuite, // the number of another
			"a=crypto:3 AEAD_AES_256_GCM inline:AAAA":        ErrNoSuite,
		} {
			m, err := newSession(7).Accept(l, []byte(stream+line+"\r\n"))
			if !errors.Is(err, want) || err == nil && m.Crypto.Key != "inline:AAAA" {
				t.Errorf("%s: %+v, %v", line, m, err)
			}
		}
		m, err := newSession(7).Accept(l, []byte(head+"m=audio 5000 RTP/AVP 0\r\n"))
		if s == Optional && (err != nil || !m.Crypto.IsZero()) || s == Mandatory && !errors.Is(err, ErrInsecure) {
			t.Errorf("an answer in the clear: %+v, %v", m, err)
		}
	}
	secret := Crypto{Tag: 1, Suite: "S", Key: "inline:secret"}
	if shown := fmt.Sprintf("%v %+v %#v", secret, Media{Crypto: secret}, secret); strings.Contains(shown, "secret") {
		t.Errorf("a key is shown: %s", shown)
	}
}

func TestDirectionAnswer(t *testing.T) {
	t.Parallel()
	want := [4][4]Direction{ // offered, local
		SendRecv: {SendRecv, SendOnly, RecvOnly, Inactive},
		SendOnly: {RecvOnly, Inactive, RecvOnly, Inactive},
		RecvOnly: {SendOnly, SendOnly, Inactive, Inactive},
		Inactive: {Inactive, Inactive, Inactive, Inactive},
	}
	for offered := SendRecv; offered <= Inactive; offered++ {
		for local := SendRecv; local <= Inactive; local++ {
			if got := offered.Answer(local); got != want[offered][local] {
				t.Errorf("%v offered, %v liked: %v, want %v", offered, local, got, want[offered][local])
			}
		}
	}
	if Direction(9).String() != "unknown" {
		t.Error("a direction out of range has a name")
	}
}

func TestPrefer(t *testing.T) {
	t.Parallel()
	line := Named([]string{"pcmu", "G722", "iLBC", "PCMU"})
	if !slices.Equal(line, []codec.Codec{codec.PCMU, codec.G722}) {
		t.Fatalf("named: %v", line)
	}
	for _, tt := range []struct {
		first []string
		want  []codec.Codec
	}{
		{nil, line},
		{[]string{"G722"}, []codec.Codec{codec.G722, codec.PCMU}},
		{[]string{"PCMA", "G722", "G722"}, []codec.Codec{codec.G722, codec.PCMU}}, // the line lacks the first
	} {
		if got := Prefer(line, Named(tt.first)); !slices.Equal(got, tt.want) {
			t.Errorf("%v before: %v, want %v", tt.first, got, tt.want)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	s := NewSession()
	b, err := s.Offer(localV4())
	if err != nil {
		t.Fatal(err)
	}
	d, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if id, v := d.Version(); id != s.id || v != 1 {
		t.Errorf("read id %d version %d, wrote %d and 1", id, v, s.id)
	}
}

// FuzzParse holds that nothing makes the parser panic, that what can be chosen
// can be answered, and that our answers can be read.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.offer")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(append([]byte("\r\n"), b...))
		f.Add(b[:len(b)/2])
	}
	f.Add([]byte("v=0\r\no="))
	f.Add([]byte("="))
	f.Add([]byte("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=fingerprint:sha-256 A\r\na=ice-ufrag:abcd\r\na=rtcp-mux\r\na=setup:passive"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("the error %v is of no known kind", err)
			}
			return
		}
		fuzzFax(t, d)
		l := localV4()
		l.Security, l.Keys, l.Web = Optional, ours(), ourWeb()
		answer, m, err := NewSession().Answer(l, d)
		if err != nil {
			return
		}
		if m.Codec.IsZero() || !m.Addr.IsValid() || m.Addr.Port() == 0 || m.PayloadType > 127 || m.EventPT > 127 {
			t.Fatalf("agreed on nonsense: %+v", m)
		}
		back, err := Parse(answer)
		if err != nil {
			t.Fatalf("our own answer is refused: %v\n%s", err, answer)
		}
		if _, _, err := back.Choose(l); err != nil {
			t.Fatalf("nothing to choose in our own answer: %v\n%s", err, answer)
		}
		if len(back.streams) != len(d.streams) {
			t.Fatalf("%d streams offered, %d answered\n%s", len(d.streams), len(back.streams), answer)
		}
	})
}

// TestOfferKeepsPlaces: streams of the far end that we refused keep their places
// in our own offers (RFC 3264 §8).
func TestOfferKeepsPlaces(t *testing.T) {
	t.Parallel()
	const head = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"
	s, l := newSession(7), localV4()
	d, err := Parse([]byte(head + "m=video 5000 RTP/AVP 31\r\nm=audio 5002 RTP/AVP 0\r\nm=image 5004 udptl t38\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Answer(l, d); err != nil {
		t.Fatal(err)
	}
	b, err := s.Offer(l)
	if err != nil {
		t.Fatal(err)
	}
	i, j, k := bytes.Index(b, []byte("m=video 0 RTP/AVP 31\r\n")), bytes.Index(b, []byte("m=audio 40000 RTP/AVP 0 8 9 101\r\n")), bytes.Index(b, []byte("m=image 0 udptl t38\r\n"))
	if i < 0 || j < i || k < j {
		t.Errorf("the offer is\n%s", b)
	}
	m, err := s.Accept(l, []byte(head+"m=video 0 RTP/AVP 31\r\nm=audio 6000 RTP/AVP 8\r\nm=image 0 udptl t38\r\n"))
	if err != nil || m.Codec != codec.PCMA || m.Addr.Port() != 6000 {
		t.Errorf("accepted %+v, %v", m, err)
	}
	if _, err := s.Accept(l, []byte(head+"m=audio 6000 RTP/AVP 8\r\n")); !errors.Is(err, ErrNoAudio) {
		t.Errorf("an answer in the wrong place: %v", err)
	}
}
