package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"tributary/attribution"
)

// merge applies a JSON merge patch (RFC 7396) to fields and names those it
// changed. Every field the patch names that does not exist or cannot hold its
// value is a failed field.
func merge[T any](fields T, patch []byte) (merged T, changed []string, err error) {
	var check attribution.Checker
	wanted, err := object(patch)
	if err != nil {
		check.Add("body", "must be a JSON object")
		return merged, nil, check.Err()
	}
	before, err := members(fields)
	if err != nil {
		return merged, nil, err
	}
	known := jsonNames(reflect.TypeFor[T]())
	after := map[string]any{}
	for name, value := range before {
		after[name] = value
	}
	for name, value := range wanted {
		if !slices.Contains(known, name) {
			check.Add("body."+name, "is not a field that can be changed")
			continue
		}
		if value == nil {
			delete(after, name)
			continue
		}
		after[name] = mergeValue(after[name], value)
	}
	for _, name := range known {
		if value, given := after[name]; given {
			decodeMember(&check, &merged, name, value)
		}
	}
	if err := check.Err(); err != nil {
		return merged, nil, err
	}
	changed, err = differences(fields, merged)
	return merged, changed, err
}

// mergeValue is the algorithm of RFC 7396.
func mergeValue(target, patch any) any {
	members, isObject := patch.(map[string]any)
	if !isObject {
		return patch
	}
	old, _ := target.(map[string]any)
	out := make(map[string]any, len(old)+len(members))
	for name, value := range old {
		out[name] = value
	}
	for name, value := range members {
		if value == nil {
			delete(out, name)
		} else {
			out[name] = mergeValue(out[name], value)
		}
	}
	return out
}

// object reads one JSON object, keeping numbers as they are written.
func object(text []byte) (map[string]any, error) {
	reader := json.NewDecoder(bytes.NewReader(text))
	reader.UseNumber()
	var members map[string]any
	if err := reader.Decode(&members); err != nil {
		return nil, err
	}
	if _, err := reader.Token(); !errors.Is(err, io.EOF) || members == nil {
		return nil, errors.New("not one JSON object")
	}
	return members, nil
}

func members(fields any) (map[string]any, error) {
	text, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("catalog: encoding fields: %w", err)
	}
	return object(text)
}

// decodeMember sets one field of fields, or records why it cannot.
func decodeMember(check *attribution.Checker, fields any, name string, value any) {
	text, err := json.Marshal(map[string]any{name: value})
	if err == nil {
		reader := json.NewDecoder(bytes.NewReader(text))
		reader.DisallowUnknownFields()
		err = reader.Decode(fields)
	}
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
	case errors.As(err, &kind):
		check.Add("body."+kind.Field, "must be %s, not a JSON %s", kindName(kind.Type), kind.Value)
	default:
		if unknown, found := strings.CutPrefix(err.Error(), "json: unknown field "); found {
			check.Add("body."+name+"."+strings.Trim(unknown, `"`), "is not a field that can be changed")
			return
		}
		check.Add("body."+name, "%v", err)
	}
}

func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	default:
		return "a string"
	}
}

// jsonNames lists the names a struct has in JSON.
func jsonNames(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// differences names the members two values of a type differ in.
func differences(before, after any) ([]string, error) {
	old, err := members(before)
	if err != nil {
		return nil, err
	}
	young, err := members(after)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, name := range jsonNames(reflect.TypeOf(after)) {
		if !reflect.DeepEqual(old[name], young[name]) {
			names = append(names, name)
		}
	}
	return names, nil
}

// frozen records the fields that were changed and cannot be.
func frozen(check *attribution.Checker, changed []string, reason string, names ...string) {
	for _, name := range names {
		check.Require(!slices.Contains(changed, name), "body."+name, "cannot be changed: %s", reason)
	}
}
