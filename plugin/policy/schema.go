package policy

import _ "embed"

//go:embed schema.json
var schema []byte

// Schema returns the JSON Schema of policies, for editors and for checks before a
// run. Parse checks more: that codes exist, and that waivers are for one thing.
func Schema() []byte { return schema }
