package board

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"callbox/hal"
	"callbox/hal/at"
	"callbox/hal/sim"
	"callbox/hal/vmodem"
)

// errNoModem says that no voice modem is plugged in.
var errNoModem = errors.New("no voice modem is plugged in")

// usbID is the vendor and product of a USB device.
type usbID struct{ vendor, product uint16 }

// voiceModems are those with a voice mode that the driver can use.
func voiceModems() []usbID {
	return []usbID{
		{0x0572, 0x1321}, {0x0572, 0x1324}, {0x0572, 0x1328}, {0x0572, 0x1329}, {0x0572, 0x1340}, {0x0572, 0x1349}, // Conexant
		{0x0803, 0x3095}, // Zoom
		{0x0baf, 0x0303}, // USR5637
	}
}

// withVoiceModems adds a port for each voice modem that is plugged in, and for one that
// might be, to a board whose profile names none.
func withVoiceModems(p Profile, hw hardware) Profile {
	if p.Name == Sim || slices.ContainsFunc(p.Ports, func(p PortProfile) bool { return p.Driver == voice }) {
		return p
	}
	ttys, err := (&opener{hardware: hw}).voiceTTYs()
	if err != nil {
		ttys = nil // the port says so
	}
	p.Ports = slices.Clone(p.Ports)
	for i := range max(1, min(len(ttys), maxSims)) {
		p.Ports = append(p.Ports, PortProfile{Name: "fxo" + strconv.Itoa(i+1), Driver: voice, Modem: i})
	}
	return p
}

// voiceTTYs are the serial devices of the voice modems, one for each, by place.
func (o *opener) voiceTTYs() ([]hal.TTY, error) {
	all, err := o.hardware.ttys()
	if err != nil {
		return nil, err
	}
	var out []hal.TTY
	for _, t := range all {
		known := slices.Contains(voiceModems(), usbID{t.Vendor, t.Product})
		if known && !slices.ContainsFunc(out, func(o hal.TTY) bool { return o.Place == t.Place }) {
			out = append(out, t)
		}
	}
	return out, nil
}

// openVoice opens a voice modem. Once found, the port is the one at that place on USB,
// whatever is plugged in elsewhere and however its tty is called.
func openVoice(o *opener, p PortProfile, port *Port) error {
	ttys, err := o.voiceTTYs()
	if err != nil || p.Modem >= len(ttys) {
		return errors.Join(errNoModem, err)
	}
	place := ttys[p.Modem].Place
	return o.openModem(p, port, func(context.Context) (io.ReadWriteCloser, error) {
		ttys, err := o.voiceTTYs()
		if err != nil {
			return nil, err
		}
		for _, t := range ttys {
			if t.Place == place {
				return o.hardware.serial(t.Path)
			}
		}
		return nil, fmt.Errorf("%w: nothing at USB place %s", hal.ErrGone, place)
	})
}

// openModem starts the driver of a voice modem.
func (o *opener) openModem(p PortProfile, port *Port, open func(context.Context) (io.ReadWriteCloser, error)) error {
	d, err := vmodem.Open(vmodem.Config{Open: open, Log: o.config.Log.With("port", p.Name),
		Trace: func(e at.Entry) { o.config.Trace(e.At, p.Name, "at", e.Out, e.Text) }})
	if err != nil {
		return err
	}
	port.closers = append(port.closers, d)
	port.Exchange, port.PCM, port.localise = d, d, d.SetCountry
	return nil
}

// simNumber is the number of a simulated exchange line.
func simNumber(i int) string { return "555" + strconv.Itoa(161+i) }

// openSimLine opens a simulated exchange line: the real driver on a pseudo terminal
// with a simulated modem. The lines can call each other.
func openSimLine(o *opener, p PortProfile, port *Port) error {
	far := sim.NewExchange(sim.ExchangeConfig{Number: simNumber(p.Modem), EchoLoss: simEcho, Reversal: true, Host: true})
	port.closers = append(port.closers, far)
	if o.lastLine != nil {
		sim.Connect(o.lastLine, far)
		o.lastLine = nil
	} else {
		o.lastLine = far
	}
	modem := sim.NewVoiceModem(sim.CX930xx, far)
	port.closers = append(port.closers, modem)
	desk := sim.NewLineDesk(far, modem)
	err := o.openModem(p, port, func(context.Context) (io.ReadWriteCloser, error) {
		path, err := desk.Port()
		if err != nil {
			return nil, err
		}
		return o.hardware.serial(path)
	})
	if err != nil {
		return err
	}
	localise := port.localise
	port.localise = func(country string, way vmodem.CallerID) {
		far.Configure(func(c *sim.ExchangeConfig) { c.Country = country })
		localise(country, way)
	}
	port.Far, port.Desk = desk, desk
	return nil
}
