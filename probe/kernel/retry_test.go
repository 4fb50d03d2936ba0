//go:build linux

package kernel

import (
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
)

// A dump that was interrupted, or that no answer came to, is asked for again; a
// refusal is not.
func TestRetry(t *testing.T) {
	for _, test := range []struct {
		name   string
		errors []error
		reads  int
		fails  bool
	}{
		{"answered", nil, 1, false},
		{"interrupted", []error{netlink.ErrDumpInterrupted}, 2, false},
		{"no answer", []error{syscall.EAGAIN}, 2, false},
		{"never an answer", []error{syscall.EAGAIN, syscall.EAGAIN, syscall.EAGAIN, syscall.EAGAIN}, attempts, true},
		{"refused", []error{syscall.EPERM}, 1, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			reads := 0
			_, err := Retry(func() (int, error) {
				if reads++; reads <= len(test.errors) {
					return 0, test.errors[reads-1]
				}
				return 1, nil
			})
			if reads != test.reads || (err != nil) != test.fails {
				t.Errorf("%d reads and %v, want %d", reads, err, test.reads)
			}
		})
	}
}
