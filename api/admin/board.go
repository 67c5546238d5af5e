package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Hardware is the machine that the box runs on.
type Hardware interface {
	// Board tells which board it is, what works there and how the machine is.
	Board() Board
	// AddBoard checks and keeps the file of a board profile, which is used from the
	// next start on, and gives its name.
	AddBoard(ctx context.Context, file []byte) (name string, err error)
	// RemoveBoard forgets one. The error is or wraps call.ErrNotFound.
	RemoveBoard(ctx context.Context, name string) error
	// Reset starts the box anew as it was when it was new; recordings and call
	// records stay unless everything is to go.
	Reset(everything bool)
}

// Board is a board and how it is.
type Board struct {
	Name      string    `json:"name"`
	Title     string    `json:"title,omitempty"`
	Model     string    `json:"model,omitempty"` // what the machine calls itself
	Parts     []Part    `json:"parts"`
	Condition Condition `json:"condition"`
	Warnings  []string  `json:"warnings"`
}

// Condition is how the machine is. What it does not tell is left out.
type Condition struct {
	Temperature  float64 `json:"temperature,omitempty"` // °C, of the processor
	UnderVoltage bool    `json:"under_voltage"`         // since power-on
	// Throttled: the processor is held back now; ThrottledOnce: it was since power-on.
	Throttled     bool          `json:"throttled"`
	ThrottledOnce bool          `json:"throttled_once"`
	Disk          string        `json:"disk,omitempty"`       // of the data folder
	Wear          int           `json:"wear,omitempty"`       // share of the disk's life that is used, %
	Written       uint64        `json:"written"`              // to the disk since power-on, bytes
	Up            time.Duration `json:"up"`                   // since power-on, ns
	ClockSet      bool          `json:"clock_set"`            // the clock shows a time that can be
	ClockKept     bool          `json:"clock_kept"`           // by a time server
	RTC           string        `json:"rtc,omitempty"`        // the clock with a battery
	ClockFrom     string        `json:"clock_from,omitempty"` // who has set the clock, if no time server: "the mobile network"
}

// Part is a port, light or button of a board.
type Part struct {
	Name   string `json:"name"`
	State  string `json:"state"` // "loaded", "skipped" (not fitted) or "failed"
	Reason string `json:"reason,omitempty"`
}

// Added names a board that was added.
type Added struct {
	Name string `json:"name"`
}

// Reset asks for the box as it was when it was new.
type Reset struct {
	Everything bool `json:"everything,omitempty"` // recordings and call records too
}

// handleHardware serves the board.
func (h *Handler) handleHardware(b Hardware) {
	h.mux.HandleFunc("GET /v1/board", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, b.Board()) })
	h.mux.HandleFunc("POST /v1/boards", func(w http.ResponseWriter, r *http.Request) {
		file, err := io.ReadAll(r.Body)
		if err != nil {
			fail(w, http.StatusBadRequest, fmt.Errorf("read the profile: %w", err))
			return
		}
		name, err := b.AddBoard(r.Context(), file)
		if err != nil {
			fail(w, http.StatusBadRequest, err)
			return
		}
		answer(w, http.StatusCreated, Added{Name: name})
	})
	h.mux.HandleFunc("DELETE /v1/boards/{name}", func(w http.ResponseWriter, r *http.Request) {
		if err := b.RemoveBoard(r.Context(), r.PathValue("name")); err != nil {
			fail(w, status(err), err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	h.mux.HandleFunc("POST /v1/reset", func(w http.ResponseWriter, r *http.Request) {
		var x Reset
		d := json.NewDecoder(r.Body)
		d.DisallowUnknownFields()
		if err := d.Decode(&x); err != nil {
			fail(w, http.StatusBadRequest, fmt.Errorf("read the request: %w", err))
			return
		}
		b.Reset(x.Everything)
		w.WriteHeader(http.StatusAccepted)
	})
}

// Board tells which board the box runs on.
func (c *Client) Board(ctx context.Context) (b Board, err error) {
	return b, c.json(ctx, http.MethodGet, "/v1/board", nil, &b)
}

// AddBoard adds a board profile.
func (c *Client) AddBoard(ctx context.Context, file []byte) (a Added, err error) {
	res, err := c.do(ctx, http.MethodPost, "/v1/boards", bytes.NewReader(file))
	if err != nil {
		return a, err
	}
	defer res.Body.Close()
	return a, json.NewDecoder(res.Body).Decode(&a)
}

// RemoveBoard removes one.
func (c *Client) RemoveBoard(ctx context.Context, name string) error {
	res, err := c.do(ctx, http.MethodDelete, "/v1/boards/"+url.PathEscape(name), nil)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// Reset starts the box anew as it was when it was new.
func (c *Client) Reset(ctx context.Context, r Reset) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	res, err := c.do(ctx, http.MethodPost, "/v1/reset", bytes.NewReader(b))
	if err != nil {
		return err
	}
	return res.Body.Close()
}
