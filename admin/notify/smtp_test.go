package notify

import (
	"context"
	"fmt"
	"net/mail"
	"net/url"
	"strings"
	"testing"
	"time"

	"tributary/schema/database"
)

// queue writes e-mails to be sent.
func (b *bench) queue(to ...string) {
	b.Helper()
	err := b.db.Write(b.ctx, func(ctx context.Context, tx *database.Tx) error {
		var notices []notice
		for _, address := range to {
			notices = append(notices, notice{role: "creator", ownerID: "crt_1", once: "to " + address, quiet: true, text: said{"Hello", "A line."}, mailTo: []mail.Address{{Address: address}}})
		}
		return b.service.write(ctx, tx, notices)
	})
	if err != nil {
		b.Fatal(err)
	}
}

func recipients(letters []letterSeen) string {
	var to []string
	for _, l := range letters {
		to = append(to, strings.TrimSuffix(strings.TrimPrefix(l.to, "TO:<"), ">"))
	}
	return strings.Join(to, " ")
}

func TestServerAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"smtp://user:pass@mail.example:587?from=a@b.example": "mail.example:587 always",
		"smtp://user%40b.example:pass@mail.example":          "mail.example:587 always",
		"smtps://mail.example?from=Name+%3Ca@b.example%3E":   "mail.example:465 always",
		"smtp://localhost:25?from=a@b.example":               "localhost:25 offered",
		"smtp://mail:25?from=a@b.example&starttls=never":     "mail:25 never",
	} {
		s, err := ParseServer(address)
		if err != nil || fmt.Sprintf("%s:%s %s", s.host, s.port, s.startTLS) != want {
			t.Errorf("%s is %+v, %v", address, s, err)
		}
	}
	for _, address := range []string{
		"", "mail.example", "http://mail.example?from=a@b.example", "smtp://?from=a@b.example", "smtp://mail.example", "smtp://user@mail.example",
		"smtp://mail.example?from=nobody", "smtp://mail.example?from=a@b.example%0d%0aBcc:c@d.example", "smtp://mail.example?from=a@b.example&starttls=perhaps",
		"smtp://mail.example?from=a@b.example&tls=no", "smtp://mail.example/path?from=a@b.example", "smtp://mail.example?from=a@b.example&ca=/missing",
	} {
		if _, err := ParseServer(address); err == nil || strings.Contains(err.Error(), "mail.example") && !strings.Contains(err.Error(), "no-reply") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestSigningIn(t *testing.T) {
	for name, c := range map[string]struct {
		scheme, parameters string
		change             func(*mailServer)
		want               string // part of the error; empty: it is sent
		signedIn           string
	}{
		"STARTTLS and PLAIN":           {"smtp", "", func(s *mailServer) { s.user = "ann secret" }, "", "PLAIN ann secret"},
		"LOGIN alone":                  {"smtp", "", func(s *mailServer) { s.user, s.auth = "ann secret", "LOGIN" }, "", "LOGIN ann secret"},
		"TLS from the beginning":       {"smtps", "", func(s *mailServer) { s.implicit = true }, "", "PLAIN ann secret"},
		"a wrong password":             {"smtp", "", func(s *mailServer) { s.user = "ann other" }, "refuses user and password", "PLAIN ann secret"},
		"an unknown certificate":       {"smtp", "ca=", nil, "certificate", ""},
		"no STARTTLS though it must":   {"smtp", "starttls=always", func(s *mailServer) { s.noTLS = true }, "offers no STARTTLS", ""},
		"no way to sign in":            {"smtp", "", func(s *mailServer) { s.auth = "GSSAPI" }, "no way to sign in", ""},
		"no TLS, on this machine":      {"smtp", "", func(s *mailServer) { s.noTLS = true }, "", "PLAIN ann secret"},
		"a greeting that is a refusal": {"smtp", "", func(s *mailServer) { s.refuse = func(string) string { return "421 busy" } }, "refuses to talk", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, "")
			server := startMailServer(t, c.change)
			parameters := url.Values{"from": {"no-reply@example.com"}, "ca": {server.ca}}
			if name, value, given := strings.Cut(c.parameters, "="); given {
				if parameters.Set(name, value); value == "" {
					parameters.Del(name)
				}
			}
			b.service = b.newService(c.scheme + "://ann:secret@" + server.address() + "?" + parameters.Encode())
			b.queue("mali@example.com")
			_, err := b.service.MailPass(b.ctx)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if c.want == "" {
				b.equal("taken", recipients(server.letters()), "mali@example.com")
			} else if b.service.o.Mail, err = ParseServer("smtp://" + b.mail.address() + "?from=a@b.example&ca=" + b.mail.ca); err == nil {
				b.mailAll() // it was put back and can be sent at once by a server that works
				b.equal("taken by another", recipients(b.mail.letters()), "mali@example.com")
			}
			if got := strings.Join(server.signedIn, " | "); got != c.signedIn {
				t.Errorf("signed in as %q", got)
			}
		})
	}
}

func TestEmailsAreRetriedAndRefused(t *testing.T) {
	b := newBench(t, "")
	b.mail.refuseWith(func(command string) string {
		switch {
		case strings.HasPrefix(command, "RCPT TO:<later@"):
			return "450 later"
		case strings.HasPrefix(command, "RCPT TO:<gone@"):
			return "550 no such user"
		}
		return ""
	})
	b.queue("a@example.com", "later@example.com", "gone@example.com", "b@example.com")
	b.mailAll()
	b.equal("taken", recipients(b.mail.letters()), "a@example.com b@example.com")
	b.queue("a@example.com", "gone@example.com")
	b.mailAll()
	b.equal("the same again", recipients(b.mail.letters()), "a@example.com b@example.com")
	b.mail.refuseWith(nil)
	b.advance(40 * time.Second)
	b.mailAll()
	b.equal("too early", recipients(b.mail.letters()), "a@example.com b@example.com")
	b.advance(40 * time.Second)
	b.mailAll()
	b.equal("a minute later", recipients(b.mail.letters()), "a@example.com b@example.com later@example.com")

	b.queue("never@example.com")
	b.mail.refuseWith(func(command string) string {
		if strings.HasPrefix(command, "RCPT") {
			return "450 later"
		}
		return ""
	})
	for range 40 {
		b.mailAll()
		b.advance(3 * time.Hour)
	}
	b.mail.refuseWith(nil)
	b.mailAll()
	b.equal("after 3 days", recipients(b.mail.letters()), "a@example.com b@example.com later@example.com")
	if err := b.service.tidy(b.ctx); err != nil {
		t.Fatal(err)
	}
}

func TestAServerThatFailsIsNotHeldAgainstEmails(t *testing.T) {
	b := newBench(t, "")
	b.queue("a@example.com", "b@example.com")
	for _, refusal := range []struct{ command, reply string }{{"MAIL", "530 sign in first"}, {"EHLO", "hang up"}, {"MAIL", "421 busy"}, {".", "hang up"}} {
		b.mail.refuseWith(func(command string) string {
			if strings.HasPrefix(command, refusal.command) {
				return refusal.reply
			}
			return ""
		})
		if _, err := b.service.MailPass(b.ctx); err == nil {
			t.Errorf("%v is no failure", refusal)
		}
		b.advance(time.Hour)
	}
	b.mail.refuseWith(nil)
	b.advance(12 * time.Hour)
	b.mailAll()
	if got := recipients(b.mail.letters()); got != "a@example.com b@example.com" && got != "b@example.com a@example.com" {
		t.Errorf("taken: %s", got)
	}
}

func TestAnEmailIsSentAgainAfterAKill(t *testing.T) {
	b := newBench(t, "")
	b.queue("a@example.com")
	claimed := must(b.service.claim(b.ctx))(t)
	b.mailAll()
	b.equal("while another has it", len(b.mail.letters()), 0)
	b.advance(mailLease)
	b.mailAll()
	b.equal("after the lease", len(b.mail.letters()), 1)
	b.equal("its id", b.mail.letters()[0].message.Header.Get("Message-Id"), "<"+claimed[0].id+"@example.com>")
	if err := b.service.sent(b.ctx, &claimed[0], nil); err != nil {
		t.Fatal(err)
	}
}

// TestNothingWrittenBecomesAHeader tries what people may write into names and
// titles, and addresses that are none.
func TestNothingWrittenBecomesAHeader(t *testing.T) {
	for _, evil := range []string{
		"x\r\nBcc: all@example.com", "x\nBcc: all@example.com", "x\rBcc: all@example.com", "x\r\n\r\n<script>", "=?utf-8?q?x=0d=0aBcc:_all@example.com?=",
		"\x00\x01", strings.Repeat("é", 500), strings.Repeat("x", 2_000), "„\u2028Bcc: all@example.com", `"><b>`, "a@b.example, c@d.example",
	} {
		l := letter{id: "eml_1", to: mail.Address{Name: evil, Address: "mali@example.com"}, subject: evil, plain: evil, html: evil}
		text, err := l.message(mail.Address{Name: "Tributary", Address: "no-reply@example.com"}, time.Unix(1_800_000_000, 0))
		if err != nil {
			t.Fatal(err)
		}
		message, err := mail.ReadMessage(strings.NewReader(string(text)))
		if err != nil {
			t.Fatalf("%q makes no e-mail: %v", evil, err)
		}
		if len(message.Header) != 8 || message.Header.Get("Bcc") != "" {
			t.Errorf("%q makes the headers %v", evil, message.Header)
		}
		if to, err := message.Header.AddressList("To"); err != nil || len(to) != 1 || to[0].Address != "mali@example.com" {
			t.Errorf("%q is sent to %v, %v", evil, to, err)
		}
		for line := range strings.SplitSeq(string(text), "\r\n") {
			if len(line) > 998 || strings.ContainsAny(line, "\r\n") {
				t.Errorf("%.40q makes a line of %d bytes", evil, len(line))
			}
		}
	}
	for _, address := range []string{"", "nobody", "a@b.example\r\nBcc: c@d.example", "a@b.example, c@d.example", "a@b.example c", "<>"} {
		if found := addresses("Name", address); len(found) != 0 {
			t.Errorf("%q is the address %v", address, found)
		}
	}
	if found := addresses("A\r\nB", "a@b.example", "A <a@b.example>", "C <c@d.example>"); len(found) != 2 || found[0].Name != "A B" || found[1].Name != "C" {
		t.Errorf("found %v", found)
	}
}

func TestEmailsGoOutByThemselves(t *testing.T) {
	b := newBench(t, "")
	ctx, stop := context.WithCancel(b.ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); b.service.RunMail(ctx) }()
	b.queue("a@example.com")
	b.service.Kept()
	for deadline := time.Now().Add(20 * time.Second); len(b.mail.letters()) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing was sent")
		}
	}
	stop()
	<-ended
}
