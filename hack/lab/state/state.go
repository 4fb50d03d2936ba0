// Package state is what the lab remembers on disk about the labs that run: enough to reach them, and enough to remove
// every process, namespace and directory of theirs after a crash, and nothing that is not theirs. Whatever is made is
// noted before it is made.
package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// root holds one directory per lab. Tests have another.
var root = "/var/lib/kubectl-wg-lab"

const file = "state.json"

// Lab is one lab. The zero value is none.
type Lab struct {
	Name    string    `json:"name"`
	BootID  string    `json:"bootID"` // of the machine: after a reboot only the directory is left
	Created time.Time `json:"created"`

	Ground       string `json:"ground"`
	GroundReason string `json:"groundReason"`
	topology.Network
	Nodes  []string `json:"nodes"`
	Dist   string   `json:"dist"`
	Hollow *Hollow  `json:"hollow,omitempty"` // nil for a lab whose nodes are machines

	Port  int    `json:"port"`  // of the API server on the machine's loopback; 0 until it listens
	Agent string `json:"agent"` // node-host's address on the switch
	Token string `json:"token"` // which node-host wants to see

	Processes  []Process   `json:"processes"`
	Namespaces []Namespace `json:"namespaces"`
	Cgroup     string      `json:"cgroup"` // below each hierarchy
}

// Hollow is what a lab without machines consists of, see package hollow; it has no Nodes.
type Hollow struct {
	Nodes  int      `json:"nodes"`
	Faults []string `json:"faults"` // as synthetic.ParseFault reads them
	// QPS bounds the requests per second of each controller and of the scheduler.
	QPS int `json:"qps"`
}

// Namespace is a named network namespace; Inode is 0 while it is being made.
type Namespace struct {
	Name  string `json:"name"`
	Inode uint64 `json:"inode"`
}

var validName = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,22}[a-z0-9])?$`)

// CheckName reports whether a lab may have the name: everything that it makes is named after it.
func CheckName(name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("lab name %q: want 1 to 24 lower-case letters, digits and dashes, a letter first", name)
	}
	return nil
}

// Dir is the directory of a lab.
func Dir(name string) string { return filepath.Join(root, name) }

// Path is a file below the lab's directory.
func (l *Lab) Path(elements ...string) string {
	return filepath.Join(append([]string{Dir(l.Name)}, elements...)...)
}

// Kubeconfig is the administrator's, usable from the machine.
func (l *Lab) Kubeconfig() string { return l.Path("kubeconfig") }

// Operator is the kubeconfig of a user who has no rights yet and whose requests are in the audit log; in a hollow lab only.
func (l *Lab) Operator() string { return l.Path("operator.kubeconfig") }

// Audit is the API server's log of that user's requests.
func (l *Lab) Audit() string { return l.Path("logs", "audit.log") }

// Netns is the name of one of the lab's network namespaces: "switch", "control", or a node's name.
func (l *Lab) Netns(role string) string { return "kwg-" + l.Name + "-" + role }

// New is a lab that does not exist yet.
func New(name string) (*Lab, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	return &Lab{Name: name, BootID: boot, Created: time.Now().UTC(), Cgroup: "kubectl-wg-lab-" + name}, nil
}

// ErrNone is returned for a lab that does not exist.
var ErrNone = errors.New("no such lab")

// Load reads a lab's state.
func Load(name string) (*Lab, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(Dir(name), file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("lab %s: %w", name, ErrNone)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the state of lab %s: %w", name, err)
	}
	lab := &Lab{}
	if err := json.Unmarshal(data, lab); err != nil {
		return nil, fmt.Errorf("reading the state of lab %s: %w", name, err)
	}
	if lab.Name != name {
		return nil, fmt.Errorf("reading the state of lab %s: it is that of lab %q", name, lab.Name)
	}
	return lab, nil
}

// Names lists the labs that have a state.
func Names() ([]string, error) {
	entries, err := os.ReadDir(root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing labs: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if _, err := os.Stat(filepath.Join(root, entry.Name(), file)); err == nil {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// Save writes the state so that a reader sees the old or the new one.
func (l *Lab) Save() error {
	data, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the state of lab %s: %w", l.Name, err)
	}
	if err := os.MkdirAll(Dir(l.Name), 0o700); err != nil {
		return fmt.Errorf("creating the directory of lab %s: %w", l.Name, err)
	}
	next := l.Path(file + ".next")
	if err := os.WriteFile(next, data, 0o600); err != nil {
		return fmt.Errorf("writing the state of lab %s: %w", l.Name, err)
	}
	if err := os.Rename(next, l.Path(file)); err != nil {
		return fmt.Errorf("writing the state of lab %s: %w", l.Name, err)
	}
	return nil
}

// NoteProcess remembers a process under its role, in place of an earlier one.
func (l *Lab) NoteProcess(process Process) {
	l.Processes = slices.DeleteFunc(l.Processes, func(p Process) bool { return p.Role == process.Role })
	l.Processes = append(l.Processes, process)
}

// Process returns the process of a role.
func (l *Lab) Process(role string) (Process, bool) {
	i := slices.IndexFunc(l.Processes, func(p Process) bool { return p.Role == role })
	if i < 0 {
		return Process{}, false
	}
	return l.Processes[i], true
}

// NoteNamespace remembers a namespace under its name.
func (l *Lab) NoteNamespace(namespace Namespace) {
	l.Namespaces = slices.DeleteFunc(l.Namespaces, func(n Namespace) bool { return n.Name == namespace.Name })
	l.Namespaces = append(l.Namespaces, namespace)
}

func bootID() (string, error) {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("reading the boot id: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}
