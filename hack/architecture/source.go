package architecture

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
)

// Call forbids calls, or any use, of names.
type Call struct {
	Name  *regexp.Regexp // of what is selected: Name in x.Name
	From  []string       // only if x is one of these packages; nil for any x
	Where []string       // trees of packages that must not
	But   []string       // packages below Where that may
	// Allow are single names that one package may use after all, by the package.
	Allow map[string][]string
	Why   string
}

const configures = "the tool proves a cluster's configuration and never changes it"

var calls = []Call{
	{
		Name: regexp.MustCompile(`^ConfigureDevice$`), Where: []string{"probe", "plugin", "cmd"}, Why: configures,
	}, {
		Name: regexp.MustCompile(`^(Link|Addr|Route|Rule|Neigh|Qdisc|Class|Filter|Chain|Xfrm\w*|Bridge\w*|Bond|Vdpa|Geneve|Tuntap)` +
			`(Add|Append|Del|Delete|Replace|Change|Modify|Update|Set|Attach|Flush)\w*$`),
		Where: []string{"probe", "plugin", "cmd"}, Why: configures,
		// In the network namespace of the run's own pod, never in the host's, see its tests.
		Allow: map[string][]string{"probe/trial": {"LinkAdd", "LinkDel"}},
	}, {
		// What the line above forbids by the library's names, in the kernel's own.
		Name: regexp.MustCompile(`^RTM_(NEW|DEL|SET)\w*$`), From: []string{"golang.org/x/sys/unix", "syscall"},
		Where: []string{"probe", "plugin", "cmd"}, Why: configures,
		But: []string{"probe/kernel", "probe/host", "probe/filter"}, // which hear of them
	}, {
		Name: regexp.MustCompile(`^NFT_MSG_(NEW|DEL|DESTROY)\w*$`), From: []string{"golang.org/x/sys/unix"},
		Where: []string{"probe", "plugin", "cmd"}, But: []string{"probe/kernel"}, Why: configures, // which hears of them
	}, {
		Name: regexp.MustCompile(`^NFT(New|Del)\w*$`), From: []string{Module + "/probe/kernel"},
		Where: []string{"probe", "plugin", "cmd"}, But: []string{"probe/filter"}, Why: configures, // which compares with them
	}, {
		Name: regexp.MustCompile(`^(Write\w*|Create\w*|Mkdir\w*|Remove\w*|Rename|Chmod|Chown|Lchown|Symlink|Link|Truncate|Chtimes)$`),
		From: []string{"os"}, Where: []string{"probe", "cmd/wg-probe"}, Why: "the probe leaves nothing behind on a node",
	}, {
		Name: regexp.MustCompile(`^(InitModule|FinitModule|DeleteModule|Mount|Unmount|Setns|Unshare|Sethostname|Reboot)$`),
		From: []string{"golang.org/x/sys/unix", "syscall"}, Where: []string{"probe", "plugin", "cmd"}, Why: configures,
	}, {
		Name: regexp.MustCompile(`^[AP]F_PACKET$`), From: []string{"golang.org/x/sys/unix", "syscall"},
		Where: []string{"probe", "plugin", "cmd"}, But: []string{"probe/capture"}, Why: "the only packet socket is probe/capture's own",
	}, {
		Name: regexp.MustCompile(`^(Now|Since|Until|After|AfterFunc|Tick|NewTimer|NewTicker|Sleep)$`), From: []string{"time"},
		Where: pure, Why: "a pure package has no clock: the same recording gives the same result at any time",
	},
}

// Source returns what a file does against the rules. Package is its path below
// the module; content may be nil, then the file is read.
func Source(file, pkg string, content any) ([]string, error) {
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, content, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("parsing: %w", err)
	}
	names := imports(parsed)
	var found []string
	ast.Inspect(parsed, func(node ast.Node) bool {
		selector, ok := node.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		origin := ""
		if x, ok := selector.X.(*ast.Ident); ok {
			origin = names[x.Name]
		}
		for _, call := range calls {
			if !anyWithin(pkg, call.Where) || slices.Contains(call.But, pkg) || !call.Name.MatchString(selector.Sel.Name) {
				continue
			}
			if slices.Contains(call.Allow[pkg], selector.Sel.Name) {
				continue
			}
			if call.From != nil && !slices.Contains(call.From, origin) {
				continue
			}
			found = append(found, fmt.Sprintf("%s: %s: %s", set.Position(selector.Pos()), selector.Sel.Name, call.Why))
		}
		return true
	})
	return found, nil
}

// imports returns the paths of the file's imports by the name they have in it.
func imports(file *ast.File) map[string]string {
	names := map[string]string{}
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser has accepted it
		}
		name := lastElement.FindString(path)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = path
	}
	return names
}

var lastElement = regexp.MustCompile(`[^/]+$`)
