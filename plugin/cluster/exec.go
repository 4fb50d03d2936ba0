package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/streaming/pkg/httpstream"

	"github.com/kubectl-wg/kubectl-wg/manifests"
)

// Executor runs a command in a pod of the run and connects the streams to it.
// It returns when the command ends, the connection breaks, or ctx ends.
type Executor interface {
	Exec(
		ctx context.Context, namespace, pod string, command []string,
		stdin io.Reader, stdout, stderr io.Writer,
	) error
}

// remote executes through the API server: over a WebSocket, or over SPDY where
// a server before 1.30 or a proxy between does not support WebSockets.
type remote struct {
	config  *rest.Config
	pods    rest.Interface
	sockets *sockets
}

func (r *remote) Exec(
	ctx context.Context, namespace, pod string, command []string,
	stdin io.Reader, stdout, stderr io.Writer,
) error {
	url := r.pods.Post().Namespace(namespace).Resource("pods").Name(pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Container: manifests.Container, Command: command, Stdin: true, Stdout: true, Stderr: true,
		}, scheme.ParameterCodec).URL()
	streams := remotecommand.StreamOptions{Stdin: stdin, Stdout: stdout, Stderr: stderr}
	socket, err := r.sockets.open(ctx, url)
	switch {
	case err == nil:
		err = socket.run(ctx, stdin, stdout, stderr)
	case withoutWebSockets(err):
		err = bothErrors(err, r.spdy(ctx, url, streams))
	}
	if context.Cause(ctx) != nil {
		return err
	}
	return ofKubelet(err)
}

// withoutWebSockets reports whether an attempt failed in a way that SPDY may not.
func withoutWebSockets(err error) bool {
	var answer *refused
	if errors.As(err, &answer) {
		return answer.unsupported()
	}
	return errors.Is(err, errProtocol) || httpstream.IsHTTPSProxyError(err)
}

// bothErrors returns the errors of two attempts, nil if the second succeeded.
func bothErrors(first, second error) error {
	if second == nil || first.Error() == second.Error() {
		return second
	}
	return fmt.Errorf("%w; and over SPDY: %w", first, second)
}

func (r *remote) spdy(ctx context.Context, url *url.URL, streams remotecommand.StreamOptions) error {
	executor, err := remotecommand.NewSPDYExecutor(r.config, "POST", url)
	if err != nil {
		return err
	}
	return executor.StreamWithContext(ctx, streams)
}
