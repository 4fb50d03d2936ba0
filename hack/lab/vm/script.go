package vm

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
)

//go:embed init.sh
var initScript string

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// The words the machine says on its console; init.sh says them.
const (
	sayReady  = "vm: ready "
	sayBroken = "vm: broken: "
)

// settings renders what init.sh reads before it does anything: plain shell variables, lists separated by line breaks.
func (c Config) settings(k kernel, modules []string) string {
	var out strings.Builder
	for _, variable := range [][2]string{
		{"VM_NAME", c.Name},
		{"VM_DIR", c.Dir},
		{"VM_INSERT", strings.Join(modules, "\n")},
		{"VM_LOAD", strings.Join(c.Modules, "\n")},
		{"VM_MODULES", k.modules},
		{"VM_RESIDENT", strings.Join(residents(c.Resident), "\n")},
		{"VM_MOUNTS", strings.Join(c.mounts(), "\n")},
	} {
		fmt.Fprintf(&out, "%s=%s\n", variable[0], quote(variable[1]))
	}
	return out.String()
}

// mainScript renders the last thing the machine's first process runs. Its own programs come from the busybox on /run:
// they need no file of the host.
func (c Config) mainScript() string {
	var out strings.Builder
	out.WriteString("export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root\n")
	for _, entry := range c.Env {
		key, value, _ := strings.Cut(entry, "=")
		fmt.Fprintf(&out, "export %s=%s\n", key, quote(value))
	}
	words := make([]string, len(c.Command))
	for i, word := range c.Command {
		words[i] = quote(word)
	}
	fmt.Fprintf(&out, "cd %s\n", quote(c.WorkDir))
	fmt.Fprintf(&out, "%s </dev/null >>%s 2>&1\n", strings.Join(words, " "), quote(c.Output))
	return out.String()
}

// quote makes s one word of a POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
