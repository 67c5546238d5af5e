package script

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"callbox/call"
)

// Limits of one run, so that documents which point at each other cost a bounded
// amount of work. A run that passes one ends with a warning and a hang-up.
const (
	// MaxFetches is how many documents one run may ask for.
	MaxFetches = 10000
	// FetchBurst documents may follow each other without a pause; after that one
	// more for every FetchPace of call time.
	FetchBurst = 20
	FetchPace  = time.Second
	// PartingTime bounds the last request of a run, see [Runner.Run].
	PartingTime = 10 * time.Second
	// maxWarnings is how many of a document's warnings are told.
	maxWarnings = 20
)

// Outcome is how a run ended.
type Outcome int

const (
	Finished    Outcome = iota // the document or a verb ended the call
	Interrupted                // the call, or the run's context, ended first
	Broken                     // no document could be had, and the call was hung up
)

// String gives the outcome's name for logs.
func (o Outcome) String() string {
	names := [...]string{"finished", "interrupted", "broken"}
	if o < 0 || int(o) >= len(names) {
		return fmt.Sprintf("outcome(%d)", int(o))
	}
	return names[o]
}

// Runner walks documents. The zero value is ready and may be used for any
// number of calls at once.
type Runner struct{}

// Run runs src on the call until its end, and then hangs up. It answers an
// arriving call before the first verb that is no [Preparer] saying otherwise.
// A document that cannot be had is replaced, once, by that of src.Fallback.
//
// ctx must end with the call and when another script takes this one's place.
// Run then returns, except that a Record or Dial which the caller ended by
// hanging up, and a Jump that says Parting, still tell the action hook; that takes
// at most PartingTime, and the answer is not used.
func (Runner) Run(ctx context.Context, env *Env, src *call.ScriptSource) Outcome {
	if env.Manners == nil {
		env.Manners = new(Manners)
	}
	r := run{env: env, fallback: src.Fallback, answered: env.Control.Record().State == call.InProgress}
	err := r.run(ctx, src)
	switch {
	case err == nil:
		env.Hangup(call.NormalClearing(call.Script))
		return Finished
	case errors.Is(err, errHungUp):
		return Finished
	case over(ctx, err):
		return Interrupted
	}
	text := "the script cannot go on: " + err.Error()
	env.Tell(call.EventWarning, text)
	c := call.CauseOf(err)
	c.Text = text
	env.Hangup(c)
	return Broken
}

// Screen runs the document of h on a called party before it is connected, and
// reports whether the party is accepted: the document came to its end. A
// Hangup or Reject in it, a failure, and the party's hanging up decline; the
// party is not hung up here. Dial is refused with a warning.
func (Runner) Screen(ctx context.Context, env Env, h call.Hook) (accepted bool) {
	env.Control = screened{env.Control}
	env.Dialer, env.Rooms, env.Place = noDialer{}, waitingRoom{}, nil
	r := run{env: &env}
	err := r.screen(ctx, h)
	if err != nil && !errors.Is(err, errHungUp) && !over(ctx, err) {
		env.Tell(call.EventWarning, "the screening document failed: "+err.Error())
	}
	return err == nil
}

// screened is the control of a party that is being screened: the verdict, not
// the verb, decides whether it is hung up.
type screened struct{ Control }

func (screened) Hangup(call.Cause) {}

// noDialer refuses.
type noDialer struct{}

func (noDialer) Dial(context.Context, *Dial) (DialResult, error) { return DialResult{}, ErrNoDial }

// errHungUp says that a verb ended the call.
var errHungUp = fmt.Errorf("the document hung up: %w", call.ErrEnded)

// errPace says that documents follow each other too fast.
var errPace = errors.New("its documents lead to each other in a loop")

// run is one walk.
type run struct {
	env      *Env
	fallback call.Hook
	pace     pace
	answered bool
	beside   *interruption // by which the caller may interrupt verbs; nil: it cannot
	feed     *feed         // of an application that stays connected; nil: it only answers
}

// run is Run without its end. Nil means that the document has come to its end.
func (r *run) run(ctx context.Context, src *call.ScriptSource) error {
	defer r.deafen()
	defer r.unattend()
	doc, err := r.first(ctx, src)
	if err != nil {
		return err
	}
	r.follow(ctx, doc.Orders)
	return r.follows(ctx, doc.Verbs)
}

// screen is run for a called party: only its own document counts.
func (r *run) screen(ctx context.Context, h call.Hook) error {
	doc, err := r.get(ctx, h, &Result{Verb: ScreenResult})
	if err != nil {
		return err
	}
	return r.follows(ctx, doc.Verbs)
}

// follows runs verbs, and the documents and orders that follow them.
func (r *run) follows(ctx context.Context, verbs []Verb) error {
	for {
		under, end := r.interruptible(ctx)
		jump, rest, err := r.walk(under, verbs)
		if err == nil && jump != nil {
			if ended(r.env, nil) {
				end()
				r.part(ctx, jump)
				return call.ErrEnded
			}
			if rest, err = r.jump(ctx, under, jump, rest); err == nil && under.Err() != nil {
				err = under.Err()
			}
		}
		end()
		if errors.Is(err, call.ErrEnded) || ctx.Err() != nil {
			return cmp.Or(err, ctx.Err())
		}
		if next, ok := r.replaced(); ok {
			verbs = next
			continue
		}
		if err != nil {
			return err
		}
		if verbs = rest; jump != nil {
			continue
		}
		next, ok, err := r.await(ctx)
		if !ok {
			return err
		}
		verbs = next
	}
}

// jump leaves a document and gives the verbs to go on with: those of the next
// one, or rest. under is the context that ends when something else takes over.
func (r *run) jump(ctx, under context.Context, jump *Jump, rest []Verb) ([]Verb, error) {
	if jump.Parting && under.Err() != nil {
		r.part(ctx, jump)
		return nil, under.Err()
	}
	before := r.waiting()
	doc, err := r.patiently(under, jump)
	if len(doc.Verbs) > 0 || !jump.Resume {
		rest = doc.Verbs
		r.dropWaiting(before)
	}
	r.follow(ctx, doc.Orders)
	return rest, err
}

// first gives the document that src starts with.
func (r *run) first(ctx context.Context, src *call.ScriptSource) (Document, error) {
	if src.Inline == "" {
		return r.get(ctx, src.Main, nil)
	}
	doc, err := r.env.Decode(ctx, *r.env.Control.Record(), *src)
	if err != nil {
		return r.fallBack(ctx, err)
	}
	r.learn(doc)
	return doc, nil
}

// walk runs verbs until one jumps or fails, and gives those behind it.
func (r *run) walk(ctx context.Context, verbs []Verb) (*Jump, []Verb, error) {
	label := ""
	for i, v := range verbs {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		if l, ok := v.(Label); ok {
			label = " " + l.ID
			continue
		}
		name := v.Name() + label
		label = ""
		if p, ok := v.(Preparer); !r.answered && !(ok && p.BeforeAnswer()) {
			if err := r.env.Answer(ctx); err != nil {
				return nil, nil, err
			}
			r.answered = true
		}
		r.env.Place.at(verbs[i:], r.feed != nil)
		r.env.Tell(call.EventVerb, name)
		jump, err := r.interrupted(ctx, v)
		if r.env.Control.Record().Session.Notify {
			r.env.Tell(call.EventVerbDone, name)
		}
		if err != nil || jump != nil {
			r.env.Place.at(nil, false)
			return jump, verbs[i+1:], err
		}
	}
	r.env.Place.at(nil, false)
	return nil, nil, nil
}

// get asks h for the next document, and the fallback when that fails.
func (r *run) get(ctx context.Context, h call.Hook, res *Result) (Document, error) {
	doc, err := r.fetch(ctx, h, res)
	if err != nil {
		return r.fallBack(ctx, err)
	}
	return doc, nil
}

// fallBack gives the fallback's document in place of one that failed with err.
func (r *run) fallBack(ctx context.Context, err error) (Document, error) {
	if over(ctx, err) || errors.Is(err, errPace) || r.fallback.IsZero() {
		return Document{}, err
	}
	r.env.Tell(call.EventWarning, err.Error()+"; asking the fallback hook")
	var fe *FetchError
	if !errors.As(err, &fe) {
		fe = &FetchError{Code: 12400, Err: err} // internal failure, call-api.md §1.5
	}
	return r.fetch(ctx, r.fallback, &Result{Verb: "error", Error: fe})
}

// fetch asks h for a document, within the limits of the run.
func (r *run) fetch(ctx context.Context, h call.Hook, res *Result) (Document, error) {
	if err := ctx.Err(); err != nil {
		return Document{}, err
	}
	if !r.pace.take(time.Now()) {
		return Document{}, errPace
	}
	r.env.Tell(call.EventFetch, BareURL(h.URL))
	doc, err := r.env.Fetch(ctx, h, *r.env.Control.Record(), res)
	if err != nil {
		return Document{}, err
	}
	r.learn(doc)
	return doc, nil
}

// part tells the action hook of a call that has ended, and drops the answer.
func (r *run) part(ctx context.Context, jump *Jump) {
	if jump.Result == nil || !r.pace.take(time.Now()) {
		return // a Redirect has nothing to tell
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), PartingTime)
	defer cancel()
	r.env.Tell(call.EventFetch, BareURL(jump.Hook.URL))
	if _, err := r.env.Fetch(ctx, jump.Hook, *r.env.Control.Record(), jump.Result); err != nil {
		r.env.Tell(call.EventWarning, "the call has ended and its "+jump.Result.Verb+" action was not told: "+err.Error())
	}
}

// learn takes what a document says beside its verbs, and tells what the decoder
// skipped.
func (r *run) learn(doc Document) {
	if doc.Codes != nil {
		r.env.Codes = doc.Codes
	}
	for i, w := range doc.Warnings {
		if i == maxWarnings {
			r.env.Tell(call.EventWarning, fmt.Sprintf("%d more warnings of this document are not shown", len(doc.Warnings)-i))
			return
		}
		r.env.Tell(call.EventWarning, w)
	}
}

// pace is the allowance of documents of one run.
type pace struct {
	total int
	spare time.Duration // allowance saved, at most FetchBurst*FetchPace
	last  time.Time     // of the last take, zero before the first
}

// take uses one document's allowance and reports whether there was one.
func (p *pace) take(now time.Time) bool {
	const full = FetchBurst * FetchPace
	if p.last.IsZero() {
		p.spare = full
	} else {
		p.spare = min(full, p.spare+now.Sub(p.last))
	}
	p.last = now
	if p.total >= MaxFetches || p.spare < FetchPace {
		return false
	}
	p.total++
	p.spare -= FetchPace
	return true
}

// BareURL is a URL without user name, password and fragment, for people.
func BareURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(unreadable URL)"
	}
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	return u.String()
}
