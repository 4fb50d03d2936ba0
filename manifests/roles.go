package manifests

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// resultsRole is the role for a run's results in one namespace.
const resultsRole = `---
# Only for --report-configmap and --ledger: what a run leaves. Bind it with
#   kubectl create rolebinding kubectl-wg-results -n %[1]s --role=kubectl-wg-results --user=NAME
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: kubectl-wg-results
  namespace: %[1]q
  labels:
    app.kubernetes.io/name: kubectl-wg
rules:
  # A name cannot be given for what does not exist yet.
  - apiGroups: [""]
    resources: [configmaps]
    verbs: [create]
  - apiGroups: [""]
    resources: [configmaps]
    verbs: [get, update]
    resourceNames: [%[2]s]
`

// eventsRule is what it lacks for the event about a report.
const eventsRule = `  # Only for --report-configmap: an event about the report.
  - apiGroups: [""]
    resources: [events]
    verbs: [create]
`

// ResultsRole returns the role for results in a namespace, in ConfigMaps of these
// names; event: and for an event about a report. It begins a document of YAML.
func ResultsRole(namespace string, names []string, event bool) []byte {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = fmt.Sprintf("%q", name)
	}
	role := fmt.Sprintf(resultsRole, namespace, strings.Join(quoted, ", "))
	if event {
		role += eventsRule
	}
	return []byte(role)
}

// policyReportRole is the role for those who write a policy report.
const policyReportRole = `---
# Only for --policy-report %[3]s, and for kubectl apply of -o %[3]s. Bind it with
#   kubectl create clusterrolebinding kubectl-wg-reports --clusterrole=kubectl-wg-reports --user=NAME
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: kubectl-wg-reports
  labels:
    app.kubernetes.io/name: kubectl-wg
rules:
  - apiGroups: [%[1]s]
    resources: [%[2]s]
    verbs: [create, get, patch]
`

// PolicyReports are the resources for the formats of reports that are objects of the
// cluster.
var PolicyReports = map[string]schema.GroupVersionResource{
	"policyreport": {Group: "wgpolicyk8s.io", Version: "v1alpha2", Resource: "clusterpolicyreports"},
	"openreports":  {Group: "openreports.io", Version: "v1alpha1", Resource: "clusterreports"},
}

// PolicyReportRole returns the role for writing what a format of reports prints, nil
// for a format that is not an object of the cluster. It begins a document of YAML.
func PolicyReportRole(format string) []byte {
	resource, known := PolicyReports[format]
	if !known {
		return nil
	}
	return fmt.Appendf(nil, policyReportRole, resource.Group, resource.Resource, format)
}

// DNSRole is what the namespaced role lacks for the pods of the cluster's DNS, which
// are not in the run's namespace. It begins a document of YAML.
const DNSRole = `---
# Only for --scope dns: which pods answer for the cluster's DNS. Bind it with
#   kubectl create rolebinding kubectl-wg-dns -n kube-system --role=kubectl-wg-dns --user=NAME
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: kubectl-wg-dns
  namespace: kube-system
  labels:
    app.kubernetes.io/name: kubectl-wg
rules:
  - apiGroups: [""]
    resources: [pods]
    verbs: [list]
`
