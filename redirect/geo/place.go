package geo

import "strings"

// A Place is what the databases know of an address. Empty and zero mean unknown.
type Place struct {
	Country string // ISO 3166-1 alpha-2
	Region  string // ISO 3166-2 part, or the name a flat database has
	City    string // English name
	ASN     uint32
	ASOrg   string
}

// merge fills what p does not know yet from other.
func (p *Place) merge(other *Place) {
	if p.Country == "" {
		p.Country = other.Country
	}
	if p.Region == "" {
		p.Region = other.Region
	}
	if p.City == "" {
		p.City = other.City
	}
	if p.ASN == 0 {
		p.ASN, p.ASOrg = other.ASN, other.ASOrg
	}
}

// placeOf reads a database record of either layout.
func placeOf(record map[string]any) Place {
	p := Place{
		Country: firstText(text(record, "country", "iso_code"), text(record, "country_code"), text(record, "registered_country", "iso_code")),
		City:    firstText(text(record, "city", "names", "en"), text(record, "city")),
		ASOrg:   firstText(text(record, "autonomous_system_organization"), text(record, "as_org")),
		Region:  text(record, "state1"),
	}
	p.Country = strings.ToUpper(p.Country)
	if divisions, ok := record["subdivisions"].([]any); ok && len(divisions) > 0 {
		if first, ok := divisions[0].(map[string]any); ok {
			p.Region = text(first, "iso_code")
		}
	}
	for _, key := range []string{"autonomous_system_number", "asn"} {
		switch n := record[key].(type) {
		case uint64:
			p.ASN = uint32(n)
		case uint32:
			p.ASN = n
		}
	}
	return p
}

// text follows keys through nested maps to a string; empty when there is none.
func text(record map[string]any, keys ...string) string {
	var value any = record
	for _, key := range keys {
		m, ok := value.(map[string]any)
		if !ok {
			return ""
		}
		value = m[key]
	}
	s, _ := value.(string)
	return s
}

func firstText(candidates ...string) string {
	for _, s := range candidates {
		if s != "" {
			return s
		}
	}
	return ""
}
