package admin

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"tributary/attribution"
)

const (
	apiVersion     = "1.0.0"
	bearerScheme   = "key"
	rolesExtension = "x-roles"
	schemaPrefix   = "#/components/schemas/"
)

// humaConfig is huma without what it would add by itself: no documentation
// from a content network, no $schema links, no lazily made document.
func humaConfig() huma.Config {
	schemas := huma.NewMapRegistry(schemaPrefix, huma.DefaultSchemaNamer)
	schemas.RegisterTypeAlias(reflect.TypeFor[attribution.Decimal](), reflect.TypeFor[decimalSchema]())
	schemas.RegisterTypeAlias(reflect.TypeFor[attribution.Instant](), reflect.TypeFor[instantSchema]())
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:       "Tributary",
				Version:     apiVersion,
				Description: "Tracking and attribution for creator campaigns. Money is a decimal in the currency's own exponent, times are RFC 3339 in UTC, rates are decimals (0.10 is 10 %).",
			},
			Components: &huma.Components{
				Schemas: schemas,
				Responses: map[string]*huma.Response{"Problem": {
					Description: "What went wrong (RFC 9457)",
					Content:     map[string]*huma.MediaType{problemMediaType: {Schema: schemas.Schema(reflect.TypeFor[problem](), true, "")}},
				}},
				SecuritySchemes: map[string]*huma.SecurityScheme{bearerScheme: {
					Type: "http", Scheme: "bearer", Description: "An API key: trb_…",
				}},
			},
		},
		Formats:       formats(),
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{asOurs},
	}
}

// forgetForeignErrors removes the schemas huma adds for errors it never sends here.
func forgetForeignErrors(document *huma.OpenAPI) {
	delete(document.Components.Schemas.Map(), "ErrorModel")
	delete(document.Components.Schemas.Map(), "ErrorDetail")
}

// decimalSchema describes attribution.Decimal.
type decimalSchema string

// Schema says that a decimal may be written as a string or a number.
func (decimalSchema) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Description: "An exact decimal; answers always have a string",
		AnyOf: []*huma.Schema{
			{Type: huma.TypeString, Pattern: `^-?[0-9]+(\.[0-9]+)?$`},
			{Type: huma.TypeNumber},
		},
		Examples: []any{"12.50"},
	}
}

// instantSchema describes attribution.Instant.
type instantSchema string

// Schema says that an instant is RFC 3339.
func (instantSchema) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time", Examples: []any{"2027-01-10T09:00:00.000Z"}}
}
