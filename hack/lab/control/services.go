package control

import (
	"context"
	_ "embed" // of the role
	"fmt"
	"strings"
)

const servicesUser = "services"

//go:embed services.yaml
var servicesRole string

// CreateServices lets kube-proxy and the network policy controller of each node read what they need.
func CreateServices(ctx context.Context, kubectl Kubectl) error {
	if err := kubectl.run(ctx, strings.Replace(servicesRole, "USER", servicesUser, 1), "apply", "--filename", "-"); err != nil {
		return fmt.Errorf("granting the role of kube-proxy: %w", err)
	}
	return nil
}
