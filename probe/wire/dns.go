package wire

import (
	"encoding/binary"
	"errors"
)

// A question to a DNS server has the marked header as the only label of its name:
//
//	0   2     4       12        13        61     62    64     66
//	|id |flags| counts |length 48| header |0 root|type|class|
//
// No server knows an answer to it and none has reason to ask another: its class is
// CH, in which servers answer for themselves, and recursion is not desired. An answer,
// a refusal too, repeats the question, by which it is known (RFC 5452 9.1).
const (
	dnsHeader     = 12
	dnsAnswerFlag = 1 << 15 // QR
	dnsText       = 16      // TXT
	dnsChaos      = 3       // CH
)

// QuestionAt is where the marked header begins in a question, in bytes.
const QuestionAt = dnsHeader + 1

// Question makes a DNS message, without the length that precedes it in TCP, with a
// question that has the marked header in its name.
func Question(id uint16, header []byte) ([]byte, error) {
	if len(header) != MarkedSize {
		return nil, errors.New("a question bears one marked header and nothing else")
	}
	b := binary.BigEndian.AppendUint16(nil, id)
	b = append(b, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) // no flags, one question
	b = append(b, MarkedSize)
	b = append(b, header...)
	b = append(b, 0) // the root
	b = binary.BigEndian.AppendUint16(b, dnsText)
	return binary.BigEndian.AppendUint16(b, dnsChaos), nil
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
