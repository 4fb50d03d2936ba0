package status

import (
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/report"
)

// clean makes a text from a node or the cluster safe for a terminal, on one line.
func clean(text string) string {
	return strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(report.Printable(text))
}

// short is the beginning of a public key, enough to distinguish those of a cluster.
func short(key string) string {
	const shown = 12
	if len(key) <= shown {
		return key
	}
	return key[:shown] + "…"
}

// units of bytes, by powers of 1024 as wg prints them.
var units = []string{"B", "KiB", "MiB", "GiB", "TiB"}

// size words a number of bytes.
func size(bytes uint64) string {
	value := float64(bytes)
	unit := 0
	for value >= 1024 && unit < len(units)-1 {
		value /= 1024
		unit++
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", bytes)
	}
	return fmt.Sprintf("%.1f %s", value, units[unit])
}

// rate words bytes per second.
func rate(perSecond float64) string { return size(uint64(perSecond+0.5)) + "/s" }

// duration words a time in at most two units.
func duration(d time.Duration) string {
	seconds := int64(d.Round(time.Second) / time.Second)
	switch {
	case seconds < 0:
		return "0s"
	case seconds < 60:
		return fmt.Sprintf("%ds", seconds)
	case seconds < 3600:
		return fmt.Sprintf("%dm%02ds", seconds/60, seconds%60)
	case seconds < 86400:
		return fmt.Sprintf("%dh%02dm", seconds/3600, seconds%3600/60)
	}
	return fmt.Sprintf("%dd%02dh", seconds/86400, seconds%86400/3600)
}
