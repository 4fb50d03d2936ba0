package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/ledger"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/plugin/report"
	"github.com/kubectl-wg/kubectl-wg/plugin/run"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// resultFlags say where in the cluster a run leaves its result, and which part of
// the directions it tests.
type resultFlags struct {
	report, ledger, part string
	policyReport         string // the format of reports that is applied as an object
}

func addResultFlags(command *cobra.Command, f *resultFlags) {
	flags := command.Flags()
	flags.StringVar(&f.report, "report-configmap", "", "keep report and recording in this ConfigMap, as `name` or "+
		"namespace/name, and write an event about it")
	flags.StringVar(&f.policyReport, "policy-report", "", "write the result to the cluster as an object for "+
		"dashboards of policy engines: policyreport or openreports")
	completeWith(command, "policy-report", policyReports...)
	flags.StringVar(&f.ledger, "ledger", "", "keep in this ConfigMap, as `name` or namespace/name, which directions "+
		"were proven when")
	flags.StringVar(&f.part, "part", "", "test one of several parts of all directions: K/M, or next/M with --ledger")
}

// policyReports are the values of --policy-report.
var policyReports = slices.Sorted(maps.Keys(manifests.PolicyReports))

// nextPart is the number of the part that the ledger says is to be tested next.
const nextPart = "next/"

// validate returns a usage error for the first flag whose value is not valid.
func (f *resultFlags) validate(pairs string) error {
	if err := f.validPart(pairs); err != nil {
		return err
	}
	for _, flag := range []struct{ name, value string }{{"report-configmap", f.report}, {"ledger", f.ledger}} {
		if flag.value != "" && !validPlace(flag.value) {
			return usagef("name or namespace/name", "invalid value %q for --%s", flag.value, flag.name)
		}
	}
	if f.policyReport != "" && !slices.Contains(policyReports, f.policyReport) {
		return usagef("one of: "+strings.Join(policyReports, ", "),
			"invalid value %q for --policy-report", f.policyReport)
	}
	if f.report != "" && placeOf(f.report, "") == placeOf(f.ledger, "") {
		return usagef("name two ConfigMaps", "--report-configmap and --ledger name the same")
	}
	return nil
}

func (f *resultFlags) validPart(pairs string) error {
	next, isNext := strings.CutPrefix(f.part, nextPart)
	switch {
	case f.part == "":
		return nil
	case pairs == "ring":
		return usagef("omit --pairs, or say to how many others each node may send",
			"--part and --pairs ring exclude each other")
	case isNext && f.ledger == "":
		return usagef("name a ConfigMap with --ledger", "--part %s needs --ledger", f.part)
	case isNext:
		if _, err := graph.ParsePart("1/" + next); err != nil {
			return usagef("e.g. next/3", "invalid value %q for --part", f.part)
		}
		return nil
	}
	if _, err := graph.ParsePart(f.part); err != nil {
		return usagef("K/M, e.g. 1/3, or next/3 with --ledger", "--part: %w", err)
	}
	return nil
}

func validPlace(value string) bool {
	at := placeOf(value, "default")
	return at.Namespace != "" && validNamespace(at.Namespace) && len(validation.IsDNS1123Subdomain(at.Name)) == 0
}

// placeOf reads name or namespace/name.
func placeOf(value, namespace string) cluster.Place {
	if before, name, found := strings.Cut(value, "/"); found {
		return cluster.Place{Namespace: before, Name: name}
	}
	return cluster.Place{Namespace: namespace, Name: value}
}

// results keeps what a run comes to in the cluster. A nil one keeps nothing.
type results struct {
	client       *cluster.Client
	report       *cluster.Place
	ledger       *cluster.Place
	policyReport string // its format, empty for none
	run          string
	written      bool
}

// results checks before a run that its result can be kept, and has the run test the
// part that is asked for.
func (r *root) results(ctx context.Context, f resultFlags, o *run.Options) (*results, error) {
	if f.part != "" && !strings.HasPrefix(f.part, nextPart) {
		o.Part = f.part
	}
	if f.report == "" && f.ledger == "" && f.policyReport == "" {
		return nil, nil
	}
	namespace, err := r.resultNamespace()
	if err != nil {
		return nil, err
	}
	kept := &results{client: o.Cluster, policyReport: f.policyReport, run: o.Objects.ID}
	if f.policyReport != "" {
		if err := kept.client.CanApply(ctx, manifests.PolicyReports[f.policyReport]); err != nil {
			return nil, err
		}
	}
	for _, one := range []struct {
		value string
		at    **cluster.Place
	}{{f.report, &kept.report}, {f.ledger, &kept.ledger}} {
		if one.value == "" {
			continue
		}
		at := placeOf(one.value, namespace)
		*one.at = &at
		if err := kept.client.CanKeep(ctx, at, one.at == &kept.report); err != nil {
			return nil, err
		}
		if _, err := kept.client.Kept(ctx, at); err != nil {
			return nil, err
		}
	}
	if next, found := strings.CutPrefix(f.part, nextPart); found {
		o.Part, err = kept.next(ctx, next)
	}
	return kept, err
}

// resultNamespace is where results are kept that name no namespace.
func (r *root) resultNamespace() (string, error) {
	namespace, _, err := r.config.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return "", fmt.Errorf("finding the namespace for the result: %w", err)
	}
	return namespace, nil
}

// resultsRoles are the roles for keeping results where the flags say, one for each
// namespace.
func (r *root) resultsRoles(f *resultFlags) (roles []byte, err error) {
	if f.report == "" && f.ledger == "" {
		return nil, nil
	}
	namespace, err := r.resultNamespace()
	if err != nil {
		return nil, err
	}
	report, ledger := placeOf(f.report, namespace), placeOf(f.ledger, namespace)
	switch {
	case f.ledger == "":
		return manifests.ResultsRole(report.Namespace, []string{report.Name}, true), nil
	case f.report == "":
		return manifests.ResultsRole(ledger.Namespace, []string{ledger.Name}, false), nil
	case report.Namespace == ledger.Namespace:
		return manifests.ResultsRole(report.Namespace, []string{report.Name, ledger.Name}, true), nil
	}
	return slices.Concat(manifests.ResultsRole(report.Namespace, []string{report.Name}, true),
		manifests.ResultsRole(ledger.Namespace, []string{ledger.Name}, false)), nil
}

// next returns the part of so many that the ledger says is to be tested next.
func (k *results) next(ctx context.Context, parts string) (string, error) {
	before, err := k.client.Kept(ctx, *k.ledger)
	if err != nil {
		return "", err
	}
	known, err := ledgerIn(before)
	if err != nil {
		return "", err
	}
	count, err := strconv.Atoi(parts)
	return known.Next(count).String(), err
}

// keepTime bounds how long a result is written, whatever the run took.
const keepTime = time.Minute

// keep writes the result of a run, also of one that was interrupted.
func (k *results) keep(
	ctx context.Context, j *check.Judgement, evidence *recording.Recording, failOnWarn bool, progress *progress,
) error {
	if k == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTime)
	defer cancel()
	k.written = true
	var problems []error
	if k.report != nil {
		result, err := newResult(j, evidence, failOnWarn)
		if err == nil {
			err = k.write(ctx, result)
		}
		problems = append(problems, err)
		if err == nil {
			progress.Note("report written to the ConfigMap " + k.report.String())
		}
	}
	if k.policyReport != "" {
		name, err := k.apply(ctx, func(w io.Writer) error {
			return report.Write(w, k.policyReport, j, report.Options{FailOnWarn: failOnWarn})
		})
		problems = append(problems, err)
		if err == nil {
			progress.Note("report written to " + name)
		}
	}
	if k.ledger != nil {
		state, err := k.enter(ctx, j)
		problems = append(problems, err)
		if err == nil {
			progress.Note(fmt.Sprintf("ledger %s: %s", k.ledger, state))
		}
	}
	return errors.Join(problems...)
}

// apply writes the object of --policy-report, and returns its name.
func (k *results) apply(ctx context.Context, write func(io.Writer) error) (string, error) {
	var text bytes.Buffer
	if err := write(&text); err != nil {
		return "", err
	}
	return k.client.Apply(ctx, manifests.PolicyReports[k.policyReport], text.Bytes())
}

// write writes a result and an event about it.
func (k *results) write(ctx context.Context, r *result) error {
	replace := func(*corev1.ConfigMap) (cluster.Result, error) { return r.content(), nil }
	written, err := k.client.Keep(ctx, *k.report, replace)
	if err != nil {
		return err
	}
	return k.client.Report(ctx, written, k.run, r.reason(), r.headline, r.code == exitVerified)
}

// reason is that of the event: the verdict's, unless the exit code is another, by a
// policy or by --fail-on warn.
func (r *result) reason() string {
	passed := r.verdict == string(verdict.Passed)
	switch {
	case passed && r.code != exitVerified:
		return "NotAccepted"
	case !passed && r.code == exitVerified:
		return "Accepted"
	}
	return reasons[r.verdict]
}

// reasons are those of the events, by verdict.
var reasons = map[string]string{
	string(verdict.Passed):    "Verified",
	string(verdict.Failed):    "NotVerified",
	string(verdict.Undecided): "Inconclusive",
	errored:                   "CouldNotRun",
}

// errored stands for the verdict of a run that came to none.
const errored = "ERROR"

// failed writes that a run came to no verdict, and returns its error with what went
// wrong with that.
func (k *results) failed(ctx context.Context, err error) error {
	if k == nil || k.written || err == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTime)
	defer cancel()
	message := cluster.Redact(err.Error())
	if k.report != nil {
		err = errors.Join(err, k.write(ctx, &result{
			verdict: errored, code: exitCouldNotRun, headline: message, text: message + "\n", run: k.run,
		}))
	}
	if k.policyReport != "" {
		_, notApplied := k.apply(ctx, func(w io.Writer) error {
			return report.WriteNoVerdict(w, k.policyReport, message, time.Now())
		})
		err = errors.Join(err, notApplied)
	}
	return err
}

// The keys of a ledger's ConfigMap.
const (
	keyLedger  = "ledger.json"
	keySummary = "summary"
)

// enter adds a run to the ledger.
func (k *results) enter(ctx context.Context, j *check.Judgement) (state ledger.State, err error) {
	_, err = k.client.Keep(ctx, *k.ledger, func(before *corev1.ConfigMap) (cluster.Result, error) {
		known, err := ledgerIn(before)
		if err != nil {
			return cluster.Result{}, err
		}
		if err := known.Add(j); err != nil {
			return cluster.Result{}, err
		}
		state = known.State()
		content := cluster.Result{
			Data: map[string]string{keySummary: state.String() + "\n"}, Binary: map[string][]byte{},
		}
		return content, put(&content, keyLedger, known.Encode())
	})
	return state, err
}

// ledgerIn reads the ledger of a ConfigMap, an empty one where there is none.
func ledgerIn(kept *corev1.ConfigMap) (*ledger.Ledger, error) {
	if kept == nil {
		return &ledger.Ledger{}, nil
	}
	text, err := taken(kept, keyLedger)
	if err != nil {
		return nil, err
	}
	if text == nil {
		return nil, fmt.Errorf("the ConfigMap %s/%s holds no ledger", kept.Namespace, kept.Name)
	}
	return ledger.Parse(text)
}

// verdictLabel is the label by which reports can be listed.
func verdictLabel(v string) map[string]string { return map[string]string{manifests.LabelVerdict: v} }
