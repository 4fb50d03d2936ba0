package printed

import "strings"

// plain are the bytes that mean nothing to a shell outside of quotes.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/-=,@%+"

// split takes a line apart as a shell would: simple commands, joined by && or
// ||, of plain and quoted words. A {name} is a plain word. Output may be
// appended to a file, input may come from a quoted here-document at the end. All
// else that means something to a shell is a problem.
func split(line string) (list [][]string, problems []string) {
	s := splitter{rest: line}
	for s.rest != "" && s.problem == "" {
		s.next()
	}
	s.end()
	if s.problem != "" {
		problems = append(problems, s.problem)
	}
	return s.list, problems
}

type splitter struct {
	rest    string
	word    strings.Builder
	inWord  bool
	words   []string
	list    [][]string
	problem string
}

func (s *splitter) take(prefix string) bool {
	if strings.HasPrefix(s.rest, prefix) {
		s.rest = s.rest[len(prefix):]
		return true
	}
	return false
}

func (s *splitter) next() {
	switch {
	case s.take(" "):
		s.endWord()
	case s.take("&& "), s.take("|| "):
		s.end()
	case strings.HasPrefix(s.rest, "| kubectl "): // an object for it; nothing else reads what another says
		s.take("| ")
		s.end()
	case s.take(">> "): // and the file's name, as another word
		s.endWord()
	case s.take("<<'EOF'\n"):
		s.endWord()
		if !strings.HasSuffix(s.rest, "\nEOF") || strings.Count(s.rest, "\nEOF") != 1 {
			s.problem = "the here-document does not end at the end"
		}
		s.rest = ""
	case s.take("'"):
		s.quoted()
	case s.rest[0] == '{':
		s.fact()
	case strings.IndexByte(plain, s.rest[0]) >= 0:
		s.word.WriteByte(s.rest[0])
		s.inWord, s.rest = true, s.rest[1:]
	default:
		s.problem = "a shell would not take this literally: " + s.rest
	}
}

func (s *splitter) quoted() {
	text, after, closed := strings.Cut(s.rest, "'")
	if !closed || strings.Contains(text, "\n") {
		s.problem = "a quote is not closed on its line"
		return
	}
	s.word.WriteString(text)
	s.inWord, s.rest = true, after
}

func (s *splitter) fact() {
	name, after, closed := strings.Cut(s.rest[1:], "}")
	if !closed || name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz") != "" {
		s.problem = "a brace is not quoted: " + s.rest
		return
	}
	s.word.WriteString("{" + name + "}")
	s.inWord, s.rest = true, after
}

func (s *splitter) endWord() {
	if s.inWord {
		s.words = append(s.words, s.word.String())
	}
	s.word.Reset()
	s.inWord = false
}

func (s *splitter) end() {
	s.endWord()
	s.list = append(s.list, s.words)
	s.words = nil
}
