package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// A question to a DNS server has the marked header as the first label of its name,
// of any octets (RFC 2181 11), and a domain behind it:
//
//	0   2     4       12        13       61
//	|id |flags| counts |length 48| header | domain, root | type | class |
//
// A server that is responsible for the domain knows that there is no such name, and
// asks no other. An answer, a refusal too, repeats the question, by which it is known
// (RFC 5452 9.1).
const (
	dnsHeader     = 12
	dnsAnswerFlag = 1 << 15 // QR
	dnsText       = 16      // TXT
	dnsInternet   = 1       // IN
	maxLabel      = 63      // octets
	maxName       = 255     // octets, with the lengths and the root
)

// QuestionAt is where the marked header begins in a question, in bytes.
const QuestionAt = dnsHeader + 1

// Question makes a DNS message, without the length that precedes it in TCP, with a
// question for the marked header as a name in a domain.
func Question(id uint16, header []byte, domain string) ([]byte, error) {
	if len(header) != MarkedSize {
		return nil, errors.New("a question bears one marked header and nothing else")
	}
	b := binary.BigEndian.AppendUint16(nil, id)
	b = append(b, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) // no flags, one question
	b = append(b, MarkedSize)
	b = append(b, header...)
	for label := range strings.SplitSeq(strings.Trim(domain, "."), ".") {
		if label == "" || len(label) > maxLabel {
			return nil, fmt.Errorf("%q is not a domain", domain)
		}
		b = append(b, byte(len(label)))
		b = append(b, label...)
	}
	b = append(b, 0) // the root
	if len(b) > dnsHeader+maxName {
		return nil, fmt.Errorf("%q is too long a domain", domain)
	}
	b = binary.BigEndian.AppendUint16(b, dnsText)
	return binary.BigEndian.AppendUint16(b, dnsInternet), nil
}

// Questioned returns what an answer repeats of the question that it answers: its
// marked header, not checked yet. It is false of anything else.
func Questioned(answer []byte) (header []byte, ok bool) {
	if len(answer) < QuestionAt+MarkedSize || !answersQuestion(answer[:QuestionAt]) {
		return nil, false
	}
	return answer[QuestionAt : QuestionAt+MarkedSize], true
}

// answersQuestion reports whether what precedes a marked header is the beginning of a
// DNS message that answers one.
func answersQuestion(before []byte) bool {
	message := len(before) - QuestionAt
	return message >= 0 && before[len(before)-1] == MarkedSize &&
		binary.BigEndian.Uint16(before[message+2:])&dnsAnswerFlag != 0
}
