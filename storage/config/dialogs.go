package config

import (
	"slices"
	"time"
)

// Dialogs says how the calls of a SIP line are kept.
type Dialogs struct {
	// SessionTimer has both sides show now and then that they are still there (RFC
	// 4028): off, accept (also empty: with far ends that know it), or require. A call
	// without a sign of life for SessionExpires, 90 s or more, ends; 0: 30 min.
	SessionTimer   string   `json:"session_timer,omitempty"`
	SessionExpires Duration `json:"session_expires,omitempty"`
	// Reliable has ringing and early sound acknowledged (RFC 3262): off, supported
	// (also empty), or required.
	Reliable string `json:"reliable,omitempty"`
	// Redirects says what becomes of calls that the far end sends on to others (3xx):
	// follow (also empty: by the routes and under the guards), or refuse (they fail).
	Redirects string `json:"redirects,omitempty"`
	// HoldMusic is what the other party hears while this line holds it: the URL of a
	// sound, none (what the far end sends), or, when empty, as the account says.
	HoldMusic string `json:"hold_music,omitempty"`
}

// holdMusic checks what parties on hold hear.
func (v *validator) holdMusic(field, music string) {
	if music != "" && music != "none" {
		v.address(field, music, "http", "https")
	}
}

// dialogs checks how the calls of a line are kept.
func (v *validator) dialogs(f string, d Dialogs) {
	if !slices.Contains([]string{"", "off", "accept", "require"}, d.SessionTimer) {
		v.bad(f+".session_timer", "%q is not off, accept, require or empty", d.SessionTimer)
	}
	if d.SessionExpires != 0 {
		v.period(f+".session_expires", d.SessionExpires, 90*time.Second, 24*time.Hour)
	}
	if !slices.Contains([]string{"", "off", "supported", "required"}, d.Reliable) {
		v.bad(f+".reliable", "%q is not off, supported, required or empty", d.Reliable)
	}
	if !slices.Contains([]string{"", "follow", "refuse"}, d.Redirects) {
		v.bad(f+".redirects", "%q is not follow, refuse or empty", d.Redirects)
	}
	v.holdMusic(f+".hold_music", d.HoldMusic)
}
