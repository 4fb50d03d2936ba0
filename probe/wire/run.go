package wire

import (
	"encoding/hex"
	"fmt"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// MarkSize is the length of a run's random mark in bytes.
const MarkSize = 16

// KeySize is the length of a run's random key, and of that of its first packets,
// in bytes.
const KeySize = 32

// Run is the identity of a run: the mark that all its packets bear, and the key
// that shows which of them are genuine. The mark is public, the key is not.
type Run struct {
	Mark [MarkSize]byte
	Key  []byte // KeySize bytes
}

// NewRun returns the run with a mark and a key, as an evidence.StartRequest has
// them. It fails if one of them has another length.
func NewRun(mark, key []byte) (Run, error) {
	if len(mark) != MarkSize || len(key) != KeySize {
		return Run{}, fmt.Errorf("a run has a mark of %d bytes and a key of %d", MarkSize, KeySize)
	}
	return Run{Mark: [MarkSize]byte(mark), Key: key}, nil
}

// ParseRun reads a mark and a key as Hex writes them. Its error has nothing of
// them in it.
func ParseRun(mark, key string) (Run, error) {
	markBytes, err := hex.DecodeString(mark)
	if err != nil {
		return Run{}, fmt.Errorf("the mark of a run is %d bytes in hex", MarkSize)
	}
	keyBytes, err := hex.DecodeString(key)
	if err != nil {
		return Run{}, fmt.Errorf("the key of a run is %d bytes in hex", KeySize)
	}
	return NewRun(markBytes, keyBytes)
}

// Hex returns mark and key in hex.
func (r Run) Hex() (mark, key string) {
	return hex.EncodeToString(r.Mark[:]), hex.EncodeToString(r.Key)
}

// First returns the run as a new pod knows it: with the key of first packets,
// from which that of the run cannot be derived.
func (r Run) First() Run { return Run{Mark: r.Mark, Key: evidence.FirstKey(r.Key)} }
