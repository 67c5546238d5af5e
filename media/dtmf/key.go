package dtmf

import "strings"

// keys is the keypad, row by row.
const keys = "123A456B789C*0#D"

// low and high are the frequencies of rows and columns in Hz (ITU-T Q.23 §6).
var (
	low  = [4]float64{697, 770, 852, 941}
	high = [4]float64{1209, 1336, 1477, 1633}
)

// Valid reports whether digit is one of 0-9 * # A-D.
func Valid(digit byte) bool { return strings.IndexByte(keys, digit) >= 0 }

// Frequencies gives the row's and the column's frequency of a digit in Hz; ok is
// false when it is not one of 0-9 * # A-D.
func Frequencies(digit byte) (row, column float64, ok bool) {
	i := strings.IndexByte(keys, digit)
	if i < 0 {
		return 0, 0, false
	}
	return low[i/4], high[i%4], true
}
