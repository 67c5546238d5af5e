package script

import (
	"context"
	"strings"
	"sync"
	"time"

	"callbox/call"
)

// Recogniser turns what is said on the call into text.
type Recogniser interface {
	// Hear begins to listen. The error wraps call.ErrNoRecogniser when there is no
	// speech vendor for it.
	Hear(ctx context.Context, h call.Hearing) (Transcripts, error)
}

// Transcripts are what a recogniser hears.
type Transcripts interface {
	// Next waits for the next result. The error says that there are no more.
	Next(ctx context.Context) (call.Transcript, error)
	// Close ends it; it may be called again, and does not wait.
	Close()
}

// GatherSpeech asks a [Gather] for speech.
type GatherSpeech struct {
	Hearing call.Hearing
	Only    bool // keys do not count
	// Pause is the silence after speech that ends the Gather: until then final
	// results are put together. 0: the first final result ends it.
	Pause time.Duration
	// Longest is the most that speech may take; 0: 60 s.
	Longest time.Duration
	// Interrupts says that speech of so many words stops the prompts; 0: none does.
	Interrupts int
	// Sure is the confidence, 0…1, that a final result needs.
	Sure    float64
	Partial call.Hook // told of results that may still change; none: nobody is
}

// longestSpeech is used when GatherSpeech.Longest is 0.
const longestSpeech = time.Minute

// heard is something that a Gather for speech waits for: a key, a result, the end
// of the prompts, or an error of one of them.
type heard struct {
	key      byte
	said     *call.Transcript
	prompted bool
	err      error
}

// speech gathers speech and keys, whichever comes first.
func (g Gather) speech(ctx context.Context, env *Env) (res *Result, err error) {
	res = &Result{Verb: g.Name()}
	if g.Deaf {
		if err := g.playAll(ctx, env); err != nil {
			return nil, err
		}
		g.Prompts = nil
		env.DropDigits()
	}
	tr, err := g.recognise(ctx, env)
	switch {
	case err != nil && over(ctx, err):
		return nil, err
	case err != nil:
		env.Tell(call.EventWarning, err.Error())
		if g.Speech.Only {
			res.Fault = err.Error()
			return res, g.playAll(ctx, env)
		}
		g.Speech = nil
		digits, timedOut, err := g.collect(ctx, env)
		res.Digits, res.Timeout = digits, timedOut && digits == ""
		return res, err
	}
	l := listening{g: g, env: env, events: make(chan heard), silence: time.NewTimer(time.Hour)}
	l.ctx, l.cancel = context.WithCancel(ctx)
	defer l.end(tr)
	l.start(tr)
	return l.run(res)
}

// recognise begins to listen.
func (g Gather) recognise(ctx context.Context, env *Env) (Transcripts, error) {
	if env.Recogniser == nil {
		return nil, call.ErrNoRecogniser
	}
	h := g.Speech.Hearing
	h.Interim = h.Interim || !g.Speech.Partial.IsZero() || g.Speech.Interrupts > 0
	return env.Hear(ctx, h)
}

// listening is a Gather for speech at work.
type listening struct {
	g      Gather
	env    *Env
	ctx    context.Context
	cancel context.CancelFunc
	events chan heard
	work   sync.WaitGroup
	hush   context.CancelFunc // stops the prompts
	tell   *partials

	silence  *time.Timer
	prompted bool // the prompts are over
	talks    bool // speech has begun
	finals   []call.Transcript
	digits   string
}

// start starts what the events come from.
func (l *listening) start(tr Transcripts) {
	l.silence.Stop()
	sounding, hush := context.WithCancel(l.ctx)
	l.hush = hush
	l.work.Go(func() {
		err := l.g.playAll(sounding, l.env)
		if sounding.Err() != nil && l.ctx.Err() == nil {
			err = nil // stopped by speech or a key
		}
		l.emit(heard{prompted: true, err: err})
	})
	l.work.Go(func() {
		for {
			t, err := tr.Next(l.ctx)
			l.emit(heard{said: &t, err: err})
			if err != nil {
				return
			}
		}
	})
	if !l.g.Speech.Only {
		l.work.Go(func() {
			for {
				d, err := l.env.Digit(l.ctx)
				l.emit(heard{key: d, err: err})
				if err != nil {
					return
				}
			}
		})
	}
	if !l.g.Speech.Partial.IsZero() {
		l.tell = &partials{env: l.env, hook: l.g.Speech.Partial, queue: make(chan call.Transcript, maxPartials)}
		l.work.Go(func() { l.tell.run(l.ctx) })
	}
}

// emit hands over an event, unless nobody takes it any more.
func (l *listening) emit(h heard) {
	select {
	case l.events <- h:
	case <-l.ctx.Done():
	}
}

// end stops everything and waits for it.
func (l *listening) end(tr Transcripts) {
	l.cancel()
	tr.Close()
	l.silence.Stop()
	l.work.Wait()
}

// run waits until the Gather has what it wants.
func (l *listening) run(res *Result) (*Result, error) {
	for {
		select {
		case h := <-l.events:
			switch {
			case h.err != nil && l.ctx.Err() != nil:
				return nil, h.err
			case h.err != nil && h.said != nil:
				if done, err := l.deafened(res, h.err); done {
					return res, err
				}
			case h.err != nil:
				return nil, h.err
			case h.prompted:
				l.prompted = true
				if l.digits == "" && !l.talks {
					l.arm(l.patience())
				}
			case h.said != nil:
				if l.hear(*h.said) {
					return l.result(res), nil
				}
			default:
				if l.key(h.key) {
					return l.result(res), nil
				}
			}
		case <-l.silence.C:
			return l.result(res), nil
		case <-l.ctx.Done():
			return nil, l.ctx.Err()
		}
	}
}

// deafened follows the end of the recogniser: keys still count, and what was
// said so far does too.
func (l *listening) deafened(res *Result, err error) (bool, error) {
	if len(l.finals) > 0 && l.digits == "" {
		l.result(res)
		return true, nil
	}
	l.env.Tell(call.EventWarning, err.Error())
	if l.g.Speech.Only {
		res.Fault = err.Error()
		return true, nil
	}
	if l.talks {
		l.talks = false
		l.arm(l.patience())
	}
	return false, nil
}

// patience is how long the Gather waits for speech or a key.
func (l *listening) patience() time.Duration {
	if l.g.Timeout == 0 {
		return DefaultGatherTimeout
	}
	return l.g.Timeout
}

// arm lets the Gather end after d; negative: not by itself.
func (l *listening) arm(d time.Duration) {
	l.silence.Stop()
	if d >= 0 {
		l.silence.Reset(d)
	}
}

// hear takes a result, and reports whether it was the last.
func (l *listening) hear(t call.Transcript) bool {
	text := strings.TrimSpace(t.Text())
	if l.digits != "" || text == "" {
		return false
	}
	if n := l.g.Speech.Interrupts; n > 0 && len(strings.Fields(text)) >= n {
		l.hush()
	}
	if !l.talks {
		l.talks = true
		longest := l.g.Speech.Longest
		if longest <= 0 {
			longest = longestSpeech
		}
		l.arm(longest)
	}
	if !t.Final {
		if l.tell != nil {
			l.tell.offer(t)
		}
		if l.g.Speech.Pause > 0 && len(l.finals) > 0 {
			l.arm(l.g.Speech.Pause)
		}
		return false
	}
	l.finals = append(l.finals, t)
	if l.g.Speech.Pause > 0 {
		l.arm(l.g.Speech.Pause)
		return false
	}
	return true
}

// key takes a key, and reports whether it was the last.
func (l *listening) key(d byte) bool {
	if l.finals = nil; !l.g.PromptsFirst {
		l.hush()
	}
	if strings.IndexByte(l.g.FinishOnKey, d) >= 0 {
		return true
	}
	l.digits += string(d)
	limit := l.g.NumDigits
	if limit <= 0 || limit > MaxGatherDigits {
		limit = MaxGatherDigits
	}
	if len(l.digits) >= limit {
		return true
	}
	wait := l.patience()
	if l.g.BetweenKeys > 0 && len(l.digits) >= max(l.g.MinDigits, 1) {
		wait = l.g.BetweenKeys
	}
	l.arm(wait)
	return false
}

// result is what has been gathered.
func (l *listening) result(res *Result) *Result {
	switch {
	case l.digits != "":
		if res.Digits = l.digits; len(l.digits) < l.g.MinDigits {
			res.Digits = ""
		}
	case len(l.finals) > 0:
		t := together(l.finals)
		res.Speech, res.Unsure = &t, t.Confidence() < l.g.Speech.Sure
	}
	res.Timeout = res.Digits == "" && res.Speech == nil
	return res
}

// together puts final results that follow each other into one.
func together(list []call.Transcript) call.Transcript {
	t := list[len(list)-1]
	if len(list) == 1 {
		return t
	}
	var texts []string
	least := 1.0
	for _, x := range list {
		texts = append(texts, strings.TrimSpace(x.Text()))
		least = min(least, x.Confidence())
	}
	t.Alternatives = []call.Alternative{{Text: strings.Join(texts, " "), Confidence: least}}
	return t
}

// maxPartials bounds the results that wait for their hook; of those beyond it the
// new ones are left out, since the next will hold them too.
const maxPartials = 8

// partials tell a hook of results that may still change.
type partials struct {
	env   *Env
	hook  call.Hook
	queue chan call.Transcript
}

func (p *partials) offer(t call.Transcript) {
	select {
	case p.queue <- t:
	default:
	}
}

// run tells until ctx ends. The answers are not looked at.
func (p *partials) run(ctx context.Context) {
	told := 0
	for {
		select {
		case t := <-p.queue:
			r := &Result{Verb: PartialResult, Speech: &t, Number: told}
			told++
			if _, err := p.env.Fetch(ctx, p.hook, *p.env.Control.Record(), r); err != nil && !over(ctx, err) {
				p.env.Tell(call.EventWarning, "a partial result could not be told: "+err.Error())
				return
			}
		case <-ctx.Done():
			return
		}
	}
}
