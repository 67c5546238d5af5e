package admin

import (
	"context"
	"net/http"
	"net/url"
)

// Flash presses the hook of exchange lines.
type Flash interface {
	// Flash presses it shortly on a line that is in a call. The error is or wraps
	// call.ErrNotFound or call.ErrWrongState, or says why not.
	Flash(ctx context.Context, line string) error
}

// handleFlash adds the route of hook flashes.
func (h *Handler) handleFlash(f Flash) {
	h.mux.HandleFunc("POST /v1/lines/{line}/flash", func(w http.ResponseWriter, r *http.Request) {
		err := f.Flash(r.Context(), r.PathValue("line"))
		if err == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		code := status(err)
		if code == http.StatusInternalServerError {
			code = http.StatusConflict
		}
		fail(w, code, err)
	})
}

// Flash presses the hook of an exchange line shortly.
func (c *Client) Flash(ctx context.Context, line string) error {
	return c.send(ctx, http.MethodPost, "/v1/lines/"+url.PathEscape(line)+"/flash", nil)
}
