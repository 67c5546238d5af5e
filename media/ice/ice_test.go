package ice

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// rfcRequest is that request whole.
func rfcRequest(t testing.TB) []byte {
	t.Helper()
	b, err := hex.DecodeString("000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b151263b36" +
		"000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVectors(t *testing.T) {
	t.Parallel()
	c, err := parse(rfcRequest(t))
	if err != nil {
		t.Fatal(err)
	}
	if string(c.username) != "evtj:h6vY" || c.priority != 0x6e0001ff || !c.controlled || c.nominates || len(c.unknown) != 0 {
		t.Errorf("read %+v", c)
	}
	if !c.signedBy("VOkJxbRl1RmTxUk/WvJxBt") || c.signedBy("VOkJxbRl1RmTxUk/WvJxBu") {
		t.Error("the signature is judged wrongly")
	}
	// RFC 5769 §2.2 and §2.3, without SOFTWARE: the mapped address.
	id := [12]byte(rfcRequest(t)[8:20])
	for addr, want := range map[string]string{
		"192.0.2.1:32853": "0001a147e112a643",
		"[2001:db8:1234:5678:11:2233:4455:6677]:32853": "0002a1470113a9faa5d3f179bc25f4b5bed2b9d9",
	} {
		r := newReply(success, id)
		r.address(netip.MustParseAddrPort(addr))
		if got := hex.EncodeToString(r.Bytes()[headerBytes+4:]); got != want {
			t.Errorf("%s is written %s, want %s", addr, got, want)
		}
	}
}

var (
	far   = netip.MustParseAddrPort("198.51.100.7:50000")
	other = netip.MustParseAddrPort("[2001:db8::7]:50001")
)

// ask makes a check as a browser does.
func ask(user, password string, attrs ...func(*reply)) []byte {
	r := newReply(request, [12]byte{1, 2, 3})
	r.add(attrUsername, []byte(user))
	for _, a := range attrs {
		a(r)
	}
	return r.finish(password)
}

func use(r *reply) { r.add(attrUse, nil) }

func priority(n uint32) func(*reply) {
	return func(r *reply) { r.add(attrPriority, binary.BigEndian.AppendUint32(nil, n)) }
}

// status is that of an answer: 200, or what it refuses with.
func status(t *testing.T, b []byte, password string) int {
	t.Helper()
	if b == nil {
		return 0
	}
	// An answer is signed and sealed as a request is.
	asked := bytes.Clone(b)
	kind := binary.BigEndian.Uint16(b)
	end := len(b) - 8
	if binary.BigEndian.Uint32(b[end+4:]) != checksum(b[:end]) {
		t.Error("the answer's fingerprint is wrong")
	}
	at := end - 24
	if !bytes.Equal(asked[at+4:end], sign(asked[:at], password)) {
		t.Error("the answer's signature is wrong")
	}
	if kind == success {
		return 200
	}
	return int(b[headerBytes+6])*100 + int(b[headerBytes+7])
}

func TestAgent(t *testing.T) {
	t.Parallel()
	a := NewAgent()
	own := a.Local()
	now := time.Unix(1_800_000_000, 0)
	user := own.Ufrag + ":theirs"
	take := func(b []byte, from netip.AddrPort) (int, bool) {
		t.Helper()
		answer, chosen := a.Take(b, from, now)
		return status(t, answer, own.Password), chosen
	}
	for name, b := range map[string][]byte{
		"wrong password": ask(user, own.Password+"x"), "wrong name": ask("x"+user, own.Password), "no name": ask("", own.Password),
		"RFC's": rfcRequest(t), "empty": nil, "text": []byte("GET / HTTP/1.1\r\n\r\n--------"),
		"changed on the way": append(ask(user, own.Password)[:40], ask(user, own.Password)[41:]...),
		"use behind the signature": func() []byte {
			r := newReply(request, [12]byte{})
			r.add(attrUsername, []byte(user))
			return r.finish("no password of ours")
		}(),
	} {
		if s, chosen := take(b, far); s != 0 || chosen {
			t.Errorf("%s: %d, %v", name, s, chosen)
		}
	}
	if a.Proven(far) || !a.Heard().IsZero() || a.Stats().Ignored != 8 {
		t.Errorf("strangers count: %+v", a.Stats())
	}
	if s, chosen := take(ask(user, own.Password, priority(100)), far); s != 200 || chosen || !a.Proven(far) || a.Selected().IsValid() {
		t.Errorf("a check: %d, %v", s, chosen)
	}
	if s, chosen := take(ask(user, own.Password, priority(100), use), far); s != 200 || !chosen || a.Selected() != far {
		t.Errorf("a nomination: %d, %v, %v", s, chosen, a.Selected())
	}
	if s, _ := take(ask(user, own.Password, func(r *reply) { r.add(attrControlled, make([]byte, 8)) }), far); s != 487 {
		t.Errorf("two without control: %d", s)
	}
	if s, _ := take(ask(user, own.Password, func(r *reply) { r.add(0x7001, nil) }), far); s != 420 {
		t.Errorf("an unknown attribute: %d", s)
	}
	// Another address of lower priority waits until the chosen one is given up.
	if _, chosen := take(ask(user, own.Password, priority(50), use), other); chosen {
		t.Error("a worse address took over at once")
	}
	now = now.Add(keepNominated)
	if _, chosen := take(ask(user, own.Password, priority(50), use), other); !chosen || a.Selected() != other {
		t.Error("an address that is nominated no more was kept")
	}
	if _, chosen := take(ask(user, own.Password, priority(60), use), far); !chosen || a.Selected() != far {
		t.Error("a better address did not take over")
	}
	if !a.Heard().Equal(now) {
		t.Errorf("heard %v", a.Heard())
	}
	for i := range 2 * maxProven {
		take(ask(user, own.Password), netip.AddrPortFrom(far.Addr(), uint16(i+1)))
	}
	if len(a.proven) != maxProven || a.Proven(far) {
		t.Errorf("%d addresses are remembered", len(a.proven))
	}
}

func TestRestart(t *testing.T) {
	t.Parallel()
	a := NewAgent()
	old := a.Local()
	if first, again := a.Remote("one"), a.Remote("one"); first || again {
		t.Error("the first credentials are a restart")
	}
	now := time.Unix(1_800_000_000, 0)
	if answer, _ := a.Take(ask(old.Ufrag+":two", old.Password), far, now); answer != nil {
		t.Error("the check of another far end was answered")
	}
	a.Take(ask(old.Ufrag+":one", old.Password, priority(100), use), far, now)
	if !a.Remote("two") || a.Local() == old {
		t.Error("a restart keeps our credentials")
	}
	if a.Selected() != far {
		t.Error("a restart forgets the way")
	}
	if answer, _ := a.Take(ask(old.Ufrag+":one", old.Password), far, now); answer == nil {
		t.Error("a check that was under way gets no answer")
	}
	if answer, chosen := a.Take(ask(a.Local().Ufrag+":two", a.Local().Password, priority(1), use), other, now); answer == nil || !chosen {
		t.Error("the new way was not taken")
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	c := NewCredentials()
	if len(c.Ufrag) < 4 || len(c.Password) < 22 || c == NewCredentials() {
		t.Errorf("credentials of %d and %d characters", len(c.Ufrag), len(c.Password))
	}
	if text := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(text, c.Password) {
		t.Errorf("the password is shown: %s", text)
	}
	if got := Text(1, netip.MustParseAddrPort("[::ffff:192.0.2.1]:40000")); got != "2 1 udp 2130706175 192.0.2.1 40000 typ host" {
		t.Errorf("candidate %s", got)
	}
	var none Agent
	if answer, _ := none.Take(ask(":", ""), far, time.Unix(0, 0)); answer != nil {
		t.Error("an agent without credentials answers")
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	long := rfcRequest(t)
	long[23] = 0xF0
	sealed := rfcRequest(t)
	sealed[len(sealed)-1]++
	for name, tc := range map[string]struct {
		b    []byte
		want error
	}{
		"cut": {rfcRequest(t)[:50], errNoSTUN}, "attribute too long": {long, errCut}, "fingerprint": {sealed, errChecksum},
		"unsigned": {func() []byte { b, _ := hex.DecodeString("000100002112a442000000000000000000000000"); return b }(), errUnsigned},
	} {
		if _, err := parse(tc.b); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzTake holds that nothing that arrives makes the agent panic, and that it
// answers nobody who does not know the password.
func FuzzTake(f *testing.F) {
	f.Add(rfcRequest(f))
	f.Add(rfcRequest(f)[:60])
	f.Add(ask("evtj:h6vY", "password", priority(1), use))
	f.Add([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42})
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		a := NewAgent()
		if answer, chosen := a.Take(b, far, time.Unix(1_800_000_000, 0)); answer != nil || chosen {
			t.Fatalf("answered with %x", answer)
		}
		if !bytes.Equal(b, before) {
			t.Fatal("the datagram was changed")
		}
		_, _ = parse(b)
	})
}
