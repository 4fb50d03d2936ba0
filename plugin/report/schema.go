package report

import (
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Schema writes the JSON Schema of the document, made from the types that are
// written: of a report, or of a run without a verdict. Where it is strict, nothing
// else is allowed; a consumer allows it, since fields are added.
func Schema(w io.Writer, strict bool) error {
	s := schemas{defs: map[string]any{}, strict: strict}
	text, err := json.MarshalIndent(map[string]any{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"title":       "kubectl wg verify -o json, " + APIVersion,
		"description": "Written by make generate from the types of plugin/report; docs/json.md says what the fields mean.",
		"oneOf":       []any{s.of(reflect.TypeFor[document]()), s.of(reflect.TypeFor[failure]())},
		"$defs":       s.defs,
	}, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// schemas are those of the structures met so far, by their names.
type schemas struct {
	defs   map[string]any
	strict bool
}

// words are the types of which every value is known.
var words = map[reflect.Type][]any{
	reflect.TypeFor[verdict.Verdict](): {verdict.Passed, verdict.Failed, verdict.Undecided},
	reflect.TypeFor[verdict.Kind]():    {verdict.Plaintext, verdict.Blocked, verdict.Misconfigured, verdict.Unproven},
	reflect.TypeFor[verdict.Status](): {
		verdict.NotApplicable, verdict.Pass, verdict.Warn, verdict.Inconclusive, verdict.Fail,
	},
	reflect.TypeFor[verdict.Proof]():  steps(),
	reflect.TypeFor[check.Cell]():     {check.CellEncrypted, check.CellDropped, check.CellByDesign, check.CellLeak, check.CellNotProven},
	reflect.TypeFor[evidence.Class](): classWords(),
}

func steps() (all []any) {
	for _, proof := range verdict.Proofs {
		all = append(all, proof.Step)
	}
	return all
}

func classWords() []any {
	all := []any{classPods}
	for _, class := range evidence.Classes {
		all = append(all, class.Class)
	}
	return all
}

// of returns the schema of a type's values.
func (s *schemas) of(t reflect.Type) map[string]any {
	if values := words[t]; values != nil {
		return map[string]any{"enum": values}
	}
	if t == reflect.TypeFor[time.Time]() {
		return map[string]any{"type": "string", "format": "date-time"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.Struct:
		return s.structure(t)
	case reflect.Slice:
		return map[string]any{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "propertyNames": s.of(t.Key()), "additionalProperties": s.of(t.Elem())}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return map[string]any{"type": "integer"}
	case reflect.Uint64:
		return map[string]any{"type": "integer", "minimum": 0}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	default:
		return map[string]any{"type": "string"}
	}
}

// structure defines a structure, once, and refers to it.
func (s *schemas) structure(t reflect.Type) map[string]any {
	name := strings.TrimSuffix(t.Name(), "Of")
	if name == "" {
		return s.object(t)
	}
	if _, known := s.defs[name]; !known {
		s.defs[name] = nil // it may hold itself
		s.defs[name] = s.object(t)
	}
	return map[string]any{"$ref": "#/$defs/" + name}
}

func (s *schemas) object(t reflect.Type) map[string]any {
	properties, required := map[string]any{}, []string{}
	for _, field := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" || name == "-" || !field.IsExported() {
			continue
		}
		properties[name] = s.of(field.Type)
		if !strings.Contains(options, "omit") {
			required = append(required, name)
		}
	}
	object := map[string]any{"type": "object", "properties": properties, "required": required}
	if s.strict {
		object["additionalProperties"] = false
	}
	return object
}
