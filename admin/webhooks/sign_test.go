package webhooks

import (
	"strings"
	"testing"
	"time"
)

// TestSignature checks the example that the Standard Webhooks libraries are
// tested with.
func TestSignature(t *testing.T) {
	const secret, id, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", `{"test": 2432232314}`
	got, err := Sign([]string{secret}, id, time.Unix(1614265330, 0), []byte(body))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	two, err := Sign([]string{newSecret(), secret}, id, time.Unix(1614265330, 0), []byte(body))
	if parts := strings.Split(two, " "); err != nil || len(parts) != 2 || parts[1] != got {
		t.Errorf("two secrets sign %q, %v", two, err)
	}
	if _, err := Sign([]string{"whsec_%%"}, id, time.Unix(0, 0), nil); err == nil {
		t.Error("a damaged secret signs")
	}
}

func TestSecretsAreSealedUnderTheirWebhook(t *testing.T) {
	s, err := newSealer(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	secret := newSecret()
	kept := s.seal("whk_1", secret)
	if strings.Contains(kept, secret[len(PrefixSecret):]) {
		t.Error("the secret is stored as it is")
	}
	if got, err := s.open("whk_1", kept); err != nil || got != secret {
		t.Errorf("got %q, %v", got, err)
	}
	for id, kept := range map[string]string{"whk_2": kept, "whk_1": kept[:len(kept)-2] + "AA", "": ""} {
		if _, err := s.open(id, kept); err == nil {
			t.Errorf("opened for %q", id)
		}
	}
}

func TestRetriesLastThreeDays(t *testing.T) {
	created := time.Unix(1_800_000_000, 0)
	now, attempts := created, 0
	for {
		attempts++
		next := retryAt(created, now, attempts, 0)
		if next.IsZero() {
			break
		}
		if !next.After(now) || next.After(created.Add(retryFor)) {
			t.Fatalf("attempt %d at %s is followed by one at %s", attempts, now, next)
		}
		now = next
	}
	if now != created.Add(retryFor) {
		t.Errorf("the last attempt is after %s", now.Sub(created))
	}
	if attempts < 14 || attempts > 22 {
		t.Errorf("%d attempts in 3 days", attempts)
	}
	if next := retryAt(created, created, 1, time.Hour); next != created.Add(time.Hour) {
		t.Errorf("asked for an hour, it is tried after %s", next.Sub(created))
	}
}

func TestPausesGrow(t *testing.T) {
	var all time.Duration
	for failures := 1; failures < disableAfter; failures++ {
		pause := pauseAfter(failures)
		if pause < time.Second || pause > maxPause || failures > 1 && pause < pauseAfter(failures-1) {
			t.Errorf("%d failures pause for %s", failures, pause)
		}
		all += pause
	}
	if all < 45*time.Minute {
		t.Errorf("a webhook can be disabled within %s", all)
	}
}
