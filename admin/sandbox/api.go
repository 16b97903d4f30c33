package sandbox

import (
	"context"
	"net/http"
	"time"

	"tributary/admin"
	"tributary/attribution"
	"tributary/catalog"
)

// moveTimeout bounds one move of the clock.
const moveTimeout = 5 * time.Minute

type clockAnswer struct {
	Body struct {
		Now    attribution.Instant `json:"now"`
		Stands bool                `json:"stands" doc:"False until the clock is first set: then the machine's time goes on"`
	}
}

type moveInput struct{ admin.JSON[Move] }

// Routes are the API's operations of a rehearsal.
func Routes(r *Rehearsal, samples *Samples) admin.Routes {
	return func(api *admin.API) {
		r.routes(api)
		samples.routes(api)
	}
}

func (r *Rehearsal) routes(api *admin.API) {
	const path = "/v1/sandbox/clock"
	admin.Register(api, admin.Operation{
		ID: "move-sandbox-clock", Method: http.MethodPost, Path: path, Tag: "Sandbox", Summary: "Set or advance the test clock",
		Description: "Everything received before is settled at the old time. The answer comes when everything due at the new time has happened.",
		Roles:       []string{catalog.RoleAdmin}, Timeout: moveTimeout, Waits: true,
	}, func(ctx context.Context, in *moveInput) (*clockAnswer, error) {
		if _, err := r.Move(ctx, in.Value()); err != nil {
			return nil, err
		}
		return r.answer(), nil
	})
	admin.Register(api, admin.Operation{
		ID: "get-sandbox-clock", Method: http.MethodGet, Path: path, Tag: "Sandbox", Summary: "Read the test clock",
		Roles: []string{catalog.RoleAdmin, catalog.RoleAdvertiser, catalog.RoleCreator},
	}, func(context.Context, *struct{}) (*clockAnswer, error) { return r.answer(), nil })
}

func (r *Rehearsal) answer() *clockAnswer {
	var out clockAnswer
	out.Body.Now, out.Body.Stands = attribution.InstantOf(r.Clock.Now()), r.Clock.stands()
	return &out
}
