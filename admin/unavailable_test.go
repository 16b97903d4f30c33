package admin

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"tributary/attribution"
	"tributary/catalog"
	"tributary/schema/database"
	"tributary/schema/database/databasetest"
)

func TestMain(m *testing.M) { databasetest.Main(m) }

// TestDatabaseAway answers 503, and says when to come back, while PostgreSQL is
// away: before it was ever there, and after it was lost.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	server := databasetest.NewServer(t)
	server.Stop()
	db, err := database.Open(t.Context(), server.DSN("postgres"), "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	things := catalog.New(db, catalog.Options{BaseURL: "https://t.example", Pepper: bytes.Repeat([]byte{7}, 32)})
	handler := New(Options{Catalog: things, Version: "test", Logger: slog.New(slog.DiscardHandler)})
	away := func(when string) {
		t.Helper()
		r := httptest.NewRequest(http.MethodGet, "/v1/campaigns", nil)
		r.Header.Set("Authorization", "Bearer trb_"+string(bytes.Repeat([]byte("x"), 32)))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !bytes.Contains(w.Body.Bytes(), []byte(`"code":"unavailable"`)) {
			t.Errorf("%s: %d %v %s", when, w.Code, w.Header(), w.Body)
		}
	}
	away("before it was there")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if err := db.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := things.CreateCreator(t.Context(), operator(), catalog.CreatorFields{Name: "Ana"}); err != nil {
		t.Error(err)
	}
	server.Kill()
	away("after it was lost")
	if _, is := attribution.AsProblem(db.Problem()); is || database.Unavailable(db.Problem()) {
		t.Errorf("it is migrated: %v", db.Problem())
	}
}
