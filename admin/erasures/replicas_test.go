package erasures

import (
	"context"
	"slices"
	"testing"

	"tributary/schema/schematest"
)

func TestMain(m *testing.M) { schematest.Main(m) }

// A person's clicks and conversions are looked for when every replica has them: what is
// not found is not erased.
func TestReplicasAreWaitedFor(t *testing.T) {
	var waited []string
	s := New(Options{
		ClickHouse: schematest.Replicas(t, func(table string) { waited = append(waited, table) }),
		Shipped: func(context.Context) error {
			if len(waited) > 0 {
				t.Error("replicas were waited for before all clicks were there")
			}
			return nil
		},
	})
	if err := s.awaitClicks(t.Context(), &Erasure{}); err != nil {
		t.Error(err)
	}
	if want := []string{"clicks_local", "conversions_local"}; !slices.Equal(waited, want) {
		t.Errorf("%v are waited for, want %v", waited, want)
	}
}
