package board

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// The boards that the box knows: one file each, with the fields of Profile. A board
// that says "like: pi" has what pi has where it says nothing itself.
//
//go:embed profiles/*.yaml
var profiles embed.FS

// maxProfile bounds a profile's file in bytes.
const maxProfile = 64 << 10

// Profiles are the boards that the box knows, sorted by name, without the simulated
// one. The result is the caller's to change.
func Profiles() []Profile {
	files, err := fs.Glob(profiles, "profiles/*.yaml")
	if err != nil {
		panic(err) // the pattern is ours
	}
	out := make([]Profile, 0, len(files))
	for _, f := range files {
		p, err := builtIn(strings.TrimSuffix(path.Base(f), ".yaml"))
		if err != nil {
			panic(err) // ours too: the tests read every one
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b Profile) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// builtIn reads a board that the box knows.
func builtIn(name string) (Profile, error) {
	b, err := profiles.ReadFile("profiles/" + name + ".yaml")
	if err != nil {
		return Profile{}, fmt.Errorf("there is no built-in board %q", name)
	}
	return read(b)
}

// Parse reads a profile that somebody wrote, and checks it as Validate does. The
// error is a sentence that names the line of the file where it can.
func Parse(file []byte) (Profile, error) {
	if len(file) > maxProfile {
		return Profile{}, fmt.Errorf("the profile has %d bytes: at most %d are read", len(file), maxProfile)
	}
	p, err := read(file)
	if err != nil {
		return Profile{}, err
	}
	if p.Name == Sim {
		return Profile{}, errors.New(`"sim" is the simulated board: choose another name`)
	}
	return p, p.Validate()
}

// read reads a profile over the one that it is like.
func read(file []byte) (Profile, error) {
	var name struct {
		Like string `yaml:"like"`
	}
	var p Profile
	if err := yaml.Unmarshal(file, &name); err != nil {
		return p, fmt.Errorf("read the board's profile: %w", err)
	}
	if name.Like != "" {
		base, err := builtIn(name.Like)
		if err != nil {
			return p, fmt.Errorf("the board cannot be like %q: %w", name.Like, err)
		}
		p, p.Compatible = base, nil // two boards are not told apart by the same name
	}
	if err := yaml.UnmarshalWithOptions(file, &p, yaml.Strict()); err != nil {
		return p, fmt.Errorf("read the board's profile: %w", err)
	}
	return p, nil
}

// Names are the values that Open takes besides the boards that a user has added,
// sorted, "auto" first.
func Names() []string {
	names := []string{Sim}
	for _, p := range Profiles() {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return append([]string{"auto"}, names...)
}

// byName finds a profile among a user's and the built-in ones; sims and lines are the
// numbers of simulated phones and exchange lines.
func byName(name string, own []Profile, sims, lines int) (Profile, error) {
	if name == Sim {
		return simProfile(sims, lines), nil
	}
	known := append(slices.Clone(own), Profiles()...)
	i := slices.IndexFunc(known, func(p Profile) bool { return p.Name == name })
	if i < 0 {
		names := Names()
		for _, p := range own {
			names = append(names, p.Name)
		}
		return Profile{}, fmt.Errorf("no board %q: want one of %s", name, strings.Join(names, ", "))
	}
	return known[i], nil
}
