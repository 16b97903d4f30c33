package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tributary/attribution"
)

// countryDatabase is a real one, installed by `make deps`.
const countryDatabase = "../../node_modules/@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb"

// A reloadWorld is a process whose configuration file changes.
type reloadWorld struct {
	*served
	client    *testApp
	dir, file string
	link      map[string]any
	read      int // bytes of the log before the last reload
}

func newReloadWorld(t *testing.T) *reloadWorld {
	w := &reloadWorld{dir: t.TempDir(), file: filepath.Join(t.TempDir(), "tributary.yml")}
	w.write(t, "log-level: info\n")
	w.served = startServe(t, w.dir, "--config", w.file)
	w.client = w.served.client()
	w.link = w.client.makeLink()
	w.client.call(http.MethodPatch, "/v1/links/"+w.link["id"].(string), map[string]any{"destination": "https://shop.example/?from=~{country}"}, http.StatusOK)
	eventually(t, func() error { return w.comesFrom("8.8.8.8", "") })
	return w
}

func (w *reloadWorld) write(t *testing.T, lines ...string) {
	t.Helper()
	if err := os.WriteFile(w.file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
}

// reload has the process read these lines, and waits until it says so.
func (w *reloadWorld) reload(says []string, lines ...string) {
	w.t.Helper()
	w.write(w.t, lines...)
	w.read = len(w.err.String())
	w.signal(syscall.SIGHUP)
	eventually(w.t, func() error {
		for _, text := range says {
			if log := w.err.String()[w.read:]; !strings.Contains(log, text) {
				return fmt.Errorf("%q is not logged:\n%s", text, log)
			}
		}
		return nil
	})
}

// clickFrom clicks as a proxy on this machine says somebody does.
func (w *reloadWorld) clickFrom(address string) (*url.URL, error) {
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, fmt.Sprintf("http://%s/%s", w.client.trackerListener.Addr(), w.link["slug"]), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", phone)
	request.Header.Set("X-Forwarded-For", address)
	answer, err := w.client.http.Do(request)
	if err != nil {
		return nil, err
	}
	_ = answer.Body.Close()
	return url.Parse(answer.Header.Get("Location"))
}

func (w *reloadWorld) comesFrom(address, country string) error {
	location, err := w.clickFrom(address)
	if err == nil && location.Query().Get("from") != "~"+country {
		err = fmt.Errorf("a click from %s leads to %s, want country %q", address, location, country)
	}
	return err
}

// aboveRate counts the clicks of one network that are above the rate.
func (w *reloadWorld) aboveRate(clicks int) (above int) {
	w.t.Helper()
	s, err := readSecrets(filepath.Join(w.dir, secretsFile))
	if err != nil {
		w.t.Fatal(err)
	}
	keys, err := s.clickKeyring()
	if err != nil {
		w.t.Fatal(err)
	}
	for range clicks {
		location, err := w.clickFrom("133.11.0.1")
		if err != nil {
			w.t.Fatal(err)
		}
		token, err := keys.OpenClickID(location.Query().Get("tcid"))
		if err != nil {
			w.t.Fatal(err)
		}
		if token.Verdict == attribution.RateAbove {
			above++
		}
	}
	return above
}

// securely reports whether somebody who signs in through a proxy with TLS on this
// machine gets cookies for TLS alone.
func (w *reloadWorld) securely() bool {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, "http://"+w.client.adminListener.Addr().String()+"/login", strings.NewReader("key="+adminKeyOfTests))
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("X-Forwarded-Proto", "https")
	answer, err := w.client.http.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = answer.Body.Close()
	if len(answer.Cookies()) == 0 {
		w.t.Fatalf("signing in: %s", answer.Status)
	}
	return answer.Cookies()[0].Secure
}

// TestHangupPutsLiveSettingsInForce changes the file of a process that serves: what
// is live is in force, what is not is named, and a file with anything wrong in it
// changes nothing.
func TestHangupPutsLiveSettingsInForce(t *testing.T) {
	t.Parallel()
	w := newReloadWorld(t)
	if w.aboveRate(6) != 0 || w.securely() {
		t.Error("whatever a client says of itself counts")
	}
	database, err := filepath.Abs(countryDatabase)
	if err != nil {
		t.Fatal(err)
	}
	live := []string{"geoip: [" + database + "]", "trusted-proxies: [127.0.0.0/8]", "rate-limit: 2/h"}
	w.reload([]string{`changed="[geoip trusted-proxies rate-limit]"`, `restart" settings=[click-fsync]`}, append(live, "click-fsync: 30ms")...)
	inForce := func() {
		t.Helper()
		if err := w.comesFrom("8.8.8.8", "US"); err != nil {
			t.Error(err)
		}
		if above := w.aboveRate(6); above < 2 { // its hour may end just now
			t.Errorf("of 6 clicks where an hour may have 2, %d are above the rate", above)
		}
		if !w.securely() {
			t.Error("a proxy that is trusted now is not believed")
		}
	}
	inForce()

	broken := filepath.Join(t.TempDir(), "broken")
	if err := os.WriteFile(broken, []byte("neither a database nor a list"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.reload([]string{"rate-limit", "must be hits in", "log-level", "must be debug", "did you mean trusted-proxies"}, "rate-limit: often", "log-level: loud", "trustedproxies: []")
	inForce()
	w.reload([]string{"GeoIP database " + broken, "crawler"}, "geoip: ["+broken+"]", "crawlers: "+broken)
	inForce()
	if err := w.logs("nothing changed"); err != nil {
		t.Error(err)
	}

	w.reload([]string{`changed="[geoip trusted-proxies rate-limit log-level]"`}, "log-level: debug")
	if err := errors.Join(w.comesFrom("8.8.8.8", "")); err != nil {
		t.Error(err)
	}
	if w.aboveRate(6) != 0 || w.securely() {
		t.Error("a proxy that is not trusted any more is believed")
	}
}

// TestReloadChangesTheRetention, which ClickHouse holds.
func TestReloadChangesTheRetention(t *testing.T) {
	t.Parallel()
	a := startTestApp(t, testOptions(t, t.TempDir()))
	kept := func(want string) {
		t.Helper()
		eventually(t, func() error {
			var table string
			err := a.clickhouse.QueryRow(context.Background(), "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = 'clicks'").Scan(&table)
			if err == nil && strings.Contains(table, "TTL") != (want != "") || !strings.Contains(table, want) {
				err = fmt.Errorf("want a retention of %q: %s", want, table)
			}
			return err
		})
	}
	kept("toIntervalMonth(25)")
	for retention, want := range map[string]string{"clicks=3 months": "toIntervalMonth(3)", "clicks=forever": ""} {
		a.reload(terminal{Args: []string{"serve", "--retention", retention}, Out: testLog{t}, Err: testLog{t}}, new(slog.LevelVar))
		kept(want)
	}
}
