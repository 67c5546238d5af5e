package gsm

import (
	"strconv"
	"strings"

	"callbox/hal/at"
)

// States of a call (TS 27.007 §7.18), and of one that has gone.
const (
	active   = 0
	held     = 1
	dialling = 2
	alerting = 3
	incoming = 4
	waiting  = 5
	gone     = -1
	unknown  = -2
)

// sign is what one line says about a call.
type sign struct {
	state  int // unknown: only the number
	number string
	out    bool // the box called
	cause  int  // Q.850, of a call that has gone; 0: not told
	plain  bool // of a call that has gone: nothing more will be told
}

// signOf reads a line that the modem sent by itself; ok is false when it is not
// about a voice call.
//
//	RING                                            somebody calls
//	+CRING: VOICE                                   the same (+CRC=1)
//	+CLIP: "+15550123",145,,,,0                     who
//	+QIND: "ccinfo",1,0,3,0,0,"+15550123",145       call, direction, state, mode …
//	^DSCI: 1,0,3,0,+15550123,145                    call, direction, state, type …
//	+CLCC: 1,0,0,0,0,"+15550123",145,""             as the answer to AT+CLCC
//	^ORIG:1,0   ^CONF:1   ^CONN:1,0   ^CEND:1,20,104,16
//	VOICE CALL: BEGIN   VOICE CALL: END: 000041
//	NO CARRIER   BUSY   NO ANSWER
func (r *row) signOf(line string) (s sign, ok bool) {
	name, rest := line, ""
	if i := strings.IndexByte(line, ':'); i >= 0 {
		name, rest = line[:i], strings.TrimSpace(line[i+1:])
	}
	f := at.Fields(rest)
	switch name {
	case "RING":
		return sign{state: incoming}, true
	case "+CRING":
		return sign{state: incoming}, rest == "VOICE"
	case "+CLIP":
		return sign{state: unknown, number: f[0]}, true
	case "+QIND":
		if len(f) < 7 || f[0] != "ccinfo" || f[4] != "0" {
			return s, false
		}
		return call(f[2], f[3], f[6], nil)
	case "^DSCI":
		if len(f) < 5 || f[3] != "0" {
			return s, false
		}
		return call(f[1], f[2], f[4], r.states)
	case "+CLCC":
		if len(f) < 6 || f[3] != "0" { // mode: data calls are none of ours
			return s, false
		}
		return call(f[1], f[2], f[5], map[int]int{6: gone})
	case "^ORIG":
		return sign{state: dialling, out: true}, true
	case "^CONF":
		return sign{state: alerting, out: true}, true
	case "^CONN":
		return sign{state: active}, true
	case "^CEND":
		if len(f) < 4 {
			return sign{state: gone}, true
		}
		cause, _ := strconv.Atoi(f[3])
		return sign{state: gone, cause: known(cause)}, true
	case "VOICE CALL":
		return map[bool]sign{true: {state: active}, false: {state: gone}}[strings.HasPrefix(rest, "BEGIN")], true
	case "NO CARRIER":
		return sign{state: gone}, true
	case "BUSY":
		return sign{state: gone, cause: 17, plain: true}, true
	case "NO ANSWER":
		return sign{state: gone, cause: 19, plain: true}, true
	}
	return s, false
}

// call is a sign of a line that has direction, state and number. table translates
// states; those that it does not have mean themselves.
func call(dir, state, number string, table map[int]int) (sign, bool) {
	n, err := strconv.Atoi(state)
	if err != nil || dir != "0" && dir != "1" {
		return sign{}, false
	}
	if t, ok := table[n]; ok {
		n = t
	}
	if n < gone || n > waiting {
		return sign{}, false
	}
	return sign{state: n, number: number, out: dir == "0"}, true
}

// known keeps causes that are some (1…127).
func known(cause int) int {
	if cause < 1 || cause > 127 {
		return 0
	}
	return cause
}

// key reads a line that tells of a pressed key.
func (r *row) key(line string) (byte, bool) {
	rest, ok := strings.CutPrefix(line, r.keys)
	if r.keys == "" || !ok {
		return 0, false
	}
	rest = strings.TrimSpace(rest)
	if r.keysAreCodes {
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 || n > 127 {
			return 0, false
		}
		rest = string(rune(n))
	}
	if len(rest) != 1 || !strings.Contains(digits, rest) {
		return 0, false
	}
	return rest[0], true
}

const digits = "0123456789*#ABCD"
