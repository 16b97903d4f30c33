package target

import (
	"tributary/redirect/links"
)

// matches reports whether every condition of a rule holds. The dearest to find
// out, what device it is, is asked last.
func (r *Resolver) matches(rule *links.Rule, req *Request) bool {
	if req.NowMs < rule.FromMs || req.NowMs >= rule.UntilMs {
		return false
	}
	if len(rule.Countries) > 0 && !inCountries(rule.Countries, req.Country) {
		return false
	}
	for _, condition := range rule.Query {
		if !req.Query.has(condition.Name, condition.Value) {
			return false
		}
	}
	if len(rule.Languages) > 0 && !spokenIn(rule.Languages, req.AcceptLanguage) {
		return false
	}
	if len(rule.Devices) == 0 && len(rule.OS) == 0 {
		return true
	}
	device, os := r.agent(req)
	return listed(rule.Devices, device) && listed(rule.OS, os)
}

func inCountries(countries []string, country []byte) bool {
	for _, c := range countries {
		if c == string(country) {
			return true
		}
	}
	return false
}

func spokenIn(languages []string, acceptLanguage []byte) bool {
	preferred := preferredLanguage(acceptLanguage)
	if preferred == nil {
		return false
	}
	for _, language := range languages {
		if speaks(preferred, language) {
			return true
		}
	}
	return false
}

// listed reports whether a list without entries, or one of its entries in lower
// case, allows name.
func listed(list []string, name string) bool {
	for _, entry := range list {
		if equalFold(name, entry) {
			return true
		}
	}
	return len(list) == 0
}
