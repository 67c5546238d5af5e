package sipleg

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"callbox/call"
	"callbox/media/ice/icetest"
	"callbox/media/rtp"
	"callbox/media/webrtc"
	"callbox/sip"
	"callbox/sip/sdp"
)

// browserLeg is an answered leg with a browser that has said nothing yet.
func browserLeg(t *testing.T) (*Leg, *branch) {
	t.Helper()
	pool, err := rtp.NewPortPool(rtp.PoolConfig{Bind: netip.MustParseAddr("127.0.0.1")})
	if err != nil {
		t.Fatal(err)
	}
	id, err := webrtc.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	g := NewGroup(Config{Line: "201", Kind: call.User, Title: "user 201", Ports: pool, Identity: id, Advertise: func() netip.Addr { return netip.MustParseAddr("198.51.100.1") }})
	l, err := newLeg(g, call.LegInfo{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.end(call.Cause{}); pool.Close() })
	b := l.newBranch(netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("203.0.113.5"), nil, false)
	l.browse(b)
	b.d, b.ended = &sip.Dialog{}, true // nobody is to be told
	t0 := &l.talk
	t0.branches, t0.chosen, t0.answered, t0.up = []*branch{b}, b, true, time.Unix(1_800_000_000, 0)
	t0.media.Web = sdp.FarWeb{Ufrag: "page", Fingerprint: "sha-256 00"}
	return l, b
}

// ends is what an ended leg tells.
func ends(l *Leg) string {
	select {
	case e := <-l.Events():
		if e != nil {
			return e.Cause.Text
		}
	default:
	}
	return ""
}

// TestBrowserThatIsNotHeard: the call ends after a while, and says which part of
// the way is missing.
func TestBrowserThatIsNotHeard(t *testing.T) {
	t.Parallel()
	l, _ := browserLeg(t)
	up := l.talk.up
	if l.superviseBrowser(up.Add(webSetup)); ends(l) != "" {
		t.Error("the call ended too early")
	}
	l.superviseBrowser(up.Add(webSetup + time.Second))
	if got := ends(l); !strings.Contains(got, "the sound of user 201 does not reach the box: nothing has arrived on UDP port") {
		t.Errorf("ended with %q", got)
	}

	l, b := browserLeg(t)
	if _, _, err := l.secure(b, l.talk.media); err != nil {
		t.Fatal(err)
	}
	c := b.web.Credentials()
	heard := up.Add(webSetup)
	b.web.Take(icetest.Check(c.Ufrag, c.Password, "page", false), netip.MustParseAddrPort("127.0.0.1:9"), heard)
	if l.superviseBrowser(up.Add(webSetup)); ends(l) != "" {
		t.Error("the call ended too early")
	}
	l.superviseBrowser(up.Add(webSetup + time.Second))
	if got := ends(l); got != "the keys for the sound of user 201 were not agreed on in 20s" {
		t.Errorf("ended with %q", got)
	}
}

// TestCandidates: the address outside of a translator, and our own.
func TestCandidates(t *testing.T) {
	t.Parallel()
	l, b := browserLeg(t)
	text := strings.Join(b.local.Web.Candidates, "\n")
	for i, a := range []string{"198.51.100.1", "192.0.2.1"} {
		if len(b.local.Web.Candidates) != 2 || !strings.Contains(b.local.Web.Candidates[i], " "+a+" ") {
			t.Errorf("candidate %d of %s is not %s", i, text, a)
		}
	}
	own := l.newBranch(netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("10.1.1.1"), nil, false)
	if l.browse(own); len(own.local.Web.Candidates) != 1 || slices.Contains(own.local.Web.Candidates, b.local.Web.Candidates[0]) {
		t.Errorf("to a browser inside: %v", own.local.Web.Candidates)
	}
	own.web.Close()
}

// TestBrowserGoesBeforeItsKeys: the browser that has answered hangs up before there
// are keys, while another phone that rang with it has not said yet that it stopped.
// The leg has ended then, and keys that come late do not answer it.
func TestBrowserGoesBeforeItsKeys(t *testing.T) {
	t.Parallel()
	l, b := browserLeg(t)
	l.talk.answered, l.talk.waiting = false, true
	l.talk.branches = append(l.talk.branches, &branch{d: &sip.Dialog{}})
	l.branchEnded(b, &sip.DialogEvent{Type: sip.Ended, Status: 200, By: sip.ByRemote})
	if !l.talk.ended {
		t.Error("the leg lives on without anybody")
	}
	if l.gotKeys(nil); l.talk.answered {
		t.Error("the leg was answered after its end")
	}
}
