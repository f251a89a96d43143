{{/* The pods of both roles. What differs is said by role, and what a user said of it wins. */}}
{{- define "steptap.podTemplate" -}}
{{- $agent := eq .Values.role "agent" -}}
metadata:
  labels:
    {{- include "steptap.selector" . | nindent 4 }}
    {{- with mergeOverwrite (deepCopy .Values.commonLabels) .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- /* Otherwise a changed pipeline takes over while steptap runs. */}}
  {{- if or .Values.podAnnotations (not .Values.hotReload) }}
  annotations:
    {{- if not .Values.hotReload }}
    checksum/pipeline: {{ include "steptap.pipeline" . | sha256sum }}
    {{- end }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
spec:
  serviceAccountName: {{ include "steptap.serviceAccountName" . }}
  automountServiceAccountToken: {{ $agent }}
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if not (kindIs "invalid" .Values.tolerations) }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- else if $agent }}
  tolerations:
    - operator: Exists
  {{- end }}
  {{- if not (kindIs "invalid" .Values.topologySpreadConstraints) }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- else if not $agent }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "steptap.selector" . | nindent 10 }}
  {{- end }}
  securityContext:
    {{- with .Values.podSecurityContext }}
    {{- toYaml . | nindent 4 }}
    {{- else }}
    {{- include "steptap.podSecurityContext" . | nindent 4 }}
    {{- end }}
  {{- if and $agent (eq .Values.containerRuntime "containerd") }}
  initContainers:
    # The kubelet makes the directory of the spool for root, and fsGroup is not for hostPath volumes.
    - name: spool
      image: {{ include "steptap.image" . }}
      {{- with .Values.image.pullPolicy }}
      imagePullPolicy: {{ . }}
      {{- end }}
      command: [/usr/local/bin/node, -e, "require('node:fs').chownSync('/var/lib/steptap', {{ dig "runAsUser" 65532 .Values.podSecurityContext | int64 }}, 0)"]
      resources:
        {{- include "steptap.resources" . | nindent 8 }}
      securityContext:
        runAsNonRoot: false
        runAsUser: 0
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
          add: [CHOWN]
      volumeMounts:
        - { name: spool, mountPath: /var/lib/steptap }
  {{- end }}
  containers:
    - name: steptap
      image: {{ include "steptap.image" . }}
      {{- with .Values.image.pullPolicy }}
      imagePullPolicy: {{ . }}
      {{- end }}
      args: [run, --config, /etc/steptap/pipeline.yaml]
      {{- if or $agent .Values.env }}
      env:
        {{- if $agent }}
        {{- if .Values.rbac.ownersLookup }}
        - { name: STEPTAP_OWNERS, value: lookup }
        {{- end }}
        - name: NODE_NAME
          valueFrom: { fieldRef: { fieldPath: spec.nodeName } }
        - name: POD_NAME
          valueFrom: { fieldRef: { fieldPath: metadata.name } }
        - name: POD_NAMESPACE
          valueFrom: { fieldRef: { fieldPath: metadata.namespace } }
        - name: POD_UID
          valueFrom: { fieldRef: { fieldPath: metadata.uid } }
        {{- end }}
        {{- with .Values.env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
      envFrom:
        - secretRef: { name: {{ default (include "steptap.fullname" .) .Values.existingSecret }} }
        {{- with .Values.envFrom }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        {{- if not $agent }}
        - { name: forward, containerPort: 24224 }
        - { name: http, containerPort: 9881 }
        {{- end }}
        - { name: metrics, containerPort: 9464 }
      {{- with .Values.startupProbe }}
      startupProbe:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.livenessProbe }}
      livenessProbe:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      readinessProbe:
        {{- with .Values.readinessProbe }}
        {{- toYaml . | nindent 8 }}
        {{- else }}
        {{- /* A sink that is down makes /readyz 503: the very time for which an aggregator has a spool. */}}
        httpGet: { path: {{ ternary "/readyz" "/healthz" $agent }}, port: metrics }
        periodSeconds: {{ ternary 10 5 $agent }}
        timeoutSeconds: 5
        {{- end }}
      resources:
        {{- include "steptap.resources" . | nindent 8 }}
      securityContext:
        {{- with .Values.securityContext }}
        {{- toYaml . | nindent 8 }}
        {{- else }}
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
          {{- if and $agent (eq .Values.containerRuntime "cri-o") }}
          add: [DAC_READ_SEARCH]
          {{- end }}
        {{- end }}
      volumeMounts:
        {{- if .Values.hotReload }}
        - { name: pipeline, mountPath: /etc/steptap, readOnly: true }
        {{- else }}
        # A subPath is never brought up to date.
        - { name: pipeline, mountPath: /etc/steptap/pipeline.yaml, subPath: pipeline.yaml, readOnly: true }
        {{- end }}
        {{- if $agent }}
        - { name: logs, mountPath: /var/log, readOnly: true }
        {{- else }}
        - { name: tls, mountPath: /run/steptap/tls, readOnly: true }
        - { name: keys, mountPath: /run/steptap/keys, readOnly: true }
        {{- end }}
        - { name: spool, mountPath: /var/lib/steptap }
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: pipeline
      configMap: { name: {{ default (include "steptap.fullname" .) .Values.existingConfigMap }} }
    {{- if $agent }}
    - name: logs
      hostPath: { path: /var/log, type: Directory }
    - name: spool
      hostPath: { path: {{ .Values.spool.hostPath }}, type: DirectoryOrCreate }
    {{- else }}
    - name: tls
      secret: { secretName: {{ default (printf "%s-tls" (include "steptap.fullname" .)) .Values.aggregator.tlsSecret }}, defaultMode: 288 }
    - name: keys
      secret: { secretName: {{ default (printf "%s-keys" (include "steptap.fullname" .)) .Values.aggregator.keysSecret }}, defaultMode: 288 }
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{- define "steptap.resources" -}}
{{- if .Values.resources -}}
{{ toYaml .Values.resources }}
{{- else if eq .Values.role "agent" -}}
requests: { cpu: 50m, memory: 128Mi }
limits: { memory: 512Mi }
{{- else -}}
requests: { cpu: 100m, memory: 128Mi }
limits: { memory: 512Mi }
{{- end -}}
{{- end -}}

{{- define "steptap.podSecurityContext" -}}
{{- if ne .Values.role "agent" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
{{- else if eq .Values.containerRuntime "cri-o" -}}
runAsUser: 0
runAsGroup: 0
{{- else -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 0
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}
