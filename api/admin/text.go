package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"callbox/call"
)

// Texts are the text messages of the box, and what its networks say by USSD.
type Texts interface {
	// Texts lists the newest text messages of all accounts, at most limit.
	Texts(limit int) []call.Message
	// SendText sends one for the first account; From may be a line's id. The error is
	// or wraps call.ErrNoMessenger, call.ErrLimit or a *call.TollError.
	SendText(ctx context.Context, m NewText) (call.Message, error)
	// USSD sends a code, or an answer to a network that waits for one, on a line. The
	// error is or wraps call.ErrNotFound when there is no such line for it.
	USSD(ctx context.Context, line, code string) (call.USSDAnswer, error)
	// CancelUSSD ends a session in which the network waits for an answer.
	CancelUSSD(ctx context.Context, line string) error
}

// NewText asks for a text message by hand.
type NewText struct {
	From string `json:"from"` // a number or a line's id; empty: the only line that can
	To   string `json:"to"`
	Body string `json:"body"`
}

// handleTexts adds the routes of text messages and USSD.
func (h *Handler) handleTexts(t Texts) {
	trouble := func(w http.ResponseWriter, err error) {
		code := status(err)
		if code == http.StatusInternalServerError {
			code = http.StatusConflict // the network's no
		}
		fail(w, code, err)
	}
	h.mux.HandleFunc("GET /v1/texts", func(w http.ResponseWriter, r *http.Request) {
		limit, err := strconv.Atoi(r.FormValue("limit"))
		if err != nil || limit < 1 || limit > 1000 {
			limit = 50
		}
		answer(w, http.StatusOK, t.Texts(limit))
	})
	h.mux.HandleFunc("POST /v1/texts", func(w http.ResponseWriter, r *http.Request) {
		var n NewText
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&n); err != nil {
			fail(w, http.StatusBadRequest, fmt.Errorf("read the message: %w", err))
			return
		}
		m, err := t.SendText(r.Context(), n)
		if err != nil {
			trouble(w, err)
			return
		}
		answer(w, http.StatusCreated, m)
	})
	h.mux.HandleFunc("POST /v1/lines/{line}/ussd", func(w http.ResponseWriter, r *http.Request) {
		var code string
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&code); err != nil {
			fail(w, http.StatusBadRequest, fmt.Errorf("read the code, a text in quotes: %w", err))
			return
		}
		a, err := t.USSD(r.Context(), r.PathValue("line"), code)
		if err != nil {
			trouble(w, err)
			return
		}
		answer(w, http.StatusOK, a)
	})
	h.mux.HandleFunc("DELETE /v1/lines/{line}/ussd", func(w http.ResponseWriter, r *http.Request) {
		if err := t.CancelUSSD(r.Context(), r.PathValue("line")); err != nil {
			trouble(w, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// Texts gives the newest text messages, at most limit (1…1000).
func (c *Client) Texts(ctx context.Context, limit int) ([]call.Message, error) {
	var l []call.Message
	err := c.json(ctx, http.MethodGet, "/v1/texts?limit="+strconv.Itoa(limit), nil, &l)
	return l, err
}

// SendText sends a text message.
func (c *Client) SendText(ctx context.Context, n NewText) (call.Message, error) {
	var m call.Message
	err := c.json(ctx, http.MethodPost, "/v1/texts", n, &m)
	return m, err
}

// USSD sends a code on a line and gives what its network says to it.
func (c *Client) USSD(ctx context.Context, line, code string) (call.USSDAnswer, error) {
	var a call.USSDAnswer
	err := c.json(ctx, http.MethodPost, "/v1/lines/"+url.PathEscape(line)+"/ussd", code, &a)
	return a, err
}

// CancelUSSD ends a session in which the network waits for an answer.
func (c *Client) CancelUSSD(ctx context.Context, line string) error {
	return c.send(ctx, http.MethodDelete, "/v1/lines/"+url.PathEscape(line)+"/ussd", nil)
}
