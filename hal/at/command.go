package at

import (
	"strings"
	"time"
)

// Class says how long a command may take.
type Class int

// The classes, by who has to act before the modem can answer.
const (
	Local   Class = iota // the modem alone: 1 s
	Radio                // the radio part: 5 s
	SIM                  // the SIM or its memory: 40 s
	Network              // the network: messages, USSD, operators: 60 s
	Dial                 // a far end: 90 s; NO CARRIER, BUSY and the like end it
)

// Timeout is how long a command of the class may take.
func (c Class) Timeout() time.Duration {
	switch c {
	case Radio:
		return 5 * time.Second
	case SIM:
		return 40 * time.Second
	case Network:
		return 60 * time.Second
	case Dial:
		return 90 * time.Second
	default:
		return time.Second
	}
}

// Priority is a command's place in the queue; equals go first come, first
// served.
type Priority int

// The priorities.
const (
	Normal     Priority = iota
	Urgent              // for a call: answer, hang up
	Background          // polls and sweeps that can wait
	priorities = 3
)

// order lists priorities from the first served to the last.
var order = [priorities]Priority{Urgent, Normal, Background}

// Command is something to ask a modem.
type Command struct {
	// Text is what is written, without the ending carriage return: "AT+CSQ". No
	// control characters.
	Text string
	// Answers are how the command's information lines start: "+CSQ:". With none,
	// every line that is no final code is a [URC].
	Answers []string
	// Match decides instead of Answers which lines are the command's, where a URC
	// starts like the answer ("+CREG: 1" and "+CREG: 2,1").
	Match func(line string) bool
	// Any takes all lines that are not known to be URCs, for commands whose answer
	// has no prefix (AT+CGSN, ATI).
	Any bool
	// Pairs says that each information line is followed by one of hexadecimal
	// digits that belongs to it (AT+CMGR, AT+CMGL in PDU mode).
	Pairs bool

	Class    Class
	Timeout  time.Duration // 0: that of Class
	Priority Priority

	// Payload is written after the modem's prompt "> ", followed by Ctrl-Z; empty:
	// no prompt is expected.
	Payload string
	// Abort is written when the caller's context ends while the command is in
	// flight, to cut it short (V.250 §5.6.1: any character aborts a dial). The
	// modem's final code is awaited all the same.
	Abort string
	// Secret keeps what follows the first "=" of Text, the payload and the answer
	// out of traces and errors.
	Secret bool
}

// name is the command for errors and traces.
func (c *Command) name() string {
	if !c.Secret {
		return c.Text
	}
	head, _, found := strings.Cut(c.Text, "=")
	if !found {
		return head
	}
	return head + "=" + masked
}

func (c *Command) timeout() time.Duration {
	if c.Timeout > 0 {
		return c.Timeout
	}
	return c.Class.Timeout()
}

// valid reports why the command cannot be written.
func (c *Command) valid() error {
	if c.Text == "" || len(c.Text) > maxLine {
		return ErrCommand
	}
	for i := range len(c.Text) {
		if c.Text[i] < ' ' || c.Text[i] == 0x7F {
			return ErrCommand
		}
	}
	if strings.ContainsAny(c.Payload, "\x1a\x1b") || len(c.Payload) > maxLine {
		return ErrCommand
	}
	return nil
}

// answers reports whether the line is information that the command asked for.
func (c *Command) answers(line string) bool {
	if c.Match != nil {
		return c.Match(line)
	}
	for _, p := range c.Answers {
		if strings.HasPrefix(line, p) {
			return true
		}
	}
	return false
}

// Final is the code that ended a command.
type Final string

// The final codes (V.250 §5.7.1, TS 27.007 §9.2, TS 27.005 §3.2.5).
const (
	OK         Final = "OK"
	Connect    Final = "CONNECT"
	Failed     Final = "ERROR"
	NoCarrier  Final = "NO CARRIER"
	Busy       Final = "BUSY"
	NoAnswer   Final = "NO ANSWER"
	NoDialtone Final = "NO DIALTONE"
	CME        Final = "+CME ERROR"
	CMS        Final = "+CMS ERROR"
)

// Response is what a command was answered.
type Response struct {
	// Lines are the information lines in order, without line ends; with
	// Command.Pairs each is followed by its second line. At most 1,024.
	Lines []string
	Final Final
	// Detail is what followed the final code: "8000" after CONNECT, the number or
	// text after +CME ERROR.
	Detail string
}

// Value is what follows prefix in the first line that starts with it, without
// leading blanks; "" when there is none.
func (r Response) Value(prefix string) string {
	for _, l := range r.Lines {
		if v, ok := strings.CutPrefix(l, prefix); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// Fields cuts the values of an information line at its commas. Quoted strings
// keep theirs and lose the quotes: `1,"a,b",,7` is 1 · a,b · (empty) · 7.
func Fields(values string) []string {
	var list []string
	var b strings.Builder
	quoted := false
	for i := range len(values) {
		switch c := values[i]; {
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			list = append(list, strings.TrimSpace(b.String()))
			b.Reset()
		default:
			b.WriteByte(c)
		}
	}
	return append(list, strings.TrimSpace(b.String()))
}

// URC is a line that the modem sent by itself (an unsolicited result code).
type URC struct {
	At   time.Time
	Line string
	// Body is the second line of a URC that has two (+CMT, +CDS, +CBM in PDU mode).
	Body string
	// Code is the event of a voice modem that was sent shielded by DLE (V.253
	// §8.2), with Line empty; 0 otherwise.
	Code byte
	// Lost is how many URCs before this one were dropped because nobody took
	// them: the state that they told of has to be asked for.
	Lost int
}
