package main

import (
	"errors"
	"fmt"
	"strings"
	"text/template"

	"github.com/kubectl-wg/kubectl-wg/hack/rename"
)

// manifest renders the template of krew's manifest, as krew-release-bot does for
// the public index, with checksums by the archives' names. Platforms without an
// archive are left out.
//
// The bot downloads the archives for their checksums
// (https://github.com/rajatjindal/krew-release-bot); here they are at hand.
func (r release) manifest(source string, sums map[string]string) (string, error) {
	if len(sums) == 0 {
		return "", errors.New("no archive was built")
	}
	functions := template.FuncMap{"addURIAndSha": func(url, tag string) (string, error) {
		address := strings.ReplaceAll(url, "{{ .TagName }}", tag)
		name := address[strings.LastIndexByte(address, '/')+1:]
		sum, known := sums[name]
		if !known {
			return "", fmt.Errorf("no archive of the release is named %s", name)
		}
		return "uri: " + address + "\n    sha256: " + sum, nil
	}}
	parsed, err := template.New("krew").Funcs(functions).Parse(r.built(r.renamed(source), sums))
	if err != nil {
		return "", fmt.Errorf("reading the template of krew's manifest: %w", err)
	}
	var text strings.Builder
	if err := parsed.Execute(&text, struct{ TagName string }{r.version}); err != nil {
		return "", fmt.Errorf("rendering krew's manifest: %w", err)
	}
	return text.String(), nil
}

// renamed is the template for a plugin of another name. The project's own name in
// addresses stays.
func (r release) renamed(source string) string {
	source = rename.Text(source, r.plugin)
	source = strings.ReplaceAll(source, "name: wg\n", "name: "+r.plugin+"\n")
	source = strings.ReplaceAll(source, "bin: kubectl-wg", "bin: "+r.binary())
	return strings.ReplaceAll(source, "/kubectl-wg_{{", "/"+r.binary()+"_{{")
}

// built is the template without the platforms that have no archive.
func (r release) built(source string, sums map[string]string) string {
	const section = "  - selector:\n"
	sections := strings.Split(source, section)
	kept := sections[:1]
	for _, s := range sections[1:] {
		named := strings.ReplaceAll(s, "{{ .TagName }}", r.version)
		for archive := range sums {
			if strings.Contains(named, "/"+archive+`"`) {
				kept = append(kept, section+s)
			}
		}
	}
	return strings.Join(kept, "")
}
