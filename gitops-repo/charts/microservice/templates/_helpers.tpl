{{- define "microservice.labels" -}}
app.kubernetes.io/name: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: acme
acme.dev/team: {{ .Values.team | quote }}
{{- end }}

{{- define "microservice.selector" -}}
app.kubernetes.io/name: {{ .Release.Name }}
{{- end }}
