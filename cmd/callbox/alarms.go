package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"callbox/api"
	"callbox/call"
	"callbox/call/script"
	"callbox/storage"
)

// The alerts are kept in pages, so that a new one costs the writing of few others.
const (
	alertPages    = 20
	alertsPerPage = 50
	// alertPace is how often a page is written at most, and for how long the same
	// alert counts as one.
	alertPace = time.Minute
	// maxAlertText is the longest sentence in bytes.
	maxAlertText = 500
)

// alarms keep the latest alerts, 950 to 1,000 of them, for all accounts. Those of the
// last minute may be lost with the power.
type alarms struct {
	store *storage.Store
	now   func() time.Time
	log   *slog.Logger

	mu    sync.Mutex // guards what follows
	pages [alertPages]alertPage
	page  int  // that is being filled
	dirty bool // it has not been written
}

// alertPage is what a blob holds.
type alertPage struct {
	Seq    uint64       `json:"seq"` // rising from page to page
	Alerts []call.Alert `json:"alerts"`
}

func alertBlob(page int) string { return fmt.Sprintf("alerts-%02d", page) }

// newAlarms loads what was kept. What cannot be read is left behind.
func newAlarms(s *storage.Store, now func() time.Time, log *slog.Logger) *alarms {
	a := &alarms{store: s, now: now, log: log}
	for i := range a.pages {
		b, err := s.Blob(alertBlob(i))
		if err == nil {
			err = json.Unmarshal(b, &a.pages[i])
		}
		if err != nil && !errors.Is(err, storage.ErrNoBlob) {
			log.Warn("some alerts cannot be read", "err", err)
		}
		if a.pages[i].Seq > a.pages[a.page].Seq {
			a.page = i
		}
	}
	return a
}

// add keeps an alert. It does not block.
func (a *alarms) add(x call.Alert) {
	a.mu.Lock()
	defer a.mu.Unlock()
	x.Time, x.Count = a.now().UTC(), 1
	if len(x.Text) > maxAlertText {
		x.Text = x.Text[:maxAlertText]
	}
	p := &a.pages[a.page]
	for i := range p.Alerts {
		o := &p.Alerts[i]
		if o.Account == x.Account && o.Type == x.Type && o.URL == x.URL && x.Time.Sub(o.Time) < alertPace && (x.URL != "" || o.Text == x.Text) {
			o.Count++
			a.dirty = true
			return
		}
	}
	if len(p.Alerts) >= alertsPerPage {
		if a.dirty {
			a.save()
		}
		seq := p.Seq + 1
		a.page = (a.page + 1) % alertPages
		p = &a.pages[a.page]
		*p = alertPage{Seq: seq}
	}
	p.Alerts = append(slices.Clip(p.Alerts), x)
	a.dirty = true
}

// save hands the present page to the store. mu is held.
func (a *alarms) save() {
	a.dirty = false
	b, err := json.Marshal(a.pages[a.page])
	name := alertBlob(a.page)
	if err == nil {
		err = a.store.EnqueueBlob(name, b)
	}
	if err != nil {
		a.log.Error("the alerts cannot be kept", "err", err)
	}
}

// run writes new alerts now and then, until ctx ends.
func (a *alarms) run(ctx context.Context) error {
	t := time.NewTicker(alertPace)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		a.mu.Lock()
		if a.dirty {
			a.save()
		}
		a.mu.Unlock()
		if ctx.Err() != nil {
			return nil
		}
	}
}

var _ api.Alerts = (*alarms)(nil)

// Alerts gives those of an account, newest first.
func (a *alarms) Alerts(account string) []call.Alert {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []call.Alert
	for i := range alertPages {
		list := a.pages[(a.page-i+alertPages)%alertPages].Alerts
		for _, x := range slices.Backward(list) {
			if x.Account == account {
				out = append(out, x)
			}
		}
	}
	return out
}

// fetchFailed keeps what a failure to ask an application means. Failures that only say
// that the call is over are none.
func (a *alarms) fetchFailed(account, id string, err error) {
	var fe *script.FetchError
	if !errors.As(err, &fe) || errors.Is(err, context.Canceled) || errors.Is(err, call.ErrEnded) {
		return
	}
	a.add(call.Alert{Account: account, Type: fetchAlert(fe.Code), Text: fe.Error(), Call: id, URL: fe.URL, Status: fe.Status})
}

// fetchAlert is what the codes of call-api.md §1.5 are about.
func fetchAlert(code int) call.AlertType {
	switch {
	case code == 11100:
		return call.AlertHookAddress
	case code == 11200:
		return call.AlertHookStatus
	case code >= 11201 && code < 11300:
		return call.AlertHookSilent
	}
	return call.AlertDocument
}
