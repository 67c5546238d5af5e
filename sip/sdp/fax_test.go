package sdp

import (
	"errors"
	"strings"
	"testing"
)

// faxLines are what a gateway offers.
const faxLines = "a=T38FaxVersion:0\r\na=T38MaxBitRate:14400\r\na=T38FaxFillBitRemoval\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n"

// TestFaxStream: which descriptions are about a fax as data, where it is received and
// what of it is passed on.
func TestFaxStream(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]error{
		"m=image 4004 udptl t38\r\n" + faxLines + "a=sendrecv\r\n":                                    nil,
		"m=image 4004 UDPTL T38\r\nc=IN IP4 198.51.100.7\r\n":                                         nil,
		"m=audio 0 RTP/AVP 0\r\nm=image 4004 udptl t38\r\n":                                           nil,
		"m=audio 4000 RTP/AVP 0\r\nm=image 4004 udptl t38\r\n":                                        ErrNoFax,
		"m=image 0 udptl t38\r\n":                                                                     ErrNoFax,
		"m=image 4004 tcp t38\r\n":                                                                    ErrNoFax,
		"m=image 4004 udptl other\r\n":                                                                ErrNoFax,
		"m=image 4004 udptl t38\r\nc=IN IP4 0.0.0.0\r\n":                                              ErrNoFax,
		"m=image 4004 udptl t38\r\nc=IN IP4 fax.biloxi.example\r\n":                                   ErrMalformed,
		"m=image 4004 udptl t38\r\n" + strings.Repeat("a=T38FaxMaxBuffer:72\r\n", maxFaxLines+1):      ErrMalformed,
		"m=image 4004 udptl t38\r\na=T38FaxUdpEC:" + strings.Repeat("x", maxFaxLine) + "\r\n":         ErrMalformed,
		"m=video 5000 RTP/AVP 31\r\nm=image 4004 udptl t38\r\nm=image 4006 udptl t38\r\na=T38Odd\r\n": nil,
	} {
		f, err := parsed(t, farHead+body).Fax()
		if !errors.Is(err, want) || err == nil && f.Addr.Port() != 4004 {
			t.Errorf("%q: %+v, %v, want %v", body, f, err, want)
		}
		switch {
		case strings.Contains(body, "sendrecv") && f.Attributes != faxLines:
			t.Errorf("%q: attributes %q", body, f.Attributes)
		case strings.Contains(body, "198.51.100.7") && f.Addr.String() != "198.51.100.7:4004":
			t.Errorf("%q: at %v", body, f.Addr)
		case strings.Contains(body, "T38Odd") && f.Attributes != "":
			t.Errorf("%q: attributes %q of another stream", body, f.Attributes)
		}
	}
}

// lines are the m= lines of a description, and the version.
func lines(t *testing.T, body []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for l := range strings.Lines(string(body)) {
		if l = strings.TrimSpace(l); strings.HasPrefix(l, "m=") || strings.HasPrefix(l, "a=T38") {
			out = append(out, l)
		} else if w := strings.Fields(l); strings.HasPrefix(l, "o=") {
			out = append(out, w[2])
		}
	}
	return strings.Join(out, "|")
}

// TestFaxInPlaceOfSound: a session goes to a fax and back, asked by either side, and
// every stream keeps its place.
func TestFaxInPlaceOfSound(t *testing.T) {
	t.Parallel()
	expect := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", what, got, want)
		}
	}
	l := localV4()
	own := Fax{Addr: l.Addr, Attributes: "a=T38FaxVersion:3\r\na=T38FaxFillBitRemoval\r\n"}
	atFax := l
	atFax.Fax = &own
	s := newSession(7)
	if _, err := s.Offer(atFax); err == nil {
		t.Error("a fax without sound before it")
	}
	b, _, err := s.Answer(l, parsed(t, farHead+"m=video 5002 RTP/AVP 31\r\nm=audio 5000 RTP/AVPF 0\r\n"))
	expect("the sound", lines(t, b, err), "1|m=video 0 RTP/AVP 31|m=audio 40000 RTP/AVPF 0")
	// We ask.
	b, err = s.Offer(atFax)
	const ours = "m=image 40000 udptl t38|a=T38FaxVersion:3|a=T38FaxFillBitRemoval"
	expect("our offer", lines(t, b, err), "2|m=video 0 RTP/AVP 31|"+ours)
	if _, err := s.Accept(atFax, []byte(farHead+"m=video 0 RTP/AVP 31\r\nm=image 0 udptl t38\r\n")); !errors.Is(err, ErrNoFax) {
		t.Errorf("a stream that is off: %v", err)
	}
	if _, err := s.Accept(atFax, []byte(farHead+"m=image 6004 udptl t38\r\nm=video 0 RTP/AVP 31\r\n")); !errors.Is(err, ErrNoFax) {
		t.Errorf("another place: %v", err)
	}
	m, err := s.Accept(atFax, []byte(farHead+"m=video 0 RTP/AVP 31\r\nm=image 6004 udptl t38\r\n"+faxLines))
	if err != nil || m.Fax.Attributes != faxLines || m.Addr.Port() != 6004 || m.Fax.Addr != m.Addr {
		t.Fatalf("accepted %+v, %v", m, err)
	}
	b, err = s.Offer(atFax)
	expect("the same again", lines(t, b, err), "2|m=video 0 RTP/AVP 31|"+ours)
	b, err = s.Offer(l)
	expect("back to sound", lines(t, b, err), "3|m=video 0 RTP/AVP 31|m=audio 40000 RTP/AVPF 0 8 9 101")
	if _, err := s.Accept(l, []byte(farHead+"m=video 0 RTP/AVP 31\r\nm=audio 6000 RTP/AVPF 8\r\n")); err != nil {
		t.Fatal(err)
	}
	// The far end asks, and leaves the sound in its place.
	b, err = s.AnswerFax(l, parsed(t, farHead+"m=video 0 RTP/AVP 31\r\nm=audio 0 RTP/AVP 0\r\nm=image 6004 udptl t38\r\n"), own)
	expect("our answer", lines(t, b, err), "4|m=video 0 RTP/AVP 31|m=audio 0 RTP/AVP 0|"+ours)
	b, err = s.Offer(l)
	expect("back to sound in its place", lines(t, b, err), "5|m=video 0 RTP/AVP 31|m=audio 40000 RTP/AVP 0 8 9 101|m=image 0 udptl t38")
	if _, err := s.AnswerFax(l, parsed(t, farHead+"m=audio 5000 RTP/AVP 0\r\n"), own); !errors.Is(err, ErrNoFax) {
		t.Errorf("no fax: %v", err)
	}
}

// fuzzFax answers a description that is about a fax, and reads that again.
func fuzzFax(t *testing.T, d *Description) {
	f, err := d.Fax()
	if err != nil {
		return
	}
	answer, err := NewSession().AnswerFax(localV4(), d, f)
	if err != nil {
		t.Fatalf("a fax that was found cannot be answered: %v", err)
	}
	again, err := Parse(answer)
	if err != nil {
		t.Fatalf("our answer is refused: %v\n%s", err, answer)
	}
	if g, err := again.Fax(); err != nil || g.Attributes != f.Attributes {
		t.Fatalf("our answer is not what was asked: %+v, %v\n%s", g, err, answer)
	}
}
