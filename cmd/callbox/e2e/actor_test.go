//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// act is what a callee does with an INVITE: it answers with a status, with its
// sound or without, says something, and waits.
type act struct {
	status string
	sound  bool          // a description of its sound comes along
	says   []byte        // µ-law
	then   time.Duration // before the next act, besides what it takes to say it
}

// actor is a callee of bare datagrams that follows a play. The last act is final.
type actor struct {
	t        *testing.T
	conn     net.Conn // towards the box
	rtp      *net.UDPConn
	play     []act
	playing  sync.WaitGroup
	closing  chan struct{}
	mu       sync.Mutex // guards all below
	invites  int
	canceled bool
	over     chan struct{} // the present INVITE was cancelled
}

// newActor follows the play whenever it is called over conn.
func newActor(t *testing.T, conn net.Conn, play ...act) *actor {
	t.Helper()
	a := &actor{t: t, conn: conn, play: play, closing: make(chan struct{})}
	var err error
	if a.rtp, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		t.Fatal(err)
	}
	conn.SetReadDeadline(time.Time{})
	a.playing.Go(a.listen)
	t.Cleanup(func() {
		close(a.closing)
		conn.Close()
		a.rtp.Close()
		a.playing.Wait()
	})
	return a
}

// trunkActor is one at a port that a trunk leads to.
func trunkActor(t *testing.T, g *gateway, port int, play ...act) *actor {
	t.Helper()
	box, err := net.ResolveUDPAddr("udp", g.sip)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}, box)
	if err != nil {
		t.Fatal(err)
	}
	return newActor(t, c, play...)
}

// userActor is a phone of a user, who may have several.
func userActor(t *testing.T, g *gateway, user, password string, play ...act) *actor {
	t.Helper()
	p := newGoodPhone(t, g, user, password)
	p.register()
	return newActor(t, p.c, play...)
}

func (a *actor) listen() {
	buf := make([]byte, 65536)
	seen := map[string]bool{}
	for {
		n, err := a.conn.Read(buf)
		if err != nil {
			return
		}
		text := string(buf[:n])
		method, _, _ := strings.Cut(text, " ")
		switch method {
		case "INVITE":
			if branch := headerParam(text, "Via", "branch"); !seen[branch] {
				seen[branch] = true
				a.mu.Lock()
				a.invites++
				a.over = make(chan struct{})
				over := a.over
				a.mu.Unlock()
				a.playing.Go(func() { a.perform(text, over) })
			}
		case "CANCEL":
			a.answer(text, "200 OK", "")
			a.mu.Lock()
			if !a.canceled {
				a.canceled = true
				close(a.over)
			}
			a.mu.Unlock()
		case "ACK", "SIP/2.0":
		default:
			a.answer(text, "200 OK", "")
		}
	}
}

// perform follows the play for one INVITE.
func (a *actor) perform(invite string, over chan struct{}) {
	for _, x := range a.play {
		body := ""
		if x.sound {
			body = fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP 0\r\n", a.rtp.LocalAddr().(*net.UDPAddr).Port)
		}
		a.answer(invite, x.status, body)
		if !a.say(invite, x, over) {
			a.answer(invite, "487 Request Terminated", "")
			return
		}
	}
}

// say sends the sound of an act and waits for its end; false when it was cut off.
func (a *actor) say(invite string, x act, over chan struct{}) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}
	if m := regexp.MustCompile(`(?m)^m=audio (\d+) `).FindStringSubmatch(invite); m != nil {
		fmt.Sscan(m[1], &to.Port)
	}
	began, total := time.Now(), time.Duration(len(x.says)/160)*20*time.Millisecond+x.then
	for sent := 0; time.Since(began) < total; {
		select {
		case <-tick.C:
		case <-over:
			return false
		case <-a.closing:
			return true
		}
		for ; sent <= int(time.Since(began)/(20*time.Millisecond)) && (sent+1)*160 <= len(x.says); sent++ {
			a.rtp.WriteToUDP(append(rtpHeader(uint16(sent), 0x0badcafe), x.says[sent*160:(sent+1)*160]...), to)
		}
	}
	return true
}

// answer answers a request.
func (a *actor) answer(request, status, body string) {
	var b strings.Builder
	b.WriteString("SIP/2.0 " + status + "\r\n")
	for _, l := range strings.Split(request, "\r\n") {
		name, _, _ := strings.Cut(l, ":")
		switch name {
		case "To":
			if !strings.Contains(l, ";tag=") {
				_, port, _ := net.SplitHostPort(a.conn.LocalAddr().String())
				l += ";tag=actor" + port
			}
			fallthrough
		case "Via", "From", "Call-ID", "CSeq":
			b.WriteString(l + "\r\n")
		}
	}
	if strings.HasPrefix(status, "487") {
		body = ""
	}
	typ := ""
	if body != "" {
		typ = "Content-Type: application/sdp\r\n"
	}
	fmt.Fprintf(&b, "Contact: <sip:actor@%s>\r\n%sContent-Length: %d\r\n\r\n%s", a.conn.LocalAddr(), typ, len(body), body)
	a.conn.Write([]byte(b.String()))
}
