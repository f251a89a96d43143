{{- define "steptap.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What finds the pods: never changes over the life of a release. */}}
{{- define "steptap.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: {{ .Values.role }}
{{- end -}}

{{- define "steptap.labels" -}}
{{ include "steptap.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Of everything that is in the namespace: name, namespace and labels. A dictionary of `root` and `suffix`. */}}
{{- define "steptap.metadata" -}}
name: {{ include "steptap.fullname" .root }}{{ .suffix }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "steptap.labels" .root | nindent 2 }}
{{- end -}}

{{- define "steptap.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "steptap.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The Service that has the metrics. */}}
{{- define "steptap.metricsService" -}}
{{ include "steptap.fullname" . }}{{ if eq .Values.role "aggregator" }}-pods{{ end }}
{{- end -}}

{{- define "steptap.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "steptap.pipeline" -}}
{{- if .Values.customConfig -}}
{{ toYaml .Values.customConfig }}
{{ else -}}
{{ .Files.Get (printf "files/%s.yaml" .Values.role) }}
{{- end -}}
{{- end -}}
