//go:build e2e

package e2e

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"callbox/media/codec"
)

// TestPacketTimes: two phones that want packets of different lengths get what they
// want, whatever the other one sends, and hear each other.
func TestPacketTimes(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	said := speak(t, "The tide turns at a quarter to seven.")
	for i, want := range [][2]int{{10, 60}, {60, 30}, {30, 40}, {40, 10}} {
		t.Run(fmt.Sprintf("%d and %d ms", want[0], want[1]), func(t *testing.T) {
			hosts := [2]string{fmt.Sprintf("127.0.1.%d", 2*i+2), fmt.Sprintf("127.0.1.%d", 2*i+3)}
			alice := softphone(t, g, hosts[0], "alice", "a1l2i3c4e5")
			bob := softphone(t, g, hosts[1], "bob", "b1o2b3b4o5")
			t.Cleanup(alice.Leave)
			t.Cleanup(bob.Leave)
			mine := newSound(t, hosts[0], fmt.Sprintf("RTP/AVP 0\r\na=ptime:%d\r\n", want[0]))
			theirs := newSound(t, hosts[1], fmt.Sprintf("RTP/AVP 0\r\na=maxptime:%d\r\na=ptime:%d\r\n", want[1], want[1]))
			bob.AnswerWith(theirs.sdp)
			if err := alice.CallWith(t.Context(), "bob", mine.sdp); err != nil {
				t.Fatal(err)
			}
			lift(t, bob)
			if err := alice.WaitUp(t.Context()); err != nil {
				t.Fatal(err)
			}
			// The box sends first: its silence shows where it wants sound.
			for _, way := range []struct {
				from, to     soundSocket
				sent, wanted int
			}{{mine, theirs, want[0], want[1]}, {theirs, mine, want[1], want[0]}} {
				way.to.drain()
				say(t, way.from, said, way.sent)
				got := way.to.listen(t, way.wanted, len(said)+2*rate)
				hears(t, "the other", got, said)
			}
			if err := alice.Hangup(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := bob.WaitEnd(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// say sends µ-law packets of ptime ms to where the socket's sound comes from, beside
// the caller.
func say(t *testing.T, from soundSocket, said []int16, ptime int) {
	t.Helper()
	buf := make([]byte, 2000)
	from.SetReadDeadline(time.Now().Add(patience))
	_, box, err := from.ReadFrom(buf)
	if err != nil {
		t.Fatal(err)
	}
	encoded := make([]byte, len(said)/(ptime*8)*ptime*8)
	codec.PCMU.Encode(encoded, said)
	done := make(chan struct{})
	t.Cleanup(func() { <-done })
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Duration(ptime) * time.Millisecond)
		defer tick.Stop()
		for n := 0; n*ptime*8 < len(encoded); n++ {
			p := binary.BigEndian.AppendUint16([]byte{0x80, 0}, uint16(n))
			p = binary.BigEndian.AppendUint32(p, uint32(n*ptime*8))
			p = append(p, 1, 2, 3, byte(ptime))
			if _, err := from.WriteTo(append(p, encoded[n*ptime*8:(n+1)*ptime*8]...), box); err != nil {
				return // the test is over
			}
			<-tick.C
		}
	}()
}

// drain forgets what has come so far.
func (s soundSocket) drain() {
	s.SetReadDeadline(time.Now().Add(time.Millisecond))
	buf := make([]byte, 2000)
	for {
		if _, _, err := s.ReadFrom(buf); err != nil {
			return
		}
	}
}

// listen takes µ-law packets, all of ptime ms, until it has n samples.
func (s soundSocket) listen(t *testing.T, ptime, n int) (heard []int16) {
	t.Helper()
	s.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 2000)
	odd := 0
	for len(heard) < n {
		k, _, err := s.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		if k-12 != ptime*8 {
			if odd++; odd > n/(ptime*8) { // one that a gap has cut short
				t.Fatalf("packets of %d ms, want %d ms", (k-12)/8, ptime)
			}
			continue
		}
		frame := make([]int16, k-12)
		codec.PCMU.Decode(frame, buf[12:k])
		heard = append(heard, frame...)
	}
	if most := n / (ptime * 8) / 20; odd > most {
		t.Errorf("%d packets have another length than %d ms", odd, ptime)
	}
	return heard
}

// TestOffers: what the box answers to offers of all kinds, on the wire.
func TestOffers(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	g, _ := trunked(t, a, "")
	a.doc("/in", `<Response><Pause length="0"/><Play>/nothing.wav</Play><Pause length="60"/></Response>`)
	rtp := freePorts(t, 2)
	audio := fmt.Sprintf("m=audio %d RTP/AVP 0 8\r\n", rtp)
	for i, tt := range []struct {
		name, offer string
		status      int
		want        string // m= lines of the answer, without the box's port
		direction   string
	}{
		{"audio and video", audio + "m=video 6000 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n", 200, "audio N RTP/AVP 0|video 0 RTP/AVP 96", "sendrecv"},
		{"video first", "m=video 6000 RTP/AVP 31\r\n" + audio, 200, "video 0 RTP/AVP 31|audio N RTP/AVP 0", "sendrecv"},
		{"two audio", audio + "m=audio 6000 RTP/AVP 8\r\n", 200, "audio N RTP/AVP 0|audio 0 RTP/AVP 8", "sendrecv"},
		{"the first one off", "m=audio 0 RTP/AVP 8\r\n" + audio, 200, "audio 0 RTP/AVP 8|audio N RTP/AVP 0", "sendrecv"},
		{"fax beside", audio + "m=image 6000 udptl t38\r\na=T38FaxVersion:0\r\n", 200, "audio N RTP/AVP 0|image 0 udptl t38", "sendrecv"},
		{"application first", "m=application 6000 UDP/BFCP *\r\n" + audio, 200, "application 0 UDP/BFCP *|audio N RTP/AVP 0", "sendrecv"},
		{"bundled", "a=group:BUNDLE 0 1\r\n" + audio + "a=mid:0\r\nm=video 6000 RTP/AVP 31\r\na=mid:1\r\n", 200, "audio N RTP/AVP 0|video 0 RTP/AVP 31", "sendrecv"},
		{"held", audio + "a=sendonly\r\n", 200, "audio N RTP/AVP 0", "recvonly"},
		{"inactive", audio + "a=inactive\r\n", 200, "audio N RTP/AVP 0", "inactive"},
		{"listening only", audio + "a=recvonly\r\n", 200, "audio N RTP/AVP 0", "sendonly"},
		{"fax alone", "m=image 6000 udptl t38\r\n", 488, "", ""},
		{"video alone", "m=video 6000 RTP/AVP 31\r\n", 488, "", ""},
		{"switched off", "m=audio 0 RTP/AVP 0\r\n", 488, "", ""},
		{"an unknown codec", fmt.Sprintf("m=audio %d RTP/AVP 3\r\n", rtp), 488, "", ""},
		{"not a description", "hello", 400, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRawCaller(t, g, fmt.Sprintf("offer%d", i), rtp)
			head := "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
			if tt.status == 400 {
				head = ""
			}
			r.body = head + tt.offer
			r.send(r.request("INVITE", "a", 1), 1)
			answer := r.must("1 INVITE", tt.status)
			if tt.status != 200 {
				r.send(r.request("ACK", "a", 1), 1)
				return
			}
			r.send(r.request("ACK 200", "b", 1), 1)
			checkAnswer(t, answer, tt.want, tt.direction, 1)
			// A stream more in a re-INVITE comes behind, and stays refused.
			r.body = strings.Replace(head, "o=- 1 1", "o=- 1 2", 1) + tt.offer + "m=text 6004 RTP/AVP 98\r\n"
			r.send(r.request("INVITE", "c", 2), 1)
			answer = r.must("2 INVITE", 200)
			r.send(r.request("ACK 200", "d", 2), 1)
			checkAnswer(t, answer, tt.want+"|text 0 RTP/AVP 98", tt.direction, 2)
			// Without an offer the box makes one, with every stream in its place.
			r.body = ""
			r.send(r.request("INVITE", "e", 3), 1)
			answer = r.must("3 INVITE", 200)
			r.body = strings.Replace(head, "o=- 1 1", "o=- 1 3", 1) + tt.offer + "m=text 0 RTP/AVP 98\r\n"
			r.send(r.request("ACK 200", "f", 3), 1)
			checkAnswer(t, answer, strings.Replace(tt.want, "RTP/AVP 0", "RTP/AVP 0 8 101", 1)+"|text 0 RTP/AVP 98", "sendrecv", 3)
			r.send(r.request("BYE", "g", 4), 1)
			r.must("4 BYE", 200)
		})
	}
}

// checkAnswer checks the m= lines of a message's session description, its
// direction and its version.
func checkAnswer(t *testing.T, message, want, direction string, version int) {
	t.Helper()
	_, body, _ := strings.Cut(message, "\r\n\r\n")
	var got []string
	for l := range strings.Lines(body) {
		f := strings.Fields(strings.TrimPrefix(l, "m="))
		if !strings.HasPrefix(l, "m=") {
			continue
		}
		if f[1] != "0" {
			f[1] = "N"
		}
		got = append(got, strings.Join(f, " "))
	}
	if strings.Join(got, "|") != want || !strings.Contains(body, "a="+direction+"\r\n") {
		t.Errorf("want %s, %s; the description is\n%s", want, direction, body)
	}
	if o := find(t, body, `o=- \d+ (\d+) IN`); o != fmt.Sprint(version) {
		t.Errorf("version %s of the %d. description", o, version)
	}
}
