package api

import (
	"errors"
	"fmt"
	"time"
)

// What goes wrong before or beside the calls themselves. Dialects map these, and
// the sentinels of package call, to their own error bodies, once each.
var (
	ErrUnauthorized   = errors.New("the account or its secret is wrong or missing")
	ErrSuspended      = errors.New("this account is suspended; who runs the box can let it in again")
	ErrForbidden      = errors.New("this key is not one of that account")
	ErrNoPath         = errors.New("there is nothing at this address")
	ErrMethod         = errors.New("this address does not take this HTTP method")
	ErrContentType    = errors.New("the body is not of a type that this address takes")
	ErrNoApplication  = errors.New("the account has no such application, or it has no script")
	ErrTaken          = errors.New("this number or name is already set up on this box; change that instead")
	ErrNoLine         = errors.New("the box has no such line")
	ErrIdempotencyKey = errors.New("an idempotency key is 1 to 255 visible ASCII characters")
	ErrCrossOrigin    = errors.New("a browser sent this from a page of another site")
	ErrOverload       = errors.New("the box is serving as many requests as it can, try again")
	ErrInternal       = errors.New("the box failed to handle this request; its log has the details")
	// ErrNotRecorded says that a recording's sound cannot be had (yet).
	ErrNotRecorded = errors.New("the recording has no sound that can be fetched; it is not complete")
	// ErrRecording says that a recording is still being made.
	ErrRecording = errors.New("the recording is still being made; stop it first")
	// ErrChannels says that a recording has fewer channels than are asked for.
	ErrChannels = errors.New("the recording has one channel only")
)

// ThrottledError says that a source failed to log in too often.
type ThrottledError struct {
	RetryAfter time.Duration // when the next attempt is looked at
}

func (e *ThrottledError) Error() string {
	return fmt.Sprintf("too many failed logins from your address, try again in %d s", e.Seconds())
}

// Seconds is RetryAfter in whole seconds, rounded up, at least 1.
func (e *ThrottledError) Seconds() int {
	return max(int((e.RetryAfter+time.Second-1)/time.Second), 1)
}

// PriceError says that a call would cost more than its request allows.
type PriceError struct {
	PerMinute int64 // in 1/10,000 of the currency's unit
}

func (e *PriceError) Error() string {
	return fmt.Sprintf("MaxPricePerMinute was exceeded: this call's cost is %d.%04d per minute", e.PerMinute/10000, e.PerMinute%10000)
}

// InvalidError says why something that a customer set up cannot be kept.
type InvalidError struct{ Text string }

func (e *InvalidError) Error() string { return e.Text }

// InUseError refuses to delete what something else needs.
type InUseError struct{ By string } // "number +15550100199"

func (e *InUseError) Error() string { return e.By + " still uses it; change that first" }
