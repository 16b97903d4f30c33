package webhooks

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tributary/attribution"
)

// TestAddresses is the battery of where requests may go.
func TestAddresses(t *testing.T) {
	closed := `
		0.0.0.0 0.0.0.1 0.255.255.255 10.0.0.0 10.0.0.1 10.255.255.255 100.64.0.0 100.64.0.1 100.100.100.200 100.127.255.255
		127.0.0.1 127.0.0.53 127.1.2.3 127.255.255.255 168.63.129.16 169.254.0.1 169.254.169.254 169.254.170.2 169.254.255.255
		172.16.0.0 172.16.0.1 172.20.10.1 172.31.255.255 192.0.0.1 192.0.0.192 192.0.0.170 192.0.2.1 192.88.99.1 192.168.0.0 192.168.1.1
		192.168.255.255 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1 224.0.0.251 239.255.255.255 240.0.0.1 255.255.255.254
		255.255.255.255
		:: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:192.168.0.1 ::ffff:0.0.0.0 ::ffff:100.64.0.1 ::127.0.0.1 ::7f00:1
		64:ff9b::127.0.0.1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b::8.8.8.8 64:ff9b:1::1 100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:2::1
		2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1:: 2002:0a00:0001::1 2002:a9fe:a9fe::1 3fff::1 3fff:fff::1 4000::1 5f00::1 fc00::1 fd00::1 fd00:ec2::254
		fdff:ffff::1 fe80::1 fe80::a9fe:a9fe fe80::1%eth0 febf::1 fec0::1 ff00::1 ff02::1 ff05::2 ffff:ffff::1`
	open := `
		1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.1 93.184.215.14 100.63.255.255 100.128.0.1 126.255.255.255 128.0.0.1 168.63.129.15 169.253.255.255
		169.255.0.1 172.15.255.255 172.32.0.1 192.0.1.1 192.167.255.255 192.169.0.1 198.17.255.255 198.20.0.1 223.255.255.255 ::ffff:8.8.8.8
		2001:200::1 2001:4860:4860::8888 2003::1 2400:cb00::1 2606:4700:4700::1111 2a00:1450:4001::200e 3ffe::1`
	if n := len(strings.Fields(closed)); n < 60 {
		t.Errorf("only %d closed addresses are tried", n)
	}
	for address := range strings.FieldsSeq(closed) {
		at := netip.MustParseAddr(address)
		network := "tcp4"
		if at.Is6() {
			network = "tcp6"
		}
		var refused refusedTarget
		if err := guard(nil, false)(network, netip.AddrPortFrom(at, 443).String(), nil); !errors.As(err, &refused) {
			t.Errorf("%s is open: %v", address, err)
		}
	}
	for address := range strings.FieldsSeq(open) {
		at := netip.MustParseAddr(address)
		if err := guard(nil, false)("tcp6", netip.AddrPortFrom(at, 443).String(), nil); err != nil {
			t.Errorf("%s: %v", address, err)
		}
		if guard(nil, true)("tcp6", netip.AddrPortFrom(at, 80).String(), nil) == nil {
			t.Errorf("%s is open to plain http", address)
		}
	}
	for _, c := range [][2]string{{"udp4", "8.8.8.8:53"}, {"unix", "/tmp/socket"}, {"tcp4", "name:443"}, {"tcp4", ""}} {
		if guard(nil, false)(c[0], c[1], nil) == nil {
			t.Errorf("%v is open", c)
		}
	}
	allowed := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}
	if guard(allowed, true)("tcp4", "10.1.2.3:80", nil) != nil || guard(allowed, false)("tcp4", "10.2.0.1:443", nil) == nil {
		t.Error("a network that is allowed is not the one")
	}
}

func TestURLs(t *testing.T) {
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	for _, c := range []struct {
		url     string
		allowed []netip.Prefix
		good    bool
	}{
		{"https://hooks.example.com/a?b=c", nil, true}, {"https://hooks.example.com:8443/", nil, true}, {"https://[2606:4700:4700::1111]/", nil, true},
		{"http://127.0.0.1:8080/", loopback, true}, {"http://inside.example/", loopback, true},
		{"", nil, false}, {"http://hooks.example.com/", nil, false}, {"ftp://hooks.example.com/", nil, false}, {"gopher://x.example/", loopback, false},
		{"file:///etc/passwd", nil, false}, {"https://", nil, false}, {"https:///path", nil, false}, {"//hooks.example.com", nil, false}, {"hooks.example.com", nil, false},
		{"https://user:password@hooks.example.com/", nil, false}, {"https://hooks.example.com/#x", nil, false}, {"https://hooks.example.com:25/", nil, false},
		{"https://hooks.example.com:99999/", nil, false}, {"https://127.0.0.1/", nil, false}, {"https://[::1]/", nil, false}, {"https://10.0.0.1/", loopback, false},
		{"https://169.254.169.254/latest/meta-data", nil, false}, {"https://[fe80::1%25eth0]/", nil, false}, {"https://hooks.example.com/ x", nil, false},
		{"https://hooks.example.com/\r\nX: y", nil, false}, {"https://hooks.example.com/" + strings.Repeat("a", maxURLBytes), nil, false},
	} {
		var check attribution.Checker
		checkURL(&check, "body.url", c.url, c.allowed)
		if err := check.Err(); (err == nil) != c.good {
			t.Errorf("%.80q: %v", c.url, err)
		}
	}
}

// TestNamesAreJudgedWhenTheyAreConnectedTo has a name server say that a name is
// this machine's, as one does that answered otherwise a moment ago.
func TestNamesAreJudgedWhenTheyAreConnectedTo(t *testing.T) {
	reached := false
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true })}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	client := newClient(nil, false, nameServer(t, netip.MustParseAddr("127.0.0.1")))
	_, err = client.Get("http://rebound.example:" + port + "/")
	var refused refusedTarget
	if !errors.As(err, &refused) || reached {
		t.Errorf("got %v, reached %t", err, reached)
	}
	for _, name := range []string{
		"127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "[::]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::1%25lo]",
		// what some resolvers read as an address, and others ask a name server for
		"2130706433", "0x7f000001", "017700000001", "0x7f.1", "0177.0.0.1", "127.1", "127.0.1", "127.0.0.1.", "0x7f.0.0.0x1", "00000177.1", "0", "localhost.", "LOCALHOST",
		"127.0.0.1.nip.example", "%31%32%37.0.0.1", "①②⑦.⓪.⓪.①", "127。0。0。1", "１２７.0.0.1",
	} {
		if response, err := client.Get("http://" + name + ":" + port + "/"); err == nil {
			_ = response.Body.Close()
			t.Errorf("%s was reached", name)
		}
	}
	if reached {
		t.Error("this machine was reached")
	}
	// A name that was public a moment ago, when the webhook was made or pinged.
	names := &shiftingNames{answers: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("127.0.0.1")}}
	shifting := newClient([]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, true, names.resolver(t))
	shifting.Timeout = 300 * time.Millisecond // nobody is at the first
	for range 3 {
		if response, err := shifting.Get("http://shifting.example:" + port + "/"); err == nil {
			_ = response.Body.Close()
			t.Error("a name that moved was reached")
		}
	}
	if reached || names.asked.Load() < 2 {
		t.Errorf("reached %t, asked %d times", reached, names.asked.Load())
	}
	allowed := newClient([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, true, nameServer(t, netip.MustParseAddr("127.0.0.1")))
	response, err := allowed.Get("http://rebound.example:" + port + "/")
	if err != nil || !reached {
		t.Fatalf("an allowed network is not reached: %v", err)
	}
	_ = response.Body.Close()
}

// nameServer is a resolver for whom every name has one IPv4 address.
func nameServer(t *testing.T, address netip.Addr) *net.Resolver {
	t.Helper()
	return (&shiftingNames{answers: []netip.Addr{address}}).resolver(t)
}

// shiftingNames answers each question for an IPv4 address with the next of a list,
// and then with the last.
type shiftingNames struct {
	answers []netip.Addr
	asked   atomic.Int64
}

func (s *shiftingNames) next() netip.Addr {
	return s.answers[min(int(s.asked.Add(1)), len(s.answers))-1]
}

func (s *shiftingNames) resolver(t *testing.T) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buffer := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			question := buffer[12:n]
			end := strings.IndexByte(string(question), 0) + 5 // name, type, class
			isA := binary.BigEndian.Uint16(question[end-4:]) == 1
			answer := append([]byte{buffer[0], buffer[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question[:end]...)
			if isA {
				answer[7] = 1
				answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
				answer = append(answer, s.next().AsSlice()...)
			}
			_, _ = conn.WriteTo(answer, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}
