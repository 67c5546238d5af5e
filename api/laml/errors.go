package laml

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"callbox/api"
	"callbox/api/laml/twiml"
	"callbox/call"
	"callbox/call/script"
)

// Code is a number by which the family's clients know an error (call-api.md §1.5).
type Code = twiml.Code

// The codes of REST answers.
const (
	CodeInvalid         Code = 20001 // a parameter is invalid
	CodeUnauthorized    Code = 20003
	CodeMethod          Code = 20004
	CodeInactive        Code = 20005
	CodeNotEnded        Code = 20009
	CodeForbidden       Code = 20403
	CodeInUse           Code = 20409
	CodeNotFound        Code = 20404
	CodeTooMany         Code = 20429
	CodeInternal        Code = 20500
	CodeUnavailable     Code = 20503
	CodeNoTo            Code = 21201
	CodeURL             Code = 21205
	CodeSendDigits      Code = 21206
	CodeTimeout         Code = 21208
	CodeHTTPMethod      Code = 21209
	CodeTo              Code = 21211
	CodeFrom            Code = 21212
	CodeNoFrom          Code = 21213
	CodeUnreachable     Code = 21214
	CodeGeo             Code = 21215
	CodeBlocked         Code = 21216
	CodeNotANumber      Code = 21217
	CodeApplication     Code = 21218
	CodeState           Code = 21220
	CodeUserLong        Code = 21221
	CodeUserChars       Code = 21222
	CodePasswordLong    Code = 21223
	CodePasswordChars   Code = 21224
	CodeNoPassword      Code = 21225
	CodeHeadersLong          = twiml.CodeHeadersLong
	CodeHeaderName           = twiml.CodeHeaderName
	CodeHeaderValue          = twiml.CodeHeaderValue
	CodeAMD             Code = 21234
	CodeNoAMDCallback   Code = 21262
	CodeAMDCombination  Code = 21263
	CodeQueueTaken      Code = 22003 // the account has a queue of this name already
	CodeNumber          Code = 21421
	CodeTaken           Code = 21422
	CodeNoNumbers       Code = 21452
	CodeNotOwned        Code = 21210
	CodeSameParties     Code = 21266
	CodeNoBody          Code = 21602
	CodeNoMessageFrom   Code = 21603
	CodeNoMessageTo     Code = 21604
	CodeNoMessenger     Code = 21606
	CodeMessageCallback Code = 21609
	CodeBodyLong        Code = 21617
	CodeMedia           Code = 21620
	CodePrice           Code = 30010
	CodeTwimlLong       Code = 32018
	CodeTwimlAndURL     Code = 32019 // a warning only
	CodePageAlone       Code = 54453
	CodePageToken       Code = 54454
)

// Codes lists them all.
var Codes = []Code{
	CodeInvalid, CodeUnauthorized, CodeMethod, CodeInactive, CodeNotEnded, CodeForbidden, CodeInUse, CodeNotFound,
	CodeTooMany, CodeInternal, CodeUnavailable, CodeNoTo, CodeURL, CodeSendDigits, CodeTimeout,
	CodeHTTPMethod, CodeTo, CodeFrom, CodeNoFrom, CodeUnreachable, CodeGeo, CodeBlocked, CodeNotANumber, CodeApplication,
	CodeState, CodeUserLong, CodeUserChars, CodePasswordLong, CodePasswordChars, CodeNoPassword, CodeHeadersLong,
	CodeHeaderName, CodeHeaderValue, CodeAMD, CodeNoAMDCallback, CodeAMDCombination, CodeNumber, CodeTaken,
	CodeNoNumbers, CodeNotOwned, CodeSameParties, CodeNoBody, CodeNoMessageFrom, CodeNoMessageTo, CodeNoMessenger,
	CodeMessageCallback, CodeBodyLong, CodeMedia, CodePrice, CodeTwimlLong, CodeTwimlAndURL, CodePageAlone,
	CodePageToken,
}

// statuses are the HTTP statuses of codes that are not 400.
var statuses = map[Code]int{
	CodeUnauthorized: http.StatusUnauthorized,
	CodeMethod:       http.StatusMethodNotAllowed,
	CodeInactive:     http.StatusForbidden,
	CodeNotEnded:     http.StatusConflict,
	CodeForbidden:    http.StatusForbidden,
	CodeInUse:        http.StatusConflict,
	CodeNotFound:     http.StatusNotFound,
	CodeTooMany:      http.StatusTooManyRequests,
	CodeInternal:     http.StatusInternalServerError,
	CodeUnavailable:  http.StatusServiceUnavailable,
}

// Problem is why a request is refused: a code for programs, a sentence for people.
type Problem struct {
	Code    Code
	Message string
	status  int   // 0: that of the code
	err     error // the condition, nil for one of parameters
}

func (p *Problem) Error() string { return p.Message }

// Unwrap is the condition behind the problem, if any: a sentinel of package api
// or call.
func (p *Problem) Unwrap() error { return p.err }

// Status is the HTTP status of the answer.
func (p *Problem) Status() int {
	if p.status != 0 {
		return p.status
	}
	if s, ok := statuses[p.Code]; ok {
		return s
	}
	return http.StatusBadRequest
}

// ErrNothing is the condition of a change that asks for nothing.
var ErrNothing = errors.New("nothing is to be changed")

// refuse makes a Problem.
func refuse(c Code, format string, args ...any) *Problem {
	return &Problem{Code: c, Message: fmt.Sprintf(format, args...)}
}

// sentinels are the codes of errors that have no data; their text is the message.
var sentinels = []struct {
	err    error
	code   Code
	status int
}{
	{api.ErrUnauthorized, CodeUnauthorized, 0},
	{api.ErrMethod, CodeMethod, 0},
	{api.ErrSuspended, CodeInactive, 0},
	{api.ErrContentType, CodeInvalid, http.StatusUnsupportedMediaType},
	{api.ErrNoApplication, CodeApplication, 0},
	{api.ErrNoLine, CodeInvalid, 0},
	{api.ErrTaken, CodeTaken, 0},
	{api.ErrIdempotencyKey, CodeInvalid, 0},
	{api.ErrCrossOrigin, CodeForbidden, 0},
	{api.ErrOverload, CodeUnavailable, 0},
	{api.ErrInternal, CodeInternal, 0},
	{api.ErrNotRecorded, CodeNotFound, 0},
	{call.ErrNoMessenger, CodeNoMessenger, 0},
	{api.ErrRecording, CodeNotEnded, 0},
	{api.ErrChannels, CodeInvalid, 0},
	{call.ErrTooMany, CodeState, 0},
	{call.ErrNoStream, CodeNotFound, 0},
	{call.ErrCursor, CodeInvalid, 0},
	{call.ErrEnded, CodeState, 0},
	{call.ErrWrongState, CodeState, 0},
	{call.ErrNotEnded, CodeNotEnded, 0},
	{call.ErrLimit, CodeTooMany, 0},
	{call.ErrRoomLimit, CodeTooMany, 0},
	{call.ErrRoomName, CodeInvalid, 0},
	{call.ErrQueueTaken, CodeQueueTaken, 0},
	{call.ErrQueueInUse, CodeInUse, 0},
	{call.ErrAnnouncing, CodeTooMany, 0},
	{call.ErrNoCoached, CodeInvalid, 0},
	{call.ErrStopping, CodeUnavailable, 0},
}

// problemOf says what err means to a client that asked for path. It is the only
// mapping from conditions to codes; parameters carry theirs in their tables.
func problemOf(err error, path string) *Problem {
	var (
		p        *Problem
		header   *twiml.HeaderError
		fetch    *script.FetchError
		invalid  *api.InvalidError
		inUse    *api.InUseError
		price    *api.PriceError
		throttle *api.ThrottledError
		tooLarge *http.MaxBytesError
		toll     *call.TollError
		cause    call.Cause
	)
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &header):
		return refuse(header.Code, "%s", header)
	case errors.As(err, &fetch):
		return refuse(Code(fetch.Code), "Twiml: %s", fetch.Err)
	case errors.As(err, &invalid):
		return refuse(CodeInvalid, "%s", invalid)
	case errors.As(err, &inUse):
		return refuse(CodeInUse, "%s", inUse)
	case errors.As(err, &price):
		return refuse(CodePrice, "%s", price)
	case errors.As(err, &throttle):
		return refuse(CodeTooMany, "%s", err)
	case errors.As(err, &tooLarge):
		p = refuse(CodeInvalid, "the body is longer than %d bytes", tooLarge.Limit)
		p.status = http.StatusRequestEntityTooLarge
		return p
	case errors.Is(err, api.ErrNoPath), errors.Is(err, call.ErrNotFound):
		p = refuse(CodeNotFound, "The requested resource %s was not found", path)
		p.err = err
		return p
	case errors.As(err, &toll):
		return refuse(tollCode(toll.Reason), "%s", toll)
	case errors.As(err, &cause):
		return refuse(causeCode(cause), "%s", cause)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return refuse(CodeUnavailable, "the box did not manage this in time; look at the call before trying again")
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			p = refuse(s.code, "%s", err)
			p.status, p.err = s.status, s.err
			return p
		}
	}
	return refuse(CodeInternal, "the box could not do this: %s", err)
}

// tollCode is the code of a call that a toll guard refuses (call-api.md §1.5).
func tollCode(r call.TollReason) Code {
	switch r {
	case call.TollCountry, call.TollHours:
		return CodeGeo
	case call.TollNumber:
		return CodeBlocked
	}
	return CodeTooMany
}

// causeCode is the code of a call that could not even be created.
func causeCode(c call.Cause) Code {
	switch c.Q850 {
	case call.Q850InvalidNumber:
		return CodeNotANumber
	case call.Q850Unallocated, call.Q850NoRoute:
		return CodeUnreachable
	}
	return CodeUnavailable
}
