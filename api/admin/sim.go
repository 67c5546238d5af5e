package admin

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Sims steers the simulated far sides of the board: phones, exchanges, networks.
type Sims interface {
	// Sims lists them by port; empty on a real board.
	Sims() []Sim
	// SetFault switches a fault on a port; "off" ends it. The error is or wraps
	// call.ErrNotFound when nothing is simulated there.
	SetFault(port, name, value string) error
	// Act has the person at a port do something: pick-up, hang-up, call with a
	// number, press with keys, and what else Sim.Acts lists. It returns when it is done.
	Act(ctx context.Context, port, action, with string) error
	// Say has the person speak: 8,000 Hz.
	Say(ctx context.Context, port string, samples []int16) error
	// Heard is what the person heard of the present or the last call.
	Heard(port string) ([]int16, error)
}

// Sim is a simulated far side.
type Sim struct {
	Port   string     `json:"port"`
	State  []SimField `json:"state"` // how it is, what matters most first
	Acts   []SimAct   `json:"acts"`
	Faults []Fault    `json:"faults"`
}

// SimField is one thing to know of a simulated far side.
type SimField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// SimAct is something that one can do.
type SimAct struct {
	Name  string `json:"name"`
	With  string `json:"with,omitempty"` // "KEYS"; in brackets where it may be left out
	About string `json:"about"`
}

// Fault is something that can be wrong with it.
type Fault struct {
	Name  string `json:"name"`
	About string `json:"about"`
	Value string `json:"value"` // "off", "on", a number, a duration
}

// handleSims adds the routes of simulated far sides.
func (h *Handler) handleSims(s Sims) {
	reply := func(w http.ResponseWriter, err error) {
		if err == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		code := status(err)
		if code == http.StatusInternalServerError {
			code = http.StatusConflict
		}
		fail(w, code, err)
	}
	h.mux.HandleFunc("GET /v1/sim", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, s.Sims()) })
	h.mux.HandleFunc("PUT /v1/sim/{port}/faults/{name}", func(w http.ResponseWriter, r *http.Request) {
		var value string
		if err := json.NewDecoder(r.Body).Decode(&value); err != nil {
			fail(w, http.StatusBadRequest, fmt.Errorf("read the value: %w", err))
			return
		}
		reply(w, s.SetFault(r.PathValue("port"), r.PathValue("name"), value))
	})
	h.mux.HandleFunc("POST /v1/sim/{port}/{action}", func(w http.ResponseWriter, r *http.Request) {
		reply(w, s.Act(r.Context(), r.PathValue("port"), r.PathValue("action"), r.FormValue("with")))
	})
	h.mux.HandleFunc("PUT /v1/sim/{port}/sound", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil || len(b)%2 != 0 {
			fail(w, http.StatusBadRequest, errors.Join(errors.New("the sound must be 16-bit little endian samples, at most 2 minutes"), err))
			return
		}
		samples := make([]int16, len(b)/2)
		for i := range samples {
			samples[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
		}
		reply(w, s.Say(r.Context(), r.PathValue("port"), samples))
	})
	h.mux.HandleFunc("GET /v1/sim/{port}/sound", func(w http.ResponseWriter, r *http.Request) {
		samples, err := s.Heard(r.PathValue("port"))
		if err != nil {
			reply(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Write(soundBytes(samples)) //nolint:errcheck // the client went away
	})
}

func soundBytes(samples []int16) []byte {
	b := make([]byte, 0, 2*len(samples))
	for _, v := range samples {
		b = binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	return b
}

// Sims lists the simulated far sides.
func (c *Client) Sims(ctx context.Context) ([]Sim, error) {
	var l []Sim
	err := c.json(ctx, http.MethodGet, "/v1/sim", nil, &l)
	return l, err
}

// SetFault switches a fault of a simulated far side.
func (c *Client) SetFault(ctx context.Context, port, name, value string) error {
	return c.send(ctx, http.MethodPut, "/v1/sim/"+url.PathEscape(port)+"/faults/"+url.PathEscape(name), value)
}

// Act has the person at a simulated far side do something.
func (c *Client) Act(ctx context.Context, port, action, with string) error {
	q := url.Values{"with": {with}}
	return c.send(ctx, http.MethodPost, "/v1/sim/"+url.PathEscape(port)+"/"+url.PathEscape(action)+"?"+q.Encode(), nil)
}

// Say has the person at a simulated far side speak, and returns when all was said.
func (c *Client) Say(ctx context.Context, port string, samples []int16) error {
	res, err := c.do(ctx, http.MethodPut, "/v1/sim/"+url.PathEscape(port)+"/sound", bytes.NewReader(soundBytes(samples)))
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// Heard is what the person at a simulated far side heard.
func (c *Client) Heard(ctx context.Context, port string) ([]int16, error) {
	res, err := c.do(ctx, http.MethodGet, "/v1/sim/"+url.PathEscape(port)+"/sound", nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("read the sound: %w", err)
	}
	samples := make([]int16, len(b)/2)
	for i := range samples {
		samples[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return samples, nil
}

// send is a request whose answer has no body.
func (c *Client) send(ctx context.Context, method, path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	res, err := c.do(ctx, method, path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	return res.Body.Close()
}
