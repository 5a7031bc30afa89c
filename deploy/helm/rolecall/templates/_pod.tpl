{{/* The flags as a YAML list, in the order of their names. extraArgs come last and win. */}}
{{- define "rolecall.args" -}}
{{- $v := .Values -}}
{{- $live := $v.livenessProbe.spec.address | default "" -}}
{{- $live = contains ":" $live | ternary (printf "[%s]" $live) $live -}}
{{- $args := dict
  "ambient-identity" $v.ambientIdentity
  "enable-leader-election" $v.leaderElect
  "live-addr" (printf "%s:%d" $live (int $v.livenessProbe.spec.port))
  "loglevel" $v.log.level
  "metrics-addr" (printf ":%d" (int $v.metrics.listen.port))
-}}
{{- /* Where a value is empty, the controller's own default stands. */ -}}
{{- $said := dict
  "alarm-margin" $v.alarmMargin
  "controller-class" $v.controllerClass
  "namespace" (include "rolecall.watched" .)
  "store-requeue-interval" $v.storeRequeueInterval
-}}
{{- if $v.leaderElect -}}
{{- $_ := set $args "leader-election-id" (include "rolecall.leaseID" .) -}}
{{- $_ := set $said "leader-election-lease-duration" $v.leaderElectionLeaseDuration -}}
{{- $_ := set $said "leader-election-renew-deadline" $v.leaderElectionRenewDeadline -}}
{{- $_ := set $said "leader-election-retry-period" $v.leaderElectionRetryPeriod -}}
{{- end -}}
{{- range $flag, $value := $said }}{{ if $value }}{{ $_ := set $args $flag $value }}{{ end }}{{ end -}}
{{- range $flag, $is := dict "copy-metadata" $v.copyMetadata "metrics-per-object" $v.metricsPerObject -}}
{{- if not $is }}{{ $_ := set $args $flag false }}{{ end -}}
{{- end -}}
{{- $switches := dict
  "allow-http" $v.allowHttp
  "enable-extended-metric-labels" $v.extendedMetricLabels
  "observe" $v.observe
-}}
{{- range $flag, $is := $switches -}}
{{- if $is }}{{ $_ := set $args $flag nil }}{{ end -}}
{{- end -}}
{{- range $flag, $value := $v.extraArgs }}{{ $_ := set $args $flag $value }}{{ end -}}
{{- $words := list -}}
{{- range $flag, $value := $args -}}
{{- $isBare := or (kindIs "invalid" $value) (eq (toString $value) "") -}}
{{- $whole := printf "--%s=%s" $flag (include "rolecall.word" $value) -}}
{{- $words = append $words ($isBare | ternary (printf "--%s" $flag) $whole) -}}
{{- end -}}
{{- toYaml $words -}}
{{- end -}}

{{/*
The environment as a YAML list: ours, then extraEnv. A variable of ours that extraEnv names is left out, since a
server-side apply refuses the same name twice.
*/}}
{{- define "rolecall.env" -}}
{{- $aws := .Values.aws -}}
{{- $bundle := "" -}}
{{- if .Values.caBundle.configMapName }}{{ $bundle = printf "/etc/rolecall/ca/%s" .Values.caBundle.key }}{{ end -}}
{{- $said := list
  (list "AWS_REGION" $aws.region)
  (list "AWS_STS_ENDPOINT" $aws.stsEndpoint)
  (list "AWS_ECR_ENDPOINT" $aws.ecrEndpoint)
  (list "AWS_ECR_PUBLIC_ENDPOINT" $aws.ecrPublicEndpoint)
  (list "AWS_USE_FIPS_ENDPOINT" (ternary "true" "" $aws.useFIPS))
  (list "AWS_USE_DUALSTACK_ENDPOINT" (ternary "true" "" $aws.useDualStack))
  (list "AWS_CA_BUNDLE" $bundle)
  (list "HTTPS_PROXY" .Values.proxy.https)
  (list "NO_PROXY" .Values.proxy.noProxy)
-}}
{{- $named := dict -}}
{{- range .Values.extraEnv }}{{ $_ := set $named .name true }}{{ end -}}
{{- $env := list -}}
{{- if not (hasKey $named "POD_NAMESPACE") -}}
{{- $field := dict "fieldRef" (dict "fieldPath" "metadata.namespace") -}}
{{- $env = append $env (dict "name" "POD_NAMESPACE" "valueFrom" $field) -}}
{{- end -}}
{{- range $said -}}
{{- if and (last .) (not (hasKey $named (first .))) -}}
{{- $env = append $env (dict "name" (first .) "value" (last .)) -}}
{{- end -}}
{{- end -}}
{{- concat $env .Values.extraEnv | toYaml -}}
{{- end -}}

{{/* A security context without ESO's switch, and on OpenShift without what its constraints choose. */}}
{{- define "rolecall.securityContext" -}}
{{- $adapt := dig "compatibility" "openshift" "adaptSecurityContext" "auto" .root.Values.global -}}
{{- $isServed := .root.Capabilities.APIVersions.Has "security.openshift.io/v1" -}}
{{- $isOpenShift := or (eq $adapt "force") (and (eq $adapt "auto") $isServed) -}}
{{- $left := omit .context "enabled" -}}
{{- if $isOpenShift }}{{ $left = omit $left "runAsUser" "runAsGroup" "fsGroup" }}{{ end -}}
{{- if and $left (ne "false" (get .context "enabled" | toString)) }}{{ toYaml $left }}{{ end -}}
{{- end -}}

{{/* The spec of the pod; podSpecExtra is put over it by the Deployment. */}}
{{- define "rolecall.podSpec" -}}
{{- $v := .Values -}}
serviceAccountName: {{ include "rolecall.serviceAccount" . | quote }}
automountServiceAccountToken: {{ $v.serviceAccount.automount }}
enableServiceLinks: false
terminationGracePeriodSeconds: {{ int $v.terminationGracePeriodSeconds }}
{{- with include "rolecall.securityContext" (dict "root" . "context" $v.podSecurityContext) }}
securityContext: {{- nindent 2 . }}
{{- end }}
{{- if $v.hostNetwork }}
hostNetwork: true
{{- end }}
{{- if kindIs "bool" $v.hostUsers }}
hostUsers: {{ $v.hostUsers }}
{{- end }}
{{- range $field := list "dnsPolicy" "priorityClassName" "runtimeClassName" "schedulerName" }}
{{- with index $v $field }}
{{ $field }}: {{ quote . }}
{{- end }}
{{- end }}
{{- with $v.dnsConfig }}
dnsConfig: {{- toYaml . | nindent 2 }}
{{- end }}
{{- $pull := list }}
{{- range concat ($v.global.imagePullSecrets | default list) $v.imagePullSecrets }}
{{- $pull = append $pull (kindIs "string" . | ternary (dict "name" .) .) }}
{{- end }}
{{- with uniq $pull }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- range $field := list "affinity" "hostAliases" "nodeSelector" "tolerations" }}
{{- with index $v $field | default (index $v.global $field) }}
{{ $field }}: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- with $v.topologySpreadConstraints | default $v.global.topologySpreadConstraints }}
topologySpreadConstraints:
{{- range . }}
{{- $pods := dict "labelSelector" (dict "matchLabels" (include "rolecall.selector" $ | fromYaml)) }}
{{ list (hasKey . "labelSelector" | ternary . (merge $pods .)) | toYaml }}
{{- end }}
{{- end }}
{{- with $v.extraInitContainers }}
initContainers: {{- toYaml . | nindent 0 }}
{{- end }}
containers:
- name: controller
  image: {{ include "rolecall.image" . | quote }}
  imagePullPolicy: {{ $v.image.pullPolicy }}
  args: {{- include "rolecall.args" . | nindent 2 }}
  env: {{- include "rolecall.env" . | nindent 2 }}
  ports:
  - name: metrics
    containerPort: {{ int $v.metrics.listen.port }}
    protocol: TCP
  - name: live
    containerPort: {{ int $v.livenessProbe.spec.port }}
    protocol: TCP
  {{- range $field := list "livenessProbe" "readinessProbe" }}
  {{- $probe := index $v $field }}
  {{- if $probe.enabled }}
  {{ $field }}: {{- omit $probe.spec "address" "port" | toYaml | nindent 4 }}
  {{- end }}
  {{- end }}
  {{- with include "rolecall.securityContext" (dict "root" . "context" $v.securityContext) }}
  securityContext: {{- nindent 4 . }}
  {{- end }}
  {{- with $v.resources }}
  resources: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if or $v.caBundle.configMapName $v.extraVolumeMounts }}
  volumeMounts:
  {{- if $v.caBundle.configMapName }}
  - name: ca-bundle
    mountPath: /etc/rolecall/ca
    readOnly: true
  {{- end }}
  {{- with $v.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- end }}
{{- with $v.extraContainers }}
{{ toYaml . }}
{{- end }}
{{- if or $v.caBundle.configMapName $v.extraVolumes }}
volumes:
{{- with $v.caBundle.configMapName }}
- name: ca-bundle
  configMap:
    name: {{ . | quote }}
    items:
    - key: {{ $v.caBundle.key | quote }}
      path: {{ $v.caBundle.key | quote }}
{{- end }}
{{- with $v.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- end -}}
