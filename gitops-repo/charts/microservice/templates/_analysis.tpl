{{- define "microservice.analysis" -}}
templates:
  - templateName: {{ .Release.Name }}
args:
  - name: service
    value: {{ .Release.Name }}
  - name: namespace
    value: {{ .Release.Namespace }}
  - name: hash
    valueFrom:
      podTemplateHashValue: Latest
{{- end }}
