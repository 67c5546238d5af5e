package config

import (
	"regexp"
)

// Modem is a slot for a GSM or LTE modem with its SIM. What is plugged in is found
// by itself; an entry binds a slot to a modem or SIM, gives the PIN, and lets
// routes name the line.
type Modem struct {
	Port string `json:"port"` // the line's id: the slot's name on the board ("gsm1")
	// IMEI, ICCID or Place binds the slot: to a modem, to a SIM whatever modem it is
	// in, or to a place on the USB bus ("1-1.2"). With none it has the first modem that
	// is nobody else's.
	IMEI  string `json:"imei,omitempty"`
	ICCID string `json:"iccid,omitempty"`
	Place string `json:"place,omitempty"`
	// PIN of the SIM. It is tried once, and never when fewer than two tries are left.
	PIN     Secret `json:"pin,omitempty"`
	Number  string `json:"number,omitempty"` // of the SIM, where that does not know it: the To of its calls
	Roaming bool   `json:"roaming,omitempty"`
	// Sound is line (also empty: the modem's serial line for sound, or its sound card
	// where there is none) or card: the modem's own USB sound card.
	Sound string `json:"sound,omitempty"`
	// VoLTE is on, off, or empty to leave the modem as it is: whether calls go over LTE.
	VoLTE       string `json:"volte,omitempty"`
	Application string `json:"application,omitempty"` // runs calls that arrive and no number claims
}

var (
	imeiSyntax  = regexp.MustCompile(`^[0-9]{15}$`)
	iccidSyntax = regexp.MustCompile(`^[0-9]{18,20}$`)
	usbSyntax   = regexp.MustCompile(`^[0-9]{1,3}-[0-9]{1,3}(\.[0-9]{1,3}){0,6}$`)
	pinSyntax   = regexp.MustCompile(`^[0-9]{4,8}$`)
	slotSyntax  = regexp.MustCompile(`^gsm[1-9][0-9]?$`)
)

func (v *validator) modem(f string, m Modem) {
	v.line(f+".port", m.Port)
	if !slotSyntax.MatchString(m.Port) {
		v.bad(f+".port", "%q is not gsm1, gsm2 and so on", m.Port)
	}
	if m.IMEI != "" && !imeiSyntax.MatchString(m.IMEI) {
		v.bad(f+".imei", "%q is not the 15 digits of an IMEI", m.IMEI)
	}
	if m.ICCID != "" && !iccidSyntax.MatchString(m.ICCID) {
		v.bad(f+".iccid", "%q is not the 18 to 20 digits that are printed on the SIM", m.ICCID)
	}
	if m.Place != "" && !usbSyntax.MatchString(m.Place) {
		v.bad(f+".place", "%q is not a place on the USB bus such as 1-1.2", m.Place)
	}
	if m.PIN != "" && !pinSyntax.MatchString(m.PIN.Reveal()) {
		v.bad(f+".pin", "must be 4 to 8 digits")
	}
	if m.Sound != "" && m.Sound != "line" && m.Sound != "card" {
		v.bad(f+".sound", "%q is neither line nor card", m.Sound)
	}
	if m.VoLTE != "" && m.VoLTE != "on" && m.VoLTE != "off" {
		v.bad(f+".volte", "%q is neither on nor off", m.VoLTE)
	}
	v.digits(f+".number", m.Number)
	v.application(f+".application", m.Application)
}
