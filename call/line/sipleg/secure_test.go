package sipleg_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"callbox/call"
	"callbox/call/line/sipleg"
	"callbox/call/line/sipleg/siptest"
	"callbox/sip"
	"callbox/sip/sdp"
)

// TestProtectionStays: whatever a far end offers within a call, a line that insists
// on protected sound never goes on in the clear, and one that only prefers it
// answers each offer in kind; new keys and suites are taken.
func TestProtectionStays(t *testing.T) {
	for _, security := range []sdp.Security{sdp.Mandatory, sdp.Optional} {
		b := newBox(t, siptest.Config{}, func(c *sipleg.Config) { c.Security = security })
		version := 0
		offer := func(proto string, crypto ...string) []byte {
			version++
			s := fmt.Sprintf("v=0\r\no=- 1 %d IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\nm=audio 4000 %s 0\r\n", version, proto)
			for i, c := range crypto {
				s += fmt.Sprintf("a=crypto:%d %s\r\n", i+1, c)
			}
			return []byte(s)
		}
		key := func(suite string, size int, fill byte) string {
			return suite + " inline:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(fill), size)))
		}
		b.must(b.far.CallWith(b.ctx(), "100", offer("RTP/SAVP", key("AES_CM_128_HMAC_SHA1_80", 30, 'a'))))
		in := b.arrived()
		b.must(in.Answer(b.ctx()))
		in.until(call.LegAnswered)
		b.must(b.far.WaitUp(b.ctx()))
		for name, tt := range map[string]struct {
			offer     []byte
			mandatory int // status; 0: taken
			optional  int
			answer    string
		}{
			"another key":    {offer("RTP/SAVP", key("AES_CM_128_HMAC_SHA1_80", 30, 'b')), 0, 0, "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"},
			"AES-256":        {offer("RTP/SAVP", key("AES_256_CM_HMAC_SHA1_80", 46, 'c')), 0, 0, "a=crypto:1 AES_256_CM_HMAC_SHA1_80 inline:"},
			"AEAD":           {offer("RTP/SAVP", key("F8_128_HMAC_SHA1_80", 30, 'x'), key("AEAD_AES_256_GCM", 44, 'd')), 0, 0, "a=crypto:2 AEAD_AES_256_GCM inline:"},
			"AEAD-128":       {offer("RTP/SAVP", key("AEAD_AES_128_GCM", 28, 'e')), 0, 0, "a=crypto:1 AEAD_AES_128_GCM inline:"},
			"in the clear":   {offer("RTP/AVP"), 488, 0, "RTP/AVP 0\r\n"},
			"no key":         {offer("RTP/SAVP"), 488, 488, ""},
			"a short key":    {offer("RTP/SAVP", key("AEAD_AES_256_GCM", 43, 'f')), 488, 488, ""},
			"unknown suites": {offer("RTP/SAVP", key("F8_128_HMAC_SHA1_80", 30, 'g')), 488, 488, ""},
		} {
			answer, err := b.far.ReofferRaw(b.ctx(), tt.offer)
			want := tt.mandatory
			if security == sdp.Optional {
				want = tt.optional
			}
			var se *sip.StatusError
			if want != 0 {
				if !errors.As(err, &se) || se.Status != want {
					t.Errorf("%v, %s: %v, want %d", security, name, err, want)
				}
				continue
			}
			if err != nil || !strings.Contains(string(answer), tt.answer) {
				t.Errorf("%v, %s: answered\n%s%v", security, name, answer, err)
			}
			if security == sdp.Mandatory && !strings.Contains(string(answer), "RTP/SAVP 0\r\n") {
				t.Errorf("%s: fell back to\n%s", name, answer)
			}
		}
		b.must(b.far.Hangup(b.ctx()))
		in.until(call.LegEnded)
	}
}
