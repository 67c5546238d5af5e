package storage

import "callbox/call"

// overlay is what was accepted and is not on disk yet, so that readers see
// their own writes. It is owned by writer.mu.
type overlay struct {
	calls      map[string]overlaid[call.Record]
	recordings map[string]overlaid[call.Recording]
}

// overlaid is the last accepted version of a record.
type overlaid[T any] struct {
	seq     uint64 // of the write
	deleted bool
	rec     T
}

func newOverlay() overlay {
	return overlay{map[string]overlaid[call.Record]{}, map[string]overlaid[call.Recording]{}}
}

func (o *overlay) add(a *accepted) {
	for _, c := range a.calls {
		o.calls[c.rec.ID] = overlaid[call.Record]{seq: a.seq, rec: c.rec}
	}
	for _, r := range a.recordings {
		o.recordings[r.rec.ID] = overlaid[call.Recording]{seq: a.seq, rec: r.rec}
	}
	for _, id := range a.delCalls {
		o.calls[id] = overlaid[call.Record]{seq: a.seq, deleted: true}
	}
	for _, id := range a.delRecs {
		o.recordings[id] = overlaid[call.Recording]{seq: a.seq, deleted: true}
	}
}

// remove forgets what a put there, unless a later write replaced it.
func (o *overlay) remove(a *accepted) {
	for _, c := range a.calls {
		drop(o.calls, c.rec.ID, a.seq)
	}
	for _, r := range a.recordings {
		drop(o.recordings, r.rec.ID, a.seq)
	}
	for _, id := range a.delCalls {
		drop(o.calls, id, a.seq)
	}
	for _, id := range a.delRecs {
		drop(o.recordings, id, a.seq)
	}
}

func drop[T any](m map[string]overlaid[T], id string, seq uint64) {
	if m[id].seq == seq {
		delete(m, id)
	}
}

// callSoon gives the accepted version of a call that is not on disk yet.
func (w *writer) callSoon(id string) (overlaid[call.Record], bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v, ok := w.overlay.calls[id]
	return v, ok
}

// recordingSoon is callSoon for recordings.
func (w *writer) recordingSoon(id string) (overlaid[call.Recording], bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v, ok := w.overlay.recordings[id]
	return v, ok
}
