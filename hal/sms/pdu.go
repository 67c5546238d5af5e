package sms

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"callbox/hal"

	"github.com/warthog618/sms"
	"github.com/warthog618/sms/encoding/pdumode"
	"github.com/warthog618/sms/encoding/tpdu"
)

// MaxParts bounds the messages of the network that one text may take: those of
// 1,600 characters of which each takes two of UCS-2.
const MaxParts = 48

// Errors of [Encode].
var (
	ErrEmpty  = errors.New("the text is empty")
	ErrLong   = fmt.Errorf("the text is longer than %d messages", MaxParts)
	ErrNumber = errors.New("the receiver is not a phone number")
)

// Options are about how a text is cut into PDUs.
type Options struct {
	Ref int // of a text in parts, 0…255: another for each of the same receiver
	// Tables are the national language tables that may be used (TS 23.038 §6.2.1.2.4):
	// 1 Turkish, 2 Spanish, 3 Portuguese … Receivers of other countries often lack
	// them; without, what the default alphabet lacks is sent in UCS-2.
	Tables []int
	Report bool // ask for a report
}

// PDU is a message of the network on its way out.
type PDU struct {
	Length int    // octets without the address of the message centre, for AT+CMGS
	Hex    string // with it: "00", that of the SIM
}

// tables are the national tables that a country's telephones have.
var tables = map[string][]int{
	"TR": {1}, "CY": {1}, "ES": {2}, "MX": {2}, "AR": {2}, "CO": {2}, "CL": {2}, "PE": {2}, "BR": {3}, "PT": {3},
}

// TablesOf are those for a country (ISO 3166-1 alpha-2), none when there are no.
func TablesOf(country string) []int { return tables[country] }

// Encode cuts body into PDUs to a number.
func Encode(to, body string, o Options) ([]PDU, error) {
	if body == "" {
		return nil, ErrEmpty
	}
	da, err := address(to)
	if err != nil {
		return nil, err
	}
	body = strings.ToValidUTF8(body, "\uFFFD")
	best := segments(da, body, o, nil)
	for _, n := range o.Tables {
		for _, option := range []sms.EncoderOption{sms.WithShiftCharset(n), sms.WithLockingCharset(n), sms.WithCharset(n)} {
			if s := segments(da, body, o, option); len(s) > 0 && len(s) < len(best) {
				best = s
			}
		}
	}
	switch {
	case len(best) == 0:
		return nil, ErrEmpty
	case len(best) > MaxParts:
		return nil, fmt.Errorf("%w: it takes %d", ErrLong, len(best))
	}
	list := make([]PDU, len(best))
	for i := range best {
		b, err := best[i].MarshalBinary()
		if err != nil {
			return nil, fmt.Errorf("encode the message: %w", err)
		}
		list[i] = PDU{Length: len(b), Hex: "00" + strings.ToUpper(hex.EncodeToString(b))}
	}
	return list, nil
}

// constant is a counter that stays.
type constant int

func (c constant) Count() int { return int(c) }

// segments cuts body with one more alphabet, or none.
func segments(da tpdu.Address, body string, o Options, option sms.EncoderOption) []tpdu.TPDU {
	options := []sms.EncoderOption{sms.AsSubmit, sms.WithTemplateOption(tpdu.WithDA(da))}
	if option != nil {
		options = append(options, option)
	}
	e := sms.NewEncoder(options...)
	e.MsgCount, e.ConcatRef = constant(0), constant(o.Ref&0xFF) // the modem gives the message its own reference
	list, err := e.Encode([]byte(body))
	if err != nil {
		return nil
	}
	for i := range list {
		rename(list[i].UDH, libraryShift, nationalShift)
		if o.Report {
			list[i].FirstOctet |= tpdu.FoSRR
		}
	}
	return list
}

// Information elements of national tables: 24 and 25 in hexadecimal digits are
// those of TS 23.040 §9.2.3.24 (single and locking shift); the library takes the
// digits for decimal ones.
const (
	nationalShift = 0x24
	libraryShift  = 24
	unknownShift  = 0x9F // reserved; nobody acts on it
)

// rename gives elements from and from+1 another number.
func rename(udh tpdu.UserDataHeader, from, to byte) {
	for i := range udh {
		if id := udh[i].ID; id == from || id == from+1 {
			udh[i].ID = to + id - from
		}
	}
}

// Count is how many messages of the network body takes.
func Count(body string, tables []int) int {
	list, err := Encode("0", body, Options{Tables: tables})
	if err != nil {
		return 0
	}
	return len(list)
}

// address is a receiver (TS 23.040 §9.1.2.5): with a plus an international number,
// else one as it is dialled.
func address(to string) (tpdu.Address, error) {
	a := tpdu.NewAddress()
	digits := strings.TrimPrefix(to, "+")
	if digits == "" || len(digits) > 20 || strings.Trim(digits, "0123456789*#") != "" {
		return a, fmt.Errorf("%w: %q", ErrNumber, to)
	}
	a.SetNumber(digits)
	if digits == to {
		a.SetTypeOfNumber(tpdu.TonUnknown)
	}
	return a, nil
}

// Read reads what arrived: a part of a message, or a report.
func Read(pdu string) (part *hal.TextPart, report *hal.TextReport, err error) {
	t, err := read(pdu)
	if err != nil {
		return nil, nil, err
	}
	switch t.SmsType() {
	case tpdu.SmsDeliver:
		p := &hal.TextPart{From: t.OA.Number(), At: stamp(t.SCTS), Total: 1, Seq: 1, PDU: pdu}
		if total, seq, ref, ok := t.ConcatInfo(); ok && total > 1 && seq >= 1 && seq <= total {
			p.Ref, p.Total, p.Seq = ref, total, seq
		}
		return p, nil, nil
	case tpdu.SmsStatusReport:
		r := &hal.TextReport{Ref: int(t.MR), To: t.RA.Number(), At: stamp(t.DT), Code: int(t.ST)}
		r.Done, r.Final, r.Text = status(t.ST)
		return nil, r, nil
	default:
		return nil, nil, fmt.Errorf("it is neither a message nor a report (%v)", t.SmsType())
	}
}

func read(pdu string) (t *tpdu.TPDU, err error) {
	p, err := pdumode.UnmarshalHexString(pdu)
	if err != nil {
		return nil, fmt.Errorf("read the message: %w", err)
	}
	t, err = sms.Unmarshal(p.TPDU, sms.AsMT)
	if err != nil {
		return nil, fmt.Errorf("read the message: %w", err)
	}
	rename(t.UDH, libraryShift, unknownShift)
	rename(t.UDH, nationalShift, libraryShift)
	return t, nil
}

// stamp is a time of the message centre; zero when it is none.
func stamp(t tpdu.Timestamp) time.Time {
	if t.Year() < 1990 {
		return time.Time{}
	}
	return t.Time
}

// Join puts parts together, in the order of their Seq, and gives the text.
func Join(pdus []string) (string, error) {
	list := make([]*tpdu.TPDU, len(pdus))
	for i, p := range pdus {
		t, err := read(p)
		if err != nil {
			return "", err
		}
		list[i] = t
	}
	b, err := sms.Decode(list)
	if err != nil {
		return "", fmt.Errorf("read the text of the message: %w", err)
	}
	return strings.ToValidUTF8(string(b), "\uFFFD"), nil
}

// statuses are values of TP-Status that have a sentence of their own (TS 23.040
// §9.2.3.15).
var statuses = map[byte]string{
	0x01: "the message centre handed it on and does not know what became of it",
	0x20: "the network is congested; the message centre tries again",
	0x21: "the receiver is busy; the message centre tries again",
	0x22: "the receiver does not answer; the message centre tries again",
	0x40: "the receiver's network reports an error",
	0x41: "the receiver's telephone does not take messages of this kind",
	0x42: "the receiver refused the message",
	0x43: "the receiver cannot be reached",
	0x45: "the message was not delivered in time",
	0x46: "the message has expired before the receiver could be reached",
	0x47: "the sender deleted the message",
	0x48: "the message centre deleted the message",
	0x49: "the message centre does not know the message",
	0x60: "the network was congested",
	0x61: "the receiver was busy",
	0x62: "the receiver did not answer",
}

// status reads TP-Status.
func status(st byte) (done, final bool, text string) {
	switch {
	case st < 0x03:
		return true, true, ""
	case st < 0x20:
		return true, true, "" // kinds of success that networks define themselves
	case st < 0x40:
		text = "the message centre still tries to deliver it"
	case st < 0x60:
		final, text = true, "the network could not deliver the message"
	default:
		final, text = true, "the network gave up delivering the message"
	}
	if s, ok := statuses[st]; ok {
		text = s
	}
	return false, final, text
}
