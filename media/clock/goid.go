package clock

import "runtime"

// goroutineID is the number of the running goroutine, taken from the first line
// of its stack trace: "goroutine 18 [running]:". Remove needs it to tell a call
// from within a tick, which must not wait for that tick, from a call by another
// goroutine, which must; Go has no reentrant lock. It is used
// when Run starts and in Remove, never per tick, and gives 0, which no goroutine has, if the text is
// another.
func goroutineID() uint64 {
	const prefix = "goroutine "
	var buf [64]byte
	n := runtime.Stack(buf[:], false)
	if n < len(prefix) || string(buf[:len(prefix)]) != prefix {
		return 0
	}
	var id uint64
	for _, b := range buf[len(prefix):n] {
		if b < '0' || b > '9' {
			break
		}
		id = id*10 + uint64(b-'0')
	}
	return id
}
