package at

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Errors that callers branch on. [Engine.Do] wraps them with the command.
var (
	ErrTimeout   = errors.New("the modem did not answer in time")
	ErrQueueFull = errors.New("too many commands wait for the modem")
	ErrClosed    = errors.New("the modem's port was closed")
	ErrSilent    = errors.New("the modem has stopped answering")
	ErrPrompt    = errors.New("the modem did not ask for the text of the command")
	ErrCommand   = errors.New("not a command: it is empty, too long, or has control characters")
	ErrNoStream  = errors.New("the modem did not start to send sound")
)

// FinalError is a final code that is not success: ERROR, NO CARRIER, BUSY, NO
// ANSWER, NO DIALTONE.
type FinalError struct{ Final Final }

func (e *FinalError) Error() string {
	switch e.Final {
	case NoCarrier:
		return "the call could not be set up or has ended (NO CARRIER)"
	case Busy:
		return "the far end is busy (BUSY)"
	case NoAnswer:
		return "the far end did not answer (NO ANSWER)"
	case NoDialtone:
		return "the line has no dial tone (NO DIALTONE)"
	default:
		return "the modem refused the command (" + string(e.Final) + ")"
	}
}

// CMEError is a modem's or SIM's error (TS 27.007 §9.2).
type CMEError struct {
	Code int    // -1: the modem sent only a text that is not known
	Text string // one sentence
}

func (e *CMEError) Error() string { return coded(e.Text, "CME", e.Code) }

// CMSError is an error of the message service (TS 27.005 §3.2.5; up to 255 the
// causes of TS 24.011 annex E and TS 23.040 §9.2.3.22).
type CMSError struct {
	Code int // -1: the modem sent only a text that is not known
	Text string
}

func (e *CMSError) Error() string { return coded(e.Text, "CMS", e.Code) }

func coded(text, kind string, code int) string {
	if code < 0 {
		return fmt.Sprintf("%s (%s)", text, kind)
	}
	return fmt.Sprintf("%s (%s %d)", text, kind, code)
}

// Codes of [CMEError] that drivers branch on.
const (
	CMENotAllowed    = 3
	CMENotSupported  = 4
	CMENoSIM         = 10
	CMEPIN           = 11
	CMEPUK           = 12
	CMESIMFailure    = 13
	CMESIMBusy       = 14
	CMESIMWrong      = 15
	CMEWrongPassword = 16
)

var cmeTexts = map[int]string{
	0:   "the modem has failed",
	1:   "the modem has no connection to the phone part",
	2:   "the modem's phone part is reserved",
	3:   "the modem does not allow this now",
	4:   "the modem does not support this",
	5:   "the SIM of the phone wants its PIN",
	10:  "no SIM is inserted",
	11:  "the SIM waits for its PIN",
	12:  "the SIM is locked and waits for its PUK",
	13:  "the SIM has failed",
	14:  "the SIM is busy",
	15:  "the SIM is of the wrong kind",
	16:  "the PIN or password is wrong",
	17:  "the SIM waits for its PIN2",
	18:  "the SIM is locked and waits for its PUK2",
	20:  "the memory is full",
	21:  "there is no such place in the memory",
	22:  "not found",
	23:  "the memory has failed",
	24:  "the text is too long",
	25:  "the text has characters that are not allowed",
	26:  "the number is too long",
	27:  "the number has characters that are not allowed",
	30:  "no network serves the SIM here",
	31:  "the network did not answer in time",
	32:  "the network allows emergency calls only",
	40:  "the network lock of the modem wants its code",
	50:  "the modem does not understand the parameters",
	100: "the modem gave no reason",
	103: "the network refuses this SIM",
	106: "the network refuses this modem",
	107: "the network does not offer this service to the SIM",
	111: "this operator does not admit the SIM",
	112: "the SIM is not admitted in this area",
	113: "the SIM may not roam here",
}

var cmsTexts = map[int]string{
	1:   "the number is not in use",
	8:   "the operator bars messages of this SIM",
	10:  "the network bars this SIM",
	21:  "the network rejected the message",
	22:  "the receiver's memory is full",
	27:  "the receiver cannot be reached now",
	28:  "the network does not know this SIM",
	29:  "the network does not offer this to the SIM",
	30:  "the network does not know the SIM",
	38:  "the network is out of order",
	41:  "the network has a temporary failure",
	42:  "the network is congested",
	47:  "the network has no resources now",
	50:  "this SIM is not subscribed to messages",
	69:  "the network does not offer this",
	81:  "the network does not know the message referred to",
	95:  "the network found the message invalid",
	96:  "the network misses information in the message",
	97:  "the network does not know this kind of message",
	98:  "the message does not fit the state of the network",
	99:  "the network does not know a part of the message",
	111: "the network found a protocol error",
	127: "the network gave no reason",
	128: "the message centre does not do this kind of message",
	143: "the message centre gave no reason",
	192: "the message centre is busy",
	193: "no message centre is subscribed",
	194: "the message centre has failed",
	195: "the message centre does not know the receiver or bars it",
	208: "the SIM's memory for messages is full",
	213: "the phone has failed to handle the message",
	300: "the modem has failed",
	301: "the modem's message service is reserved",
	302: "the modem does not allow this now",
	303: "the modem does not support this",
	304: "the modem found the message malformed",
	305: "the modem does not understand the parameters",
	310: "no SIM is inserted",
	311: "the SIM waits for its PIN",
	312: "the SIM of the phone wants its PIN",
	313: "the SIM has failed",
	314: "the SIM is busy",
	315: "the SIM is of the wrong kind",
	316: "the SIM is locked and waits for its PUK",
	317: "the SIM waits for its PIN2",
	318: "the SIM is locked and waits for its PUK2",
	320: "the memory has failed",
	321: "there is no such message in the memory",
	322: "the memory for messages is full",
	330: "the number of the message centre is not known",
	331: "no network serves the SIM here",
	332: "the network did not answer in time",
	340: "the modem expected no acknowledgement",
	500: "the modem gave no reason",
}

// Texts that modems send with CMEE=2, for those codes on which drivers branch.
var cmeWords = map[string]int{
	"phone failure": 0, "operation not allowed": 3, "operation not supported": 4,
	"sim not inserted": 10, "sim pin required": 11, "sim puk required": 12, "sim failure": 13,
	"sim busy": 14, "sim wrong": 15, "incorrect password": 16, "memory full": 20,
	"no network service": 30, "network timeout": 31,
	"network not allowed - emergency calls only": 32, "unknown": 100,
}

var cmsWords = map[string]int{
	"me failure": 300, "operation not allowed": 302, "operation not supported": 303,
	"invalid pdu mode parameter": 304, "invalid text mode parameter": 305,
	"sim not inserted": 310, "sim pin required": 311, "sim failure": 313, "sim busy": 314, "sim wrong": 315,
	"sim puk required": 316, "memory failure": 320, "invalid memory index": 321,
	"memory full": 322, "smsc address unknown": 330, "no network service": 331,
	"network timeout": 332, "unknown error": 500, "unknown": 500,
}

// coding finds the code and sentence of what followed "+CME ERROR:".
func coding(detail string, texts map[int]string, words map[string]int) (int, string) {
	code, err := strconv.Atoi(detail)
	if err != nil {
		known, ok := words[strings.ToLower(detail)]
		if !ok {
			return -1, "the modem says: " + detail
		}
		code = known
	}
	if t, ok := texts[code]; ok {
		return code, t
	}
	return code, "the modem gave a reason without a name"
}

// failure is the error that a final code means, or nil.
func failure(f Final, detail string) error {
	switch f {
	case OK, Connect:
		return nil
	case CME:
		code, text := coding(detail, cmeTexts, cmeWords)
		return &CMEError{Code: code, Text: text}
	case CMS:
		code, text := coding(detail, cmsTexts, cmsWords)
		return &CMSError{Code: code, Text: text}
	default:
		return &FinalError{Final: f}
	}
}
