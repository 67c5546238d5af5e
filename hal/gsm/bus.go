package gsm

import (
	"io"

	"callbox/hal"
)

// Cards opens the sound cards that some modems are on the bus, found by type
// assertion on a [Bus].
type Cards interface {
	// OpenCard opens that of the modem at a place. It is closed with the modem.
	OpenCard(place string) (hal.PCM, error)
}

// Disks lists the places of devices that show themselves as disks only, found by type
// assertion on a [Bus]: some modems do, until they are told to be modems.
type Disks interface {
	// DisksOf lists those of a maker: by place, the product.
	DisksOf(vendor uint16) (map[string]uint16, error)
}

// Bus is where modems are plugged in.
type Bus interface {
	// TTYs lists the serial devices of USB devices that there are now.
	TTYs() ([]hal.TTY, error)
	// OpenPort opens one for commands. Its Write must not block for long.
	OpenPort(path string) (io.ReadWriteCloser, error)
	// OpenStream opens one for sound.
	OpenStream(path string) (hal.Stream, error)
}
