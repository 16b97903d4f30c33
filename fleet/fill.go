package fleet

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"tributary/attribution"
)

// whole reports whether the read-model has everything: it was filled once all of
// these servers were there, and no part of it was lost since.
func (c *Client) whole(ctx context.Context, s state) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	servers, err := c.runIDs(ctx)
	if err != nil || s.filled != servers {
		return false, err
	}
	return (&model{c, s.generation}).marked(ctx)
}

// fill writes everything into a generation's read-model, unless another node is
// about to.
func (p *Publisher) fill(ctx context.Context, generation string) error {
	ctx, cancel := context.WithTimeout(ctx, fillTimeout)
	defer cancel()
	lock, err := p.lock(ctx)
	if lock == nil || err != nil {
		return err
	}
	defer lock.release()
	servers, err := p.o.Client.runIDs(ctx)
	if err != nil {
		return err
	}
	began, count := time.Now(), 0
	m := &model{p.o.Client, generation}
	batch := make([]attribution.RouteChange, 0, modelBatch)
	flush := func() error {
		count += len(batch)
		err := errors.Join(m.write(ctx, batch), lock.renew(ctx))
		batch = batch[:0]
		return err
	}
	_, err = p.o.Database.Routes(ctx, func(c attribution.RouteChange) error {
		batch = append(batch, c)
		if len(batch) < modelBatch {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err == nil {
		err = m.mark(ctx)
	}
	if err == nil {
		err = p.o.Client.setFilled(ctx, generation, servers)
	}
	if err != nil {
		return fmt.Errorf("writing all links to Redis: %w", err)
	}
	p.log.Info("links written to Redis", "things", count, "took", time.Since(began))
	return p.o.Client.sweep(ctx, generation)
}

// sweep removes what other generations left behind.
func (c *Client) sweep(ctx context.Context, generation string) error {
	prefix := c.SpreadKey("")
	return c.EachServer(ctx, func(ctx context.Context, server *redis.Client) error {
		all := server.Scan(ctx, 0, prefix+shelfPattern, scanEntries).Iterator()
		for all.Next(ctx) {
			if !strings.HasPrefix(all.Val(), prefix+"shelf:"+generation+":") {
				if err := server.Unlink(ctx, all.Val()).Err(); err != nil {
					return err
				}
			}
		}
		return all.Err()
	})
}

// A fillLock is held by who fills. It keeps others from doing the same work, no
// more: two fillers at once would do no harm.
type fillLock struct {
	client  *Client
	token   string
	renewed time.Time
}

// lock returns nil while another holds the lock.
func (p *Publisher) lock(ctx context.Context) (*fillLock, error) {
	all, err := p.o.Client.Redis()
	if err != nil {
		return nil, err
	}
	l := &fillLock{client: p.o.Client, token: rand.Text(), renewed: time.Now()}
	err = all.SetArgs(ctx, p.o.Client.Key(lockName), l.token, redis.SetArgs{Mode: "NX", TTL: lockFor}).Err()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	return l, err
}

func (l *fillLock) renew(ctx context.Context) error {
	if time.Since(l.renewed) < lockFor/4 {
		return nil
	}
	l.renewed = time.Now()
	all, err := l.client.Redis()
	if err != nil {
		return err
	}
	return all.Expire(ctx, l.client.Key(lockName), lockFor).Err()
}

// unlock gives the lock up if it is still one's own.
var unlock = redis.NewScript(`if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`)

// release gives the lock up. Where that fails, it ends by itself.
func (l *fillLock) release() {
	ctx, cancel := context.WithTimeout(context.Background(), replyTimeout)
	defer cancel()
	if all, err := l.client.Redis(); err == nil {
		_ = unlock.Run(ctx, all, []string{l.client.Key(lockName)}, l.token).Err()
	}
}
