package twiml

import (
	"strings"

	"callbox/call/script"
)

// referAttrs are the attributes of Refer.
var referAttrs = map[string]bool{"action": true, "method": true}

// refer decodes a Refer: the first Sip in it says to whom.
func (d *decoder) refer(n *node) script.Verb {
	a := d.attributes(n, referAttrs)
	v := script.Refer{Action: a.hook("action", "method", codeBadURL)} // none: the document goes on
	for _, k := range n.kids {
		switch {
		case k.name == "" && strings.TrimSpace(k.text) == "":
		case k.name != "Sip" || v.Referral.To != "":
			d.warn(k, codeUnknown, "<%s> cannot stand in <Refer> and was skipped", clip(k.name))
		default:
			if t, ok := d.sip(k); ok {
				v.Referral.To, v.Referral.Headers = t.To, t.Headers
			}
		}
	}
	if v.Referral.To == "" {
		d.warn(n, codeUnsupported, "<Refer> names no SIP address and was skipped")
		return nil
	}
	return v
}
