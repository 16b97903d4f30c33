package catalog

import (
	"fmt"
	"strings"
	"testing"
)

func TestUnmet(t *testing.T) {
	t.Parallel()
	at := instant("2027-01-10T09:00:00Z")
	whole := CreatorFields{Country: "TH", Gender: "Female", BirthYear: 2000, Categories: []string{"Beauty", "food"}, Socials: []Social{
		{Platform: "tiktok", Followers: 5_000}, {Platform: "instagram", Followers: 90_000}, {Platform: "youtube", Followers: 2_000_000},
	}}
	for _, c := range []struct {
		name    string
		kind    string
		e       Eligibility
		creator CreatorFields
		want    string
	}{
		{name: "no conditions", creator: CreatorFields{}},
		{name: "every condition met", kind: "social", creator: whole, e: Eligibility{Countries: []string{"VN", "TH"}, Categories: []string{"beauty"},
			Genders: []string{"female"}, AgeMin: 27, AgeMax: 27, FollowersMin: 90_000, FollowersMax: 90_000}},
		{name: "nothing said", kind: "social", e: Eligibility{Countries: []string{"TH"}, Categories: []string{"beauty"}, Genders: []string{"female"},
			AgeMin: 18, AgeMax: 60, FollowersMin: 1, FollowersMax: 10},
			want: "creator.socials=social_account creator.country=country creator.categories=category creator.gender=gender " +
				"creator.birth_year=age_min creator.birth_year=age_max creator.socials=followers_min"},
		{name: "other country", creator: whole, e: Eligibility{Countries: []string{"VN"}}, want: "creator.country=country"},
		{name: "other category", creator: whole, e: Eligibility{Categories: []string{"beaut"}}, want: "creator.categories=category"},
		{name: "other gender", creator: whole, e: Eligibility{Genders: []string{"male", "other"}}, want: "creator.gender=gender"},
		{name: "too young", creator: whole, e: Eligibility{AgeMin: 28}, want: "creator.birth_year=age_min"},
		{name: "too old", creator: whole, e: Eligibility{AgeMax: 26}, want: "creator.birth_year=age_max"},
		{name: "too few followers", creator: whole, e: Eligibility{FollowersMin: 90_001}, want: "creator.socials=followers_min"},
		{name: "too many followers", creator: whole, e: Eligibility{FollowersMax: 4_999}, want: "creator.socials=followers_max"},
		{name: "the smaller account fits", creator: whole, e: Eligibility{FollowersMax: 5_000}},
		{name: "no account fits", creator: whole, e: Eligibility{FollowersMin: 6_000, FollowersMax: 80_000}, want: "creator.socials=followers_max"},
		{name: "no account, at most", creator: CreatorFields{}, e: Eligibility{FollowersMax: 10}, want: "creator.socials=followers_max"},
		{name: "social elsewhere", kind: "social", creator: CreatorFields{Socials: whole.Socials[2:]}, want: "creator.socials=social_account"},
		{name: "not social, elsewhere", kind: "code", creator: CreatorFields{Socials: whole.Socials[2:]}},
		{name: "social with an account", kind: "social", creator: CreatorFields{Socials: whole.Socials[:1]}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, f := range (CampaignFields{Kind: c.kind, Platforms: []string{"tiktok", "instagram"}, Eligibility: c.e}).Unmet(c.creator, at) {
				got = append(got, fmt.Sprintf("%s=%s", f.Location, f.Code))
				if f.Message == "" {
					t.Error("a condition without a sentence")
				}
			}
			equal(t, "unmet", strings.Join(got, " "), c.want)
		})
	}
}
