//go:build e2e

package e2e

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"
)

// TestMain lets more tests run together than there are processors: nearly all of
// them only wait for a sentence to be spoken. A -parallel of your own counts.
func TestMain(m *testing.M) {
	flag.Parse()
	const together = 4
	if n := flag.Lookup("test.parallel").Value.String(); n == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		if err := flag.Set("test.parallel", strconv.Itoa(max(together, runtime.GOMAXPROCS(0)))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	os.Exit(m.Run())
}
