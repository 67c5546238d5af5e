package fsk

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callbox/media/wav"
)

// modem runs minimodem, which the tests need (scripts/setup.sh test). It has time
// for a few seconds of sound only.
func modem(t *testing.T, args ...string) (string, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "minimodem", args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if strings.Contains(strings.Join(args, " "), "--tx") {
		cmd.Stdin = strings.NewReader(string(Message{Number: "5550123", Name: "Bob", When: may}.Encode(Multiple)))
	}
	if err := cmd.Run(); err != nil {
		t.Fatalf("minimodem %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return out.String(), errs.String()
}

// TestMinimodemReads has minimodem read what the box sends, with its own decoder of
// caller id and as plain bytes of V.23.
func TestMinimodemReads(t *testing.T) {
	t.Parallel()
	m := Message{Number: "4155550100", Name: "Biloxi Office", When: may}
	file := filepath.Join(t.TempDir(), "cid.wav")
	save := func(std Standard, f Form) {
		s := append(make([]int16, 4000), sound(t, std, Seizure, Mark, m.Encode(f), Level)...)
		writeWAV(t, file, append(s, make([]int16, 4000)...))
	}
	for _, f := range []Form{Multiple, Single} {
		save(Bell202, f)
		out, _ := modem(t, "--rx", "--file", file, "callerid")
		for _, want := range []string{"05/17 09:41", "4155550100", "Biloxi Office"} {
			if !strings.Contains(strings.ReplaceAll(out, "415-555-0100", "4155550100"), want) && (f == Multiple || want != "Biloxi Office") {
				t.Errorf("form %d: minimodem shows no %q:\n%s", f, want, out)
			}
		}
	}
	save(V23, ETSI)
	out, _ := modem(t, "--rx", "--file", file, "--mark", "1300", "--space", "2100", "1200")
	if !strings.Contains(out, "4155550100") || !strings.Contains(out, "Biloxi Office") {
		t.Errorf("V.23: minimodem reads %q", out)
	}
}

// TestReadsMinimodem reads what minimodem sends, in both standards.
func TestReadsMinimodem(t *testing.T) {
	t.Parallel()
	want := Message{Number: "5550123", Name: "Bob", When: may}.Encode(Multiple)
	for _, std := range []Standard{Bell202, V23} {
		file := filepath.Join(t.TempDir(), "sent.wav")
		hz := map[Standard][2]string{Bell202: {"1200", "2200"}, V23: {"1300", "2100"}}[std]
		// At 8,000 Hz it would round its bits to whole samples.
		modem(t, "--tx", "--file", file, "--samplerate", "24000", "--volume", "0.2", "--mark", hz[0], "--space", hz[1], "--startbits", "1", "--stopbits", "1.0", "1200")
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := wav.Decode(bytes.NewReader(b), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		got, errs := receive(withMark(t, std, s))
		if len(got) != 1 || !bytes.Equal(got[0], want) || errs != 0 {
			t.Errorf("%v: %d messages, %d broken: % x, want % x", std, len(got), errs, got, want)
		}
	}
}

// withMark puts a leader of mark before a sound: minimodem sends two bits of it.
func withMark(t *testing.T, std Standard, s []int16) []int16 {
	lead := sound(t, std, 0, Mark, nil, Level)
	for len(lead) > 0 && lead[len(lead)-1] == 0 {
		lead = lead[:len(lead)-1]
	}
	for len(s) > 0 && s[0] == 0 {
		s = s[1:]
	}
	return append(lead, s...)
}

func writeWAV(t *testing.T, path string, s []int16) {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("RIFF")
	head := []any{uint32(36 + 2*len(s)), []byte("WAVEfmt "), uint32(16), uint16(1), uint16(1), uint32(8000), uint32(16000), uint16(2), uint16(16), []byte("data"), uint32(2 * len(s)), s}
	for _, v := range head {
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}
