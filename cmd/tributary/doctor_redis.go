package main

import (
	"context"
	"strings"
	"time"

	"tributary/fleet"
)

// slowRedis is a round trip above which shoppers notice: a link that a tracker does
// not have is asked for while they wait.
const slowRedis = 10 * time.Millisecond

func checkRedis(ctx context.Context, x *examination) {
	const subject = "redis"
	if len(x.options.Redis) == 0 {
		x.found(fine, subject, "", "none; one node needs none")
		return
	}
	var names []string
	for _, server := range x.options.Redis {
		names = append(names, server.String())
	}
	name := strings.Join(names, ", ")
	health, err := fleet.Examine(ctx, x.options.redisURLs())
	switch {
	case err != nil:
		x.found(failing, subject, "start it or correct --redis; nodes go on alone without it", "%s does not answer: %v", name, err)
	case len(health.Problems) > 0:
		x.found(warning, subject, strings.Join(health.Problems, "; "), "%s answers", name)
	case health.RoundTrip > slowRedis:
		x.found(warning, subject, "bring it nearer to this machine, or find out what keeps it busy", "%s takes %v to answer", name, health.RoundTrip.Round(time.Millisecond))
	default:
		x.found(fine, subject, "", "%s answers in %v: version %s, servers that take writes: %d", name, health.RoundTrip.Round(10*time.Microsecond), health.Version, health.Servers)
	}
}
