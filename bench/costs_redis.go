package main

import (
	"context"
	"errors"

	"tributary/bench/capacity"
)

// redisLinks are made to see what a link costs Redis, and a tracker's memory.
const redisLinks = 20_000

// costsOfRedis follows clicks and changes of links through Redis.
func (b *bench) costsOfRedis(ctx context.Context, c *capacity.Costs) error {
	postgres, redis, err := b.startShared(ctx)
	if err != nil {
		return err
	}
	l, err := b.startClickLine(ctx, serverCore, "--redis", redis.url, "--database", postgres.url)
	if err == nil {
		err = errors.Join(b.followThroughRedis(ctx, l, redis, c), l.stop())
	}
	return errors.Join(err, redis.stop(), postgres.stop())
}

// startShared starts what the nodes of one installation share, but for ClickHouse.
func (b *bench) startShared(ctx context.Context) (postgres, redis *store, err error) {
	if postgres, err = b.startPostgres(ctx); err != nil {
		return nil, nil, err
	}
	if redis, err = b.startRedis(ctx); err != nil {
		return nil, nil, errors.Join(err, postgres.stop())
	}
	return postgres, redis, nil
}

func (b *bench) followThroughRedis(ctx context.Context, l *clickLine, redis *store, c *capacity.Costs) error {
	pids := []int{l.cmd.Process.Pid, l.clickhouse.cmd.Process.Pid, redis.cmd.Process.Pid}
	rest, err := atRest(restFor, pids...)
	if err != nil {
		return err
	}
	if err := l.changeLinks(ctx, redis, c, rest[2:]); err != nil {
		return err
	}
	l.clickhouse.away(true)
	if _, _, err := b.clicks(ctx, generatorCore, l.links, fillRate, b.duration); err != nil {
		return err
	}
	before, err := redis.usedMemory()
	if err != nil {
		return err
	}
	wire := redis.bytes()
	s, err := b.drain(ctx, l, rest, pids[2])
	if err != nil {
		return err
	}
	after, err := redis.usedMemory()
	if err != nil {
		return err
	}
	visitors, err := l.clickhouse.ask("SELECT sum(is_unique) FROM clicks")
	if err != nil {
		return err
	}
	c.WindowMicros, c.WindowWireBytes = s.micros[2]/s.rows, float64(redis.bytes()-wire)/s.rows
	c.WindowBytes = (after - before) / visitors
	without := c.ShipRowMicros + c.ShipInsertMicros*s.inserts/s.rows
	c.WindowClientMicros = max(s.micros[0]/s.rows-without, leastMicros)
	return nil
}

// changeLinks makes links and waits until the tracker has them, by way of Redis.
func (l *clickLine) changeLinks(ctx context.Context, redis *store, c *capacity.Costs, rest []float64) error {
	before, err := redis.usedMemory()
	if err != nil {
		return err
	}
	m, err := startMeter(redis.cmd.Process.Pid)
	if err != nil {
		return err
	}
	if _, err := l.moreLinks(redisLinks); err != nil {
		return err
	}
	known := func() error {
		links, err := l.metric("tributary_links")
		if err == nil && links < redisLinks {
			err = errors.New("the tracker does not know all links yet")
		}
		return err
	}
	if err := l.waitFor(ctx, settlePatience, known); err != nil {
		return err
	}
	used, _, err := m.micros(rest)
	if err != nil {
		return err
	}
	after, err := redis.usedMemory()
	if err != nil {
		return err
	}
	bytes, err := l.metric("tributary_links_bytes")
	c.ChangeMicros, c.RedisLinkBytes, c.LinkBytes = used[0]/redisLinks, (after-before)/redisLinks, bytes/redisLinks
	return err
}
