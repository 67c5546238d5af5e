package text

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"callbox/call"
)

// Arrived takes what a line's network has brought. It is on disk when it returns;
// an error means that it is not. The same part a second time changes nothing.
func (h *House) Arrived(line string, p call.TextPart) error {
	h.saving.Lock()
	defer h.saving.Unlock()
	if p.Total <= 1 {
		return h.complete(line, []call.TextPart{p}, nil)
	}
	set := partSet(line, p)
	key := fmt.Sprintf("%s%03d", set, p.Seq)
	now := time.Now()
	h.mu.Lock()
	whole := []call.TextPart{p}
	var keys []string
	for k, x := range h.parts {
		if strings.HasPrefix(k, set) && k != key {
			whole = append(whole, x.Part)
			keys = append(keys, k)
		}
	}
	known := h.parts[key] != nil
	full := len(h.parts) >= maxParts
	h.mu.Unlock()
	if len(whole) == p.Total {
		slices.SortFunc(whole, func(a, b call.TextPart) int { return a.Seq - b.Seq })
		if known {
			keys = append(keys, key)
		}
		return h.complete(line, whole, keys)
	}
	if known {
		return nil
	}
	if full {
		return fmt.Errorf("%d parts of text messages wait for others: no more fit", maxParts)
	}
	x := &part{Line: line, Part: p, Came: now}
	e, err := entry(key, x)
	if err == nil {
		err = h.save([]Entry{e}, nil)
	}
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.parts[key] = x
	h.mu.Unlock()
	return nil
}

// partSet is the start of the keys of a message's parts.
func partSet(line string, p call.TextPart) string {
	return fmt.Sprintf("%s%s/%s/%d/%d/", partPrefix, line, hex.EncodeToString([]byte(p.From)), p.Ref, p.Total)
}

// complete makes a message of its parts, those that are there, and forgets them;
// h.saving is held.
func (h *House) complete(line string, parts []call.TextPart, keys []string) error {
	first := parts[0]
	m := call.Message{Direction: call.Inbound, From: first.From, Line: line, Segments: len(parts), Status: call.MessageReceived, Error: first.Problem}
	digest := sha256.New()
	var pdus []string
	next := 1
	var body strings.Builder
	flush := func() {
		if len(pdus) == 0 || first.Problem != "" {
			return
		}
		text, err := h.cfg.Join(pdus)
		if err != nil {
			m.Error = err.Error()
		}
		body.WriteString(text)
		pdus = nil
	}
	gap := func(until int) {
		if next < until {
			flush()
			fmt.Fprintf(&body, "[part %d of %d is missing]", next, first.Total)
		}
	}
	for _, p := range parts {
		gap(p.Seq)
		pdus, next = append(pdus, p.PDU), p.Seq+1
		digest.Write([]byte(p.PDU))
	}
	flush()
	gap(first.Total + 1)
	m.Body = body.String()

	number := h.ownNumber(line)
	plan := h.cfg.Plan(line, number)
	m.To, m.Account, m.API = number, plan.Account, plan.API
	now := time.Now()
	m.Created, m.Updated = now, now
	sent := first.At
	m.Sent = &sent
	k := &kept{Message: m, Network: line + " " + hex.EncodeToString(digest.Sum(nil)[:12])}
	h.mu.Lock()
	repeated := slices.ContainsFunc(h.list, func(x *kept) bool { return x.Network == k.Network })
	h.mu.Unlock()
	var entries []Entry
	for _, key := range keys {
		entries = append(entries, Entry{Key: key})
	}
	var notices []call.Notice
	if !repeated {
		k.ID = h.cfg.NewID(plan.API)
		e, err := entry(messageKey(k.ID), k)
		if err != nil {
			return err
		}
		entries = append(entries, e)
		if !plan.Hook.IsZero() {
			notices = h.cfg.Teller.TextArrived(k.Message, plan)
		}
	}
	if len(entries) == 0 {
		return nil
	}
	if err := h.save(entries, notices); err != nil {
		return err
	}
	h.mu.Lock()
	for _, key := range keys {
		delete(h.parts, key)
	}
	var gone []Entry
	if !repeated {
		gone = h.add(k)
	}
	h.mu.Unlock()
	if len(gone) > 0 {
		if err := h.save(gone, nil); err != nil {
			h.cfg.Log.Error("old text messages could not be forgotten", "err", err)
		}
	}
	if repeated {
		return nil
	}
	h.cfg.Log.Info("text message arrived", "message", k.ID, "line", line, "parts", len(parts))
	switch {
	case m.Error != "":
		h.cfg.Alert(plan.Account, m.Error)
	case plan.Hook.IsZero():
		h.cfg.Alert(plan.Account, "a text message to "+number+" was kept, but no application gets it: "+plan.Why)
	}
	return nil
}

// ownNumber is the number of a line's SIM, or else the line's name.
func (h *House) ownNumber(line string) string {
	if l := h.line(line); l != nil && l.Number() != "" {
		return l.Number()
	}
	return line
}

// expire makes messages of parts whose others have not come for a day.
func (h *House) expire(now time.Time) {
	h.saving.Lock()
	defer h.saving.Unlock()
	h.mu.Lock()
	sets := map[string][]string{}
	for k, x := range h.parts {
		set := partSet(x.Line, x.Part)
		sets[set] = append(sets[set], k)
	}
	type old struct {
		line  string
		parts []call.TextPart
		keys  []string
	}
	var list []old
	for _, keys := range sets {
		slices.Sort(keys)
		o := old{line: h.parts[keys[0]].Line, keys: keys}
		newest := time.Time{}
		for _, k := range keys {
			o.parts = append(o.parts, h.parts[k].Part)
			if c := h.parts[k].Came; c.After(newest) {
				newest = c
			}
		}
		if now.Sub(newest) >= partsFor {
			list = append(list, o)
		}
	}
	h.mu.Unlock()
	for _, o := range list {
		if err := h.complete(o.line, o.parts, o.keys); err != nil {
			h.cfg.Log.Error("parts of a text message could not be put together", "err", err)
		}
	}
}
