package evidence

import "testing"

func TestNumbers(t *testing.T) {
	for _, text := range []string{"", "7", "0-5", "0-5,7,9-12", "12,3"} {
		var n Numbers
		if err := n.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if again, _ := n.MarshalText(); string(again) != text {
			t.Errorf("%q becomes %q", text, again)
		}
	}
	for _, text := range []string{"-1", "5-5", "9-3", "0-4096", "0-4000,5000-6000", "1,,2", "a", "1-2-3",
		"99999999999", "0-2147483647"} {
		var n Numbers
		if err := n.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}
