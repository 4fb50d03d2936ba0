package wire

import (
	"bytes"
	"encoding/base64"
	"slices"
	"testing"

	"golang.org/x/crypto/blake2s"
)

// withMAC1 is a message with the mac1 for a public key and an empty mac2, as the
// protocol has them (WireGuard whitepaper, 5.4.4).
func withMAC1(t testing.TB, public string, b []byte) []byte {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(public)
	if err != nil {
		t.Fatal(err)
	}
	key := blake2s.Sum256(append([]byte("mac1----"), raw...))
	h, err := blake2s.New128(key[:])
	if err != nil {
		t.Fatal(err)
	}
	h.Write(b)
	return append(h.Sum(bytes.Clone(b)), make([]byte, 16)...)
}

// mac1 stands before mac2, which is the last 16 bytes, and is made of all that
// stands before it. What is too short for both was made for nobody.
func TestMAC1(t *testing.T) {
	r, err := newReceiver(publicKey(3))
	if err != nil {
		t.Fatal(err)
	}
	for size := range 31 {
		if r.made(make([]byte, size)) {
			t.Errorf("%d bytes were made for someone", size)
		}
	}
	for _, size := range []int{0, 1, 116} {
		b := withMAC1(t, publicKey(3), make([]byte, size))
		if !r.made(b) {
			t.Errorf("a mac1 of %d bytes is not known", size)
		}
	}
}

// Only so many mac1 are computed, and who was the last is asked first.
func TestAudience(t *testing.T) {
	var everyone []receiver
	for n := range byte(4) {
		r, err := newReceiver(publicKey(n))
		if err != nil {
			t.Fatal(err)
		}
		everyone = append(everyone, r)
	}
	for left, want := range map[int]string{0: "", 2: "", 3: publicKey(2), 4: publicKey(2)} {
		a := audience{receivers: slices.Clone(everyone), left: left}
		if got := a.madeFor(withMAC1(t, publicKey(2), make([]byte, 116))); got != want {
			t.Errorf("with %d left: for %q, want %q", left, got, want)
		}
	}
	a := audience{receivers: slices.Clone(everyone), left: 3 + 1 + 3 + 3}
	for _, n := range []byte{2, 2, 1, 0} { // it takes 3, 1, 3 and 3
		if got := a.madeFor(withMAC1(t, publicKey(n), make([]byte, 116))); got != publicKey(n) {
			t.Errorf("for %q, want that of %d", got, n)
		}
	}
	if a.left != 0 || len(a.receivers) != 4 {
		t.Errorf("%d left of %d", a.left, len(a.receivers))
	}
}
