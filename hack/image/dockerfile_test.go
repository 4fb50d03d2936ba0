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

// stages reads the stages of a Dockerfile by their names, as far as ours goes: an
// instruction that it does not know is an error, so that the image cannot
// change unseen.
func stages(source, version string) (map[string]*stage, error) {
	last := &stage{}
	named := map[string]*stage{}
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
			from, name, _ := strings.Cut(rest, " AS ")
			last = &stage{from: from}
			named[name] = last
		case "WORKDIR", "RUN":
			if last.from == "scratch" {
				return nil, fmt.Errorf("a stage from scratch has %s", instruction)
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
				return nil, fmt.Errorf("the entrypoint %s: %w", rest, err)
			}
		default:
			return nil, fmt.Errorf("unknown instruction %s", instruction)
		}
	}
	return named, nil
}
