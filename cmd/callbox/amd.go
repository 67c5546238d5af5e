package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"callbox/media"
	"callbox/media/amd"
	"callbox/media/wav"
)

// amdCmd tells people from machines in recordings, as a call would.
type amdCmd struct {
	Files                 []string      `arg:"" optional:"" name:"file" type:"existingfile" help:"WAV files, each the far end of a call from the answer on."`
	Output                string        `short:"o" enum:"text,json" default:"text" help:"text or json."`
	Labels                string        `type:"existingfile" placeholder:"CSV" help:"A table of files and what answered, person or machine (or fax, silence): file,label on each line. Prints how often the verdict is right, and thresholds that suit these recordings."`
	SVG                   string        `name:"svg" type:"path" placeholder:"DIR" help:"Write a drawing of each file's timeline to this folder."`
	MessageEnd            bool          `help:"Go on to the end of a machine's greeting (MachineDetection=DetectMessageEnd)."`
	Timeout               time.Duration `default:"30s" help:"MachineDetectionTimeout."`
	SpeechThreshold       time.Duration `help:"MachineDetectionSpeechThreshold; without it the box decides by its model."`
	SpeechEndThreshold    time.Duration `help:"MachineDetectionSpeechEndThreshold; without it the box decides by its model."`
	SilenceTimeout        time.Duration `default:"5s" help:"MachineDetectionSilenceTimeout."`
	MachineWordsThreshold int           `help:"MachineWordsThreshold; 0 counts no words."`
}

// longestRecording bounds what is read of a file.
const longestRecording = 10 * time.Minute

// heardFile is what was found out about one recording.
type heardFile struct {
	File       string             `json:"file"`
	Verdict    amd.Result         `json:"verdict"`
	At         float64            `json:"at_seconds"`
	Confidence float64            `json:"confidence"`
	Why        string             `json:"why"`
	Decision   float64            `json:"decision_seconds,omitempty"` // with MessageEnd: when the machine was known
	Beep       float64            `json:"beep_hz,omitempty"`
	Features   map[string]float64 `json:"features,omitempty"`
	Timeline   string             `json:"timeline"` // a character for 100 ms: # voice, T tone, ~ other sound, . silence
	Label      string             `json:"label,omitempty"`
	Right      *bool              `json:"right,omitempty"`

	sound []int16
}

// Run judges the files.
func (c *amdCmd) Run() error {
	labels, err := readLabels(c.Labels)
	if err != nil {
		return err
	}
	files := c.Files
	for _, l := range labels {
		if len(c.Files) == 0 {
			files = append(files, l.file)
		}
	}
	if len(files) == 0 {
		return fmt.Errorf("no recordings: name WAV files, or a table of them with --labels")
	}
	var list []*heardFile
	for _, name := range files {
		h, err := c.hear(name)
		if err != nil {
			return err
		}
		for _, l := range labels {
			if l.file == name || filepath.Base(l.file) == filepath.Base(name) {
				right := h.Verdict.Answered() == l.truth
				h.Label, h.Right = l.truth, &right
			}
		}
		list = append(list, h)
		if c.SVG != "" {
			if err := drawTimeline(c.SVG, h); err != nil {
				return err
			}
		}
	}
	if c.Output == "json" {
		return printJSON(list)
	}
	for _, h := range list {
		h.print()
	}
	if labels != nil {
		printConfusion(list)
		printSuggestion(list)
	}
	return nil
}

func (c *amdCmd) config() amd.Config {
	return amd.Config{MessageEnd: c.MessageEnd, Timeout: c.Timeout, Speech: c.SpeechThreshold, SpeechEnd: c.SpeechEndThreshold,
		Silence: c.SilenceTimeout, Words: c.MachineWordsThreshold}
}

// hear judges one file; what comes after its end is silence.
func (c *amdCmd) hear(name string) (*heardFile, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	sound, err := wav.Decode(f, longestRecording)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	h := &heardFile{File: name, sound: sound}
	d := amd.New(c.config())
	var line strings.Builder
	frames := 0
	for over := false; !over; frames++ {
		fr := frameAt(sound, frames)
		ev, ok := d.Write(&fr)
		if frames%5 == 4 {
			line.WriteByte(d.Sounds())
		}
		if !ok {
			continue
		}
		if !ev.Final {
			h.Decision = ev.At.Seconds()
			continue
		}
		over = true
		h.Verdict, h.At, h.Confidence, h.Why, h.Beep = ev.Result, ev.At.Seconds(), ev.Confidence, ev.Why, ev.Tone
	}
	h.Timeline = line.String()
	if x, ok := d.Features(); ok {
		h.Features = map[string]float64{}
		for i, name := range amd.FeatureNames {
			h.Features[name] = float64(x[i])
		}
	}
	return h, nil
}

// frameAt is frame n of a sound, silence behind its end.
func frameAt(sound []int16, n int) (f media.Frame) {
	if at := n * media.FrameSamples; at < len(sound) {
		copy(f[:], sound[at:])
	}
	return f
}

// print writes what was found out as text.
func (h *heardFile) print() {
	fmt.Printf("%s\n  %s after %.1f s", h.File, h.Verdict, h.At)
	if h.Confidence > 0 {
		fmt.Printf(" (%.0f %% sure)", 100*h.Confidence)
	}
	fmt.Printf(": %s\n", h.Why)
	if h.Right != nil && !*h.Right {
		fmt.Printf("  WRONG: the label says %s\n", h.Label)
	}
	if h.Decision > 0 {
		fmt.Printf("  known to be a machine after %.1f s\n", h.Decision)
	}
	fmt.Printf("  |%s|  a character is 0.1 s: # voice, T tone, ~ other sound\n", h.Timeline)
	if h.Features != nil {
		for i, name := range amd.FeatureNames {
			if i%5 == 0 {
				fmt.Print("\n  "[min(i, 1):])
			}
			fmt.Printf("%s %.1f  ", name, h.Features[name])
		}
		fmt.Println()
	}
	fmt.Println()
}

// label is a line of the user's table.
type label struct{ file, truth string }

// readLabels reads file,label lines; a heading is passed over. Relative names are
// taken from the table's folder.
func readLabels(name string) ([]label, error) {
	if name == "" {
		return nil, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	r := csv.NewReader(f)
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("the labels: %w", err)
	}
	var list []label
	for i, row := range rows {
		if len(row) < 2 {
			return nil, fmt.Errorf("%s, line %d: it must have a file and a label", name, i+1)
		}
		truth, ok := map[string]string{"human": "human", "person": "human", "machine": "machine", "fax": "fax", "silence": "silence", "unknown": "silence"}[strings.ToLower(strings.TrimSpace(row[1]))]
		switch {
		case ok:
		case i == 0:
			continue // a heading
		default:
			return nil, fmt.Errorf("%s, line %d: the label %q is not person, machine, fax or silence", name, i+1, row[1])
		}
		file := strings.TrimSpace(row[0])
		if !filepath.IsAbs(file) {
			file = filepath.Join(filepath.Dir(name), file)
		}
		list = append(list, label{file, truth})
	}
	return list, nil
}

// printConfusion prints how many of each label got which verdict.
func printConfusion(list []*heardFile) {
	kinds := []string{"human", "machine", "fax", "silence"}
	count := map[[2]string]int{}
	right, all := 0, 0
	for _, h := range list {
		if h.Label == "" {
			continue
		}
		count[[2]string{h.Label, h.Verdict.Answered()}]++
		if all++; *h.Right {
			right++
		}
	}
	fmt.Printf("%-10s", "label")
	for _, v := range kinds {
		fmt.Printf("%10s", v)
	}
	fmt.Println()
	for _, l := range kinds {
		fmt.Printf("%-10s", l)
		for _, v := range kinds {
			fmt.Printf("%10d", count[[2]string{l, v}])
		}
		fmt.Println()
	}
	if all > 0 {
		fmt.Printf("\n%d of %d right (%.1f %%)\n", right, all, 100*float64(right)/float64(all))
	}
}

// printSuggestion tries the classic thresholds on the recordings and prints those
// that are right most often; of equals, those that call fewest people machines.
func printSuggestion(list []*heardFile) {
	var tries []amd.Config
	for speech := 1000 * time.Millisecond; speech <= 6*time.Second; speech += 250 * time.Millisecond {
		for end := 500 * time.Millisecond; end <= 2*time.Second; end += 250 * time.Millisecond {
			tries = append(tries, amd.Config{Timeout: 30 * time.Second, Silence: 5 * time.Second, Speech: speech, SpeechEnd: end})
		}
	}
	right, wronged := make([]int, len(tries)), make([]int, len(tries))
	people, all := 0, 0
	for _, h := range list {
		if h.Label != "human" && h.Label != "machine" {
			continue
		}
		if all++; h.Label == "human" {
			people++
		}
		for i, ev := range amd.JudgeEach(tries, h.sound) {
			switch got := ev.Result.Answered(); {
			case got == h.Label:
				right[i]++
			case got == "machine":
				wronged[i]++
			}
		}
	}
	if people == 0 || people == all {
		return
	}
	best := 0
	for i := range tries {
		if right[i] > right[best] || right[i] == right[best] && wronged[i] < wronged[best] {
			best = i
		}
	}
	fmt.Printf("As rules, MachineDetectionSpeechThreshold=%d and MachineDetectionSpeechEndThreshold=%d suit these recordings best: %d of %d people and machines right, %d of %d people called machines.\n",
		tries[best].Speech.Milliseconds(), tries[best].SpeechEnd.Milliseconds(), right[best], all, wronged[best], people)
}

// drawTimeline writes a file's timeline as SVG: level over time, voice and tones
// coloured, the verdict as a line.
func drawTimeline(dir string, h *heardFile) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	const scale, height = 6, 120 // pixels for 100 ms, and in all
	var b strings.Builder
	width := max(len(h.Timeline)*scale, 300)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">`+"\n", width, height+40)
	for i, kind := range []byte(h.Timeline) {
		peak := 0
		for n := range 5 {
			f := frameAt(h.sound, 5*i+n)
			for _, v := range f {
				peak = max(peak, int(v), -int(v))
			}
		}
		tall := max(1, peak*height/32768)
		colour := map[byte]string{'#': "#2a7", 'T': "#d60", '~': "#999", '.': "#ddd"}[kind]
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>`+"\n", i*scale, (height-tall)/2, scale-1, tall, colour)
	}
	x := h.At * 10 * scale
	fmt.Fprintf(&b, `<line x1="%.0f" x2="%.0f" y1="0" y2="%d" stroke="#c00"/><text x="4" y="%d">%s after %.1f s: %s</text>`+"\n", x, x, height, height+16, h.Verdict, h.At, h.Why)
	fmt.Fprintf(&b, `<text x="4" y="%d" fill="#666">%s: green voice, orange tones, grey other sound</text></svg>`+"\n", height+32, xmlText(filepath.Base(h.File)))
	name := strings.TrimSuffix(filepath.Base(h.File), filepath.Ext(h.File)) + ".svg"
	return os.WriteFile(filepath.Join(dir, name), []byte(b.String()), 0o644)
}

// xmlText writes a name for use between tags.
func xmlText(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
