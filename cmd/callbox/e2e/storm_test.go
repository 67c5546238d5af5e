//go:build e2e

package e2e

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// rawPhone is the answering side of one call as bare datagrams: it takes one
// INVITE, speaks µ-law and keeps what it hears.
type rawPhone struct {
	t        *testing.T
	at       place
	sip, rtp *net.UDPConn
	running  sync.WaitGroup

	mu     sync.Mutex
	invite string       // the INVITE that was answered
	box    *net.UDPAddr // where the box wants sound
	says   chan []byte  // further µ-law samples
	ended  bool         // BYE has come
	heard  map[uint16][]byte
	// registered is the Contact of the last REGISTER.
	registered string
	first      uint16
	late       time.Duration // the latest that a packet of ours was sent
}

// newRawPhone answers on 127.0.0.1:port, with sound on rtpPort, and says µ-law
// samples from the answer on.
func newRawPhone(t *testing.T, port, rtpPort int, says []byte) *rawPhone {
	t.Helper()
	return place{}.newRawPhone(t, port, rtpPort, says)
}

// newRawPhone is the same at another place.
func (at place) newRawPhone(t *testing.T, port, rtpPort int, says []byte) *rawPhone {
	t.Helper()
	p := &rawPhone{t: t, at: at, heard: map[uint16][]byte{}, says: make(chan []byte)}
	err := at.inside(func() error {
		for conn, n := range map[**net.UDPConn]int{&p.sip: port, &p.rtp: rtpPort} {
			c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(at.host()), Port: n})
			if err != nil {
				return err
			}
			*conn = c
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	p.running.Add(3)
	stop := make(chan struct{})
	go p.answer()
	go p.listen()
	go p.speak(says, stop)
	t.Cleanup(func() {
		close(stop)
		p.sip.Close()
		p.rtp.Close()
		p.running.Wait()
	})
	return p
}

// answer takes the INVITE and everything after it.
func (p *rawPhone) answer() {
	defer p.running.Done()
	buf := make([]byte, 65536)
	for {
		n, from, err := p.sip.ReadFromUDP(buf)
		if err != nil {
			return
		}
		text := string(buf[:n])
		method, _, _ := strings.Cut(text, " ")
		body, typ := "", ""
		switch method {
		case "ACK", "SIP/2.0":
			continue
		case "INVITE":
			p.taken(text)
			body = fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 %[1]s\r\ns=-\r\nc=IN IP4 %[1]s\r\nt=0 0\r\nm=audio %[2]d RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n",
				p.at.host(), p.rtp.LocalAddr().(*net.UDPAddr).Port)
			typ = "Content-Type: application/sdp\r\n"
		case "REGISTER":
			_, contact, _ := strings.Cut(text, "\r\nContact: ")
			contact, _, _ = strings.Cut(contact, "\r\n")
			p.mu.Lock()
			p.registered = contact
			p.mu.Unlock()
		case "BYE":
			p.mu.Lock()
			p.ended = true
			p.mu.Unlock()
		}
		var b strings.Builder
		b.WriteString("SIP/2.0 200 OK\r\n")
		for _, l := range strings.Split(text, "\r\n") {
			for _, h := range []string{"Via: ", "From: ", "To: ", "Call-ID: ", "CSeq: "} {
				if strings.HasPrefix(l, h) {
					if h == "To: " && !strings.Contains(l, ";tag=") {
						l += ";tag=raw"
					}
					b.WriteString(l + "\r\n")
				}
			}
		}
		fmt.Fprintf(&b, "Contact: <sip:raw@%s>\r\n%sContent-Length: %d\r\n\r\n%s", p.sip.LocalAddr(), typ, len(body), body)
		p.sip.WriteToUDP([]byte(b.String()), from)
	}
}

// taken keeps the first INVITE, and where the last one wants sound.
func (p *rawPhone) taken(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := regexp.MustCompile(`(?m)^m=audio (\d+) `).FindStringSubmatch(text)
	c := regexp.MustCompile(`(?m)^c=IN IP4 ([\d.]+)`).FindStringSubmatch(text)
	if m == nil || c == nil {
		return
	}
	if p.invite == "" {
		p.invite = text
	}
	port, _ := strconv.Atoi(m[1])
	p.box = &net.UDPAddr{IP: net.ParseIP(c[1]), Port: port}
}

// media is where the box wants sound, nil before the INVITE.
func (p *rawPhone) media() *net.UDPAddr {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.box
}

// listen keeps the payloads by their sequence numbers.
func (p *rawPhone) listen() {
	defer p.running.Done()
	buf := make([]byte, 2048)
	for {
		n, err := p.rtp.Read(buf)
		if err != nil {
			return
		}
		if n != 172 || buf[0] != 0x80 || buf[1]&0x7f != 0 {
			continue
		}
		seq := binary.BigEndian.Uint16(buf[2:])
		p.mu.Lock()
		if len(p.heard) == 0 {
			p.first = seq
		}
		p.heard[seq] = append([]byte(nil), buf[12:n]...)
		p.mu.Unlock()
	}
}

// speak sends a packet for each 20 ms since the box's port is known, late ones
// at once.
func (p *rawPhone) speak(says []byte, stop chan struct{}) {
	defer p.running.Done()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	silence := []byte(strings.Repeat("\xff", 160))
	var began time.Time
	for sent := 0; ; {
		select {
		case <-tick.C:
		case says = <-p.says:
		case <-stop:
			return
		}
		to := p.media()
		if to == nil {
			continue
		}
		if began.IsZero() {
			began = time.Now()
		}
		p.mu.Lock()
		p.late = max(p.late, time.Since(began)-time.Duration(sent)*20*time.Millisecond)
		p.mu.Unlock()
		for ; sent <= int(time.Since(began)/(20*time.Millisecond)); sent++ {
			payload := silence
			if len(says) >= 160 {
				payload, says = says[:160], says[160:]
			}
			p.rtp.WriteToUDP(append(rtpHeader(uint16(65500+sent), 0x12345678), payload...), to)
		}
	}
}

// rtpHeader is that of a PCMU packet of 20 ms.
func rtpHeader(seq uint16, ssrc uint32) []byte {
	b := make([]byte, 12, 172)
	b[0] = 0x80
	binary.BigEndian.PutUint16(b[2:], seq)
	binary.BigEndian.PutUint32(b[4:], uint32(seq)*160)
	binary.BigEndian.PutUint32(b[8:], ssrc)
	return b
}

// sound is what was heard, with silence for what is missing.
func (p *rawPhone) sound() []int16 {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []int16
	for i := range 65536 {
		payload, ok := p.heard[p.first+uint16(i)]
		if !ok && len(out) >= 160*len(p.heard) {
			break
		}
		if !ok {
			payload = []byte(strings.Repeat("\xff", 160))
		}
		for _, v := range payload {
			out = append(out, muLaw(v))
		}
	}
	return out
}

// muLaw decodes a byte (ITU-T G.711 table 2b).
func muLaw(b byte) int16 {
	b = ^b
	v := (int(b&0x0f)<<3+0x84)<<(b>>4&7) - 0x84
	if b&0x80 != 0 {
		return int16(-v)
	}
	return int16(v)
}

// muLawOf encodes samples with sox.
func muLawOf(t *testing.T, s []int16) []byte {
	t.Helper()
	wav, ul := filepath.Join(t.TempDir(), "s.wav"), filepath.Join(t.TempDir(), "s.ul")
	writeWAV(t, wav, s)
	command(t, "sox", wav, "-t", "ul", ul)
	b, err := os.ReadFile(ul)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// mutate changes a message in one to four places: bytes, pieces, lines.
func mutate(r *rand.Rand, message []byte) []byte {
	m := append([]byte(nil), message...)
	for range 1 + r.IntN(4) {
		if len(m) == 0 {
			return m
		}
		at := r.IntN(len(m))
		end := min(len(m), at+1+r.IntN(40))
		switch r.IntN(7) {
		case 0:
			m[at] ^= 1 << r.IntN(8)
		case 1:
			m[at] = byte(r.IntN(256))
		case 2:
			m = append(m[:at:at], m[end:]...)
		case 3:
			m = append(m[:end:end], append(append([]byte(nil), m[at:end]...), m[end:]...)...)
		case 4:
			m = m[:at]
		case 5:
			odd := []string{"\r\n", "\x00", "\r\n\r\n", "%00", "\xff\xfe", "<<<", ";;;=", "\"", "99999999999999999999", "-1", " \t\r\n "}
			m = append(m[:at:at], append([]byte(odd[r.IntN(len(odd))]), m[at:]...)...)
		case 6:
			lines := strings.Split(string(m), "\r\n")
			i, j := r.IntN(len(lines)), r.IntN(len(lines))
			lines[i], lines[j] = lines[j], lines[i]
			m = []byte(strings.Join(lines, "\r\n"))
		}
	}
	return m[:min(len(m), 60000)]
}

// TestStorm sends thousands of broken SIP and RTP datagrams from the trunk's own
// address while a call on it is up: the call sounds as it should, the process
// lives, and afterwards nothing is left.
func TestStorm(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	g, port := trunked(t, a, "")
	g.configure(twoUsers)
	prompt := speak(t, "Out there a storm is raging, with wind and rain, hail and thunder, but in this house everybody can hear every word that is said.")
	story := speak(t, "The old lighthouse keeper counts the waves, one after the other, and writes them into his book until the morning comes.", "-v", "en-us")
	a.wav("/prompt.wav", prompt)
	a.doc("/voice", `<Response><Pause length="1"/><Play>/prompt.wav</Play><Pause length="60"/></Response>`)
	a.doc("/in", `<Response><Reject/></Response>`)
	p := newRawPhone(t, port, freePorts(t, 2), muLawOf(t, append(make([]int16, rate), story...)))
	sid := g.create(url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}, "Record": {"true"},
		"RecordingChannels": {"dual"}, "Trim": {"do-not-trim"}})
	g.until(sid, "in-progress")
	g.settled()
	before := g.metrics()

	began := time.Now()
	const messages, packets = 5000, 1000
	length := time.Duration(max(len(prompt), len(story)))*time.Second/rate + time.Second
	p.storm(g, messages, packets, length)
	t.Logf("%d SIP and %d RTP datagrams in %s", messages, packets, time.Since(began))
	pauseFor(time.Until(began.Add(length + 2*time.Second)))

	if rec := g.until(sid, "in-progress"); rec["status"] != "in-progress" {
		t.Fatalf("the call did not survive: %v", rec)
	}
	if code, body := g.post("/Calls/"+sid+".json", url.Values{"Status": {"completed"}}); code != 200 {
		t.Fatalf("complete: %d %v", code, body)
	}
	g.until(sid, "completed")
	poll(t, "BYE", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.ended })
	p.mu.Lock()
	t.Logf("the phone sent its sound up to %s late", p.late)
	p.mu.Unlock()
	hears(t, "the phone", p.sound(), prompt)
	rec, _ := g.recording(sid)
	hears(t, "the recording's channel of the phone", channel(rec, 0, 2), story)
	hears(t, "the recording's channel of the box", channel(rec, 1, 2), prompt)

	var after map[string]float64
	poll(t, "nothing is left", func() bool {
		after = g.metrics()
		return after["callbox_calls"] == 0 && after["callbox_rtp_ports_busy"] == 0 && after["go_goroutines"] <= before["go_goroutines"]+5
	})
	t.Logf("RSS %.1f MiB before, %.1f MiB after; goroutines %v, %v", before["process_resident_memory_bytes"]/1048576,
		after["process_resident_memory_bytes"]/1048576, before["go_goroutines"], after["go_goroutines"])
	if strings.Contains(g.log.String(), "panic") {
		t.Error("there was a panic")
	}
}

// storm sends broken datagrams to the box for d.
func (p *rawPhone) storm(g *gateway, messages, packets int, d time.Duration) {
	r := rand.New(rand.NewPCG(1, 2)) // the same storm each time
	c := newRawCaller(p.t, g, "storm", p.rtp.LocalAddr().(*net.UDPAddr).Port)
	c.toTag = "raw"
	stranger, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		p.t.Fatal(err)
	}
	defer stranger.Close()
	control := &net.UDPAddr{IP: p.media().IP, Port: p.media().Port + 1}
	var seeds [][]byte
	for i, m := range []string{"INVITE", "BYE", "CANCEL", "ACK", "OPTIONS", "REGISTER", "INFO", "UPDATE", "PRACK", "SUBSCRIBE"} {
		seeds = append(seeds, []byte(c.request(m, fmt.Sprint(i), i)))
	}
	p.mu.Lock()
	seeds = append(seeds, []byte(p.invite), []byte(strings.Replace(p.invite, "INVITE ", "SIP/2.0 200 OK ", 1)))
	p.mu.Unlock()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	turns := int(d / (10 * time.Millisecond))
	for sent, said, turn := 0, 0, 1; turn <= turns; turn++ {
		for ; sent < messages*turn/turns; sent++ {
			m := mutate(r, seeds[r.IntN(len(seeds))])
			if sent%7 == 0 { // from the socket of the call itself
				p.sip.WriteToUDP(m, c.conn.RemoteAddr().(*net.UDPAddr))
				continue
			}
			c.conn.Write(m)
		}
		for ; said < packets*turn/turns; said++ {
			m := mutate(r, append(rtpHeader(uint16(said), r.Uint32()), make([]byte, 160)...))
			switch said % 3 {
			case 0:
				stranger.WriteToUDP(m, p.media())
			case 1: // the phone's own socket, but not RTP of version 2
				if len(m) > 0 {
					m[0] &= 0x7f
				}
				p.rtp.WriteToUDP(m, p.media())
			case 2:
				stranger.WriteToUDP(m, control)
			}
		}
		<-tick.C
	}
}
