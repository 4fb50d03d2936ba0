package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
)

// key is how a row of the table is found: a code, and the variant and system
// that it is for.
type key struct{ code, variant, system string }

// comment is what stands above a row.
type comment struct{ text, file string }

// comments are those of all rows, in the order of the source where several rows
// have the same key.
type comments map[key][]comment

// take returns the next comment of a key.
func (c comments) take(k key) comment {
	all := c[k]
	if len(all) == 0 {
		return comment{}
	}
	c[k] = all[1:]
	return all[0]
}

// flannels are the systems of a row that is for Flannel however it is run.
var flannels = []string{"k3s", "rke2", "flannel"}

// read finds the rows in a folder's source: composite literals whose first three
// values are a code, a variant and a system.
func read(source string) (comments, error) {
	files, err := filepath.Glob(filepath.Join(source, "*.go"))
	if err != nil {
		return nil, err
	}
	if files == nil {
		return nil, &fs.PathError{Op: "read", Path: source, Err: fs.ErrNotExist}
	}
	found, shared := comments{}, comments{}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			literal, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			k, ok := keyOf(literal)
			if !ok {
				return true
			}
			one := comment{about(set, file, literal), filepath.Base(path)}
			if k.system != "" && !token.IsExported(k.system) { // a field: each of the systems
				for _, system := range flannels {
					at := key{k.code, k.variant, system}
					shared[at] = append(shared[at], one)
				}
				return true
			}
			k.system = strings.ToLower(k.system)
			found[k] = append(found[k], one)
			return true
		})
	}
	for k, all := range shared {
		found[k] = append(found[k], all...)
	}
	return found, nil
}

func keyOf(literal *ast.CompositeLit) (k key, ok bool) {
	if len(literal.Elts) < 4 {
		return key{}, false
	}
	var parts []string
	for _, e := range literal.Elts[:3] {
		switch e := e.(type) {
		case *ast.BasicLit:
			text, err := strconv.Unquote(e.Value)
			if err != nil {
				return key{}, false
			}
			parts = append(parts, text)
		case *ast.Ident:
			parts = append(parts, e.Name)
		case *ast.SelectorExpr:
			parts = append(parts, e.Sel.Name)
		default:
			return key{}, false
		}
	}
	k = key{parts[0], parts[1], parts[2]}
	return k, strings.HasPrefix(k.code, "WG")
}

// about returns the comment of a literal as one line: that on its first or its
// last line, else that on the lines above it.
func about(set *token.FileSet, file *ast.File, literal *ast.CompositeLit) string {
	first, last := set.Position(literal.Pos()), set.Position(literal.End())
	above := ""
	for _, group := range file.Comments {
		from, to := set.Position(group.Pos()), set.Position(group.End())
		text := strings.Join(strings.Fields(group.Text()), " ")
		switch {
		case from.Line == first.Line || from.Line == last.Line:
			return text
		case to.Line == first.Line-1 && from.Column == first.Column:
			above = text
		}
	}
	return above
}
