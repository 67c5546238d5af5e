package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"callbox/storage"
	"callbox/storage/config"
)

// resetError ends the app because somebody wants the box as it was when it was new.
type resetError struct {
	Everything bool // recordings and call records too
}

func (e *resetError) Error() string {
	if e.Everything {
		return "everything is set back to how it was when the box was new"
	}
	return "the configuration is set back to how it was when the box was new"
}

// Reset asks for the box as it was when it was new.
func (g gateway) Reset(everything bool) {
	select {
	case g.a.panel.reset <- resetError{Everything: everything}:
	default: // it is being done
	}
}

// do sets the data folder of a box that does not run back. The first account keeps its
// id, so that its recordings are found with the new token.
func (e *resetError) do(ctx context.Context, dir string, log *slog.Logger) error {
	log.Warn(e.Error())
	if e.Everything {
		return clearFolder(dir)
	}
	s, err := storage.Open(storage.Config{Dir: dir, Logger: log})
	if err != nil {
		return err
	}
	old, err := s.LoadConfig()
	if err != nil {
		return errors.Join(err, s.Close())
	}
	fresh := config.Snapshot{Version: old.Version, Accounts: []config.Account{firstAccount()}}
	if len(old.Accounts) > 0 {
		fresh.Accounts[0].ID, fresh.Accounts[0].Project = old.Accounts[0].ID, old.Accounts[0].Project
	}
	_, err = s.SaveConfig(ctx, fresh)
	for _, blob := range []string{caBlob, messagesBlob, queuesBlob, boardsBlob} {
		err = errors.Join(err, s.DeleteBlob(ctx, blob))
	}
	if err := errors.Join(err, s.Close()); err != nil {
		return fmt.Errorf("set the configuration back: %w", err)
	}
	return nil
}

// clearFolder removes what the box keeps, and nothing else that lies there.
func clearFolder(dir string) error {
	var errs []error
	for _, name := range []string{"callbox.db", "callbox.wal", caFile, "recordings", "sounds"} {
		errs = append(errs, os.RemoveAll(filepath.Join(dir, name)))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("clear the data folder: %w", err)
	}
	return nil
}
