package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// call makes one request. While the server is away or overloaded it makes the
// request again, for as long as patience. It does not wait for a server that has
// never answered: then a wrong address is more likely than a late server.
func (c *Client) call(ctx context.Context, what string, request func(context.Context) error) error {
	return c.callFor(ctx, callTimeout, patience, what, request)
}

// callFor is call with other limits: of one request, and of all repetitions.
func (c *Client) callFor(
	ctx context.Context, each, limit time.Duration, what string, request func(context.Context) error,
) error {
	began := time.Now()
	wait := 100 * time.Millisecond
	for {
		once, cancel := context.WithTimeout(ctx, each)
		err := request(once)
		cancel()
		if err == nil || answered(err) {
			c.reached.Store(true)
		}
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", what, context.Cause(ctx))
		}
		if !c.reached.Load() && transient(err) {
			return &Unreachable{fmt.Errorf("%s: %w", what, err)}
		}
		if failed := asWebhookFailure(err); failed != nil { // each attempt takes as long
			return fmt.Errorf("%s: %w", what, failed)
		}
		if apierrors.IsUnauthorized(err) {
			return &Unauthorized{fmt.Errorf("%s: %w", what, err)}
		}
		if !transient(err) || time.Since(began) > limit {
			return fmt.Errorf("%s: %w", what, err)
		}
		c.log.Debug("trying again", "what", what, "in", wait, "error", err)
		if !sleep(ctx, wait) {
			return fmt.Errorf("%s: %w", what, context.Cause(ctx))
		}
		wait = min(2*wait, 2*time.Second)
	}
}

// Unreachable is the error for a server that has never answered.
type Unreachable struct{ Err error }

func (e *Unreachable) Error() string { return e.Err.Error() }
func (e *Unreachable) Unwrap() error { return e.Err }

// Hint describes how to find out why.
func (e *Unreachable) Hint() string {
	return "the API server does not answer; " +
		"check that kubectl get nodes works with the same KUBECONFIG, --kubeconfig and --context"
}

// Unauthorized is the error for credentials that the server does not accept.
type Unauthorized struct{ Err error }

func (e *Unauthorized) Error() string { return e.Err.Error() }
func (e *Unauthorized) Unwrap() error { return e.Err }

// Hint describes what may be wrong with the credentials.
func (e *Unauthorized) Hint() string {
	return "the API server does not accept these credentials: the token or certificate may have expired, " +
		"or be of another cluster; kubectl auth whoami shows the same, with the same KUBECONFIG, --kubeconfig, " +
		"--context and --token"
}

// answered reports whether the error is the server's own answer.
func answered(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status)
}

// transient reports whether the same request may succeed a little later.
func transient(err error) bool {
	var network net.Error
	return utilnet.IsConnectionRefused(err) || utilnet.IsConnectionReset(err) || utilnet.IsProbableEOF(err) ||
		utilnet.IsHTTP2ConnectionLost(err) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) ||
		apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) || apierrors.IsServiceUnavailable(err) ||
		apierrors.IsTooManyRequests(err) || apierrors.IsInternalError(err)
}

// sleep waits unless ctx ends first, and reports whether it waited to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
