package catalog

import (
	"context"

	"tributary/attribution"
)

// CredentialsSince returns up to limit changes numbered above after, in order:
// of advertisers, and of the credentials their reports come by. Revoked ones are
// among them. From 0 on it yields all there are. What changed several times comes
// once, as it is now.
func (c *Catalog) CredentialsSince(ctx context.Context, after int64, limit int) ([]attribution.RouteChange, error) {
	return c.changesSince(ctx, after, limit, routeFeed{"route.advertisers", scanAdvertiserRoute}, routeFeed{"credential.keys", scanKeyCredential},
		routeFeed{"credential.secrets", c.scanSecretCredential})
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
