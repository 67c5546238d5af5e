//go:build e2e

package e2e

import (
	"context"
	"strings"
	"testing"
	"time"
)

// TestLargeInvite lets the trunk call with an INVITE that is larger than a
// datagram on most networks, over both transports.
func TestLargeInvite(t *testing.T) {
	t.Parallel()
	prompt := speak(t, "One piece.")
	padding := strings.Repeat("0123456789abcdef", 160)
	large := strings.Replace(invite, "X-Ticket: 4711", "X-Ticket: 4711\nX-Padding: "+padding, 1)
	scenario := large + optional(100) + optional(180) + optional(183) + expect(200) + callerRequest("ACK", 1, "[branch]") +
		pause(time.Duration(len(prompt))*time.Second/rate+time.Second) + callerRequest("BYE", 2, "[branch]") + expect(200)
	for name, args := range map[string][]string{"udp": {"-t", "u1"}, "tcp": {"-t", "t1"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t)
			g, port := trunked(t, a, "")
			a.wav("/prompt.wav", prompt)
			a.doc("/in", `<Response><Play>/prompt.wav</Play><Pause length="20"/></Response>`)
			s := startSIPp(t, port, 1, scenario, append(args, g.sip, "-rtp_echo")...)
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			s.succeeds(ctx)
			in := a.until("/in", 1)
			if got := in.form.Get("SipHeader_X-Padding"); got != padding {
				t.Errorf("%d bytes of the header have arrived, want %d", len(got), len(padding))
			}
			a.until("/prompt.wav", 1)
			if got := a.until("/in-status", 1).form.Get("CallStatus"); got != "completed" {
				t.Errorf("final status %q", got)
			}
		})
	}
}
