//go:build linux

package host

import "testing"

// Whether the kernel is in FIPS mode: a kernel that cannot be has no such file.
func TestFIPS(t *testing.T) {
	const file = "proc/sys/crypto/fips_enabled"
	for text, want := range map[string]bool{"1\n": true, "0\n": false, "": false} {
		files := map[string]string{file: text}
		if text == "" {
			files = nil
		}
		if got := (Reader{Root: write(t, files)}).System().FIPS; got == nil || *got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	unread := write(t, map[string]string{file + "/directory": ""})
	if got := (Reader{Root: unread}).System().FIPS; got != nil {
		t.Errorf("what cannot be read: %t", *got)
	}
}
