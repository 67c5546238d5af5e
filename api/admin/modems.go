package admin

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"callbox/call"
)

// Modems knows the slots for GSM and LTE modems.
type Modems interface {
	// Modems lists them, also those without a modem, by port; then what is no line.
	Modems() []Modem
}

// Modem is a slot and what is in it. What is not known is left out.
type Modem struct {
	Port     string    `json:"port"` // empty: something at Place that could be a modem and is no line
	Ready    bool      `json:"ready"`
	Since    time.Time `json:"since"` // when Ready last changed
	Text     string    `json:"text"`  // one sentence
	Busy     bool      `json:"busy"`
	Place    string    `json:"place,omitempty"` // on the USB bus
	Maker    string    `json:"maker,omitempty"`
	Model    string    `json:"model,omitempty"`
	Firmware string    `json:"firmware,omitempty"`
	IMEI     string    `json:"imei,omitempty"`
	ICCID    string    `json:"iccid,omitempty"`
	Number   string    `json:"number,omitempty"`
	SIM      string    `json:"sim,omitempty"`
	Network  string    `json:"network,omitempty"`
	Operator string    `json:"operator,omitempty"`
	Roaming  bool      `json:"roaming,omitempty"`
	Signal   int       `json:"signal_dbm,omitempty"`
	Voice    string    `json:"voice,omitempty"` // how calls are carried
	VoLTE    string    `json:"volte,omitempty"` // what is to be said of calls over LTE
	Warnings []string  `json:"warnings,omitempty"`

	Sound    ModemSound        `json:"sound"`
	Counters map[string]uint64 `json:"counters"` // since the gateway was started
	History  []ModemNote       `json:"history"`  // oldest first
}

// ModemSound answers the question why there is no sound.
type ModemSound struct {
	Path    string   `json:"path,omitempty"`
	Live    bool     `json:"live"` // of a call that is up; else of the last
	Seconds float64  `json:"seconds"`
	In      int      `json:"bytes_per_second_in"`
	Out     int      `json:"bytes_per_second_out"`
	PeakIn  int      `json:"peak_in"`
	PeakOut int      `json:"peak_out"`
	Report  []string `json:"report"` // sentences
}

// ModemNote is something that happened to a modem.
type ModemNote struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}

// handleModems adds the routes of modems.
func (h *Handler) handleModems(m Modems) {
	h.mux.HandleFunc("GET /v1/modems", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, m.Modems()) })
	h.mux.HandleFunc("GET /v1/modems/{port}", func(w http.ResponseWriter, r *http.Request) {
		for _, x := range m.Modems() {
			if x.Port == r.PathValue("port") {
				answer(w, http.StatusOK, x)
				return
			}
		}
		fail(w, http.StatusNotFound, fmt.Errorf("%w: there is no slot %q for a modem", call.ErrNotFound, r.PathValue("port")))
	})
}

// Modems lists the slots for modems.
func (c *Client) Modems(ctx context.Context) ([]Modem, error) {
	var l []Modem
	err := c.json(ctx, http.MethodGet, "/v1/modems", nil, &l)
	return l, err
}
