package scenario

// meshInjection is what a service mesh does to pods, as far as admission goes, without a webhook: the API server itself adds
// a proxy to every pod whose namespace and labels do not opt out in Istio's or Linkerd's words. The proxy is never ready, as
// one is whose control plane does not know the pod.
const meshInjection = `
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: lab-mesh}
spec:
  failurePolicy: Ignore
  reinvocationPolicy: Never
  matchConstraints:
    namespaceSelector:
      matchExpressions:
      - {key: istio-injection, operator: NotIn, values: [disabled]}
      - {key: linkerd.io/inject, operator: NotIn, values: [disabled]}
    resourceRules:
    - {apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}
  matchConditions:
  - name: opted-in
    expression: "!has(object.metadata.labels) || !('sidecar.istio.io/inject' in object.metadata.labels) || object.metadata.labels['sidecar.istio.io/inject'] != 'false'"
  mutations:
  - patchType: JSONPatch
    jsonPatch:
      expression: >
        [JSONPatch{op: "add", path: "/spec/containers/-", value: Object.spec.containers{
          name: "mesh-proxy", image: "localhost/lab/busybox:1", imagePullPolicy: "Never", command: ["sleep", "3600"],
          readinessProbe: Object.spec.containers.readinessProbe{
            exec: Object.spec.containers.readinessProbe.exec{command: ["false"]}, periodSeconds: 1},
          securityContext: Object.spec.containers.securityContext{
            runAsUser: 65534, runAsNonRoot: true, allowPrivilegeEscalation: false,
            capabilities: Object.spec.containers.securityContext.capabilities{drop: ["ALL"]},
            seccompProfile: Object.spec.containers.securityContext.seccompProfile{type: "RuntimeDefault"}}}}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: lab-mesh}
spec: {policyName: lab-mesh}
`

// inject has the API server take the policy, and waits until it is in force: a trial pod gets the proxy.
func inject([]string) []Command {
	apply := kubectl("apply", "-f", "-")
	apply.Stdin = []byte(meshInjection)
	return []Command{apply, shell(operator, `
		for i in $(seq 100); do
			kubectl run lab-trial --image=localhost/lab/busybox:1 --dry-run=server -o jsonpath='{.spec.containers[*].name}' | grep -q mesh-proxy && exit 0
			sleep 0.1
		done
		echo the policy is not in force
		exit 1`)}
}

func uninject([]string) []Command {
	return []Command{kubectl("delete", "--ignore-not-found", "mutatingadmissionpolicybinding/lab-mesh", "mutatingadmissionpolicy/lab-mesh")}
}
