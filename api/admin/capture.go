package admin

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"callbox/call"
	"callbox/call/trace"
)

// Capturer captures calls.
type Capturer interface {
	// Capture begins the capture of a call.
	Capture(id string) *trace.Capture
}

const (
	// lingering is for how long what belongs to an ended call may still come, such as
	// the answer to its BYE and the goodbye of its sound.
	lingering = time.Second
	// relatives is how often the calls that a call has dialled are looked up.
	relatives = time.Second
)

// capture streams a capture file of a call: first what is remembered, then what goes
// on until the call has ended or the client goes away.
func (h *Handler) capture(w http.ResponseWriter, r *http.Request, c Capturer) {
	id := r.PathValue("id")
	rec, err := h.calls.Call(r.Context(), h.box.Account(), id)
	if err != nil {
		fail(w, status(err), err)
		return
	}
	w.Header().Set("Content-Type", "application/x-pcapng")
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w)
	tape := c.Capture(id)
	tick := time.NewTicker(trace.CaptureEvery)
	defer tick.Stop()
	var family []string
	var looked, over time.Time // over: when the call was seen to have ended; zero: it is up
	for {
		now := time.Now()
		if now.Sub(looked) >= relatives || !over.IsZero() {
			family, looked = h.family(r.Context(), id), now
		}
		if _, err := w.Write(tape.Next(append(family, rec.SIPCallID)...)); err != nil || flush.Flush() != nil {
			return
		}
		if !over.IsZero() && now.Sub(over) >= lingering {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
		if over.IsZero() {
			if rec, err = h.calls.Call(r.Context(), h.box.Account(), id); err != nil || rec.State.Final() {
				over = time.Now()
			}
		}
	}
}

// family gives the calls that a call has dialled, and their dialogs.
func (h *Handler) family(ctx context.Context, id string) (out []string) {
	p, err := h.calls.Calls(ctx, call.Filter{Account: h.box.Account(), Parent: id})
	if err != nil {
		return nil
	}
	for _, r := range p.Records {
		out = append(out, r.ID, r.SIPCallID)
	}
	return out
}

// Capture writes the capture of a call into w until the call has ended or ctx ends,
// which is no error.
func (c *Client) Capture(ctx context.Context, id string, w io.Writer) error {
	res, err := c.do(ctx, http.MethodGet, "/v1/calls/"+url.PathEscape(id)+"/capture", nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(w, res.Body); err != nil && ctx.Err() == nil {
		return fmt.Errorf("the capture was cut short: %w", err)
	}
	return nil
}
