package admin

// An Answer is a thing as an operation answers it.
type Answer[T any] struct{ Body T }

// Answered is the answer of an operation that is one step.
func Answered[T any](t T, err error) (*Answer[T], error) {
	if err != nil {
		return nil, err
	}
	return &Answer[T]{Body: t}, nil
}
