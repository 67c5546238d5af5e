//go:build bench

package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"text/tabwriter"
)

// frame is what one of the packages' own benchmarks said, one figure per round.
type frame struct {
	pkg, name         string
	ns, bytes, allocs []float64
	others            map[string][]float64 // by unit
}

// mayNotAllocate are the benchmarks of what happens once per 20 ms or packet:
// no allocation is allowed there.
var mayNotAllocate = []string{"BenchmarkTick", "BenchmarkTick100", "BenchmarkDecode", "BenchmarkConceal",
	"BenchmarkEncode", "BenchmarkRelay", "BenchmarkRelaySockets", "BenchmarkDetector", "BenchmarkRoom", "BenchmarkCanceller", "BenchmarkComfortNoise", "BenchmarkMeter", "BenchmarkToneDetector", "BenchmarkFaxDetector",
	"BenchmarkSealAndOpen", "BenchmarkResample", "BenchmarkWriter", "BenchmarkGenerator", "BenchmarkClip", "BenchmarkCrossing", "BenchmarkEvent"}

// frames runs the packages' own benchmarks.
func (l *lab) frames() error {
	l.tell("the packages' own benchmarks, %d times", *rounds)
	tool := os.Getenv("GO")
	if tool == "" {
		tool = "go"
	}
	cmd := exec.Command(tool, "test", "-run", "^$", "-bench", ".", "-benchmem", "-benchtime", "50ms",
		"-count", strconv.Itoa(*rounds), "callbox/media/...", "callbox/call/...", "callbox/sip/...", "callbox/storage/...", "callbox/api/stream")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	l.report.frames = parseFrames(out)
	if err != nil {
		return fmt.Errorf("go test -bench: %w\n%s%s", err, errs.String(), out)
	}
	return nil
}

// parseFrames reads the output of go test -bench.
func parseFrames(out []byte) []frame {
	var all []frame
	pkg := ""
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		if p, ok := strings.CutPrefix(lines.Text(), "pkg: "); ok {
			pkg = strings.TrimPrefix(p, "callbox/")
		}
		f := strings.Fields(lines.Text())
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		name := f[0]
		if i := strings.LastIndexByte(name, '-'); i > 0 { // the number of processors
			name = name[:i]
		}
		if n := len(all); n == 0 || all[n-1].pkg != pkg || all[n-1].name != name {
			all = append(all, frame{pkg: pkg, name: name, others: map[string][]float64{}})
		}
		b := &all[len(all)-1]
		for i := 2; i+1 < len(f); i += 2 {
			v, err := strconv.ParseFloat(f[i], 64)
			if err != nil {
				continue
			}
			switch f[i+1] {
			case "ns/op":
				b.ns = append(b.ns, v)
			case "B/op":
				b.bytes = append(b.bytes, v)
			case "allocs/op":
				b.allocs = append(b.allocs, v)
			default:
				b.others[f[i+1]] = append(b.others[f[i+1]], v)
			}
		}
	}
	return all
}

func (r *report) printFrames(out io.Writer) {
	if len(r.frames) == 0 {
		return
	}
	fmt.Fprintf(out, "\nThe packages' own benchmarks, per operation: a frame, a packet, a tick, a call\n")
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "  \tns\tbytes\tallocations\tmust\t\t\n")
	for _, f := range r.frames {
		must, word := "", ""
		for _, m := range mayNotAllocate {
			if name, _, _ := strings.Cut(f.name, "/"); name != m {
				continue
			}
			must, word = "0", "good"
			if len(f.allocs) > 0 && median(f.allocs) > 0 {
				word = "MISSED"
			}
		}
		others := ""
		for unit, v := range f.others {
			others += spread(v) + " " + unit + " "
		}
		fmt.Fprintf(w, "  %s %s\t%s\t%s\t%s\t%s\t%s\t%s\n", f.pkg, strings.TrimPrefix(f.name, "Benchmark"), spread(f.ns), spread(f.bytes), spread(f.allocs), must, word, others)
	}
	w.Flush()
}
