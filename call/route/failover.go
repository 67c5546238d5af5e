package route

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"callbox/call"
)

// Condition names causes after which the next line is tried: one of
//
//	default      the default set, see DefaultFailover
//	any          every cause but the caller's own hang-up
//	none         no cause
//	busy         the far end is busy (call.Busy)
//	no-answer    it did not answer (call.NoAnswer)
//	sip:503      a SIP status, or a class of them: sip:5xx
//	q850:34      a Q.850 value
type Condition string

const (
	OnDefault  Condition = "default"
	OnAny      Condition = "any"
	OnNone     Condition = "none"
	OnBusy     Condition = "busy"
	OnNoAnswer Condition = "no-answer"
)

// defaultSIP are the SIP statuses that speak of the way to the far end and not
// of the far end itself: another line may do better. 401, 402, 403 and 407 are
// a provider that does not accept us; 408 and 504 one that does not answer.
var defaultSIP = []int{401, 402, 403, 405, 406, 407, 408, 415, 488, 500, 501, 502, 503, 504, 505, 513, 580, 606}

// defaultQ850 is the same for causes without SIP (ITU-T Q.850 table 1): no
// route, the network and resource classes, interworking.
var defaultQ850 = []int{2, 3, 25, 27, 34, 38, 41, 42, 43, 44, 47, 49, 50, 57, 58, 63, 65, 69, 70, 79, 81, 88, 95, 96, 97, 98, 99, 100, 101, 102, 111, 127}

// DefaultFailover reports whether c says that the way failed and not the far
// end, so that another line may do better.
func DefaultFailover(c call.Cause) bool {
	if c.SIP >= 300 {
		return slices.Contains(defaultSIP, c.SIP)
	}
	return slices.Contains(defaultQ850, c.Q850)
}

type failover struct {
	byDefault, any, busy, noAnswer bool
	sip                            []int
	sipClass                       []int // 4, 5, 6
	q850                           []int
}

func compileFailover(list []Condition) (failover, error) {
	if len(list) == 0 {
		return failover{byDefault: true}, nil
	}
	var f failover
	for _, c := range list {
		switch c {
		case OnDefault:
			f.byDefault = true
		case OnAny:
			f.any = true
		case OnBusy:
			f.busy = true
		case OnNoAnswer:
			f.noAnswer = true
		case OnNone:
			if len(list) > 1 {
				return failover{}, fmt.Errorf("%q cannot stand beside others", c)
			}
		default:
			if err := f.number(string(c)); err != nil {
				return failover{}, err
			}
		}
	}
	return f, nil
}

// number adds sip:503, sip:5xx or q850:34.
func (f *failover) number(c string) error {
	kind, value, _ := strings.Cut(c, ":")
	n, err := strconv.Atoi(value)
	switch {
	case kind == "sip" && len(value) == 3 && value[1:] == "xx" && value[0] >= '3' && value[0] <= '6':
		f.sipClass = append(f.sipClass, int(value[0]-'0'))
	case kind == "sip" && err == nil && n >= 300 && n <= 699:
		f.sip = append(f.sip, n)
	case kind == "q850" && err == nil && n >= 1 && n <= 127:
		f.q850 = append(f.q850, n)
	default:
		return fmt.Errorf("%q is not default, any, none, busy, no-answer, sip:503, sip:5xx or q850:34", c)
	}
	return nil
}

// wants reports whether f tries the next line after c.
func (f *failover) wants(c call.Cause) bool {
	switch {
	case f.any,
		f.byDefault && DefaultFailover(c),
		f.busy && c.Outcome() == call.Busy,
		f.noAnswer && c.Outcome() == call.NoAnswer,
		slices.Contains(f.q850, c.Q850):
		return true
	}
	return c.SIP >= 300 && (slices.Contains(f.sip, c.SIP) || slices.Contains(f.sipClass, c.SIP/100))
}
