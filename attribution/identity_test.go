package attribution

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func identityExample() LinkIdentity {
	id := func(prefix string, n byte) string { return MakeID(prefix, 1_800_000_000_000, [10]byte{n, 9: 0xff}) }
	return LinkIdentity{
		Number: 1<<48 - 1, LinkID: id(PrefixLink, 1), TaskID: id(PrefixTask, 2), PostID: id(PrefixPost, 3), CampaignID: id(PrefixCampaign, 4),
		CreatorID: id(PrefixCreator, 5), AdvertiserID: id(PrefixAdvertiser, 6), Platform: "instagram", Currency: "USD",
	}
}

func TestIdentityRoundTrip(t *testing.T) {
	whole := identityExample()
	sparse := whole
	sparse.PostID, sparse.Currency = "", ""
	odd := whole
	odd.LinkID, odd.CreatorID = strings.ToUpper(whole.LinkID), whole.TaskID
	odd.TaskID, odd.CampaignID, odd.AdvertiserID = "tsk_1", "cmp_"+strings.Repeat("ü", 300), whole.AdvertiserID+"0"
	for name, c := range map[string]struct {
		id    LinkIdentity
		bytes int
	}{
		"whole":  {whole, 6*packedIDBytes + 3 + len("_instagram_USD") + 7},
		"sparse": {sparse, 5*packedIDBytes + 3 + len("_instagram_") + 7},
		"odd":    {odd, 0},
		"empty":  {LinkIdentity{}, 6},
	} {
		t.Run(name, func(t *testing.T) {
			encoded := AppendIdentity(nil, &c.id)
			if got, err := DecodeIdentity(encoded); err != nil || got != c.id {
				t.Errorf("decoded %+v, %v, want %+v", got, err, c.id)
			}
			if c.bytes != 0 && len(encoded) != c.bytes {
				t.Errorf("%d bytes, want %d", len(encoded), c.bytes)
			}
			for field, want := range c.id.texts() {
				if got := AppendIdentityField([]byte("<"), encoded, IdentityField(field)); string(got) != "<"+*want {
					t.Errorf("field %d is %q, want %q", field, got, *want)
				}
			}
		})
	}
}

func TestDamagedIdentities(t *testing.T) {
	id := identityExample()
	whole := AppendIdentity(nil, &id)
	damaged := map[string][]byte{
		"too long":          append(bytes.Clone(whole), 0),
		"an unknown form":   append([]byte{3}, whole[1:]...),
		"a form too many":   append(append([]byte{}, whole[:1+4*packedIDBytes]...), append([]byte{5}, whole[2+4*packedIDBytes:]...)...),
		"a text too long":   {0, 0, 0, 200, 1, 0, 0},
		"a number too long": append(bytes.Repeat([]byte{0}, 5), bytes.Repeat([]byte{0xff}, 11)...),
	}
	for n := range whole {
		damaged[fmt.Sprintf("cut to %d bytes", n)] = whole[:n]
	}
	for name, encoded := range damaged {
		if got, err := DecodeIdentity(encoded); err != ErrClickRecord || got != (LinkIdentity{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if got := AppendIdentityField(nil, encoded, IdentityLink); len(got) != 0 {
			t.Errorf("%s: the link is %q", name, got)
		}
	}
	part := AppendLinkPart(nil, &id)
	if !ValidLinkPart(part) || ValidLinkPart(part[:len(part)-1]) || ValidLinkPart(whole) || ValidLinkPart(nil) {
		t.Error("a link's part is not told from others")
	}
}

// What decodes is an identity that is encoded and decoded as itself.
func FuzzIdentity(f *testing.F) {
	id := identityExample()
	f.Add(AppendIdentity(nil, &id))
	f.Add(AppendIdentity(nil, &LinkIdentity{LinkID: "lnk_1", Platform: "x"}))
	f.Fuzz(func(t *testing.T, encoded []byte) {
		id, err := DecodeIdentity(encoded)
		if err != nil {
			return
		}
		if again, err := DecodeIdentity(AppendIdentity(nil, &id)); err != nil || again != id {
			t.Errorf("%+v became %+v, %v", id, again, err)
		}
	})
}

func TestIdentityAllocations(t *testing.T) {
	id := identityExample()
	encoded := AppendIdentity(nil, &id)
	text := make([]byte, 0, 64)
	for name, c := range map[string]struct {
		most float64
		f    func()
	}{
		"a field": {0, func() { text = AppendIdentityField(text[:0], encoded, IdentityCreator) }},
		"all":     {1, func() { _, _ = DecodeIdentity(encoded) }},
	} {
		if n := testing.AllocsPerRun(100, c.f); n > c.most {
			t.Errorf("%s: %v allocations, want %v", name, n, c.most)
		}
	}
}

func TestPackedIDs(t *testing.T) {
	for _, c := range []struct {
		atMs    int64
		entropy [10]byte
		want    string
	}{
		{0, [10]byte{}, "lnk_00000000000000000000000000"},
		{1<<48 - 1, [10]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 255}, "lnk_7zzzzzzzzzzzzzzzzzzzzzzzzz"},
		{1_800_000_000_000, [10]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, "lnk_01mcc5rm00041061050r3gg28a"},
	} {
		id := MakeID(PrefixLink, c.atMs, c.entropy)
		if id != c.want || !ValidID(PrefixLink, id) {
			t.Errorf("identifier %s, want %s", id, c.want)
		}
		packed := appendPackedID(nil, id[len(PrefixLink):])
		if len(packed) != packedIDBytes || string(appendUnpackedID(nil, PrefixLink, packed)) != id {
			t.Errorf("%s packed is %x", id, packed)
		}
	}
}

func BenchmarkDecodeIdentity(b *testing.B) {
	id := identityExample()
	encoded := AppendIdentity(nil, &id)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeIdentity(encoded); err != nil {
			b.Fatal(err)
		}
	}
}
