package cluster

import (
	"context"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"golang.org/x/sync/errgroup"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Service is where the Service of a test pod is to be reached.
type Service struct {
	Node     int // index of the pod's node
	IPs      []netip.Addr
	Port     uint16 // at its addresses
	NodePort uint16 // at every node's, 0 if it has none
}

// Serve creates the Services of the test pods on the nodes of these indexes, which
// were added before. One that is not admitted is a problem, and missing in what is
// returned.
func (p *Placement) Serve(ctx context.Context, nodes []evidence.Node) ([]Service, []evidence.Problem, error) {
	services := make([]*corev1.Service, len(nodes))
	refused := make([]error, len(nodes))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i := range nodes {
		group.Go(func() (err error) {
			services[i], err = p.serve(ctx, nodes[i].Index)
			if err != nil && rejected(err) {
				refused[i] = err
				err = nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	var all []Service
	var problems []evidence.Problem
	for i, node := range nodes {
		if refused[i] != nil {
			problems = append(problems, evidence.Problem{
				Class: evidence.ProblemAdmission, What: "service",
				Text: Line("the Service of the test pod on " + node.Name + " was not admitted: " + refused[i].Error()),
			})
			continue
		}
		all = append(all, serviceOf(node.Index, services[i]))
	}
	return all, problems, nil
}

// serve creates the Service of one test pod and returns it with its addresses.
func (p *Placement) serve(ctx context.Context, index int) (created *corev1.Service, err error) {
	p.mu.Lock()
	owner := p.owner
	p.mu.Unlock()
	service, err := p.run.ServiceObject(index, owner)
	if err != nil {
		return nil, err
	}
	services := p.client.api.CoreV1().Services(service.Namespace)
	err = p.client.create(ctx, "creating the Service "+service.Name, func(ctx context.Context) error {
		made, err := services.Create(ctx, service, metav1.CreateOptions{})
		if err == nil {
			created = made
		}
		return err
	})
	if err == nil && created == nil { // it was made by an attempt whose answer was lost
		err = apierrors.NewBadRequest("the server did not say which addresses the Service has")
	}
	return created, err
}

// serviceOf reads the addresses of a Service.
func serviceOf(node int, s *corev1.Service) Service {
	service := Service{Node: node}
	for _, text := range s.Spec.ClusterIPs {
		if ip, err := netip.ParseAddr(text); err == nil {
			service.IPs = append(service.IPs, ip)
		}
	}
	for _, port := range s.Spec.Ports {
		service.Port = uint16(port.Port)
		service.NodePort = uint16(port.NodePort)
	}
	return service
}
