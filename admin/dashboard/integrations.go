package dashboard

import (
	"tributary/admin/integrations"
	"tributary/catalog"
)

// An integrationsView is how a shop reports its sales.
type integrationsView struct {
	Tag, Track, Pixel, Server, Postback string
	Secrets                             []catalog.Secret
	Keys                                []catalog.Key
	Health                              block[[]integrations.Integration]
}

func showIntegrations(v *visit) (any, error) {
	key, tracker := v.Advertiser.PublicKey, v.TrackerURL
	view := integrationsView{
		Tag:   `<script async src="` + tracker + `/t/tag.js" data-adv="` + key + `"></script>`,
		Track: `tributary('track', 'sale', { order_id: '58213', amount: '49.90', currency: '` + v.Advertiser.Currency + `' })`,
		Pixel: `<img alt="" width="1" height="1" src="` + tracker + `/t/pixel.gif?adv=` + key + `&event=sale&order_id=58213&amount=49.90&currency=` + v.Advertiser.Currency + `&click_id=CLICK_ID">`,
		Server: "curl " + tracker + "/t/conversions \\\n  -H 'Authorization: Bearer YOUR_INGEST_KEY' -H 'Content-Type: application/json' \\\n  -d '" +
			`{"event":"sale","order_id":"58213","amount":"49.90","currency":"` + v.Advertiser.Currency + `","click_id":"CLICK_ID"}'`,
		Postback: tracker + "/t/postback?key=YOUR_TOKEN&event=sale&order_id=58213&amount=49.90&currency=" + v.Advertiser.Currency + "&click_id=CLICK_ID",
	}
	if v.Ways != nil {
		health, err := v.Ways.Health(v.Context(), v.Session.Scope, v.Advertiser.ID)
		view.Health = try(v, "integrations", health, err)
	}
	secrets, err := v.Catalog.Secrets(v.Context(), v.Session.Scope, v.Advertiser.ID, catalog.Page{})
	if err != nil {
		return nil, err
	}
	keys, err := v.Catalog.Keys(v.Context(), v.Session.Scope, catalog.KeyFilter{Role: catalog.RoleIngest, AdvertiserID: v.Advertiser.ID}, catalog.Page{})
	view.Secrets, view.Keys = secrets.Items, keys.Items
	return view, err
}

// reported adds up reports with their outcomes.
func reported(counts []integrations.Count) (all int64) {
	for _, c := range counts {
		all += c.Reports
	}
	return all
}
