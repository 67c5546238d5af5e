package engine

import "callbox/media"

// clipLevel is that of the sounds of Open.
const clipLevel = 300

// level is n frames of a constant level.
func level(v int16, n int) media.Clip { return &levelClip{v: v, left: n} }

type levelClip struct {
	v    int16
	left int
}

func (c *levelClip) ReadFrame(f *media.Frame) bool {
	if c.left == 0 {
		return false
	}
	c.left--
	for i := range f {
		f[i] = c.v
	}
	return true
}

func (c *levelClip) Close() error { return nil }
