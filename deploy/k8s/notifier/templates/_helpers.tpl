{{- define "notifier.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "notifier.image" -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}

{{- define "notifier.secret" -}}
{{- required "existingSecret is needed: the name of a Secret with SECRET_KEY, ENCRYPTION_KEYS and the URLs" .Values.existingSecret -}}
{{- end -}}

{{/* the host of siteUrl, for probes and ALLOWED_HOSTS */}}
{{- define "notifier.host" -}}
{{- $url := required "siteUrl is needed: the https address of the site" .Values.siteUrl -}}
{{- if not (hasPrefix "https://" $url) }}{{ fail "siteUrl must begin with https://" }}{{ end -}}
{{- (urlParse $url).hostname -}}
{{- end -}}

{{/* names have neither dots nor underscores: push.bulk -> push-bulk */}}
{{- define "notifier.queueName" -}}
{{- . | replace "." "-" | replace "_" "-" -}}
{{- end -}}

{{/* labels of one component: (dict "root" $ "component" "web") */}}
{{- define "notifier.selector" -}}
app.kubernetes.io/name: notifier
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "notifier.labels" -}}
{{ include "notifier.selector" . }}
app.kubernetes.io/version: {{ .root.Values.image.tag | default .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "notifier.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "notifier.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* what every process needs: the secrets, then what is not secret */}}
{{- define "notifier.env" -}}
envFrom:
  - secretRef: {name: {{ include "notifier.secret" .root }}}
  - configMapRef: {name: {{ include "notifier.name" .root }}}
{{- end -}}

{{/* METRICS_DIR: what the processes of the pod measure. In memory: a full disk would stop the processes that write there */}}
{{- define "notifier.metricsVolume" -}}
- {name: metrics, emptyDir: {medium: Memory, sizeLimit: 128Mi}}
{{- end -}}

{{/* answers Prometheus for the processes of a pod without web. It counts nothing itself */}}
{{- define "notifier.exporter" -}}
- name: metrics
  image: {{ include "notifier.image" .root }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  args: [python, manage.py, metrics_exporter, --host, 0.0.0.0, --port, "9464", --processes-only]
  {{- include "notifier.env" . | nindent 2 }}
  ports:
    - {name: metrics, containerPort: 9464}
  livenessProbe:
    exec: {command: [python, deploy/healthy.py, metrics]}
    initialDelaySeconds: 60
    periodSeconds: 60
    timeoutSeconds: 10
    failureThreshold: 5
  resources: {{- toYaml .root.Values.podMonitor.exporter.resources | nindent 4 }}
  securityContext: {{- include "notifier.containerSecurity" . | nindent 4 }}
  volumeMounts:
    - {name: tmp, mountPath: /tmp}
    - {name: metrics, mountPath: /metrics}
{{- end -}}

{{- define "notifier.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: metrics, mountPath: /metrics}
- {name: uploads, mountPath: /uploads}
{{- if .root.Values.sandbox.enabled }}
- {name: sandbox-ca, mountPath: /sandbox, readOnly: true}
{{- end }}
{{- end -}}

{{- define "notifier.volumes" -}}
- {name: tmp, emptyDir: {}}
{{ include "notifier.metricsVolume" . }}
- name: uploads
  persistentVolumeClaim: {claimName: {{ .root.Values.uploads.existingClaim | default (printf "%s-uploads" (include "notifier.name" .root)) }}}
{{- if .root.Values.sandbox.enabled }}
- name: sandbox-ca
  persistentVolumeClaim: {claimName: {{ include "notifier.name" .root }}-sandbox}
{{- end }}
{{- end -}}

{{/* the parts of a pod that all components share */}}
{{- define "notifier.pod" -}}
serviceAccountName: {{ include "notifier.name" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext: {{- include "notifier.podSecurity" . | nindent 2 }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "notifier.selector" $ | nindent 8 }}
  {{- end }}
{{- end -}}
