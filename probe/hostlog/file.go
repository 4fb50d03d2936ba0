//go:build linux

package hostlog

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"regexp"
	"strconv"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// files are the logs that K3s' installer has OpenRC write (install.sh, LOG_FILE).
var files = []string{"/var/log/k3s.log", "/var/log/k3s-agent.log"}

// The bounds of reading a file: how much of its end is read, and of each line.
const (
	maxFile = 32 << 20
	maxLine = 16 << 10
)

// readFile reads the end of a file, by its path on the host.
func (r *reading) readFile(path string) {
	file, size, err := r.open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	log := evidence.HostLog{Name: path}
	if err == nil {
		defer file.Close()
		from := max(size-maxFile, 0)
		err = r.readLines(io.NewSectionReader(file, from, size-from), path, from > 0, &log)
	}
	if err != nil {
		log.Error = err.Error()
	}
	r.logs = append(r.logs, log)
}

// readLines reads lines. A line without a time has that of the one before it. Begun says
// that the first line may lack its beginning.
func (r *reading) readLines(from io.Reader, path string, begun bool, log *evidence.HostLog) error {
	lines := bufio.NewReaderSize(from, maxLine)
	clock := stamps{now: r.now}
	for rest := begun; ; {
		line, prefix, err := lines.ReadLine()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return r.named(path, err)
		}
		if !rest {
			r.keep(log, clock.of(string(line)), path, string(line))
		}
		rest = prefix
	}
}

// stamps reads the times of lines: of logrus, as K3s itself writes them, and of klog, as
// Kubernetes' components in it do, which name no year and no zone.
type stamps struct {
	now  time.Time
	zone *time.Location // of the last line that named one
	last time.Time
}

var (
	logrusStamp = regexp.MustCompile(`^time="([^"]{20,35})"`)
	klogStamp   = regexp.MustCompile(`^[IWEF](\d{4} \d\d:\d\d:\d\d\.\d{6})`)
)

// of returns the time of a line, that of the line before it if it has none.
func (s *stamps) of(line string) time.Time {
	if parts := logrusStamp.FindStringSubmatch(line); parts != nil {
		if when, err := time.Parse(time.RFC3339, parts[1]); err == nil {
			s.zone = when.Location()
			s.last = when
		}
	} else if parts := klogStamp.FindStringSubmatch(line); parts != nil {
		if when, ok := s.klog(parts[1]); ok {
			s.last = when
		}
	}
	return s.last
}

// klog returns a time without a year: the last one that is not after the present.
func (s *stamps) klog(stamp string) (time.Time, bool) {
	zone := s.zone
	if zone == nil {
		zone = time.UTC
	}
	const ahead = 24 * time.Hour // more than a zone that is not known may be off
	for _, year := range []int{s.now.Year() + 1, s.now.Year(), s.now.Year() - 1} {
		when, err := time.ParseInLocation("2006 0102 15:04:05.000000", strconv.Itoa(year)+" "+stamp, zone)
		if err == nil && when.Before(s.now.Add(ahead)) {
			return when, true
		}
	}
	return time.Time{}, false
}
