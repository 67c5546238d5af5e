package hal

import "time"

// TTY is a serial device that the kernel made for an interface of a USB device.
// It is known by what it belongs to, never by its number, which changes with
// every plugging in.
type TTY struct {
	Path            string // "/dev/ttyUSB2"
	Vendor, Product uint16 // of the USB device: 0x2c7c, 0x0125
	// Interface is the number of the USB interface (bInterfaceNumber), which says
	// what the device uses this line for; -1 when the kernel does not tell.
	Interface int
	Serial    string // of the device; often empty, or the same for all of a make
	Place     string // physical place on the bus: "1-1.4"
}

// Stream is a byte line that carries sound: nobody waits for the other side.
// One goroutine may read while another writes; Close ends both.
type Stream interface {
	// ReadUntil waits for bytes and returns as soon as there are some, or with 0 and
	// no error when it is until. The error is or wraps ErrClosed or ErrGone.
	ReadUntil(p []byte, until time.Time) (int, error)
	// TryWrite gives away what fits at this moment and says how many bytes that
	// were; fewer than len(p), also 0, is no error. The error is as for ReadUntil.
	TryWrite(p []byte) (int, error)
	// Discard drops input that has arrived and was not read.
	Discard() error
	Close() error
}
