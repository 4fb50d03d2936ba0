package vm

import (
	"bufio"
	"fmt"
	"io"
	"path"
	"strings"
)

// moduleIndex is a kernel's modules.dep: for each module its file, relative to the modules folder, and the files it
// needs, and the names that are built into the kernel and need no file.
type moduleIndex struct {
	file    map[string]string   // module name → its file
	needs   map[string][]string // file → files it depends on
	builtin map[string]bool
}

// parseModules reads modules.dep and modules.builtin, the formats of modules.dep(5).
func parseModules(dep, builtin io.Reader) (moduleIndex, error) {
	index := moduleIndex{file: map[string]string{}, needs: map[string][]string{}, builtin: map[string]bool{}}
	lines := bufio.NewScanner(dep)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		file, needs, found := strings.Cut(lines.Text(), ":")
		if !found {
			return index, fmt.Errorf("modules.dep: no colon in %q", lines.Text())
		}
		index.file[moduleName(file)] = file
		index.needs[file] = strings.Fields(needs)
	}
	if err := lines.Err(); err != nil {
		return index, fmt.Errorf("reading modules.dep: %w", err)
	}
	lines = bufio.NewScanner(builtin)
	for lines.Scan() {
		index.builtin[moduleName(lines.Text())] = true
	}
	if err := lines.Err(); err != nil {
		return index, fmt.Errorf("reading modules.builtin: %w", err)
	}
	return index, nil
}

// moduleName is the kernel's name of a module file: no folder, no ".ko" and compression, '_' for '-'.
func moduleName(file string) string {
	name, _, _ := strings.Cut(path.Base(file), ".ko")
	return strings.ReplaceAll(name, "-", "_")
}

// resolve lists the files to insert for the named modules, each after all that it needs, none twice.
func (index moduleIndex) resolve(names ...string) ([]string, error) {
	var order []string
	state := map[string]int{} // 1 = being visited, 2 = in order
	var visit func(file string) error
	visit = func(file string) error {
		switch state[file] {
		case 1:
			return fmt.Errorf("modules.dep: %s depends on itself", file)
		case 2:
			return nil
		}
		needs, found := index.needs[file]
		if !found {
			return fmt.Errorf("modules.dep: no entry for %s", file)
		}
		state[file] = 1
		for _, need := range needs {
			if err := visit(need); err != nil {
				return err
			}
		}
		state[file] = 2
		order = append(order, file)
		return nil
	}
	for _, name := range names {
		name = moduleName(name)
		if index.builtin[name] {
			continue
		}
		file, found := index.file[name]
		if !found {
			return nil, fmt.Errorf("the kernel has no module %s", name)
		}
		if err := visit(file); err != nil {
			return nil, err
		}
	}
	return order, nil
}
