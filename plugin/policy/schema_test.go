package policy

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
	"k8s.io/kube-openapi/pkg/validation/validate"
	"sigs.k8s.io/yaml"
)

// The schema has exactly the fields that Parse reads.
func TestSchemaHasAllFields(t *testing.T) {
	var root map[string]any
	if err := json.Unmarshal(Schema(), &root); err != nil {
		t.Fatal(err)
	}
	sameFields(t, "policy", root, reflect.TypeFor[Policy]())
}

func sameFields(t *testing.T, where string, schema map[string]any, of reflect.Type) {
	t.Helper()
	properties, _ := schema["properties"].(map[string]any)
	var names []string
	for i := range of.NumField() {
		field := of.Field(i)
		name := field.Tag.Get("yaml")
		if name == "" {
			continue
		}
		names = append(names, name)
		below, _ := properties[name].(map[string]any)
		inner := field.Type
		if inner.Kind() == reflect.Slice {
			inner = inner.Elem()
			below, _ = below["items"].(map[string]any)
		}
		if inner.Kind() == reflect.Struct {
			sameFields(t, where+"."+name, below, inner)
		}
	}
	for name := range properties {
		if !slices.Contains(names, name) {
			t.Errorf("%s: Parse does not read %s", where, name)
		}
	}
	if len(properties) != len(names) || schema["additionalProperties"] != false {
		t.Errorf("%s: the schema has %d fields, Parse reads %v", where, len(properties), names)
	}
}

// The schema accepts what Parse accepts, and refuses what has another form.
func TestSchemaAgreesWithParse(t *testing.T) {
	schema := &spec.Schema{}
	if err := json.Unmarshal(Schema(), schema); err != nil {
		t.Fatal(err)
	}
	validator := validate.NewSchemaValidator(schema, nil, "", strfmt.Default)
	full, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for text, good := range map[string]bool{
		string(full): true,
		head:         true,
		string(Propose(judged(t, "host-healthy-dual"))):                true,
		head + "requires: {}\n":                                        false,
		head + "require: {families: [5]}\n":                            false,
		head + "require: {minimumKernel: 5.10}\n":                      false,
		head + "require: {maximumHandshakeAge: soon}\n":                false,
		head + "require: {nodes: [{name: s}]}\n":                       false,
		head + "warnings: {fail: [none]}\n":                            false,
		head + "waivers: [{code: WG0102, owner: o, expires: never}]\n": false,
		strings.Replace(head, "/v1", "/v2", 1):                         false,
	} {
		var value any
		if err := yaml.Unmarshal([]byte(text), &value); err != nil {
			t.Fatal(err)
		}
		_, err := Parse([]byte(text))
		result := validator.Validate(value)
		if result.IsValid() != good || (err == nil) != good {
			t.Errorf("%s\nschema: %v\nParse: %v", text, result.Errors, err)
		}
	}
}
