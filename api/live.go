package api

import (
	"context"
	"net/http"

	"callbox/call"
)

// Live steers what goes on beside a live call. Errors are or wrap call.ErrNotFound,
// ErrEnded, ErrWrongState, ErrTooMany and ErrNoStream.
type Live interface {
	// Record starts, pauses, resumes or stops a recording of the call or conference,
	// and gives how it stands.
	Record(ctx context.Context, account, id string, ch call.RecordingChange) (call.Recording, error)
	// StartStream starts to carry the call's sound to an application. It does not
	// wait for the connection.
	StartStream(ctx context.Context, account, id string, o call.StreamOptions) (call.Stream, error)
	// Streams are those of the call that run.
	Streams(ctx context.Context, account, id string) ([]call.Stream, error)
	// StopStream ends the stream with this id or name.
	StopStream(ctx context.Context, account, id, stream string) (call.Stream, error)
}

// RecordControlShape is how a dialect reads requests that steer the recordings of
// a live call.
type RecordControlShape interface {
	// ReadRecording reads how to record.
	ReadRecording(q *Request) (call.RecordOptions, error)
	// ReadRecordingChange reads what to do with the recording that the path names.
	ReadRecordingChange(q *Request) (call.RecordingChange, error)
	// WriteRecordingState answers with one recording; created tells that it was
	// started by this request.
	WriteRecordingState(w http.ResponseWriter, q *Request, r call.Recording, created bool)
	ErrorShape
}

// StreamShape is how a dialect reads requests about streams and writes the
// answers.
type StreamShape interface {
	ReadStream(q *Request) (call.StreamOptions, error)
	// ReadStreamStop checks a request that ends a stream.
	ReadStreamStop(q *Request) error
	WriteStream(w http.ResponseWriter, q *Request, s call.Stream, created bool)
	ErrorShape
}

// StartRecording starts a recording of the call that the path names.
func (h *Handlers) StartRecording(w http.ResponseWriter, q *Request, s RecordControlShape) {
	if _, err := h.Calls.Call(q.Context(), q.Account.ID, q.Call); err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	h.startRecording(w, q, s)
}

// StartConferenceRecording starts a recording of the conference, Call, that the
// path names.
func (h *Handlers) StartConferenceRecording(w http.ResponseWriter, q *Request, s RecordControlShape) {
	if _, err := h.Conferences.Conference(q.Account.ID, q.Call); err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	h.startRecording(w, q, s)
}

func (h *Handlers) startRecording(w http.ResponseWriter, q *Request, s RecordControlShape) {
	h.record(w, q, s, true, func() (ch call.RecordingChange, err error) {
		o, err := s.ReadRecording(q)
		return call.RecordingChange{Start: &o}, err
	})
}

// ChangeRecording pauses, resumes or stops a recording of the call, or of the
// conference, that the path names.
func (h *Handlers) ChangeRecording(w http.ResponseWriter, q *Request, s RecordControlShape) {
	h.record(w, q, s, false, func() (call.RecordingChange, error) { return s.ReadRecordingChange(q) })
}

// record does what read asks for.
func (h *Handlers) record(w http.ResponseWriter, q *Request, s RecordControlShape, created bool, read func() (call.RecordingChange, error)) {
	ch, err := read()
	h.TellWarnings(w, q)
	var rec call.Recording
	if err == nil {
		ctx, cancel := ActContext(q)
		defer cancel()
		rec, err = h.Live.Record(ctx, q.Account.ID, q.Call, ch)
	}
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	s.WriteRecordingState(w, q, rec, created)
}

// StartStream carries the sound of the call that the path names to an application.
func (h *Handlers) StartStream(w http.ResponseWriter, q *Request, s StreamShape) {
	_, err := h.Calls.Call(q.Context(), q.Account.ID, q.Call)
	var o call.StreamOptions
	if err == nil {
		o, err = s.ReadStream(q)
	}
	h.TellWarnings(w, q)
	var stream call.Stream
	if err == nil {
		ctx, cancel := ActContext(q)
		defer cancel()
		stream, err = h.Live.StartStream(ctx, q.Account.ID, q.Call, o)
	}
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	s.WriteStream(w, q, stream, true)
}

// StopStream ends the stream, Item, of the call that the path names.
func (h *Handlers) StopStream(w http.ResponseWriter, q *Request, s StreamShape) {
	_, err := h.Calls.Call(q.Context(), q.Account.ID, q.Call)
	if err == nil {
		err = s.ReadStreamStop(q)
	}
	h.TellWarnings(w, q)
	var stream call.Stream
	if err == nil {
		ctx, cancel := ActContext(q)
		defer cancel()
		stream, err = h.Live.StopStream(ctx, q.Account.ID, q.Call, q.Item)
	}
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	s.WriteStream(w, q, stream, false)
}
