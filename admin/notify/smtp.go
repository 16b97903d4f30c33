package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/smtp"
	"net/textproto"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

// A Server is the mail server that e-mails are given to.
type Server struct {
	host, port     string
	user, password string
	from           mail.Address
	implicitTLS    bool
	startTLS       string // always, offered (when the server has it), never
	roots          *x509.CertPool
	hello          string
}

// The bounds of talking to a mail server.
const (
	mailDialTimeout = 10 * time.Second
	mailTimeout     = time.Minute // of one e-mail
)

// ParseServer reads the address of a mail server:
//
//	smtp://user:password@host:587?from=Name <address>   STARTTLS
//	smtps://user:password@host:465?from=address         TLS from the beginning
//
// Parameters: from (the user, when that is an address), starttls (always; offered
// on this machine; never), ca (a file of certificates to trust instead of the
// system's), hello (the name to say, the machine's by default). What is wrong is
// said without the address, which may hold a password.
func ParseServer(address string) (*Server, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" {
		return nil, errors.New("must be a URL such as smtp://user:password@host:587?from=no-reply@example.com")
	}
	s := &Server{host: u.Hostname(), port: u.Port(), user: u.User.Username(), implicitTLS: u.Scheme == "smtps", startTLS: "always"}
	s.password, _ = u.User.Password()
	if local(s.host) {
		s.startTLS = "offered"
	}
	if s.port == "" {
		if s.port = "587"; s.implicitTLS {
			s.port = "465"
		}
	}
	if s.hello, err = os.Hostname(); err != nil || s.hello == "" {
		s.hello = "localhost"
	}
	return s, s.read(u.Query())
}

func (s *Server) read(parameters url.Values) error {
	for name, values := range parameters {
		value := values[len(values)-1]
		switch name {
		case "from":
		case "starttls":
			if !slices.Contains([]string{"always", "offered", "never"}, value) {
				return errors.New("starttls must be always, offered or never")
			}
			s.startTLS = value
		case "ca":
			file, err := os.ReadFile(value)
			if err != nil {
				return fmt.Errorf("cannot read the file of ca: %w", err)
			}
			if s.roots = x509.NewCertPool(); !s.roots.AppendCertsFromPEM(file) {
				return errors.New("the file of ca has no certificate in PEM")
			}
		case "hello":
			s.hello = value
		default:
			return fmt.Errorf("has the parameter %.40q; there are from, starttls, ca and hello", name)
		}
	}
	from := parameters.Get("from")
	if from == "" {
		from = s.user
	}
	sender, err := mail.ParseAddress(from)
	if err != nil {
		return errors.New("must say whom e-mails are from: add ?from=no-reply@example.com")
	}
	s.from = *sender
	return nil
}

// local reports whether a host is this machine.
func local(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// A session is a connection to the mail server. broken is set when it can no
// longer be used.
type session struct {
	*Server
	conn   net.Conn
	client *smtp.Client
	broken bool
}

// open connects, encrypts and signs in.
func (s *Server) open(ctx context.Context) (_ *session, err error) {
	dialer := net.Dialer{Timeout: mailDialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(s.host, s.port))
	if err != nil {
		return nil, fmt.Errorf("the mail server cannot be reached: %w", err)
	}
	defer func() {
		if err != nil {
			_ = conn.Close() // the other error says more
		}
	}()
	deadline := time.Now().Add(mailTimeout)
	if until, bounded := ctx.Deadline(); bounded && until.Before(deadline) {
		deadline = until
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, fmt.Errorf("the mail server's connection: %w", err)
	}
	settings := &tls.Config{ServerName: s.host, RootCAs: s.roots, MinVersion: tls.VersionTLS12}
	if s.implicitTLS {
		conn = tls.Client(conn, settings)
	}
	client, err := smtp.NewClient(conn, s.host)
	if err != nil {
		return nil, fmt.Errorf("the mail server does not answer as one: %w", err)
	}
	if err := client.Hello(s.hello); err != nil {
		return nil, fmt.Errorf("the mail server refuses to talk: %w", err)
	}
	if err := s.encrypt(client, settings); err != nil {
		return nil, err
	}
	if err := s.signIn(client); err != nil {
		return nil, err
	}
	return &session{Server: s, conn: conn, client: client}, nil
}

// Check connects, encrypts and signs in, and sends nothing.
func (s *Server) Check(ctx context.Context) error {
	session, err := s.open(ctx)
	if err == nil {
		session.close()
	}
	return err
}

func (s *Server) encrypt(client *smtp.Client, settings *tls.Config) error {
	if s.implicitTLS || s.startTLS == "never" {
		return nil
	}
	if offered, _ := client.Extension("STARTTLS"); !offered {
		if s.startTLS == "offered" {
			return nil
		}
		return errors.New("the mail server offers no STARTTLS: use smtps://, or starttls=never where the network is trusted")
	}
	if err := client.StartTLS(settings); err != nil {
		return fmt.Errorf("the mail server's certificate or TLS cannot be used: %w", err)
	}
	return nil
}

func (s *Server) signIn(client *smtp.Client) error {
	if s.user == "" {
		return nil
	}
	_, offered := client.Extension("AUTH")
	ways := strings.Fields(strings.ToUpper(offered))
	var way smtp.Auth
	switch {
	case slices.Contains(ways, "PLAIN"):
		way = smtp.PlainAuth("", s.user, s.password, s.host)
	case slices.Contains(ways, "LOGIN"):
		way = loginAuth{s}
	case slices.Contains(ways, "CRAM-MD5"):
		way = smtp.CRAMMD5Auth(s.user, s.password)
	default:
		return errors.New("the mail server offers no way to sign in that is known here (PLAIN, LOGIN, CRAM-MD5): leave user and password out, or use TLS")
	}
	if err := client.Auth(way); err != nil {
		return fmt.Errorf("the mail server refuses user and password: %w", err)
	}
	return nil
}

// loginAuth is AUTH LOGIN, which some servers offer alone.
type loginAuth struct{ *Server }

// Start implements smtp.Auth.
func (l loginAuth) Start(server *smtp.ServerInfo) (string, []byte, error) {
	if !server.TLS && !local(l.host) {
		return "", nil, errors.New("unencrypted connection")
	}
	return "LOGIN", nil, nil
}

// Next implements smtp.Auth.
func (l loginAuth) Next(asked []byte, more bool) ([]byte, error) {
	switch question := strings.ToLower(string(asked)); {
	case !more:
		return nil, nil
	case strings.HasPrefix(question, "user"):
		return []byte(l.user), nil
	case strings.HasPrefix(question, "pass"):
		return []byte(l.password), nil
	}
	return nil, fmt.Errorf("AUTH LOGIN asks %.40q", asked)
}

// send gives the server one e-mail. After a refusal the next one can be sent.
func (c *session) send(ctx context.Context, l *letter, at time.Time) error {
	text, err := l.message(c.from, at)
	if err != nil {
		return err
	}
	if err := c.conn.SetDeadline(time.Now().Add(mailTimeout)); err != nil {
		c.broken = true
		return fmt.Errorf("the mail server's connection: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := c.hand(l, text); err != nil {
		var refused *textproto.Error
		var sender senderError
		c.broken = errors.As(err, &sender) || !errors.As(err, &refused) || refused.Code == 421 || c.client.Reset() != nil
		return err
	}
	return nil
}

// A senderError is a refusal that no e-mail is to blame for: the server is used in
// a way it does not allow.
type senderError struct{ error }

// Unwrap is what the server said.
func (s senderError) Unwrap() error { return s.error }

func (c *session) hand(l *letter, text []byte) error {
	if err := c.client.Mail(c.from.Address); err != nil {
		return fmt.Errorf("the mail server refuses the sender: %w", senderError{err})
	}
	if err := c.client.Rcpt(l.to.Address); err != nil {
		return fmt.Errorf("the mail server refuses the recipient: %w", err)
	}
	into, err := c.client.Data()
	if err != nil {
		return fmt.Errorf("the mail server refuses the e-mail: %w", err)
	}
	if _, err := into.Write(text); err != nil {
		return fmt.Errorf("the mail server broke off: %w", err)
	}
	if err := into.Close(); err != nil {
		return fmt.Errorf("the mail server refuses the e-mail: %w", err)
	}
	return nil
}

func (c *session) close() {
	if c.broken || c.client.Quit() != nil {
		_ = c.client.Close() // it may be closed already
	}
}
