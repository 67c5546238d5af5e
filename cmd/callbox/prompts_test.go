package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callbox/media"
	"callbox/media/tone"
	"callbox/media/wav"
)

// soundFile writes 200 ms of tone to path.
func soundFile(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := wav.NewWriter(f, 1)
	if err != nil {
		t.Fatal(err)
	}
	clip := tone.Beep()
	var frame media.Frame
	for range 10 {
		clip.ReadFrame(&frame)
		if err := w.WriteSamples(frame[:]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestSoundsOnTheBox(t *testing.T) {
	dir := t.TempDir()
	p := newPrompts(nil, nil, filepath.Join(dir, "sounds"))
	if _, err := p.Open(context.Background(), "file:hello.wav"); err == nil || !strings.Contains(err.Error(), "no folder of sounds") {
		t.Errorf("without a folder: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "sounds", "de"), 0o700); err != nil {
		t.Fatal(err)
	}
	soundFile(t, filepath.Join(dir, "sounds", "hello.wav"))
	soundFile(t, filepath.Join(dir, "sounds", "de", "hallo.wav"))
	soundFile(t, filepath.Join(dir, "secret.wav"))
	if err := os.Symlink(filepath.Join(dir, "secret.wav"), filepath.Join(dir, "sounds", "link.wav")); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{"file:hello.wav", "file:///hello.wav", "file:de/hallo.wav"} {
		clip, err := p.Open(context.Background(), url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		var f media.Frame
		if !clip.ReadFrame(&f) || media.DBm0(f[:]) < -30 {
			t.Errorf("%s is silent", url)
		}
		if err := clip.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, url := range []string{"file:../secret.wav", "file:///../secret.wav", "file:link.wav", "file:none.wav", "file:", "file:de"} {
		if clip, err := p.Open(context.Background(), url); err == nil {
			clip.Close()
			t.Errorf("%s was opened", url)
		}
	}
}
