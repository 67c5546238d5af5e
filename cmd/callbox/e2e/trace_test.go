//go:build e2e

package e2e

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTrace asks what was said for a call that a provider challenged and then
// refused: the ladder shows every step, and no password.
func TestTrace(t *testing.T) {
	t.Parallel()
	g, port := trunked(t, newApp(t), "  username: box\n  password: sesame-sesame")
	challenge := reply("407 Proxy Authentication Required", `Proxy-Authenticate: Digest realm="biloxi.example", nonce="abc", algorithm=MD5`, "")
	startSIPp(t, port, 1, recv("INVITE")+challenge+ack+recv("INVITE")+reply("180 Ringing", "", "")+
		reply("486 Busy Here", `Reason: Q.850;cause=17;text="User busy"`, "")+ack)
	sid := g.create(url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Twiml": {"<Response/>"}})
	g.until(sid, "busy")
	ladder := g.run("trace", sid)
	at := 0
	for _, step := range []string{"calling +14155550123 on provider", "INVITE (SDP) sip:+14155550123@", "407 Proxy Authentication Required", "ACK",
		"INVITE (SDP) sip:+14155550123@", "180 Ringing", "486 Busy Here", "busy: "} {
		i := strings.Index(ladder[at:], step)
		if i < 0 {
			t.Fatalf("no %q behind byte %d of\n%s", step, at, ladder)
		}
		at += i + len(step)
	}
	full := g.run("trace", "--full", sid)
	if !strings.Contains(full, `Reason: Q.850;cause=17;text="User busy"`) || !strings.Contains(full, `response="****`) || strings.Contains(full, "sesame") {
		t.Errorf("the messages:\n%s", full)
	}
	file := filepath.Join(t.TempDir(), "call.pcapng")
	g.run("trace", "--pcap", file, sid)
	b, err := os.ReadFile(file)
	if err != nil || !strings.HasPrefix(string(b), "\x0a\x0d\x0d\x0a") {
		t.Errorf("the capture has %d bytes, %v", len(b), err)
	}
	// A busy machine repeats a request, with the same branch.
	invites := map[string]bool{}
	for _, m := range regexp.MustCompile(`INVITE sip:[^\r]+\r\n(?:[^\r]+\r\n)*?Via:[^\r]*;branch=([^;\r]+)`).FindAllStringSubmatch(string(b), -1) {
		invites[m[1]] = true
	}
	if len(invites) != 2 {
		t.Errorf("the capture has the INVITEs %v, want 2:\n%q", invites, b)
	}
	var entries []map[string]any
	if err := json.Unmarshal([]byte(g.run("trace", "-o", "json", sid)), &entries); err != nil || len(entries) < 8 {
		t.Errorf("as JSON: %d entries, %v", len(entries), err)
	}
	if out, err := g.tryRun("trace", "CA00000000000000000000000000000000"); err == nil {
		t.Errorf("an unknown call has a trace:\n%s", out)
	}
}
