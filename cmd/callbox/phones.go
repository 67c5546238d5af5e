package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"callbox/call/line/fxs"
	"callbox/storage"
	"callbox/storage/config"
)

// phoneConfig is the configuration of an analogue phone as its line wants it.
func phoneConfig(ph config.Phone, snap config.Snapshot) (fxs.Config, error) {
	cfg := fxs.Config{ID: ph.Port, Number: ph.Number, Name: ph.CallerName, Country: snap.Country,
		EchoTail: time.Duration(ph.EchoTail) * time.Millisecond, CallerID: ph.CallerID, Show: shownIn(snap.Country),
		HotLine: ph.HotLine, HotDelay: ph.HotDelay.Std(), Waiting: ph.CallWaiting, Reverse: ph.ReverseOnAnswer,
		FirstDigit: snap.Dialling.FirstDigit.Std(), InterDigit: snap.Dialling.InterDigit.Std(), NoAnswer: snap.Dialling.NoAnswer.Std()}
	for _, c := range snap.Dialling.CodesInUse() {
		cfg.Features = append(cfg.Features, fxs.Feature{Code: c.Code, Do: fxs.Action(c.Does)})
	}
	for _, r := range ph.Rings {
		ring := fxs.Ring{Caller: r.Caller}
		for _, ms := range r.Rhythm {
			ring.Steps = append(ring.Steps, time.Duration(ms)*time.Millisecond)
		}
		cfg.Rings = append(cfg.Rings, ring)
	}
	if len(snap.Dialling.Map) == 0 {
		return cfg, nil
	}
	var err error
	cfg.Plan, err = fxs.DigitMap(snap.Dialling.Map)
	return cfg, err
}

// phonesBlob is under which name the settings of analogue phones are kept.
const phonesBlob = "phone-settings"

// phones is what the box keeps of its analogue phones. It is bounded by the board's
// ports.
type phones struct {
	group fxs.Group
	store *storage.Store
	log   *slog.Logger

	mu  sync.Mutex // guards all
	all map[string]fxs.Settings
}

// openPhones reads it.
func openPhones(s *storage.Store, log *slog.Logger) (*phones, error) {
	p := &phones{store: s, log: log, all: map[string]fxs.Settings{}}
	blob, err := s.Blob(phonesBlob)
	if errors.Is(err, storage.ErrNoBlob) {
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(blob, &p.all); err != nil {
		log.Error("the settings of the analogue phones cannot be read and are forgotten", "err", err)
		p.all = map[string]fxs.Settings{}
	}
	return p, nil
}

// of gives the settings of a phone.
func (p *phones) of(port string) fxs.Settings {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all[port]
}

// keep keeps them; they are on disk a little later.
func (p *phones) keep(port string, s fxs.Settings) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := maps.Clone(p.all)
	next[port] = s
	p.all = next
	blob, err := json.Marshal(next)
	if err == nil {
		err = p.store.EnqueueBlob(phonesBlob, blob)
	}
	if err != nil {
		p.log.Error("the settings of a phone are not kept; they hold until the next start", "line", port, "err", err)
	}
}
