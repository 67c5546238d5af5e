package gsm

import (
	"strings"

	"callbox/hal/at"
)

// ims is what a modem says of calls over LTE.
//
//	+QCFG: "ims",1,1     set (0: by the operator's profile, 1: on, 2: off), registered
type ims struct {
	told       bool // it says something
	off        bool
	set        string
	registered bool
}

func imsOf(answer string) ims {
	f := at.Fields(answer)
	if len(f) < 2 || f[0] != "ims" {
		return ims{}
	}
	return ims{told: true, set: f[1], off: f[1] == "2", registered: len(f) > 2 && f[2] == "1"}
}

// voiceBy says how calls are carried now, and what is to be said of that.
func (s *session) voiceBy(i ims) (voice, advice string) {
	if i.registered {
		return "VoLTE", "calls go over LTE"
	}
	if s.net.tech != "LTE" {
		return s.net.tech, ""
	}
	voice = "falls back from LTE to 2G or 3G (CSFB)"
	only := s.net.stat["+CREG"] != 1 && s.net.stat["+CREG"] != 5 // no circuits to fall back to
	switch {
	case !i.told && len(s.row.volteOn) == 0:
	case !i.told && only:
		advice = "the network offers LTE only, and the modem does not tell whether calls go over it; if they fail, set the modem's volte to on"
	case !i.told:
	case i.off && only:
		advice = "the network offers LTE only and VoLTE is switched off in the modem: calls will fail; set the modem's volte to on"
	case i.off:
		advice = "VoLTE is switched off in the modem; a call leaves LTE while it lasts. Set the modem's volte to on where the SIM has it"
	case only:
		advice = "the network offers LTE only and has not admitted the modem to VoLTE: calls will fail; set the modem's volte to on, and if it is, ask the operator whether the SIM has VoLTE and this modem is admitted"
	case i.set == "1":
		advice = "VoLTE is switched on and the network has not admitted the modem to it; ask the operator whether the SIM has VoLTE and this modem is admitted"
	default:
		advice = "the operator's profile in the modem decides over VoLTE, and there is none now; set the modem's volte to on to ask for it"
	}
	if only {
		voice = "not at all: LTE without VoLTE"
	}
	return voice, advice
}

// provision tells the modem how calls go: on, off, or empty for as it is. problem is why
// it cannot be told; again that it has to start anew for it.
func (s *session) provision(want string) (problem string, again bool) {
	list, code := s.row.volteOn, "1"
	if want == "off" {
		list, code = s.row.volteOff, "2"
	}
	switch {
	case want == "":
		return "", false
	case len(list) == 0:
		return "this modem cannot be told that VoLTE is " + want + "; take the modem's volte out", false
	}
	if s.row.volte != "" {
		if r, err := s.ask(s.row.volte, at.Radio, "+QCFG:"); err == nil && imsOf(r.Value("+QCFG:")).set == code {
			return "", false
		}
	}
	var failed []string
	for _, c := range list {
		if s.tell(c, at.Radio) != nil {
			failed = append(failed, c)
		}
	}
	if len(failed) == len(list) {
		return "the modem refuses to have VoLTE switched " + want + " (" + strings.Join(failed, ", ") + "); its firmware may not know it", false
	}
	return "", s.row.keeps
}
