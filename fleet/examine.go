package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Health is what an operator should know of Redis.
type Health struct {
	Servers   int           // masters
	Version   string        // of one of them
	RoundTrip time.Duration // to the slowest
	Problems  []string      // what must be changed, and how
}

// The oldest version that has what is used.
const oldestMajor, oldestMinor = 6, 2

// Examine looks at every server, without writing anything.
func Examine(ctx context.Context, addresses []string) (Health, error) {
	c, err := newClient(Options{Addresses: addresses, Installation: "examined", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return Health{}, err
	}
	var h Health
	err = c.look(ctx)
	if err == nil {
		var mu sync.Mutex
		err = c.EachServer(ctx, func(ctx context.Context, server *redis.Client) error { return h.examine(ctx, &mu, server) })
	}
	return h, errors.Join(err, c.disconnect())
}

func (h *Health) examine(ctx context.Context, mu *sync.Mutex, server *redis.Client) error {
	began := time.Now()
	if err := server.Ping(ctx).Err(); err != nil {
		return err
	}
	took := time.Since(began)
	info, err := server.Info(ctx).Result()
	var refused redis.Error
	if err != nil && !errors.As(err, &refused) {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	h.Servers++
	h.RoundTrip = max(h.RoundTrip, took)
	h.Version = infoLine(info, "redis_version")
	name := server.Options().Addr
	if h.Version != "" && isOlder(h.Version) {
		h.Problems = append(h.Problems, fmt.Sprintf("%s is version %s: use %d.%d or newer", name, h.Version, oldestMajor, oldestMinor))
	}
	if infoLine(info, "role") == "slave" {
		h.Problems = append(h.Problems, name+" is a replica and takes no writes: name the master")
	}
	if limit, policy := infoLine(info, "maxmemory"), infoLine(info, "maxmemory_policy"); limit != "" && limit != "0" && policy != "noeviction" {
		h.Problems = append(h.Problems, fmt.Sprintf("%s throws keys away when its memory is full (maxmemory-policy %s): set noeviction, or give it more memory than it needs; what is lost is written again, over and over", name, policy))
	}
	return nil
}

func infoLine(info, name string) string {
	_, value, _ := strings.Cut("\n"+info, "\n"+name+":")
	value, _, _ = strings.Cut(value, "\n")
	return strings.TrimSpace(value)
}

func isOlder(version string) bool {
	majorText, rest, _ := strings.Cut(version, ".")
	minorText, _, _ := strings.Cut(rest, ".")
	major, err := strconv.Atoi(majorText)
	minor, minorErr := strconv.Atoi(minorText)
	return err == nil && minorErr == nil && (major < oldestMajor || major == oldestMajor && minor < oldestMinor)
}
