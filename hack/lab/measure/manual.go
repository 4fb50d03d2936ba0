package measure

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"
)

//go:embed manual.sh
var script string

// Manual is the procedure that verify replaces, as a script between two nodes of a lab.
type Manual struct {
	Lab, Name string   // the path of lab, and the lab's name: what stands for ssh
	Nodes     []string // two
	Kubectl   string
	Image     string // with sleep and ping
}

// run takes the time of the script, which does not wait for its pods to be gone; run does.
func (m Manual) run(ctx context.Context, kubeconfig string) (took time.Duration, err error) {
	do := func(name string, args ...string) error {
		command := exec.CommandContext(ctx, name, args...)
		command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "KUBECTL="+m.Kubectl, "LAB="+m.Lab, "NAME="+m.Name, "IMAGE="+m.Image)
		command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
		command.WaitDelay = 20 * time.Second
		if output, err := command.CombinedOutput(); err != nil {
			return errors.Join(fmt.Errorf("the manual procedure: %w\n%s", err, output), context.Cause(ctx))
		}
		return nil
	}
	began := time.Now()
	err = do("sh", append([]string{"-euc", script, "manual"}, m.Nodes...)...)
	took = time.Since(began)
	return took, errors.Join(err, do(m.Kubectl, "wait", "--for=delete", "--timeout=60s", "pod/pod-a", "pod/pod-b"))
}
