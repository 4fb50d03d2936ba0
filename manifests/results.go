package manifests

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// LabelVerdict has the last verdict of a report's ConfigMap: PASS, FAIL,
// INCONCLUSIVE or ERROR.
const LabelVerdict = "kubectl-wg.io/verdict"

// ResultObject returns an empty ConfigMap for a report or a ledger.
func ResultObject(namespace, name string) (*corev1.ConfigMap, error) {
	var result corev1.ConfigMap
	if err := load("report-configmap.yaml", &result); err != nil {
		return nil, err
	}
	result.Namespace, result.Name = namespace, name
	return &result, nil
}

// maxNote is the largest message of an event (k8s.io/kubernetes, validation of events).
const maxNote = 1024

// EventObject returns the event of a run about the ConfigMap with its report.
func EventObject(about *corev1.ConfigMap, run, reason, note string, normal bool, at time.Time) (*corev1.Event, error) {
	var event corev1.Event
	if err := load("report-event.yaml", &event); err != nil {
		return nil, err
	}
	event.Namespace = about.Namespace
	event.Name = about.Name[:min(len(about.Name), 200)] + "." + run
	event.InvolvedObject.Namespace = about.Namespace
	event.InvolvedObject.Name = about.Name
	event.InvolvedObject.UID = about.UID
	event.Reason = reason
	event.Message = strings.ToValidUTF8(note[:min(len(note), maxNote)], "")
	if !normal {
		event.Type = corev1.EventTypeWarning
	}
	event.Count = 1
	event.FirstTimestamp, event.LastTimestamp = metav1.NewTime(at), metav1.NewTime(at)
	return &event, nil
}
