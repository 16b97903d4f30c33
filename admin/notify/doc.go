// Package notify tells people what happens: notifications in the product, and
// e-mails where a mail server is given.
//
// It promises that
//   - what is to be told is written in the transaction that passes its event, once
//     for each reader: a crash or a second process repeats none;
//   - an e-mail waits until the mail server has taken it, for 3 days; one that the
//     server refuses for good is not tried again. After a crash between the
//     server's answer and its record it is sent once more, under the same
//     Message-ID;
//   - nothing that people wrote becomes a header or markup of an e-mail;
//   - a password goes to the mail server over TLS only, but for one on this machine;
//   - on the day campaigns start, at 08:00 in its own time zone, each creator that
//     may take part is told once, after a restart too.
//
// Reading order: notice.go (what is told), rules.go with templates (of which
// events, to whom), api.go, starts.go (campaigns that start), mail.go (the queue),
// smtp.go and message.go (the mail server).
package notify
