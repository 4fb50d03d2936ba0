package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
)

// addCases adds the conditions of cases to a coverage profile. Go counts what a
// case does and not that it was asked for, so that gremlins takes each operator
// in one for code that no test reaches. It is reached where its switch is.
func addCases(profile, module string) error {
	b, err := os.ReadFile(profile)
	if err != nil {
		return err
	}
	covered := map[string][]block{}
	for line := range strings.Lines(string(b)) {
		var one block
		name, rest, _ := strings.Cut(line, ":")
		n, _ := fmt.Sscanf(rest, "%d.%d,%d.%d %d %d",
			&one.from.line, &one.from.column, &one.to.line, &one.to.column, &one.statements, &one.count)
		if n == 6 && one.count > 0 {
			covered[name] = append(covered[name], one)
		}
	}
	added := bytes.NewBuffer(b)
	for name, blocks := range covered {
		if err := casesOf(added, name, strings.TrimPrefix(name, module+"/"), blocks); err != nil {
			return err
		}
	}
	return os.WriteFile(profile, added.Bytes(), 0o600)
}

// block is a line of a coverage profile.
type block struct {
	from, to          place
	statements, count int
}

type place struct{ line, column int }

func (p place) before(q place) bool {
	return p.line < q.line || p.line == q.line && p.column < q.column
}

// casesOf writes a block for the conditions of each case of a switch that was
// reached.
func casesOf(out *bytes.Buffer, name, path string, covered []block) error {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	at := func(p token.Pos) place {
		position := set.Position(p)
		return place{position.Line, position.Column}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		chosen, ok := n.(*ast.SwitchStmt)
		if !ok || !reached(covered, at(chosen.Pos())) {
			return true
		}
		for _, clause := range chosen.Body.List {
			from, to := at(clause.Pos()), at(clause.(*ast.CaseClause).Colon)
			fmt.Fprintf(out, "%s:%d.%d,%d.%d 1 1\n", name, from.line, from.column, to.line, to.column)
		}
		return true
	})
	return nil
}

func reached(covered []block, p place) bool {
	for _, one := range covered {
		if !p.before(one.from) && p.before(one.to) {
			return true
		}
	}
	return false
}
