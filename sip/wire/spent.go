package wire

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// answered is a server transaction with nothing more to do than to take repetitions
// of its request for 64 T1 (RFC 3261 §17.2.2 timer J, RFC 6026 timer L). Thousands
// wait like that after as many calls, so it holds next to nothing: the response to
// repeat, or its status and phrase alone when the request tells the rest of it, or,
// behind swallowed, only the tag that it had when repetitions are swallowed.
type answered string

const swallowed answered = "-"

// spent are those transactions. The layer's lock guards it.
type spent struct {
	by       map[string]answered // by their keys
	order    []leaving           // which ends when, the next at first
	first    int
	sweeping bool // a timer runs
}

// leaving is the end of one.
type leaving struct {
	at  time.Duration // since the layer was made
	key string
}

// answeredBy is what is kept of the final response to req; raw are its bytes.
func answeredBy(req *sip.Request, res *sip.Response, raw []byte) answered {
	if res.Body() == nil && bytes.Equal(raw, encode(NewResponse(req, res.StatusCode, res.Reason, ""))) {
		if res.StatusCode == sip.StatusOK && res.Reason == "OK" {
			return plainOK
		}
		return answered(strconv.Itoa(res.StatusCode) + " " + res.Reason)
	}
	return answered(raw)
}

const plainOK answered = "200 OK"

// repeat answers a repetition.
func (a answered) repeat(req *sip.Request, flow Flow) {
	if strings.HasPrefix(string(a), string(swallowed)) {
		return
	}
	b := []byte(a)
	if !strings.HasPrefix(string(a), "SIP/") {
		code, phrase, _ := strings.Cut(string(a), " ")
		status, _ := strconv.Atoi(code) // answeredBy has written it
		b = encode(NewResponse(req, status, phrase, ""))
	}
	_ = responseFlow(req, flow).send(b)
}

// spend keeps of a transaction only what takes repetitions.
func (l *Layer) spend(tx *ServerTx, a answered) {
	life := 64 * l.cfg.T1
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.server[tx.key] != tx {
		return // it was dropped, or the layer is closed
	}
	delete(l.server, tx.key)
	s := &l.spent
	s.by[tx.key] = a
	s.order = append(s.order, leaving{time.Since(l.opened) + life, tx.key})
	if !s.sweeping {
		s.sweeping = true
		l.After(life, l.sweep)
	}
}

// sweep forgets those whose time is over.
func (l *Layer) sweep() {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, now := &l.spent, time.Since(l.opened)
	for s.first < len(s.order) && s.order[s.first].at <= now {
		delete(s.by, s.order[s.first].key)
		s.order[s.first] = leaving{}
		s.first++
	}
	if s.first > len(s.order)/2 { // what is left moves together, so that the rest can be freed
		s.order, s.first = append([]leaving(nil), s.order[s.first:]...), 0
	}
	if s.sweeping = len(s.order) > 0; s.sweeping {
		// Not for each of them: a second more does not matter.
		l.After(max(s.order[s.first].at-now, 2*l.cfg.T1), l.sweep)
	}
}

// invite is the transaction of an INVITE; over: only repetitions may come.
func (l *Layer) invite(key string) (tx *ServerTx, tag string, over bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, over := l.spent.by[key]
	tag, _ = strings.CutPrefix(string(a), string(swallowed))
	return l.server[key], tag, over
}
