package capture

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// wake ends the waiting of every reader at once. It stays rung.
type wake struct{ fd int }

func newWake() (*wake, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("making a wake-up: %w", err)
	}
	return &wake{fd: fd}, nil
}

func (w *wake) ring() {
	one := [8]byte{7: 1} // any number but zero, in either byte order
	_, _ = unix.Write(w.fd, one[:])
}

// wait blocks until fd has something to read, or failed, or the wake-up rang.
func (w *wake) wait(fd int) (rang bool, err error) {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(w.fd), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds, -1)
		if err == nil {
			return fds[1].Revents != 0, nil
		}
		if !errors.Is(err, unix.EINTR) {
			return false, fmt.Errorf("waiting for frames: %w", err)
		}
	}
}

// await blocks until fd has something to read or failed, or the time is over.
func await(fd int, most time.Duration) error {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if _, err := unix.Poll(fds, int(most.Milliseconds())); err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("waiting for the last frames: %w", err)
	}
	return nil
}

func (w *wake) close() { _ = unix.Close(w.fd) }
