package dashboard

import (
	"context"
	"html/template"
	"maps"
	"slices"
	"strings"

	"tributary/catalog"
)

// A navGroup is a part of the navigation.
type navGroup struct {
	Area    area
	Heading string // only where there are several groups
	Items   []navItem
}

type navItem struct {
	Label, Address, Icon, Badge string
	Current                     bool
}

var areaNames = map[area]string{areaOperator: "Operation", areaAdvertiser: "Advertiser", areaCreator: "Creator"}

// Navigation is what the role may go to.
func (v *visit) Navigation() (groups []navGroup) {
	for _, of := range []area{areaOperator, areaAdvertiser, areaCreator} {
		group := navGroup{Area: of}
		for _, p := range v.pages {
			if p.Area == of && p.Nav != "" && p.mayBeSeenBy(v.Session.Scope.Role) {
				current := p == v.Page || v.Page.Nav == "" && v.Page.Parent == p.Path
				item := navItem{Label: p.Nav, Address: v.Link(p.Path), Icon: p.Icon, Current: current}
				if p.Badge != nil {
					item.Badge = p.Badge(v)
				}
				group.Items = append(group.Items, item)
			}
		}
		if len(group.Items) > 0 {
			groups = append(groups, group)
		}
	}
	if len(groups) > 1 {
		for i := range groups {
			groups[i].Heading = areaNames[groups[i].Area]
		}
	}
	return groups
}

// SwitchPath is where choosing another advertiser leads: here, or to the list
// where this page is about one thing of the old one.
func (v *visit) SwitchPath() string {
	if strings.Contains(v.Page.Path, "{") {
		return v.homeOf(catalog.RoleAdvertiser)
	}
	return v.Path()
}

// Who names the key's owner.
func (v *visit) Who() string {
	ctx := context.WithoutCancel(v.Context()) // an answer that is late still says whose it is
	switch scope := v.Session.Scope; scope.Role {
	case catalog.RoleAdvertiser:
		if own, err := v.Catalog.Advertiser(ctx, scope, scope.AdvertiserID); err == nil {
			return own.Name
		}
	case catalog.RoleCreator:
		if own, err := v.Catalog.Creator(ctx, scope, scope.CreatorID); err == nil {
			return own.Name
		}
	}
	return "Operator"
}

// Kept are the parameters of this address but for some, for a form to send along.
func (v *visit) Kept(but ...string) (kept [][2]string) {
	query := v.r.URL.Query()
	for _, name := range slices.Sorted(maps.Keys(query)) {
		values := query[name]
		if !slices.Contains(but, name) && values[0] != "" {
			kept = append(kept, [2]string{name, values[0]})
		}
	}
	return kept
}

// KeptBesidePeriod are the parameters that choosing another period keeps.
func (v *visit) KeptBesidePeriod() [][2]string {
	if v.Page.NoCompare {
		return v.Kept("period", "from", "to", "cursor")
	}
	return v.Kept("period", "from", "to", "compare", "cursor")
}

// icon writes an icon by its name.
func (p *page) icon(name string) (template.HTML, error) {
	var out strings.Builder
	if err := p.template.ExecuteTemplate(&out, "icon-"+name, nil); err != nil {
		return "", err
	}
	return template.HTML(out.String()), nil // a template of this package
}
