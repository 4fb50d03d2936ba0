package architecture

import (
	"fmt"
	"slices"
	"strings"
)

// Imports returns what the packages import against the rules, one line each:
// the chain of imports and the reason.
func Imports(packages []Package) []string {
	byPath := map[string]Package{}
	for _, p := range packages {
		byPath[p.Path] = p
	}
	var found []string
	for _, p := range packages {
		if !p.Own() {
			continue
		}
		found = append(found, layering(p)...)
		if len(p.Cgo) > 0 {
			found = append(found, fmt.Sprintf("%s: %s: no cgo anywhere", p.Short(), strings.Join(p.Cgo, ", ")))
		}
		if p.Path == Module+"/probe/evidence" {
			found = append(found, foreign(p, byPath)...)
		}
		for _, ban := range bans {
			if !ban.holdsFor(p.Short()) {
				continue
			}
			if chain := reach(p.Path, ban, byPath); chain != nil {
				found = append(found, fmt.Sprintf("%s: %s", arrows(chain), ban.Why))
			}
		}
	}
	return found
}

func layering(p Package) []string {
	at := slices.IndexFunc(Layers, func(l Layer) bool { return l.Path == p.Short() })
	if at < 0 {
		return []string{p.Short() + ": this package is not among Layers in hack/architecture/rules.go, nor in docs/architecture.md"}
	}
	var found []string
	for _, path := range p.Imports {
		if within(path, Module) && !slices.Contains(Layers[at].May, short(path)) {
			found = append(found, fmt.Sprintf("%s: against the direction of imports; %s may import %s",
				arrows([]string{p.Path, path}), p.Short(), list(Layers[at].May)))
		}
	}
	return found
}

// foreign: the contract outlives its users' dependencies, so it has none.
func foreign(p Package, byPath map[string]Package) []string {
	var found []string
	for _, path := range p.Imports {
		if !byPath[path].Standard {
			found = append(found, arrows([]string{p.Path, path})+": the evidence contract needs the standard library only")
		}
	}
	return found
}

// reach returns the shortest chain of imports from a package to what the ban
// forbids, nil if there is none. The standard library's own imports are not
// followed: fmt imports os.
func reach(from string, ban Ban, byPath map[string]Package) []string {
	before := map[string]string{from: ""}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		for _, path := range byPath[queue[0]].Imports {
			if _, seen := before[path]; seen {
				continue
			}
			before[path] = queue[0]
			if ban.forbids(path) {
				var chain []string
				for at := path; at != ""; at = before[at] {
					chain = append(chain, at)
				}
				slices.Reverse(chain)
				return chain
			}
			if ban.Through && !byPath[path].Standard {
				queue = append(queue, path)
			}
		}
	}
	return nil
}

func arrows(chain []string) string {
	shorted := make([]string, len(chain))
	for i, path := range chain {
		shorted[i] = short(path)
	}
	return strings.Join(shorted, " → ")
}

func list(paths []string) string {
	if len(paths) == 0 {
		return "nothing of this module"
	}
	return strings.Join(paths, ", ")
}
