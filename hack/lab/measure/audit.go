package measure

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
)

// requests counts the requests in an audit log by verb and resource. A long one stands in it twice, at its beginning and
// at its end.
func requests(log io.Reader) (map[string]int, error) {
	counts, seen := map[string]int{}, map[string]bool{}
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event struct {
			AuditID, Verb, RequestURI string
			ObjectRef                 *struct{ Resource, Subresource string }
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			return nil, fmt.Errorf("reading the audit log: %w", err)
		}
		if event.AuditID == "" || seen[event.AuditID] {
			continue
		}
		seen[event.AuditID] = true
		what := event.RequestURI
		if event.ObjectRef != nil {
			what = event.ObjectRef.Resource
			if event.ObjectRef.Subresource != "" {
				what += "/" + event.ObjectRef.Subresource
			}
		}
		counts[event.Verb+" "+what]++
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading the audit log: %w", err)
	}
	return counts, nil
}
