package storage

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callbox/call"
	"callbox/storage/config"
)

// crashed is the file of a process that died with 400 calls and some of
// everything else on disk.
func crashed(t *testing.T) []byte {
	t.Helper()
	s := open(t, Config{})
	if _, err := s.SaveConfig(ctx, config.Snapshot{Country: "DE"}); err != nil {
		t.Fatal(err)
	}
	for i := range 400 {
		r := record(fmt.Sprintf("CA%03d", i), i)
		r.Parent, r.Idempotency = "CA000", fmt.Sprint(i)
		if err := s.Enqueue(Write{
			Calls:      calls(r),
			Recordings: []call.Recording{{ID: fmt.Sprintf("RE%03d", i), Call: r.ID, Created: r.Created}},
			Notices:    []call.Notice{{Key: r.ID}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.PutBlob(ctx, "ca", []byte("certificate")); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(s.path())
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// put makes data the database of a new folder.
func put(t *testing.T, data []byte) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, fileName), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// An unclean stop alone leads to a check and no repair.
func TestUncleanStop(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Dir: put(t, crashed(t))})
	if _, repaired := s.Repaired(); !s.UncleanStop() || repaired {
		t.Errorf("unclean %v, repaired %v", s.UncleanStop(), repaired)
	}
	if p, err := s.Calls(call.Filter{Limit: 1000}); err != nil || len(p.Records) != 400 {
		t.Errorf("%d calls, %v", len(p.Records), err)
	}
}

// Whatever is broken in the file, the box comes up, says what happened, keeps
// the damaged file, and what it has works.
func TestDamage(t *testing.T) {
	t.Parallel()
	const page = pageSize
	smash := func(at int, with byte) func([]byte) []byte {
		return func(b []byte) []byte {
			for i := at * page; i < (at+1)*page && i < len(b); i++ {
				b[i] = with
			}
			return b
		}
	}
	tests := map[string]func([]byte) []byte{
		"empty":           func([]byte) []byte { return nil },
		"not a database":  func([]byte) []byte { return []byte(strings.Repeat("hello ", 10_000)) },
		"cut in the head": func(b []byte) []byte { return b[:3000] },
		"cut in half":     func(b []byte) []byte { return b[:len(b)/2/page*page] },
		"cut mid-page":    func(b []byte) []byte { return b[:len(b)*2/3+1000] },
		"both metas":      func(b []byte) []byte { return smash(0, 0)(smash(1, 0)(b)) },
		"zeroes at end":   func(b []byte) []byte { clear(b[len(b)*3/4:]); return b },
	}
	for n := 2; n < 60; n += 9 {
		tests[fmt.Sprintf("page %d zero", n)] = smash(n, 0)
		tests[fmt.Sprintf("page %d ones", n)] = smash(n, 0xff)
	}
	whole := crashed(t)
	for name, damage := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, Config{Dir: put(t, damage(append([]byte(nil), whole...)))})
			r, repaired := s.Repaired()
			if repaired {
				if r.String() == "" || r.Damage == "" || r.At.IsZero() {
					t.Errorf("report %+v", r)
				}
				if _, err := os.Stat(r.Kept); err != nil {
					t.Errorf("the damaged file is gone: %v", err)
				}
			}
			works(t, s, r, repaired)
		})
	}
}

// works holds a repaired store to what it says it saved.
func works(t *testing.T, s *Store, r Repair, repaired bool) {
	t.Helper()
	cfg, err := s.LoadConfig()
	if err != nil || (repaired && (cfg.Country == "DE") != r.Config) {
		t.Errorf("configuration %s, %v", cfg.Country, err)
	}
	for i := range 3 {
		if err := s.Commit(ctx, Write{Calls: calls(record(fmt.Sprintf("new%d", i), 1000+i)), Notices: []call.Notice{{Key: "new"}}}); err != nil {
			t.Fatal(err)
		}
	}
	p, err := s.Calls(call.Filter{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if repaired && len(p.Records) != r.Calls+3 {
		t.Errorf("%d calls, it says %d were saved", len(p.Records), r.Calls)
	}
	for _, rec := range p.Records {
		if _, err := s.Call("AC1", rec.ID); err != nil {
			t.Errorf("listed and not found: %v", err)
		}
	}
	n, err := s.PendingNotices(0, 1000)
	if err != nil || (repaired && len(n) != r.Notices+3) {
		t.Errorf("%d notices, it says %d were saved, %v", len(n), r.Notices, err)
	}
	for i := 1; i < len(n); i++ {
		if n[i].ID <= n[i-1].ID {
			t.Errorf("notice %d after %d", n[i].ID, n[i-1].ID)
		}
	}
}

// One bad page costs the records on it and nothing else.
func TestDamageIsLocal(t *testing.T) {
	t.Parallel()
	data := crashed(t)
	// The page that holds the record of CA200.
	at := strings.Index(string(data), `{"id":"CA200"`) / pageSize * pageSize
	for i := at; i < at+16; i++ { // its header
		data[i] = 0xee
	}
	s := open(t, Config{Dir: put(t, data)})
	rep, repaired := s.Repaired()
	if !repaired {
		t.Fatal("the damage is not seen")
	}
	if rep.Calls < 380 || rep.Recordings != 400 || rep.Notices != 400 || !rep.Config || rep.Blobs != 1 {
		t.Errorf("saved %+v", rep)
	}
	if kids, err := s.Calls(call.Filter{Parent: "CA000", Limit: 1000}); err != nil || len(kids.Records) != rep.Calls {
		t.Errorf("%d children, %v", len(kids.Records), err)
	}
	if b, err := s.Blob("ca"); err != nil || string(b) != "certificate" {
		t.Errorf("blob %q, %v", b, err)
	}
}

// calls are copies of records, for a Write.
func calls(list ...call.Record) []*call.Record {
	out := make([]*call.Record, len(list))
	for i, r := range list {
		out[i] = &r
	}
	return out
}
