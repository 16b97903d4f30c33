package database

import (
	"maps"
	"testing"
)

// TestAServerIsToldToGiveUpSilentMachines reads what connections ask PostgreSQL for.
func TestAServerIsToldToGiveUpSilentMachines(t *testing.T) {
	for dsn, want := range map[string]map[string]string{
		"postgres://db/t": {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "4", "tcp_user_timeout": "30000"},
		"postgres://db/t?tcp_keepalives_idle=60&tcp_user_timeout=": {"tcp_keepalives_idle": "60", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "4"},
	} {
		config, _, err := readDSN(dsn)
		if err != nil {
			t.Fatal(err)
		}
		delete(config.RuntimeParams, "application_name")
		if !maps.Equal(config.RuntimeParams, want) {
			t.Errorf("%s: %v", dsn, config.RuntimeParams)
		}
	}
}
