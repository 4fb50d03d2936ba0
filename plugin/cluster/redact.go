package cluster

import (
	"log/slog"
	"regexp"
	"strings"
)

// hidden replaces what must not be shown or recorded.
const hidden = "(hidden)"

// secretWord matches a name that a secret's value follows.
const secretWord = `[\w.-]*(?:token|secret|passw(?:or)?d|psk|preshared[ _-]?key|private[ _-]?key|access[ _-]?key|` +
	`join[ _-]?key|api[ _-]?key|auth[ _-]?key|authorization|credentials?|signature|datastore-endpoint)[\w.-]*`

// secretForms are the forms of secrets in free text: messages of events, reasons
// of a pod's state, errors. Such text has no fields that could be allowed one by
// one, so everything that looks like a secret is replaced.
var secretForms = []struct {
	form *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`-----BEGIN [A-Z ]+-----(?:[^-]*-----END [A-Z ]+-----|.*)`), hidden},
	{regexp.MustCompile(`(\w://)[^/\s@"']+@`), "${1}" + hidden + "@"},
	{regexp.MustCompile(`(https?://[^\s"'?]+\?)[^\s"']+`), "${1}" + hidden},
	{regexp.MustCompile(`(?i)\b(bearer|basic)\s+[\w+/=.~-]{8,}`), "${1} " + hidden},
	{regexp.MustCompile(`\bK10[0-9a-f]{8,}\S*`), hidden},          // K3s: cluster token
	{regexp.MustCompile(`::(?:server|node):\S+`), "::" + hidden},  // its second half
	{regexp.MustCompile(`\b[a-z0-9]{6}\.[a-z0-9]{16}\b`), hidden}, // kubeadm: bootstrap token
	{regexp.MustCompile(`\beyJ[\w-]+\.[\w-]+\.[\w-]*`), hidden},   // JSON web token
	{regexp.MustCompile(`\bA(?:KI|SI)A[A-Z0-9]{16}\b`), hidden},   // AWS: access key's id
	{regexp.MustCompile(`(?i)(--` + secretWord + `[ =]\s*"?)[^\s"',]+`), "${1}" + hidden},
	{regexp.MustCompile(`(?i)(\b` + secretWord + `\\?["']?=\\?["']?)[^\s"',;&]+`), "${1}" + hidden},
	{regexp.MustCompile(`(?i)(` + secretWord + `\\?["']\s*:\s*\\?["'])[^\s"',;&\\]+`), "${1}" + hidden},
	// In prose a plain word often follows the colon, so only other values count.
	{regexp.MustCompile(`(?i)(\b` + secretWord + `:\s*)[^\s"',;&]*[^\sa-z"',;&][^\s"',;&]*`), "${1}" + hidden},
}

// longRun matches text that may be a key: base64 of 30 bytes and more.
var longRun = regexp.MustCompile(`[A-Za-z0-9+/_]{40,}=*`)

// Redact replaces everything in free text that looks like a secret.
func Redact(text string) string {
	for _, secret := range secretForms {
		text = secret.form.ReplaceAllString(text, secret.with)
	}
	return longRun.ReplaceAllStringFunc(text, func(run string) string {
		if looksRandom(run) {
			return hidden
		}
		return run
	})
}

// RedactAttr is Redact for the attributes of a log that are not numbers or times.
func RedactAttr(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString, slog.KindAny:
		return slog.String(a.Key, Redact(a.Value.String()))
	}
	return a
}

// looksRandom reports whether text mixes characters as names and paths do not. A
// digest in hex, which identifies an image, does not either.
func looksRandom(text string) bool {
	return strings.ContainsAny(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") && strings.ContainsAny(text, "0123456789+=")
}
