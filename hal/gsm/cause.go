package gsm

import (
	"strconv"
	"strings"

	"callbox/hal"
)

// causes are the sentences of the causes that a network gives (TS 24.008 annex H,
// whose numbers are those of Q.850), and whether the far end is behind them.
var causes = map[int]struct {
	by   hal.Side
	text string
}{
	1:  {hal.ByNetwork, "the number is not in use"},
	3:  {hal.ByNetwork, "the network has no route to the number"},
	8:  {hal.ByNetwork, "the operator bars calls of this SIM; ask the operator"},
	16: {hal.ByFarEnd, ""},
	17: {hal.ByFarEnd, "the far end is busy"},
	18: {hal.ByNetwork, "the far end's telephone does not respond"},
	19: {hal.ByFarEnd, "nobody answered"},
	20: {hal.ByNetwork, "the far end's telephone is switched off or has no network"},
	21: {hal.ByFarEnd, "the far end refused the call"},
	22: {hal.ByNetwork, "the number has changed"},
	27: {hal.ByNetwork, "the far end is out of order"},
	28: {hal.ByNetwork, "the number is not complete"},
	29: {hal.ByNetwork, "the network refuses this kind of call"},
	31: {hal.ByNetwork, "the network gave no particular reason"},
	34: {hal.ByNetwork, "the network has no free channel"},
	38: {hal.ByNetwork, "the network is out of order"},
	41: {hal.ByNetwork, "the network or the radio link has a temporary failure"},
	42: {hal.ByNetwork, "the network is congested"},
	47: {hal.ByNetwork, "the network has no resources now"},
	50: {hal.ByNetwork, "this SIM is not subscribed to calls; ask the operator"},
	57: {hal.ByNetwork, "this SIM is not allowed to make calls; ask the operator"},
	65: {hal.ByNetwork, "the network does not carry this kind of call"},
	68: {hal.ByNetwork, "the credit of the SIM is used up"},
	79: {hal.ByNetwork, "the network does not offer this"},
	88: {hal.ByNetwork, "the far end cannot take this kind of call"},

	102: {hal.ByNetwork, "the network did not answer in time"},
	111: {hal.ByNetwork, "the network found a protocol error"},
	127: {hal.ByNetwork, "the call met another network that gave no reason"},
}

// release is the end of a call for a cause; 0 is one that the network did not
// tell. answered is whether the call was.
func release(cause int, answered bool) hal.Release {
	if cause == 0 {
		if answered { // modems say no more of a plain hang-up
			return hal.Release{Q850: 16, By: hal.ByFarEnd}
		}
		return hal.Release{Q850: 31, By: hal.ByNetwork,
			Text: "the network ended the call without a reason; some networks do that to modems that they do not know, and to SIMs without voice"}
	}
	c, ok := causes[cause]
	if !ok {
		return hal.Release{Q850: cause, By: hal.ByNetwork, Text: "the network ended the call for cause " + strconv.Itoa(cause)}
	}
	return hal.Release{Q850: cause, By: c.by, Text: c.text}
}

// reasons are pieces of what modems answer to AT+CEER, most telling first.
var reasons = []struct {
	part  string
	cause int
}{
	{"unassigned", 1}, {"unallocated", 1}, {"no route", 3}, {"operator determined barring", 8}, {"call barred", 8},
	{"user busy", 17}, {"no user responding", 18}, {"no answer", 19}, {"subscriber absent", 20}, {"call rejected", 21},
	{"number changed", 22}, {"out of order", 27}, {"invalid number", 28}, {"incomplete", 28}, {"facility rejected", 29},
	{"no circuit", 34}, {"network out of order", 38}, {"temporary failure", 41}, {"congestion", 42}, {"resources unavailable", 47},
	{"not subscribed", 50}, {"not authorized", 57}, {"acm", 68}, {"not implemented", 79}, {"incompatible", 88},
	{"timer", 102}, {"protocol error", 111}, {"interworking", 127}, {"normal call clearing", 16}, {"normal, unspecified", 31},
}

// reason is the cause in the answer to AT+CEER, 0 when it tells none.
//
//	+CEER: User busy
//	+CEER: 5,17              location and cause
//	+CEER: "CM service rejected by the network",33
func reason(answer string) int {
	text := strings.ToLower(answer)
	if strings.Contains(text, "network out of order") {
		return 38
	}
	for _, r := range reasons {
		if strings.Contains(text, r.part) {
			return r.cause
		}
	}
	if strings.ContainsAny(text, "abcdefghijklmnopqrstuvwxyz") {
		return 0
	}
	fields := strings.Split(text, ",")
	n, err := strconv.Atoi(strings.TrimSpace(fields[len(fields)-1]))
	if err != nil {
		return 0
	}
	return known(n)
}
