package cell

import (
	"context"
	"time"

	"callbox/hal/sim"
)

// Faults are what can be wrong with a modem, its SIM and its network. The zero
// value is a good one.
type Faults struct {
	// The AT line.
	Split    int           // answers come in pieces of so many bytes
	Corrupt  float64       // percent of bytes that are changed, lost or doubled, both ways
	DoubleCR bool          // lines end with \r\r\n
	Inside   bool          // URCs come in the middle of answers
	MuteURCs bool          // nothing is said by itself
	Silent   bool          // nothing is said at all
	Hung     bool          // the same, until its power was taken
	Late     time.Duration // answers come so much later
	// The SIM and the network.
	NoSIM     bool
	SIMBusy   int // questions that the SIM answers with "busy" after power-on
	NoNetwork bool
	Denied    bool
	Roaming   bool
	NoVoLTE   bool
	NoCarrier bool // calls are ended at once, without a reason
	// Text messages.
	TextError   int  // of TS 27.005, with which they are refused; 0: they are not
	Undelivered bool // they expire
	NoReports   bool // nothing is told of them
	// The sound.
	NoVoice   bool          // the command that starts the sound is refused
	Refusals  int           // times that the command that starts the sound is refused in each call
	OddStart  bool          // the sound begins with half a sample
	Backlog   bool          // old sound waits before the line is opened
	Burst     int           // frames that come at once, every so many frames
	Stalled   bool          // the sound line neither sends nor reads
	DeadUp    bool          // what the box says is not heard
	DeadDown  bool          // what the far end says is not heard
	RatePPM   float64       // error of the modem's clock
	PauseUp   time.Duration // the modem asks for a pause of so long, once
	Unplugged bool          // it is not on the bus
}

// knobs is the table of f's switchable faults.
func (f *Faults) knobs() sim.Knobs {
	return sim.Knobs{
		{Name: "unplugged", About: "The modem is not on the bus.", Ref: &f.Unplugged},
		{Name: "silent", About: "The modem answers nothing.", Ref: &f.Silent},
		{Name: "hung", About: "The modem answers nothing until its power was switched off and on.", Ref: &f.Hung},
		{Name: "late", About: "Answers come so much later.", Ref: &f.Late},
		{Name: "split", About: "Answers come in pieces of so many bytes.", Ref: &f.Split},
		{Name: "corrupt", About: "So many percent of the bytes on the AT line are changed, lost or doubled.", Ref: &f.Corrupt},
		{Name: "double-cr", About: `Lines end with \r\r\n.`, Ref: &f.DoubleCR},
		{Name: "urc-inside", About: "Unsolicited lines come in the middle of answers.", Ref: &f.Inside},
		{Name: "mute-urcs", About: "Unsolicited lines are lost.", Ref: &f.MuteURCs},
		{Name: "no-sim", About: "There is no SIM.", Ref: &f.NoSIM},
		{Name: "sim-busy", About: "So many questions after power-on are answered with SIM busy.", Ref: &f.SIMBusy},
		{Name: "no-network", About: "No network is found.", Ref: &f.NoNetwork},
		{Name: "denied", About: "The network refuses the SIM.", Ref: &f.Denied},
		{Name: "roaming", About: "The network is another operator's.", Ref: &f.Roaming},
		{Name: "no-volte", About: "The network does not admit the modem to calls over LTE.", Ref: &f.NoVoLTE},
		{Name: "no-carrier", About: "The network ends calls at once, without a reason.", Ref: &f.NoCarrier},
		{Name: "text-error", About: "Text messages are refused with a code of TS 27.005, such as 38 or 330.", Ref: &f.TextError},
		{Name: "text-undelivered", About: "Text messages expire before they reach their receiver.", Ref: &f.Undelivered},
		{Name: "no-reports", About: "The network does not tell what becomes of text messages.", Ref: &f.NoReports},
		{Name: "no-voice", About: "The firmware refuses the command that starts the sound.", Ref: &f.NoVoice},
		{Name: "sound-refusals", About: "The command that starts the sound is refused so many times in each call.", Ref: &f.Refusals},
		{Name: "odd-start", About: "The sound begins with half a sample.", Ref: &f.OddStart},
		{Name: "backlog", About: "Old sound waits at the start of a call.", Ref: &f.Backlog},
		{Name: "burst", About: "The sound comes in bursts of so many frames.", Ref: &f.Burst},
		{Name: "stalled", About: "The sound line neither sends nor reads.", Ref: &f.Stalled},
		{Name: "dead-uplink", About: "What the box says is not heard.", Ref: &f.DeadUp},
		{Name: "dead-downlink", About: "What the far end says is not heard.", Ref: &f.DeadDown},
		{Name: "rate-ppm", About: "Error of the modem's clock, in parts per million.", Ref: &f.RatePPM},
		{Name: "pause-uplink", About: "The modem asks the box to stop sending sound for so long, once.", Ref: &f.PauseUp},
	}
}

// stat is the registration that the network gives.
func (f Faults) stat() int {
	switch {
	case f.NoNetwork:
		return 2
	case f.Denied:
		return 3
	case f.Roaming:
		return 5
	}
	return 1
}

func (m *Modem) faultsNow() Faults {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.faults
}

// SetFaults replaces the faults. The network and the SIM follow at once.
func (m *Modem) SetFaults(f Faults) {
	m.mu.Lock()
	old := m.faults
	m.faults = f
	s := m.socket
	m.mu.Unlock()
	m.sound.fault(f)
	if s != nil && old.Unplugged != f.Unplugged {
		if f.Unplugged {
			s.Unplug(m)
		} else {
			s.plugLater(m)
		}
	}
	m.post(func() {
		switch {
		case m.out == nil:
		case old.NoSIM != f.NoSIM:
			m.cardReady()
		case old.stat() != f.stat():
			m.search()
		}
	})
}

// Faults implements [sim.Faulty].
func (m *Modem) Faults() []sim.Fault {
	f := m.faultsNow()
	return f.knobs().List()
}

// SetFault implements [sim.Faulty].
func (m *Modem) SetFault(name, value string) error {
	f := m.faultsNow()
	if err := f.knobs().Set(name, value); err != nil {
		return err
	}
	m.SetFaults(f)
	return nil
}

// The person at a modem's port is its subscriber.

// PickUp implements [sim.Person].
func (m *Modem) PickUp(ctx context.Context) error { return m.sub.PickUp(ctx) }

// HangUp implements [sim.Person].
func (m *Modem) HangUp(ctx context.Context) error { return m.sub.HangUp(ctx) }

// Call implements [sim.Person].
func (m *Modem) Call(ctx context.Context, number string) error { return m.sub.Call(ctx, number) }

// Press implements [sim.Person].
func (m *Modem) Press(ctx context.Context, keys string) error { return m.sub.Press(ctx, keys) }

// Say implements [sim.Person].
func (m *Modem) Say(ctx context.Context, samples []int16) error { return m.sub.Say(ctx, samples) }

// Heard implements [sim.Person].
func (m *Modem) Heard() []int16 { return m.sub.Heard() }
