package target

import (
	"bytes"
	"strconv"

	"tributary/attribution"
)

// MaxURLBytes is the length of the longest Location. A forwarded parameter that
// does not fit is left out.
const MaxURLBytes = 8 << 10

// maxExpandedBytes bounds a destination while its macros are replaced: one that
// does not fit is replaced by nothing. Destinations are bounded by
// attribution.MaxDestinationBytes, so that what follows always has room.
const maxExpandedBytes = 5 << 10

// build writes the Location: the destination, its macros replaced in query
// values, the click id unless a macro brought it, what is forwarded, and the
// fragment.
//
// own says that somebody of the advertiser's wrote the destination. A shopper's
// is given no macros: whoever makes up a ?u= would choose where on the shop's
// site the creator's and the shopper's data appear. And it loses a click id it
// brings along, which was another shopper's.
func (r *Resolver) build(destination []byte, req *Request, own bool) {
	head, fragment := destination, []byte(nil)
	if i := bytes.IndexByte(destination, '#'); i >= 0 {
		head, fragment = destination[:i], destination[i:]
	}
	var query []byte
	path, hasQuery := head, false
	if i := bytes.IndexByte(head, '?'); i >= 0 {
		path, query, hasQuery = head[:i], head[i+1:], true
	}
	w := writer{out: append(r.urlMemory[:0], path...), hasQuery: hasQuery}
	if hasQuery {
		w.out = append(w.out, '?')
	}
	clickParam := r.link.Advertiser.ClickParam
	clickIDUsed := false
	switch {
	case !own:
		w.appendWithout(query, clickParam)
	case bytes.IndexByte(query, '{') < 0:
		w.out = append(w.out, query...)
	default:
		w.out, clickIDUsed = r.expand(w.out, query, req)
	}
	if !clickIDUsed && clickParam != "" {
		w.separate()
		w.out = appendEscaped(w.out, clickParam, &unreserved)
		w.out = append(w.out, '=')
		w.out = append(w.out, req.ClickID...)
	}
	for p := range params(req.Query.raw) {
		if ours(p.name) == noneOfOurs && !says(p.name, clickParam) && !hasName(query, p.name) {
			w.forward(p.text, len(fragment))
		}
	}
	w.out = append(w.out, fragment...)
	r.urlMemory, r.target.URL = w.out, w.out
}

// A writer appends parameters to a URL.
type writer struct {
	out      []byte
	hasQuery bool
}

// separate makes room for one more parameter.
func (w *writer) separate() {
	if !w.hasQuery {
		w.out = append(w.out, '?')
		w.hasQuery = true
	} else if last := w.out[len(w.out)-1]; last != '?' && last != '&' {
		w.out = append(w.out, '&')
	}
}

// forward appends what the shopper sent, if it fits in before a tail.
func (w *writer) forward(text []byte, tail int) {
	longer := *w
	longer.separate()
	longer.out = appendEscaped(longer.out, text, &querySafe)
	if len(longer.out)+tail <= MaxURLBytes {
		*w = longer
	}
}

// appendWithout appends a query as it is, without the parameters of a name.
func (w *writer) appendWithout(query []byte, name string) {
	for p := range params(query) {
		if !says(p.name, name) {
			w.separate()
			w.out = append(w.out, p.text...)
		}
	}
}

// hasName reports whether a query has a parameter that is called the same.
func hasName(query, name []byte) bool {
	for p := range params(query) {
		if sayTheSame(p.name, name) {
			return true
		}
	}
	return false
}

// expand appends a query with the macros in its values replaced, and reports
// whether the click id was among them. A brace that begins no macro, and
// whatever stands in a parameter's name, is left as it is.
func (r *Resolver) expand(dst, query []byte, req *Request) (_ []byte, clickIDUsed bool) {
	inValue := false
	for i := 0; i < len(query); {
		switch c := query[i]; {
		case c == '&':
			inValue = false
		case c == '=':
			inValue = true
		case c == '{' && inValue:
			end := bytes.IndexByte(query[i:], '}')
			if end < 0 {
				return append(dst, query[i:]...), clickIDUsed
			}
			name := query[i+1 : i+end]
			if value, known := r.macro(name, req); known {
				longer := appendEscaped(dst, value, &unreserved)
				if fits := len(longer) <= maxExpandedBytes; fits {
					dst = longer
					clickIDUsed = clickIDUsed || string(name) == macroClickID
				}
				i += end + 1
				continue
			}
		}
		dst = append(dst, query[i])
		i++
	}
	return dst, clickIDUsed
}

const macroClickID = "click_id"

// macro is what a macro stands for.
func (r *Resolver) macro(name []byte, req *Request) (value []byte, known bool) {
	switch string(name) {
	case macroClickID:
		return req.ClickID, true
	case "campaign_id":
		return r.identity(attribution.IdentityCampaign), true
	case "creator_id":
		return r.identity(attribution.IdentityCreator), true
	case "task_id":
		return r.identity(attribution.IdentityTask), true
	case "link_id":
		return r.identity(attribution.IdentityLink), true
	case "platform":
		return r.identity(attribution.IdentityPlatform), true
	case "country":
		return req.Country, true
	case "device":
		device, _ := r.agent(req)
		r.macroMemory = append(r.macroMemory[:0], device...)
		return r.macroMemory, true
	case "ts": // milliseconds since the Unix epoch, as in the click id
		r.macroMemory = strconv.AppendInt(r.macroMemory[:0], req.NowMs, 10)
		return r.macroMemory, true
	}
	for i, sub := range subNames {
		if string(name) == sub {
			return r.target.Sub[i], true
		}
	}
	return nil, false
}

// identity unpacks a text of the link's identity.
func (r *Resolver) identity(field attribution.IdentityField) []byte {
	r.macroMemory = attribution.AppendIdentityField(r.macroMemory[:0], r.link.Identity, field)
	return r.macroMemory
}
