package scene

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Stage is where a scene is played. Its methods may be called from any goroutine.
type Stage interface {
	// Act does something and returns when it is done.
	Act(ctx context.Context, port, act, with string) error
	// SetFault switches a fault.
	SetFault(ctx context.Context, port, name, value string) error
	// Fault is what it is set to.
	Fault(ctx context.Context, port, name string) (value string, err error)
	// Say has the person at a port speak a file and returns when all was said.
	Say(ctx context.Context, port, file string) error
	// State is a field of the state of a port.
	State(ctx context.Context, port, field string) (value string, err error)
	// SetCountry sets the gateway's, and gives what it was.
	SetCountry(ctx context.Context, code string) (old string, err error)
}

// polling is how often a state that is waited for is looked at.
const polling = 100 * time.Millisecond

// restoring bounds the way back to how things were.
const restoring = 30 * time.Second

// Play plays the scene and returns when all of it is over. tell, if not nil, gets each
// step when it begins, from this goroutine. The error says which step failed and why; the steps
// after it are not done, those beside it are waited for.
func (s Scene) Play(ctx context.Context, on Stage, tell func(Step)) (err error) {
	p := player{on: on, was: map[[2]string]string{}}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if !s.Keep {
		defer func() {
			back, stop := context.WithTimeout(context.WithoutCancel(ctx), restoring)
			defer stop()
			err = errors.Join(err, p.restore(back))
		}()
	}
	if s.Country != "" {
		if p.country, err = on.SetCountry(ctx, s.Country); err != nil {
			return fmt.Errorf("set the country to %s: %w", s.Country, err)
		}
		if p.country == s.Country {
			p.country = ""
		}
	}
	for i, step := range s.Steps {
		if err = p.pause(ctx, time.Duration(step.After)); err != nil {
			break
		}
		if tell != nil {
			tell(step)
		}
		do := func() error {
			if err := p.step(ctx, step); err != nil {
				return fmt.Errorf("step %d (%s): %w", i+1, step, err)
			}
			return nil
		}
		if step.Beside {
			p.wg.Go(func() { p.beside(do()) })
		} else if err = do(); err != nil {
			break
		}
	}
	if err != nil {
		cancel() // those beside have lost their sense
	}
	p.wg.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		err = p.failed
	}
	return err
}

// player is one performance.
type player struct {
	on      Stage
	wg      sync.WaitGroup       // steps beside others
	was     map[[2]string]string // faults before they were switched, by port and name
	order   [][2]string          // in which they were
	country string               // before it was set; empty: as it is

	mu     sync.Mutex // guards what follows
	failed error      // the first of the steps beside others
}

func (p *player) beside(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed == nil {
		p.failed = err
	}
}

func (*player) pause(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// step does one.
func (p *player) step(ctx context.Context, s Step) error {
	limit := time.Duration(s.Within)
	if limit == 0 {
		limit = patience
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it has taken longer than %v", limit))
	defer cancel()
	err := p.perform(ctx, s)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w; %w", context.Cause(ctx), err)
	}
	return err
}

func (p *player) perform(ctx context.Context, s Step) error {
	switch {
	case s.Fault != "":
		return p.fault(ctx, s)
	case s.Say != "":
		return p.on.Say(ctx, s.Port, s.Say)
	case s.State != "":
		return p.await(ctx, s)
	}
	return p.on.Act(ctx, s.Port, s.Do, s.With)
}

// fault switches a fault and keeps how it was.
func (p *player) fault(ctx context.Context, s Step) error {
	key := [2]string{s.Port, s.Fault}
	p.mu.Lock()
	_, known := p.was[key]
	p.mu.Unlock()
	if !known {
		old, err := p.on.Fault(ctx, s.Port, s.Fault)
		if err != nil {
			return err
		}
		p.mu.Lock()
		p.was[key], p.order = old, append(p.order, key)
		p.mu.Unlock()
	}
	return p.on.SetFault(ctx, s.Port, s.Fault, s.Value)
}

// await waits until a field has a value.
func (p *player) await(ctx context.Context, s Step) error {
	for {
		got, err := p.on.State(ctx, s.Port, s.State)
		if err != nil {
			return err
		}
		if got == s.Is {
			return nil
		}
		if p.pause(ctx, polling) != nil {
			return fmt.Errorf("%s is %q", s.State, got)
		}
	}
}

// restore switches back what was switched.
func (p *player) restore(ctx context.Context) error {
	var errs []error
	for i := len(p.order) - 1; i >= 0; i-- {
		key := p.order[i]
		errs = append(errs, p.on.SetFault(ctx, key[0], key[1], p.was[key]))
	}
	if p.country != "" {
		_, err := p.on.SetCountry(ctx, p.country)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("switch back what was switched: %w", err)
	}
	return nil
}
