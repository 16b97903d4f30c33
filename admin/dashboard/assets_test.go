package dashboard

import (
	"compress/gzip"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

func TestAssets(t *testing.T) {
	o := newOffice(t, false)
	b := o.browser()
	_, body := b.get("/login")
	addresses := regexp.MustCompile(`/assets/[0-9a-f]{16}/[a-z]+\.[a-z]+`).FindAllString(body, -1)
	if len(addresses) < 3 {
		t.Fatalf("the sign-in page has %v", addresses)
	}
	for _, address := range addresses {
		answer, content := b.get(address) // the client asks for gzip and unpacks it
		if answer.StatusCode != 200 || !strings.Contains(answer.Header.Get("Cache-Control"), "immutable") || content == "" || !answer.Uncompressed {
			t.Errorf("%s: %s %v", address, answer.Status, answer.Header)
		}
		old := regexp.MustCompile(`/[0-9a-f]{16}/`).ReplaceAllString(address, "/0000000000000000/")
		if answer, again := b.get(old); answer.StatusCode != 200 || strings.Contains(answer.Header.Get("Cache-Control"), "immutable") || again != content {
			t.Errorf("%s: %s %s", old, answer.Status, answer.Header.Get("Cache-Control"))
		}
	}
	if answer, _ := b.get("/assets/x/none.js"); answer.StatusCode != 404 {
		t.Errorf("an asset that is not there: %s", answer.Status)
	}
	request := must(http.NewRequest(http.MethodGet, o.url+addresses[0], nil))(t)
	request.Header.Set("Accept-Encoding", "gzip;q=0, identity")
	if answer, _ := b.send(request); answer.Header.Get("Content-Encoding") != "" {
		t.Error("gzip is sent to who does not take it")
	}
}

// TestModulesFindEachOther reads every script's imports.
func TestModulesFindEachOther(t *testing.T) {
	files := must(loadAssets())(t)
	for name, file := range files.files {
		for _, match := range regexp.MustCompile(`from '\./([^']+)'`).FindAllSubmatch(file.content, -1) {
			if _, found := files.files[string(match[1])]; !found {
				t.Errorf("%s imports %s, which is not there", name, match[1])
			}
		}
		for _, forbidden := range []string{"innerHTML", "insertAdjacentHTML", "document.write", "eval("} {
			if name != "uplot.js" && strings.Contains(string(file.content), forbidden) {
				t.Errorf("%s has %s", name, forbidden)
			}
		}
		reader := must(gzip.NewReader(strings.NewReader(string(file.compressed))))(t)
		if unpacked := must(io.ReadAll(reader))(t); string(unpacked) != string(file.content) {
			t.Errorf("%s is compressed wrong", name)
		}
	}
}
