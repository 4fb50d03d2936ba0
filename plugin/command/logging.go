package command

import (
	"flag"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"k8s.io/klog/v2"

	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
)

// level is the value of -v: 0 nothing, from 1 on what this program does, from
// requestLevel on what kubectl's -v logs of requests too. -v alone is 1.
type level int

// The first level at which client-go logs requests, and the last that it has
// (client-go transport/round_trippers.go).
const (
	requestLevel = 6
	maxLevel     = 10
)

// Set reads a level; true and false are those of a switch.
func (l *level) Set(text string) error {
	switch text {
	case "true":
		text = "1"
	case "false":
		text = "0"
	}
	number, err := strconv.Atoi(text)
	if err != nil || number < 0 || number > maxLevel {
		return fmt.Errorf("not a level from 0 to %d", maxLevel)
	}
	*l = level(number)
	return nil
}

func (l *level) String() string { return strconv.Itoa(int(*l)) }

// Type is what help shows in place of a value.
func (l *level) Type() string { return "level" }

// joinLevel makes -v=6 of -v 6 and -v6: a flag that can do without a value takes
// none that is not joined to it.
func joinLevel(args []string) []string {
	var joined []string
	for i, arg := range args {
		last := len(joined) - 1
		attached, short := strings.CutPrefix(arg, "-v")
		switch {
		case arg == "--":
			return append(joined, args[i:]...)
		case isNumber(arg) && last >= 0 && (joined[last] == "-v" || joined[last] == "--v"):
			joined[last] += "=" + arg
		case short && isNumber(attached):
			joined = append(joined, "-v="+attached)
		default:
			joined = append(joined, arg)
		}
	}
	return joined
}

func isNumber(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

// logRequests has client-go log as -v asks: its warnings, or its requests.
func (r *root) logRequests() {
	switch {
	case r.level == 0:
		klog.SetSlogLogger(slog.New(slog.DiscardHandler))
	case r.level < requestLevel:
		klog.SetSlogLogger(r.logAt(slog.LevelWarn))
	default:
		var flags flag.FlagSet
		klog.InitFlags(&flags)
		if err := flags.Set("v", r.level.String()); err != nil {
			r.log().Debug("setting the level of client-go", "error", err)
		}
		klog.SetSlogLogger(r.logAt(slog.Level(-int(r.level)))) // klog's levels count down from Info
	}
}

// log is the log of this program.
func (r *root) log() *slog.Logger {
	if !r.verbose && !r.logging {
		return slog.New(slog.DiscardHandler)
	}
	return r.logAt(slog.LevelDebug)
}

func (r *root) logAt(least slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(r.streams.Err, &slog.HandlerOptions{
		Level: least, ReplaceAttr: cluster.RedactAttr,
	}))
}
