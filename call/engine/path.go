package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/media/codec"
	"callbox/media/session"
)

const (
	// releaseTries bounds how often the far ends of a connection are asked in a row
	// to exchange their sound directly, when they were busy with something else.
	releaseTries = 3
	// shortAway is how long the sound must have been away for the far ends to be asked
	// anew, and not once more.
	shortAway = 10 * time.Second
	// reclaimTries is the same for coming back.
	reclaimTries = 3
	// pathPause is between two of them, and before the sound leaves the box again
	// after a far end has turned to it.
	pathPause = 2 * time.Second
	// indoorsTime bounds how long a sound waits for the way to the far end.
	indoorsTime = 3 * time.Second
	// homeTime bounds how long the end of a connection waits for the sound to be back.
	homeTime = 2 * time.Second
)

// path is the way of a connection's sound: through the box, or past it. Its
// goroutine runs from the moment at which there is something to decide to the end
// of the connection, and alone asks the legs.
type path struct {
	b       *bridge
	sess    *session.Session
	legs    [2]call.Leg // the caller's and the callee's
	keys    bool        // keys of the connection are watched for
	wake    chan struct{}
	cancel  context.CancelFunc
	ctx     context.Context
	done    chan struct{}
	foreign [2]string // codec of the leg that the box does not understand; of the goroutine

	mu      sync.Mutex // guards what follows
	want    call.MediaPath
	started bool
	guests  int           // those that need the sound here
	held    [2]bool       // by which far end
	out     bool          // the sound is not here, or nobody here understands it
	home    chan struct{} // closed when it is; nil: nobody waits

	unfax func() // ends the passing on of faxes; nil: none are. Of close
}

// newPath makes the way of b's sound, as d wants it.
func (k control) newPath(ctx context.Context, b *bridge, d *script.Dial) *path {
	p := &path{
		b: b, sess: b.sa, want: d.Path, keys: d.HangupOnStar || !d.Keys.Hook.IsZero(),
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.legs[0], _ = k.leg(ctx) // nil: it has ended
	p.legs[1], _ = control{c: b.b}.leg(ctx)
	for i, leg := range p.legs {
		p.foreign[i] = foreign(leg)
	}
	p.out = p.foreign != [2]string{}
	if a, ok := p.legs[0].(call.FaxPasser); ok {
		p.unfax, _ = a.PassFax(p.legs[1])
	}
	if why := p.unable(); p.want == call.PathDirect && why != "" {
		p.want = call.PathThrough
		k.Tell(call.EventWarning, "the sound stays in the box: "+why)
	}
	if p.want == call.PathDirect || p.out {
		p.start()
	}
	return p
}

// foreign is the codec of a leg if it is one that the box only passes on.
func foreign(leg call.Leg) string {
	if t, ok := leg.(call.CodecTeller); ok {
		if c, ok := codec.ByName(t.Codec()); ok && !c.Decodable() {
			return c.Name
		}
	}
	return ""
}

// unable says why the sound can never go past the box; empty: perhaps it can.
func (p *path) unable() string {
	for _, leg := range p.legs {
		if _, ok := leg.(call.Releaser); !ok {
			return "both parties must be on SIP lines"
		}
	}
	if p.keys {
		return "keys are watched for, which are heard in the sound"
	}
	return ""
}

// start runs the path's goroutine, once. The caller holds p.mu, or is alone.
func (p *path) start() {
	if !p.started {
		p.started = true
		p.b.a.e.tasks.Go(p.run)
	}
}

// set changes what is wanted.
func (p *path) set(want call.MediaPath) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.want == call.PathAnchored {
		return fmt.Errorf("%w: its document keeps its sound in the box", call.ErrWrongState)
	}
	if why := p.unable(); want == call.PathDirect && why != "" {
		return fmt.Errorf("%w: its sound cannot go past the box: %s", call.ErrWrongState, why)
	}
	p.want = want
	p.start()
	p.stir()
	return nil
}

// stir has the goroutine look again.
func (p *path) stir() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// hold notes that a far end has put the other one on hold, or taken it back.
func (p *path) hold(caller, on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := 1
	if caller {
		i = 0
	}
	p.held[i] = on
	p.stir()
}

// indoors brings the sound here for something that is to be heard, and waits for
// that, but not for ever. leave must be called when it is over.
func (p *path) indoors(ctx context.Context) (leave func()) {
	p.mu.Lock()
	p.guests++
	var home chan struct{}
	if p.out {
		if p.home == nil {
			p.home = make(chan struct{})
		}
		home = p.home
	}
	p.mu.Unlock()
	p.stir()
	if home != nil {
		t := time.NewTimer(indoorsTime)
		defer t.Stop()
		select {
		case <-home:
		case <-p.done:
		case <-t.C:
		case <-ctx.Done():
		}
	}
	return func() {
		p.mu.Lock()
		p.guests--
		p.mu.Unlock()
		p.stir()
	}
}

// wanted says where the sound is to be now.
func (p *path) wanted(w session.Way) (direct bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.want == call.PathDirect && !w.Needed && p.guests == 0 && p.held == [2]bool{}
}

// strange says whether the sound is in a codec that somebody here does not
// understand who needs to.
func (p *path) strange(w session.Way) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.foreign != [2]string{} && (w.Needed || p.guests > 0 || p.foreign[0] != p.foreign[1])
}

// setOut notes whether the sound is away.
func (p *path) setOut(out bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out = out
	if !out && p.home != nil {
		close(p.home)
		p.home = nil
	}
}

// run has the sound where it is wanted until the connection ends, and then here.
func (p *path) run() {
	defer close(p.done)
	var over <-chan struct{} // not nil: the sound is past the box
	var rest *time.Timer     // not nil: it stays until then
	var left time.Time       // when it went
	tries := 0
	for p.ctx.Err() == nil {
		w := p.sess.Way()
		direct := p.wanted(w)
		switch {
		case direct && over == nil && rest == nil:
			var again bool
			tries++
			if over, again = p.release(tries >= releaseTries); over != nil {
				left = time.Now()
			} else if again {
				rest = time.NewTimer(pathPause * time.Duration(tries))
			}
			continue
		case !direct && over != nil, over == nil && p.strange(w):
			p.reclaim()
			over, tries = nil, 0
			continue
		}
		select {
		case <-w.Changed:
		case <-p.wake:
		case <-over: // a far end has turned to us
			p.reclaim()
			over, rest = nil, time.NewTimer(pathPause)
			if time.Since(left) >= shortAway {
				tries = 0
			} else if tries >= releaseTries {
				p.stay("the far ends turn back to it each time")
			}
		case <-fired(rest):
			rest = nil
		case <-p.ctx.Done():
		}
	}
	stop(&rest)
	p.reclaim()
}

// release asks the far ends to exchange their sound directly, for the last time in a
// row or not. again says that they may be asked once more.
func (p *path) release(last bool) (over <-chan struct{}, again bool) {
	p.setOut(true)
	a := p.legs[0].(call.Releaser) // see unable
	over, err := a.Release(p.ctx, p.legs[1])
	if err == nil {
		p.tell("the sound goes past the box")
		return over, false
	}
	p.reclaim()
	if errors.Is(err, call.ErrWrongState) && !last {
		return nil, true
	}
	if errors.Is(err, call.ErrLegEnded) || p.ctx.Err() != nil {
		p.stay("")
	} else {
		p.stay(err.Error())
	}
	return nil, false
}

// stay gives up sending the sound past the box; why is told unless it is empty.
func (p *path) stay(why string) {
	p.mu.Lock()
	if p.want == call.PathDirect {
		p.want = call.PathThrough
	}
	p.mu.Unlock()
	if why != "" {
		control{c: p.b.a}.Tell(call.EventWarning, "the sound stays in the box: "+why)
	}
}

// reclaim brings the sound of both legs here.
func (p *path) reclaim() {
	var all sync.WaitGroup
	var errs [2]error
	for i, leg := range p.legs {
		if r, ok := leg.(call.Releaser); ok {
			all.Go(func() { errs[i] = p.reclaimOne(r) })
		}
	}
	all.Wait()
	for i, err := range errs {
		p.foreign[i] = ""
		if err != nil && !errors.Is(err, call.ErrLegEnded) {
			control{c: p.b.a}.Tell(call.EventWarning, "the sound cannot be brought into the box, so nobody here hears it: "+err.Error())
		}
	}
	p.setOut(false)
}

// reclaimOne brings the sound of one leg here. A far end that refuses once, busy
// with something else, may not do so a little later.
func (p *path) reclaimOne(r call.Releaser) error {
	for tries := 1; ; tries++ {
		err := r.Reclaim(context.Background())
		if err == nil || errors.Is(err, call.ErrLegEnded) || tries == reclaimTries {
			return err
		}
		t := time.NewTimer(pathPause)
		select {
		case <-t.C:
		case <-p.b.a.over:
		case <-p.b.b.over:
		}
		t.Stop()
	}
}

// tell mentions where the sound is.
func (p *path) tell(text string) {
	p.b.a.do(context.Background(), func() { p.b.a.mention(call.EventWarning, text) })
}

// close ends the path; the sound of whoever goes on is brought back.
func (p *path) close() {
	if p.unfax != nil {
		p.unfax()
	}
	p.mu.Lock()
	started := p.started
	p.started = true // it does not begin any more
	p.mu.Unlock()
	p.cancel()
	if !started {
		return
	}
	t := time.NewTimer(homeTime)
	defer t.Stop()
	select {
	case <-p.done:
	case <-t.C: // it goes on behind the connection
	}
}

// indoors brings the sound of the call into the box for something that is to be
// heard; leave must be called when it is over.
func (k control) indoors(ctx context.Context) (leave func()) {
	var p *path
	if err := k.ask(ctx, func() error {
		if k.c.link != nil {
			p = k.c.link.b.path.Load()
		}
		return nil
	}); err != nil || p == nil {
		return func() {}
	}
	return p.indoors(ctx)
}

// setPath changes where the sound of the call's connection goes, on its goroutine.
func (c *live) setPath(want call.MediaPath) error {
	var p *path
	if c.link != nil {
		p = c.link.b.path.Load()
	}
	if p == nil {
		return fmt.Errorf("%w: no other party is connected to it", call.ErrWrongState)
	}
	return p.set(want)
}

// undecoded reports whether nothing in the box needs the sound of a Dial's
// connections, so that codecs may be used that it does not understand.
func undecoded(d *script.Dial, t *script.Target) bool {
	return d.Record == nil && d.Stream == nil && d.Transcribe == nil && d.Loudness == nil && len(d.Tracks) == 0 && !d.HangupOnStar &&
		d.Music == "" && t.Screen.IsZero() && t.SendDigits == "" && t.AMD == nil
}

// agreeable lets the caller's leg, before it is answered, be answered in the codec
// that the callee's has.
func (w *dialing) agreeable(ctx context.Context, child *live) {
	mine, err := w.leg(ctx)
	theirs, err2 := control{c: child}.leg(ctx)
	a, ok := mine.(call.CodecChooser)
	b, ok2 := theirs.(call.CodecChooser)
	if err == nil && err2 == nil && ok && ok2 {
		a.Prefer(b.Offered())
	}
}
