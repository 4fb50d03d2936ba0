package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Distribution is a directory with everything that a lab runs.
type Distribution struct{ Dir string }

// Bin is the path of a program of the distribution.
func (d Distribution) Bin(name string) string { return filepath.Join(d.Dir, "bin", name) }

// CNI is the directory of the CNI plugins.
func (d Distribution) CNI() string { return filepath.Join(d.Dir, "cni") }

// Images are the archives that every node has from the start.
func (d Distribution) Images() []string {
	return []string{filepath.Join(d.Dir, "images", "pause.tar"), filepath.Join(d.Dir, "images", "busybox.tar")}
}

// CalicoCRDs is the file with Calico's kinds, of a distribution that was built for it.
func (d Distribution) CalicoCRDs() string { return filepath.Join(d.Dir, "share", calicoCRDs) }

// All builds what is not cached yet and returns the distribution, with the components of Needs.
func All(ctx context.Context, progress io.Writer, needs ...string) (Distribution, error) {
	if err := InstallPackages(ctx, progress, packagesOf(needs)...); err != nil {
		return Distribution{}, err
	}
	source, err := sourceDir()
	if err != nil {
		return Distribution{}, err
	}
	components := componentsOf(needs)
	outputs, distribution, err := locate(source, components)
	if err != nil {
		return Distribution{}, err
	}
	for _, component := range components {
		if err := component.build(ctx, progress, source, outputs[component.name]); err != nil {
			return Distribution{}, err
		}
	}
	return distribution, assemble(distribution, components, outputs)
}

// Cached returns the distribution if All would have nothing to build.
func Cached() (Distribution, error) {
	source, err := sourceDir()
	if err != nil {
		return Distribution{}, err
	}
	_, distribution, err := locate(source, componentsOf(nil))
	if err == nil {
		_, err = os.Stat(distribution.Dir)
	}
	return distribution, err
}

// locate says where the outputs of the components and the distribution belong.
func locate(source string, components []component) (outputs map[string]string, distribution Distribution, err error) {
	cache, err := CacheDir()
	if err != nil {
		return nil, Distribution{}, err
	}
	total := sha256.New()
	outputs = map[string]string{}
	for _, component := range components {
		key, err := component.key(source)
		if err != nil {
			return nil, Distribution{}, err
		}
		fmt.Fprintln(total, component.name, key, component.place)
		outputs[component.name] = filepath.Join(cache, component.name, key)
	}
	busybox, err := busyboxDigest()
	if err != nil {
		return nil, Distribution{}, err
	}
	fmt.Fprintln(total, busybox, imageFormat)
	return outputs, Distribution{filepath.Join(cache, "dist", hex.EncodeToString(total.Sum(nil))[:16])}, nil
}

// build compiles into a directory of another name first: one that exists is complete.
func (c component) build(ctx context.Context, progress io.Writer, source, dir string) error {
	if _, err := os.Stat(dir); err == nil {
		fmt.Fprintf(progress, "  %-12s cached\n", c.name)
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("creating the cache: %w", err)
	}
	staging, err := os.MkdirTemp(filepath.Dir(dir), ".building-")
	if err != nil {
		return fmt.Errorf("creating the cache: %w", err)
	}
	defer os.RemoveAll(staging)
	args := []string{"build", "-trimpath", "-buildvcs=false", "-tags", c.tags, "-ldflags", "-s -w " + c.ldflags, "-o", staging + "/"}
	command := exec.CommandContext(ctx, "go", append(args, c.packages...)...)
	command.Dir = filepath.Join(source, c.module)
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off")
	stop := report(progress, c.name, c.expect)
	output, err := command.CombinedOutput()
	stop(err == nil)
	if err != nil {
		return fmt.Errorf("building %s: %w\n%s", c.name, err, output)
	}
	if c.files != nil {
		if err := c.files(ctx, command.Dir, staging); err != nil {
			return fmt.Errorf("copying the files of %s: %w", c.name, err)
		}
	}
	if err := os.Rename(staging, dir); err != nil && !errors.Is(err, fs.ErrExist) {
		if _, other := os.Stat(dir); other != nil {
			return fmt.Errorf("keeping %s: %w", c.name, err)
		}
	}
	return os.Chmod(dir, 0o755)
}

// report writes a line every few seconds until it is stopped, so that a long build is seen to be alive.
func report(progress io.Writer, name, expect string) (stop func(ok bool)) {
	start := time.Now()
	done, ended := make(chan struct{}), make(chan struct{})
	fmt.Fprintf(progress, "  %-12s building (a cold build takes about %s on 2 cores)\n", name, expect)
	go func() {
		defer close(ended)
		for ticker := time.Tick(15 * time.Second); ; {
			select {
			case <-done:
				return
			case <-ticker:
				fmt.Fprintf(progress, "  %-12s building, %s\n", name, time.Since(start).Round(time.Second))
			}
		}
	}()
	return func(ok bool) {
		close(done)
		<-ended
		if ok {
			fmt.Fprintf(progress, "  %-12s built in %s\n", name, time.Since(start).Round(100*time.Millisecond))
		}
	}
}

func assemble(distribution Distribution, components []component, outputs map[string]string) error {
	if _, err := os.Stat(distribution.Dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(distribution.Dir), 0o755); err != nil {
		return fmt.Errorf("creating the distribution: %w", err)
	}
	staging, err := os.MkdirTemp(filepath.Dir(distribution.Dir), ".assembling-")
	if err != nil {
		return fmt.Errorf("creating the distribution: %w", err)
	}
	defer os.RemoveAll(staging)
	for _, component := range components {
		for _, place := range component.place {
			target := filepath.Join(staging, place.path)
			if err := link(filepath.Join(outputs[component.name], place.output), target); err != nil {
				return fmt.Errorf("placing %s: %w", place.path, err)
			}
		}
	}
	if err := writeImages(Distribution{staging}); err != nil {
		return err
	}
	if err := os.Chmod(staging, 0o755); err != nil {
		return fmt.Errorf("opening the distribution: %w", err)
	}
	if err := os.Rename(staging, distribution.Dir); err != nil {
		if _, other := os.Stat(distribution.Dir); other != nil {
			return fmt.Errorf("keeping the distribution: %w", err)
		}
	}
	return nil
}
