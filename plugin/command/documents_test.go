package command

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Each command of this program in the documents is one that its command line
// takes: the command exists, so do the flags, and the number of arguments fits.
func TestCommandsInDocuments(t *testing.T) {
	found := 0
	for _, path := range documents(t) {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range commandLines(string(content), filepath.Ext(path) == ".md") {
			found++
			if err := parses(line); err != nil {
				t.Errorf("%s: %q: %v", path, line, err)
			}
		}
	}
	if found < 100 {
		t.Errorf("only %d commands were found in the documents", found)
	}
}

// documents are those that a user reads, and what they copy from.
func documents(t *testing.T) (paths []string) {
	t.Helper()
	const root = "../.."
	for _, folder := range []string{"docs", ".github"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if entry.IsDir() && entry.Name() == "before" { // screens of an earlier version
				return filepath.SkipDir
			}
			switch filepath.Ext(path) {
			case ".md", ".txt", ".yml", ".yaml":
				paths = append(paths, path)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "krew/wg.yaml"} {
		paths = append(paths, filepath.Join(root, name))
	}
	return paths
}

var (
	inline = regexp.MustCompile("`(kubectl wg [^`]*)`")
	// A command stands at the start of a line, or after a prompt, an assignment or
	// what leads to it.
	inBlock = regexp.MustCompile(`(?:^|[$#({|;&] *|run: )(kubectl wg .*)`)
)

// commandLines are the commands of the plugin in code spans and in lines of code,
// which in Markdown are those between fences.
func commandLines(text string, markdown bool) (lines []string) {
	inCode := !markdown
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		line = strings.TrimSpace(line)
		if markdown && strings.HasPrefix(line, "```") {
			inCode = !inCode
		}
		if spans := inline.FindAllStringSubmatch(line, -1); len(spans) > 0 {
			for _, span := range spans {
				lines = append(lines, span[1])
			}
			continue
		}
		if span := inBlock.FindStringSubmatch(line); span != nil && inCode {
			lines = append(lines, span[1])
		}
	}
	return lines
}

// parses gives a command to the command line as far as it is checked before it
// runs.
func parses(line string) error {
	words := slices.DeleteFunc(shellWords(line)[2:], func(word string) bool { return word == "[flags]" })
	if len(words) == 0 || placeholder(words[0]) {
		return nil
	}
	command, arguments, err := Tree().Find(words)
	if err != nil {
		return err
	}
	if len(words) == 1 { // a text names the command
		return nil
	}
	err = command.ParseFlags(joinLevel(arguments))
	if errors.Is(err, pflag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	return command.ValidateArgs(command.Flags().Args())
}

func placeholder(word string) bool {
	return strings.ContainsAny(word, "<…[") || word == strings.ToUpper(word) && word[0] != '-'
}

// shellWords splits a command as a shell does, up to where it ends: a comment, a
// pipe, a redirection or the next command.
func shellWords(line string) (words []string) {
	var word strings.Builder
	begun := false
	quote := rune(0)
	finish := func() {
		if begun {
			words = append(words, word.String())
		}
		word.Reset()
		begun = false
	}
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote = r
			begun = true
		case r == ' ' || r == '\t' || r == '\n':
			finish()
		case r == '>' && word.String() == "2":
			return words
		case strings.ContainsRune("|;&>)", r) || r == '#' && !begun:
			finish()
			return words
		default:
			begun = true
			word.WriteRune(r)
		}
	}
	finish()
	return words
}

func TestCommandLines(t *testing.T) {
	const text = "Use `kubectl wg explain CODE`, not `wg show`.\n```sh\n$ kubectl wg verify \\\n  -o json > x\nrm x\n" +
		"version=$(kubectl wg version)\n```\nkubectl wg in a sentence.\n"
	want := []string{"kubectl wg explain CODE", "kubectl wg verify    -o json > x", "kubectl wg version)"}
	if got := commandLines(text, true); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestParses(t *testing.T) {
	for line, valid := range map[string]bool{
		"kubectl wg verify --nodes a,b | jq .verdict": true, "kubectl wg verify -o jsonpath='{.firstCause.code}'": true,
		"kubectl wg verify # all nodes": true, "kubectl wg -n x verify": true, "kubectl wg explain WG0401": true,
		"kubectl wg": true, "kubectl wg <command>": true, "kubectl wg verify --help": true, "kubectl wg verify -v=6": true,
		"kubectl wg verify 2> log": true, "kubectl wg replay": true, "kubectl wg nonsense": false,
		"kubectl wg verify --nonsense": false, "kubectl wg replay -o json": false,
		"kubectl wg version please": false, "kubectl wg verify --timeout soon": false,
	} {
		if err := parses(line); (err == nil) != valid {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// docs/recording.md names every kind of message.
func TestRecordingIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/recording.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[evidence.Message]()) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("docs/recording.md does not name %q", name)
		}
	}
}

// Links between documents lead to files that exist.
func TestLinksInDocuments(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:\s]+)(?:#[^)]*)?\)`)
	for _, path := range documents(t) {
		if filepath.Ext(path) != ".md" {
			continue
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range link.FindAllStringSubmatch(string(content), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), found[1])); err != nil {
				t.Errorf("%s links to %s: %v", path, found[1], err)
			}
		}
	}
}

// The report that the README shows is one that the command wrote, shortened.
func TestReportInReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	screen, err := os.ReadFile("../../docs/screens/plaintext-80.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "```\n✗ FAIL")
	shown, _, closed := strings.Cut("✗ FAIL"+rest, "```")
	if !found || !closed {
		t.Fatal("the README shows no report")
	}
	for line := range strings.Lines(shown) {
		if !strings.Contains(string(screen), line) {
			t.Errorf("docs/screens/plaintext-80.txt has no line %q", line)
		}
	}
}
