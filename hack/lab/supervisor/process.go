package supervisor

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/control"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/state"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// impatience is how often a program may end at once before the lab gives up.
const impatience = 3

// keep runs a program of the control plane for the life of the lab. It returns only when the context has ended, or when
// the program does not stay.
func (s *supervisor) keep(ctx context.Context, program control.Program) error {
	quick := 0
	for {
		began := time.Now()
		err := s.run(ctx, program)
		if ctx.Err() != nil {
			return nil
		}
		if quick++; time.Since(began) > 10*time.Second {
			quick = 0
		}
		if quick >= impatience {
			return fmt.Errorf("%s does not stay up: %w", program.Name, err)
		}
		s.events.say("%s ended (%v): starting it again", program.Name, err)
		time.Sleep(time.Second)
	}
}

func (s *supervisor) run(ctx context.Context, program control.Program) error {
	log, err := os.OpenFile(s.log(program.Name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("opening the log of %s: %w", program.Name, err)
	}
	defer log.Close()
	command := exec.Command(cmp.Or(program.Path, s.dist.Bin(program.Name)), program.Flags...)
	command.Stdout, command.Stderr = log, log
	command.Dir = s.lab.Path()
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := topology.In(s.lab.Netns("control"), command.Start); err != nil {
		return fmt.Errorf("starting %s: %w", program.Name, err)
	}
	if err := s.note(program.Name, command.Process.Pid); err != nil {
		_ = command.Process.Kill() // it was started a moment ago and is not known to anyone else
		return err
	}
	// Nothing of the lab is worth a graceful end.
	stop := context.AfterFunc(ctx, func() { _ = command.Process.Kill() })
	defer stop()
	return command.Wait()
}

func (s *supervisor) note(role string, pid int) error {
	process, err := state.Identify(role, pid)
	if err != nil {
		return err
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.lab.NoteProcess(process)
	return s.lab.Save()
}

func (s *supervisor) log(name string) string { return s.lab.Path("logs", name+".log") }
