package main

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// checkInstallation compares this node's secrets with those other nodes told of,
// without changing anything.
func checkInstallation(ctx context.Context, x *examination) {
	const subject = "installation"
	s, err := readSecrets(x.options.secretsPath())
	if x.options.Database == "" || err != nil {
		return // alone, or told by the check of secrets
	}
	own, err := s.fingerprints()
	if err != nil {
		x.found(failing, subject, "", "%v", err)
		return
	}
	known, err := probeFingerprints(ctx, string(x.options.Database))
	if err != nil {
		return // told by the check of the database, or it has no tables yet
	}
	if _, err := compareFingerprints(own, known, x.options.secretsPath()); err != nil {
		x.found(failing, subject, "", "%v", err)
		return
	}
	var lacking []string
	for name := range known {
		if own[name] == "" {
			lacking = append(lacking, name)
		}
	}
	if len(lacking) > 0 {
		x.found(warning, subject, "bring the newest secrets to every node, unless these retired long ago", "other nodes know %s, and this one does not", strings.Join(lacking, ", "))
		return
	}
	x.found(fine, subject, "", "the secrets are those of the other nodes")
}

func probeFingerprints(ctx context.Context, dsn string) (map[string]string, error) {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, "SELECT name, fingerprint FROM installation")
	if err != nil {
		return nil, fmt.Errorf("ask for fingerprints: %w", err)
	}
	return scanFingerprints(rows)
}
