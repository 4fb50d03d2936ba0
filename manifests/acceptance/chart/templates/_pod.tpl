{{/* The pod that verifies, the same in Job, CronJob and test. */}}
{{- define "pod" -}}
metadata:
  labels: {app.kubernetes.io/name: kubectl-wg, app.kubernetes.io/component: acceptance}
spec:
  serviceAccountName: {{ .Release.Name }}-kubectl-wg
  restartPolicy: Never
  terminationGracePeriodSeconds: 90
  enableServiceLinks: false
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    seccompProfile: {type: RuntimeDefault}
  containers:
    - name: verify
      image: {{ .Values.image | quote }}
      imagePullPolicy: {{ .Values.imagePullPolicy }}
      args:
        - verify
        - --report-configmap={{ .Release.Name }}-wg-report
        - --ledger={{ .Release.Name }}-wg-ledger
        {{- if .Values.probeImage }}
        - --image={{ .Values.probeImage }}
        {{- end }}
        {{- if gt (int .Values.parts) 1 }}
        - --part=next/{{ .Values.parts }}
        {{- end }}
        {{- if .Values.policy }}
        - --policy=/policy/policy.yaml
        {{- end }}
        {{- if .Values.policyReport }}
        - --policy-report={{ .Values.policyReport }}
        {{- end }}
        {{- range .Values.args }}
        - {{ . | quote }}
        {{- end }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      resources: {{- toYaml .Values.resources | nindent 8 }}
      {{- if .Values.policy }}
      volumeMounts:
        - {name: policy, mountPath: /policy, readOnly: true}
      {{- end }}
  {{- if .Values.policy }}
  volumes:
    - name: policy
      configMap: {name: {{ .Release.Name }}-wg-policy}
  {{- end }}
{{- end -}}
