//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// onTerminal runs a command on a terminal of its own, of so many columns and 50
// rows, and returns all that it writes there. The exit code is not looked at.
func onTerminal(columns int, work string, argv []string) (string, error) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		return "", fmt.Errorf("opening a terminal: %w", err)
	}
	defer master.Close()
	fd := int(master.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: uint16(columns)})
	}
	if err != nil {
		return "", fmt.Errorf("preparing a terminal: %w", err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return "", fmt.Errorf("opening a terminal's other end: %w", err)
	}
	command := exec.Command(argv[0], argv[1:]...)
	command.Stdin, command.Stdout, command.Stderr = slave, slave, slave
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	command.Env = []string{
		"TERM=xterm-256color", "HOME=" + work, "KUBECONFIG=" + work + "/config", "PATH=" + os.Getenv("PATH"),
	}
	if err := errors.Join(command.Start(), slave.Close()); err != nil {
		return "", err
	}
	shown, err := io.ReadAll(master)
	if errors.Is(err, unix.EIO) { // the other end was closed
		err = nil
	}
	var exit *exec.ExitError
	if wait := command.Wait(); wait != nil && !errors.As(wait, &exit) {
		err = errors.Join(err, wait)
	}
	return string(shown), err
}

// rendered is what stays on a terminal: without colors, and of a line that was
// written over the last version only.
func rendered(shown string) string {
	var lines []string
	for line := range strings.Lines(strings.ReplaceAll(plain(shown), "\r\n", "\n")) {
		line = strings.TrimSuffix(line, "\n")
		if over := strings.LastIndexByte(line, '\r'); over >= 0 {
			line = line[over+1:]
		}
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return strings.Join(lines, "\n") + "\n"
}

// plain leaves out the control sequences of a terminal (ECMA-48, CSI).
func plain(shown string) string {
	var text strings.Builder
	for {
		before, after, found := strings.Cut(shown, "\x1b[")
		text.WriteString(before)
		if !found {
			return text.String()
		}
		end := strings.IndexFunc(after, func(r rune) bool { return r >= '@' && r <= '~' })
		if end < 0 {
			return text.String()
		}
		shown = after[end+1:]
	}
}

// rows is how many rows a text takes on a terminal of so many columns.
func rows(text string, columns int) int {
	n := 0
	for line := range strings.Lines(text) {
		width := utf8.RuneCountInString(strings.TrimSuffix(line, "\n"))
		n += max(1, (width+columns-1)/columns)
	}
	return n
}
