// Package cluster does everything that needs the Kubernetes API: it surveys
// the nodes, checks the operator's permissions, places the pods of a run, opens
// sessions with their agents and removes what was created. It is the only
// package that imports client-go's clients. It judges nothing.
package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	// What kubectl links for a kubeconfig's auth-provider, which is OIDC.
	// Programs for credentials (exec) are part of the client.
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/client-go/rest"
)

// Requests per second and their burst. A run makes four requests per node;
// client-go's default of 5 per second would take longer than the proof. The
// server protects itself by priority and fairness.
const (
	requestsPerSecond = 200
	requestBurst      = 400
)

// parallel is how many requests are made at a time.
const parallel = 32

// callTimeout bounds one request, so that a server that vanished is noticed.
const callTimeout = 15 * time.Second

// createTimeout bounds a request that creates something: before it is answered
// admission webhooks are asked, each of which may take 30 s
// (admissionregistration.k8s.io/v1, timeoutSeconds).
const createTimeout = 35 * time.Second

// patience is how long requests are repeated to a server that answered before.
const patience = 20 * time.Second

// Client speaks to one cluster.
type Client struct {
	api     kubernetes.Interface
	objects dynamic.Interface
	exec    Executor
	log     *slog.Logger
	reached atomic.Bool // the server has answered
}

// New returns a client made of its parts, for a cluster that is not reached
// over the network.
func New(api kubernetes.Interface, objects dynamic.Interface, exec Executor, log *slog.Logger) *Client {
	return &Client{api: api, objects: objects, exec: exec, log: log}
}

// Connect returns a client for the configured server. It sends nothing yet.
func Connect(config *rest.Config, agent string, log *slog.Logger) (*Client, error) {
	config = rest.CopyConfig(config)
	config.UserAgent = agent
	config.QPS = requestsPerSecond
	config.Burst = requestBurst
	config.WarningHandlerWithContext = warnings{log}
	api, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("configuring the connection: %w", err)
	}
	objects, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("configuring the connection: %w", err)
	}
	sockets, err := newSockets(config)
	if err != nil {
		return nil, fmt.Errorf("configuring the connection: %w", err)
	}
	return New(api, objects, &remote{config: config, pods: api.CoreV1().RESTClient(), sockets: sockets}, log), nil
}

// warnings writes the server's warnings to the log: a policy that only warns
// does not stop a run.
type warnings struct{ log *slog.Logger }

func (w warnings) HandleWarningHeaderWithContext(_ context.Context, code int, _ string, text string) {
	w.log.Debug("the server warns", "code", code, "text", text)
}
