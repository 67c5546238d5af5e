//go:build e2e

package e2e

import (
	"encoding/binary"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"

	"callbox/media/codec"
)

// captured is a packet of a capture file.
type captured struct {
	from, to netip.AddrPort
	data     []byte
}

// readCapture reads a pcapng file of UDP over IPv4.
func readCapture(t *testing.T, file string) (out []captured) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for len(b) >= 12 {
		kind, n := binary.LittleEndian.Uint32(b), int(binary.LittleEndian.Uint32(b[4:]))
		if n < 12 || n > len(b) || int(binary.LittleEndian.Uint32(b[n-4:])) != n {
			t.Fatalf("a block %x of %d bytes where %d are left", kind, n, len(b))
		}
		if kind == 6 {
			ip := b[28 : 28+binary.LittleEndian.Uint32(b[20:])]
			if ip[0] != 0x45 || ip[9] != 17 || len(ip) != int(binary.BigEndian.Uint16(ip[2:])) {
				t.Fatalf("no UDP over IPv4: %x", ip)
			}
			at := func(addr, port int) netip.AddrPort {
				return netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[addr:addr+4])), binary.BigEndian.Uint16(ip[20+port:]))
			}
			out = append(out, captured{at(12, 0), at(16, 2), ip[28:]})
		}
		b = b[n:]
	}
	if len(b) > 0 {
		t.Fatalf("%d bytes behind the last block", len(b))
	}
	return out
}

// sounds gives the PCMU that packets from and to an address carry, in the order of
// their timestamps.
func sounds(t *testing.T, packets []captured, far netip.AddrPort, sent bool) (heard []int16) {
	t.Helper()
	var list []rtp.Packet
	for _, c := range packets {
		var p rtp.Packet
		if (sent && c.to == far || !sent && c.from == far) && p.Unmarshal(c.data) == nil && p.PayloadType == 0 {
			list = append(list, p)
		}
	}
	slices.SortStableFunc(list, func(a, b rtp.Packet) int { return int(int32(a.Timestamp - b.Timestamp)) })
	for _, p := range list {
		pcm := make([]int16, len(p.Payload))
		codec.PCMU.Decode(pcm, p.Payload)
		heard = append(heard, pcm...)
	}
	return heard
}

// TestCapture captures the next call whole: its messages, its sound both ways and the
// goodbye by RTCP stand in one file, also when it is asked for after the end.
func TestCapture(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	g, port := trunked(t, a, "")
	prompt := speak(t, "This call is looked at by the technician.")
	file := filepath.Join(t.TempDir(), "live.pcapng")
	live := exec.Command(callbox(t), "trace", "next", "--rtp", "--pcap", file)
	live.Env = append(os.Environ(), "CALLBOX_DATA="+g.dir)
	var said lockedBuffer
	live.Stdout, live.Stderr = &said, &said
	if err := live.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { live.Process.Kill() })
	done := make(chan error, 1)
	go func() { done <- live.Wait() }()
	sid := ""
	for sid == "" { // until the command has begun to wait
		startSIPp(t, port, 1, recv("INVITE")+established+hungUp, "-rtp_echo")
		one := g.create(url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Url": {a.doc("/say", "<Response><Play>"+a.wav("/prompt.wav", prompt)+"</Play><Pause length=\"1\"/></Response>")}})
		g.until(one, "completed")
		if strings.Contains(said.String(), one) {
			sid = one
		}
		if len(g.calls()) > 20 {
			t.Fatalf("the command does not see calls: %s", said.String())
		}
	}
	select {
	case err := <-done:
		if err != nil {
			t.Fatalf("%v: %s", err, said.String())
		}
	case <-time.After(patience):
		t.Fatalf("the capture does not end with the call: %s", said.String())
	}
	later := filepath.Join(t.TempDir(), "later.pcapng")
	g.run("trace", sid, "--rtp", "--pcap", later)
	for _, f := range []string{file, later} {
		packets := readCapture(t, f)
		seen := map[string]bool{}
		far := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16((20000+port)&^1))
		for _, c := range packets {
			first, _, _ := strings.Cut(string(c.data), "\r\n")
			seen[strings.Fields(first + " -")[0]] = true
			if len(c.data) > 1 && c.data[1] >= 200 && c.data[1] <= 204 && c.to.Port() == far.Port()+1 {
				seen["RTCP"] = true
			}
		}
		if !seen["INVITE"] || !seen["BYE"] || !seen["ACK"] || !seen["RTCP"] {
			t.Errorf("%s lacks some of INVITE, ACK, BYE and RTCP: %d packets", filepath.Base(f), len(packets))
		}
		for _, sent := range []bool{true, false} {
			if like := similarity(sounds(t, packets, far, sent), prompt); like < 0.8 {
				t.Errorf("%s, sent %v: the sound is like the prompt by %.2f only", filepath.Base(f), sent, like)
			}
		}
	}
	for _, args := range [][]string{{"trace", sid, "--rtp"}, {"trace", "CA00000000000000000000000000000000", "--rtp", "--pcap", later + "2"}} {
		if out, err := g.tryRun(args...); err == nil || !strings.Contains(out, "callbox: ") {
			t.Errorf("%v: %v, %s", args, err, out)
		}
	}
	if _, err := os.Stat(later + "2"); err == nil {
		t.Error("a file was made for an unknown call")
	}
}
