package command

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/kubectl-wg/kubectl-wg/plugin/report"
)

// progress shows what the program does: one live line on a terminal, a line per
// phase elsewhere. It writes to stderr only.
type progress struct {
	mu      sync.Mutex
	w       io.Writer
	live    bool
	quiet   bool
	width   int
	phase   string
	detail  string
	began   time.Time
	drawn   bool
	stopped chan struct{}
	drawer  sync.WaitGroup
}

func (r *root) progress() *progress {
	p := &progress{w: r.streams.Err, quiet: r.quiet, stopped: make(chan struct{})}
	file, ok := r.streams.Err.(*os.File)
	if !ok || !terminal(file) || os.Getenv("TERM") == "dumb" || r.quiet || r.verbose || r.logging {
		return p
	}
	p.live = true
	p.width, _, _ = term.GetSize(int(file.Fd()))
	if p.width < 20 {
		p.width = 80
	}
	p.drawer.Go(p.animate)
	return p
}

// Phase begins a phase.
func (p *progress) Phase(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.phase = name
	p.detail = ""
	p.began = time.Now()
	switch {
	case p.quiet:
	case p.live:
		p.draw()
	default:
		fmt.Fprintln(p.w, report.Printable(name))
	}
}

// Detail shows the progress within the phase.
func (p *progress) Detail(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := text != p.detail
	p.detail = text
	if p.live && changed {
		p.draw()
	}
}

// Note writes a line that stays on the screen.
func (p *progress) Note(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.quiet {
		return
	}
	p.clear()
	fmt.Fprintln(p.w, report.Printable(text))
}

// pause removes the live line, so that something else can be written.
func (p *progress) pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.phase = ""
}

func (p *progress) stop() {
	p.pause()
	close(p.stopped)
	p.drawer.Wait()
}

func (p *progress) animate() {
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.mu.Lock()
			p.draw()
			p.mu.Unlock()
		case <-p.stopped:
			return
		}
	}
}

func (p *progress) draw() {
	if p.phase == "" {
		return
	}
	text := p.phase
	if p.detail != "" {
		text += ": " + p.detail
	}
	if since := time.Since(p.began); since > 2*time.Second {
		text += fmt.Sprintf(" (%d s)", int(since.Seconds()))
	}
	runes := []rune(report.Printable(text))
	if len(runes) >= p.width {
		runes = append(runes[:p.width-2], '…')
	}
	fmt.Fprintf(p.w, "\r\033[K%s", string(runes))
	p.drawn = true
}

func (p *progress) clear() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\033[K")
		p.drawn = false
	}
}
