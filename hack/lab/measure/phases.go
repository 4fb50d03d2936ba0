package measure

import (
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Phase is a phase of verify, or a step of one.
type Phase struct {
	Name string
	Step bool
	Took time.Duration
}

// line is what `verify -v` logs of a phase or a step that is over.
var line = regexp.MustCompile(`(?m) msg=(phase|step) name=(?:"([^"]+)"|(\S+)) took=(\S+)`)

// phases reads the log of verify. Steps of the same name are added up; they stand where the first of them ended.
func phases(log []byte) ([]Phase, error) {
	var all []Phase
	at := map[string]int{}
	for _, match := range line.FindAllSubmatch(log, -1) {
		phase := Phase{Name: string(match[2]) + string(match[3]), Step: string(match[1]) == "step"}
		took, err := time.ParseDuration(string(match[4]))
		if err != nil {
			return nil, fmt.Errorf("the duration of %s: %w", phase.Name, err)
		}
		i, known := at[phase.Name]
		if !known {
			i = len(all)
			at[phase.Name] = i
			all = append(all, phase)
		}
		all[i].Took += took
	}
	if len(all) == 0 {
		return nil, errors.New("verify -v reports no phase")
	}
	return all, nil
}
