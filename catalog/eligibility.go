package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"tributary/attribution"
)

// CodeNotEligible says that the creator does not meet a campaign's conditions;
// the fields of the Problem name each one that failed by its own code.
const CodeNotEligible = "not_eligible"

// The conditions of a campaign, by the code a refusal names them with.
const (
	ConditionSocial       = "social_account" // social campaigns need an account on one of their platforms
	ConditionCountry      = "country"
	ConditionCategory     = "category"
	ConditionGender       = "gender"
	ConditionAgeMin       = "age_min"
	ConditionAgeMax       = "age_max"
	ConditionFollowersMin = "followers_min"
	ConditionFollowersMax = "followers_max"
)

// Unmet names every condition of the campaign that a creator does not meet at a
// time; none when the creator is eligible. What a creator has not said meets no
// condition: without a country no country is right, without a birth year no age,
// without an account on the campaign's platforms no number of followers.
//
// The age is the one reached in the year of the time (UTC). Followers are those
// of one account on a platform of the campaign: accounts are not added up, and
// one that fits is enough.
func (f CampaignFields) Unmet(creator CreatorFields, at attribution.Instant) []attribution.FieldProblem {
	var u unmet
	e := f.Eligibility
	accounts := f.accountsOf(creator)
	if f.Kind == "social" && len(accounts) == 0 {
		u.add("socials", ConditionSocial, "needs an account on one of: %s", strings.Join(f.Platforms, " "))
	}
	if len(e.Countries) > 0 && !slices.Contains(e.Countries, creator.Country) {
		u.add("country", ConditionCountry, "must be one of: %s; %s", strings.Join(e.Countries, " "), is(creator.Country))
	}
	if len(e.Categories) > 0 && !slices.ContainsFunc(creator.Categories, func(own string) bool { return containsFold(e.Categories, own) }) {
		u.add("categories", ConditionCategory, "must have one of: %s", strings.Join(e.Categories, ", "))
	}
	if len(e.Genders) > 0 && !containsFold(e.Genders, creator.Gender) {
		u.add("gender", ConditionGender, "must be one of: %s; %s", strings.Join(e.Genders, ", "), is(creator.Gender))
	}
	e.checkAge(&u, creator.BirthYear, at)
	e.checkFollowers(&u, accounts)
	return u
}

func (e Eligibility) checkAge(u *unmet, birthYear int, at attribution.Instant) {
	age := at.Time().Year() - birthYear
	if e.AgeMin > 0 && (birthYear == 0 || age < e.AgeMin) {
		u.add("birth_year", ConditionAgeMin, "must make the creator %d or older", e.AgeMin)
	}
	if e.AgeMax > 0 && (birthYear == 0 || age > e.AgeMax) {
		u.add("birth_year", ConditionAgeMax, "must make the creator %d or younger", e.AgeMax)
	}
}

func (e Eligibility) checkFollowers(u *unmet, accounts []Social) {
	if slices.ContainsFunc(accounts, func(a Social) bool {
		return a.Followers >= e.FollowersMin && (e.FollowersMax == 0 || a.Followers <= e.FollowersMax)
	}) {
		return
	}
	most := slices.MaxFunc(append(accounts, Social{}), func(a, b Social) int { return cmp.Compare(a.Followers, b.Followers) }).Followers
	switch {
	case e.FollowersMin > 0 && most < e.FollowersMin:
		u.add("socials", ConditionFollowersMin, "needs an account on a platform of the campaign with %d followers or more", e.FollowersMin)
	case e.FollowersMax > 0:
		u.add("socials", ConditionFollowersMax, "needs an account on a platform of the campaign with %d to %d followers", e.FollowersMin, e.FollowersMax)
	}
}

// accountsOf are the creator's accounts on the campaign's platforms.
func (f CampaignFields) accountsOf(creator CreatorFields) []Social {
	var accounts []Social
	for _, social := range creator.Socials {
		if slices.Contains(f.Platforms, social.Platform) {
			accounts = append(accounts, social)
		}
	}
	return accounts
}

// unmet collects conditions, under "creator".
type unmet []attribution.FieldProblem

func (u *unmet) add(field, code, format string, args ...any) {
	*u = append(*u, attribution.FieldProblem{Location: "creator." + field, Code: code, Message: fmt.Sprintf(format, args...)})
}

func is(value string) string {
	if value == "" {
		return "the creator has not said"
	}
	return "the creator's is " + value
}

func containsFold(values []string, value string) bool {
	return slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, value) })
}
