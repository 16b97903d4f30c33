package fields

import (
	"iter"
	"unicode/utf8"

	"tributary/attribution"
)

// Form reads one conversion from names and values, unescaped. Names that begin
// with _ are nobody's: pages put random ones in a pixel's address to get past
// caches.
func (r *Reader) Form(from *Sender, pairs iter.Seq2[[]byte, []byte]) *Item {
	d := r.begin(attribution.ReportConversion, from)
	d.form = true
	d.readPairs(pairs)
	return d.finish(func() []byte { return d.cleanPairs(pairs) })
}

func (d *draft) readPairs(pairs iter.Seq2[[]byte, []byte]) {
	var seen uint64
	for name, text := range pairs {
		if len(name) > 0 && name[0] == '_' {
			continue
		}
		i, known := conversionTable.byKey[string(name)]
		switch {
		case !known:
			d.unknown(name)
			d.screen(value{kindText, text})
		case !utf8.Valid(text):
			d.wrong(CodeInvalidField, string(name), "is not UTF-8")
			d.screen(value{kindText, text})
		case seen&(1<<i) != 0:
			d.wrong(CodeDuplicateField, string(name), "is given twice")
			d.screen(value{kindText, text})
		default:
			seen |= 1 << i
			d.set(&conversionTable.rules[i], value{kindText, text})
		}
	}
}

// maxKeptPairs bounds what is kept of a form that was rejected.
const maxKeptPairs = 100

// cleanPairs is a form as it may be kept, as a JSON object.
func (d *draft) cleanPairs(pairs iter.Seq2[[]byte, []byte]) []byte {
	kept := map[string]any{}
	for name, text := range pairs {
		if len(kept) < maxKeptPairs {
			kept[string(name)] = string(text)
		}
	}
	return d.kept(d.cleanValue(kept, false))
}
