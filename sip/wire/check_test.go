package wire

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"
)

// judge parses and checks as a reader does.
func judge(raw string) error {
	msg, err := sip.NewParser().ParseSIP([]byte(raw))
	if err != nil {
		return err
	}
	if req, ok := msg.(*sip.Request); ok {
		return CheckRequest(req)
	}
	return CheckResponse(msg.(*sip.Response))
}

// tortures are messages after RFC 4475, with whether the box takes them.
var tortures = []struct {
	name string
	good bool
	text string
}{
	{"3.1.1.1 a short tortuous INVITE", true, "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\nTO :\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\nfrom   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\n  ;\n  tag = 98asjd8\nMaX-fOrWaRdS: 0068\nCall-ID: wsinv.ndaksdj@192.0.2.1\nContent-Length   : 0\ncseq: 0009\n  INVITE\nVia  : SIP  /   2.0\n /UDP\n    192.0.2.2;branch=390skdjuw\ns :\nNewFangledHeader:   newfangled value\nm:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com>\n\n"},
	{"3.1.1.2 wide range of characters", true,
		"!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0\nVia: SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~\nTo: \"BEL:\\\a NUL:\\\x00 DEL:\\\x7f\" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>\nFrom: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%=\"x\";tag=_token~1'+`*%!-.\nCall-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{\nCSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~\nMax-Forwards: 255\nContent-Length: 0\n\n"},
	{"3.1.1.3 escapes in a URI", true, "INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0\nTo: sip:%75se%72@example.com\nFrom: <sip:I%20have%20spaces@example.net>;tag=938\nMax-Forwards: 87\ni: esc01.239409asdfakjkn23onasd0-3234\nCSeq: 234234 INVITE\nVia: SIP/2.0/UDP host5.example.net;branch=z9hG4bKkdjuw\nContact: <sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>\nContent-Length: 0\n\n"},
	{"3.1.1.4 escaped nulls", true, "REGISTER sip:example.com SIP/2.0\nTo: sip:null-%00-null@example.com\nFrom: sip:null-%00-null@example.com;tag=839923423\nMax-Forwards: 70\nCall-ID: escnull.39203ndfvkjdasfkq3w4otrq0adsfdfnavd\nCSeq: 14398234 REGISTER\nVia: SIP/2.0/UDP host5.example.com;branch=z9hG4bKkdjuw\nContact: <sip:%00@host5.example.com>\nContact: <sip:%00%00@host5.example.com>\nL:0\n\n"},
	{"3.1.1.13 no reason phrase", true, "SIP/2.0 100 \nVia: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2398ndaoe\nCall-ID: noreason.asndj203insdf99223ndf\nCSeq: 35 INVITE\nFrom: <sip:user@example.com>;tag=39ansfi3\nTo: <sip:user@example.edu>;tag=902jndnke3\nContent-Length: 0\nContact: <sip:user@host105.example.com>\n\n"},
	{"3.1.2.1 extraneous separators", false, "INVITE sip:user@example.com SIP/2.0\nTo: sip:j.user@example.com\nFrom: sip:caller@example.net;tag=134161461246\nMax-Forwards: 7\nCall-ID: badinv01.0ha0isndaksdjasdf3234nas\nCSeq: 8 INVITE\nVia: SIP/2.0/UDP 192.0.2.15;;,;,,\nContact: \"Joe\" <sip:joe@example.org>;;;;\nContent-Length: 0\n\n"},
	{"3.1.2.2 Content-Length too large", false, "INVITE sip:user@example.com SIP/2.0\nMax-Forwards: 80\nTo: sip:j.user@example.com\nFrom: sip:caller@example.net;tag=93942939o2\nContact: <sip:caller@hungry.example.net>\nCall-ID: clerr.0ha0isndaksdjweiafasdk3\nCSeq: 8 INVITE\nVia: SIP/2.0/UDP host5.example.com;branch=z9hG4bK-39234-23523\nContent-Length: 9999\n\nv=0\n"},
	{"3.1.2.3 negative Content-Length", false, "INVITE sip:user@example.com SIP/2.0\nMax-Forwards: 254\nTo: sip:j.user@example.com\nFrom: sip:caller@example.net;tag=32394234\nCall-ID: ncl.0ha0isndaksdj2193423r542w35\nCSeq: 0 INVITE\nVia: SIP/2.0/UDP 192.0.2.53;branch=z9hG4bKkdjuw\nContact: <sip:caller@example53.example.net>\nContent-Length: -999\n\n"},
	{"3.1.2.4 overlarge scalars in a request", false, "REGISTER sip:example.com SIP/2.0\nVia: SIP/2.0/TCP host129.example.com;branch=z9hG4bK342sdfoi3\nTo: <sip:user@example.com>\nFrom: <sip:user@example.com>;tag=239232jh3\nCSeq: 36893488147419103232 REGISTER\nCall-ID: scalar02.23o0pd9vanlq3wnrlnewofjas9ui32\nMax-Forwards: 300\nExpires: 10000000000\nContent-Length: 0\n\n"},
	{"3.1.2.5 overlarge scalars in a response", false, "SIP/2.0 503 Service Unavailable\nVia: SIP/2.0/TCP host129.example.com;branch=z9hG4bKzzxdiwo34sw;received=192.0.2.129\nTo: <sip:user@example.com>\nFrom: <sip:other@example.net>;tag=2easdjfejw\nCSeq: 9292394834772304023312 OPTIONS\nCall-ID: scalarlg.noase0of0234hn2qofoaf0232aewf2394r\nContent-Length: 0\n\n"},
	{"3.1.2.6 unterminated quoted string", false, "INVITE sip:user@example.com SIP/2.0\nTo: \"Mr. J. User <sip:j.user@example.com>\nFrom: sip:caller@example.net;tag=93334\nMax-Forwards: 10\nCall-ID: quotbal.aksdj\nContact: <sip:caller@host59.example.net>\nCSeq: 8 INVITE\nVia: SIP/2.0/UDP 192.0.2.59:5050;branch=z9hG4bKkdjuw39234\nContent-Length: 0\n\n"},
	{"3.1.2.11 escaped headers in a URI", false, "INVITE sip:user@example.com?Route=%3Csip:example.com%3E SIP/2.0\nTo: sip:user@example.com\nFrom: sip:caller@example.net;tag=341518\nMax-Forwards: 7\nContact: <sip:caller@host39923.example.net>\nCall-ID: escruri.23940-asdfhj-aje3br-234q098w-fawerh2q-h4n5\nCSeq: 149209342 INVITE\nVia: SIP/2.0/UDP host-of-the-hour.example.com;branch=z9hG4bKkdjuw\nContent-Length: 0\n\n"},
	{"3.1.2.16 unknown version", false, "OPTIONS sip:t.watson@example.org SIP/7.0\nVia: SIP/7.0/UDP c.example.com;branch=z9hG4bKkdjuw\nMax-Forwards: 70\nFrom: A. Bell <sip:a.g.bell@example.com>;tag=qweoiqpe\nTo: T. Watson <sip:t.watson@example.org>\nCall-ID: badvers.31417@c.example.com\nCSeq: 1 OPTIONS\nl: 0\n\n"},
	{"3.1.2.17 method and CSeq differ", false, "OPTIONS sip:user@example.com SIP/2.0\nTo: sip:j.user@example.com\nFrom: sip:caller@example.net;tag=34525\nMax-Forwards: 6\nCall-ID: mismatch01.dj0234sxdfl3\nCSeq: 8 INVITE\nVia: SIP/2.0/UDP host.example.com;branch=z9hG4bKkdjuw\nl: 0\n\n"},
	{"3.1.2.19 overlarge response code", false, "SIP/2.0 4294967301 better not break the receiver\nVia: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2398ndaoe\nCall-ID: bigcode.asdof3uj203asdnf3429uasdhfas3ehjasdfas9i\nCSeq: 353494 INVITE\nFrom: <sip:user@example.com>;tag=39ansfi3\nTo: <sip:user@example.edu>;tag=902jndnke3\nContent-Length: 0\n\n"},
	{"3.3.1 missing mandatory fields", false, "INVITE sip:user@example.com SIP/2.0\nCSeq: 193942 INVITE\nVia: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf\nContent-Length: 0\n\n"},
	{"3.3.8 multiple values in single-value fields", false, "INVITE sip:user@company.com SIP/2.0\nContact: <sip:caller@host25.example.net>\nVia: SIP/2.0/UDP 192.0.2.25;branch=z9hG4bKkdjuw\nMax-Forwards: 70\nCSeq: 5 INVITE\nCall-ID: multi01.98asdh@192.0.2.1\nCSeq: 59 INVITE\nCall-ID: multi01.98asdh@192.0.2.2\nFrom: sip:caller@example.com;tag=3413415\nTo: sip:user@example.com\nl: 0\n\n"},
	{"3.3.9 several Content-Length", false, "OPTIONS sip:user@example.com SIP/2.0\nVia: SIP/2.0/UDP host5.example.net;branch=z9hG4bK293423\nTo: sip:user@example.com\nFrom: sip:other@example.net;tag=3923942\nCall-ID: mcl01.fhn2323orihawfdoa3o4r52o3irsdf\nCSeq: 15932 OPTIONS\nContent-Length: 13\nMax-Forwards: 60\nContent-Length: 5\n\nThere's no way"},
	{"3.3.2 unknown scheme in the request URI", true, "OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0\nTo: sip:user@example.com\nFrom: sip:caller@example.net;tag=384\nMax-Forwards: 3\nCall-ID: unkscm.nasdfasser0q239nwsdfasdkl34\nCSeq: 3923423 OPTIONS\nVia: SIP/2.0/TCP host9.example.com;branch=z9hG4bKkdjuw39234\nContent-Length: 0\n\n"},
}

func TestTorture(t *testing.T) {
	t.Parallel()
	for _, c := range tortures {
		err := judge(strings.ReplaceAll(c.text, "\n", "\r\n"))
		if (err == nil) != c.good {
			t.Errorf("%s: good %v, got %v", c.name, c.good, err)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	good := message("INVITE", "z9hG4bK1")
	if err := judge(good); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 300)
	for name, edit := range map[string][2]string{
		"From without tag":     {";tag=1928301774", ""},
		"long tag":             {"1928301774", long},
		"long Call-ID":         {"a84b4c76e66710", long},
		"long branch":          {"z9hG4bK1", "z9hG4bK" + long},
		"long header":          {"Max-Forwards", "X-Long: " + strings.Repeat(long, 30) + "\r\nMax-Forwards"},
		"control character":    {"Alice", "Al\x01ice"},
		"escaped in a tag":     {"tag=1928301774", "tag=\"\\\x01\""},
		"escaped line feed":    {"Alice", "\"Al\\\nice\""},
		"line feed alone":      {"Alice", "Al\nX-Evil: 1"},
		"no header name":       {"Max-Forwards", ": x\r\nMax-Forwards"},
		"space in header name": {"Max-Forwards", "X Y: x\r\nMax-Forwards"},
		"Via protocol":         {"Via: SIP/2.0/", "Via: HTTP/1.1/"},
		"Via host":             {"192.0.2.1:5060;branch", ";branch"},
		"Via port":             {"192.0.2.1:5060;branch", "192.0.2.1:99999;branch"},
		"To host":              {"To: Bob <sip:bob@biloxi.example>", "To: Bob <sip:bob@>"},
		"request URI host":     {"INVITE sip:bob@biloxi.example", "INVITE sip:bob@"},
		"Max-Forwards":         {"Max-Forwards: 70", "Max-Forwards: 256"},
		"contact of nobody":    {"Contact: <sip:alice@192.0.2.1>", "Contact: *"},
		"contact scheme":       {"Contact: <sip:alice@192.0.2.1>", "Contact: <mailto:alice@192.0.2.1>"},
		"many headers":         {"Max-Forwards", strings.Repeat("X-Many: 1\r\n", maxHeaders) + "Max-Forwards"},
		"many Via":             {"Max-Forwards", strings.Repeat("Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx\r\n", maxViaCount) + "Max-Forwards"},
		"two by compact name":  {"Max-Forwards", "f: <sip:eve@x.example>;tag=2\r\nMax-Forwards"},
	} {
		bad := strings.Replace(good, edit[0], edit[1], 1)
		if bad == good {
			t.Fatalf("%s changes nothing", name)
		}
		if err := judge(bad); err == nil {
			t.Errorf("%s passed", name)
		}
	}
	if err := judge(strings.Replace(good, "Alice", "\"Al\\\x01ice\"", 1)); err != nil {
		t.Errorf("escaped control character in a name: %v", err)
	}
	if err := judge(strings.Replace(good, "70", "256", 1)); !errors.Is(err, ErrMalformed) {
		t.Errorf("%v is not ErrMalformed", err)
	}
}

func TestFrame(t *testing.T) {
	t.Parallel()
	msg := message("OPTIONS", "z9hG4bK1")
	body := strings.Replace(msg, "Content-Length: 0", "l:  5 ", 1) + "hello"
	for name, c := range map[string]struct {
		in   string
		n    int
		fail bool
	}{
		"whole":           {msg, len(msg), false},
		"two":             {msg + msg, len(msg), false},
		"with body":       {body + "rest", len(body), false},
		"part of body":    {body[:len(body)-1], 0, false},
		"part of head":    {msg[:len(msg)-2], 0, false},
		"nothing":         {"", 0, false},
		"no length":       {strings.Replace(msg, "Content-Length", "X", 1), 0, true},
		"two lengths":     {strings.Replace(msg, "Content-Length: 0", "Content-Length: 0\r\nl: 4", 1), 0, true},
		"negative":        {strings.Replace(msg, "Content-Length: 0", "Content-Length: -1", 1), 0, true},
		"huge":            {strings.Replace(msg, "Content-Length: 0", "Content-Length: 99999999", 1), 0, true},
		"endless headers": {"OPTIONS sip:x SIP/2.0\r\n" + strings.Repeat("X: y\r\n", 11000), 0, true},
	} {
		n, err := frame([]byte(c.in))
		if n != c.n || (err != nil) != c.fail {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte(message("OPTIONS", "z9hG4bK1")))
	f.Add([]byte("\r\n\r\n"))
	f.Add([]byte("l: 1\r\n\r\nx"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := frame(b)
		if n < 0 || n > len(b) || (err != nil && n != 0) {
			t.Fatalf("%d of %d bytes, %v", n, len(b), err)
		}
		if n > 0 && !bytes.Contains(b[:n], []byte("\r\n\r\n")) {
			t.Fatal("a message without end of headers")
		}
	})
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	good := message("OPTIONS", "z9hG4bK1")
	for name, c := range map[string]struct{ old, new, want string }{
		"as it is":        {"", "", "SIP/2.0 400 Bad Request\r\n"},
		"version":         {" SIP/2.0\r\n", " SIP/3.0\r\n", "SIP/2.0 505 Version Not Supported\r\n"},
		"scheme":          {"OPTIONS sip:", "OPTIONS soap.beep:", "SIP/2.0 416 Unsupported URI Scheme\r\n"},
		"folded":          {"To: ", "To:\r\n ", "To:\r\n "},
		"two From":        {"Call-ID", "From: <sip:eve@x.example>;tag=2\r\nCall-ID", "SIP/2.0 400"},
		"an ACK":          {"OPTIONS sip", "ACK sip", ""},
		"a response":      {"OPTIONS sip", "SIP/2.0 sip", ""},
		"HTTP":            {" SIP/2.0\r\n", " HTTP/1.1\r\n", ""},
		"no Via":          {"Via:", "X:", ""},
		"no CSeq":         {"CSeq:", "X:", ""},
		"a control":       {"Call-ID: ", "Call-ID: \x00", ""},
		"a line feed":     {"Call-ID: ", "Call-ID: \n", ""},
		"a long value":    {"Call-ID: ", "Call-ID: " + strings.Repeat("x", maxHeaderBytes), ""},
		"without its end": {"\r\n\r\n", "\r\n", ""},
		"many lines":      {"Call-ID", strings.Repeat("X: 1\r\n", maxHeaders) + "Call-ID", ""},
	} {
		got := string(refusal([]byte(strings.Replace(good, c.old, c.new, 1))))
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) || strings.Contains(got, "eve@") {
			t.Errorf("%s: %q", name, got)
		}
		if _, err := sip.NewParser().ParseSIP([]byte(got)); got != "" && err != nil {
			t.Errorf("%s: the answer does not parse: %v", name, err)
		}
	}
}

// FuzzReceive takes raw bytes through parser, check and transactions up to a
// handler that does what handlers do. Nothing may panic, and whatever passes
// the check can be answered with a message that parses.
func FuzzReceive(f *testing.F) {
	for _, c := range tortures {
		f.Add([]byte(strings.ReplaceAll(c.text, "\n", "\r\n")))
	}
	for _, m := range []string{"INVITE", "ACK", "CANCEL", "BYE", "REGISTER", "OPTIONS"} {
		f.Add([]byte(message(m, "z9hG4bK1")))
		f.Add([]byte(message(m, "1")))
	}
	f.Add([]byte("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := New(Config{}, newHandler(func(s seen) {
			if s.tx == nil {
				return
			}
			res := NewResponse(s.req, 200, "OK", NewTag())
			if _, err := sip.NewParser().ParseSIP(encode(res)); err != nil {
				t.Errorf("the response does not parse: %v\n%s", err, res)
			}
			_ = s.tx.Respond(res)
		}))
		if err != nil {
			t.Fatal(err)
		}
		flow := Flow{Transport: UDP, Local: netip.MustParseAddrPort("127.0.0.1:5060"), Remote: netip.MustParseAddrPort("192.0.2.1:5060")}
		l.Receive(raw, flow)
		l.Receive(raw, flow)
		if n := l.Counters().Panics; n != 0 {
			t.Fatalf("%d panics", n)
		}
	})
}
