package spool

import (
	"path/filepath"
	"testing"
)

// TestConfirmSparesTheOtherSlot: while a value that may not be on disk is confirmed, the one before it, which may be
// the last that is, is not touched.
func TestConfirmSparesTheOtherSlot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "value")
	system := operatingSystem{openDisk()}
	t.Cleanup(func() { system.Close() })
	reopen := func() (*slotFile, string) {
		s, value, err := openSlots(system, path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.close() })
		return s, string(value)
	}
	s, _ := reopen()
	for _, value := range []string{"first", "second"} {
		if err := s.save([]byte(value), true); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // however often the process was started
		s, value := reopen()
		if value != "second" {
			t.Fatalf("the newest value is %q", value)
		}
		if err := s.confirm([]byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	s, _ = reopen()
	newest := int64(s.generation%2) * slotBytes
	if err := writeFull(s.f, make([]byte, slotHeaderBytes), newest); err != nil { // torn
		t.Fatal(err)
	}
	if s, value := reopen(); value != "first" {
		t.Errorf("without the newest slot the value is %q", value)
	} else if err := s.save([]byte("third"), true); err != nil {
		t.Fatal(err)
	}
	if _, value := reopen(); value != "third" {
		t.Errorf("the value is %q after another was saved", value)
	}
}
