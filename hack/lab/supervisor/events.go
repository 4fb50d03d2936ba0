// Package supervisor is the process that owns a running lab: it starts the control plane and the node host, keeps them
// running, and makes the API server reachable on the machine's loopback. `lab up` starts it and reads its events;
// nothing needs `lab up` to stay.
package supervisor

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// Event is one line of the file in which a supervisor reports how the start goes.
type Event struct {
	Elapsed time.Duration `json:"elapsed"`
	Message string        `json:"message"`
	Ready   bool          `json:"ready,omitempty"`  // the lab is up: the last event
	Failed  bool          `json:"failed,omitempty"` // it will not come up: the last event
	Logs    []string      `json:"logs,omitempty"`   // where to look for the reason
}

type events struct {
	file  *os.File
	start time.Time
}

func (e *events) send(event Event) {
	event.Elapsed = time.Since(e.start)
	line, err := json.Marshal(event)
	if err == nil {
		_, err = e.file.Write(append(line, '\n'))
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "sending an event: %v\n", err)
	}
	fmt.Fprintf(os.Stderr, "%s %s\n", time.Now().Format(time.TimeOnly), event.Message)
}

func (e *events) say(format string, args ...any) {
	e.send(Event{Message: fmt.Sprintf(format, args...)})
}
