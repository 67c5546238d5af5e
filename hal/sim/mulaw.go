package sim

// The simulator's own G.711 µ-law, computed where the box uses tables, so that one
// can check the other (ITU-T G.711, table 2).
const (
	muBias = 0x84
	muClip = 32635
)

// muEncode gives the code word of a sample.
func muEncode(v int16) byte {
	s, sign := int(v), byte(0x80)
	if s < 0 {
		s, sign = -s, 0
	}
	s = min(s, muClip) + muBias
	exp := 7
	for mask := 0x4000; s&mask == 0 && exp > 0; mask >>= 1 {
		exp--
	}
	return ^(byte(exp<<4)|byte(s>>(exp+3)&0x0f))&^0x80 | sign
}

// muDecode gives the sample of a code word.
func muDecode(b byte) int16 {
	b = ^b
	s := (int(b&0x0f)<<3+muBias)<<(b>>4&7) - muBias
	if b&0x80 != 0 {
		s = -s
	}
	return int16(s)
}
