package measure

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// objects are what one run of verify creates.
type objects struct {
	namespaces []core.Namespace
	jobs       []batch.Job
}

// component is the label that says what a Job's pod is for.
const component = "app.kubernetes.io/component"

// parse reads the output of `verify --print-manifests`.
func parse(text []byte) (all objects, err error) {
	reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return all, fmt.Errorf("reading the manifests: %w", err)
		}
		var about meta.TypeMeta
		if err := yaml.Unmarshal(document, &about); err != nil {
			return all, fmt.Errorf("reading the manifests: %w", err)
		}
		var job batch.Job
		var namespace core.Namespace
		switch about.Kind {
		case "Namespace":
			err = yaml.Unmarshal(document, &namespace)
			all.namespaces = append(all.namespaces, namespace)
		case "ResourceQuota", "NetworkPolicy", "Secret": // what only guards the pods
		case "Job":
			err = yaml.Unmarshal(document, &job)
			if job.Labels[component] != "newcomer" { // verify makes them later, on its own time
				all.jobs = append(all.jobs, job)
			}
		default:
			err = fmt.Errorf("%s: want Namespaces, Jobs and what guards them only", about.Kind)
		}
		if err != nil {
			return all, fmt.Errorf("reading the manifests: %w", err)
		}
	}
	if len(all.namespaces) == 0 || len(all.jobs) == 0 {
		return all, errors.New("reading the manifests: want Namespaces and Jobs")
	}
	return all, nil
}

// maxWatches bounds how often the pods of one start are watched again, without a pause.
const maxWatches = 10

// parallel bounds the requests that are under way at a time, as verify bounds its own.
const parallel = 32

// bare creates the namespaces and Jobs as directly as can be, waits for their pods with one watch, and removes them.
func bare(ctx context.Context, client kubernetes.Interface, all objects) (ready, gone time.Duration, err error) {
	began := time.Now()
	for i := range all.namespaces {
		if _, err := client.CoreV1().Namespaces().Create(ctx, &all.namespaces[i], meta.CreateOptions{}); err != nil {
			return 0, 0, fmt.Errorf("creating a namespace: %w", err)
		}
	}
	defer func() {
		removing := time.Now()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		for _, namespace := range all.namespaces {
			if failed := client.CoreV1().Namespaces().Delete(ctx, namespace.Name, meta.DeleteOptions{}); failed != nil {
				err = errors.Join(err, fmt.Errorf("removing a namespace: %w", failed))
				return
			}
		}
		err = errors.Join(err, allGone(ctx, client))
		gone = time.Since(removing)
	}()
	var pods watch.Interface
	follow := func() (err error) {
		if pods, err = client.CoreV1().Pods(meta.NamespaceAll).Watch(ctx, ours); err != nil {
			return fmt.Errorf("watching the pods: %w", err)
		}
		return nil
	}
	if err := follow(); err != nil {
		return 0, 0, err
	}
	defer func() {
		if pods != nil {
			pods.Stop()
		}
	}()
	failed, places := make(chan error, len(all.jobs)), make(chan struct{}, parallel)
	for _, job := range all.jobs {
		go func() {
			places <- struct{}{}
			defer func() { <-places }()
			_, err := client.BatchV1().Jobs(job.Namespace).Create(ctx, &job, meta.CreateOptions{})
			failed <- err
		}()
	}
	// The server gives up a watch that is not read while the Jobs are made, and
	// at times one that is. Another begins with every pod there is.
	watches := 1
	for are := map[string]bool{}; len(are) < len(all.jobs); {
		select {
		case err := <-failed:
			if err != nil {
				return 0, 0, fmt.Errorf("creating a Job: %w", err)
			}
		case event, open := <-pods.ResultChan():
			if !open {
				if watches++; watches > maxWatches || ctx.Err() != nil {
					return 0, 0, errors.Join(fmt.Errorf("%d watches ended before all pods were Ready", watches-1), context.Cause(ctx))
				}
				if err := follow(); err != nil {
					return 0, 0, err
				}
				continue
			}
			if pod, ok := event.Object.(*core.Pod); ok && isReady(pod) {
				are[pod.Name] = true
			}
		}
	}
	return time.Since(began), 0, nil
}

func isReady(pod *core.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c core.PodCondition) bool {
		return c.Type == core.PodReady && c.Status == core.ConditionTrue
	})
}

// patience is how long the cluster may take to remove what a run has made.
const patience = 5 * time.Minute

// allGone waits until no run has left a namespace: what is being removed costs those who come after it.
func allGone(ctx context.Context, client kubernetes.Interface) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not within %s", patience))
	defer cancel()
	for {
		list, err := client.CoreV1().Namespaces().List(ctx, ours)
		if err != nil && !apierrors.IsTooManyRequests(err) {
			return fmt.Errorf("waiting for the namespace to be gone: %w", err)
		}
		if err == nil && len(list.Items) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the namespace to be gone: %w", context.Cause(ctx))
		case <-time.After(100 * time.Millisecond):
		}
	}
}
