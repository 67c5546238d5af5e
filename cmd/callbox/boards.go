package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"callbox/api/admin"
	"callbox/board"
	"callbox/call"
	"callbox/storage"
)

// boardsBlob holds the boards that users have described: their files by name.
const boardsBlob = "boards"

// ownBoards are the boards that a user has described.
func ownBoards(s *storage.Store) (map[string]string, error) {
	b, err := s.Blob(boardsBlob)
	if errors.Is(err, storage.ErrNoBlob) {
		return map[string]string{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the board profiles: %w", err)
	}
	var files map[string]string
	if err := json.Unmarshal(b, &files); err != nil {
		return nil, fmt.Errorf("read the board profiles: %w", err)
	}
	return files, nil
}

// openBoard finds the hardware.
func (a *app) openBoard(context.Context) error {
	files, err := ownBoards(a.store)
	if err != nil {
		return err
	}
	var own []board.Profile
	for _, name := range slices.Sorted(maps.Keys(files)) {
		p, err := board.Parse([]byte(files[name]))
		if err != nil { // a newer version may want more of it
			a.log.Warn("a board profile cannot be used any more", "board", name, "err", err)
			continue
		}
		own = append(own, p)
	}
	a.board, err = board.Open(a.cfg.Board, board.Config{Profiles: own, SimModems: simModems, USB: cmp.Or(a.cfg.USB, "/"), Trace: a.trace.Line, Log: a.log})
	if err != nil {
		return err
	}
	a.board.Lights.Show(board.SystemLight, board.Starting)
	for _, p := range a.board.Problems {
		a.log.Warn("a part of the board cannot be used", "part", p.Port, "found", string(p.Found), "reason", p.Reason)
	}
	a.panel = newPanel(a)
	return nil
}

// serving pulls the board's lifeline relay, if it has one, or lets it go.
func (a *app) serving(on bool) {
	if err := a.board.Serving(on); err != nil {
		a.log.Error("the lifeline relay cannot be driven", "pull", on, "err", err)
	}
}

// AddBoard keeps a board profile; it is used from the next start on.
func (g gateway) AddBoard(ctx context.Context, file []byte) (string, error) {
	p, err := board.Parse(file)
	if err != nil {
		return "", err
	}
	return p.Name, g.changeBoards(ctx, func(files map[string]string) error {
		files[p.Name] = string(file)
		return nil
	})
}

// RemoveBoard forgets a board profile.
func (g gateway) RemoveBoard(ctx context.Context, name string) error {
	return g.changeBoards(ctx, func(files map[string]string) error {
		if _, ok := files[name]; !ok {
			return fmt.Errorf("%w: nobody has added a board %q", call.ErrNotFound, name)
		}
		delete(files, name)
		return nil
	})
}

func (g gateway) changeBoards(ctx context.Context, change func(map[string]string) error) error {
	g.a.mu.Lock()
	defer g.a.mu.Unlock()
	files, err := ownBoards(g.a.store)
	if err != nil {
		return err
	}
	if err := change(files); err != nil {
		return err
	}
	b, err := json.Marshal(files)
	if err != nil {
		return err
	}
	return g.a.store.PutBlob(ctx, boardsBlob, b)
}

// boardCmd is about the hardware.
type boardCmd struct {
	Show   boardShowCmd   `cmd:"" default:"withargs" help:"Show the board that the box runs on, what works there, and how the machine is."`
	List   boardListCmd   `cmd:"" help:"List the boards that the box knows."`
	Draw   boardDrawCmd   `cmd:"" help:"Print the wiring of a board as an SVG drawing."`
	Check  boardCheckCmd  `cmd:"" help:"Check a board profile of your own."`
	Add    boardAddCmd    `cmd:"" help:"Add a board profile of your own; it is used from the next start on."`
	Remove boardRemoveCmd `cmd:"" help:"Remove a board profile of your own."`
}

type boardShowCmd struct {
	dataDir
	Output string `short:"o" enum:"table,json" default:"table" help:"table or json."`
}

// Run shows the running board.
func (c *boardShowCmd) Run(ctx context.Context) error {
	cl := c.client()
	defer cl.Close()
	b, err := cl.Board(ctx)
	if err != nil {
		return err
	}
	if c.Output == "json" {
		return printJSON(b)
	}
	fmt.Printf("%s: %s", b.Name, b.Title)
	if b.Model != "" {
		fmt.Printf(" (%s)", b.Model)
	}
	fmt.Println()
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	for _, p := range b.Parts {
		fmt.Fprintf(w, "  %s\t%s\t%s\n", p.Name, p.State, p.Reason)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	printCondition(b.Condition)
	for _, s := range b.Warnings {
		fmt.Println("! " + s)
	}
	return nil
}

// printCondition prints what the machine tells of itself.
func printCondition(m admin.Condition) {
	if m.Temperature != 0 {
		fmt.Printf("processor      %.0f °C\n", m.Temperature)
	}
	if m.Disk != "" {
		fmt.Printf("disk           %s, %d MB written in %v\n", m.Disk, m.Written>>20, m.Up.Round(time.Minute))
	}
	clock := "not set"
	switch {
	case m.ClockKept:
		clock = "kept by a time server"
	case m.ClockFrom != "":
		clock = "from " + m.ClockFrom
	case m.ClockSet:
		clock = "set, but not kept by a time server"
	}
	if m.RTC != "" {
		clock += ", with battery (" + m.RTC + ")"
	}
	fmt.Printf("clock          %s\n", clock)
}

type boardListCmd struct{}

// Run lists the built-in boards.
func (boardListCmd) Run() error {
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	for _, p := range board.Profiles() {
		fmt.Fprintf(w, "%s\t%s\t%d phone ports\n", p.Name, p.Title, len(p.Ports))
	}
	return w.Flush()
}

// boardFile is a board by the name of a built-in one or a file.
type boardFile struct {
	Board string `arg:"" help:"Name of a built-in board, or a file."`
}

func (f boardFile) profile() (board.Profile, error) {
	for _, p := range board.Profiles() {
		if p.Name == f.Board {
			return p, nil
		}
	}
	b, err := os.ReadFile(f.Board)
	if err != nil {
		return board.Profile{}, fmt.Errorf("%q is neither a built-in board (callbox board list) nor a file: %w", f.Board, err)
	}
	return board.Parse(b)
}

type boardDrawCmd struct{ boardFile }

// Run draws the wiring.
func (c *boardDrawCmd) Run() error {
	p, err := c.profile()
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(p.Drawing())
	return err
}

type boardCheckCmd struct{ boardFile }

// Run checks a profile.
func (c *boardCheckCmd) Run() error {
	p, err := c.profile()
	if err != nil {
		return err
	}
	fmt.Printf("%s is right: %d phone ports\n", p.Name, len(p.Ports))
	return nil
}

type boardAddCmd struct {
	dataDir
	File string `arg:"" type:"existingfile" help:"The profile."`
}

// Run adds a profile.
func (c *boardAddCmd) Run(ctx context.Context) error {
	b, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	cl := c.client()
	defer cl.Close()
	added, err := cl.AddBoard(ctx, b)
	if err != nil {
		return err
	}
	fmt.Printf("board %s is added; it is used from the next start on (--board %s, or by itself if its compatible names say so)\n", added.Name, added.Name)
	return nil
}

type boardRemoveCmd struct {
	dataDir
	Name string `arg:"" help:"Name of the board."`
}

// Run removes a profile.
func (c *boardRemoveCmd) Run(ctx context.Context) error {
	cl := c.client()
	defer cl.Close()
	return cl.RemoveBoard(ctx, c.Name)
}

// resetCmd sets the box back.
type resetCmd struct {
	dataDir
	Everything bool `help:"Recordings and call records too."`
	Yes        bool `required:"" help:"Say that this is meant: what is removed cannot be brought back."`
}

// Run sets the running box back.
func (c *resetCmd) Run(ctx context.Context) error {
	cl := c.client()
	defer cl.Close()
	if err := cl.Reset(ctx, admin.Reset{Everything: c.Everything}); err != nil {
		return err
	}
	fmt.Println("the box starts anew; its log shows the new token, and so does: callbox config export --secrets")
	return nil
}
