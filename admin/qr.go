package admin

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"rsc.io/qr"

	"tributary/catalog"
)

// qrQuiet is the width of the empty border a reader needs, in modules.
const qrQuiet = 4

type (
	qrPNGInput struct {
		ByID
		Scale int `query:"scale" minimum:"1" maximum:"40" default:"8" doc:"Pixels of one module"`
	}
	picture struct {
		ContentType string `header:"Content-Type"`
		Body        []byte
	}
)

func (a *API) qrCodes() {
	readers := []string{catalog.RoleAdmin, catalog.RoleAdvertiser, catalog.RoleCreator}
	Register(a, Operation{
		ID: "get-link-qr-svg", Method: http.MethodGet, Path: "/v1/links/{id}/qr.svg", Tag: "Links",
		Summary: "A link's QR code, to print at any size", Roles: readers, MediaType: "image/svg+xml",
	}, func(ctx context.Context, in *ByID) (*picture, error) {
		code, err := a.qrOf(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return &picture{"image/svg+xml", drawSVG(code)}, nil
	})
	Register(a, Operation{
		ID: "get-link-qr-png", Method: http.MethodGet, Path: "/v1/links/{id}/qr.png", Tag: "Links",
		Summary: "A link's QR code, for a screen", Roles: readers, MediaType: "image/png",
	}, func(ctx context.Context, in *qrPNGInput) (*picture, error) {
		code, err := a.qrOf(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		code.Scale = in.Scale
		return &picture{"image/png", code.PNG()}, nil
	})
}

// qrOf encodes a link's address so that it still reads with a smudge on it.
func (a *API) qrOf(ctx context.Context, linkID string) (*qr.Code, error) {
	link, err := a.catalog.Link(ctx, ScopeOf(ctx), linkID)
	if err != nil {
		return nil, err
	}
	code, err := qr.Encode(link.URL, qr.M)
	if err != nil {
		return nil, fmt.Errorf("draw %s as a QR code: %w", link.URL, err)
	}
	return code, nil
}

// drawSVG draws each row's dark modules as one path, a unit a module.
func drawSVG(code *qr.Code) []byte {
	side := code.Size + 2*qrQuiet
	var svg bytes.Buffer
	fmt.Fprintf(&svg, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%dv%dH0z"/><path d="`, side, side, side, side)
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			if !code.Black(x, y) {
				continue
			}
			from := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			fmt.Fprintf(&svg, "M%d %dh%dv1h-%dz", from+qrQuiet, y+qrQuiet, x-from, x-from)
		}
	}
	svg.WriteString(`"/></svg>`)
	return svg.Bytes()
}
