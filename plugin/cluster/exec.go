package cluster

import (
	"context"
	"errors"
	"io"
	"net/url"

	"github.com/gorilla/websocket"
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
	socket, err := r.sockets.open(ctx, url)
	switch {
	case err == nil:
		return socket.run(ctx, stdin, stdout, stderr)
	case errors.Is(err, websocket.ErrBadHandshake), errors.Is(err, errProtocol), httpstream.IsHTTPSProxyError(err):
		return r.spdy(ctx, url, remotecommand.StreamOptions{Stdin: stdin, Stdout: stdout, Stderr: stderr})
	}
	return err
}

func (r *remote) spdy(ctx context.Context, url *url.URL, streams remotecommand.StreamOptions) error {
	executor, err := remotecommand.NewSPDYExecutor(r.config, "POST", url)
	if err != nil {
		return err
	}
	return executor.StreamWithContext(ctx, streams)
}
