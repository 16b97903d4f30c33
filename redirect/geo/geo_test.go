package geo

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// countryDatabase is a real one, installed by `make deps`.
const countryDatabase = "../../node_modules/@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb"

func writeDatabase(t *testing.T, path string, networks map[string]mmdbtype.Map) {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "test", RecordSize: 24})
	if err != nil {
		t.Fatal(err)
	}
	for cidr, record := range networks {
		_, network, err := net.ParseCIDR(cidr)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Insert(network, record); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := tree.WriteTo(file); err != nil {
		t.Fatal(err)
	}
}

func TestRealCountryDatabase(t *testing.T) {
	db, err := Open([]string{countryDatabase})
	if err != nil {
		t.Fatalf("%v (run `make deps`)", err)
	}
	for addr, want := range map[string]string{
		"8.8.8.8": "US", "133.11.0.1": "JP", "2a00:1450:4001::1": "IE", "127.0.0.1": "", "203.150.1.1": "TH", "::1": "",
	} {
		if got := db.Lookup(netip.MustParseAddr(addr)).Country; got != want {
			t.Errorf("%s is in %q, want %q", addr, got, want)
		}
	}
	for path, built := range db.BuildTimes() {
		if built.Before(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("%s was built at %v", path, built)
		}
	}
}

func TestSeveralDatabasesAnswerTogether(t *testing.T) {
	dir := t.TempDir()
	city, asn := filepath.Join(dir, "city.mmdb"), filepath.Join(dir, "asn.mmdb")
	writeDatabase(t, city, map[string]mmdbtype.Map{"81.2.69.0/24": {
		"country":      mmdbtype.Map{"iso_code": mmdbtype.String("GB")},
		"city":         mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String("London")}},
		"subdivisions": mmdbtype.Slice{mmdbtype.Map{"iso_code": mmdbtype.String("ENG")}},
	}})
	writeDatabase(t, asn, map[string]mmdbtype.Map{"81.2.0.0/16": {
		"autonomous_system_number":       mmdbtype.Uint32(20712),
		"autonomous_system_organization": mmdbtype.String("Andrews & Arnold Ltd"),
	}})
	db, err := Open([]string{city, asn})
	if err != nil {
		t.Fatal(err)
	}
	want := Place{Country: "GB", Region: "ENG", City: "London", ASN: 20712, ASOrg: "Andrews & Arnold Ltd"}
	if got := db.Lookup(netip.MustParseAddr("81.2.69.142")); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := db.Lookup(netip.MustParseAddr("81.2.1.1")); got != (Place{ASN: 20712, ASOrg: want.ASOrg}) {
		t.Errorf("an address only one database knows: %+v", got)
	}
}

func TestReloadTakesUpAReplacedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "country.mmdb")
	country := func(code string) map[string]mmdbtype.Map {
		return map[string]mmdbtype.Map{"81.2.69.0/24": {"country_code": mmdbtype.String(code)}}
	}
	writeDatabase(t, path, country("GB"))
	db, err := Open([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddr("81.2.69.1")
	if changed, err := db.Reload(); changed || err != nil {
		t.Errorf("reload of an unchanged file: %v, %v", changed, err)
	}
	replacement := path + ".new"
	writeDatabase(t, replacement, country("FR"))
	if err := os.Chtimes(replacement, time.Now(), time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(replacement, path); err != nil {
		t.Fatal(err)
	}
	if changed, err := db.Reload(); !changed || err != nil {
		t.Fatalf("reload of a replaced file: %v, %v", changed, err)
	}
	if got := db.Lookup(addr).Country; got != "FR" {
		t.Errorf("after reload the country is %q, want FR", got)
	}
	if err := os.WriteFile(path, []byte("not a database"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Reload(); err == nil {
		t.Error("a broken database was taken up")
	}
	if got := db.Lookup(addr).Country; got != "FR" {
		t.Errorf("after a failed reload the country is %q, want FR", got)
	}
}

// TestOtherDatabasesTakeThePlaceOfThoseInUse: they are read first and used then, or
// not at all; one that stays is not read again.
func TestOtherDatabasesTakeThePlaceOfThoseInUse(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, code := range []string{"GB", "FR"} {
		writeDatabase(t, path(code), map[string]mmdbtype.Map{"81.2.69.0/24": {"country_code": mmdbtype.String(code)}})
	}
	if err := os.WriteFile(path("broken"), []byte("not a database"), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	country := func() string { return db.Lookup(netip.MustParseAddr("81.2.69.1")).Country }
	use := func(names ...string) (changed bool) {
		t.Helper()
		var paths []string
		for _, name := range names {
			paths = append(paths, path(name))
		}
		set, err := db.Read(paths)
		if err != nil {
			t.Fatal(err)
		}
		before := country()
		changed = db.Use(set)
		if !changed && country() != before {
			t.Errorf("%v: nothing changed, and the country did", names)
		}
		return changed
	}
	if use() || country() != "" {
		t.Error("no database knows something")
	}
	if !use("GB") || country() != "GB" || use("GB") {
		t.Errorf("the country is %q, want GB", country())
	}
	before := (*db.opened.Load())[0]
	if !use("FR", "GB") || country() != "FR" || (*db.opened.Load())[1] != before {
		t.Errorf("the country is %q, want FR, and GB not read again", country())
	}
	_, err = db.Read([]string{path("broken"), path("GB"), path("missing")})
	if err == nil || !strings.Contains(err.Error(), path("broken")) || !strings.Contains(err.Error(), path("missing")) {
		t.Errorf("got %v, want both that cannot be used", err)
	}
	if changed, err := db.Reload(); changed || err != nil || country() != "FR" {
		t.Errorf("after a read that failed: %t, %v, %q", changed, err, country())
	}
	if !use() || country() != "" {
		t.Error("databases that were taken away are asked")
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	db, err := Open([]string{countryDatabase})
	if err != nil {
		t.Fatalf("%v (run `make deps`)", err)
	}
	addr := netip.MustParseAddr("8.8.8.8")
	db.Lookup(addr)
	if n := testing.AllocsPerRun(100, func() { db.Lookup(addr) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func BenchmarkLookup(b *testing.B) {
	db, err := Open([]string{countryDatabase})
	if err != nil {
		b.Fatalf("%v (run `make deps`)", err)
	}
	for i := uint32(0); b.Loop(); i += 7919 * 256 {
		db.Lookup(netip.AddrFrom4([4]byte{byte(i>>24)%200 + 11, byte(i >> 16), byte(i >> 8), 1}))
	}
}
