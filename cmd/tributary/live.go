package main

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"

	"tributary/admin"
	"tributary/admin/reports"
)

// openLive makes the live stream. The key that seals its positions is the same on
// every node, as the pepper of API keys is, from which it follows.
func (a *app) openLive(r *reports.Reports) (admin.Routes, error) {
	key, err := hkdf.Key(sha256.New, a.secrets.KeyPepper, nil, "tributary live positions", 32)
	if err != nil {
		return nil, fmt.Errorf("derive the key of live positions: %w", err)
	}
	if a.live, err = reports.NewLive(r, key, a.reportTime, a.log); err != nil {
		return nil, err
	}
	return reports.LiveRoutes(a.live), nil
}
