package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// SpeechVendor turns text into sound, or sound into text, or both. It has the
// shape of a custom speech vendor of jambonz.
type SpeechVendor struct {
	Name   string `json:"name"`              // as documents name it
	TTSURL string `json:"tts_url,omitempty"` // turns text into sound, http or https
	STTURL string `json:"stt_url,omitempty"` // turns sound into text, ws or wss
	Key    Secret `json:"key,omitempty"`     // sent as a bearer token
	// Default is the vendor of documents that name none, or one that is not set
	// up. Without it such texts are spoken by the box's own voice.
	Default bool `json:"default,omitempty"`
}

// speechVendors checks the speech vendors.
func (v *validator) speechVendors(list []SpeechVendor) {
	seen, byDefault := map[string]bool{}, false
	for i, s := range list {
		f := fmt.Sprintf("speech_vendors[%d]", i)
		name := strings.ToLower(s.Name)
		if !nameSyntax.MatchString(s.Name) || name == "default" || seen[name] {
			v.bad(f+".name", "%q must be 1 to %d letters, digits and . _ -, beginning with a letter or digit, not default, and not used twice", s.Name, maxName)
		}
		seen[name] = true
		if s.TTSURL == "" && s.STTURL == "" {
			v.bad(f+".tts_url", "one of tts_url and stt_url is needed")
		}
		v.address(f+".tts_url", s.TTSURL, "http", "https")
		v.address(f+".stt_url", s.STTURL, "ws", "wss")
		if s.Default && byDefault {
			v.bad(f+".default", "only one vendor can be the default")
		}
		byDefault = byDefault || s.Default
	}
}

// address takes an absolute address of one of these schemes, or none.
func (v *validator) address(field, addr string, schemes ...string) {
	if addr == "" {
		return
	}
	u, err := url.Parse(addr)
	if err != nil || !slices.Contains(schemes, u.Scheme) || u.Hostname() == "" {
		v.bad(field, "is not an absolute %s address", strings.Join(schemes, " or "))
	} else if u.User != nil {
		v.bad(field, "holds a password; give it as the key")
	}
}
