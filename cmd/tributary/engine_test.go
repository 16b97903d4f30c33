package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestReadersAskTheEmbeddedClickHouse(t *testing.T) {
	o := testOptions(t, t.TempDir())
	o.ClickhouseListen = "127.0.0.1:0"
	a := startTestApp(t, o)
	ask := func(query string) (int, string) {
		response, err := a.http.Post("http://"+a.engine.ListenAddr()+"/", "text/plain", strings.NewReader(query))
		if err != nil {
			return 0, err.Error()
		}
		defer response.Body.Close()
		answer, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(answer)
	}
	a.clicked(a.makeLink(), phone)
	eventually(t, func() error {
		if status, answer := ask("SELECT sum(clicks) FROM clicks_15m"); status != http.StatusOK || answer != "1\n" {
			return fmt.Errorf("answered %d %s", status, answer)
		}
		return nil
	})
	if status, answer := ask("TRUNCATE TABLE clicks"); status == http.StatusOK {
		t.Errorf("a reader wrote: %s", answer)
	}

	o.DataDir, o.ClickhouseListen = t.TempDir(), a.adminListener.Addr().String()
	if _, err := startApp(t.Context(), o, appConfig{log: a.log, out: io.Discard}); err == nil || !strings.Contains(err.Error(), "--clickhouse-listen "+o.ClickhouseListen+" is taken") {
		t.Errorf("a taken address: %v", err)
	}
}
