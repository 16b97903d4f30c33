package engine

import (
	"slices"
	"testing"
)

func TestScanStatement(t *testing.T) {
	for _, test := range []struct {
		query string
		want  statement
	}{
		{"SELECT 1", statement{verb: "select"}},
		{"  -- a comment; with (\n/* another */ (SELECT 1)", statement{verb: "select"}},
		{"SELECT ';', 'it''s \\' ;' ; -- end", statement{verb: "select"}},
		{"SELECT 1; SELECT 2", statement{verb: "select", several: true}},
		{"SELECT a FROM t FORMAT JSON", statement{verb: "select", format: "JSON"}},
		{"SELECT a INTO /**/ OUTFILE 'x'", statement{verb: "select", outfile: true}},
		{"SELECT 'into outfile'", statement{verb: "select"}},
		{"SELECT sum (a), \"file\"('x')", statement{verb: "select", calls: []string{"sum", "file"}}},
		{"SELECT `a\\x62`(1)", statement{verb: "select", calls: []string{`a\x62`}, odd: true}},
		{"SELECT $$;$$", statement{verb: "select", several: true, odd: true}},
		{"SELECT “a”", statement{verb: "select", odd: true}},
		{"SELECT 'ไทย'", statement{verb: "select"}},
		{"INSERT INTO t (a) FORMAT Native", statement{verb: "insert", format: "Native", calls: []string{"t"}}},
		{"INSERT INTO t FORMAT CSV 1;2", statement{verb: "insert", format: "CSV"}},
		{"INSERT INTO t VALUES (1); (2)", statement{verb: "insert"}},
		{"", statement{}},
		{"'unclosed", statement{}},
		{"SELECT `unclosed", statement{verb: "select", odd: true}},
	} {
		got := scanStatement(test.query)
		if got.verb != test.want.verb || got.format != test.want.format || got.several != test.want.several ||
			got.outfile != test.want.outfile || got.odd != test.want.odd || !slices.Equal(got.calls, test.want.calls) {
			t.Errorf("%q\n got %+v\nwant %+v", test.query, got, test.want)
		}
		if got.format != "" && test.query[got.formatEnd-len(got.format):got.formatEnd] != got.format {
			t.Errorf("%q: the format's place is wrong: %+v", test.query, got)
		}
	}
}

// Whatever a client sends, reading it ends and stays within it.
func FuzzScanStatement(f *testing.F) {
	for _, seed := range []string{"SELECT 1", "'\\", "`", "/*", "--", "INSERT INTO t FORMAT", "$$", "\xff;;", "FORMAT FORMAT FORMAT x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		s := scanStatement(query)
		if s.formatAt < 0 || s.formatEnd > len(query) || s.formatAt > s.formatEnd {
			t.Errorf("%q: %+v", query, s)
		}
	})
}

func TestParseException(t *testing.T) {
	for text, want := range map[string]exception{
		"Code: 60. DB::Exception: no table\n": {60, "Code: 60. DB::Exception: no table"},
		"Poco: bad":                           {codeUnknown, "Code: 1002. DB::Exception: Poco: bad"},
		"Code: x. y":                          {codeUnknown, "Code: 1002. DB::Exception: Code: x. y"},
	} {
		if got := parseException(text); *got != want {
			t.Errorf("%q: %+v, want %+v", text, *got, want)
		}
	}
}
