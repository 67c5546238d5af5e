package sim

import "context"

var (
	_ Person = (*Phone)(nil)
	_ Faulty = (*Phone)(nil)
)

// PickUp implements [Person].
func (p *Phone) PickUp(context.Context) error { p.OffHook(); return nil }

// HangUp implements [Person].
func (p *Phone) HangUp(context.Context) error { p.OnHook(); return nil }

// Call implements [Person]: it lifts the handset and presses the number's keys,
// and # so that nobody waits for more.
func (p *Phone) Call(ctx context.Context, number string) error {
	p.Forget()
	p.OffHook()
	return p.Press(ctx, number+"#")
}

// knobs is the table of f's switchable faults.
func (f *Faults) knobs() Knobs {
	return Knobs{
		{"bounce", "The hook switch bounces for so long at each move.", &f.Bounce},
		{"dead", "The wire is cut: no current, no ring, no sound.", &f.Dead},
		{"stuck-off-hook", "The chip always shows a lifted handset.", &f.StuckOffHook},
		{"stuck-on-hook", "The chip never shows a lifted handset.", &f.StuckOnHook},
		{"ring-spikes", "The ringer draws short current spikes while it rings.", &f.RingSpikes},
		{"lose-edges", "Level changes of the hook line are not delivered.", &f.LoseEdges},
		{"rate-ppm", "Error of the codec's clock, in parts per million.", &f.RatePPM},
		{"echo-loss", "Decibels from what the phone is told to what the line sends back of it.", &f.EchoLoss},
		{"broken-pins", "Every line of the chip fails.", &f.PinError},
		{"broken-sound", "The sound card fails.", &f.PCMError},
	}
}

// Faults implements [Faulty].
func (p *Phone) Faults() []Fault {
	p.mu.Lock()
	f := p.faults
	p.mu.Unlock()
	return f.knobs().List()
}

// SetFault implements [Faulty].
func (p *Phone) SetFault(name, value string) error {
	p.mu.Lock()
	f := p.faults
	p.mu.Unlock()
	if err := f.knobs().Set(name, value); err != nil {
		return err
	}
	p.SetFaults(f)
	return nil
}
