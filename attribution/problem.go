package attribution

import (
	"errors"
	"fmt"
	"strings"
)

// A Problem is a refusal the person who asked can act on: a stable code a
// client may test for, a sentence for people, and every field that failed. All
// other errors are faults of the machine and never shown to a client.
type Problem struct {
	Code   string
	Detail string
	Fields []FieldProblem
}

// A FieldProblem says what is wrong with one field. Location is the path a
// client sees, for example "body.terms.lock.days". Code is stable and names the
// rule, where a field can fail several that a client tells apart.
type FieldProblem struct {
	Location string `json:"location"`
	Code     string `json:"code,omitempty"`
	Message  string `json:"message"`
}

// The codes every part of Tributary shares. Others stand beside the rule that
// raises them.
const (
	CodeValidation       = "validation"
	CodeNotFound         = "not_found"
	CodeConflict         = "conflict"
	CodeForbidden        = "forbidden"
	CodeTrackingDisabled = "tracking_disabled"
	CodeSlugTaken        = "slug_taken"
	CodeCampaignClosed   = "campaign_closed"
)

func (p *Problem) Error() string {
	if len(p.Fields) == 0 {
		return p.Detail
	}
	parts := make([]string, len(p.Fields))
	for i, f := range p.Fields {
		parts[i] = f.Location + ": " + f.Message
	}
	return p.Detail + ": " + strings.Join(parts, "; ")
}

// Refuse makes a Problem without fields.
func Refuse(code, format string, args ...any) *Problem {
	return &Problem{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// AsProblem finds the Problem in an error chain.
func AsProblem(err error) (*Problem, bool) {
	var p *Problem
	ok := errors.As(err, &p)
	return p, ok
}

// A Checker collects every field that fails, so that one answer names them all.
// The zero value is ready.
type Checker struct{ fields []FieldProblem }

// Add records a failed field.
func (c *Checker) Add(location, format string, args ...any) {
	c.fields = append(c.fields, FieldProblem{Location: location, Message: fmt.Sprintf(format, args...)})
}

// Require records a failed field unless ok.
func (c *Checker) Require(ok bool, location, format string, args ...any) {
	if !ok {
		c.Add(location, format, args...)
	}
}

// Err returns nil, or one validation Problem with every failed field.
func (c *Checker) Err() error {
	if len(c.fields) == 0 {
		return nil
	}
	return &Problem{Code: CodeValidation, Detail: "the request has fields that cannot be accepted", Fields: c.fields}
}
