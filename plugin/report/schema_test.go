package report

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-wg/kubectl-wg/hack/golden"
)

//go:generate sh -c "go run ../../hack/schema > ../../docs/report.schema.json"

// compiled reads a schema.
func compiled(t *testing.T, name string, text []byte) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(name, document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// validate holds a text against the schema in a file.
func validate(t *testing.T, file, name, text string) {
	t.Helper()
	schema, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := conforms(compiled(t, file, schema), text); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

func conforms(schema *jsonschema.Schema, text string) error {
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// docs/report.schema.json is that of the types that are written.
func TestSchema(t *testing.T) {
	var b bytes.Buffer
	if err := Schema(&b, false); err != nil {
		t.Fatal(err)
	}
	golden.CompareFile(t, "../../docs/report.schema.json", b.Bytes())
}

// Every document is what the schema says and nothing else, in JSON and in YAML, with
// and without a verdict.
func TestDocumentsConform(t *testing.T) {
	var text bytes.Buffer
	if err := Schema(&text, true); err != nil {
		t.Fatal(err)
	}
	schema := compiled(t, "strict.json", text.Bytes())
	for name, document := range rendered(t, "json") {
		if err := conforms(schema, document); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, document := range rendered(t, "yaml") {
		converted, err := yaml.YAMLToJSON([]byte(document))
		if err != nil {
			t.Fatal(err)
		}
		if err := conforms(schema, string(converted)); err != nil {
			t.Errorf("%s as YAML: %v", name, err)
		}
	}
	var failed bytes.Buffer
	if err := (Failure{APIVersion, Kind, 4, "it could not run", ""}).Write(&failed, "json"); err != nil {
		t.Fatal(err)
	}
	if err := conforms(schema, failed.String()); err != nil {
		t.Error(err)
	}
}

// Every recording of the repository gives a document of the schema.
func TestRecordingsConform(t *testing.T) {
	text, err := os.ReadFile("../../docs/report.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	schema := compiled(t, "report.schema.json", text)
	for _, name := range recordings(t) {
		var b bytes.Buffer
		if err := Write(&b, "json", judged(t, name), Options{}); err != nil {
			t.Fatal(err)
		}
		if err := conforms(schema, b.String()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The schema refuses what a consumer could not read.
func TestSchemaRefuses(t *testing.T) {
	text, err := os.ReadFile("../../docs/report.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	schema := compiled(t, "report.schema.json", text)
	for name, change := range map[string]func(map[string]any){
		"an unknown verdict":  func(d map[string]any) { d["verdict"] = "MAYBE" },
		"a missing exit code": func(d map[string]any) { delete(d, "exitCode") },
		"a text as number":    func(d map[string]any) { d["exitCode"] = "1" },
		"no list of causes":   func(d map[string]any) { d["causes"] = nil },
	} {
		document := parsed(t, judged(t, "host-vxlan"), "json", Options{})
		change(document)
		changed, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		if conforms(schema, string(changed)) == nil {
			t.Errorf("%s conforms", name)
		}
	}
	document := parsed(t, judged(t, "host-vxlan"), "json", Options{})
	document["added"] = "by a later version"
	added, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	if err := conforms(schema, string(added)); err != nil {
		t.Errorf("what is added does not conform: %v", err)
	}
}
