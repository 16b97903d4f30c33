package catalog

import (
	"context"
	"slices"

	"tributary/attribution"
	"tributary/schema/database"
)

// CredentialsSince returns up to limit changes numbered above after, in order:
// of advertisers, and of the credentials their reports come by. Revoked ones are
// among them. From 0 on it yields all there are. What changed several times comes
// once, as it is now.
func (c *Catalog) CredentialsSince(ctx context.Context, after int64, limit int) ([]attribution.RouteChange, error) {
	limit = min(max(limit, 1), routePage)
	var changes []attribution.RouteChange
	keep := func(change attribution.RouteChange) error {
		changes = append(changes, change)
		return nil
	}
	err := c.db.View(ctx, func(ctx context.Context, tx *database.Tx) error {
		if err := eachRoute(ctx, tx, "route.advertisers", after, limit, scanAdvertiserRoute, keep); err != nil {
			return err
		}
		if err := eachRoute(ctx, tx, "credential.keys", after, limit, scanKeyCredential, keep); err != nil {
			return err
		}
		return eachRoute(ctx, tx, "credential.secrets", after, limit, c.scanSecretCredential, keep)
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(changes, func(a, b attribution.RouteChange) int { return int(a.Number - b.Number) })
	return changes[:min(len(changes), limit)], nil
}

func scanKeyCredential(row scanner) (attribution.RouteChange, error) {
	credential := &attribution.Credential{Kind: attribution.CredentialKey}
	change := attribution.RouteChange{Credential: credential}
	var archived int64
	err := row.Scan(&change.Number, &credential.ID, &credential.Role, &credential.AdvertiserID, &credential.Hash, &credential.ExpiresAt, &archived)
	credential.Revoked = archived != 0
	return change, err
}

func (c *Catalog) scanSecretCredential(row scanner) (attribution.RouteChange, error) {
	credential := new(attribution.Credential)
	change := attribution.RouteChange{Credential: credential}
	var kept string
	var archived int64
	if err := row.Scan(&change.Number, &credential.ID, &credential.AdvertiserID, &credential.Kind, &kept, &archived); err != nil {
		return change, err
	}
	credential.Revoked = archived != 0
	if credential.Kind == SecretPostback {
		credential.Hash = kept
		return change, nil
	}
	var err error
	credential.Secret, err = c.unseal(credential.ID, kept)
	return change, err
}
