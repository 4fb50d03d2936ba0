package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// stage is what a stage of a Dockerfile declares.
type stage struct {
	from   string
	copies [][]string
	config v1.Config
}

var label = regexp.MustCompile(`([a-z.]+)="([^"]*)"`)

// lastStage reads the last stage of a Dockerfile, as far as ours goes: an
// instruction that it does not know is an error, so that the image cannot
// change unseen.
func lastStage(source, version string) (stage, error) {
	var last stage
	var lines []string
	for line := range strings.Lines(source) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			lines = append(lines, line)
		}
	}
	for line := range strings.Lines(strings.ReplaceAll(strings.Join(lines, ""), "\\\n", " ")) {
		instruction, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		rest = strings.TrimSpace(rest)
		switch instruction {
		case "", "ARG":
		case "FROM":
			last = stage{from: rest}
		case "WORKDIR", "RUN":
			if last.from == "scratch" {
				return last, fmt.Errorf("the last stage has %s", instruction)
			}
		case "COPY":
			last.copies = append(last.copies, strings.Fields(rest))
		case "USER":
			last.config.User = rest
		case "LABEL":
			last.config.Labels = map[string]string{}
			for _, pair := range label.FindAllStringSubmatch(rest, -1) {
				last.config.Labels[pair[1]] = strings.ReplaceAll(pair[2], "$VERSION", version)
			}
		case "ENTRYPOINT":
			if err := json.Unmarshal([]byte(rest), &last.config.Entrypoint); err != nil {
				return last, fmt.Errorf("the entrypoint %s: %w", rest, err)
			}
		default:
			return last, fmt.Errorf("unknown instruction %s", instruction)
		}
	}
	return last, nil
}
