package cluster

import (
	"context"
	"io"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/streaming/pkg/httpstream"

	"github.com/kubectl-wg/kubectl-wg/manifests"
)

// Executor runs a command in a pod of the run and connects its streams to it.
// It returns when the command ends, the connection breaks, or ctx ends.
type Executor interface {
	Exec(ctx context.Context, namespace, pod string, command []string, stdin io.Reader, stdout, stderr io.Writer) error
}

// remote executes through the API server, over a WebSocket, or over SPDY where
// a server before 1.30 or a proxy on the way knows no WebSocket.
type remote struct {
	config *rest.Config
	pods   rest.Interface
}

func (r *remote) Exec(ctx context.Context, namespace, pod string, command []string, stdin io.Reader, stdout, stderr io.Writer) error {
	url := r.pods.Post().Namespace(namespace).Resource("pods").Name(pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Container: manifests.Container, Command: command, Stdin: true, Stdout: true, Stderr: true,
		}, scheme.ParameterCodec).URL()
	spdy, err := remotecommand.NewSPDYExecutor(r.config, "POST", url)
	if err != nil {
		return err
	}
	// RFC 6455, 4.1: the method of a WebSocket's request is GET.
	socket, err := remotecommand.NewWebSocketExecutor(r.config, "GET", url.String())
	if err != nil {
		return err
	}
	either, err := remotecommand.NewFallbackExecutor(socket, spdy, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
	if err != nil {
		return err
	}
	return either.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: stdin, Stdout: stdout, Stderr: stderr})
}
