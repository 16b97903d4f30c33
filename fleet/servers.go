package fleet

import (
	"cmp"
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// discover asks the one server there is whether it belongs to a Cluster.
func (c *Client) discover(ctx context.Context) error {
	server := newServer(c.servers[0])
	properties, err := server.Do(ctx, "HELLO").Result()
	var refused redis.Error
	if err != nil && !errors.As(err, &refused) {
		return errors.Join(err, server.Close())
	}
	if property(properties, "mode") != "cluster" {
		c.current.Store(&universal{server})
		return nil
	}
	c.current.Store(&universal{c.newCluster()})
	return server.Close()
}

// runIDs says which servers there are, by the ids each process of Redis draws when
// it starts. It changes when one restarts, or another takes its place. A server
// that keeps its id to itself counts as one that never restarts.
func (c *Client) runIDs(ctx context.Context) (string, error) {
	var mu sync.Mutex
	var ids []string
	err := c.EachServer(ctx, func(ctx context.Context, server *redis.Client) error {
		info, err := server.Info(ctx, "server").Result()
		var refused redis.Error
		if err != nil && !errors.As(err, &refused) {
			return err
		}
		_, id, _ := strings.Cut(info, "run_id:")
		id, _, _ = strings.Cut(id, "\r")
		mu.Lock()
		defer mu.Unlock()
		ids = append(ids, cmp.Or(id, "unknown"))
		return nil
	})
	slices.Sort(ids)
	return strings.Join(ids, " "), err
}

// property reads a value of HELLO's answer, which is a map or, in the older
// protocol, a list of names and values.
func property(properties any, name string) string {
	switch all := properties.(type) {
	case map[any]any:
		value, _ := all[name].(string)
		return value
	case []any:
		for i := 0; i+1 < len(all); i += 2 {
			if all[i] == name {
				value, _ := all[i+1].(string)
				return value
			}
		}
	}
	return ""
}

// isAway reports whether an error says that a server does not answer, or not as
// the one that has the data.
func isAway(err error) bool {
	if err == nil {
		return false
	}
	for _, prefix := range []string{"LOADING", "CLUSTERDOWN", "MASTERDOWN", "READONLY", "TRYAGAIN"} {
		if redis.HasErrorPrefix(err, prefix) {
			return true
		}
	}
	var refused redis.Error
	return !errors.As(err, &refused) && !errors.Is(err, redis.Nil) && !errors.Is(err, context.Canceled)
}

// isTimeout reports whether a server took too long, rather than being gone.
func isTimeout(err error) bool {
	var failure net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, redis.ErrPoolTimeout) || errors.As(err, &failure) && failure.Timeout()
}
