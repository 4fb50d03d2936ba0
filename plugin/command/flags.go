package command

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// colors are the values of --color.
var colors = []string{"auto", "always", "never"}

// colored reports whether reports have colors.
func (r *root) colored() bool {
	switch {
	case r.noColor || r.color == "never":
		return false
	case r.color == "always":
		return true
	}
	return colourful(r.streams.Out)
}

// flagError turns a flag that cannot be parsed into a usage error, with the flag
// that may have been meant.
func flagError(command *cobra.Command, err error) error {
	help := seeHelp(command)
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		if near := nearest(command, unknown.GetSpecifiedName()); near != "" {
			return usageError(err, "did you mean --"+near+"? "+help)
		}
	case errors.As(err, &invalid):
		flag := invalid.GetFlag()
		if hint := valuesOf[flag.Value.Type()]; hint != "" {
			return usagef(hint, "invalid value %q for --%s", invalid.GetValue(), flag.Name)
		}
	}
	return usageError(err, help)
}

// valuesOf are the values that flags of a type take.
var valuesOf = map[string]string{
	"duration": "a number with its unit, e.g. 90s or 5m",
	"int":      "a number",
	"intSlice": "one number, or several with commas",
	"bool":     "true or false",
}

// validRequestTimeout reports whether client-go takes a value of kubectl's flag: a
// number of seconds, or one with its unit.
func validRequestTimeout(value string) bool {
	if seconds, err := strconv.Atoi(value); err == nil {
		return seconds >= 0
	}
	limit, err := time.ParseDuration(value)
	return err == nil && limit >= 0
}

// meant are the flags that people look for by another name.
var meant = map[string]string{
	"l": "node-selector", "selector": "node-selector", "label": "node-selector", "labels": "node-selector",
	"format": "output", "colour": "color", "ipv6": "family", "ipv4": "family", "wait": "timeout", "save": "record",
}

// nearest returns the name of a command's flag that is like another name, empty
// if none is.
func nearest(command *cobra.Command, name string) string {
	best := ""
	least := min(3, 1+len(name)/3)
	command.Flags().VisitAll(func(f *pflag.Flag) {
		distance := editDistance(name, f.Name)
		if len(name) > 2 && strings.HasPrefix(f.Name, name) || meant[name] == f.Name {
			distance = 0
		}
		if distance < least {
			best, least = f.Name, distance
		}
	})
	return best
}

// editDistance is how many letters have to be inserted, left out or replaced to
// make one text of another (Levenshtein).
func editDistance(from, to string) int {
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(from) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(to) {
			replaced := diagonal
			if from[i] != to[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(to)]
}

// emptyFlag returns a usage error for a flag of a command that was given an
// empty value, as --nodes "$UNSET" does. That is not the same as to omit it.
func emptyFlag(command *cobra.Command) (err error) {
	command.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		empty := strings.Trim(f.Value.String(), "[], ") == ""
		if f.Changed && empty && err == nil {
			err = usagef("omit it, or give it a value", "--%s is empty", f.Name)
		}
	})
	return err
}

// options is the command that shows the flags which help hides.
func (r *root) options() *cobra.Command {
	command := &cobra.Command{
		Use:   "options",
		Short: "List the flags that every command takes, those of kubectl included",
		Args:  noArguments,
	}
	command.RunE = func(*cobra.Command, []string) error {
		var shown pflag.FlagSet
		command.Root().PersistentFlags().VisitAll(func(f *pflag.Flag) {
			copied := *f
			copied.Hidden = f.Name == "log"
			shown.AddFlag(&copied)
		})
		_, err := io.WriteString(r.streams.Out, fmt.Sprintf("Every command takes these flags:\n\n%s", shown.FlagUsages()))
		return err
	}
	return command
}
