package evidence

// HostLogsRequest asks an agent to which logs of its host are mounted for the lines of
// the units and files that may be about WireGuard, and of the kernel. What it answers
// is not evidence for a verdict.
type HostLogsRequest struct {
	// Last is how far back to read, milliseconds before the host's own present.
	Last int64 `json:"last"`
	// Words are in lower case; a wanted line has one of them at least, in any case. None
	// for all lines. Match is a regular expression (RE2) that it matches besides, empty
	// for all: matching each line takes longer than reading it.
	Words []string `json:"words,omitempty"`
	Match string   `json:"match,omitempty"`
}

// HostLine is one line of a log of a host. Lines are shown, and not recorded.
type HostLine struct {
	// Time is in nanoseconds since 1970 by the host's own clock, 0 if the line has none.
	Time int64 `json:"time,omitempty"`
	// Source is a unit without its suffix ("k3s"), "kernel", or a file's path on the host.
	Source string `json:"source"`
	// Text is at most MaxHostText bytes, without control characters.
	Text string `json:"text"`
}

// MaxHostText bounds HostLine.Text, bytes. Encoded it fits into a message.
const MaxHostText = 2 << 10

// HostLogs says after the lines what was read.
type HostLogs struct {
	Logs []HostLog `json:"logs,omitempty"`
	// Left are wanted lines, the oldest, for which there was no room.
	Left uint64 `json:"left,omitempty"`
}

// HostLog is one log of a host.
type HostLog struct {
	Name  string `json:"name"`            // "journal", "kernel" or a file's path
	Lines uint64 `json:"lines,omitempty"` // that were wanted
	// Compressed are entries of the time that was asked for whose messages are
	// compressed, which the probe does not read. What they say is not known.
	Compressed uint64 `json:"compressed,omitempty"`
	// Error is why the log was not read, or not all of it.
	Error string `json:"error,omitempty"`
}
