package command

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/plugin/report"
)

// maxResult is how much a ConfigMap of a run holds, in bytes. Kubernetes allows
// 1 MiB of data (k8s.io/api/core/v1.MaxSecretSize).
const maxResult = 1<<20 - 16<<10

// plainText is up to which size a text is kept as it is, and compressed above.
const plainText = 256 << 10

// The keys of a report's ConfigMap.
const (
	keyVerdict   = "verdict"
	keyExitCode  = "exitCode"
	keyRun       = "run"
	keyHeadline  = "headline"
	keyText      = "report.txt"
	keyJSON      = "report.json"
	keyRecording = "recording.ndjson.gz"
	keyLeftOut   = "leftOut" // which keys did not fit
	packed       = ".gz"     // is added to the key of a text that is compressed
)

// result is what a run came to, as a ConfigMap keeps it.
type result struct {
	verdict, headline, run string
	code                   int
	text                   string
	document               []byte // JSON, nil where there is no verdict
	recording              []byte // compressed, nil where there is none
}

// newResult renders a judgement and compresses its recording.
func newResult(j *check.Judgement, evidence *recording.Recording, failOnWarn bool) (*result, error) {
	options := report.Options{FailOnWarn: failOnWarn}
	var text, document, recorded bytes.Buffer
	if err := report.Write(&text, "text", j, options); err != nil {
		return nil, err
	}
	if err := report.Write(&document, "json", j, options); err != nil {
		return nil, err
	}
	var about struct{ Headline string }
	if err := json.Unmarshal(document.Bytes(), &about); err != nil {
		return nil, fmt.Errorf("reading the report: %w", err)
	}
	if err := writeTo(&recorded, true, evidence); err != nil {
		return nil, fmt.Errorf("compressing the recording: %w", err)
	}
	code, _ := j.Exit(failOnWarn)
	return &result{
		verdict: string(j.Verdict), headline: about.Headline, run: j.Graph.Run.ID, code: code,
		text: text.String(), document: document.Bytes(), recording: recorded.Bytes(),
	}, nil
}

// content returns what fits a ConfigMap: the report always, the recording if there
// is room for it.
func (r *result) content() cluster.Result {
	c := cluster.Result{
		Labels: verdictLabel(r.verdict),
		Data: map[string]string{
			keyVerdict: r.verdict, keyExitCode: strconv.Itoa(r.code), keyRun: r.run,
			keyHeadline: cut(r.headline, plainText), keyText: cut(r.text, plainText),
		},
		Binary: map[string][]byte{},
	}
	leftOut := ""
	if r.document != nil && put(&c, keyJSON, r.document) != nil {
		leftOut += keyJSON + "\n"
	}
	switch room := maxResult - size(&c); {
	case r.recording == nil:
	case len(r.recording) > room:
		leftOut += keyRecording + "\n"
	default:
		c.Binary[keyRecording] = r.recording
	}
	if leftOut != "" {
		c.Data[keyLeftOut] = leftOut
	}
	return c
}

// cut bounds a text.
func cut(text string, most int) string { return strings.ToValidUTF8(text[:min(len(text), most)], "") }

func size(c *cluster.Result) (sum int) {
	for key, value := range c.Data {
		sum += len(key) + len(value)
	}
	for key, value := range c.Binary {
		sum += len(key) + len(value)
	}
	return sum
}

// put adds a text under a key, compressed if it is long. It is an error if there is
// no room for it.
func put(c *cluster.Result, key string, text []byte) error {
	if len(text) <= plainText && len(text) <= maxResult-size(c) {
		c.Data[key] = string(text)
		return nil
	}
	var small bytes.Buffer
	w := gzip.NewWriter(&small)
	if _, err := w.Write(text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	if small.Len() > maxResult-size(c) {
		return fmt.Errorf("%s has %d bytes when compressed, which do not fit a ConfigMap", key, small.Len())
	}
	c.Binary[key+packed] = small.Bytes()
	return nil
}

// maxTaken bounds what is read of a compressed text.
const maxTaken = 8 << 20

// taken returns a text that put added, nil if there is none.
func taken(kept *corev1.ConfigMap, key string) ([]byte, error) {
	if text, found := kept.Data[key]; found {
		return []byte(text), nil
	}
	small, found := kept.BinaryData[key+packed]
	if !found {
		return nil, nil
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(small))
	if err != nil {
		return nil, fmt.Errorf("unpacking %s: %w", key, err)
	}
	text, err := io.ReadAll(io.LimitReader(unpacked, maxTaken))
	if err != nil {
		return nil, fmt.Errorf("unpacking %s: %w", key, err)
	}
	return text, nil
}
