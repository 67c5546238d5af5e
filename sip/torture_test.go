package sip

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	arrives = 100 // the INVITE becomes a call
	silence = 0   // no answer, as the RFC allows for what cannot be answered
)

// torture is one message of an RFC and the status that it gets.
type torture struct {
	name string
	want int
	text string
}

// hop is a Via, From, To, Call-ID, CSeq and Max-Forwards that nothing is wrong with.
func hop(method, id string) string {
	return fmt.Sprintf("To: sip:user@example.com\nFrom: sip:caller@example.net;tag=%s\nCall-ID: %s@example.net\nCSeq: 8 %s\nMax-Forwards: 70\nVia: SIP/2.0/UDP host5.example.com;branch=z9hG4bK%s\n", id, id, method, id)
}

const contact = "Contact: <sip:caller@host5.example.net>\n"

const tortureSDP = "v=0\no=mhandley 29739 7272939 IN IP4 192.0.2.3\ns=-\nc=IN IP4 192.0.2.4\nt=0 0\nm=audio 49217 RTP/AVP 0 12\nm=video 3227 RTP/AVP 31\na=rtpmap:31 LPC\n"

// withBody adds a session description and its length.
func withBody(head, body string) string {
	return head + fmt.Sprintf("Content-Type: application/sdp\nContent-Length: %d\n\n", len(strings.ReplaceAll(body, "\n", "\r\n"))) + body
}

// tortures4475 are the messages of RFC 4475 by their sections there, transcribed
// for a user agent server on UDP that knows the sender.
var tortures4475 = []torture{
	{"3.1.1.1 a short tortuous INVITE", 481, // its To has a tag, and there is no such dialog
		withBody("INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\nTO :\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\nfrom   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\n  ;\n  tag = 98asjd8\nMaX-fOrWaRdS: 0068\nCall-ID: wsinv.ndaksdj@192.0.2.1\ncseq: 0009\n  INVITE\nVia  : SIP  /   2.0\n /UDP\n    192.0.2.2;branch=390skdjuw\ns :\nNewFangledHeader:   newfangled value\n continued newfangled value\nUnknownHeaderWithUnusualValue: ;;,,;;,;\nRoute:\n <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\nv:  SIP  / 2.0  / TCP     spindle.example.com   ;\n  branch  =   z9hG4bK9ikj8  ,\n SIP  /    2.0   / UDP  192.168.255.111   ; branch=\n z9hG4bK30239\nm:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com> ; newparam =\n      newvalue ;\n  secondparam ; q = 0.33\n", tortureSDP)},
	{"3.1.1.2 wide range of characters", 405,
		"!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0\nVia: SIP/2.0/UDP host1.example.com;branch=z9hG4bK-.!%66*_+`'~\nTo: \"BEL:\\\a NUL:\\\x00 DEL:\\\x7f\" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>\nFrom: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%=\"\u0440\u0430\u0431\u043e\u0442\u0430\u044e\u0449\u0438\u0439\";tag=_token~1'+`*%!-.\nCall-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{\nCSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~\nMax-Forwards: 255\nextensionHeader-!.%*+_`'~:\ufeff\u5927\u505c\u96fb\nContent-Length: 0\n\n"},
	{"3.1.1.3 escapes in a URI", arrives, withBody("INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0\nTo: sip:%75se%72@example.com\nFrom: <sip:I%20have%20spaces@example.net>;tag=938\nMax-Forwards: 87\ni: esc01.239409asdfakjkn23onasd0-3234\nCSeq: 234234 INVITE\nVia: SIP/2.0/UDP host5.example.net;branch=z9hG4bKkdjuw\nContact: <sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>\n", tortureSDP)},
	{"3.1.1.4 escaped nulls", 401, "REGISTER sip:example.com SIP/2.0\nTo: sip:null-%00-null@example.com\nFrom: sip:null-%00-null@example.com;tag=839923423\nMax-Forwards: 70\nCall-ID: escnull.39203ndfvkjdasfkq3w4otrq0adsfdfnavd\nCSeq: 14398234 REGISTER\nVia: SIP/2.0/UDP host5.example.com;branch=z9hG4bKkdjuw\nContact: <sip:%00@host5.example.com>\nContact: <sip:%00%00@host5.example.com>\nL:0\n\n"},
	{"3.1.1.5 percent signs that are no escapes", 405, "RE%47IST%45R sip:registrar.example.com SIP/2.0\nTo: \"%Z%45\" <sip:resource@example.com>\nFrom: \"%Z%45\" <sip:resource@example.com>;tag=f232jadfj23\nCall-ID: esc02.asdfnqwo34rq23i34jrjasdcnl23nrlknsdf\nVia: SIP/2.0/UDP host.example.com;branch=z9hG4bK209%fzsnel234\nCSeq: 29344 RE%47IST%45R\nMax-Forwards: 70\nContact: <sip:alias1@host1.example.com>\nC%6Fntact: <sip:alias2@host2.example.com>\nContact: <sip:alias3@host3.example.com>\nl: 0\n\n"},
	{"3.1.1.6 no space between name and bracket", 200, "OPTIONS sip:user@example.com SIP/2.0\nTo: sip:user@example.com\nFrom: caller<sip:caller@example.com>;tag=323\nMax-Forwards: 70\nCall-ID: lwsdisp.1234abcd@funky.example.com\nCSeq: 60 OPTIONS\nVia: SIP/2.0/UDP funky.example.com;branch=z9hG4bKkdjuw\nl: 0\n\n"},
	{"3.1.1.7 long values", arrives, withBody("INVITE sip:user@example.com SIP/2.0\nTo: \"I have a user name of "+strings.Repeat("extreme", 10)+" proportion\"<sip:user@example.com:6000;unknownparam1="+strings.Repeat("very", 20)+"longvalue;longparam"+strings.Repeat("name", 25)+"=shortvalue;very"+strings.Repeat("long", 25)+"ParameterNameWithNoValue>\nF: sip:"+strings.Repeat("amazinglylongcallername", 5)+"@example.net;tag=12"+strings.Repeat("982", 50)+"424;unknownheaderparam"+strings.Repeat("name", 20)+"="+strings.Repeat("value", 15)+";unknownValueless"+strings.Repeat("paramname", 10)+"\nCall-ID: longreq.one"+strings.Repeat("really", 20)+"longcallid\nCSeq: 3882340 INVITE\nUnknown-"+strings.Repeat("Long", 20)+"-Name: unknown-"+strings.Repeat("long", 20)+"-value; unknown-"+strings.Repeat("long", 20)+"-parameter-name = unknown-"+strings.Repeat("long", 20)+"-parameter-value\nVia: SIP/2.0/UDP sip33.example.com;branch=z9hG4bK"+strings.Repeat("long", 20)+"\nV: SIP/2.0/TCP sip32.example.com;branch=z9hG4bKx\nMax-Forwards: 70\nContact: <sip:"+strings.Repeat("amazinglylongcallername", 5)+"@host5.example.net>\n", tortureSDP)},
	{"3.1.1.8 octets after the message", 401, "REGISTER sip:example.com SIP/2.0\nTo: sip:j.user@example.com\nFrom: sip:j.user@example.com;tag=43251j3j324\nMax-Forwards: 8\nI: dblreq.0ha0isndaksdj99sdfafnl3lk233412\nContact: sip:j.user@host.example.com\nCSeq: 8 REGISTER\nVia: SIP/2.0/UDP 192.0.2.125;branch=z9hG4bKkdjuw23492\nContent-Length: 0\n\n\nINVITE sip:joe@example.com SIP/2.0\nt: sip:joe@example.com\nFrom: sip:caller@example.net;tag=141334\nMax-Forwards: 8\nCall-ID: dblreq.0ha0isnda977644900765@192.0.2.15\nCSeq: 8 INVITE\nVia: SIP/2.0/UDP 192.0.2.15;branch=z9hG4bKkdjuw380234\nContent-Length: 0\n\n"},
	{"3.1.1.9 semicolons in the user part", 200, "OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0\nTo: sip:j_user@example.com\nFrom: sip:caller@example.org;tag=33242\nMax-Forwards: 3\nCall-ID: semiuri.0ha0isndaksdj\nCSeq: 8 OPTIONS\nAccept: application/sdp, application/pkcs7-mime,\n        multipart/mixed, multipart/signed,\n        message/sip, message/sipfrag\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKkdjuw\nl: 0\n\n"},
	{"3.1.1.10 transports of all kinds", 200, "OPTIONS sip:user@example.com SIP/2.0\nTo: sip:user@example.com\nFrom: <sip:caller@example.com>;tag=323\nMax-Forwards: 70\nCall-ID:  transports.kijh4akdnaqjkwendsasfdj\nAccept: application/sdp\nCSeq: 60 OPTIONS\nVia: SIP/2.0/UDP t1.example.com;branch=z9hG4bKkdjuw\nVia: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKklasjdhf\nVia: SIP/2.0/TLS t3.example.com;branch=z9hG4bK2980unddj\nVia: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd0f3en\nVia: SIP/2.0/TCP t5.example.com;branch=z9hG4bK0a9idfnee\nl: 0\n\n"},
	{"3.1.1.11 a multipart MESSAGE", 405, "MESSAGE sip:kumiko@example.org SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK-d87543-4dade06d0bdb11ee-1--d87543-;rport\nMax-Forwards: 70\nRoute: <sip:127.0.0.1:5080>\nIdentity: r5mwreLuyDRYBi/0TiPwEsY3rEVsk/G2WxhgTV1PF7hHuL\nTo: <sip:kumiko@example.org>\nFrom: <sip:fluffy@example.com>;tag=2fb0dcc9\nCall-ID: 3d9485ad0c49859b@Zmx1ZmZ5LW1hYy0xNi5sb2NhbA..\nCSeq: 1 MESSAGE\nContent-Transfer-Encoding: binary\nContent-Type: multipart/mixed;boundary=7a9cbec02ceef655\nDate: Sat, 15 Oct 2005 04:44:56 GMT\nUser-Agent: SIPimp.org/0.2.5 (curses)\nContent-Length: 91\n\n--7a9cbec02ceef655\nContent-Type: text/plain\n\nHello\n--7a9cbec02ceef655--\n\x00\x01\x02binary bytes\xff"},
	{"3.1.1.12 an unusual reason phrase", silence, withBody("SIP/2.0 200 = 2**3 * 5**2 \u043d\u043e \u0441\u0442\u043e \u0434\u0435\u0432\u044f\u043d\u043e\u0441\u0442\u043e \u0434\u0435\u0432\u044f\u0442\u044c - \u043f\u0440\u043e\u0441\u0442\u043e\u0435\nVia: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923\nCall-ID: unreason.1234ksdfak3j2erwedfsASdf\nCSeq: 35 INVITE\nFrom: sip:user@example.com;tag=11141343\nTo: sip:user@example.edu;tag=2229\nContact: <sip:user@host198.example.com>\n", "v=0\no=mhandley 29739 7272939 IN IP4 192.0.2.198\ns=-\nc=IN IP4 192.0.2.198\nt=0 0\nm=audio 49217 RTP/AVP 0 12\nm=video 3227 RTP/AVP 31\na=rtpmap:31 LPC\n")},
	{"3.1.1.13 an empty reason phrase", silence, "SIP/2.0 100 \nVia: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2398ndaoe\nCall-ID: noreason.asndj203insdf99223ndf\nCSeq: 35 INVITE\nFrom: <sip:user@example.com>;tag=39ansfi3\nTo: <sip:user@example.edu>;tag=902jndnke3\nContent-Length: 0\nContact: <sip:user@host105.example.com>\n\n"},
	{"3.1.2.1 extraneous separators", 400, "INVITE sip:user@example.com SIP/2.0\nTo: sip:j.user@example.com\nFrom: sip:caller@example.net;tag=134161461246\nMax-Forwards: 7\nCall-ID: badinv01.0ha0isndaksdjasdf3234nas\nCSeq: 8 INVITE\nVia: SIP/2.0/UDP 192.0.2.15;;,;,,\nContact: \"Joe\" <sip:joe@example.org>;;;;\nContent-Length: 0\n\n"},
	{"3.1.2.2 Content-Length too large", 400, "INVITE sip:user@example.com SIP/2.0\nMax-Forwards: 80\nTo: sip:j.user@example.com\nFrom: sip:caller@example.net;tag=93942939o2\nContact: <sip:caller@hungry.example.net>\nCall-ID: clerr.0ha0isndaksdjweiafasdk3\nCSeq: 8 INVITE\nVia: SIP/2.0/UDP host5.example.com;branch=z9hG4bK-39234-23523\nContent-Type: application/sdp\nContent-Length: 9999\n\n" + tortureSDP},
	{"3.1.2.3 negative Content-Length", 400, "INVITE sip:user@example.com SIP/2.0\nMax-Forwards: 254\nTo: sip:j.user@example.com\nFrom: sip:caller@example.net;tag=32394234\nCall-ID: ncl.0ha0isndaksdj2193423r542w35\nCSeq: 0 INVITE\nVia: SIP/2.0/UDP 192.0.2.53;branch=z9hG4bKkdjuw\nContact: <sip:caller@example53.example.net>\nContent-Type: application/sdp\nContent-Length: -999\n\n" + tortureSDP},
	{"3.1.2.4 overlarge scalars in a request", 400, "REGISTER sip:example.com SIP/2.0\nVia: SIP/2.0/UDP host129.example.com;branch=z9hG4bK342sdfoi3\nTo: <sip:user@example.com>\nFrom: <sip:user@example.com>;tag=239232jh3\nCSeq: 36893488147419103232 REGISTER\nCall-ID: scalar02.23o0pd9vanlq3wnrlnewofjas9ui32\nMax-Forwards: 300\nExpires: 1" + strings.Repeat("0", 100) + "\nContact: <sip:user@host129.example.com>\n  ;expires=280297596632815\nContent-Length: 0\n\n"},
	{"3.1.2.5 overlarge scalars in a response", silence, "SIP/2.0 503 Service Unavailable\nVia: SIP/2.0/UDP host129.example.com;branch=z9hG4bKzzxdiwo34sw;received=192.0.2.129\nTo: <sip:user@example.com>\nFrom: <sip:other@example.net>;tag=2easdjfejw\nCSeq: 9292394834772304023312 OPTIONS\nCall-ID: scalarlg.noase0of0234hn2qofoaf0232aewf2394r\nRetry-After: 949302838503028349304023988\nWarning: 1812 overture \"In Progress\"\nContent-Length: 0\n\n"},
	{"3.1.2.6 unterminated quoted string", 400, "INVITE sip:user@example.com SIP/2.0\nTo: \"Mr. J. User <sip:j.user@example.com>\nFrom: sip:caller@example.net;tag=93334\nMax-Forwards: 10\nCall-ID: quotbal.aksdj\nContact: <sip:caller@host59.example.net>\nCSeq: 8 INVITE\nVia: SIP/2.0/UDP 192.0.2.59;branch=z9hG4bKkdjuw39234\nContent-Length: 0\n\n"},
	{"3.1.2.7 brackets around the request URI", 400, "INVITE <sip:user@example.com> SIP/2.0\n" + hop("INVITE", "ltgtruri") + contact + "l: 0\n\n"},
	{"3.1.2.8 space in the request URI", 400, "INVITE sip:user@example.com; lr SIP/2.0\n" + hop("INVITE", "lwsruri") + contact + "l: 0\n\n"},
	{"3.1.2.9 several spaces in the request line", 400, "INVITE  sip:user@example.com  SIP/2.0\n" + hop("INVITE", "lwsstart") + contact + "l: 0\n\n"},
	{"3.1.2.10 space after the request line", 400, "OPTIONS sip:remote-target@example.com SIP/2.0  \n" + hop("OPTIONS", "trws") + "l: 0\n\n"},
	{"3.1.2.11 escaped headers in the request URI", 400, "INVITE sip:user@example.com?Route=%3Csip:example.com%3E SIP/2.0\n" + hop("INVITE", "escruri") + contact + "l: 0\n\n"},
	{"3.1.2.12 a Date that is not GMT", arrives, "INVITE sip:user@example.com SIP/2.0\n" + hop("INVITE", "baddate") + contact + "Date: Fri, 01 Jan 2010 16:00:00 EST\nl: 0\n\n"},
	{"3.1.2.13 a Contact that needs brackets", 401, "REGISTER sip:example.com SIP/2.0\n" + hop("REGISTER", "regbadct") + "Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E\nl: 0\n\n"},
	{"3.1.2.14 spaces within an address", 400, "OPTIONS sip:user@example.org SIP/2.0\n" + strings.Replace(hop("OPTIONS", "badaspec"), "sip:user@example.com", "\"Watson, Thomas\" < sip:t.watson@example.org >", 1) + "l: 0\n\n"},
	{"3.1.2.15 a name that must be quoted", 200, "OPTIONS sip:t.watson@example.org SIP/2.0\n" + strings.Replace(hop("OPTIONS", "baddn"), "sip:caller@example.net", "Bell, Alexander <sip:a.g.bell@example.com>", 1) + "l: 0\n\n"},
	{"3.1.2.16 an unknown version", 505, strings.Replace("OPTIONS sip:t.watson@example.org SIP/7.0\n"+hop("OPTIONS", "badvers")+"l: 0\n\n", "Via: SIP/2.0", "Via: SIP/7.0", 1)},
	{"3.1.2.17 method and CSeq differ", 400, "OPTIONS sip:user@example.com SIP/2.0\n" + hop("INVITE", "mismatch01") + "l: 0\n\n"},
	{"3.1.2.18 an unknown method and CSeq differ", 400, "NEWMETHOD sip:user@example.com SIP/2.0\n" + hop("INVITE", "mismatch02") + contact + "l: 0\n\n"},
	{"3.1.2.19 an overlarge status", silence, "SIP/2.0 4294967301 better not break the receiver\n" + hop("INVITE", "bigcode") + "l: 0\n\n"},
	{"3.2.1 a branch without its transaction", 200, strings.Replace("OPTIONS sip:user@example.com SIP/2.0\n"+hop("OPTIONS", "badbranch")+"l: 0\n\n", "z9hG4bKbadbranch", "z9hG4bK", 1)},
	{"3.3.1 missing mandatory fields", silence, "INVITE sip:user@example.com SIP/2.0\nCSeq: 193942 INVITE\nVia: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf\nContent-Type: application/sdp\nl: 0\n\n"},
	{"3.3.2 an unknown scheme in the request URI", 416, "OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0\n" + hop("OPTIONS", "unkscm") + "l: 0\n\n"},
	{"3.3.3 a known scheme that is not SIP's", 416, "OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0\n" + hop("OPTIONS", "novelsc") + "l: 0\n\n"},
	{"3.3.4 unknown schemes in To and Contact", 401, "REGISTER sip:example.com SIP/2.0\n" + strings.Replace(hop("REGISTER", "unksm2"), "To: sip:user@example.com", "To: isbn:2983792873", 1) + "Contact: <name:John_Smith>\nl: 0\n\n"},
	{"3.3.5 extensions that are required", 420, "OPTIONS sip:user@example.com SIP/2.0\n" + hop("OPTIONS", "bext01") + "Require: nothingSupportsThis, nothingSupportsThisEither\nProxy-Require: noProxiesSupportThis, norDoAnyProxiesSupportThis\nl: 0\n\n"},
	{"3.3.6 an unknown type of content", 415, "INVITE sip:user@example.com SIP/2.0\n" + hop("INVITE", "invut") + contact + "Content-Type: application/unknownformat\nContent-Length: 40\n\n<audio>\n <pcmu port=\"443\"/>\n</audio>\n1234"},
	{"3.3.7 an unknown scheme of authorization", 401, "REGISTER sip:example.com SIP/2.0\n" + hop("REGISTER", "regaut01") + "Authorization: NoOneKnowsThisScheme opaque-data=here\nl: 0\n\n"},
	{"3.3.8 several values of what is single", 400, "INVITE sip:user@company.com SIP/2.0\nContact: <sip:caller@host25.example.net>\nVia: SIP/2.0/UDP 192.0.2.25;branch=z9hG4bKkdjuw\nMax-Forwards: 70\nCSeq: 5 INVITE\nCall-ID: multi01.98asdh@192.0.2.1\nCSeq: 59 INVITE\nCall-ID: multi01.98asdh@192.0.2.2\nFrom: sip:caller@example.com;tag=3413415\nTo: sip:user@example.com\nTo: sip:other@example.net\nFrom: sip:caller@example.net;tag=2923420123\nl: 0\nContact: <sip:caller@host36.example.net>\nMax-Forwards: 5\n\n"},
	{"3.3.9 several Content-Length", 400, "OPTIONS sip:user@example.com SIP/2.0\n" + hop("OPTIONS", "mcl01") + "Content-Length: 13\nContent-Length: 5\nContent-Type: text/plain\n\nThere's no way to know how many octets are supposed to be here.\n"},
	{"3.3.10 a response to 255.255.255.255", silence, "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923\nVia: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23\nCall-ID: bcast.0384840201234ksdfak3j2erwedfsASdf\nCSeq: 35 INVITE\nFrom: sip:user@example.com;tag=11141343\nTo: sip:user@example.edu;tag=2229\nContact: <sip:user@host28.example.com>\nl: 0\n\n"},
	{"3.3.11 Max-Forwards of zero", 200, strings.Replace("OPTIONS sip:user@example.com SIP/2.0\n"+hop("OPTIONS", "zeromf")+"l: 0\n\n", "Max-Forwards: 70", "Max-Forwards: 0", 1)},
	{"3.3.12 a Contact header's parameter", 401, "REGISTER sip:example.com SIP/2.0\n" + hop("REGISTER", "cparam01") + "Contact: sip:+19725552222@gw1.example.net;unknownparam\nl: 0\n\n"},
	{"3.3.13 a Contact address's parameter", 401, "REGISTER sip:example.com SIP/2.0\n" + hop("REGISTER", "cparam02") + "Contact: <sip:+19725552222@gw1.example.net;unknownparam>\nl: 0\n\n"},
	{"3.3.14 escaped headers in a Contact", 401, "REGISTER sip:example.com SIP/2.0\n" + hop("REGISTER", "regescrt") + "Contact: <sip:user@example.com?Route=%3Csip:sip.example.com%3E>\nl: 0\n\n"},
	{"3.3.15 only an unacceptable answer is accepted", 406, withBody("INVITE sip:user@example.com SIP/2.0\n"+hop("INVITE", "sdp01")+contact+"Accept: text/nobodyKnowsThis\n", tortureSDP)},
	{"3.4.1 an INVITE of RFC 2543", 400, withBody("INVITE sip:UserB@example.com SIP/2.0\nVia: SIP/2.0/UDP iftgw.example.com\nFrom: <sip:+13035551111@ift.client.example.net;user=phone>\nRecord-Route: <sip:UserB@example.com;maddr=ss1.example.com>\nTo: sip:+16505552222@ss1.example.net;user=phone\nCall-ID: inv2543.1717@ift.client.example.com\nCSeq: 56 INVITE\n", tortureSDP)},
}

// tortures5118 are those of RFC 5118.
var tortures5118 = []torture{
	{"4.1 an IPv6 reference", 401, ipv6("sip:[2001:db8::10]", "[2001:db8::9:1]", "[2001:db8::9:1]")},
	{"4.2 an IPv6 address without brackets", 400, ipv6("sip:2001:db8::10", "[2001:db8::9:1]", "[2001:db8::9:1]")},
	{"4.3 a port that became part of the address", 401, ipv6("sip:[2001:db8::10:5070]", "[2001:db8::9:1]", "[2001:db8::9:1]")},
	{"4.4 a port after the brackets", 401, ipv6("sip:[2001:db8::10]:5070", "[2001:db8::9:1]", "[2001:db8::9:1]")},
	{"4.5 received with brackets", 200, strings.Replace("OPTIONS sip:[2001:db8::10] SIP/2.0\n"+hop("OPTIONS", "recv1")+"l: 0\n\n", "host5.example.com;", "[2001:db8::9:1];received=[2001:db8::9:255];", 1)},
	{"4.5 received without brackets", 200, strings.Replace("OPTIONS sip:[2001:db8::10] SIP/2.0\n"+hop("OPTIONS", "recv2")+"l: 0\n\n", "host5.example.com;", "[2001:db8::9:1];received=2001:db8::9:255;", 1)},
	{"4.6 a session of IPv6", arrives, withBody("INVITE sip:user@[2001:db8::10] SIP/2.0\n"+hop("INVITE", "v6sdp")+"Contact: <sip:caller@[2001:db8::1]>\n", "v=0\no=assistant 971731711378798081 0 IN IP6 2001:db8::20\ns=Live video feed for today's meeting\nc=IN IP6 2001:db8::20\nt=3338481189 3370017201\nm=audio 6000 RTP/AVP 2\na=rtpmap:2 G726-32/8000\nm=video 6024 RTP/AVP 107\na=rtpmap:107 H263-1998/90000\n")},
	{"4.7 addresses of both kinds in headers", 200, strings.Replace("OPTIONS sip:user@[2001:db8::10] SIP/2.0\n"+hop("OPTIONS", "mult")+"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\nVia: SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKb\nContact: \"A\" <sip:user@192.0.2.1>, \"B\" <sip:user@[2001:db8::9]>\nl: 0\n\n", "host5.example.com", "[2001:db8::9:1]", 1)},
	{"4.8 a session of both kinds", arrives, withBody("INVITE sip:user@[2001:db8::10] SIP/2.0\n"+hop("INVITE", "bothsdp")+"Contact: <sip:caller@[2001:db8::20]>\n", "v=0\no=bob 280744730 28977631 IN IP4 host.example.com\ns=\nt=0 0\nm=audio 22334 RTP/AVP 0\nc=IN IP4 192.0.2.1\nm=video 6024 RTP/AVP 107\nc=IN IP6 2001:db8::1\na=rtpmap:107 H263-1998/90000\n")},
	{"4.9 an IPv4-mapped address", arrives, withBody("INVITE sip:user@example.com SIP/2.0\n"+hop("INVITE", "mapped")+"Contact: <sip:caller@[::ffff:192.0.2.1]>\n", "v=0\no=bob 280744730 28977631 IN IP6 ::ffff:192.0.2.1\ns=\nc=IN IP6 ::ffff:192.0.2.10\nt=0 0\nm=audio 22334 RTP/AVP 0\n")},
	{"4.10 three colons, of an error in a grammar", 200, "OPTIONS sip:user@[2001:db8:::192.0.2.1] SIP/2.0\n" + hop("OPTIONS", "colons") + "l: 0\n\n"},
}

func ipv6(uri, via, host string) string {
	return "REGISTER " + uri + " SIP/2.0\nTo: sip:user@example.com\nFrom: sip:user@example.com;tag=81x2\nVia: SIP/2.0/UDP " + via + ";branch=z9hG4bKas3-111\nCall-ID: SSG9559905523997077@hlau_4100\nMax-Forwards: 70\nContact: \"Caller\" <sip:caller@" + host + ">\nCSeq: 98176 REGISTER\nContent-Length: 0\n\n"
}

// TestTorture sends every message as the datagram it is, and makes a call right
// after each. The sender is at the port that answers go to by the topmost Via.
func TestTorture(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	in := trunkPeer(t, s)
	if _, err := s.AddPeer(Peer{Name: "phone", Username: "201", Password: userPass, Register: true}); err != nil {
		t.Fatal(err)
	}
	pc, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 44, 75, 51), Port: 5060})
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	r := &raw{t: t, pc: pc, to: s, seen: map[string]bool{}}
	for i, c := range append(append([]torture{}, tortures4475...), tortures5118...) {
		r.send(c.text)
		got := silence
		wait := patience
		if c.want == silence {
			wait = 4 * testT1
		}
		buf := make([]byte, 65536)
		for limit := time.Now().Add(wait); got == silence && time.Now().Before(limit); {
			_ = pc.SetReadDeadline(limit)
			n, err := pc.Read(buf)
			if err != nil {
				break
			}
			// Not by the parser under test: an answer may repeat what it cannot read.
			status, rest, _ := strings.Cut(strings.TrimPrefix(string(buf[:n]), "SIP/2.0 "), " ")
			_, id, _ := strings.Cut(rest, "\r\nCall-ID: ")
			if _, other, ok := strings.Cut(rest, "\r\ni: "); ok {
				id = other
			}
			id, _, _ = strings.Cut(id, "\r\n")
			if strings.Contains(c.text, id) {
				got, _ = strconv.Atoi(status)
			}
		}
		if got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
		if got == arrives {
			in.take(t).Reject(486, Reason{})
		}
		good := newRaw(t, s)
		good.send(good.invite("bob", fmt.Sprint("after", i)))
		in.take(t).Reject(486, Reason{})
		good.response(486)
	}
	select {
	case d := <-in.ch:
		t.Errorf("one more arrived: %+v", d.Info())
	default:
	}
}

// TestTortureContacts signs the messages of RFC 4475 that register, and calls what
// they have registered.
func TestTortureContacts(t *testing.T) {
	t.Parallel()
	for section, want := range map[string]struct {
		user    string
		contact string // that is registered
		called  string // the request URI of a call
	}{
		"3.1.1.8": {"j.user", "sip:j.user@host.example.com", "sip:j.user@host.example.com"},
		// Liberal, as the RFC allows: what is not between brackets can mean nothing else.
		"3.1.2.13": {"user", "sip:user@example.com?Route=%3Csip:sip.example.com%3E", "sip:user@example.com"},
		"3.3.12":   {"user", "sip:+19725552222@gw1.example.net", "sip:+19725552222@gw1.example.net"},
		"3.3.13":   {"user", "sip:+19725552222@gw1.example.net;unknownparam", "sip:+19725552222@gw1.example.net;unknownparam"},
		// A call takes no orders of a contact: its Route is left out (RFC 3261 §19.1.5).
		"3.3.14": {"user", "sip:user@example.com?Route=%3Csip:sip.example.com%3E", "sip:user@example.com"},
	} {
		t.Run(section, func(t *testing.T) {
			s := startStack(t)
			in := trunkPeer(t, s)
			pc, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 44, 75, 52), Port: 5060})
			if err != nil {
				t.Fatal(err)
			}
			defer pc.Close()
			if _, err := s.AddPeer(Peer{Name: "phone", Username: want.user, Password: userPass, Register: true}); err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(tortures4475, func(c torture) bool { return strings.HasPrefix(c.name, section+" ") })
			r := &raw{t: t, pc: pc, to: s, seen: map[string]bool{}}
			text := tortures4475[i].text
			r.send(text)
			proof := authorizationOf(t, challenge(t, r.response(401), "MD5"), want.user, "REGISTER", "sip:example.com", userPass, 1)
			text = strings.Replace(text, "CSeq: 8 REGISTER\n", "CSeq: 9 REGISTER\n"+proof+"\n", 1)
			r.send(strings.Replace(text, "branch=z9hG4bK", "branch=z9hG4bKsigned", 1))
			if v := headerValue(r.response(200), "Contact"); !strings.HasPrefix(v, "<"+want.contact+">;expires=") {
				t.Errorf("registered %q", v)
			}
			bs := s.Bindings(want.user)
			if len(bs) != 1 || bs[0].Contact != want.contact {
				t.Fatalf("bindings %+v", bs)
			}
			d, err := s.Invite(t.Context(), Invite{Binding: &bs[0], From: "00", SDP: []byte(sdpA)})
			if err != nil {
				t.Fatal(err)
			}
			inv := r.request("INVITE")
			if inv.Recipient.String() != want.called || inv.GetHeader("Route") != nil {
				t.Errorf("called by\n%s", inv)
			}
			r.answer(inv, 486, "t", "", "")
			expectEnd(t, d)
			if len(in.ch) > 0 { // the INVITE behind 3.1.1.8
				t.Errorf("a call arrived: %+v", (<-in.ch).Info())
			}
		})
	}
}
