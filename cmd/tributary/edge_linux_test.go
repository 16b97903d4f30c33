package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An edge is a proxy of deploy/ in front of a serving process.
type edge struct {
	t       *testing.T
	address string // where it takes TLS
	http    http.Client
}

// The hosts of deploy/'s examples, and an address of the loopback network that is
// neither the proxy's nor in a network with it.
const (
	linkHost     = "go.example.com"
	adminHost    = "tributary.example.com"
	shopperAt    = "127.7.7.7"
	shoppersNet  = "127.7.7.0/24"
	spoofAddress = "203.0.113.9"
)

// newEdge is a client that comes from the shopper's address, whatever host it asks for.
func newEdge(t *testing.T, address string) *edge {
	e := &edge{t: t, address: address}
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(shopperAt)}}
	e.http = http.Client{Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, address)
		},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the test's own certificates
		// A handshake of its own for each host.
		ForceAttemptHTTP2: true,
	}
	e.http.Transport = transport
	t.Cleanup(transport.CloseIdleConnections)
	return e
}

// get asks for a page of a host through the proxy.
func (e *edge) get(host, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(e.t.Context(), http.MethodGet, "https://"+host+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", phone)
	request.Header.Set("X-Forwarded-For", spoofAddress)
	response, err := e.http.Do(request)
	if err != nil {
		return nil, err
	}
	return response, response.Body.Close()
}

// answers says that a page is answered with a status.
func (e *edge) answers(host, path string, status int) (err error) {
	response, err := e.get(host, path)
	if err == nil && response.StatusCode != status {
		err = fmt.Errorf("https://%s%s: %s, want %d", host, path, response.Status, status)
	}
	return err
}

// TestShoppersComeThroughProxies puts nginx and Caddy, as deploy/ configures them, in
// front of a server, and follows a link: over HTTP/2, with the shopper's own address on
// the click, whatever the shopper says of it, and with nothing of the inside to be had.
func TestShoppersComeThroughProxies(t *testing.T) {
	s := startServe(t, t.TempDir(), "--trusted-proxies", "127.0.0.1", "--base-url", "https://"+linkHost, "--link-domains", "go.creator.example")
	client := s.client()
	link := client.makeLink()
	client.clicked(link, phone)
	for name, start := range map[string]func(*testing.T, *testApp) *edge{"nginx": startNginx, "caddy": startCaddy} {
		t.Run(name, func(t *testing.T) {
			e := start(t, client)
			path := fmt.Sprintf("/%s?utm=x", link["slug"])
			eventually(t, func() error { return e.answers(linkHost, path, http.StatusFound) })
			response, err := e.get(linkHost, path)
			if err != nil {
				t.Fatal(err)
			}
			if response.ProtoMajor != 2 {
				t.Errorf("it came by %s", response.Proto)
			}
			destination, err := url.Parse(response.Header.Get("Location"))
			if err != nil || destination.Host != "shop.example" || response.Header.Get("Cache-Control") != "no-store" {
				t.Fatalf("redirected to %q, %v", destination, response.Header)
			}
			eventually(t, func() error { return client.clickCameFrom(destination.Query().Get("tcid"), shoppersNet) })
			for path, status := range map[string]int{
				"/login": http.StatusOK, "/openapi.json": http.StatusOK, "/v1/campaigns": http.StatusUnauthorized,
				"/metrics": http.StatusNotFound, "/healthz": http.StatusNotFound, "/readyz": http.StatusNotFound, "/domains/allowed?domain=" + linkHost: http.StatusNotFound,
			} {
				if err := e.answers(adminHost, path, status); err != nil {
					t.Error(err)
				}
			}
			// A creator's own domain. Caddy gets it a certificate, and none for a stranger's.
			if err := e.answers("go.creator.example", path, http.StatusFound); err != nil {
				t.Error(err)
			}
			if _, err := e.get("go.stranger.example", path); name == "caddy" && err == nil {
				t.Error("a certificate was made for a host that links do not answer on")
			}
		})
	}
}

// clickCameFrom says that a click is stored with the network it should have.
func (a *testApp) clickCameFrom(click, network string) error {
	request, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, fmt.Sprintf("http://%s/v1/clicks/%s", a.adminListener.Addr(), click), nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+a.key)
	response, err := a.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var stored struct{ Address string }
	if err := json.NewDecoder(response.Body).Decode(&stored); err != nil || response.StatusCode != http.StatusOK {
		return fmt.Errorf("the click is not there yet: %s, %v", response.Status, err)
	}
	if stored.Address != network {
		a.t.Errorf("the click came from %q, want %s", stored.Address, network)
	}
	return nil
}

// startProxy runs a proxy until the test ends.
func startProxy(t *testing.T, dir, tool string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/" + tool); err != nil {
			t.Fatalf("%s is not installed: run 'make test-deps', or 'apt-get install %s'", tool, tool)
		}
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // nginx and Caddy end, with what they started
		ended := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		ended.Stop()
		log.Close()
		if said, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("%s said:\n%s", tool, said)
		}
	})
}

// deployed is a file of deploy/ with what differs on this machine replaced.
func deployed(t *testing.T, file string, replacements ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../../deploy", file))
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	for i := 0; i < len(replacements); i += 2 {
		if !strings.Contains(text, replacements[i]) {
			t.Fatalf("deploy/%s has no %q any more", file, replacements[i])
		}
		text = strings.ReplaceAll(text, replacements[i], replacements[i+1])
	}
	return text
}

// freePorts are loopback addresses nobody listens on.
func freePorts(t *testing.T, n int) (addresses, ports []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		addresses = append(addresses, l.Addr().String())
		_, port, _ := net.SplitHostPort(l.Addr().String())
		ports = append(ports, port)
	}
	return addresses, ports
}

func startNginx(t *testing.T, behind *testApp) *edge {
	dir := t.TempDir()
	// Workers of a master that is root are nobody, and keep bodies here.
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.CommandContext(t.Context(), "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
		"-subj", "/CN="+linkHost, "-keyout", filepath.Join(dir, "key.pem"), "-out", filepath.Join(dir, "fullchain.pem")).CombinedOutput(); err != nil {
		t.Fatalf("make a certificate with openssl ('apt-get install openssl'): %v\n%s", err, said)
	}
	addresses, _ := freePorts(t, 2)
	site := deployed(t, "nginx/tributary.conf",
		"/etc/ssl/"+linkHost+"/", dir+"/", "/etc/ssl/"+adminHost+"/", dir+"/", "listen 80 ", "listen "+addresses[0]+" ", "listen 443 ", "listen "+addresses[1]+" ",
		"server 127.0.0.1:8080", "server "+behind.trackerListener.Addr().String(), "server 127.0.0.1:8081", "server "+behind.adminListener.Addr().String())
	var paths strings.Builder
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&paths, "%s_temp_path %s/%s;\n", kind, dir, kind)
	}
	config := fmt.Sprintf("daemon off;\nmaster_process off;\npid %s/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n%s%s}\n", dir, &paths, site)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	startProxy(t, dir, "nginx", "-p", dir, "-c", file)
	return newEdge(t, addresses[1])
}

func startCaddy(t *testing.T, behind *testApp) *edge {
	dir := t.TempDir()
	addresses, ports := freePorts(t, 3)
	for name, value := range map[string]string{
		"TRIBUTARY_LINK_HOST": linkHost, "TRIBUTARY_ADMIN_HOST": adminHost, "TRIBUTARY_ACME_EMAIL": "ops@example.com",
		"TRIBUTARY_TRACKERS": behind.trackerListener.Addr().String(), "TRIBUTARY_ADMINS": behind.adminListener.Addr().String(),
		"XDG_DATA_HOME": dir, "XDG_CONFIG_HOME": dir,
	} {
		t.Setenv(name, value)
	}
	// An authority of its own instead of one on the internet.
	global := fmt.Sprintf("{\n\tadmin off\n\thttp_port %s\n\thttps_port %s\n\tlocal_certs\n\tskip_install_trust\n\temail", ports[0], ports[1])
	file := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(file, []byte(deployed(t, "caddy/Caddyfile", "{\n\temail", global, "127.0.0.1:8902", addresses[2])), 0o600); err != nil {
		t.Fatal(err)
	}
	startProxy(t, dir, "caddy", "run", "--adapter", "caddyfile", "--config", file)
	return newEdge(t, addresses[1])
}
