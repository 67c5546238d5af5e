package speech

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"callbox/media"
)

// wavHeader is the length of the header that espeak-ng writes before its sound:
//
//	RIFF size WAVEfmt 16, tag 2, channels 2, rate 4, …, bits 2 (at 34), data size
//
// The sizes in it are too large, because it cannot go back in a pipe.
const wavHeader = 44

// errSound means that the program's output is not the WAV that it should be.
var errSound = errors.New("the speech engine gave no 16-bit mono WAV")

// sink takes the child's standard output and turns it into samples at 8 kHz.
type sink struct {
	raw  []byte // the header until it is whole, then at most one odd byte
	rs   *media.Resampler
	in   []int16
	out  []int16
	err  error // sticky
	head bool  // the header has been read
}

// Write implements io.Writer. An error ends the copying from the child.
func (s *sink) Write(p []byte) (int, error) {
	if s.err == nil {
		s.err = s.take(p)
	}
	return len(p), s.err
}

func (s *sink) take(p []byte) error {
	s.raw = append(s.raw, p...)
	if !s.head {
		if len(s.raw) < wavHeader {
			return nil
		}
		if err := s.header(); err != nil {
			return err
		}
	}
	s.in = s.in[:0]
	whole := len(s.raw) &^ 1
	for i := 0; i < whole; i += 2 {
		s.in = append(s.in, int16(binary.LittleEndian.Uint16(s.raw[i:])))
	}
	s.raw = s.raw[:copy(s.raw, s.raw[whole:])]
	s.out = s.rs.Write(s.out, s.in)
	if len(s.out) > media.SamplesIn(MaxLength) {
		return fmt.Errorf("%w: more than %v", media.ErrTooLong, MaxLength)
	}
	return nil
}

// header reads the first bytes and prepares for the rate that they tell.
func (s *sink) header() error {
	h := s.raw[:wavHeader]
	fits := string(h[:4]) == "RIFF" && string(h[8:16]) == "WAVEfmt " && string(h[36:40]) == "data" &&
		binary.LittleEndian.Uint16(h[20:]) == 1 && binary.LittleEndian.Uint16(h[22:]) == 1 &&
		binary.LittleEndian.Uint16(h[34:]) == 16
	if !fits {
		return errSound
	}
	rs, err := media.NewResampler(int(binary.LittleEndian.Uint32(h[24:])), media.SampleRate)
	if err != nil {
		return fmt.Errorf("%w: %w", errSound, err)
	}
	s.rs, s.head = rs, true
	s.raw = s.raw[:copy(s.raw, s.raw[wavHeader:])]
	return nil
}

// finish gives all samples; none when the child wrote nothing.
func (s *sink) finish() []int16 {
	if !s.head {
		return nil
	}
	return s.rs.Flush(s.out)
}

// head keeps the first kilobyte of what is written to it.
type head struct{ b []byte }

const maxComplaint = 1024

// Write implements io.Writer and never fails.
func (h *head) Write(p []byte) (int, error) {
	h.b = append(h.b, p[:min(len(p), maxComplaint-len(h.b))]...)
	return len(p), nil
}

// line is the first line, for an error's text.
func (h *head) line() string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(h.b)), "\n")
	return line
}
