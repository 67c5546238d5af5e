package echo

import (
	"sync"

	"callbox/media"
)

// referenceSamples is how much of what a line was told is kept: one second.
const referenceSamples = 8192

// Reference keeps what a line was told, so that it can be compared with what
// comes back. One goroutine pushes and one reads.
type Reference struct {
	mu  sync.Mutex
	buf [referenceSamples]int16 // mu
	// mu; the numbers of the first sample pushed and of the next.
	first, n int64
}

// Begin forgets all; the next sample pushed is number n.
func (r *Reference) Begin(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.first, r.n = n, n
}

// Push takes what is given to the line now.
func (r *Reference) Push(s []int16) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if over := len(s) - referenceSamples; over > 0 {
		r.n += int64(over)
		s = s[over:]
	}
	at := r.n % referenceSamples
	copy(r.buf[:], s[copy(r.buf[at:], s):])
	r.n += int64(len(s))
}

// Len is the number of the next sample that will be pushed.
func (r *Reference) Len() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

// At reads the frame that begins with sample number first. What is not there yet, or not any more, is silence.
func (r *Reference) At(f *media.Frame, first int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	oldest := max(r.n-referenceSamples, r.first)
	for i := range f {
		if n := first + int64(i); n >= oldest && n < r.n {
			f[i] = r.buf[n%referenceSamples]
		} else {
			f[i] = 0
		}
	}
}
