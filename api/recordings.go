package api

import (
	"net/http"
	"strconv"
	"time"

	"callbox/call"
)

// RecordingShape is how a dialect reads requests about recordings and writes
// the answers.
type RecordingShape interface {
	// ReadRecordings reads what a list asks for; the account is filled in afterwards.
	ReadRecordings(q *Request) (call.RecordingFilter, error)
	WriteRecording(w http.ResponseWriter, q *Request, r call.Recording)
	WriteRecordings(w http.ResponseWriter, q *Request, f call.RecordingFilter, p call.RecordingPage)
	ErrorShape
}

// ErrorShape is how a dialect answers with what went wrong.
type ErrorShape interface {
	// WriteError answers with what err means. err is or wraps a sentinel of this
	// package or of package call, a call.Cause, or an error of the dialect's own.
	WriteError(w http.ResponseWriter, r *http.Request, err error)
}

// audioTime is how long a client may take to fetch a recording.
const audioTime = 10 * time.Minute

// FetchRecording answers with the recording that the path names.
func (h *Handlers) FetchRecording(w http.ResponseWriter, q *Request, s RecordingShape) {
	rec, err := h.recording(q)
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	s.WriteRecording(w, q, rec)
}

// recording finds the recording that the path names, below the call that it
// names, if any.
func (h *Handlers) recording(q *Request) (call.Recording, error) {
	rec, err := h.Recordings.Recording(q.Context(), q.Account.ID, q.Recording)
	if err == nil && q.Call != "" && rec.Call != q.Call {
		err = call.ErrNotFound
	}
	return rec, err
}

// ListRecordings answers with a page of recordings: those of the call that the
// path names, or of the whole account.
func (h *Handlers) ListRecordings(w http.ResponseWriter, q *Request, s RecordingShape) {
	if q.Call != "" {
		if _, err := h.Calls.Call(q.Context(), q.Account.ID, q.Call); err != nil {
			s.WriteError(w, q.Request, err)
			return
		}
	}
	f, err := s.ReadRecordings(q)
	h.TellWarnings(w, q)
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	f.Account = q.Account.ID
	if q.Call != "" {
		f.Call = q.Call
	}
	page, err := h.Recordings.Recordings(q.Context(), f)
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	s.WriteRecordings(w, q, f, page)
}

// DeleteRecording deletes the recording that the path names, and answers 204.
func (h *Handlers) DeleteRecording(w http.ResponseWriter, q *Request, s RecordingShape) {
	rec, err := h.recording(q)
	switch {
	case err != nil:
	case rec.Status == call.RecordingRunning || rec.Status == call.RecordingPaused:
		err = ErrRecording
	default:
		ctx, cancel := ActContext(q)
		defer cancel()
		err = h.Recordings.DeleteRecording(ctx, q.Account.ID, q.Recording)
	}
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// RecordingAudio answers with the sound of the recording that the path names,
// or the part of it that a Range header asks for (RFC 9110 §14), on so many
// channels; 0: as many as there are.
func (h *Handlers) RecordingAudio(w http.ResponseWriter, q *Request, s ErrorShape, channels int) {
	rec, err := h.recording(q)
	if err == nil && rec.Status != "completed" {
		err = ErrNotRecorded
	}
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	file, rec, err := h.Recordings.OpenRecording(q.Context(), q.Account.ID, q.Recording, channels)
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	defer file.Close()
	// A long recording takes longer than an ordinary answer may; a writer without
	// deadlines, as in tests, is as good.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(audioTime))
	w.Header().Set("Content-Type", "audio/x-wav")
	if rec.SHA256 != "" {
		tag := rec.SHA256
		if channels != 0 && channels != rec.Channels {
			tag += "-" + strconv.Itoa(channels)
		}
		w.Header().Set("ETag", `"`+tag+`"`)
	}
	http.ServeContent(w, q.Request, "", rec.Updated, file)
}
