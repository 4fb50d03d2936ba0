package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

// stream writes messages as an agent does and reads them back.
func stream(t *testing.T, messages ...Message) []*Message {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b)
	for _, m := range messages {
		if err := w.Write(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Bye(); err != nil {
		t.Fatal(err)
	}
	return decode(t, &b)
}

func decode(t *testing.T, r io.Reader) []*Message {
	t.Helper()
	var read []*Message
	decoder := NewDecoder(r, 1<<20)
	for {
		m, err := decoder.Next()
		if errors.Is(err, io.EOF) {
			return read
		}
		if err != nil {
			t.Fatal(err)
		}
		read = append(read, m)
	}
}

func TestGap(t *testing.T) {
	hello := Message{Hello: &Hello{Schema: Schema}}
	link := Message{Link: &Link{Name: "eth0"}}
	progress := Message{Progress: &Progress{Text: "reading"}}
	whole := stream(t, hello, progress, link, link)
	for _, test := range []struct {
		name   string
		change func(m []*Message) []*Message
		want   string // a part of the gap, empty for none
	}{
		{"whole", func(m []*Message) []*Message { return m }, ""},
		{"progress dropped", func(m []*Message) []*Message { return append(m[:1:1], m[2:]...) }, ""},
		{"one dropped", func(m []*Message) []*Message { return append(m[:2:2], m[3:]...) }, "message 2 is missing"},
		{"cut off", func(m []*Message) []*Message { return m[:3] }, "broke off after message 2"},
		{"no hello", func(m []*Message) []*Message { return m[1:] }, "message 1 is missing"},
		{"empty", func([]*Message) []*Message { return nil }, "empty"},
		{"twice", func(m []*Message) []*Message { return append(m, m[2], m[0]) }, ""},
		{"backwards", func(m []*Message) []*Message { return []*Message{m[4], m[3], m[2], m[1], m[0]} }, ""},
		{"after the end", func(m []*Message) []*Message { return append(m, &Message{Seq: 5, Link: &Link{}}) },
			"after its end"},
		{"without a number", func(m []*Message) []*Message { return append(m, &Message{Link: &Link{}}) },
			"without a number"},
		{"counted wrong", func(m []*Message) []*Message {
			return append(m[:4:4], &Message{Seq: 4, Bye: &Bye{Messages: 9}})
		}, "says it has 9"},
		{"another first", func(m []*Message) []*Message {
			return append([]*Message{{Seq: 1, Link: &Link{}}}, m[1:]...)
		}, "does not begin with hello"},
	} {
		if got := Gap(test.change(whole)); got != test.want && (test.want == "" || !strings.Contains(got, test.want)) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	long := `{"seq":1,"progress":{"text":"` + strings.Repeat("x", MaxMessage) + `"}}` + "\n"
	for _, test := range []struct {
		name, line string
		want       error
	}{
		{"no JSON", "hello\n", ErrDamaged},
		{"cut off", `{"seq":1,"link":{"name":`, ErrDamaged},
		{"cut off after a whole object", `{"seq":1}`, ErrDamaged},
		{"two payloads", `{"seq":1,"link":{"name":"a"},"bye":{"messages":1}}` + "\n", ErrDamaged},
		{"a wrong type", `{"seq":"one"}` + "\n", ErrDamaged},
		{"a negative number", `{"seq":-1}` + "\n", ErrDamaged},
		{"too long", long, ErrDamaged},
		{"endless", strings.Repeat("x", 3*MaxMessage), ErrDamaged},
		{"a later major version", `{"seq":1,"hello":{"schema":"wg.evidence/v2"}}` + "\n", ErrVersion},
		{"another schema", `{"seq":1,"hello":{"schema":"tea"}}` + "\n", ErrVersion},
	} {
		if _, err := NewDecoder(strings.NewReader(test.line), 1<<20).Next(); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	if _, err := NewDecoder(strings.NewReader(strings.Repeat("\n", 100)), 50).Next(); !errors.Is(err, ErrDamaged) {
		t.Errorf("a stream over its limit: %v", err)
	}
}

// Lines longer than what a decoder holds come whole, and so do those after them.
func TestLongLines(t *testing.T) {
	const around = len(`{"progress":{"text":""}}`)
	lengths := []int{around, decoderBuffer - 2, decoderBuffer - 1, decoderBuffer, decoderBuffer + 1, 2 * decoderBuffer,
		MaxMessage - 1, MaxMessage, 100}
	var lines strings.Builder
	for _, length := range lengths {
		fmt.Fprintf(&lines, "{\"progress\":{\"text\":\"%s\"}}\n", strings.Repeat("x", length-around))
	}
	decoder := NewDecoder(iotest.HalfReader(strings.NewReader(lines.String())), 1<<20)
	for _, length := range lengths {
		m, err := decoder.Next()
		if err != nil || len(m.Progress.Text) != length-around {
			t.Fatalf("a line of %d bytes: %v", length, err)
		}
	}
	if _, err := decoder.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

func TestVersionErrorsSayWhichSideToUpdate(t *testing.T) {
	for schema, want := range map[string]string{"wg.evidence/v2": "update this side",
		"wg.evidence/v0": "update the other side"} {
		if err := CheckSchema(schema); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", schema, err, want)
		}
	}
	for _, schema := range []string{Schema, "wg.evidence/v1.7"} {
		if err := CheckSchema(schema); err != nil {
			t.Errorf("%s: %v", schema, err)
		}
	}
}

func TestUnknownMessagesAreKeptAndCounted(t *testing.T) {
	m, err := Decode([]byte(`{"seq":2,"telepathy":{"strength":9},"link2":true}`))
	if err != nil {
		t.Fatal(err)
	}
	if kind, err := m.Kind(); kind != KindUnknown || err != nil || m.Seq != 2 {
		t.Errorf("kind %s, seq %d, %v", kind, m.Seq, err)
	}
}

func TestWriterReplacesWhatIsTooLong(t *testing.T) {
	read := stream(t, Message{Hello: &Hello{Schema: Schema}},
		Message{Problem: &Problem{Text: strings.Repeat("x", MaxMessage)}})
	if read[1].Problem == nil || read[1].Problem.Class != ProblemInternal || Gap(read) != "" {
		t.Errorf("%+v, gap %q", read[1].Problem, Gap(read))
	}
}

// No type of the contract may ever have room for a private or preshared key.
func TestNoFieldForSecrets(t *testing.T) {
	var walk func(typ reflect.Type, path string)
	seen := map[reflect.Type]bool{}
	walk = func(typ reflect.Type, path string) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Array ||
			typ.Kind() == reflect.Map {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || seen[typ] {
			return
		}
		seen[typ] = true
		for i := range typ.NumField() {
			field := typ.Field(i)
			name := strings.ToLower(field.Name)
			if strings.Contains(name, "private") || strings.Contains(name, "secret") ||
				name == "preshared" && field.Type.Kind() != reflect.Bool {
				t.Errorf("%s.%s could hold a secret", path, field.Name)
			}
			walk(field.Type, path+"."+field.Name)
		}
	}
	walk(reflect.TypeFor[Message](), "Message")
}

func TestRequestErrorsDoNotQuote(t *testing.T) {
	err := ReadRequests(strings.NewReader(`{"id":1,"start":{"key":"c2VjcmV0LXNlY3JldC1zZWNyZXQ=" oops`+"\n"),
		func(*Request) error { return nil })
	if !errors.Is(err, ErrRequest) || strings.Contains(err.Error(), "c2Vj") {
		t.Errorf("%v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, m := range []Message{{Seq: 1, Hello: &Hello{Schema: Schema}}, {Seq: 2, Count: &Count{}},
		{Progress: &Progress{}}} {
		line, _ := Encode(&m)
		f.Add(line)
	}
	f.Add([]byte(`{"seq":1,"peer":{"allowedIPs":["10.0.0.0/8"]}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		m, err := Decode(line)
		if err != nil {
			return
		}
		if kind, _ := m.Kind(); kind == KindUnknown {
			return
		}
		again, err := json.Marshal(m)
		if err != nil {
			t.Fatalf("read but not to be written: %v", err)
		}
		if len(again) > MaxMessage {
			return // escaping made it longer
		}
		twice, err := Decode(again)
		if err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		if third, _ := json.Marshal(twice); !bytes.Equal(again, third) {
			t.Fatalf("not stable:\n%s\n%s", again, third)
		}
	})
}

// What is not kept does not count against the limit of a stream.
func TestDecoderRefund(t *testing.T) {
	line, err := Encode(&Message{Frame: &Frame{Link: "eth0", Data: make([]byte, 200)}})
	if err != nil {
		t.Fatal(err)
	}
	stream := bytes.Repeat(line, 100)
	for _, kept := range []bool{false, true} {
		decoder := NewDecoder(bytes.NewReader(stream), int64(10*len(line)))
		read := 0
		for ; ; read++ {
			if _, err = decoder.Next(); err != nil {
				break
			}
			if !kept {
				decoder.Refund()
			}
		}
		want := 100
		if kept {
			want = 10
		}
		if read != want {
			t.Errorf("kept %v: %d messages, want %d: %v", kept, read, want, err)
		}
	}
}
