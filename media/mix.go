package media

// Clamp brings v into the range of a sample.
func Clamp(v int32) int16 {
	if v > 32767 {
		return 32767
	}
	if v < -32768 {
		return -32768
	}
	return int16(v)
}

// Clear makes f silent.
func (f *Frame) Clear() { *f = Frame{} }

// Add mixes g into f; what passes full scale is clipped.
func (f *Frame) Add(g *Frame) {
	for i := range f {
		f[i] = Clamp(int32(f[i]) + int32(g[i]))
	}
}

// Gain multiplies f by num/256 (256 is unity, 128 is −6 dB), clipping at full
// scale. num is 0…4,096.
func (f *Frame) Gain(num int) {
	for i := range f {
		f[i] = Clamp(int32(f[i]) * int32(num) / 256)
	}
}

// Sum adds up the frames of many parties without clipping between, so that each
// can hear all but itself: Add every party once, then for each one Without.
// It holds up to 65,536 frames. The zero Sum is silent.
type Sum [FrameSamples]int32

// Reset makes s silent.
func (s *Sum) Reset() { *s = Sum{} }

// Add adds f.
func (s *Sum) Add(f *Frame) {
	for i := range s {
		s[i] += int32(f[i])
	}
}

// Mix writes the sum, clipped at full scale, to out.
func (s *Sum) Mix(out *Frame) {
	for i := range s {
		out[i] = Clamp(s[i])
	}
}

// Without writes the sum less own, which was added before, to out. own and out
// may be the same frame.
func (s *Sum) Without(own, out *Frame) {
	for i := range s {
		out[i] = Clamp(s[i] - int32(own[i]))
	}
}
