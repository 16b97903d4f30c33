package engine

import "testing"

// TestRoomToMerge: a quarter of a gigabyte, or an eighth of a disk that is small.
func TestRoomToMerge(t *testing.T) {
	const mega = 1 << 20
	for _, test := range []struct {
		free, size uint64
		want       bool
	}{
		{256 * mega, 1 << 40, true},
		{255 * mega, 1 << 40, false},
		{128 * mega, 1 << 30, true},
		{127 * mega, 1 << 30, false},
		{0, 1 << 30, false},
	} {
		if got := roomToMerge(test.free, test.size); got != test.want {
			t.Errorf("%d MB of %d MB free: %v", test.free/mega, test.size/mega, got)
		}
	}
}
