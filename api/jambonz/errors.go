package jambonz

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"callbox/api"
	"callbox/api/jambonz/js"
	"callbox/api/jambonz/shape"
	"callbox/call"
	"callbox/call/script"
)

// noEngine is the status for "no call engine is available", which SIP knows as
// Temporarily Unavailable (call-api.md §1.1).
const noEngine = 480

// asText says that an error is answered with its own text.
const asText = "%"

// statuses are the HTTP statuses of errors without data; the text is the
// message. Those with plain are answered as text: itself, or what went wrong.
var statuses = []struct {
	err    error
	status int
	plain  string
}{
	{api.ErrUnauthorized, http.StatusUnauthorized, "Unauthorized"},
	{api.ErrNoPath, http.StatusNotFound, "Not Found"},
	{call.ErrNotFound, http.StatusNotFound, "Not Found"},
	{api.ErrNotRecorded, http.StatusNotFound, "Not Found"},
	{api.ErrMethod, http.StatusMethodNotAllowed, ""},
	{api.ErrContentType, http.StatusUnsupportedMediaType, ""},
	{api.ErrNoApplication, http.StatusBadRequest, ""},
	{api.ErrNoLine, http.StatusBadRequest, ""},
	{api.ErrIdempotencyKey, http.StatusBadRequest, ""},
	{call.ErrCursor, http.StatusBadRequest, ""},
	{api.ErrCrossOrigin, http.StatusForbidden, ""},
	{api.ErrOverload, http.StatusServiceUnavailable, ""},
	{call.ErrLimit, noEngine, ""},
	{call.ErrStopping, noEngine, ""},
	{call.ErrEnded, http.StatusUnprocessableEntity, asText},
	{call.ErrWrongState, http.StatusUnprocessableEntity, asText},
	{call.ErrNotEnded, http.StatusUnprocessableEntity, ""},
	{call.ErrNoStream, http.StatusUnprocessableEntity, asText},
	{call.ErrTooMany, http.StatusUnprocessableEntity, asText},
	{call.ErrNoMessenger, noEngine, ""},
	{api.ErrTaken, http.StatusUnprocessableEntity, ""},
	{api.ErrForbidden, http.StatusForbidden, ""},
	{api.ErrSuspended, http.StatusForbidden, ""},
	{context.DeadlineExceeded, http.StatusInternalServerError, ""},
}

// statusFor says what err means to a client: the HTTP status, and the text when
// the answer is no JSON. It is the only mapping from conditions to statuses.
func statusFor(err error) (status int, plain string) {
	var (
		problem  *shape.Problem
		fetch    *script.FetchError
		throttle *api.ThrottledError
		tooLarge *http.MaxBytesError
		cause    call.Cause
		invalid  *api.InvalidError
		inUse    *api.InUseError
	)
	switch {
	case errors.As(err, &problem) && problem.Unable:
		return http.StatusUnprocessableEntity, ""
	case errors.As(err, &problem), errors.As(err, &fetch):
		return http.StatusBadRequest, ""
	case errors.As(err, &invalid):
		return http.StatusBadRequest, ""
	case errors.As(err, &inUse):
		return http.StatusUnprocessableEntity, ""
	case errors.As(err, &throttle):
		return http.StatusTooManyRequests, ""
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge, ""
	}
	for _, s := range statuses {
		if errors.Is(err, s.err) {
			if s.plain == asText {
				return s.status, err.Error()
			}
			return s.status, s.plain
		}
	}
	var toll *call.TollError
	if errors.As(err, &toll) {
		return http.StatusForbidden, ""
	}
	if errors.As(err, &cause) {
		switch cause.Q850 {
		case call.Q850InvalidNumber, call.Q850Unallocated, call.Q850NoRoute:
			return http.StatusBadRequest, ""
		}
		return noEngine, ""
	}
	return http.StatusInternalServerError, ""
}

// WriteError answers with what err means: {"msg":"…"}, or a word of plain text
// where upstream answers so (call-api.md §1.1).
func (s rest) WriteError(w http.ResponseWriter, r *http.Request, err error) {
	status, plain := statusFor(err)
	var throttle *api.ThrottledError
	switch {
	case errors.As(err, &throttle):
		w.Header().Set("Retry-After", strconv.Itoa(throttle.Seconds()))
	case status == http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="callbox"`)
	case status == http.StatusInternalServerError:
		s.h.Logger().Error("api request failed", "dialect", Name, "path", r.URL.Path, "err", err)
	}
	if plain != "" {
		http.Error(w, plain, status)
		return
	}
	var o js.Object
	o.Text("msg", err.Error())
	writeJSON(w, status, o.Value())
}
