package notify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/mail"
	"net/textproto"
	"time"

	"tributary/admin"
	"tributary/background"
	"tributary/schema/database"
)

const prefixMail = "eml_"

// mailDelays are the waits after an e-mail's first, second, … failed attempt; the
// last one repeats until mailFor is over. Each is varied by a fifth.
var mailDelays = [...]time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour}

// The bounds of sending.
const (
	mailFor      = 72 * time.Hour // an e-mail is tried
	mailBatch    = 20             // e-mails of one connection
	mailPoll     = 2 * time.Second
	mailLease    = 10 * time.Minute // a claimed e-mail belongs to who claimed it
	maxMailPause = 5 * time.Minute  // between attempts to reach a server that fails
	maxMailError = 500              // bytes
	tidyInterval = time.Minute
	forgetBatch  = 1_000

	keepMails         = 7 * 24 * time.Hour
	keepNotifications = 180 * 24 * time.Hour
)

// post queues the e-mail of a notice.
func (s *Service) post(ctx context.Context, tx *database.Tx, n *notice, to mail.Address) error {
	page, err := s.templates.html(n.text)
	if err != nil {
		return err
	}
	number, err := take(ctx, tx, "mail", 1)
	if err != nil {
		return err
	}
	now := s.o.Now()
	_, err = tx.Exec(ctx, "mail.insert", number, admin.NewID(prefixMail, now), n.role+" "+n.ownerID+" "+to.Address+" "+n.once, to.Name, to.Address,
		n.text.title, n.text.text, page, now.UnixMilli())
	return err
}

// A letter is an e-mail that is this process's to send, until its lease ends.
type letter struct {
	number               int64
	id                   string
	to                   mail.Address
	subject, plain, html string
	attempts             int
	created              time.Time
	token                string
}

// RunMail sends e-mails until ctx ends. The same failure is logged once.
func (s *Service) RunMail(ctx context.Context) {
	var tidied time.Time
	failed := func(err error) { s.o.Log.Warn("e-mails wait", "error", err) }
	background.Repeat(ctx, background.Pace{Every: mailPoll, Most: maxMailPause, Wake: s.wake}, failed, func(ctx context.Context) (more bool, err error) {
		if more, err = s.MailPass(ctx); err == nil && time.Since(tidied) >= tidyInterval {
			tidied, err = time.Now(), s.tidy(ctx)
		}
		return more, err
	})
}

// MailPass sends the e-mails that are due over one connection, up to a bound, and
// reports whether there may be more. It fails when the server cannot be used; the
// e-mails wait then, and it is not held against them.
func (s *Service) MailPass(ctx context.Context) (more bool, err error) {
	if s.o.Mail == nil {
		return false, nil
	}
	letters, err := s.claim(ctx)
	if err != nil || len(letters) == 0 {
		return false, err
	}
	session, err := s.o.Mail.open(ctx)
	if err != nil {
		return false, errors.Join(err, s.putBack(ctx, letters))
	}
	defer session.close()
	for i := range letters {
		if ctx.Err() != nil {
			return false, s.putBack(ctx, letters[i:])
		}
		sent := session.send(ctx, &letters[i], s.o.Now())
		if err := s.sent(ctx, &letters[i], sent); err != nil {
			return false, err
		}
		if session.broken {
			return false, errors.Join(sent, s.putBack(ctx, letters[i+1:]))
		}
	}
	return len(letters) == mailBatch, nil
}

func (s *Service) claim(ctx context.Context) (letters []letter, err error) {
	err = s.o.DB.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		letters = nil
		now := s.o.Now()
		token := admin.NewID("", now)
		rows, err := tx.Rows(ctx, "mail.claim", now.Add(mailLease).UnixMilli(), token, now.UnixMilli(), mailBatch, now.UnixMilli())
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			l := letter{token: token}
			var created int64
			if err := rows.Scan(&l.number, &l.id, &l.to.Name, &l.to.Address, &l.subject, &l.plain, &l.html, &l.attempts, &created); err != nil {
				return fmt.Errorf("notify: claiming e-mails: %w", err)
			}
			l.created = time.UnixMilli(created)
			letters = append(letters, l)
		}
		return rows.Err()
	})
	return letters, err
}

// putBack gives up claims on e-mails that were not tried.
func (s *Service) putBack(ctx context.Context, letters []letter) error {
	return s.o.DB.Write(context.WithoutCancel(ctx), func(ctx context.Context, tx *database.Tx) error {
		for i := range letters {
			if _, err := tx.Exec(ctx, "mail.retry", 0, s.o.Now().UnixMilli(), "", letters[i].number, letters[i].token); err != nil {
				return err
			}
		}
		return nil
	})
}

// sent writes what came of an attempt.
func (s *Service) sent(ctx context.Context, l *letter, failure error) error {
	now := s.o.Now()
	text := ""
	if failure != nil {
		text = failure.Error()[:min(len(failure.Error()), maxMailError)]
	}
	delay := mailDelays[min(l.attempts, len(mailDelays)-1)]
	delay = delay*4/5 + time.Duration(rand.Int64N(int64(delay)*2/5))
	return s.o.DB.Write(context.WithoutCancel(ctx), func(ctx context.Context, tx *database.Tx) (err error) {
		switch {
		case failure == nil:
			s.metrics.mails.WithLabelValues(mailSent).Inc()
			_, err = tx.Exec(ctx, "mail.end", "sent", now.UnixMilli(), "", l.number, l.token)
		case refusedForGood(failure), now.Sub(l.created) >= mailFor:
			s.metrics.mails.WithLabelValues(mailFailed).Inc()
			s.o.Log.Warn("an e-mail was given up", "mail", l.id, "error", text)
			_, err = tx.Exec(ctx, "mail.end", "failed", now.UnixMilli(), text, l.number, l.token)
		default:
			s.metrics.mails.WithLabelValues(mailRetried).Inc()
			_, err = tx.Exec(ctx, "mail.retry", 1, now.Add(delay).UnixMilli(), text, l.number, l.token)
		}
		return err
	})
}

// refusedForGood reports whether the server said that the e-mail will never be
// taken (RFC 5321: a 5yz reply).
func refusedForGood(err error) bool {
	var reply *textproto.Error
	var sender senderError
	return errors.As(err, &reply) && reply.Code/100 == 5 && !errors.As(err, &sender)
}

// tidy forgets what is old and counts what waits.
func (s *Service) tidy(ctx context.Context) error {
	now := s.o.Now()
	for _, old := range []struct {
		query  string
		before time.Time
	}{{"mail.forget", now.Add(-keepMails)}, {"notification.forget", now.Add(-keepNotifications)}} {
		for forgotten := int64(forgetBatch); forgotten == forgetBatch; {
			err := s.o.DB.Write(ctx, func(ctx context.Context, tx *database.Tx) (err error) {
				forgotten, err = tx.Exec(ctx, old.query, old.before.UnixMilli(), forgetBatch)
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	var waiting int64
	if err := s.o.DB.Row(ctx, "mail.waiting").Scan(&waiting); err != nil {
		return fmt.Errorf("notify: counting e-mails: %w", err)
	}
	s.metrics.waiting.Set(float64(waiting))
	return nil
}
