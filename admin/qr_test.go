package admin

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image/png"
	"strings"
	"testing"

	"rsc.io/qr"
)

func TestQRCodesShowTheLink(t *testing.T) {
	b := newBench(t, nil)
	w := b.world()
	link := b.send(b.root, "GET", "/v1/links/"+w.link, "").want(200).text("url")
	want, err := qr.Encode(link, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	r := b.send(w.creatorKey, "GET", "/v1/links/"+w.link+"/qr.png?scale=3", "").want(200)
	picture, err := png.Decode(bytes.NewReader(r.body))
	if err != nil || r.header.Get("Content-Type") != "image/png" {
		t.Fatalf("%s: %v", r.header.Get("Content-Type"), err)
	}
	if side := 3 * (want.Size + 2*qrQuiet); picture.Bounds().Dx() != side {
		t.Errorf("%v, want a side of %d", picture.Bounds(), side)
	}
	r = b.send(w.creatorKey, "GET", "/v1/links/"+w.link+"/qr.svg", "").want(200)
	if r.header.Get("Content-Type") != "image/svg+xml" {
		t.Errorf("Content-Type %s", r.header.Get("Content-Type"))
	}
	dark := darkModules(t, r.body)
	for y := range want.Size {
		for x := range want.Size {
			onPNG, _, _, _ := picture.At(3*(x+qrQuiet)+1, 3*(y+qrQuiet)+1).RGBA()
			if black := want.Black(x, y); black != dark[[2]int{x + qrQuiet, y + qrQuiet}] || black != (onPNG == 0) {
				t.Fatalf("module %d,%d is wrong", x, y)
			}
		}
	}
	b.send(w.creatorKey, "GET", "/v1/links/"+w.link+"/qr.png?scale=100", "").problem(422, "validation")
}

// darkModules reads back which unit squares an SVG paints dark.
func darkModules(t *testing.T, svg []byte) map[[2]int]bool {
	t.Helper()
	var picture struct {
		Paths []struct {
			D string `xml:"d,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal(svg, &picture); err != nil || len(picture.Paths) != 2 {
		t.Fatalf("%v: %s", err, svg)
	}
	dark := map[[2]int]bool{}
	for _, run := range strings.Split(strings.Trim(picture.Paths[1].D, "Mz"), "zM") {
		var x, y, width, back int
		if _, err := fmt.Sscanf(run, "%d %dh%dv1h-%d", &x, &y, &width, &back); err != nil || width != back {
			t.Fatalf("run %q: %v", run, err)
		}
		for i := range width {
			dark[[2]int{x + i, y}] = true
		}
	}
	return dark
}
