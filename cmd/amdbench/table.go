package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"callbox/media"
	"callbox/media/amd"
	"callbox/media/amd/corpus"
)

type tableCommand struct {
	Split  string `default:"test" help:"train, tune or test."`
	Clips  int    `default:"1600" help:"How many clips."`
	Errors bool   `help:"Name every clip that was judged wrongly."`
}

// judged is what became of a clip.
type judged struct {
	clip         corpus.Clip // without its sound
	verdict      amd.Event
	classic      string
	beep         time.Duration // when the end of the greeting was told as a beep, 0: it was not
	end          amd.Event     // of the greeting
	spent, sound time.Duration
}

func (j *judged) right() bool { return j.said() == j.clip.Truth }

// said is the verdict as a truth.
func (j *judged) said() corpus.Truth { return corpus.Truth(j.verdict.Result.Answered()) }

func (j *judged) classicRight() bool {
	return corpus.Truth(j.classic) == j.clip.Truth || j.classic == "unknown" && j.clip.Truth == corpus.Silence
}

// prompt is how soon the end of a beep must be told.
const prompt = 300 * time.Millisecond

func judge(c *corpus.Clip) judged {
	j := judged{clip: *c}
	j.clip.Sound = nil
	usual := amd.Config{Timeout: 30 * time.Second, Silence: 5 * time.Second}
	runtime.LockOSThread()
	began := threadTime()
	j.verdict = amd.Judge(usual, c.Sound)
	j.spent, j.sound = threadTime()-began, j.verdict.At
	runtime.UnlockOSThread()
	k := newClassic()
	var silence media.Frame
	frames(c, func(f *media.Frame) bool {
		j.classic = k.write(f)
		return j.classic == ""
	})
	for j.classic == "" {
		j.classic = k.write(&silence)
	}
	usual.MessageEnd = true
	if j.end = amd.Judge(usual, c.Sound); j.end.Result == amd.MachineEndBeep {
		j.beep = j.end.At
	}
	return j
}

// threadTime is how long this thread has computed: what else the machine does is not
// the detection's.
func threadTime() time.Duration {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &used); err != nil {
		panic(err) // only for arguments that are not these
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// Run prints the tables.
func (c *tableCommand) Run(ctx context.Context) error {
	split, err := splitOf(c.Split)
	if err != nil {
		return err
	}
	list := make([]judged, c.Clips)
	err = forEach(ctx, split, c.Clips, func(i int, clip *corpus.Clip) error {
		list[i] = judge(clip)
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Printf("%d clips of the %s split\n\n", len(list), split)
	rows("class", list, func(j *judged) string { return string(j.clip.Truth) + ": " + j.clip.Class })
	rows("language", list, func(j *judged) string { return j.clip.Language })
	if c.Errors {
		for i := range list {
			j := &list[i]
			if late := j.beep - j.clip.Beep; j.right() && j.clip.Truth == corpus.Machine && (j.clip.Beep > 0 || j.beep > 0) && late.Abs() > prompt {
				fmt.Printf("%s %s (%s; %s): beep ended at %v, told at %v (%s)\n", j.clip.Name, j.clip.Class, j.clip.Voice, j.clip.Line, j.clip.Beep, j.beep, j.end.Why)
			}
			if !j.right() {
				fmt.Printf("%s %s (%s, %s; %s): %s at %v: %s; spoken %v to %v, beep %v\n", j.clip.Name, j.clip.Class, j.clip.Voice, j.clip.Language, j.clip.Line,
					j.verdict.Result, j.verdict.At, j.verdict.Why, j.clip.Spoken, j.clip.Ended, j.clip.Beep)
			}
		}
		fmt.Println()
	}
	goals(list)
	return nil
}

// rows prints a table of right verdicts by a key.
func rows(title string, list []judged, key func(*judged) string) {
	by := map[string][]*judged{}
	for i := range list {
		k := key(&list[i])
		by[k] = append(by[k], &list[i])
	}
	names := make([]string, 0, len(by))
	for k := range by {
		names = append(names, k)
	}
	slices.Sort(names)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\tclips\tright\tclassic right\tverdict p50\tp95\n", title)
	for _, k := range names {
		right, classic := 0, 0
		var at []time.Duration
		for _, j := range by[k] {
			if j.right() {
				right++
			}
			if j.classicRight() {
				classic++
			}
			at = append(at, j.verdict.At)
		}
		n := len(by[k])
		fmt.Fprintf(w, "%s\t%d\t%.1f %%\t%.1f %%\t%.1f s\t%.1f s\n", k, n, percent(right, n), percent(classic, n), quantile(at, .5), quantile(at, .95))
	}
	w.Flush()
	fmt.Println()
}

// goals prints the figures that the detection is judged by.
func goals(list []judged) {
	var people, wronged, classicWronged, right, classicRight, beeps, told, falseBeeps, noBeep, faxes, faxRight int
	var person, speaking, patient, machine []time.Duration
	var spent, sound time.Duration
	for i := range list {
		j := &list[i]
		spent, sound = spent+j.spent, sound+j.sound
		if j.right() {
			right++
		}
		if j.classicRight() {
			classicRight++
		}
		switch j.clip.Truth {
		case corpus.Human:
			people++
			if j.said() == corpus.Machine {
				wronged++
			}
			if j.classic == "machine" {
				classicWronged++
			}
			if j.verdict.Result == amd.Human {
				person = append(person, j.verdict.At)
				speaking = append(speaking, j.verdict.At-j.clip.Spoken)
			}
			if j.end.Result == amd.Human {
				patient = append(patient, j.end.At)
			}
		case corpus.Machine:
			if j.said() == corpus.Machine {
				machine = append(machine, j.verdict.At)
			}
		case corpus.Fax:
			faxes++
			if j.right() {
				faxRight++
			}
		}
		switch late := j.beep - j.clip.Beep; {
		case j.clip.Beep > 0:
			beeps++
			if j.beep > 0 && late.Abs() <= prompt {
				told++
			}
		case j.clip.Truth != corpus.Fax:
			noBeep++
			if j.beep > 0 {
				falseBeeps++
			}
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "figure\tgoal\tours\tclassic\n")
	fmt.Fprintf(w, "people called machines\t≤ 1 %%\t%.2f %%\t%.1f %%\n", percent(wronged, people), percent(classicWronged, people))
	fmt.Fprintf(w, "right in all\t≥ 97 %%\t%.2f %%\t%.1f %%\n", percent(right, len(list)), percent(classicRight, len(list)))
	fmt.Fprintf(w, "person known after, p50\t≤ 1.6 s\t%.2f s\t\n", quantile(person, .5))
	fmt.Fprintf(w, "person known after, p95\t≤ 3 s\t%.2f s\t\n", quantile(person, .95))
	fmt.Fprintf(w, "… from their first word on, p50\t\t%.2f s\t\n", quantile(speaking, .5))
	fmt.Fprintf(w, "… from their first word on, p95\t\t%.2f s\t\n", quantile(speaking, .95))
	fmt.Fprintf(w, "… with DetectMessageEnd, p50\t\t%.2f s\t\n", quantile(patient, .5))
	fmt.Fprintf(w, "machine known after, p50\t≤ 4 s\t%.2f s\t\n", quantile(machine, .5))
	fmt.Fprintf(w, "beep's end told within 300 ms\t≥ 98 %%\t%.2f %%\t\n", percent(told, beeps))
	fmt.Fprintf(w, "beeps where none was\t≤ 0.5 %%\t%.2f %%\t\n", percent(falseBeeps, noBeep))
	fmt.Fprintf(w, "faxes known\t≥ 99 %%\t%.2f %%\t\n", percent(faxRight, faxes))
	fmt.Fprintf(w, "times real time, one core\t≥ 2,000\t%.0f\t\n", sound.Seconds()/spent.Seconds())
	fmt.Fprintf(w, "state of a call\t≤ 16 kB\t%.1f kB\t\n", float64(amd.StateSize+int(unsafe.Sizeof(amd.Config{})))/1000)
	w.Flush()
}

func percent(n, of int) float64 {
	if of == 0 {
		return 100
	}
	return 100 * float64(n) / float64(of)
}

// quantile is in seconds.
func quantile(d []time.Duration, q float64) float64 {
	if len(d) == 0 {
		return 0
	}
	d = slices.Clone(d)
	slices.Sort(d)
	return d[min(len(d)-1, int(q*float64(len(d))))].Seconds()
}
