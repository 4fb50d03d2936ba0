package control

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Kubectl is the distribution's kubectl with the rights of the cluster's administrator.
type Kubectl struct{ Path, Kubeconfig string }

func (k Kubectl) run(ctx context.Context, input string, args ...string) error {
	command := exec.CommandContext(ctx, k.Path, args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+k.Kubeconfig)
	command.Stdin = strings.NewReader(input)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("kubectl %s: %w\n%s", args[0], err, output)
	}
	return nil
}
