package at

import (
	"bytes"
	"strings"
)

// Bytes that mean something (V.250, V.253 §8).
const (
	ctrlZ  = "\x1a"
	escape = "\x1b"
	dle    = 0x10
	etx    = 0x03
)

// maxLine is the longest line in bytes; what is beyond it is cut away. A PDU has
// at most 352 digits, a USSD answer 364 and its frame.
const maxLine = 4096

// token is what the splitter found in the stream.
type token struct {
	line   string
	prompt bool // "> " was seen
	code   byte // a DLE code was seen (0: no)
}

// splitter cuts the stream into lines: empty ones vanish, so that \r\n, \r\r\n
// and \n are alike. It is owned by the engine's loop.
type splitter struct {
	line    []byte
	asked   bool // the prompt of a command is awaited
	swallow bool // the blank after a prompt is no part of a line
	shield  bool // DLE codes are expected (voice modems)
	dle     bool // a DLE was seen, its code comes
	long    bool // the line was cut
	cut     uint64
}

// feed gives the next token of b, and what is left of b after it; ok is false
// when b was used up without one.
func (s *splitter) feed(b []byte) (t token, rest []byte, ok bool) {
	for i, c := range b {
		switch {
		case s.dle:
			s.dle = false
			return token{code: c}, b[i+1:], true
		case c == dle && s.shield:
			s.dle = true
		case (c == '\r' || c == '\n') && s.inText():
			if c == '\r' || s.line[len(s.line)-1] != '\n' { // \r\n is one
				s.line = append(s.line, '\n')
			}
		case c == '\r' || c == '\n':
			s.swallow = false
			if line := s.take(); line != "" {
				return token{line: line}, b[i+1:], true
			}
		case c == ' ' && s.swallow:
			s.swallow = false
		case c == '>' && s.asked && len(s.line) == 0:
			s.asked, s.swallow = false, true
			return token{prompt: true}, b[i+1:], true
		case c == 0 || c == 0xFF:
			// Noise of a port that was just opened.
		case len(s.line) >= maxLine:
			if !s.long {
				s.long = true
				s.cut++
			}
		default:
			s.swallow = false
			s.line = append(s.line, c)
		}
	}
	return token{}, nil, false
}

// maxText bounds a line that has line ends in its text.
const maxText = 600

// inText reports whether a line end belongs to a text: what networks say by USSD
// comes in quotes and often has several lines.
func (s *splitter) inText() bool {
	return bytes.HasPrefix(s.line, []byte("+CUSD:")) && len(s.line) < maxText && bytes.Count(s.line, []byte{'"'}) == 1
}

// take ends the line.
func (s *splitter) take() string {
	line := strings.Trim(string(s.line), " \t"+ctrlZ)
	s.line, s.long = s.line[:0], false
	return line
}

// final recognises a final code.
func final(line string) (f Final, detail string, ok bool) {
	switch Final(line) {
	case OK, Failed, NoCarrier, Busy, NoAnswer, NoDialtone:
		return Final(line), "", true
	}
	switch {
	case line == "NO DIAL TONE":
		return NoDialtone, "", true
	case line == string(Connect) || strings.HasPrefix(line, "CONNECT "):
		return Connect, strings.TrimSpace(line[len(Connect):]), true
	case line == "VCON": // V.253 §7.2.5: the voice connection stands
		return Connect, "", true
	case line == "COMMAND NOT SUPPORT" || line == "TOO MANY PARAMETERS": // Huawei's words for ERROR
		return Failed, "", true
	}
	for _, f := range [...]Final{CME, CMS} {
		if d, found := strings.CutPrefix(line, string(f)); found {
			return f, strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(d), ":")), true
		}
	}
	return "", "", false
}

// ofCalls reports whether the code tells of a call, so that it belongs to no
// command but a dial.
func (f Final) ofCalls() bool {
	switch f {
	case NoCarrier, Busy, NoAnswer, NoDialtone, Connect:
		return true
	default:
		return false
	}
}

// unsolicited are the starts of lines that are never the answer of a command
// that takes any line.
var unsolicited = []string{
	"RING", "+CRING:", "+CLIP:", "+CNAP:", "+CCWA:", "+CREG:", "+CGREG:", "+CEREG:", "+C5GREG:",
	"+CMTI:", "+CMT:", "+CDS:", "+CDSI:", "+CBM:", "+CUSD:", "+CSSI:", "+CSSU:", "+CIEV:", "+CTZV:", "+CTZE:",
	"+NITZ:", "+CGEV:", "+CPIN:", "+CFUN:", "+QIND:", "+QUSIM:", "+QTONEDET:", "+QPCMV:", "+QSIMSTAT:", "+QUSSD:",
	"+RXDTMF:", "+DTMF:", "+SIMCARD:", "VOICE CALL:", "MISSED_CALL:", "SMS DONE", "PB DONE", "SMS READY", "CALL READY",
	"SMS Ready", "Call Ready", "RDY", "NORMAL POWER DOWN", "POWERED DOWN", "SMSMEMFULL",
	"^DSCI:", "^ORIG:", "^CONF:", "^CONN:", "^CEND:", "^RSSI:", "^HCSQ:", "^MODE:", "^SRVST:", "^SIMST:",
	"^BOOT:", "^STIN:", "^DDTMF:", "^DSFLOWRPT:", "^SMMEMFULL:", "^THERM:", "^NWTIME:",
	"DATE", "TIME", "NMBR", "NAME", "MESG", "NO CARRIER", "BUSY", "NO ANSWER", "NO DIALTONE", "NO DIAL TONE", "CONNECT",
}

// doubles are the URCs that have a second line, their PDU.
var doubles = []string{"+CMT:", "+CDS:", "+CBM:"}

func startsWith(line string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(line, p) {
			return true
		}
	}
	return false
}

// isHex reports whether the line can be a PDU.
func isHex(line string) bool {
	if len(line) < 2 || len(line)%2 != 0 {
		return false
	}
	for i := range len(line) {
		c := line[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'F') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
