package gsm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"callbox/hal"
	"callbox/hal/at"
)

const (
	scanTime  = 2 * time.Second  // between looks at the bus
	againTime = 15 * time.Second // before a modem that did not answer is tried again
	helloTime = 30 * time.Second // that a modem has to say who it is
	probeTime = 10 * time.Second // of silence before a modem is asked whether it is there
)

// Hub finds modems and gives them to ports. Methods may be called from any
// goroutine.
type Hub struct {
	bus Bus
	log *slog.Logger

	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup
	wake chan struct{}
	news chan struct{} // one token: a port has had its first modem

	mu    sync.Mutex // guards what follows
	ports []*Port
	used  map[string]bool      // places whose modem a port has, or that is being asked
	later map[string]time.Time // places that are not tried before
	known map[string]*Port     // by IMEI: who has had it
	odd   map[string]string    // places of modems that no port takes: why
}

// found is a modem that has said who it is.
type found struct {
	row         row
	place       string
	engine      *at.Engine
	pcm         string // path of the sound
	imei, iccid string
	first       bool // the port did not have it before
	trace       *relay
}

// relay passes a modem's dialogue on once it is known whose it is.
type relay struct {
	mu sync.Mutex
	to func(at.Entry)
}

func (r *relay) entry(e at.Entry) {
	r.mu.Lock()
	to := r.to
	r.mu.Unlock()
	if to != nil {
		to(e)
	}
}

func (r *relay) set(to func(at.Entry)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.to = to
}

// NewHub watches a bus.
func NewHub(b Bus, log *slog.Logger) *Hub {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	h := &Hub{bus: b, log: log, wake: make(chan struct{}, 1), news: make(chan struct{}, 1), used: map[string]bool{}, later: map[string]time.Time{}, known: map[string]*Port{}, odd: map[string]string{}}
	h.ctx, h.stop = context.WithCancel(context.Background())
	h.wg.Go(h.run)
	return h
}

// Port adds a port. It gets the first modem that is its.
func (h *Hub) Port(c Config) *Port {
	p := newPort(h, c)
	h.mu.Lock()
	h.ports = append(h.ports, p)
	h.mu.Unlock()
	h.look()
	return p
}

// News gets a token when a port was given a modem that it did not have before. It is
// never closed.
func (h *Hub) News() <-chan struct{} { return h.news }

// Close stops looking for modems, then closes all ports.
func (h *Hub) Close() error {
	h.stop()
	h.wg.Wait()
	h.mu.Lock()
	ports := h.ports
	h.mu.Unlock()
	var errs []error
	for _, p := range ports {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}

// look has the bus looked at soon.
func (h *Hub) look() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// Unclaimed lists, by place, the modems that no port has and why.
func (h *Hub) Unclaimed() map[string]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[string]string{}
	for k, v := range h.odd {
		out[k] = v
	}
	return out
}

// run looks at the bus now and then.
func (h *Hub) run() {
	t := time.NewTicker(scanTime)
	defer t.Stop()
	for {
		h.scan()
		select {
		case <-h.ctx.Done():
			return
		case <-t.C:
		case <-h.wake:
		}
	}
}

// device is a modem on the bus: its two lines.
type device struct {
	row     row
	place   string
	at, pcm string
}

// devices are the modems among serial devices.
func devices(list []hal.TTY) []device {
	var out []device
	index := map[string]int{}
	for _, t := range list {
		r, ok := rowOf(t)
		if !ok || t.Place == "" {
			continue
		}
		i, seen := index[t.Place]
		if !seen {
			i = len(out)
			index[t.Place] = i
			out = append(out, device{row: r, place: t.Place})
		}
		switch t.Interface {
		case r.at:
			out[i].at = t.Path
		case r.pcm:
			out[i].pcm = t.Path
		}
	}
	return out
}

// scan asks modems that are new who they are.
func (h *Hub) scan() {
	list, err := h.bus.TTYs()
	if err != nil {
		h.log.Debug("look for modems", "err", err)
		return
	}
	there := map[string]bool{}
	for _, d := range devices(list) {
		there[d.place] = true
		if d.at == "" || !h.claim(d.place) {
			continue
		}
		h.wg.Go(func() { h.meet(d) })
	}
	for place, product := range h.disguised() {
		there[place] = true
		h.strange(place, fmt.Sprintf("the Huawei stick at %s (%04x:%04x) shows itself as a CD-ROM and not as a modem: install the package usb-modeswitch, or make it a modem for good on another computer by AT^U2DIAG=0", place, huaweiVendor, product))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for place := range h.odd {
		if !there[place] {
			delete(h.odd, place)
		}
	}
	for place := range h.later {
		if !there[place] {
			delete(h.later, place)
		}
	}
}

// disguised are sticks that begin as a CD-ROM with their drivers for other systems: by
// place, the product.
func (h *Hub) disguised() map[string]uint16 {
	d, ok := h.bus.(Disks)
	if !ok {
		return nil
	}
	list, err := d.DisksOf(huaweiVendor)
	if err != nil {
		h.log.Debug("look for modems that show themselves as disks", "err", err)
	}
	return list
}

// claim takes a place unless it is in use, or not due.
func (h *Hub) claim(place string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.used[place] || time.Now().Before(h.later[place]) {
		return false
	}
	h.used[place] = true
	return true
}

// free gives a place back; it is tried again after wait.
func (h *Hub) free(place string, wait time.Duration) {
	h.mu.Lock()
	h.used[place] = false
	h.later[place] = time.Now().Add(wait)
	h.mu.Unlock()
	if wait == 0 {
		h.look()
	}
}

// meet asks a modem who it is and gives it to its port.
func (h *Hub) meet(d device) {
	f, err := h.hello(d)
	if err != nil {
		h.log.Debug("a modem does not say who it is", "place", d.place, "err", err)
		h.strange(d.place, fmt.Sprintf("the %s at %s does not answer: %v", d.row.name, d.place, err))
		h.free(d.place, againTime)
		return
	}
	p := h.owner(f)
	if p == nil {
		f.close()
		h.strange(d.place, fmt.Sprintf("the %s at %s (IMEI %s) belongs to no line; add one to modems", d.row.name, d.place, f.imei))
		h.free(d.place, againTime)
		return
	}
	h.strange(d.place, "")
	select {
	case p.found <- f:
	case <-h.ctx.Done():
		f.close()
	case <-p.done:
		f.close()
	}
}

func (h *Hub) strange(place, why string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case why == "":
		delete(h.odd, place)
	case h.odd[place] != why:
		h.odd[place] = why
		h.log.Warn(why)
	}
}

func (f *found) close() { _ = f.engine.Close() }

// hello opens a modem and reads its IMEI and, if it can be read, the ICCID.
func (h *Hub) hello(d device) (*found, error) {
	port, err := h.bus.OpenPort(d.at)
	if err != nil {
		return nil, err
	}
	f := &found{row: d.row, place: d.place, pcm: d.pcm, trace: &relay{}}
	f.engine = at.New(port, at.Config{Probe: probeTime, Trace: f.trace.entry})
	ctx, cancel := context.WithTimeout(h.ctx, helloTime)
	defer cancel()
	if err := f.engine.Resync(ctx); err != nil {
		f.close()
		return nil, err
	}
	for _, c := range []string{"ATE0", "ATV1", "AT+CMEE=1"} {
		_, _ = f.engine.Do(ctx, at.Command{Text: c}) // what does not answer fails below
	}
	if f.imei, err = imeiOf(ctx, f.engine); err != nil {
		f.close()
		return nil, err
	}
	for range cardBusy { // whose it is may depend on the SIM
		if f.iccid = iccidOf(ctx, f.engine, d.row); f.iccid != "" || !busySIM(ctx, f.engine) {
			break
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
	return f, nil
}

// busySIM reports whether the modem says that its SIM is not to be spoken to yet.
func busySIM(ctx context.Context, e *at.Engine) bool {
	_, err := e.Do(ctx, at.Command{Text: "AT+CPIN?", Answers: []string{"+CPIN:"}, Class: at.Radio})
	var cme *at.CMEError
	return errors.As(err, &cme) && cme.Code == at.CMESIMBusy
}

// imeiOf reads the number of the modem, twice the same: it decides whose line it is.
func imeiOf(ctx context.Context, e *at.Engine) (string, error) {
	last := ""
	for range 6 {
		r, err := e.Do(ctx, at.Command{Text: "AT+CGSN", Any: true})
		if err != nil {
			last = ""
			if ctx.Err() != nil || e.Err() != nil {
				return "", err
			}
			continue
		}
		for _, l := range r.Lines {
			if n := onlyDigits(l); len(n) == 15 {
				if n == last {
					return n, nil
				}
				last = n
			}
		}
	}
	return "", errors.New("it does not tell its IMEI")
}

// onlyDigits is l when it has nothing else (quotes aside), else empty.
func onlyDigits(l string) string {
	out := make([]byte, 0, 20)
	for i := range len(l) {
		switch c := l[i]; {
		case c >= '0' && c <= '9':
			out = append(out, c)
		case c == '"' || c == ' ':
		default:
			return ""
		}
	}
	return string(out)
}

// iccidOf reads the number of the SIM; empty when there is none, or it is not ready.
func iccidOf(ctx context.Context, e *at.Engine, r row) string {
	a, err := e.Do(ctx, at.Command{Text: r.iccid, Answers: []string{r.iccidStart}, Class: at.Radio})
	if err != nil {
		return ""
	}
	n := a.Value(r.iccidStart)
	for len(n) > 0 && (n[len(n)-1] == 'F' || n[len(n)-1] == 'f') { // filler of an odd number of digits
		n = n[:len(n)-1]
	}
	if n = onlyDigits(n); len(n) < 18 || len(n) > 20 {
		return ""
	}
	return n
}

// owner is whose modem it is.
func (h *Hub) owner(f *found) *Port {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, fits := range []func(p *Port, c Config) bool{
		func(_ *Port, c Config) bool { return c.IMEI != "" && c.IMEI == f.imei },
		func(_ *Port, c Config) bool { return c.IMEI == "" && c.ICCID != "" && c.ICCID == f.iccid },
		func(p *Port, c Config) bool { return c.IMEI == "" && c.ICCID == "" && h.known[f.imei] == p },
		func(_ *Port, c Config) bool {
			return c.IMEI == "" && c.ICCID == "" && c.Place != "" && c.Place == f.place
		},
		func(p *Port, c Config) bool { return c.IMEI == "" && c.ICCID == "" && c.Place == "" && !h.taken(p) },
	} {
		for _, p := range h.ports {
			if fits(p, p.config()) && !p.has() {
				f.first = h.known[f.imei] != p
				h.known[f.imei] = p
				return p
			}
		}
	}
	return nil
}

// taken reports whether a port has had another modem; h.mu is held.
func (h *Hub) taken(p *Port) bool {
	for _, o := range h.known {
		if o == p {
			return true
		}
	}
	return false
}
