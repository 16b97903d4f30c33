package catalog

import (
	"context"
	"database/sql"

	"tributary/attribution"
)

// Me is who asks, as far as its key tells.
type Me struct {
	Role           string               `json:"role"`
	KeyID          string               `json:"key_id,omitempty"`
	KeyName        string               `json:"key_name,omitempty"`
	Name           string               `json:"name" doc:"Of the advertiser or the creator; of the key for an admin"`
	AdvertiserID   string               `json:"advertiser_id,omitempty"`
	AdvertiserName string               `json:"advertiser_name,omitempty"`
	Currency       string               `json:"currency,omitempty" doc:"The advertiser's"`
	CreatorID      string               `json:"creator_id,omitempty"`
	CreatorName    string               `json:"creator_name,omitempty"`
	Timezone       string               `json:"timezone,omitempty" doc:"The advertiser's or the creator's"`
	ExpiresAt      *attribution.Instant `json:"expires_at,omitempty" doc:"When the key ends; absent when it does not"`
}

// Me says who a scope is.
func (c *Catalog) Me(ctx context.Context, scope Scope) (Me, error) {
	me := Me{Role: scope.Role, KeyID: scope.KeyID, AdvertiserID: scope.AdvertiserID, CreatorID: scope.CreatorID}
	key, err := scanKey(c.db.Row(ctx, "key.by_id", scope.KeyID))
	if isNot(err, sql.ErrNoRows) {
		return me, err
	}
	me.KeyName, me.ExpiresAt = key.Name, key.ExpiresAt
	me.Name = key.Name
	if scope.AdvertiserID != "" {
		advertiser, err := scanAdvertiser(c.db.Row(ctx, "advertiser.by_id", scope.AdvertiserID))
		if isNot(err, sql.ErrNoRows) {
			return me, err
		}
		me.AdvertiserName, me.Currency, me.Timezone = advertiser.Name, advertiser.Currency, advertiser.Timezone
		me.Name = me.AdvertiserName
	}
	if scope.CreatorID != "" {
		creator, err := scanCreator(c.db.Row(ctx, "creator.by_id", scope.CreatorID))
		if isNot(err, sql.ErrNoRows) {
			return me, err
		}
		me.CreatorName, me.Timezone = creator.Name, creator.Timezone
		me.Name = me.CreatorName
	}
	return me, nil
}
