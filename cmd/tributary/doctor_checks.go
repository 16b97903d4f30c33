package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"tributary/redirect/geo"
	"tributary/redirect/verdict"
	"tributary/schema"
	"tributary/schema/engine"
)

// checks are run in this order; the first says whether a process is running.
var checks = []func(context.Context, *examination){
	checkDataDir, checkSecrets, checkSpace, checkDisk, checkClock, checkAddresses, checkDatabase, checkInstallation, checkRedis, checkClickHouse, checkGeoIP, checkCrawlers,
	checkMailServer,
}

func checkDataDir(_ context.Context, x *examination) {
	const subject = "data dir"
	if _, err := os.Stat(x.options.DataDir); errors.Is(err, fs.ErrNotExist) {
		x.found(fine, subject, "", "%s is not there yet; the first start makes it", x.options.DataDir)
		return
	}
	dir, err := openDataDir(x.options.DataDir)
	var busy *inUseError
	switch {
	case errors.As(err, &busy):
		x.running = true
		x.found(fine, subject, "", "%s is served by process %s", x.options.DataDir, busy.process)
	case err != nil:
		x.found(failing, subject, "give this user the right to write there, or name another directory with --data", "%v", err)
	default:
		dir.Close()
		x.found(fine, subject, "", "%s can be written; no process serves it", x.options.DataDir)
	}
}

func checkSecrets(_ context.Context, x *examination) {
	const subject = "secrets"
	path := x.options.secretsPath()
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		stored, _ := filepath.Glob(filepath.Join(x.options.DataDir, "*.db"))
		switch {
		case x.options.Secrets != "":
			x.found(failing, subject, "copy the file from another node; for a new installation, 'tributary key make-secrets "+path+"'", "%s is not there", path)
			return
		case len(stored) > 0:
			x.found(failing, subject, "restore "+path+" from your backup", "the data directory holds data but not its secrets")
			return
		}
		x.found(fine, subject, "", "none yet; the first start makes them")
	case err != nil:
		x.found(failing, subject, "make it readable for this user", "%v", err)
	case info.Mode().Perm()&0o077 != 0:
		x.found(warning, subject, "chmod 600 "+path, "%s can be read by others (mode %04o)", path, info.Mode().Perm())
	default:
		x.found(fine, subject, "", "%s, for its owner alone; keep a copy of it with your backups", path)
	}
}

// The free space below which the doctor speaks up. A spool may need gigabytes
// while ClickHouse is down.
const (
	littleSpace = 10 << 30
	noSpace     = 1 << 30
)

func checkSpace(_ context.Context, x *examination) {
	const subject = "disk space"
	var disk unix.Statfs_t
	if err := unix.Statfs(existing(x.options.DataDir), &disk); err != nil {
		x.found(warning, subject, "", "cannot be asked for: %v", err)
		return
	}
	free := uint64(disk.Bavail) * uint64(disk.Bsize)
	const do = "free or add space: a full disk refuses conversions, and clicks go unrecorded"
	switch text := fmt.Sprintf("%.1f GB free where the data directory is", float64(free)/1e9); {
	case free < noSpace:
		x.found(failing, subject, do, "%s", text)
	case free < littleSpace:
		x.found(warning, subject, do, "%s", text)
	default:
		x.found(fine, subject, "", "%s", text)
	}
}

// existing is the nearest directory above path that is there.
func existing(path string) string {
	for {
		if _, err := os.Stat(path); err == nil || path == filepath.Dir(path) {
			return path
		}
		path = filepath.Dir(path)
	}
}

const (
	fsyncSamples = 20
	slowFsync    = 20 * time.Millisecond
)

func checkDisk(_ context.Context, x *examination) {
	const subject = "disk speed"
	took, err := timeFsyncs(existing(x.options.DataDir))
	if err != nil {
		x.found(failing, subject, "check the file system's mount and health", "cannot write and fsync: %v", err)
		return
	}
	slices.Sort(took)
	text := fmt.Sprintf("fsync takes %s, at worst %s (of %d)", took[len(took)/2].Round(10*time.Microsecond), took[len(took)-1].Round(10*time.Microsecond), len(took))
	if took[len(took)/2] > slowFsync {
		x.found(warning, subject, "conversions wait for two of them; use a local SSD, and keep --click-fsync above 0", "%s", text)
		return
	}
	x.found(fine, subject, "", "%s", text)
}

func timeFsyncs(dir string) ([]time.Duration, error) {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	took := make([]time.Duration, fsyncSamples)
	block := make([]byte, 4096)
	for i := range took {
		if _, err := f.Write(block); err != nil {
			return nil, err
		}
		began := time.Now()
		if err := f.Sync(); err != nil {
			return nil, err
		}
		took[i] = time.Since(began)
	}
	return took, nil
}

func checkClock(_ context.Context, x *examination) {
	const subject = "clock"
	synchronized, known := clockSynchronized()
	text := x.now.UTC().Format(time.RFC3339)
	switch {
	case !known:
		x.found(fine, subject, "", "%s; this system does not say whether it is synchronized", text)
	case !synchronized:
		x.found(warning, subject, "run chrony, systemd-timesyncd or ntpd: click windows, schedules and signatures follow the clock", "%s, not synchronized according to the kernel", text)
	default:
		x.found(fine, subject, "", "%s, synchronized", text)
	}
}

func checkAddresses(_ context.Context, x *examination) {
	if x.running {
		return
	}
	for _, a := range []struct{ flag, address string }{{"tracker-addr", x.options.TrackerAddr}, {"admin-addr", x.options.AdminAddr}} {
		listener, err := listen(a.flag, a.address)
		if err != nil {
			x.found(failing, "addresses", "", "%v", err)
			continue
		}
		listener.Close()
		x.found(fine, "addresses", "", "--%s %s is free", a.flag, a.address)
	}
}

func checkClickHouse(ctx context.Context, x *examination) {
	const subject = "clickhouse"
	if x.options.ClickHouse == "" {
		library, err := engine.FindLibrary(x.options.EngineLibrary)
		if err != nil {
			first, _, _ := strings.Cut(err.Error(), "\n")
			x.found(failing, subject, "make deps, or --clickhouse DSN", "%s", first)
			return
		}
		x.found(fine, subject, "", "embedded, with %s", library)
		return
	}
	conn, err := schema.OpenClickHouse(x.options.clickHouseServer())
	if err != nil {
		x.found(failing, subject, "correct --clickhouse", "%v", err)
		return
	}
	defer conn.Close()
	var theirs time.Time
	if err := conn.QueryRow(ctx, "SELECT now64(3, 'UTC')").Scan(&theirs); err != nil {
		x.found(failing, subject, "start it or correct --clickhouse; clicks wait in the spool until then", "%s does not answer: %v", x.options.ClickHouse, err)
		return
	}
	if apart := time.Since(theirs).Abs(); apart > 5*time.Second {
		x.found(warning, subject, "synchronize both clocks", "%s answers; its clock is %s apart from this machine's", x.options.ClickHouse, apart.Round(time.Second))
		return
	}
	x.found(fine, subject, "", "%s answers", x.options.ClickHouse)
}

// staleGeoIP is how old a database may be: MaxMind and others publish weekly to
// monthly.
const staleGeoIP = 60 * 24 * time.Hour

func checkGeoIP(_ context.Context, x *examination) {
	const subject = "geoip"
	if len(x.options.GeoIP) == 0 {
		x.found(warning, subject, "--geoip FILE with a MaxMind-format country or city database; an ASN one finds data centres", "no database: clicks carry no country, and rules for countries never match")
		return
	}
	databases, err := geo.Open(x.options.GeoIP)
	if err != nil {
		x.found(failing, subject, "", "%v", err)
		return
	}
	built := databases.BuildTimes()
	for _, path := range slices.Sorted(maps.Keys(built)) {
		age := x.now.Sub(built[path])
		if age > staleGeoIP {
			x.found(warning, subject, "replace the file; the running process takes the new one up", "%s is %.0f days old", path, age.Hours()/24)
			continue
		}
		x.found(fine, subject, "", "%s is %.0f days old", path, age.Hours()/24)
	}
}

func checkCrawlers(_ context.Context, x *examination) {
	rules, err := verdict.Load(x.options.Crawlers)
	if err != nil {
		x.found(failing, "crawlers", "", "%v", err)
		return
	}
	x.found(fine, "crawlers", "", "verdict rules, version %d", rules.Version())
}
