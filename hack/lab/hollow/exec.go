package hollow

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"time"

	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	"k8s.io/utils/exec"

	"github.com/kubectl-wg/kubectl-wg/probe/agent"
)

// kubelet is what all nodes serve to the API server.
type kubelet struct {
	listener net.Listener
	http     http.Server
}

func listen(p *pods, certificate, key string) (*kubelet, error) {
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate of the nodes: %w", err)
	}
	listener, err := tls.Listen("tcp", fmt.Sprintf(":%d", Kubelet), &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}})
	if err != nil {
		return nil, fmt.Errorf("opening the port of the nodes: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/exec/{namespace}/{pod}/{container}", p.exec)
	mux.HandleFunc("/exec/{namespace}/{pod}/{uid}/{container}", p.exec)
	mux.HandleFunc("/census", p.census)
	return &kubelet{listener: listener, http: http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}}, nil
}

func (k *kubelet) serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { k.http.Close() })
	defer stop()
	return fmt.Errorf("serving exec: %w", k.http.Serve(k.listener))
}

// Census is what /census returns, which the API server's proxy to any node leads to.
type Census struct {
	Sessions   int `json:"sessions"` // open now
	Most       int `json:"most"`     // at a time, ever
	Goroutines int `json:"goroutines"`
}

func (p *pods) census(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	census := Census{Sessions: p.open, Most: p.most, Goroutines: runtime.NumGoroutine()}
	p.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(census) // whoever asked has gone
}

const (
	idle     = time.Hour
	creation = 30 * time.Second // of the streams, as kubelet has it
)

func (p *pods) exec(w http.ResponseWriter, r *http.Request) {
	streams, err := remotecommand.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	remotecommand.ServeExec(w, r, p, r.PathValue("namespace")+"/"+r.PathValue("pod"), r.PathValue("uid"), r.PathValue("container"),
		r.URL.Query()["command"], streams, idle, creation, remotecommand.SupportedStreamingProtocols)
}

// command is the only one that there is in these pods.
var command = []string{"/wg-probe", "agent"}

// session is one command that runs in a pod.
type session struct{ cancel context.CancelCauseFunc }

// ExecInContainer runs the agent with the streams of the exec.
func (p *pods) ExecInContainer(ctx context.Context, name, _, _ string, argv []string, in io.Reader, out, _ io.WriteCloser, _ bool, _ <-chan remotecommand.TerminalSize, _ time.Duration) error {
	if !slices.Equal(argv, command) {
		return fmt.Errorf("there is no command but %q here", command)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &session{cancel}
	node, err := p.enter(name, s)
	if err != nil {
		return err
	}
	defer p.leave(name, s)
	options, err := p.world.Options(node)
	if err != nil {
		return err
	}
	if err := agent.Run(ctx, in, out, options); err != nil {
		return exec.CodeExitError{Err: err, Code: 1} // as cmd/wg-probe has it
	}
	return nil
}

var _ remotecommand.Executor = (*pods)(nil)
