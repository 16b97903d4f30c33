package notify

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/mail"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A mailServer is a small mail server on a real socket: it speaks SMTP, STARTTLS
// and AUTH, and can be told to refuse.
type mailServer struct {
	t        *testing.T
	listener net.Listener
	settings *tls.Config
	ca       string // file
	implicit bool   // TLS from the beginning
	noTLS    bool   // offers no STARTTLS
	auth     string // the ways it offers
	user     string // "user password" it takes; empty: anybody

	mu       sync.Mutex
	refuse   func(command string) string // a reply instead of the usual one
	received []letterSeen
	signedIn []string
}

type letterSeen struct {
	from, to string
	tls      bool
	message  *mail.Message
	body     string
}

func startMailServer(t *testing.T, change func(*mailServer)) *mailServer {
	t.Helper()
	s := &mailServer{t: t, auth: "PLAIN LOGIN"}
	s.certify()
	if change != nil {
		change(s)
	}
	s.listener = must(net.Listen("tcp", "127.0.0.1:0"))(t)
	t.Cleanup(func() { _ = s.listener.Close() })
	go func() {
		for {
			conn, err := s.listener.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return s
}

// certify makes a certificate for this machine.
func (s *mailServer) certify() {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(s.t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))(s.t)
	s.settings = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	s.ca = filepath.Join(s.t.TempDir(), "ca.pem")
	if err := os.WriteFile(s.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *mailServer) address() string { return s.listener.Addr().String() }

func (s *mailServer) letters() []letterSeen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]letterSeen(nil), s.received...)
}

func (s *mailServer) refuseWith(refuse func(command string) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = refuse
}

func (s *mailServer) reply(command string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse == nil {
		return ""
	}
	return s.refuse(command)
}

func (s *mailServer) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	encrypted := s.implicit
	if encrypted {
		conn = tls.Server(conn, s.settings)
	}
	text := textproto.NewConn(conn)
	_ = text.PrintfLine("220 mail.test ESMTP")
	var seen letterSeen
	for {
		line, err := text.ReadLine()
		if err != nil {
			return
		}
		verb, rest, _ := strings.Cut(line, " ")
		switch refused := s.reply(line); {
		case refused == "hang up":
			return
		case refused != "":
			_ = text.PrintfLine("%s", refused)
			continue
		}
		switch strings.ToUpper(verb) {
		case "EHLO":
			_ = text.PrintfLine("250-mail.test")
			if !encrypted && !s.noTLS {
				_ = text.PrintfLine("250-STARTTLS")
			}
			if s.auth != "" {
				_ = text.PrintfLine("250-AUTH %s", s.auth)
			}
			_ = text.PrintfLine("250 8BITMIME")
		case "STARTTLS":
			_ = text.PrintfLine("220 go")
			conn, encrypted = tls.Server(conn, s.settings), true
			text = textproto.NewConn(conn)
		case "AUTH":
			if !s.signIn(text, rest) {
				_ = text.PrintfLine("535 no")
				continue
			}
			_ = text.PrintfLine("235 welcome")
		case "MAIL":
			seen = letterSeen{from: rest, tls: encrypted}
			_ = text.PrintfLine("250 ok")
		case "RCPT":
			seen.to = rest
			_ = text.PrintfLine("250 ok")
		case "DATA":
			_ = text.PrintfLine("354 go")
			body, err := text.ReadDotBytes()
			if err != nil {
				return
			}
			message, err := mail.ReadMessage(strings.NewReader(string(body)))
			if err != nil {
				s.t.Errorf("what came is no e-mail: %v\n%s", err, body)
				return
			}
			content, err := io.ReadAll(message.Body)
			if err != nil {
				s.t.Error(err)
			}
			seen.message, seen.body = message, string(content)
			if refused := s.reply("."); refused == "hang up" {
				return
			} else if refused != "" {
				_ = text.PrintfLine("%s", refused)
				continue
			}
			s.mu.Lock()
			s.received = append(s.received, seen)
			s.mu.Unlock()
			_ = text.PrintfLine("250 taken")
		case "RSET", "NOOP":
			_ = text.PrintfLine("250 ok")
		case "QUIT":
			_ = text.PrintfLine("221 bye")
			return
		default:
			_ = text.PrintfLine("500 what?")
		}
	}
}

// signIn takes AUTH PLAIN and AUTH LOGIN.
func (s *mailServer) signIn(text *textproto.Conn, rest string) bool {
	way, first, _ := strings.Cut(rest, " ")
	decoded := func(text string) string {
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			s.t.Error(err)
		}
		return string(raw)
	}
	ask := func(question string) string {
		_ = text.PrintfLine("334 %s", base64.StdEncoding.EncodeToString([]byte(question)))
		line, _ := text.ReadLine()
		return decoded(line)
	}
	var given string
	if way == "PLAIN" {
		parts := strings.Split(decoded(first), "\x00")
		given = parts[1] + " " + parts[2]
	} else {
		given = ask("Username:") + " " + ask("Password:")
	}
	s.mu.Lock()
	s.signedIn = append(s.signedIn, way+" "+given)
	s.mu.Unlock()
	return s.user == "" || given == s.user
}
