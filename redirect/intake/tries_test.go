package intake_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"tributary/caller"
	"tributary/redirect/intake"
)

// TestGuessingCredentialsIsSlowedDown has one network try keys, signatures and
// tokens; a shop in the same network that has reported before goes on.
func TestGuessingCredentialsIsSlowedDown(t *testing.T) {
	t.Parallel()
	const most = 6
	guess := map[string]func(tr *tracker, n int) *answer{
		"keys": func(tr *tracker, n int) *answer {
			return tr.send("POST", "/t/conversions", sale, "Authorization", "Bearer trb_guess"+strconv.Itoa(n), "X-Forwarded-For", "203.0.113.9")
		},
		"signatures": func(tr *tracker, n int) *answer {
			timestamp, signature := sign("guess"+strconv.Itoa(n), time.Now(), sale)
			return tr.send("POST", "/t/refunds", sale, "Tributary-Key-Id", "sec_1", "Tributary-Timestamp", timestamp, "Tributary-Signature", signature, "X-Forwarded-For", "203.0.113.9")
		},
		"tokens": func(tr *tracker, n int) *answer {
			return tr.send("GET", fmt.Sprintf("/t/postback?key=guess%d&event=sale&order_id=o", n), "", "X-Forwarded-For", "203.0.113.9")
		},
	}
	for name, try := range guess {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := start(t, func(o *intake.Options) { o.KeyLimit = caller.Limit{Failures: most, Window: time.Minute} })
			reports := func(key, from string) *answer {
				return tr.send("POST", "/t/conversions", sale, "Authorization", "Bearer "+key, "X-Forwarded-For", from)
			}
			reports(ingestKey, "203.0.113.50").want(200, "accepted")
			for i := range most {
				try(tr, i).want(401, "")
			}
			refused := try(tr, most).want(429, "too_many_attempts")
			if wait, err := strconv.Atoi(refused.header.Get("Retry-After")); err != nil || wait < 1 || wait > 60 {
				t.Errorf("Retry-After %q", refused.header.Get("Retry-After"))
			}
			reports(otherKey, "203.0.113.50").want(429, "too_many_attempts")
			long, timestamp := spaced(100<<10), strconv.FormatInt(time.Now().Unix(), 10)
			tr.send("POST", "/t/conversions", long, "Authorization", "Bearer "+otherKey, "X-Forwarded-For", "203.0.113.50").want(429, "too_many_attempts")
			tr.send("POST", "/t/conversions", long, "Tributary-Key-Id", "adv_1", "Tributary-Timestamp", timestamp, "Tributary-Signature", "v1=00", "X-Forwarded-For", "203.0.113.50").want(429, "too_many_attempts")
			reports(ingestKey, "203.0.113.50").want(200, "accepted")
			reports(otherKey, "198.51.100.1").want(200, "accepted")
			tr.taken(3)
			tr.noMore()
		})
	}
}

// TestAFloodOfTheSameOrderIsTakenAtItsPace has a page report one order again and
// again: what is above the limit is refused and on no disk, and the shop's server
// goes on.
func TestAFloodOfTheSameOrderIsTakenAtItsPace(t *testing.T) {
	t.Parallel()
	tr := start(t, func(o *intake.Options) { o.RateLimit.Hits, o.RateLimit.WindowMs = 50, 60_000 })
	counts := map[int]int{}
	for range 200 {
		a := tr.send("POST", "/t/event?adv="+publicKey, `{"event":"sale","order_id":"again","amount":"1.00","currency":"USD"}`, "X-Forwarded-For", "203.0.113.9", "Origin", "https://shop.example")
		counts[a.status]++
		tr.send("GET", "/t/pixel.gif?adv="+publicKey+"&event=sale&order_id=again", "", "X-Forwarded-For", "203.0.113.9").want(200, "GIF89a")
	}
	if counts[200] != 25 || counts[429] != 175 {
		t.Errorf("answered %v, want 25 taken and 175 refused", counts)
	}
	tr.post(ingestKey, sale).want(200, "accepted")
	tr.taken(51)
	tr.noMore()
}
