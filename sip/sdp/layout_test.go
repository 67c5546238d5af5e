package sdp

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"callbox/media/codec"
)

const farHead = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"

// mLines are the m= lines of a description.
func mLines(b []byte) (out []string) {
	for l := range strings.Lines(string(b)) {
		if l = strings.TrimSpace(l); strings.HasPrefix(l, "m=") {
			out = append(out, l)
		}
	}
	return out
}

// originOf is the o= line of a description.
func originOf(b []byte) string {
	_, rest, _ := strings.Cut(string(b), "\r\no=")
	o, _, _ := strings.Cut(rest, "\r\n")
	return o
}

func parsed(t *testing.T, body string) *Description {
	t.Helper()
	d, err := Parse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestLayoutStays: whatever streams a far end has offered, ours stays in its place
// in our later offers, with the profile agreed on, and the others stay refused
// (RFC 3264 §8).
func TestLayoutStays(t *testing.T) {
	t.Parallel()
	for offered, want := range map[string]string{
		"m=video 5002 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\nm=audio 5000 RTP/AVPF 8\r\nm=image 5004 udptl t38\r\n": "m=video 0 RTP/AVP 96|m=audio 40000 RTP/AVPF 0 8 9 101|m=image 0 udptl t38",
		"m=audio 0 RTP/AVP 0\r\nm=audio 5000 RTP/AVP 0\r\n":                                                         "m=audio 0 RTP/AVP 0|m=audio 40000 RTP/AVP 0 8 9 101",
		"m=audio 5000 RTP/AVP 0\r\nm=application 5004 UDP/BFCP *\r\n":                                               "m=audio 40000 RTP/AVP 0 8 9 101|m=application 0 UDP/BFCP *",
	} {
		s, l := newSession(7), localV4()
		answer, _, err := s.Answer(l, parsed(t, farHead+offered))
		if err != nil {
			t.Fatal(err)
		}
		again, err := s.Offer(l)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(mLines(again), "|"); got != want {
			t.Errorf("offered %q: our own offer has\n%s, want\n%s", offered, got, want)
		}
		if first, second := originOf(answer), originOf(again); first != "- 7 1 IN IP4 192.0.2.1" || second != "- 7 2 IN IP4 192.0.2.1" {
			t.Errorf("origins %q, then %q", first, second)
		}
		// The answer has as many streams, ours in the same place.
		if _, err := s.Accept(l, []byte(farHead+offered)); err != nil {
			t.Errorf("the answer to our own offer: %v", err)
		}
	}
}

// TestReordered: an offer that brings the streams in another order is answered in
// that order.
func TestReordered(t *testing.T) {
	t.Parallel()
	s, l := newSession(7), localV4()
	for _, offered := range []string{
		"m=audio 5000 RTP/AVP 0\r\n",
		"m=audio 5000 RTP/AVP 0\r\nm=video 5002 RTP/AVP 31\r\n",
		"m=audio 0 RTP/AVP 0\r\nm=video 5002 RTP/AVP 31\r\nm=audio 5004 RTP/AVP 8 0\r\n",
	} {
		d := parsed(t, farHead+offered)
		answer, m, err := s.Answer(l, d)
		if err != nil {
			t.Fatal(err)
		}
		got, want := mLines(answer), mLines([]byte(offered))
		if len(got) != len(want) {
			t.Fatalf("offered %v, answered %v", want, got)
		}
		for i := range got {
			on := strings.HasPrefix(got[i], "m=audio 40000")
			if on != strings.HasPrefix(want[i], "m=audio "+strings.TrimPrefix(m.Addr.String(), "192.0.2.9:")) {
				t.Errorf("offered %v, answered %v", want, got)
			}
		}
	}
}

// TestFar: a far end's stream is offered to another one as it is, under our own
// name, in the place that the session has for it.
func TestFar(t *testing.T) {
	t.Parallel()
	d := parsed(t, farHead+"m=video 5002 RTP/AVP 31\r\nm=audio 5000 RTP/AVPF 96 97 0 101\r\nc=IN IP4 198.51.100.7\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:97 iLBC/8000\r\na=fmtp:97 mode=20\r\n"+
		"a=fmtp:96 useinbandfec=1\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:30\r\na=rtcp:5009 IN IP4 203.0.113.1\r\n"+
		"a=candidate:1 1 UDP 1 192.0.2.200 5000 typ host\r\na=sendrecv\r\n")
	f, err := d.Far(localV4())
	if err != nil || f.Addr().String() != "198.51.100.7:5000" {
		t.Fatalf("%v, %v", f.Addr(), err)
	}
	s, l := newSession(7), localV4()
	if _, _, err := s.Answer(l, parsed(t, farHead+"m=image 1 udptl t38\r\nm=audio 6000 RTP/AVP 0\r\n")); err != nil {
		t.Fatal(err)
	}
	l.Far = &f
	b, err := s.Offer(l)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"v=0", "o=- 7 2 IN IP4 192.0.2.1", "s=-", "c=IN IP4 198.51.100.7", "t=0 0", "m=image 0 udptl t38", "m=audio 5000 RTP/AVP 96 0 101",
		"a=rtpmap:96 opus/48000/2", "a=fmtp:96 useinbandfec=1", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16", "a=ptime:30", "a=rtcp:5009", "a=sendrecv", "",
	}, "\r\n")
	if string(b) != want {
		t.Errorf("got\n%s\nwant\n%s", b, want)
	}
	for answer, want := range map[string]bool{
		"m=audio 5000 RTP/AVP 0\r\nc=IN IP4 198.51.100.7\r\n":                              true,
		"m=audio 5000 RTP/AVP 96\r\nc=IN IP4 198.51.100.7\r\na=rtpmap:96 OPUS/48000/2\r\n": true,
		"m=audio 5000 RTP/AVP 96 0\r\nc=IN IP4 198.51.100.7\r\na=rtpmap:96 PCMA/8000\r\n":  false,
		"m=audio 5000 RTP/AVP 8\r\nc=IN IP4 198.51.100.7\r\n":                              false,
		"m=audio 5008 RTP/AVP 0\r\nc=IN IP4 198.51.100.7\r\n":                              false,
		"m=audio 5000 RTP/AVP 0\r\n":                                                       false,
	} {
		all := localV4()
		all.Codecs = append(codec.Foreign(), codec.All()...)
		g, err := parsed(t, farHead+answer).Far(all)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Serves(g); got != want {
			t.Errorf("%q: %v", answer, got)
		}
	}
	again := parsed(t, farHead+"m=image 0 udptl t38\r\nm=audio 6000 RTP/AVP 0\r\n")
	if _, err := s.Accept(localV4(), []byte(farHead+"m=image 0 udptl t38\r\nm=audio 6000 RTP/AVP 0\r\n")); err != nil {
		t.Fatal(err)
	}
	if sent, ok := s.Again(again); !ok || !bytes.Equal(sent, b) {
		t.Errorf("a refresh is answered with %q", sent)
	}
	if _, ok := s.Again(parsed(t, strings.Replace(farHead, "o=- 1 1", "o=- 1 2", 1)+"m=audio 6000 RTP/AVP 0\r\n")); ok {
		t.Error("a change was taken for a refresh")
	}
	l = localV4()
	l.Security, l.Keys = Optional, ours()
	for body, want := range map[string]error{
		"m=audio 5000 RTP/AVP 0\r\na=sendonly\r\n":                                ErrNotDirect,
		"m=audio 5000 RTP/AVP 0\r\na=inactive\r\n":                                ErrNotDirect,
		"m=audio 5000 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n":                          ErrNotDirect,
		"m=audio 5000 RTP/SAVP 0\r\na=crypto:1 AEAD_AES_256_GCM inline:AAAA\r\n":  ErrNotDirect,
		"m=audio 5000 RTP/AVP 0\r\na=crypto:1 AEAD_AES_256_GCM inline:AAAA\r\n":   ErrNotDirect,
		"m=audio 5000 RTP/AVP 0\r\n" + strings.Repeat("a=fmtp:0 x\r\n", maxFar+1): ErrNotDirect,
		"m=audio 0 RTP/AVP 0\r\n":                                                 ErrNoAudio,
		"m=audio 5000 RTP/AVP 3\r\n":                                              ErrNoCodec,
	} {
		if _, err := parsed(t, farHead+body).Far(l); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", body, err, want)
		}
	}
}

// TestForeignNumbers: a codec that is passed on keeps the far end's numbers and
// parameters, whoever offered.
func TestForeignNumbers(t *testing.T) {
	t.Parallel()
	l := localV4()
	l.Codecs, l.Fmtp = []codec.Codec{codec.Opus, codec.G729, codec.PCMU}, Parameters([]string{"opus useinbandfec=1", "PCMU"})
	s := newSession(7)
	b, err := s.Offer(l)
	if err != nil {
		t.Fatal(err)
	}
	if want := "m=audio 40000 RTP/AVP 107 18 0 101\r\na=rtpmap:107 opus/48000/2\r\na=fmtp:107 useinbandfec=1\r\na=rtpmap:18 G729/8000\r\na=rtpmap:0 PCMU/8000\r\n"; !strings.Contains(string(b), want) {
		t.Errorf("our offer\n%s", b)
	}
	m, err := s.Accept(l, []byte(farHead+"m=audio 5000 RTP/AVP 120\r\na=rtpmap:120 opus/48000/2\r\na=fmtp:120 stereo=1\r\n"))
	if err != nil || m.Codec != codec.Opus || m.PayloadType != 120 || m.LocalPT != 107 || m.Fmtp != "stereo=1" {
		t.Errorf("accepted %+v, %v", m, err)
	}
	if _, err := newSession(7).Accept(localV4(), []byte(farHead+"m=audio 5000 RTP/AVP 18\r\n")); !errors.Is(err, ErrForeign) {
		t.Errorf("a codec that is not understood: %v", err)
	}
}
