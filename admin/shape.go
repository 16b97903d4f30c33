package admin

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	"tributary/attribution"
)

// checkShape records every part of a parsed JSON value that does not fit the
// type: unknown fields, and values of the wrong kind. It goes on after the
// first, which encoding/json does not, and takes names only as they are
// written. Null fits everywhere: it is "not given" in a POST and "remove" in a
// merge patch. What values mean is the catalog's to check.
func checkShape(c *attribution.Checker, location string, t reflect.Type, value any) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case value == nil:
	case t == reflect.TypeFor[attribution.Decimal]():
		checkDecimal(c, location, value)
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		checkText(c, location, t, value)
	default:
		checkKind(c, location, t, value)
	}
}

func checkKind(c *attribution.Checker, location string, t reflect.Type, value any) {
	switch t.Kind() {
	case reflect.Struct:
		checkObject(c, location, value, func(name string) (reflect.Type, bool) { return fieldNamed(t, name) })
	case reflect.Map:
		checkObject(c, location, value, func(string) (reflect.Type, bool) { return t.Elem(), true })
	case reflect.Slice:
		items, ok := value.([]any)
		c.Require(ok, location, "must be an array")
		for i, item := range items {
			checkShape(c, location+"["+strconv.Itoa(i)+"]", t.Elem(), item)
		}
	case reflect.Bool:
		_, ok := value.(bool)
		c.Require(ok, location, "must be true or false")
	case reflect.Int, reflect.Int64:
		n, ok := value.(json.Number)
		_, err := strconv.ParseInt(n.String(), 10, 64)
		c.Require(ok && err == nil, location, "must be a whole number")
	case reflect.String:
		s, ok := value.(string)
		c.Require(ok, location, "must be a string")
		checkCharacters(c, location, s)
	case reflect.Interface:
		checkAnything(c, location, value)
	default:
		c.Add(location, "cannot be given")
	}
}

func checkObject(c *attribution.Checker, location string, value any, typeOf func(name string) (reflect.Type, bool)) {
	members, ok := value.(map[string]any)
	if !ok {
		c.Add(location, "must be an object")
		return
	}
	for name, member := range members {
		at := location + "." + name
		checkCharacters(c, at, name)
		if t, known := typeOf(name); known {
			checkShape(c, at, t, member)
		} else {
			c.Add(at, "is not a field that can be given here")
		}
	}
}

// checkAnything looks into values that are stored as they come.
func checkAnything(c *attribution.Checker, location string, value any) {
	switch v := value.(type) {
	case string:
		checkCharacters(c, location, v)
	case []any:
		for i, item := range v {
			checkAnything(c, location+"["+strconv.Itoa(i)+"]", item)
		}
	case map[string]any:
		for name, member := range v {
			checkCharacters(c, location, name)
			checkAnything(c, location+"."+name, member)
		}
	}
}

// checkCharacters refuses what PostgreSQL cannot store.
func checkCharacters(c *attribution.Checker, location, s string) {
	c.Require(!strings.ContainsRune(s, 0), location, "must not contain the character U+0000")
}

func checkDecimal(c *attribution.Checker, location string, value any) {
	switch value.(type) {
	case string, json.Number:
	default:
		c.Add(location, `must be a decimal as a string or a number, such as "12.50"`)
	}
}

func checkText(c *attribution.Checker, location string, t reflect.Type, value any) {
	s, ok := value.(string)
	if !ok {
		c.Add(location, "must be a string")
		return
	}
	if err := reflect.New(t).Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s)); err != nil {
		c.Add(location, "%v", err)
	}
}

// fieldNamed finds the type of a struct's JSON field, in embedded structs too.
func fieldNamed(t reflect.Type, name string) (reflect.Type, bool) {
	for i := range t.NumField() {
		field := t.Field(i)
		tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous && tag == "" {
			if inner, found := fieldNamed(field.Type, name); found {
				return inner, true
			}
		} else if tag == name && tag != "-" {
			return field.Type, true
		}
	}
	return nil, false
}
