package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"callbox/call"
	"callbox/call/script"
)

// signals are a script's hold on what is said beside the sound.
type signals struct{ control }

var _ script.Signaller = signals{}

// Signal sends a request within the call.
func (k signals) Signal(ctx context.Context, m call.SIPMessage) (call.SIPResponse, error) {
	return k.c.signal(ctx, m)
}

// maxSteps bounds the reports of one referral that wait; those beyond are left
// out, the next one says more.
const maxSteps = 16

// Refer sends a REFER (RFC 3515) and follows the NOTIFYs to it.
func (k signals) Refer(ctx context.Context, r script.Referral, tell func(status int)) (script.ReferResult, error) {
	m := call.SIPMessage{Method: "REFER", Headers: append([]call.Header{{Name: "Refer-To", Value: address(r.To)}}, r.Headers...)}
	if r.By != "" {
		by := "<" + r.By + ">"
		if r.As != "" {
			by = strconv.Quote(r.As) + " " + by
		}
		m.Headers = append(m.Headers, call.Header{Name: "Referred-By", Value: by})
	}
	steps := make(chan int, maxSteps)
	watch := func(f func(*call.SIPMessage)) error {
		return k.ask(ctx, func() error { k.c.notified = f; return nil })
	}
	if err := watch(func(m *call.SIPMessage) {
		if status := fragment(m); status > 0 {
			select {
			case steps <- status:
			default:
			}
		}
	}); err != nil {
		return script.ReferResult{}, err
	}
	defer k.c.do(context.Background(), func() { k.c.notified = nil })
	answer, err := k.c.signal(ctx, m)
	res := script.ReferResult{Status: answer.Status}
	if err != nil {
		return res, err
	}
	if answer.Status/100 != 2 {
		return res, fmt.Errorf("the far end refused to call %s: %d %s", r.To, answer.Status, answer.Reason)
	}
	patience := time.NewTimer(script.ReferPatience)
	defer patience.Stop()
	for {
		select {
		case status := <-steps:
			tell(status)
			if status >= 200 {
				res.Final = status
				return res, nil
			}
			patience.Reset(script.ReferPatience)
		case <-patience.C:
			return res, nil
		case <-k.c.over:
			return res, call.ErrEnded
		case <-ctx.Done():
			return res, ctx.Err()
		}
	}
}

// address writes a URI for a header. It stands bare where that is allowed (RFC
// 3515 §2.1), since there are phones that take the brackets for a part of it.
func address(uri string) string {
	if strings.ContainsAny(uri, ",?;") {
		return "<" + uri + ">"
	}
	return uri
}

// fragment is the status in the NOTIFY of a referral, whose body is the beginning
// of a SIP response (RFC 3515 §2.4.5, RFC 3420); 0 when it is none.
func fragment(m *call.SIPMessage) int {
	kind, _, _ := strings.Cut(m.ContentType, ";")
	if m.Method != "NOTIFY" || !strings.EqualFold(strings.TrimSpace(kind), "message/sipfrag") {
		return 0
	}
	line, _, _ := bytes.Cut([]byte(m.Body), []byte("\n"))
	fields := strings.Fields(string(line))
	if len(fields) < 2 || !strings.EqualFold(fields[0], "SIP/2.0") {
		return 0
	}
	n, err := strconv.Atoi(fields[1])
	if err != nil || n < 100 || n > 699 {
		return 0
	}
	return n
}

// signal sends a request within the call.
func (c *live) signal(ctx context.Context, m call.SIPMessage) (call.SIPResponse, error) {
	leg, err := control{c: c}.leg(ctx)
	if err != nil {
		return call.SIPResponse{}, err
	}
	teller, ok := leg.(call.Teller)
	if !ok {
		return call.SIPResponse{}, script.ErrNotSIP
	}
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	res, err := teller.Tell(ctx, m)
	if errors.Is(err, call.ErrLegEnded) {
		err = call.ErrEnded
	}
	return res, err
}
