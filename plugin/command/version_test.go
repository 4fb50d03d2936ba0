package command

import "testing"

// A release names its commit, though it is built without the version control's
// state.
func TestCommitOfARelease(t *testing.T) {
	before := commit
	defer func() { commit, date = before, "" }()
	commit = "0123abc"
	date = "2026-01-02T03:04:05Z"
	if got := thisBuild(); got.Commit != "0123abc" || got.Date != "2026-01-02T03:04:05Z" {
		t.Errorf("%+v", got)
	}
}
