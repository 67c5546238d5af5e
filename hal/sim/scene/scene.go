package scene

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// Scene is what happens.
type Scene struct {
	Title string `yaml:"title"`
	// Country is an ISO 3166-1 alpha-2 code: of the exchanges and their tones while it
	// plays. Empty: as the gateway is set up.
	Country string `yaml:"country,omitempty"`
	// Keep leaves faults and the country as they are at the end.
	Keep  bool   `yaml:"keep,omitempty"`
	Steps []Step `yaml:"steps"`
}

// Step is one thing that happens. Do, Fault, Say and State exclude each other.
type Step struct {
	Port  string   `yaml:"port"`
	After Duration `yaml:"after,omitempty"` // the end of the step before
	Do    string   `yaml:"do,omitempty"`    // an act: "pick-up"
	With  string   `yaml:"with,omitempty"`  // what the act takes: keys, a number, a text
	Fault string   `yaml:"fault,omitempty"` // a fault: "dead"
	Value string   `yaml:"value,omitempty"` // what it is set to; "off" ends it
	Say   string   `yaml:"say,omitempty"`   // a WAV file, as seen from the scene's
	State string   `yaml:"state,omitempty"` // a field of the far side's state: "call"
	Is    string   `yaml:"is,omitempty"`    // the value that is waited for
	// Within is how long it may take; 0: 2 min.
	Within Duration `yaml:"within,omitempty"`
	// Beside has the steps after it begin while it lasts. The scene ends when it has.
	Beside bool `yaml:"beside,omitempty"`
}

// Duration is a time as Go writes it: "1.5s".
type Duration time.Duration

// UnmarshalYAML reads one.
func (d *Duration) UnmarshalYAML(b []byte) error {
	var s string
	if err := yaml.Unmarshal(b, &s); err != nil {
		return err
	}
	t, err := time.ParseDuration(s)
	if err != nil || t < 0 || t > longest {
		return fmt.Errorf("%q is no time from 0s to %v", s, longest)
	}
	*d = Duration(t)
	return nil
}

// Limits of a file.
const (
	maxFile  = 256 << 10
	maxSteps = 1000
	longest  = time.Hour
	patience = 2 * time.Minute // of a step that names none
)

// Parse reads a file. The error is a sentence that names the line or the step.
func Parse(file []byte) (Scene, error) {
	var s Scene
	if len(file) > maxFile {
		return s, fmt.Errorf("the scene has %d bytes: at most %d are read", len(file), maxFile)
	}
	if err := yaml.UnmarshalWithOptions(file, &s, yaml.Strict()); err != nil {
		return s, fmt.Errorf("read the scene: %w", err)
	}
	if len(s.Steps) == 0 || len(s.Steps) > maxSteps {
		return s, fmt.Errorf("the scene has %d steps: 1 to %d are possible", len(s.Steps), maxSteps)
	}
	if s.Country != "" && (len(s.Country) != 2 || strings.Trim(s.Country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "") {
		return s, fmt.Errorf("%q is not the code of a country, such as DE", s.Country)
	}
	for i, step := range s.Steps {
		if err := step.check(); err != nil {
			return s, fmt.Errorf("step %d (%s): %w", i+1, step, err)
		}
	}
	return s, nil
}

// check reports what is wrong with a step.
func (s Step) check() error {
	kinds := 0
	for _, k := range []string{s.Do, s.Fault, s.Say, s.State} {
		if k != "" {
			kinds++
		}
	}
	switch {
	case s.Port == "":
		return errors.New("it names no port")
	case kinds != 1:
		return errors.New("it must have one of do, fault, say and state")
	case (s.Fault == "") != (s.Value == ""):
		return errors.New("a fault needs a value, and nothing else has one: on, off, a number, or a time")
	case s.State == "" && s.Is != "", s.Do == "" && s.With != "":
		return errors.New("is belongs to state, and with to do")
	}
	return nil
}

// String tells the step as people read it.
func (s Step) String() string {
	switch {
	case s.Fault != "":
		return s.Port + " fault " + s.Fault + " " + s.Value
	case s.Say != "":
		return s.Port + " says " + s.Say
	case s.State != "":
		return s.Port + " " + s.State + " is " + s.Is
	}
	return strings.TrimSpace(s.Port + " " + s.Do + " " + s.With)
}
