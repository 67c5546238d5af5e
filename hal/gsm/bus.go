package gsm

import (
	"io"

	"callbox/hal"
)

// Bus is where modems are plugged in.
type Bus interface {
	// TTYs lists the serial devices of USB devices that there are now.
	TTYs() ([]hal.TTY, error)
	// OpenPort opens one for commands. Its Write must not block for long.
	OpenPort(path string) (io.ReadWriteCloser, error)
	// OpenStream opens one for sound.
	OpenStream(path string) (hal.Stream, error)
}
